//! The smallest pieces of the JSON grammar (RFC 8259), on slices.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Insignificant white space of RFC 8259, section 2.
#[inline(always)]
pub(crate) fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Index of the first byte at or after `from` that is not white space, or the length.
#[inline(always)]
pub(crate) fn skip_whitespace(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < text.len() && is_whitespace(text[at]) {
        at += 1;
    }
    at
}

/// Index of the first quote, backslash or control character at or after `from`, or the length.
///
/// Eight bytes are looked at together: subtracting one from a byte that is zero borrows into its high bit, so a byte
/// equal to the wanted one (zero after exclusive or) or below 0x20 leaves its high bit set. The lowest set bit is exact.
#[inline(always)]
pub(crate) fn scan_string(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(Ok(word)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let stops = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH_BITS;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && !matches!(text[at], b'"' | b'\\' | 0..=0x1f) {
        at += 1;
    }
    at
}

/// End of the number that begins at `from`, or the offset where the grammar is broken.
#[inline(always)]
pub(crate) fn scan_number(text: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    match text.get(at) {
        Some(b'0') => at += 1,
        Some(b'1'..=b'9') => at = skip_digits(text, at),
        _ => return Err(at),
    }
    if text.get(at) == Some(&b'.') {
        let digits = at + 1;
        at = skip_digits(text, digits);
        if at == digits {
            return Err(at);
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        let digits = at;
        at = skip_digits(text, digits);
        if at == digits {
            return Err(at);
        }
    }
    Ok(at)
}

/// Index of the first byte at or after `from` that is no digit, or the length.
#[inline(always)]
pub(crate) fn skip_digits(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(text.get(at), Some(b'0'..=b'9')) {
        at += 1;
    }
    at
}

/// End of the escape sequence whose backslash stands at `from`, or the offset where it is broken. A surrogate must come
/// as a pair: a lone one stands for no character and could not be written as UTF-8.
pub(crate) fn scan_escape(text: &[u8], from: usize) -> Result<usize, usize> {
    match text.get(from + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(from + 2),
        Some(b'u') => match hex_unit(text, from + 2).ok_or(from)? {
            0xDC00..=0xDFFF => Err(from),
            0xD800..=0xDBFF => {
                let is_low_half = text.get(from + 6..from + 8) == Some(b"\\u")
                    && matches!(hex_unit(text, from + 8), Some(0xDC00..=0xDFFF));
                if is_low_half { Ok(from + 12) } else { Err(from) }
            }
            _ => Ok(from + 6),
        },
        _ => Err(from),
    }
}

/// The four hexadecimal digits at `from`.
pub(crate) fn hex_unit(text: &[u8], from: usize) -> Option<u32> {
    let digits = text.get(from..from + 4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// A number of RFC 8259 in a longer text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberAt {
    /// One past its last byte.
    pub(crate) end: usize,
    pub(crate) has_point: bool,
    pub(crate) has_exponent: bool,
}

/// The number that begins at `at`; `None` when there is none. It looks at eight bytes together and is fastest where
/// eight more follow the number.
#[inline(always)]
pub(crate) fn number_at(text: &[u8], at: usize) -> Option<NumberAt> {
    let byte = |at: usize| text.get(at).copied();
    let integer = at + usize::from(byte(at)? == b'-');
    let mut end = digits(text, integer);
    if end == integer || (byte(integer)? == b'0' && end > integer + 1) {
        return None;
    }
    let has_point = byte(end) == Some(b'.');
    if has_point {
        let fraction = end + 1;
        end = digits(text, fraction);
        if end == fraction {
            return None;
        }
    }
    let has_exponent = matches!(byte(end), Some(b'e' | b'E'));
    if has_exponent {
        end += 1;
        if let Some(b'+' | b'-') = byte(end) {
            end += 1;
        }
        let exponent = end;
        end = digits(text, exponent);
        if end == exponent {
            return None;
        }
    }
    Some(NumberAt { end, has_point, has_exponent })
}

/// The first byte at or after `at` that is no digit.
#[inline(always)]
fn digits(text: &[u8], mut at: usize) -> usize {
    while let Some(Ok(word)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let others = non_digits(u64::from_le_bytes(word));
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    skip_digits(text, at)
}

/// A bit in every byte of a word that is no ASCII digit. After exclusive or with `0` a digit is 0 to 9: adding 0x76 leaves
/// its high bit clear, while larger values set it or have it already.
#[inline(always)]
fn non_digits(word: u64) -> u64 {
    let values = word ^ (ONES * 0x30);
    (((values & (ONES * 0x7f)) + ONES * 0x76) | values) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_to_read_a_number_agree(text in "-?[0-9]{0,12}[.eE+-]{0,2}[0-9]{0,9}([eE][+-]?[0-9]{0,9})?[ ,]{0,9}") {
            let text = text.as_bytes();
            // A digit after a leading zero ends the number for one and breaks it for the other; nothing takes either.
            let expected = scan_number(text, 0).ok().filter(|end| !text.get(*end).is_some_and(u8::is_ascii_digit));
            prop_assert_eq!(number_at(text, 0).map(|number| number.end), expected);
        }

        #[test]
        fn only_digits_are_digits(bytes in any::<[u8; 8]>()) {
            let expected = bytes.iter().position(|byte| !byte.is_ascii_digit());
            let found = non_digits(u64::from_le_bytes(bytes));
            prop_assert_eq!((found != 0).then(|| found.trailing_zeros() as usize / 8), expected);
        }
    }
}
