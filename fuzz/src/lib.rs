//! What the fuzz targets share: knobs read from the input, a stream run under every invariant, and oracles.
//!
//! A target reads its options from the first bytes of the input ([`Knobs`]) and hands the rest to the code under test.
//! [`streams`] runs a record stream in several chunkings and holds every run against the invariants of the engine.
//! [`oracle`] reads JSON with serde_json, which shares no code with the engine; [`text`] reads encodings the plain way.

#![forbid(unsafe_code)]

pub mod knobs;
pub mod oracle;
pub mod records;
pub mod rules;
pub mod schemas;
pub mod streams;
pub mod text;

pub use knobs::Knobs;
