//! `ItemReader`: where the items of a Distributed Map lie and what they look like there.
//!
//! Two resources exist. `listObjectsV2` lists a bucket: the listed objects are the items, or with `LOAD_AND_FLATTEN` the
//! rows of what lies in them. `getObject` reads one object: the rows of a file, or a manifest that names other files. The
//! fields of `ReaderConfig` depend on each other; what contradicts itself is refused here, before anything runs.

use serde_json::Value;

use super::fields::Fields;
use super::map::ITEMS_MAX;
use super::{DefinitionError, Given, Language};
use crate::asl::template::Template;

const LIST_OBJECTS: &str = "arn:aws:states:::s3:listObjectsV2";
const GET_OBJECT: &str = "arn:aws:states:::s3:getObject";
/// Bytes of an `ItemsPointer`, one less than the service refuses.
const POINTER_BYTES_MAX: usize = 1_999;

/// `ItemReader`.
#[derive(Debug)]
pub(crate) struct ItemReader {
    /// Computes an object with `Bucket`, and `Prefix` or `Key`.
    pub(crate) parameters: Template,
    pub(crate) max_items: Option<Given<u64>>,
    pub(crate) dataset: Dataset,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dataset {
    /// The objects under a prefix themselves.
    Listing,
    /// The rows of all objects under a prefix.
    Flattened(Format),
    /// The rows of one object.
    Object(Format),
    /// The rows of the files that an S3 Inventory manifest names.
    Inventory,
    /// The rows of the files that the manifest of an Athena UNLOAD names.
    Athena(Format),
}

/// What a file looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Csv(CsvLayout),
    /// The elements of an array: the one at the top, or the one that a JSON Pointer names. Kept as its steps.
    Json(Option<Vec<String>>),
    JsonLines,
    Parquet,
}

/// How a text with separators is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvLayout {
    pub(crate) delimiter: u8,
    /// Names of the columns; `None`: the first row has them.
    pub(crate) header: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum InputType {
    Csv,
    Json,
    JsonLines,
    Parquet,
    Manifest,
}

#[derive(Clone, Copy, PartialEq)]
enum ManifestType {
    Inventory,
    Athena,
}

pub(super) fn parse(mut fields: Fields) -> Result<ItemReader, DefinitionError> {
    let resources = [(LIST_OBJECTS, true), (GET_OBJECT, false)];
    let lists = fields.one_of("Resource", &resources)?.ok_or_else(|| fields.error("Resource", "required"))?;
    let config_path = fields.at("ReaderConfig");
    let config = fields.take("ReaderConfig").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let mut config = fields.inner(config, &config_path)?;
    let max_items = config.given_whole("MaxItems", 0, ITEMS_MAX)?;
    let dataset = if lists { listed(&mut config)? } else { object(&mut config)? };
    config.finish(
        "InputType, Transformation, ManifestType, CSVDelimiter, CSVHeaderLocation, CSVHeaders, ItemsPointer, MaxItems, \
         MaxItemsPath, each where it has a meaning",
    )?;
    let names: (&[&str], &[&str]) = if lists {
        (&["Bucket"], &["Prefix"])
    } else if dataset == Dataset::Object(Format::Parquet) {
        (&["Bucket", "Key"], &["ExpectedBucketOwner"])
    } else {
        (&["Bucket", "Key"], &["VersionId", "ExpectedBucketOwner"])
    };
    let missing = fields.missing(&[arguments_name(&fields)]);
    let parameters = parameters(&mut fields, names.0, names.1)?;
    fields.finish("Resource, Parameters (Arguments with JSONata), ReaderConfig")?;
    let parameters = parameters.ok_or(missing)?;
    Ok(ItemReader { parameters, max_items, dataset })
}

/// What a reader and a writer call their parameters.
fn arguments_name(fields: &Fields) -> &'static str {
    match fields.language() {
        Language::JsonPath => "Parameters",
        Language::Jsonata => "Arguments",
    }
}

/// `Parameters`, or `Arguments` with JSONata, with the fields that are required and those that may be there, each perhaps
/// computed. An expression for the whole is looked at when it is computed.
pub(super) fn parameters(
    fields: &mut Fields,
    required: &[&str],
    optional: &[&str],
) -> Result<Option<Template>, DefinitionError> {
    let name = arguments_name(fields);
    let Some(value) = fields.take(name) else { return Ok(None) };
    let path = fields.at(name);
    fields.put_back(name, value.clone());
    let parsed = fields.arguments()?;
    if value.is_string() && fields.language() == Language::Jsonata {
        return Ok(parsed);
    }
    let mut parameters = fields.inner(value, &path)?;
    for name in required.iter().chain(optional) {
        let computed = format!("{name}.$");
        parameters.at_most_one(&[name, &computed])?;
        let given = parameters.string(name)?.is_some() || parameters.take(&computed).is_some();
        if !given && required.contains(name) {
            return Err(DefinitionError::new(path, format!("\"{name}\" or \"{computed}\" is required")));
        }
    }
    let known: Vec<_> = required.iter().chain(optional).map(|name| format!("{name}, {name}.$")).collect();
    parameters.finish(&known.join(", "))?;
    Ok(parsed)
}

fn listed(config: &mut Fields) -> Result<Dataset, DefinitionError> {
    let flatten = config.one_of("Transformation", &[("NONE", false), ("LOAD_AND_FLATTEN", true)])?.unwrap_or(false);
    let known = [
        ("CSV", InputType::Csv),
        ("JSON", InputType::Json),
        ("JSONL", InputType::JsonLines),
        ("PARQUET", InputType::Parquet),
    ];
    match (flatten, config.one_of("InputType", &known)?) {
        (false, None) => Ok(Dataset::Listing),
        (false, Some(_)) => {
            let message = "the listed objects themselves are the items and have no InputType; to read what lies in \
                           them add \"Transformation\": \"LOAD_AND_FLATTEN\"";
            Err(config.error("InputType", message))
        }
        (true, None) => Err(config.error("InputType", "required with \"Transformation\": \"LOAD_AND_FLATTEN\"")),
        (true, Some(input_type)) => Ok(Dataset::Flattened(format(config, input_type)?)),
    }
}

fn object(config: &mut Fields) -> Result<Dataset, DefinitionError> {
    let known = [
        ("CSV", InputType::Csv),
        ("JSON", InputType::Json),
        ("JSONL", InputType::JsonLines),
        ("PARQUET", InputType::Parquet),
        ("MANIFEST", InputType::Manifest),
    ];
    config.one_of("Transformation", &[("NONE", ())])?;
    let input_type = config.one_of("InputType", &known)?;
    let manifests = [("S3_INVENTORY", ManifestType::Inventory), ("ATHENA_DATA", ManifestType::Athena)];
    match (config.one_of("ManifestType", &manifests)?, input_type) {
        (None, None) => Err(config.error("InputType", "required with the resource \"arn:aws:states:::s3:getObject\"")),
        (None, Some(InputType::Manifest)) | (Some(ManifestType::Inventory), None | Some(InputType::Manifest)) => {
            Ok(Dataset::Inventory)
        }
        (Some(ManifestType::Inventory), Some(_)) => {
            Err(config.error("InputType", "\"ManifestType\": \"S3_INVENTORY\" has no InputType: its files are CSV"))
        }
        (Some(ManifestType::Athena), Some(kind @ (InputType::Csv | InputType::JsonLines | InputType::Parquet))) => {
            Ok(Dataset::Athena(format(config, kind)?))
        }
        (Some(ManifestType::Athena), _) => {
            Err(config.error("InputType", "\"ManifestType\": \"ATHENA_DATA\" needs one of CSV, JSONL, PARQUET"))
        }
        (None, Some(input_type)) => Ok(Dataset::Object(format(config, input_type)?)),
    }
}

fn format(config: &mut Fields, input_type: InputType) -> Result<Format, DefinitionError> {
    Ok(match input_type {
        InputType::Csv => Format::Csv(csv(config)?),
        InputType::Json => Format::Json(config.string("ItemsPointer")?.map(|text| pointer(config, &text)).transpose()?),
        InputType::JsonLines => Format::JsonLines,
        InputType::Parquet => Format::Parquet,
        InputType::Manifest => return Err(config.error("InputType", "\"MANIFEST\" is not the type of a file")),
    })
}

fn csv(config: &mut Fields) -> Result<CsvLayout, DefinitionError> {
    let delimiters = [("COMMA", b','), ("PIPE", b'|'), ("SEMICOLON", b';'), ("SPACE", b' '), ("TAB", b'\t')];
    let delimiter = config.one_of("CSVDelimiter", &delimiters)?.unwrap_or(b',');
    let given = config
        .one_of("CSVHeaderLocation", &[("FIRST_ROW", false), ("GIVEN", true)])?
        .ok_or_else(|| config.error("CSVHeaderLocation", "required with \"InputType\": \"CSV\""))?;
    if !given {
        if config.has("CSVHeaders") {
            return Err(config.error("CSVHeaders", "only \"CSVHeaderLocation\": \"GIVEN\" has this field"));
        }
        return Ok(CsvLayout { delimiter, header: None });
    }
    let names = config
        .array("CSVHeaders")?
        .ok_or_else(|| config.error("CSVHeaders", "required with \"CSVHeaderLocation\": \"GIVEN\""))?;
    let names = names.into_iter().map(|(path, name)| match name {
        Value::String(name) => Ok(name),
        _ => Err(DefinitionError::new(path, "expected a string")),
    });
    Ok(CsvLayout { delimiter, header: Some(names.collect::<Result<_, _>>()?) })
}

/// Takes a JSON Pointer (RFC 6901) apart.
fn pointer(config: &Fields, text: &str) -> Result<Vec<String>, DefinitionError> {
    if text.len() > POINTER_BYTES_MAX {
        let message = format!("has {} bytes, the limit is {POINTER_BYTES_MAX}", text.len());
        return Err(config.error("ItemsPointer", message));
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let steps = text.strip_prefix('/').ok_or_else(|| {
        config.error("ItemsPointer", "expected a JSON Pointer: empty, or names that each begin with \"/\"")
    })?;
    Ok(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}
