//! What holds for every body however it is cut and read: the same bytes, and the same error after them.

use bytes::Bytes;
use futures::{StreamExt, stream};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Builder;

use super::codecs::{COMPRESSED, compress};
use super::{address, noise, text};
use crate::expand::{Compression, Expander, ExpansionLimits};

/// Cuts of a body, or sizes of reads, one after another and again from the beginning.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1..4_usize, 1..300_usize, 1..70_000_usize, Just(1 << 20)];
    vec(size, 1..6)
}

/// An object of one part or two, and how to damage it.
fn object() -> impl Strategy<Value = (Compression, Vec<u8>, Vec<u8>)> {
    let compression = select(COMPRESSED.into_iter().chain([Compression::None]).collect::<Vec<_>>());
    let parts = vec((any::<bool>(), 0..400_000_usize), 1..3);
    (compression, parts).prop_map(|(compression, parts)| {
        let plain = parts.iter().map(|(is_text, length)| if *is_text { text(*length) } else { noise(*length / 8) });
        let plain: Vec<Vec<u8>> = plain.collect();
        let compressed = plain.iter().flat_map(|part| compress(compression, part)).collect();
        (compression, plain.concat(), compressed)
    })
}

/// All that comes out, and the code of the error that ends it.
fn expand(
    compressed: &[u8],
    compression: Compression,
    limits: ExpansionLimits,
    cuts: &[usize],
    reads: &[usize],
) -> (Vec<u8>, Option<&'static str>) {
    let mut rest = Bytes::copy_from_slice(compressed);
    let mut chunks = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        chunks.push(Ok(rest.split_to((*cut).min(rest.len()))));
    }
    let mut expander = Expander::new(stream::iter(chunks).boxed(), compression, limits, address());
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = Vec::new();
    let runtime = Builder::new_current_thread().build().unwrap();
    let end = runtime.block_on(async {
        for read in reads.iter().cycle() {
            match expander.read_chunk(&mut buffer[..*read]).await {
                Ok(0) => return None,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) => return Some(error.code),
            }
            assert!(expander.compressed_bytes() <= compressed.len() as u64);
            assert_eq!(expander.expanded_bytes(), bytes.len() as u64);
        }
        None
    });
    (bytes, end)
}

/// Large cuts and reads are ordinary; reading byte by byte is for small objects.
fn fitting(sizes: Vec<usize>, length: usize) -> Vec<usize> {
    let least = length / 20_000 + 1;
    sizes.into_iter().map(|size| size.max(least)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_objects_come_out_whole((compression, plain, compressed) in object(), cuts in sizes(), reads in sizes()) {
        let (cuts, reads) = (fitting(cuts, compressed.len()), fitting(reads, plain.len()));
        let (bytes, end) = expand(&compressed, compression, ExpansionLimits::default(), &cuts, &reads);
        prop_assert_eq!(end, None);
        prop_assert!(bytes == plain, "{} bytes of {}", bytes.len(), plain.len());
    }

    #[test]
    fn damaged_objects_end_alike(
        (compression, plain, compressed) in object(),
        (place, flip) in (any::<prop::sample::Index>(), 0..=255_u8),
        cuts in sizes(),
        reads in sizes(),
    ) {
        prop_assume!(!compressed.is_empty());
        let mut damaged = compressed;
        let place = place.index(damaged.len());
        if flip == 0 {
            damaged.truncate(place);
        } else {
            damaged[place] ^= flip;
        }
        let (cuts, reads) = (fitting(cuts, damaged.len()), fitting(reads, plain.len()));
        let limits = ExpansionLimits::default();
        let whole = expand(&damaged, compression, limits, &[1 << 30], &[1 << 20]);
        let parts = expand(&damaged, compression, limits, &cuts, &reads);
        prop_assert_eq!(whole.1, parts.1);
        if compression == Compression::Xz && whole.1.is_some() {
            // What the decoder had in its last call is lost there; what came out before is right.
            let shorter = whole.0.len().min(parts.0.len());
            prop_assert!(whole.0[..shorter] == parts.0[..shorter]);
        } else {
            prop_assert!(whole.0 == parts.0, "{} and {} bytes", whole.0.len(), parts.0.len());
        }
    }

    #[test]
    fn limits_cut_at_the_byte(
        (compression, plain, compressed) in object(),
        limit in 0..500_000_u64,
        cuts in sizes(),
        reads in sizes(),
    ) {
        let (cuts, reads) = (fitting(cuts, compressed.len()), fitting(reads, plain.len()));
        let limits = ExpansionLimits { expanded_bytes: limit, ..ExpansionLimits::default() };
        let (bytes, end) = expand(&compressed, compression, limits, &cuts, &reads);
        let allowed = plain.len().min(limit as usize);
        prop_assert_eq!(end, (plain.len() as u64 > limit).then_some("expanded_bytes_exceeded"));
        prop_assert!(bytes == plain[..allowed], "{} bytes of {allowed}", bytes.len());
    }
}
