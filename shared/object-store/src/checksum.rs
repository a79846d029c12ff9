//! Checksums of whole objects.
//!
//! A service may tell with an object a checksum that was computed when it was written. An adapter can compare it only with
//! a body that comes in one piece. A reader that goes on after a broken connection computes it along the way, over all
//! pieces. Only cyclic redundancy checks are kept: they cost next to nothing, and a checksum is here to notice accidents.

use crc_fast::{CrcAlgorithm, Digest};

/// A cyclic redundancy check that S3 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumKind {
    /// CRC-32 as in gzip.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME, what S3 computes when the writer names none.
    Crc64Nvme,
}

/// The checksum of all bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// How it was computed.
    pub kind: ChecksumKind,
    /// Its value.
    pub value: u64,
}

impl Checksum {
    /// A checksum from the big-endian bytes that services send; none if there are not as many as the kind has.
    #[must_use]
    pub fn from_bytes(kind: ChecksumKind, bytes: &[u8]) -> Option<Self> {
        let value = match kind {
            ChecksumKind::Crc32 | ChecksumKind::Crc32c => u64::from(u32::from_be_bytes(bytes.try_into().ok()?)),
            ChecksumKind::Crc64Nvme => u64::from_be_bytes(bytes.try_into().ok()?),
        };
        Some(Self { kind, value })
    }

    /// The checksum of these bytes.
    #[must_use]
    pub fn of(kind: ChecksumKind, bytes: &[u8]) -> Self {
        let mut digest = Digest::new(kind.algorithm());
        digest.update(bytes);
        Self { kind, value: digest.finalize() }
    }
}

impl ChecksumKind {
    fn algorithm(self) -> CrcAlgorithm {
        match self {
            Self::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Self::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        }
    }
}

/// Computes a checksum while bytes pass, to compare it at the end with the one that was announced.
pub(crate) struct RunningChecksum {
    announced: Checksum,
    digest: Digest,
}

impl RunningChecksum {
    pub(crate) fn new(announced: Checksum) -> Self {
        Self { announced, digest: Digest::new(announced.kind.algorithm()) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// True when the bytes so far are those of the checksum.
    pub(crate) fn agrees(&self) -> bool {
        self.digest.finalize() == self.announced.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms: <https://reveng.sourceforge.io/crc-catalogue/>.
    #[test]
    fn the_algorithms_are_those_of_s3() {
        let check = |kind, expected: &[u8]| {
            let checksum = Checksum::of(kind, b"123456789");
            assert_eq!(Some(checksum), Checksum::from_bytes(kind, expected), "{kind:?}");
            assert_eq!(Checksum::from_bytes(kind, &expected[1..]), None);
        };
        check(ChecksumKind::Crc32, &0xCBF4_3926_u32.to_be_bytes());
        check(ChecksumKind::Crc32c, &0xE306_9283_u32.to_be_bytes());
        check(ChecksumKind::Crc64Nvme, &0xAE8B_1486_0A79_9888_u64.to_be_bytes());
    }

    #[test]
    fn pieces_make_the_same_checksum_as_the_whole() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|number| (number * 31 % 251) as u8).collect();
        for kind in [ChecksumKind::Crc32, ChecksumKind::Crc32c, ChecksumKind::Crc64Nvme] {
            let mut running = RunningChecksum::new(Checksum::of(kind, &bytes));
            for piece in bytes.chunks(733) {
                assert!(!running.agrees(), "{kind:?}");
                running.update(piece);
            }
            assert!(running.agrees(), "{kind:?}");
        }
    }
}
