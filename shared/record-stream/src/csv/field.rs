//! One field of a CSV record: where it lies and what it means.

use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// How the bytes of a field relate to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The bytes are the text, and no byte is one that JSON escapes.
    Clean,
    /// The bytes are the text.
    Plain,
    /// The bytes behind an opening quote that hold doubled quotes or escapes, or text behind the closing quote.
    Quoted,
}

/// Where a field lies. Offsets count from the start of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    /// First byte; of a quoted field the one after the opening quote.
    pub(crate) start: u32,
    /// One past the last byte; of a quoted field the closing quote.
    pub(crate) end: u32,
    pub(crate) form: Form,
}

/// The bytes that give quoted fields their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) quote: Option<u8>,
    pub(crate) escape: Option<u8>,
}

impl FieldSpan {
    #[inline(always)]
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What the field means; borrowed when it stands in the record as it is.
    #[inline]
    pub(crate) fn text<'a>(&self, record: &'a [u8], quoting: Quoting) -> Cow<'a, [u8]> {
        let raw = &record[self.range()];
        match (self.form, quoting.quote) {
            (Form::Clean | Form::Plain, _) | (_, None) => Cow::Borrowed(raw),
            (Form::Quoted, Some(quote)) => Cow::Owned(unquote(raw, quote, quoting.escape)),
        }
    }
}

/// Resolves a field from the byte after its opening quote: a doubled quote stands for one, an escape for the byte after
/// it; a single quote ends the quoted part, and what follows is taken as it is, as the `csv` crate does.
fn unquote(raw: &[u8], quote: u8, escape: Option<u8>) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(found) = match escape {
        Some(escape) => memchr2(quote, escape, &raw[at..]),
        None => memchr(quote, &raw[at..]),
    } {
        text.extend_from_slice(&raw[at..at + found]);
        at += found + 1;
        let is_quote = raw[at - 1] == quote;
        match raw.get(at) {
            Some(next) if !is_quote || *next == quote => text.push(*next),
            _ => break,
        }
        at += 1;
    }
    text.extend_from_slice(&raw[at..]);
    text
}
