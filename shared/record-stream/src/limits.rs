//! What one record may cost. Every limit is checked while reading, never after.

/// Limits on a single record. The defaults are those of the job file (`limits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLimits {
    /// Longest record in bytes, terminator not counted. A decoder never buffers more than this plus one chunk.
    pub record_bytes: usize,
    /// Deepest nesting of JSON arrays and objects.
    pub depth: usize,
    /// Most columns of a CSV row, and most members of one JSON object.
    pub fields: usize,
    /// Most JSON values and names of members in one record, all levels together. Each costs 16 bytes of index.
    pub values: usize,
    /// Longest CSV header row in bytes.
    pub header_bytes: usize,
    /// Most bytes of output that one record may become, all its lines together if it is exploded. They are held in memory
    /// until all are made, because a record is written whole or not at all.
    pub output_bytes: usize,
}

impl RecordLimits {
    /// Nesting above this is refused whatever the job says, because the indexer recurses once per level.
    pub const DEPTH_CEILING: usize = 1_000;
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self {
            record_bytes: 8 << 20,
            depth: 64,
            fields: 10_000,
            values: 1_000_000,
            header_bytes: 64 << 10,
            output_bytes: 16 << 20,
        }
    }
}
