//! What a Map Run is told: numbers, buckets and inputs that a state may give by path, computed once before it starts.

use std::borrow::Cow;

use serde_json::Value;

use super::batcher::BatchLimits;
use super::reader::Source;
use super::tolerance::Tolerance;
use crate::asl::context::Scope;
use crate::asl::template::Template;
use crate::asl::{
    Dataset, Distributed, Given, ItemBatcher, ItemReader, Items, MapState, OutputType, PAYLOAD_BYTES_MAX, ResultWriter,
    StateError, Transformation, items, numbers,
};

/// Everything a Map Run is told.
pub(super) struct Settings {
    pub(super) source: Source,
    pub(super) batches: Option<BatchLimits>,
    /// Most children at a time; 0 for as many as there may be.
    pub(super) max_concurrency: u64,
    pub(super) tolerance: Tolerance,
    pub(super) results: ResultSettings,
}

/// What becomes of the children's results.
pub(super) struct ResultSettings {
    pub(super) transformation: Transformation,
    pub(super) output_type: OutputType,
    /// Where the files go; `None`: the results are the state's result.
    pub(super) place: Option<Place>,
}

/// A bucket, and a prefix or a key in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) name: String,
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
        max_concurrency,
        tolerance,
        results: results(&distributed.writer, scope)?,
    })
}

fn optional(given: &Option<Given<u64>>, field: &str, scope: Scope<'_>) -> Result<Option<u64>, StateError> {
    given.as_ref().map(|given| numbers::count(given, field, scope)).transpose()
}

fn source(map: &MapState, reader: Option<&ItemReader>, scope: Scope<'_>) -> Result<Source, StateError> {
    // With a reader the service does not look at ItemsPath.
    let Some(reader) = reader else { return given(map, scope) };
    let max_items = match &reader.max_items {
        Some(given) => Some(numbers::whole(given, "MaxItems", scope)?),
        None => None,
    };
    let parameters = Parameters { filled: reader.parameters.fill(scope)?, field: "ItemReader" };
    let place = match reader.dataset {
        Dataset::Listing | Dataset::Flattened(_) => parameters.place()?,
        _ => Place { bucket: parameters.required("Bucket")?, name: parameters.required("Key")? },
    };
    Ok(Source::Bucket {
        dataset: reader.dataset.clone(),
        place,
        version: parameters.text("VersionId")?,
        owner: parameters.text("ExpectedBucketOwner")?,
        max_items,
    })
}

/// The items that stand in the state's input or are computed. Other than an inline Map, a Distributed Map may also run
/// over the members of an object.
pub(super) fn given(map: &MapState, scope: Scope<'_>) -> Result<Source, StateError> {
    let found = match &map.items {
        Items::At(path) => scope.find(path).map(Cow::into_owned),
        Items::Given(template, _) => Some(template.fill(scope)?),
    };
    match found {
        Some(Value::Object(members)) => Ok(Source::Members(members.into_iter().collect())),
        Some(Value::Array(items)) => Ok(Source::Array(items)),
        // What has no items fails in the same words as in an inline Map.
        _ => Ok(Source::Array(items(map, scope)?)),
    }
}

/// The computed parameters of a reader or writer.
struct Parameters {
    filled: Value,
    field: &'static str,
}

impl Parameters {
    fn text(&self, name: &str) -> Result<Option<String>, StateError> {
        match self.filled.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => {
                Err(StateError::runtime(format!("The parameter '{name}' of the {} must be a string.", self.field)))
            }
        }
    }

    fn required(&self, name: &str) -> Result<String, StateError> {
        let missing =
            || StateError::runtime(format!("The parameter '{name}' of the {} must not be empty.", self.field));
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// A bucket and perhaps a prefix.
    fn place(&self) -> Result<Place, StateError> {
        Ok(Place { bucket: self.required("Bucket")?, name: self.text("Prefix")?.unwrap_or_default() })
    }
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
    let place = |template: &Template| Parameters { filled: template.fill(scope)?, field: "ResultWriter" }.place();
    let place = writer.parameters.as_ref().map(place).transpose()?;
    Ok(ResultSettings { transformation: writer.transformation, output_type: writer.output_type, place })
}
