//! Records in, records out: the streaming JSON and CSV engine of Mapmill.
//!
//! The crate does no input or output. Bytes are pushed in as they come, lines of NDJSON come out, and everything that
//! is wrong is reported with its place. Memory does not grow with the object: the input buffer holds one record and one
//! chunk, and every other size has a limit in [`RecordLimits`].
//!
//! The way of a record through the rooms:
//!
//! | room | from | to |
//! |---|---|---|
//! | `encoding` | bytes in another encoding | UTF-8 |
//! | `frame`, `csv` | bytes | the slice of a record (and, for CSV, where its fields lie) |
//! | `json` | a slice | an index of its values, checked against RFC 8259 |
//! | `schema`, `types`, `condition`, `reshape` | indexed values or fields | a line of NDJSON |
//! | `stream` | chunks | all of the above, with counts, positions and rejects |
//! | `ranges` | chunks from the middle of an object | the lines that begin in a range of its bytes |

mod blocks;
mod buffer;
mod checkpoint;
mod condition;
mod copy;
mod csv;
mod detect;
mod encoding;
mod error;
mod frame;
pub mod json;
mod limits;
mod lines;
mod path;
mod position;
mod ranges;
mod reshape;
mod schema;
mod stream;
mod types;

pub use checkpoint::Checkpoint;
pub use condition::{Condition, Instant, Scalar, Test};
pub use csv::{CsvDialect, CsvHeader, DuplicateNames, EmptyNames, RaggedRows};
pub use detect::{DetectedFormat, detect_format};
pub use encoding::{TextEncoding, decode_beginning};
pub use error::{Problem, StreamError};
pub use limits::RecordLimits;
pub use path::{FieldPath, Segment};
pub use position::Position;
pub use ranges::{LineEnds, LineRange};
pub use reshape::Reshape;
pub use schema::Schema;
pub use stream::{
    DuplicateKeys, Flow, JsonLayout, JsonMode, Progress, RecordCounts, RecordFormat, RecordStream, Reject,
    StreamOptions,
};
pub use types::{FieldType, TimeFormats, TypeRule};
