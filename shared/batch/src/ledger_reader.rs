//! Reading a ledger that an earlier attempt left, with no more memory than its batch needs.
//!
//! Whoever may write into the output bucket may put anything there, also a ledger that is as long as memory. So the text
//! is bounded by the number of items, it is read line by line as it comes, and there is one line for each item. A ledger
//! that cannot be that of the batch says nothing: the attempt then looks at the outputs themselves.

use crate::ledger::LedgerLine;

/// Most bytes of a ledger for each item of its batch. Most lines have less than one kilobyte.
const BYTES_PER_ITEM: usize = 8 << 10;

/// Most bytes of a line, and what the ledger may have beside those for its items.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Most bytes of any ledger.
const MAX_BYTES: usize = 64 << 20;

/// Longest code of an error; all of ours are shorter.
const MAX_CODE_BYTES: usize = 64;

/// The lines of a ledger as far as they came.
pub(crate) struct LedgerReader {
    items: usize,
    /// Bytes that may still come.
    bytes_left: usize,
    /// A line that has not ended yet.
    begun: Vec<u8>,
    lines: Vec<LedgerLine>,
}

impl LedgerReader {
    /// A reader of the ledger of a batch of so many items.
    pub(crate) fn new(items: usize) -> Self {
        let bytes_left = items.saturating_mul(BYTES_PER_ITEM).saturating_add(MAX_LINE_BYTES).min(MAX_BYTES);
        Self { items, bytes_left, begun: Vec::new(), lines: Vec::new() }
    }

    /// Takes the next bytes; `None` when this is no ledger of the batch.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Option<()> {
        self.bytes_left = self.bytes_left.checked_sub(chunk.len())?;
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.go_on(&rest[..end])?;
            self.end_line()?;
            rest = &rest[end + 1..];
        }
        self.go_on(rest)
    }

    /// The lines, at most one for each item; `None` when this is no ledger of the batch.
    pub(crate) fn end(mut self) -> Option<Vec<LedgerLine>> {
        self.end_line()?;
        Some(self.lines)
    }

    fn go_on(&mut self, part: &[u8]) -> Option<()> {
        if self.begun.len() + part.len() > MAX_LINE_BYTES {
            return None;
        }
        self.begun.extend_from_slice(part);
        Some(())
    }

    fn end_line(&mut self) -> Option<()> {
        if self.begun.is_empty() {
            return Some(());
        }
        if self.lines.len() == self.items {
            return None;
        }
        // A line of a later version says nothing to this one.
        let line: LedgerLine = serde_json::from_slice(&self.begun).ok()?;
        self.begun.clear();
        if line.code.as_ref().is_some_and(|code| code.len() > MAX_CODE_BYTES) {
            return None;
        }
        self.lines.push(line);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Item;
    use crate::ledger::{Status, to_json_lines};
    use proptest::prelude::*;

    fn line(key: &str, code: Option<String>) -> LedgerLine {
        let item = Item { key: key.into(), ..Item::default() };
        LedgerLine { code, ..LedgerLine::new("raw", &item, Status::Failed) }
    }

    fn read(items: usize, chunks: &[&[u8]]) -> Option<Vec<LedgerLine>> {
        let mut reader = LedgerReader::new(items);
        chunks.iter().try_for_each(|chunk| reader.take(chunk))?;
        reader.end()
    }

    proptest! {
        #[test]
        fn lines_come_in_any_chunks(
            keys in prop::collection::vec(".{0,40}", 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let lines: Vec<LedgerLine> = keys.iter().map(|key| line(key, None)).collect();
            let text = to_json_lines(&lines).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(lines.len(), &chunks), Some(lines));
        }
    }

    #[test]
    fn what_no_batch_of_so_many_items_leaves_is_refused() {
        let check = |items: usize, lines: &[LedgerLine], is_read: bool| {
            let text = to_json_lines(lines).unwrap();
            assert_eq!(read(items, &[&text]).as_deref(), is_read.then_some(lines), "{items} items");
        };
        let short = line("a", Some("x".repeat(64)));
        check(2, &[short.clone(), short.clone()], true);
        check(1, &[short.clone(), short.clone()], false);
        check(1, &[line("a", Some("x".repeat(65)))], false);
        check(1, &[line(&"x".repeat(60 << 10), None)], true);
        check(1, &[line(&"x".repeat(65 << 10), None)], false);
        // No line is too long, but all together are.
        check(3, &vec![line(&"x".repeat(25 << 10), None); 3], true);
        check(3, &vec![line(&"x".repeat(30 << 10), None); 3], false);
        assert_eq!(read(1, &[b"{\"version\":2}\n"]), None);
    }

    #[test]
    fn a_text_without_end_takes_no_more_memory_than_a_line() {
        let mut reader = LedgerReader::new(10_000);
        let taken = (0..10_000).take_while(|_| reader.take(&[b'x'; 1000]).is_some()).count();
        assert!(taken <= 66, "{taken} kilobytes");
        assert!(reader.begun.capacity() <= 2 * MAX_LINE_BYTES, "{}", reader.begun.capacity());
    }
}
