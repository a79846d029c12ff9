//! What a Map Run is told: numbers, buckets and inputs that a state may give by path, computed once before it starts.

use serde_json::Value;

use super::CHILDREN_MAX;
use super::batcher::BatchLimits;
use super::reader::Source;
use super::tolerance::Tolerance;
use crate::asl::context::Scope;
use crate::asl::template::Template;
use crate::asl::{
    Distributed, Given, ItemBatcher, ItemReader, MapState, OutputType, PAYLOAD_BYTES_MAX, ResultWriter, StateError,
    Transformation, items, names, numbers,
};

/// Everything a Map Run is told.
pub(super) struct Settings {
    pub(super) source: Source,
    pub(super) batches: Option<BatchLimits>,
    pub(super) max_concurrency: u64,
    pub(super) tolerance: Tolerance,
    pub(super) label: Option<String>,
    pub(super) results: ResultSettings,
}

/// What becomes of the children's results.
pub(super) struct ResultSettings {
    pub(super) transformation: Transformation,
    pub(super) output_type: OutputType,
    /// Where the files go; `None`: the results are the state's result.
    pub(super) place: Option<Place>,
}

/// A bucket and a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) prefix: String,
}

/// Computes the settings.
pub(super) fn resolve(map: &MapState, distributed: &Distributed, scope: Scope<'_>) -> Result<Settings, StateError> {
    let max_concurrency = optional(&map.max_concurrency, "MaxConcurrency", scope)?.unwrap_or(0);
    let percentage = distributed.tolerated_percentage.as_ref();
    let tolerance = Tolerance {
        count: optional(&distributed.tolerated_count, "ToleratedFailureCount", scope)?,
        percentage: percentage
            .map(|given| numbers::percentage(given, "ToleratedFailurePercentage", scope))
            .transpose()?,
    };
    Ok(Settings {
        source: source(map, distributed.reader.as_ref(), scope)?,
        batches: distributed.batcher.as_ref().map(|batcher| batches(batcher, scope)).transpose()?,
        max_concurrency: if max_concurrency == 0 { CHILDREN_MAX } else { max_concurrency.min(CHILDREN_MAX) },
        tolerance,
        label: distributed.label.clone(),
        results: results(&distributed.writer, scope)?,
    })
}

fn optional(given: &Option<Given<u64>>, field: &str, scope: Scope<'_>) -> Result<Option<u64>, StateError> {
    given.as_ref().map(|given| numbers::count(given, field, scope)).transpose()
}

fn source(map: &MapState, reader: Option<&ItemReader>, scope: Scope<'_>) -> Result<Source, StateError> {
    // With a reader the service does not look at ItemsPath.
    let Some(reader) = reader else { return Ok(Source::Array(items(map, scope)?)) };
    let max_items = match &reader.max_items {
        Some(given) => Some(numbers::whole(given, "MaxItems", scope)?),
        None => None,
    };
    Ok(Source::Objects { place: place(&reader.parameters, "ItemReader", scope)?, max_items })
}

fn place(parameters: &Template, field: &str, scope: Scope<'_>) -> Result<Place, StateError> {
    let filled = parameters.fill(scope)?;
    let text = |name: &str| match filled.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(StateError::runtime(format!("The parameter '{name}' of the {field} must be a string."))),
    };
    let bucket = text("Bucket")?.filter(|bucket| !bucket.is_empty());
    let missing = || StateError::runtime(format!("The parameter 'Bucket' of the {field} must not be empty."));
    Ok(Place { bucket: bucket.ok_or_else(missing)?, prefix: text("Prefix")?.unwrap_or_default() })
}

fn batches(batcher: &ItemBatcher, scope: Scope<'_>) -> Result<BatchLimits, StateError> {
    let positive = |given: &Option<Given<u64>>, field: &str, most: u64| match optional(given, field, scope)? {
        Some(number) if number == 0 || number > most => {
            Err(StateError::runtime(format!("{field} must be between 1 and {most}.")))
        }
        number => Ok(number),
    };
    let max_items = positive(&batcher.max_items, "MaxItemsPerBatch", u64::MAX)?;
    let max_bytes = positive(&batcher.max_bytes, "MaxInputBytesPerBatch", PAYLOAD_BYTES_MAX as u64)?;
    Ok(BatchLimits {
        max_items: max_items.unwrap_or(u64::MAX),
        max_bytes: max_bytes.map_or(PAYLOAD_BYTES_MAX, |bytes| bytes as usize),
        batch_input: batcher.batch_input.as_ref().map(|template| template.fill(scope)).transpose()?,
    })
}

fn results(writer: &ResultWriter, scope: Scope<'_>) -> Result<ResultSettings, StateError> {
    let place = writer.parameters.as_ref().map(|parameters| place(parameters, "ResultWriter", scope)).transpose()?;
    Ok(ResultSettings { transformation: writer.transformation, output_type: writer.output_type, place })
}

impl Source {
    /// Refuses a limit that only shows as wrong when the reader starts.
    pub(super) fn item_limit(max_items: Option<i64>) -> Result<u64, StateError> {
        match max_items {
            None | Some(0) => Ok(u64::MAX),
            Some(most) => u64::try_from(most)
                .map_err(|_| StateError::new(names::ITEM_READER_FAILED, "field MaxItems must be positive")),
        }
    }
}
