//! Rows of well-formed CSV, 64 bytes at a time.
//!
//! In CSV that follows RFC 4180 a byte is inside quotes when an odd number of quotes comes before it, doubled quotes
//! included. So one exclusive-or prefix over the quotes of a block (`blocks`) shows which delimiters and line breaks
//! count, and their places are listed without looking at single bytes. A list entry also says whether its field needs
//! care, because it holds a quote or a byte that JSON escapes; all other fields are copied without being looked at again.
//!
//! The count of quotes says nothing where a quote stands in the middle of a field or is followed by text. The index
//! notices such a place, ends before it, and the record is left to the scanner (`scanner`), which defines what a record
//! is. The index only ever finds what the scanner would find. The same goes for a line break in quotes where line breaks
//! end every record.

use super::dialect::CsvDialect;
use super::field::{FieldSpan, Form};
use crate::blocks::{BLOCK, Block, append_positions, prefix_xor};
use memchr::memchr;

/// Most bytes indexed at a time.
const LARGEST_WINDOW: usize = 64 * 1024;

/// Bytes indexed at a time after the index was of no use. It doubles with each window that is used to its end, so that
/// objects full of oddities do not pay for indexing the same bytes again and again.
const SMALLEST_WINDOW: usize = 512;

/// The field before the separator holds a quote or a byte that JSON escapes.
const CARE: u32 = 1 << 31;

/// What comes next according to the index. Offsets count from the start of the input of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexedRow {
    /// A row; its line break stands at `end`.
    Row { start: usize, end: usize },
    /// Nothing more is known of what begins at `next`. A new window from there may tell, or (`look_on` is false) the
    /// scanner must take one record.
    End { next: usize, look_on: bool },
}

/// The separators of a window of the input that begins at the start of a record.
#[derive(Debug)]
pub(crate) struct CsvIndex {
    delimiter: u8,
    quote: Option<u8>,
    multiline: bool,
    comment: Option<u8>,
    field_limit: usize,
    separators: Vec<u32>,
    count: usize,
    taken: usize,
    /// Start of the next row in the window.
    row_start: usize,
    window: usize,
    /// The input goes on behind the window.
    is_cut: bool,
    /// The list ends before the window does.
    is_odd: bool,
}

impl CsvIndex {
    /// `None` for dialects whose quotes cannot be counted: with an escape byte, a quote may be no quote.
    pub(crate) fn new(dialect: &CsvDialect, field_limit: usize) -> Option<Self> {
        dialect.escape.is_none().then(|| Self {
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            multiline: dialect.multiline,
            comment: dialect.comment,
            field_limit,
            separators: Vec::new(),
            count: 0,
            taken: 0,
            row_start: 0,
            window: SMALLEST_WINDOW,
            is_cut: false,
            is_odd: false,
        })
    }

    /// Indexes the beginning of `input`, where a record begins. Answers the bytes indexed.
    pub(crate) fn build(&mut self, input: &[u8]) -> usize {
        let window = &input[..input.len().min(self.window)];
        if self.separators.len() < window.len() + 2 * BLOCK {
            self.separators.resize(window.len() + 2 * BLOCK, 0);
        }
        self.count = 0;
        self.taken = 0;
        self.row_start = 0;
        self.is_cut = window.len() < input.len();
        self.is_odd = !self.list_window(window);
        window.len()
    }

    /// False when the list ends early, at a quote or line break where none should be.
    fn list_window(&mut self, window: &[u8]) -> bool {
        let mut state = State { inside: 0, after_separator: 1, after_closing: 0, care: false };
        let (blocks, tail) = window.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            if !self.block(Block::new(block), u64::MAX, (number * BLOCK) as u32, &mut state) {
                return false;
            }
        }
        let valid = (1_u64 << tail.len()) - 1;
        self.block(Block::padded(tail), valid, (blocks.len() * BLOCK) as u32, &mut state)
    }

    /// Lists the separators of a block; false when a quote or line break stands where none should.
    #[inline(always)]
    fn block(&mut self, block: Block, valid: u64, base: u32, state: &mut State) -> bool {
        let ends = block.positions_of([self.delimiter, b'\n', b'\r']) & valid;
        let special = block.positions_of_or_at_most([b'\\', b'"'], 0x1f) & valid;
        let quotes = self.quote.map_or(0, |quote| block.positions(quote)) & valid;
        if quotes | state.inside | state.after_closing == 0 {
            state.after_separator = ends >> (BLOCK - 1);
            self.list(ends, special & !ends, base, state);
            return true;
        }
        let inside = prefix_xor(quotes) ^ state.inside;
        let opening = quotes & inside;
        let closing = quotes & !inside;
        let separators = ends & !inside;
        let may_open = (separators | closing) << 1 | state.after_separator | state.after_closing;
        let behind_closing = closing << 1 | state.after_closing;
        let mut odd = (opening & !may_open | behind_closing & !(separators | opening)) & valid;
        if !self.multiline {
            odd |= block.positions_of([b'\n', b'\r']) & inside & valid;
        }
        state.inside = ((inside as i64) >> 63) as u64;
        state.after_separator = separators >> (BLOCK - 1);
        state.after_closing = closing >> (BLOCK - 1);
        // Everything before the first odd place is as it seems.
        let trusted = odd.wrapping_sub(1) & !odd;
        self.list(separators & trusted, (special | quotes) & !separators, base, state);
        odd == 0
    }

    #[inline(always)]
    fn list(&mut self, separators: u64, mut special: u64, base: u32, state: &mut State) {
        if special == 0 && !state.care {
            self.count = append_positions(&mut self.separators, self.count, separators, base);
            return;
        }
        let mut left = separators;
        while left != 0 {
            let bit = left.trailing_zeros();
            let before = (1_u64 << bit) - 1;
            let care = state.care || special & before != 0;
            state.care = false;
            special &= !before;
            left &= left - 1;
            if let Some(slot) = self.separators.get_mut(self.count) {
                *slot = (base + bit) | if care { CARE } else { 0 };
                self.count += 1;
            }
        }
        state.care |= special != 0;
    }

    /// The next row and its fields. `input` holds the bytes that were indexed, and its next row begins at `row_start`
    /// there: what came before may be gone. Blank lines and comments are passed over. A row longer than `limit`, or with
    /// too many fields, is for the scanner.
    #[inline]
    pub(crate) fn next(
        &mut self,
        input: &[u8],
        row_start: usize,
        limit: usize,
        fields: &mut Vec<FieldSpan>,
    ) -> IndexedRow {
        // Offsets of the window become offsets of the input by adding this, which may be negative.
        let shift = row_start.wrapping_sub(self.row_start);
        let mut row_start = row_start;
        loop {
            let mut start = row_start;
            let mut taken = self.taken;
            let mut any_care = 0;
            fields.clear();
            let end = loop {
                let Some(separator) = self.separators[..self.count].get(taken).copied() else {
                    return self.end(row_start);
                };
                taken += 1;
                any_care |= separator;
                let end = ((separator & !CARE) as usize).wrapping_add(shift);
                let Some(byte) = input.get(end) else { return self.end(row_start) };
                fields.push(self.field(input, row_start, start, end, separator & CARE != 0));
                if *byte != self.delimiter {
                    break end;
                }
                start = end + 1;
            };
            let is_comment = self.comment.is_some() && input.get(row_start).copied() == self.comment;
            let is_odd = is_comment && any_care & CARE != 0;
            if is_odd || end - row_start > limit || fields.len() > self.field_limit {
                self.window = SMALLEST_WINDOW;
                return IndexedRow::End { next: row_start, look_on: false };
            }
            self.taken = taken;
            self.row_start = end.wrapping_sub(shift) + 1;
            if end > row_start && !is_comment {
                return IndexedRow::Row { start: row_start, end };
            }
            row_start = end + 1;
        }
    }

    /// The list is used up. A window that gave rows is followed by a larger one, and so is one that was too short for a
    /// row.
    #[cold]
    fn end(&mut self, next: usize) -> IndexedRow {
        let is_used = self.row_start > 0;
        let is_too_short = !is_used && self.is_cut && self.window < LARGEST_WINDOW;
        if self.is_odd {
            self.window = SMALLEST_WINDOW;
            return IndexedRow::End { next, look_on: false };
        }
        self.window = (self.window * 2).min(LARGEST_WINDOW);
        IndexedRow::End { next, look_on: is_used || is_too_short }
    }

    #[inline(always)]
    fn field(&self, input: &[u8], row_start: usize, start: usize, end: usize, needs_care: bool) -> FieldSpan {
        let (mut start, mut end, mut form) = (start, end, Form::Clean);
        if needs_care {
            form = Form::Plain;
            if let Some(quote) = self.quote
                && end > start + 1
                && input[start] == quote
            {
                start += 1;
                end -= 1;
                if memchr(quote, &input[start..end]).is_some() {
                    form = Form::Quoted;
                }
            }
        }
        FieldSpan { start: (start - row_start) as u32, end: (end - row_start) as u32, form }
    }
}

/// What is known at the end of a block.
struct State {
    /// All ones while inside quotes.
    inside: u64,
    /// One when the last byte was a separator, so that a quote may open a field.
    after_separator: u64,
    /// One when the last byte was a closing quote.
    after_closing: u64,
    /// The field that goes on in the next block needs care.
    care: bool,
}
