//! The jobs done by our engine, through its public interface, in chunks as a worker feeds it.
//!
//! The targets are quotients of two figures that one machine gave for the same data: what the engine is meant to reach,
//! and what the peer reached there.

use super::{Answer, CHUNK, Kind, Output, PRICE_ABOVE, Peer, Work, Workload};
use crate::data::Shape;
use crate::error::WorkError;
use record_stream::{
    Condition, CsvDialect, FieldPath, FieldType, Flow, JsonLayout, JsonMode, Progress, RecordFormat, RecordStream,
    Reshape, Scalar, Schema, StreamOptions, Test, TypeRule,
};

pub(super) fn workloads() -> Vec<Workload> {
    vec![
        json(
            "ndjson-validate",
            "NDJSON: check every record, copy",
            Shape::Events,
            Answer::Events,
            against("serde-tree"),
            |objects, output| stream(&StreamOptions::new(RecordFormat::NdJson), objects, output),
        ),
        json(
            "ndjson-reshape",
            "NDJSON: filter, project, rename, cast, write",
            Shape::Events,
            Answer::EventsReshaped,
            target("serde-reshape", 1_200.0 / 252.0),
            |objects, output| stream(&reshaped(RecordFormat::NdJson), objects, output),
        ),
        json(
            "ndjson-schema",
            "the same, and a JSON Schema of ten properties",
            Shape::Events,
            Answer::EventsReshaped,
            target("serde-reshape", 700.0 / 252.0),
            |objects, output| stream(&schema_checked()?, objects, output),
        ),
        json(
            "array-validate",
            "JSON array to NDJSON, every record checked",
            Shape::EventArray,
            Answer::Events,
            target("serde-tree", 1_500.0 / 305.0),
            |objects, output| stream(&StreamOptions::new(json_format(JsonMode::Array)), objects, output),
        ),
        json(
            "documents-validate",
            "documents of 200 KB to lines, checked",
            Shape::Documents,
            Answer::Documents,
            against("serde-documents"),
            |objects, output| stream(&StreamOptions::new(json_format(JsonMode::Document)), objects, output),
        ),
        csv(
            "csv-strings",
            "CSV to NDJSON, texts",
            Answer::Rows,
            target("csv-serde-strings", 850.0 / 142.0),
            |objects, output| stream(&StreamOptions::new(csv_format()), objects, output),
        ),
        csv(
            "csv-typed",
            "CSV to NDJSON, typed",
            Answer::RowsTyped,
            target("csv-direct-typed", 750.0 / 289.0),
            |objects, output| stream(&typed_rows(), objects, output),
        ),
        csv(
            "csv-filter",
            "CSV: filter, project, rename, write",
            Answer::RowsReshaped,
            target("csv-read", 1_800.0 / 898.0),
            |objects, output| stream(&reshaped(csv_format()), objects, output),
        ),
    ]
}

fn json(
    name: &'static str,
    about: &'static str,
    shape: Shape,
    answer: Answer,
    peer: Option<Peer>,
    work: Work,
) -> Workload {
    Workload { name, about, kind: Kind::Engine, shape, answer, peer, work }
}

fn csv(name: &'static str, about: &'static str, answer: Answer, peer: Option<Peer>, work: Work) -> Workload {
    json(name, about, Shape::Rows, answer, peer, work)
}

fn against(name: &'static str) -> Option<Peer> {
    Some(Peer { name, target: None })
}

fn target(name: &'static str, ratio: f64) -> Option<Peer> {
    Some(Peer { name, target: Some(ratio) })
}

fn json_format(mode: JsonMode) -> RecordFormat {
    RecordFormat::Json(JsonLayout { mode, ..JsonLayout::default() })
}

fn csv_format() -> RecordFormat {
    RecordFormat::Csv(CsvDialect::default())
}

/// Filter, project, rename, cast.
fn reshaped(format: RecordFormat) -> StreamOptions {
    let is_kept = Test::Greater(Scalar::Number(PRICE_ABOVE.to_string()));
    let reshape = Reshape {
        types: vec![typed("id", FieldType::Integer), typed("price", FieldType::Decimal)],
        condition: Some(Condition::Field(FieldPath::name("price"), is_kept)),
        select: ["id", "type", "price", "path"].map(FieldPath::name).to_vec(),
        rename: vec![(FieldPath::name("type"), "kind".to_owned())],
        ..Reshape::default()
    };
    StreamOptions { reshape, ..StreamOptions::new(format) }
}

fn schema_checked() -> Result<StreamOptions, WorkError> {
    let mut options = reshaped(RecordFormat::NdJson);
    options.reshape.schema = Some(Schema::parse(EVENT_SCHEMA)?);
    Ok(options)
}

const EVENT_SCHEMA: &str = r#"{
    "type": "object", "required": ["id", "at", "type", "price", "items"],
    "properties": {
        "id": {"type": "integer", "minimum": 0}, "at": {"type": "string", "minLength": 20},
        "type": {"enum": ["view", "search", "cart", "buy", "return"]}, "version": {"const": 3},
        "price": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"}, "currency": {"type": "string", "maxLength": 3},
        "ok": {"type": "boolean"}, "path": {"type": "string"}, "duration": {"type": "number", "minimum": 0},
        "items": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["sku"]}}
    }
}"#;

fn typed_rows() -> StreamOptions {
    let types = vec![
        typed("id", FieldType::Integer),
        typed("user_id", FieldType::Integer),
        typed("amount", FieldType::Integer),
        typed("price", FieldType::Decimal),
        typed("rate", FieldType::Float),
        typed("ok", FieldType::Boolean),
    ];
    StreamOptions { reshape: Reshape { types, ..Reshape::default() }, ..StreamOptions::new(csv_format()) }
}

fn typed(name: &str, field_type: FieldType) -> (FieldPath, TypeRule) {
    (FieldPath::name(name), field_type.into())
}

/// Runs objects through the engine, each as a stream of its own.
fn stream(options: &StreamOptions, objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut stream = RecordStream::new(options);
        let mut chunks = object.chunks(CHUNK);
        let mut progress = Progress::NeedInput;
        while progress != Progress::Finished {
            let chunk = chunks.next();
            stream.fill(chunk.unwrap_or_default());
            progress = Progress::OutputFull;
            while progress == Progress::OutputFull {
                progress = stream.process(chunk.is_none(), &mut output.buffer, CHUNK, &mut |_| Flow::Continue)?;
                output.drain();
            }
        }
        let rejected = stream.counts().rejected;
        if rejected > 0 {
            return Err(format!("the engine refused {rejected} good records").into());
        }
    }
    Ok(())
}
