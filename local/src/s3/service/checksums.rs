//! Checksums of bodies: which to compute, and whether what the client sent agrees.
//!
//! A client names a checksum in a header, or only its algorithm when the value follows as a trailer behind the body.

use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};

use crate::s3::error::StoreError;

/// The hashers for the values given and the algorithm announced.
pub(super) fn hasher(algorithm: Option<&ChecksumAlgorithm>, given: &Checksum) -> ChecksumHasher {
    let announced = |name: &str| algorithm.is_some_and(|algorithm| algorithm.as_str() == name);
    let mut hasher = ChecksumHasher::default();
    if given.checksum_crc32.is_some() || announced(ChecksumAlgorithm::CRC32) {
        hasher.crc32 = Some(Default::default());
    }
    if given.checksum_crc32c.is_some() || announced(ChecksumAlgorithm::CRC32C) {
        hasher.crc32c = Some(Default::default());
    }
    if given.checksum_crc64nvme.is_some() || announced(ChecksumAlgorithm::CRC64NVME) {
        hasher.crc64nvme = Some(Default::default());
    }
    if given.checksum_sha1.is_some() || announced(ChecksumAlgorithm::SHA1) {
        hasher.sha1 = Some(Default::default());
    }
    if given.checksum_sha256.is_some() || announced(ChecksumAlgorithm::SHA256) {
        hasher.sha256 = Some(Default::default());
    }
    hasher
}

/// Adds the values that came as trailers. To be called when the body was read to its end.
pub(super) fn add_trailers(trailers: Option<TrailingHeaders>, given: &mut Checksum) {
    let Some(headers) = trailers.and_then(|trailers| trailers.take()) else { return };
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    for (slot, name) in [
        (&mut given.checksum_crc32, "x-amz-checksum-crc32"),
        (&mut given.checksum_crc32c, "x-amz-checksum-crc32c"),
        (&mut given.checksum_crc64nvme, "x-amz-checksum-crc64nvme"),
        (&mut given.checksum_sha1, "x-amz-checksum-sha1"),
        (&mut given.checksum_sha256, "x-amz-checksum-sha256"),
    ] {
        if let Some(value) = value(name) {
            *slot = Some(value);
        }
    }
}

/// Compares what was given with what was computed. A value given as a trailer of an algorithm that was not announced
/// could not be computed and is refused as well.
pub(super) fn check(given: &Checksum, computed: &Checksum) -> Result<(), StoreError> {
    for (given, computed, algorithm) in [
        (&given.checksum_crc32, &computed.checksum_crc32, "crc32"),
        (&given.checksum_crc32c, &computed.checksum_crc32c, "crc32c"),
        (&given.checksum_crc64nvme, &computed.checksum_crc64nvme, "crc64nvme"),
        (&given.checksum_sha1, &computed.checksum_sha1, "sha1"),
        (&given.checksum_sha256, &computed.checksum_sha256, "sha256"),
    ] {
        if given.is_some() && given != computed {
            return Err(StoreError::BadDigest { algorithm });
        }
    }
    Ok(())
}

/// Whether checksums are of the whole object or of its parts' checksums; `None` where there are none.
pub(super) fn kind(sum: &Checksum) -> Option<ChecksumType> {
    let values =
        [&sum.checksum_crc32, &sum.checksum_crc32c, &sum.checksum_crc64nvme, &sum.checksum_sha1, &sum.checksum_sha256];
    let mut values = values.into_iter().flatten().peekable();
    values.peek()?;
    // Base64 has no hyphen; behind it stands the number of parts.
    let is_composite = values.any(|value| value.contains('-'));
    let kind = if is_composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
    Some(ChecksumType::from_static(kind))
}

/// Compares the `Content-MD5` header, 16 bytes in base64, with the digest of the body.
pub(super) fn check_md5(header: Option<&str>, md5: [u8; 16]) -> Result<(), StoreError> {
    let Some(text) = header else { return Ok(()) };
    let given = base64_16(text).ok_or(StoreError::InvalidDigest { header: "Content-MD5" })?;
    if given == md5 { Ok(()) } else { Err(StoreError::BadDigest { algorithm: "md5" }) }
}

/// Decodes the 24 characters of base64 that stand for 16 bytes.
fn base64_16(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_suffix("==").filter(|digits| digits.len() == 22)?;
    let mut bytes = [0; 16];
    let (mut value, mut bits, mut filled) = (0_u32, 0, 0);
    for byte in digits.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        value = (value << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            *bytes.get_mut(filled)? = u8::try_from((value >> bits) & 0xff).ok()?;
            value &= (1 << bits) - 1;
            filled += 1;
        }
    }
    (filled == 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_md5() {
        let empty = [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e];
        let check = |header: Option<&str>, expected: &str| {
            let outcome = match check_md5(header, empty) {
                Ok(()) => "ok",
                Err(StoreError::BadDigest { .. }) => "bad",
                Err(_) => "invalid",
            };
            assert_eq!(outcome, expected, "{header:?}");
        };
        check(None, "ok");
        check(Some("1B2M2Y8AsgTpgAmY7PhCfg=="), "ok");
        check(Some("AAAAAAAAAAAAAAAAAAAAAA=="), "bad");
        check(Some("1B2M2Y8AsgTpgAmY7PhCfg"), "invalid");
        check(Some("1B2M2Y8AsgTpgAmY7Ph!fg=="), "invalid");
        check(Some(""), "invalid");
    }

    #[test]
    fn only_what_is_asked_for_is_computed_and_compared() {
        let given = Checksum { checksum_crc32: Some("AAAAAA==".into()), ..Checksum::default() };
        let sha = ChecksumAlgorithm::from_static(ChecksumAlgorithm::SHA256);
        let mut hasher = hasher(Some(&sha), &given);
        hasher.update(b"");
        let computed = hasher.finalize();
        assert!(computed.checksum_crc32.is_some() && computed.checksum_sha256.is_some());
        assert!(computed.checksum_sha1.is_none() && computed.checksum_crc32c.is_none());
        assert!(check(&given, &computed).is_ok());
        let wrong = Checksum { checksum_crc32: Some("AAAAAQ==".into()), ..Checksum::default() };
        assert!(matches!(check(&wrong, &computed), Err(StoreError::BadDigest { algorithm: "crc32" })));
    }
}
