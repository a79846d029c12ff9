//! JSON records without a tree.
//!
//! [`Index`] checks a record against RFC 8259 and lists its values as small nodes in one reusable vector; a node knows
//! where its text begins and ends and which node follows the value. [`Value`] is a cursor on that list. Numbers and
//! strings stay text: nothing is decoded until a rule asks for it, and untouched values are copied byte for byte.

mod compact;
mod exact;
mod fast;
mod grammar;
mod index;
mod node;
mod repeated;
mod stops;
mod text;
mod value;

pub use index::Index;
pub use node::Kind;
pub use text::Text;
pub use value::{Elements, Members, Value};

pub(crate) use compact::write_without_line_breaks;
pub(crate) use grammar::{is_whitespace, number_at, scan_string, skip_digits, skip_whitespace};
pub(crate) use repeated::write_last_of_each_name;
pub(crate) use text::{write_json_string, write_json_text};
