//! Map states, INLINE and DISTRIBUTED.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::parse::{machine_of, result_handling, transition};
use super::{
    DefinitionError, Distributed, ExecutionType, ItemBatcher, Items, Language, MapState, OutputType, ResultWriter,
    StateMachine, Transformation, handlers, item_reader,
};
use crate::asl::path::Path;
use crate::asl::size::PAYLOAD_BYTES_MAX;
use crate::asl::template::Template;

/// Fields of a Map state, for messages.
pub(super) const SUPPORTED: &str = "Assign, ItemProcessor (or Iterator), ItemsPath, ItemSelector (or Parameters), MaxConcurrency, MaxConcurrencyPath, InputPath, \
     ResultSelector, ResultPath, OutputPath, Retry, Catch, Next, End; ToleratedFailureCount, ToleratedFailureCountPath, \
     ToleratedFailurePercentage, ToleratedFailurePercentagePath; in DISTRIBUTED mode also ItemReader, ItemBatcher, \
     ResultWriter, Label";
const DISTRIBUTED_ONLY: [&str; 4] = ["ItemReader", "ItemBatcher", "ResultWriter", "Label"];
const PUT_OBJECT: &str = "arn:aws:states:::s3:putObject";
/// Most items of one Map Run, as in the service.
pub(super) const ITEMS_MAX: u64 = 100_000_000;
const LABEL_CHARACTERS_MAX: usize = 40;

pub(super) fn state(fields: &mut Fields) -> Result<MapState, DefinitionError> {
    fields.at_most_one(&["ItemProcessor", "Iterator"])?;
    fields.at_most_one(&["ItemSelector", "Parameters"])?;
    let processor_name = if fields.has("Iterator") { "Iterator" } else { "ItemProcessor" };
    let (processor, execution_type) =
        processor(fields.require(processor_name)?, &fields.at(processor_name), fields.machine_language())?;
    let legacy = fields.language() == Language::JsonPath && fields.has("Parameters");
    let selector_name = if legacy { "Parameters" } else { "ItemSelector" };
    let distributed = match execution_type {
        Some(execution_type) => Some(distributed(fields, execution_type)?),
        None => {
            if let Some(name) = DISTRIBUTED_ONLY.iter().find(|name| fields.has(name)) {
                return Err(fields.error(name, "only a Map with \"Mode\": \"DISTRIBUTED\" has this field"));
            }
            // The service reads these here too, and one failed iteration fails an inline Map all the same.
            fields.given_whole("ToleratedFailureCount", 0, ITEMS_MAX)?;
            fields.given_number("ToleratedFailurePercentage", 0.0, 100.0)?;
            None
        }
    };
    Ok(MapState {
        language: fields.language(),
        items: items(fields)?,
        item_selector: fields.template(selector_name)?,
        max_concurrency: fields.given_whole("MaxConcurrency", 0, u64::from(u32::MAX))?,
        processor: Arc::new(processor),
        distributed,
        result: result_handling(fields)?,
        handlers: handlers::parse(fields)?,
        transition: transition(fields)?,
    })
}

/// `ItemsPath`, or `Items` with JSONata.
fn items(fields: &mut Fields) -> Result<Items, DefinitionError> {
    if fields.language() == Language::JsonPath {
        return Ok(Items::At(fields.path("ItemsPath")?.unwrap_or_else(Path::input)));
    }
    if let Some(query) = fields.query("Items")? {
        return Ok(Items::Given(Template::Query(query.clone()), Some(query)));
    }
    Ok(match fields.template("Items")? {
        Some(Template::Fixed(value)) if !value.is_array() => {
            return Err(fields.error("Items", "expected an array, or an expression that makes one"));
        }
        Some(template) => Items::Given(template, None),
        None => Items::At(Path::input()),
    })
}

/// The machine that runs for each item or batch, and its execution type in DISTRIBUTED mode.
fn processor(
    value: Value,
    path: &str,
    language: Language,
) -> Result<(StateMachine, Option<ExecutionType>), DefinitionError> {
    let mut fields = Fields::of(value, path)?;
    fields.set_language(language);
    let mut execution_type = None;
    if let Some(config) = fields.take("ProcessorConfig") {
        let mut config = Fields::of(config, &fields.at("ProcessorConfig"))?;
        let distributed = config.one_of("Mode", &[("INLINE", false), ("DISTRIBUTED", true)])?.unwrap_or(false);
        let types = [("STANDARD", ExecutionType::Standard), ("EXPRESS", ExecutionType::Express)];
        execution_type = config.one_of("ExecutionType", &types)?;
        match (distributed, execution_type) {
            (true, None) => return Err(config.error("ExecutionType", "required with \"Mode\": \"DISTRIBUTED\"")),
            (false, Some(_)) => return Err(config.error("ExecutionType", "only \"Mode\": \"DISTRIBUTED\" has this")),
            _ => {}
        }
        config.finish("Mode, ExecutionType")?;
    }
    let machine = machine_of(&mut fields, None)?;
    fields.finish("ProcessorConfig, Comment, StartAt, States")?;
    Ok((machine, execution_type))
}

fn distributed(fields: &mut Fields, execution_type: ExecutionType) -> Result<Distributed, DefinitionError> {
    Ok(Distributed {
        execution_type,
        label: label(fields)?,
        reader: fields
            .take("ItemReader")
            .map(|value| item_reader::parse(fields.inner(value, &fields.at("ItemReader"))?))
            .transpose()?,
        batcher: fields
            .take("ItemBatcher")
            .map(|value| batcher(fields.inner(value, &fields.at("ItemBatcher"))?))
            .transpose()?,
        tolerated_count: fields.given_whole("ToleratedFailureCount", 0, ITEMS_MAX)?,
        tolerated_percentage: fields.given_number("ToleratedFailurePercentage", 0.0, 100.0)?,
        writer: match fields.take("ResultWriter") {
            Some(value) => writer(fields.inner(value, &fields.at("ResultWriter"))?)?,
            None => ResultWriter {
                parameters: None,
                transformation: Transformation::Compact,
                output_type: OutputType::Json,
            },
        },
    })
}

/// The label becomes part of ARNs, so its signs are restricted.
fn label(fields: &mut Fields) -> Result<Option<String>, DefinitionError> {
    let Some(label) = fields.string("Label")? else { return Ok(None) };
    if label.is_empty() || label.chars().count() > LABEL_CHARACTERS_MAX {
        return Err(fields.error("Label", format!("must have 1 to {LABEL_CHARACTERS_MAX} characters")));
    }
    let forbidden = |sign: char| sign.is_whitespace() || sign.is_control() || "?*<>{}[]:;,\\|^~$#%&`\"/".contains(sign);
    match label.chars().find(|sign| forbidden(*sign)) {
        Some(sign) => Err(fields.error("Label", format!("must not contain {sign:?}"))),
        None => Ok(Some(label)),
    }
}

fn batcher(mut fields: Fields) -> Result<ItemBatcher, DefinitionError> {
    let batcher = ItemBatcher {
        max_items: fields.given_whole("MaxItemsPerBatch", 1, ITEMS_MAX)?,
        max_bytes: fields.given_whole("MaxInputBytesPerBatch", 1, PAYLOAD_BYTES_MAX as u64)?,
        batch_input: fields.template("BatchInput")?,
    };
    if batcher.max_items.is_none() && batcher.max_bytes.is_none() {
        let message = "one of MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch and \
                       MaxInputBytesPerBatchPath is required";
        return Err(DefinitionError::new(fields.at("").trim_end_matches('.'), message));
    }
    fields.finish(
        "MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath, BatchInput",
    )?;
    Ok(batcher)
}

fn writer(mut fields: Fields) -> Result<ResultWriter, DefinitionError> {
    let path = fields.at("");
    let path = path.trim_end_matches('.').to_owned();
    let has_resource = fields.one_of("Resource", &[(PUT_OBJECT, ())])?.is_some();
    let parameters = item_reader::parameters(&mut fields, &["Bucket"], &["Prefix"])?;
    if has_resource != parameters.is_some() {
        return Err(DefinitionError::new(
            path,
            "\"Resource\" and \"Parameters\" belong together: give both or neither",
        ));
    }
    let config = fields.take("WriterConfig");
    if config.is_none() && !has_resource {
        return Err(DefinitionError::new(
            path,
            "give \"WriterConfig\", or \"Resource\" and \"Parameters\", or all three",
        ));
    }
    let mut transformation = if has_resource { Transformation::None } else { Transformation::Compact };
    let mut output_type = OutputType::Json;
    if let Some(config) = config {
        let mut config = fields.inner(config, &fields.at("WriterConfig"))?;
        let transformations = [
            ("NONE", Transformation::None),
            ("COMPACT", Transformation::Compact),
            ("FLATTEN", Transformation::Flatten),
        ];
        transformation = config.one_of("Transformation", &transformations)?.unwrap_or(transformation);
        let output_types = [("JSON", OutputType::Json), ("JSONL", OutputType::JsonLines)];
        output_type = config.one_of("OutputType", &output_types)?.unwrap_or(output_type);
        if output_type == OutputType::JsonLines && !has_resource {
            let message = "\"JSONL\" without \"Resource\" is not supported by the local engine yet; supported: JSON";
            return Err(config.error("OutputType", message));
        }
        config.finish("Transformation, OutputType")?;
    }
    fields.finish("Resource, Parameters (Arguments with JSONata), WriterConfig")?;
    Ok(ResultWriter { parameters, transformation, output_type })
}
