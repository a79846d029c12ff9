//! Text that is not UTF-8.
//!
//! Everything behind the input buffer works on UTF-8. Objects in another encoding are turned into it on their way into
//! the buffer, a chunk at a time, so positions count bytes of the UTF-8 text. What stands for no character (half of a
//! surrogate pair, an odd last byte) becomes a byte that UTF-8 never has, so that the record around it is refused where
//! it stands instead of being changed silently.

use crate::buffer::InputBuffer;
use crate::lines::{LineCounter, LineEnd};
use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

/// How the text of an object is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
    /// UTF-16 in the byte order that its mark says; little endian without a mark.
    Utf16,
    /// UTF-16, little endian; a mark is skipped.
    Utf16Le,
    /// UTF-16, big endian; a mark is skipped.
    Utf16Be,
    /// Latin-1 (ISO 8859-1): each byte is the character with its number.
    Latin1,
}

/// A byte that no UTF-8 text contains.
const NO_CHARACTER: u8 = 0xFF;

/// Turns chunks of a text into UTF-8.
#[derive(Debug)]
pub(crate) enum Transcoder {
    /// UTF-16 whose mark has not been seen yet, with the first byte if there is one.
    Undecided(Option<u8>),
    Utf16(Box<Utf16>),
    Latin1,
}

impl Transcoder {
    /// `None` for UTF-8, which needs nothing.
    pub(crate) fn new(encoding: TextEncoding) -> Option<Self> {
        let decoder = match encoding {
            TextEncoding::Utf8 => return None,
            TextEncoding::Latin1 => return Some(Self::Latin1),
            TextEncoding::Utf16 => return Some(Self::Undecided(None)),
            TextEncoding::Utf16Le => UTF_16LE.new_decoder_with_bom_removal(),
            TextEncoding::Utf16Be => UTF_16BE.new_decoder_with_bom_removal(),
        };
        Some(Self::Utf16(Box::new(Utf16 { decoder, has_ended: false })))
    }

    /// Decides about the byte order once two bytes are there; what was kept goes before the chunk.
    fn decide(&mut self, chunk: &[u8], is_last: bool, output: &mut InputBuffer) {
        let Self::Undecided(first) = *self else { return };
        let mut beginning = first.into_iter().chain(chunk.iter().copied());
        let decoder = match (beginning.next(), beginning.next()) {
            (Some(0xFE), Some(0xFF)) => UTF_16BE.new_decoder_with_bom_removal(),
            (_, Some(_)) => UTF_16LE.new_decoder_with_bom_removal(),
            (_, None) if is_last => UTF_16LE.new_decoder_with_bom_removal(),
            (only, None) => {
                *self = Self::Undecided(only);
                return;
            }
        };
        *self = Self::Utf16(Box::new(Utf16 { decoder, has_ended: false }));
        if let Some(first) = first {
            self.transcode(&[first], false, output);
        }
    }

    /// Most bytes that a chunk of `length` bytes becomes: a byte becomes at most two, or, in UTF-16, a pair at most three
    /// and what was left of earlier chunks a few more.
    fn most_bytes(length: usize) -> usize {
        2 * length + 16
    }

    /// Appends what a chunk means to `output`; `is_last` says that nothing follows it.
    pub(crate) fn transcode(&mut self, chunk: &[u8], is_last: bool, output: &mut InputBuffer) {
        self.decide(chunk, is_last, output);
        let space = output.space(Self::most_bytes(chunk.len()));
        let written = match self {
            Self::Undecided(_) => 0,
            Self::Latin1 => encoding_rs::mem::convert_latin1_to_utf8(chunk, space),
            Self::Utf16(utf16) => utf16.decode(chunk, is_last, space),
        };
        output.filled(written);
    }
}

pub(crate) struct Utf16 {
    decoder: Decoder,
    has_ended: bool,
}

impl Utf16 {
    fn decode(&mut self, chunk: &[u8], is_last: bool, space: &mut [u8]) -> usize {
        let (mut read, mut written) = (0, 0);
        while !self.has_ended {
            let (result, used, made) =
                self.decoder.decode_to_utf8_without_replacement(&chunk[read..], &mut space[written..], is_last);
            read += used;
            written += made;
            match result {
                DecoderResult::InputEmpty => {
                    self.has_ended = is_last;
                    break;
                }
                DecoderResult::Malformed(..) if written < space.len() => {
                    space[written] = NO_CHARACTER;
                    written += 1;
                }
                DecoderResult::Malformed(..) | DecoderResult::OutputFull => break,
            }
        }
        written
    }
}

impl std::fmt::Debug for Utf16 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Utf16")
    }
}

/// What the beginning of an object means in UTF-8, for telling its format. A character cut at the end is left out.
#[must_use]
pub fn decode_beginning(encoding: TextEncoding, bytes: &[u8]) -> Vec<u8> {
    let Some(mut transcoder) = Transcoder::new(encoding) else { return bytes.to_vec() };
    let mut buffer = InputBuffer::new(LineCounter::new(LineEnd::LineFeed));
    transcoder.transcode(bytes, false, &mut buffer);
    buffer.unread().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(encoding: TextEncoding, bytes: &[u8], cut: usize) -> Vec<u8> {
        let mut transcoder = Transcoder::new(encoding).unwrap();
        let mut buffer = InputBuffer::new(LineCounter::new(LineEnd::LineFeed));
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        transcoder.transcode(first, false, &mut buffer);
        transcoder.transcode(second, false, &mut buffer);
        transcoder.transcode(&[], true, &mut buffer);
        buffer.unread().to_vec()
    }

    #[test]
    fn each_encoding_is_read_as_such() {
        let check = |encoding: TextEncoding, bytes: &[u8], expected: &[u8]| {
            for cut in 0..=bytes.len() {
                assert_eq!(decode(encoding, bytes, cut), expected, "{encoding:?} cut at {cut}");
            }
        };
        check(TextEncoding::Latin1, b"a\xe9\x80\xff", "a\u{e9}\u{80}\u{ff}".as_bytes());
        check(TextEncoding::Utf16Le, b"a\0\xe9\0\x3d\xd8\0\xde", "a\u{e9}\u{1f600}".as_bytes());
        check(TextEncoding::Utf16Be, b"\xfe\xff\0a\0\xe9", "a\u{e9}".as_bytes());
        check(TextEncoding::Utf16, b"\xfe\xff\0a", b"a");
        check(TextEncoding::Utf16, b"\xff\xfea\0", b"a");
        check(TextEncoding::Utf16, b"a\0b\0", b"ab");
        check(TextEncoding::Utf16, b"\xef\xbb\xbf\0", "\u{bbef}\u{bf}".as_bytes());
        check(TextEncoding::Utf16, b"a", b"\xff");
        // Half a pair, and an odd byte at the end.
        check(TextEncoding::Utf16Le, b"\x3d\xd8a\0b", b"\xffa\xff");
        check(TextEncoding::Utf16Le, b"", b"");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), cut in 0_usize..100) {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
            prop_assert_eq!(decode(TextEncoding::Utf16Le, &little, cut), plain.as_bytes());
            prop_assert_eq!(decode(TextEncoding::Utf16Be, &big, cut), plain.as_bytes());
        }

        #[test]
        fn any_bytes_are_read_within_the_space(bytes in prop::collection::vec(any::<u8>(), 0..90), cut in 0_usize..90) {
            for encoding in [TextEncoding::Utf16, TextEncoding::Utf16Le, TextEncoding::Utf16Be, TextEncoding::Latin1] {
                prop_assert_eq!(decode(encoding, &bytes, cut), decode(encoding, &bytes, 0));
            }
        }
    }
}
