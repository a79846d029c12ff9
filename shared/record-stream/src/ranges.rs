//! Which lines of a text belong to a range of its bytes.
//!
//! A large object is cut at byte offsets that know nothing of its lines. A line belongs to the range in which it
//! *begins*: so whoever reads a range skips the line that was already running at its start, and reads beyond its end
//! until the last line is complete. Every line then belongs to exactly one range, whatever the cuts.
//!
//! Whether a line begins at the start of the range is told by the byte before it. So reading begins one byte early, at
//! [`LineRange::read_from`]. A line break of two bytes, `\r\n`, may lie across an end of the range; it is one break.
//!
//! The type does no input of its own. The caller hands it the object's bytes from [`LineRange::read_from`] on, in chunks
//! of any size, and gets back the part of each chunk that belongs to the range, until [`LineRange::is_done`] or the end
//! of the object.
//!
//! Line breaks are looked for as bytes. That is right for UTF-8 and Latin-1 and wrong for UTF-16.
//!
//! ```
//! use record_stream::{LineEnds, LineRange};
//!
//! // The bytes 4 to 8 of this text: the line `two` begins at byte 4, and `three` at byte 8, which is the next range's.
//! let text = b"one\ntwo\nthree\n";
//! let mut range = LineRange::new(4, Some(8), LineEnds::LineFeed);
//! let chunk = &text[range.read_from() as usize..];
//! let part = range.part(chunk);
//! assert_eq!(&chunk[part], b"two\n");
//! assert_eq!(range.first_line(), Some(4));
//! assert!(range.is_done());
//! ```

use memchr::{memchr, memchr2};
use std::ops::Range;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// `\n`, as in NDJSON; a `\r` before it belongs to the line.
    LineFeed,
    /// `\n`, `\r\n` or `\r`, as in CSV.
    Any,
}

/// Finds the lines that begin in a range of bytes. See the module for how to use it.
#[derive(Debug, Clone)]
pub struct LineRange {
    line_ends: LineEnds,
    read_from: u64,
    /// One past the last byte at which a line of the range may begin; as many bytes as there can be, if it has no end.
    end: u64,
    /// Offset in the object of the next byte that is handed in.
    at: u64,
    first_line: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line that began before the range.
    Before,
    /// The last byte was the `\r` that ends such a line; a `\n` that follows still belongs to it.
    BeforeAfterReturn,
    /// In the lines of the range.
    Inside,
    /// The last byte was the `\r` that ends the last line; a `\n` that follows still belongs to it.
    LastReturn,
    /// Behind the last line.
    Done,
}

impl LineRange {
    /// The lines that begin at a byte from `start` on and before `end`; without an `end`, all from `start` on. A range
    /// whose `end` is not behind its `start` holds no line.
    #[must_use]
    pub fn new(start: u64, end: Option<u64>, line_ends: LineEnds) -> Self {
        let end = end.unwrap_or(u64::MAX);
        let read_from = start.saturating_sub(1);
        let state = match start {
            _ if start >= end => State::Done,
            0 => State::Inside,
            _ => State::Before,
        };
        let first_line = (state == State::Inside).then_some(0);
        Self { line_ends, read_from, end, at: read_from, first_line, state }
    }

    /// Offset in the object of the first byte to hand in: one before the start of the range, or 0.
    #[must_use]
    pub fn read_from(&self) -> u64 {
        self.read_from
    }

    /// Offset in the object at which the first line of the range begins: that of the first byte of all parts. `None`
    /// until it is known, and for good if the range holds no line. At the very end of an object it may point behind the
    /// last byte.
    #[must_use]
    pub fn first_line(&self) -> Option<u64> {
        self.first_line
    }

    /// True when nothing that follows belongs to the range, so that reading may end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next bytes of the object and answers which of them belong to the range; the answer may be empty. Every
    /// byte is looked at at most twice.
    #[must_use]
    pub fn part(&mut self, chunk: &[u8]) -> Range<usize> {
        let start = self.skip_to_first_line(chunk);
        let end = self.go_to_last_line(chunk, start);
        self.at = self.at.saturating_add(chunk.len() as u64);
        start..end
    }

    /// The offset in the chunk from which on it may belong to the range.
    fn skip_to_first_line(&mut self, chunk: &[u8]) -> usize {
        let mut from = 0;
        if self.state == State::Before {
            match self.line_break(chunk) {
                Some(found) => {
                    from = found + 1;
                    let is_return = chunk[found] == b'\r';
                    self.state = if is_return { State::BeforeAfterReturn } else { State::Inside };
                }
                None => from = chunk.len(),
            }
            if self.state == State::Inside {
                self.begin_line(from);
            }
        }
        if self.state == State::BeforeAfterReturn
            && let Some(byte) = chunk.get(from)
        {
            from += usize::from(*byte == b'\n');
            self.state = State::Inside;
            self.begin_line(from);
        }
        // A break at the last byte of the range or behind it ends a line after which none begins in the range.
        if matches!(self.state, State::Before | State::BeforeAfterReturn) && self.offset(from) >= self.end {
            self.state = State::Done;
        }
        from
    }

    /// The first line of the range begins at an offset of the chunk, unless that lies behind the range.
    fn begin_line(&mut self, at: usize) {
        let offset = self.offset(at);
        if offset >= self.end {
            self.state = State::Done;
        } else {
            self.first_line = Some(offset);
        }
    }

    /// The offset in the chunk up to which the bytes from `from` on belong to the range.
    fn go_to_last_line(&mut self, chunk: &[u8], from: usize) -> usize {
        let mut to = from;
        if self.state == State::Inside {
            // The first break from the last byte of the range on ends the last line that began in it.
            let last_byte = (self.end - 1).saturating_sub(self.at);
            let search = usize::try_from(last_byte).map_or(chunk.len(), |byte| byte.clamp(from, chunk.len()));
            match self.line_break(&chunk[search..]) {
                Some(found) => {
                    to = search + found + 1;
                    let is_return = chunk[search + found] == b'\r';
                    self.state = if is_return { State::LastReturn } else { State::Done };
                }
                None => to = chunk.len(),
            }
        }
        if self.state == State::LastReturn
            && let Some(byte) = chunk.get(to)
        {
            to += usize::from(*byte == b'\n');
            self.state = State::Done;
        }
        to
    }

    fn offset(&self, in_chunk: usize) -> u64 {
        self.at.saturating_add(in_chunk as u64)
    }

    fn line_break(&self, bytes: &[u8]) -> Option<usize> {
        match self.line_ends {
            LineEnds::LineFeed => memchr(b'\n', bytes),
            LineEnds::Any => memchr2(b'\n', b'\r', bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The parts of a range, where they begin, and how many bytes were handed in until it was done.
    fn read(
        text: &[u8],
        start: u64,
        end: Option<u64>,
        line_ends: LineEnds,
        chunk: usize,
    ) -> (Vec<u8>, Option<u64>, u64) {
        let mut range = LineRange::new(start, end, line_ends);
        let mut taken = Vec::new();
        let from = usize::try_from(range.read_from()).unwrap().min(text.len());
        let mut handed = range.read_from();
        for chunk in text[from..].chunks(chunk) {
            if range.is_done() {
                break;
            }
            handed += chunk.len() as u64;
            let part = range.part(chunk);
            taken.extend_from_slice(&chunk[part]);
        }
        if range.is_done() {
            assert!(range.part(b"more\nmore\n").is_empty(), "what is done stays done");
        }
        (taken, range.first_line(), handed)
    }

    fn check(text: &str, start: u64, end: Option<u64>, line_ends: LineEnds, expected: &str, first_line: Option<u64>) {
        for chunk in 1..=text.len() {
            let (taken, first, _) = read(text.as_bytes(), start, end, line_ends, chunk);
            let place = format!("{text:?} {start}..{end:?} {line_ends:?} in chunks of {chunk}");
            assert_eq!(String::from_utf8(taken).unwrap(), expected, "{place}");
            assert_eq!(first, first_line, "{place}");
        }
    }

    #[test]
    fn a_line_belongs_to_the_range_in_which_it_begins() {
        use LineEnds::{Any, LineFeed};
        let text = "one\ntwo\nthree\n";
        check(text, 0, None, LineFeed, text, Some(0));
        check(text, 0, Some(1), LineFeed, "one\n", Some(0));
        check(text, 0, Some(4), LineFeed, "one\n", Some(0));
        check(text, 0, Some(5), LineFeed, "one\ntwo\n", Some(0));
        check(text, 1, Some(4), LineFeed, "", None);
        check(text, 4, Some(5), LineFeed, "two\n", Some(4));
        check(text, 3, Some(8), LineFeed, "two\n", Some(4));
        check(text, 5, None, LineFeed, "three\n", Some(8));
        check(text, 9, Some(13), LineFeed, "", None);
        check(text, 4, Some(4), LineFeed, "", None);
        check(text, 99, Some(120), LineFeed, "", None);
        check("no end", 0, Some(1), LineFeed, "no end", Some(0));
        check("no end", 2, Some(4), LineFeed, "", None);
        // A break of two bytes across the start or end of a range is one break.
        check("a\r\nb\r\nc", 2, Some(4), Any, "b\r\n", Some(3));
        check("a\r\nb\r\nc", 0, Some(2), Any, "a\r\n", Some(0));
        check("a\r\nb\r\nc", 3, Some(5), Any, "b\r\n", Some(3));
        check("a\rb\rc", 2, Some(4), Any, "b\r", Some(2));
        check("a\rb\rc", 2, Some(4), LineFeed, "", None);
        check("a\n\n\nb", 2, Some(3), LineFeed, "\n", Some(2));
    }

    #[test]
    fn reading_ends_with_the_last_line() {
        let text = "x".repeat(10) + "\n" + &"y".repeat(1000);
        assert_eq!(read(text.as_bytes(), 0, Some(5), LineEnds::LineFeed, 1).2, 11);
        // No line begins in the range, which is known at its end.
        assert_eq!(read(text.as_bytes(), 20, Some(30), LineEnds::LineFeed, 1).2, 30);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_line_is_in_exactly_one_range(
            text in "[ab\r\n]{0,40}", mut cuts in prop::collection::vec(0_u64..42, 0..6), chunk in 1_usize..12,
            line_ends in prop::sample::select(vec![LineEnds::LineFeed, LineEnds::Any]),
        ) {
            cuts.sort_unstable();
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().map(Some).chain(std::iter::once(None));
            let mut whole = Vec::new();
            for (start, end) in starts.zip(ends) {
                let (part, first_line, _) = read(text.as_bytes(), start, end, line_ends, chunk);
                if !part.is_empty() {
                    let at = first_line.unwrap();
                    prop_assert_eq!(at, whole.len() as u64, "a part begins where the one before it ends");
                    prop_assert!(at >= start && end.is_none_or(|end| at < end));
                    prop_assert!(begins_line(text.as_bytes(), at as usize, line_ends));
                }
                whole.extend(part);
            }
            prop_assert_eq!(whole, text.as_bytes());
        }
    }

    fn begins_line(text: &[u8], at: usize, line_ends: LineEnds) -> bool {
        match at.checked_sub(1).map(|before| text[before]) {
            None | Some(b'\n') => true,
            Some(b'\r') => line_ends == LineEnds::Any && text.get(at) != Some(&b'\n'),
            Some(_) => false,
        }
    }
}
