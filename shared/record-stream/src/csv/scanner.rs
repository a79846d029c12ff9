//! The CSV scanner: where a record ends and where its fields lie.

use super::dialect::CsvDialect;
use super::field::{FieldSpan, Form};
use memchr::{memchr, memchr2, memchr3};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Index of the first delimiter or line break at or after `from`, or the length. Fields are short: eight bytes at a time
/// in place cost less than a call of a general search. The method is that of `json::scan_string`.
#[inline(always)]
fn end_of_unquoted(text: &[u8], from: usize, delimiter: u8) -> usize {
    let mut at = from;
    let delimiters = ONES * u64::from(delimiter);
    while let Some(Ok(word)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(word);
        let (delimiter, feed, carriage) =
            (word ^ delimiters, word ^ (ONES * u64::from(b'\n')), word ^ (ONES * u64::from(b'\r')));
        let stops = ((delimiter.wrapping_sub(ONES) & !delimiter)
            | (feed.wrapping_sub(ONES) & !feed)
            | (carriage.wrapping_sub(ONES) & !carriage))
            & HIGH_BITS;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && text[at] != delimiter && text[at] != b'\n' && text[at] != b'\r' {
        at += 1;
    }
    at
}

/// Offsets inside a record have 32 bits.
const LONGEST_RECORD: usize = u32::MAX as usize - 1;

/// What the scanner found at the start of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A record of `length` bytes; the next one may begin at `next`.
    Record { length: usize, next: usize },
    /// Bytes that belong to no record: a blank line, a comment, a skipped line, the rest of a record too long.
    Nothing { next: usize },
    /// More input is needed.
    NeedMore,
    /// A record of `length` bytes that ends inside quotes, where line breaks end every record.
    OpenQuote { length: usize, next: usize },
    /// A record that is longer than allowed; the scanner now looks for the next line.
    TooLong { next: usize },
    /// A record that reaches the limit inside quotes: where it ends is not known.
    OpenQuoteTooLong,
    /// The input ends inside quotes.
    UnclosedQuote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside a quoted field: it is doubled, or it was the closing one.
    QuoteInQuoted,
    /// After an escape inside a quoted field: the next byte is text whatever it is.
    EscapeInQuoted,
    Comment,
    SkippedLine,
}

/// Finds records and their fields. It is asked for one record at a time and remembers how far it has come in an
/// unfinished one, so bytes are looked at once however small the chunks are.
#[derive(Debug)]
pub(crate) struct CsvScanner {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    multiline: bool,
    comment: Option<u8>,
    skip_lines: u64,
    limit: usize,
    field_limit: usize,
    state: State,
    at: usize,
    field_start: usize,
    form: Form,
    fields: Vec<FieldSpan>,
    field_count: usize,
    /// The record was too long: its rest is read for its end only.
    discarding: bool,
}

impl CsvScanner {
    pub(crate) fn new(dialect: &CsvDialect, record_limit: usize, field_limit: usize) -> Self {
        Self {
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            escape: dialect.escape,
            multiline: dialect.multiline,
            comment: dialect.comment,
            skip_lines: dialect.skip_lines,
            limit: record_limit.min(LONGEST_RECORD),
            field_limit,
            state: if dialect.skip_lines > 0 { State::SkippedLine } else { State::RecordStart },
            at: 0,
            field_start: 0,
            form: Form::Plain,
            fields: Vec::new(),
            field_count: 0,
            discarding: false,
        }
    }

    /// Between two records, or in one that has begun and is read again from its start: whether the first byte not
    /// consumed is inside a comment. `None` where nothing can go on.
    pub(crate) fn checkpoint(&self) -> Option<bool> {
        (!self.discarding && self.state != State::SkippedLine).then_some(self.state == State::Comment)
    }

    /// Goes on behind the header.
    pub(crate) fn resume(&mut self, in_comment: bool) {
        self.skip_lines = 0;
        self.state = if in_comment { State::Comment } else { State::RecordStart };
    }

    /// The fields of the record just found; at most `field_limit` of them.
    pub(crate) fn fields(&self) -> &[FieldSpan] {
        &self.fields
    }

    /// How many fields the record just found has, also those beyond the limit.
    pub(crate) fn field_count(&self) -> usize {
        self.field_count
    }

    /// Changes the longest record allowed, for the header row and the rows after it.
    pub(crate) fn set_limit(&mut self, record_limit: usize) {
        self.limit = record_limit.min(LONGEST_RECORD);
    }

    /// Looks on in `input`, which begins at the first byte not consumed.
    pub(crate) fn scan(&mut self, input: &[u8], end_of_input: bool) -> Scan {
        match self.state {
            _ if self.discarding => return self.discard(input, end_of_input),
            State::Comment | State::SkippedLine => return self.skip_line(input, end_of_input),
            State::RecordStart => {
                match input.first().copied() {
                    None => return Scan::NeedMore,
                    Some(b'\n' | b'\r') => return Scan::Nothing { next: 1 },
                    Some(byte) if Some(byte) == self.comment => {
                        self.state = State::Comment;
                        return self.skip_line(input, end_of_input);
                    }
                    Some(_) => {}
                }
                self.state = State::FieldStart;
                self.at = 0;
                self.field_start = 0;
                self.fields.clear();
                self.field_count = 0;
            }
            _ => {}
        }
        // One byte more than the limit decides, whatever the chunks: what ends later is too long.
        let window = &input[..input.len().min(self.limit.saturating_add(1))];
        match self.record(window) {
            Some(length) if self.is_in_quotes() => self.open_quote(length, length + 1),
            Some(length) => self.finish(length, length + 1),
            None if window.len() > self.limit => self.too_long(),
            None if !end_of_input => Scan::NeedMore,
            None if self.is_in_quotes() && !self.multiline => self.open_quote(window.len(), window.len()),
            None if self.is_in_quotes() => Scan::UnclosedQuote,
            None => {
                self.end_field(window.len());
                self.finish(window.len(), window.len())
            }
        }
    }

    /// True between two records, where the index may take over.
    pub(crate) fn is_between_records(&self) -> bool {
        self.state == State::RecordStart && !self.discarding
    }

    fn is_in_quotes(&self) -> bool {
        matches!(self.state, State::Quoted | State::EscapeInQuoted)
    }

    fn finish(&mut self, length: usize, next: usize) -> Scan {
        self.state = State::RecordStart;
        self.at = 0;
        Scan::Record { length, next }
    }

    fn open_quote(&mut self, length: usize, next: usize) -> Scan {
        self.state = State::RecordStart;
        self.at = 0;
        Scan::OpenQuote { length, next }
    }

    fn too_long(&mut self) -> Scan {
        if self.is_in_quotes() && self.multiline {
            return Scan::OpenQuoteTooLong;
        }
        self.discarding = true;
        self.at -= self.limit;
        Scan::TooLong { next: self.limit }
    }

    /// Looks for the end of a record that was too long, as for that of any other: a line break in quotes is no end,
    /// unless every line break is one.
    fn discard(&mut self, input: &[u8], end_of_input: bool) -> Scan {
        if let Some(length) = self.record(input) {
            self.discarding = false;
            self.state = State::RecordStart;
            self.at = 0;
            return Scan::Nothing { next: length + 1 };
        }
        let next = std::mem::take(&mut self.at);
        match next {
            0 if end_of_input && self.is_in_quotes() && self.multiline => Scan::UnclosedQuote,
            0 => Scan::NeedMore,
            _ => Scan::Nothing { next },
        }
    }

    /// Reads fields from where it stopped; answers the record's length when its end is in `window`. Where every line
    /// break is an end, the scanner is then still in the quotes that are open there.
    fn record(&mut self, window: &[u8]) -> Option<usize> {
        loop {
            match self.state {
                State::FieldStart => {
                    self.field_start = self.at;
                    self.form = Form::Plain;
                    if window.get(self.at).copied()? == self.quote.unwrap_or(self.delimiter) && self.quote.is_some() {
                        self.at += 1;
                        self.field_start = self.at;
                        self.state = State::Quoted;
                    } else {
                        self.state = State::Unquoted;
                    }
                }
                State::Unquoted => {
                    self.at = end_of_unquoted(window, self.at, self.delimiter);
                    if self.at == window.len() {
                        return None;
                    }
                    self.end_field(self.at);
                    if window[self.at] != self.delimiter {
                        return Some(self.at);
                    }
                    self.at += 1;
                    self.state = State::FieldStart;
                }
                State::Quoted => {
                    let quote = self.quote?;
                    let rest = window.get(self.at..)?;
                    let Some(found) = self.stop_in_quotes(quote, rest) else {
                        self.at = window.len();
                        return None;
                    };
                    self.at += found;
                    if self.ends_line(rest[found]) {
                        return Some(self.at);
                    }
                    self.at += 1;
                    self.state = if rest[found] == quote { State::QuoteInQuoted } else { State::EscapeInQuoted };
                }
                State::EscapeInQuoted => {
                    if self.ends_line(*window.get(self.at)?) {
                        return Some(self.at);
                    }
                    self.form = Form::Quoted;
                    self.at += 1;
                    self.state = State::Quoted;
                }
                State::QuoteInQuoted => {
                    let byte = window.get(self.at).copied()?;
                    if Some(byte) == self.quote {
                        self.form = Form::Quoted;
                        self.at += 1;
                        self.state = State::Quoted;
                    } else if byte == self.delimiter || byte == b'\n' || byte == b'\r' {
                        self.end_quoted_field();
                        if byte != self.delimiter {
                            return Some(self.at);
                        }
                        self.at += 1;
                        self.state = State::FieldStart;
                    } else {
                        self.form = Form::Quoted;
                        self.state = State::Unquoted;
                    }
                }
                State::RecordStart | State::Comment | State::SkippedLine => return None,
            }
        }
    }

    /// The next byte inside quotes that means something.
    fn stop_in_quotes(&self, quote: u8, text: &[u8]) -> Option<usize> {
        match self.escape {
            None if self.multiline => memchr(quote, text),
            Some(escape) if self.multiline => memchr2(quote, escape, text),
            None => memchr3(quote, b'\n', b'\r', text),
            Some(escape) => text.iter().position(|byte| [quote, escape, b'\n', b'\r'].contains(byte)),
        }
    }

    /// True for a line break inside quotes that ends the record all the same.
    fn ends_line(&self, byte: u8) -> bool {
        !self.multiline && matches!(byte, b'\n' | b'\r')
    }

    /// The field ends at `end`, where a delimiter, a line break or the end of the input stands.
    fn end_field(&mut self, end: usize) {
        if self.state == State::QuoteInQuoted {
            self.end_quoted_field();
            return;
        }
        if self.state == State::FieldStart {
            self.field_start = self.at;
            self.form = Form::Plain;
        }
        self.push(self.field_start, end);
    }

    /// The field ends before the closing quote that stands before the current byte.
    fn end_quoted_field(&mut self) {
        self.push(self.field_start, self.at.saturating_sub(1));
    }

    fn push(&mut self, start: usize, end: usize) {
        self.field_count += 1;
        if !self.discarding && self.fields.len() < self.field_limit {
            self.fields.push(FieldSpan { start: start as u32, end: end as u32, form: self.form });
        }
    }

    fn skip_line(&mut self, input: &[u8], end_of_input: bool) -> Scan {
        let Some(found) = memchr2(b'\n', b'\r', input) else {
            return if input.is_empty() { Scan::NeedMore } else { Scan::Nothing { next: input.len() } };
        };
        let mut next = found + 1;
        if input[found] == b'\r' {
            match input.get(next) {
                Some(b'\n') => next += 1,
                // The line feed of this pair may be in the next chunk; the bytes before it are done with.
                None if !end_of_input && found > 0 => return Scan::Nothing { next: found },
                None if !end_of_input => return Scan::NeedMore,
                _ => {}
            }
        }
        if self.state == State::SkippedLine {
            self.skip_lines -= 1;
        }
        if self.state != State::SkippedLine || self.skip_lines == 0 {
            self.state = State::RecordStart;
        }
        Scan::Nothing { next }
    }
}
