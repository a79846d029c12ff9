//! The nodes of an index: one for each value and each member name of a record.

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number, kept as text.
    Number,
    /// A string, kept as text between its quotes.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind in words, for messages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value or member name, in 16 bytes. Offsets count from the start of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// First byte of the text; for strings the one after the opening quote.
    pub(super) start: u32,
    /// One past the last byte; for strings the closing quote.
    pub(super) end: u32,
    /// Index of the node after this value and everything inside it.
    pub(super) next: u32,
    /// The kind in the lowest three bits, one bit for escapes, and the count of members or elements above them.
    tag: u32,
}

const ESCAPED: u32 = 1 << 3;
const COUNT_SHIFT: u32 = 4;

impl Node {
    /// Most members or elements that a node can count; the limit on values is checked against it.
    pub(super) const MOST_VALUES: usize = (u32::MAX >> COUNT_SHIFT) as usize;

    #[inline(always)]
    pub(super) fn new(kind: Kind, escaped: bool, start: usize, end: usize, next: usize) -> Self {
        let tag = kind as u32 | if escaped { ESCAPED } else { 0 };
        Self { start: start as u32, end: end as u32, next: next as u32, tag }
    }

    /// Completes an array or object.
    #[inline(always)]
    pub(super) fn close(&mut self, end: usize, next: usize, count: u32) {
        self.end = end as u32;
        self.next = next as u32;
        self.tag |= count << COUNT_SHIFT;
    }

    #[inline(always)]
    pub(super) fn kind(&self) -> Kind {
        match self.tag & 7 {
            0 => Kind::Null,
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Number,
            4 => Kind::String,
            5 => Kind::Array,
            _ => Kind::Object,
        }
    }

    #[inline(always)]
    pub(super) fn is(&self, kind: Kind) -> bool {
        self.tag & 7 == kind as u32
    }

    /// For strings: the text holds a backslash, so it differs from its meaning.
    #[inline(always)]
    pub(super) fn escaped(&self) -> bool {
        self.tag & ESCAPED != 0
    }

    /// Members of an object, elements of an array.
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.tag >> COUNT_SHIFT
    }

    #[inline(always)]
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}
