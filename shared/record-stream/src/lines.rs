//! Counting lines, for positions.

use memchr::{memchr, memchr_iter};

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// `\n`, as in JSON.
    LineFeed,
    /// `\n`, `\r\n` or `\r`, as in CSV.
    Any,
}

/// Counts the lines of a text that comes in pieces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineCounter {
    end: LineEnd,
    line: u64,
    /// The last byte was `\r`, so a `\n` that follows belongs to it.
    after_return: bool,
}

impl LineCounter {
    pub(crate) fn new(end: LineEnd) -> Self {
        Self::at(end, 1, false)
    }

    /// A counter that goes on at a line; `after_return` as [`LineCounter::is_after_return`] said there.
    pub(crate) fn at(end: LineEnd, line: u64, after_return: bool) -> Self {
        Self { end, line, after_return }
    }

    /// True when the last byte was a `\r` that ended a line, to which a `\n` would still belong.
    pub(crate) fn is_after_return(&self) -> bool {
        self.after_return
    }

    /// The line on which the next byte stands, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Counts the next bytes.
    pub(crate) fn count(&mut self, bytes: &[u8]) {
        self.line += memchr_iter(b'\n', bytes).count() as u64;
        if self.end == LineEnd::LineFeed || bytes.is_empty() {
            return;
        }
        if self.after_return && bytes[0] == b'\n' {
            self.line -= 1;
        }
        if memchr(b'\r', bytes).is_some() {
            let alone = memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n'));
            self.line += alone.count() as u64;
        }
        self.after_return = bytes.last() == Some(&b'\r');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_end_a_line_counts_once() {
        let check = |text: &str, feeds: u64, any: u64| {
            for (end, expected) in [(LineEnd::LineFeed, feeds), (LineEnd::Any, any)] {
                let mut counter = LineCounter::new(end);
                counter.count(text.as_bytes());
                assert_eq!(counter.line(), expected, "{text:?} {end:?}");
            }
        };
        check("", 1, 1);
        check("a\nb\n", 3, 3);
        check("a\r\nb\r\n", 3, 3);
        check("a\rb\r", 1, 3);
        check("\r\r\n\n\r", 3, 5);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[a\r\n]{0,60}", cut in 0_usize..60) {
            for end in [LineEnd::LineFeed, LineEnd::Any] {
                let (mut whole, mut pieces) = (LineCounter::new(end), LineCounter::new(end));
                whole.count(text.as_bytes());
                let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
                pieces.count(first);
                pieces.count(second);
                prop_assert_eq!(pieces.line(), whole.line());
            }
        }
    }
}
