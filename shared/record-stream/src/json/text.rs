//! Strings: reading what a JSON string means, and writing text as a JSON string.

use super::grammar::{hex_unit, scan_string};
use std::borrow::Cow;

/// The text between the quotes of a checked JSON string.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// Text between quotes whose escapes have been checked.
    #[must_use]
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { raw, escaped: memchr::memchr(b'\\', raw).is_some() }
    }

    /// The text as it stands in the record, escapes not resolved, without quotes.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// True when the text differs from its meaning.
    #[inline(always)]
    pub(crate) fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// What the text means, in UTF-8; borrowed when it holds no escape.
    #[must_use]
    pub fn decoded(&self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// True when the text means `plain`.
    #[must_use]
    #[inline]
    pub fn is(&self, plain: &[u8]) -> bool {
        if self.escaped { self.decoded() == plain } else { self.raw == plain }
    }
}

/// Resolves the escapes of a string that the index has checked.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &raw[at..]) {
        plain.extend_from_slice(&raw[at..at + found]);
        at += found;
        let (character, length) = match raw.get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => unicode_escape(raw, at),
            Some(other) => (char::from(*other), 2),
            None => break,
        };
        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at = (at + length).min(raw.len());
    }
    plain.extend_from_slice(&raw[at..]);
    plain
}

fn unicode_escape(raw: &[u8], at: usize) -> (char, usize) {
    let unit = hex_unit(raw, at + 2).unwrap_or(0xFFFD);
    if (0xD800..0xDC00).contains(&unit) {
        let low = hex_unit(raw, at + 8).unwrap_or(0xDC00);
        let code = 0x10000 + ((unit - 0xD800) << 10) + (low & 0x3FF);
        return (char::from_u32(code).unwrap_or('\u{FFFD}'), 12);
    }
    (char::from_u32(unit).unwrap_or('\u{FFFD}'), 6)
}

/// Writes text as a JSON string with its quotes, escaping only what RFC 8259 demands.
pub(crate) fn write_json_string(text: &[u8], output: &mut Vec<u8>) {
    output.push(b'"');
    write_json_text(text, output);
    output.push(b'"');
}

/// Writes what stands between the quotes of a JSON string.
#[inline]
pub(crate) fn write_json_text(text: &[u8], output: &mut Vec<u8>) {
    let mut copied = 0;
    let mut at = scan_string(text, 0);
    while let Some(byte) = text.get(at) {
        output.extend_from_slice(&text[copied..at]);
        match byte {
            b'"' => output.extend_from_slice(b"\\\""),
            b'\\' => output.extend_from_slice(b"\\\\"),
            b'\n' => output.extend_from_slice(b"\\n"),
            b'\r' => output.extend_from_slice(b"\\r"),
            b'\t' => output.extend_from_slice(b"\\t"),
            0x08 => output.extend_from_slice(b"\\b"),
            0x0c => output.extend_from_slice(b"\\f"),
            control => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                output.extend_from_slice(b"\\u00");
                output.push(DIGITS[usize::from(control >> 4)]);
                output.push(DIGITS[usize::from(control & 15)]);
            }
        }
        copied = at + 1;
        at = scan_string(text, copied);
    }
    output.extend_from_slice(&text[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn writing_and_reading_a_string_agree_with_serde_json(text in any::<String>()) {
            let mut written = Vec::new();
            write_json_string(text.as_bytes(), &mut written);
            prop_assert_eq!(&serde_json::from_slice::<String>(&written).unwrap(), &text);
            let escaped = serde_json::to_string(&text).unwrap();
            let inner = Text { raw: &escaped.as_bytes()[1..escaped.len() - 1], escaped: true };
            let decoded = inner.decoded();
            prop_assert_eq!(decoded.as_ref(), text.as_bytes());
        }
    }

    #[test]
    fn every_escape_means_what_rfc_8259_says() {
        let raw = br#"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00z"#;
        let text = Text { raw, escaped: true };
        assert_eq!(text.decoded().as_ref(), "a\"\\/\u{8}\u{c}\n\r\tA\u{1F600}z".as_bytes());
    }
}
