//! Encodings read the plain way: a whole text at once, with the standard library alone.

use record_stream::TextEncoding;
use std::borrow::Cow;

/// Stands for what is no character; UTF-8 never has it.
const NO_CHARACTER: u8 = 0xFF;

/// The UTF-8 text that an object stands for. A mark is left out where the encoding has one; that of UTF-8 stays.
#[must_use]
pub fn decode(encoding: TextEncoding, object: &[u8]) -> Cow<'_, [u8]> {
    let without = |mark: &[u8]| object.strip_prefix(mark).unwrap_or(object);
    match encoding {
        TextEncoding::Utf8 => Cow::Borrowed(object),
        TextEncoding::Latin1 => {
            Cow::Owned(object.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes())
        }
        TextEncoding::Utf16Le => Cow::Owned(utf16(without(b"\xFF\xFE"), u16::from_le_bytes)),
        TextEncoding::Utf16Be => Cow::Owned(utf16(without(b"\xFE\xFF"), u16::from_be_bytes)),
        TextEncoding::Utf16 => Cow::Owned(match object {
            [0xFE, 0xFF, text @ ..] => utf16(text, u16::from_be_bytes),
            _ => utf16(without(b"\xFF\xFE"), u16::from_le_bytes),
        }),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = Vec::new();
    let mut ends_with_half = false;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match &decoded {
            Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => text.push(NO_CHARACTER),
        }
        ends_with_half = matches!(decoded, Err(error) if error.unpaired_surrogate() < 0xDC00);
    }
    // Half a pair and half a unit at the end are one thing that is missing.
    if !odd.is_empty() && !ends_with_half {
        text.push(NO_CHARACTER);
    }
    text
}

/// A byte that is not in the text, is no line break, and is none of those taken.
#[must_use]
pub fn absent_byte(text: &[u8], taken: &[Option<u8>]) -> Option<u8> {
    let mut is_there = [false; 256];
    for byte in text.iter().chain(taken.iter().flatten()).chain(b"\r\n") {
        is_there[usize::from(*byte)] = true;
    }
    (0..=u8::MAX).find(|byte| !is_there[usize::from(*byte)])
}
