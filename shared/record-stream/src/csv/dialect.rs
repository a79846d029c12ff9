//! How a CSV object is written.

/// Where column names come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CsvHeader {
    /// The first record names the columns.
    #[default]
    FirstRow,
    /// There is no header: columns are called `column_1`, `column_2`, …
    None,
    /// There is no header in the object; these are the names.
    Given(Vec<String>),
}

/// What happens to a row with another number of fields than the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RaggedRows {
    /// The row is a reject.
    #[default]
    Reject,
    /// A short row gets empty fields; a long one is a reject.
    Pad,
    /// The object fails.
    Fail,
}

/// What happens when two columns of a header row have one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateNames {
    /// The object fails.
    #[default]
    Fail,
    /// The second `id` is called `id_2`, the third `id_3`; a name that is taken is passed over.
    Number,
}

/// What happens when a column of a header row has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyNames {
    /// The column is called after its number, as in `column_3`.
    #[default]
    Number,
    /// The object fails.
    Fail,
}

/// The dialect of a CSV object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvDialect {
    /// Byte between fields.
    pub delimiter: u8,
    /// Byte around fields that hold delimiters or line breaks; doubled inside. `None` turns quoting off.
    pub quote: Option<u8>,
    /// Byte that takes the next one literally inside quotes, beside doubled quotes. Such objects are read without the
    /// block index, at less than half the speed.
    pub escape: Option<u8>,
    /// Fields in quotes may hold line breaks. If not, a line break always ends the record, and a quote that is open
    /// there makes that record a reject.
    pub multiline: bool,
    /// A record that begins with this byte is a comment.
    pub comment: Option<u8>,
    /// Lines to skip before anything else is read.
    pub skip_lines: u64,
    /// Where the column names come from.
    pub header: CsvHeader,
    /// What to do with short and long rows.
    pub ragged: RaggedRows,
    /// What to do with a column name that comes twice.
    pub duplicate_names: DuplicateNames,
    /// What to do with a column without a name.
    pub empty_names: EmptyNames,
}

impl Default for CsvDialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            multiline: true,
            comment: None,
            skip_lines: 0,
            header: CsvHeader::default(),
            ragged: RaggedRows::default(),
            duplicate_names: DuplicateNames::default(),
            empty_names: EmptyNames::default(),
        }
    }
}
