//! One object out of records drawn at random.

use super::random::Random;
use super::source::Source;

/// Composes an object of about `wanted` bytes: the last record goes in when that brings the size nearer to it. Every
/// object has at least one record.
pub(super) fn compose(source: &Source, wanted: u64, random: &mut Random) -> Vec<u8> {
    let frame = source.frame();
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut object = Vec::with_capacity(wanted.saturating_add(wanted / 8));
    object.extend_from_slice(frame.before);
    let mut first = true;
    loop {
        let record = source.record(random.below(source.len()));
        let separator: &[u8] = if first { b"" } else { frame.between };
        let now = object.len() + frame.after.len();
        let then = now + separator.len() + record.len();
        if !first && then > wanted && then - wanted > wanted.saturating_sub(now) {
            break;
        }
        object.extend_from_slice(separator);
        object.extend_from_slice(record);
        first = false;
        if then >= wanted {
            break;
        }
    }
    object.extend_from_slice(frame.after);
    object
}
