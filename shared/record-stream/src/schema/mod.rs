//! JSON Schema: does a record keep the rules that its owner has written down?
//!
//! The dialect is draft 2020-12. A schema is compiled once and shared; a record is checked on its index, without a tree
//! being built (`document`). The answer yes or no comes first and is all that most records need. Only a record that
//! fails is looked at again, for the place and the rule of its first error.
//!
//! What is decided here:
//!
//! * Numbers are compared by their digits, never as floating point (`number`): 0.3 is a multiple of 0.1, and
//!   9007199254740993 is above 9007199254740992. 1 and 1.0 are equal and both are integers.
//! * `format` is checked, not only noted, because that is what people expect who write it: `date`, `date-time`, `time`,
//!   `duration`, `email`, `hostname`, `ipv4`, `ipv6`, `uri`, `uri-reference`, `uri-template`, `iri`, `iri-reference`,
//!   `uuid`, `json-pointer`, `relative-json-pointer` and `regex`. Other names are noted only.
//! * Patterns are matched in linear time. Look-around and back-references, which cannot be, are refused.
//! * A reference leads to the schema itself or to the meta-schemas of the drafts. Nothing is fetched.
//! * Of members with one name the last counts, as everywhere in this crate.
//!
//! Errors name places and rules, never values.

mod document;
mod number;
mod unique;

#[cfg(test)]
mod tests;

use crate::error::Problem;
use crate::json::{Index, Value, write_last_of_each_name};
use crate::limits::RecordLimits;
use document::{Document, IndexedJson};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use std::fmt;
use std::sync::Arc;

/// Longest schema text in bytes.
const TEXT_BYTES: usize = 256 << 10;

/// Most memory of one compiled pattern in bytes.
const PATTERN_BYTES: usize = 10 << 20;

/// Most memory of what a pattern learns while it matches, in bytes.
const PATTERN_CACHE_BYTES: usize = 2 << 20;

/// Longest place, rule or reason in a message, in characters.
const MESSAGE_CHARACTERS: usize = 256;

/// Limits for what has passed its limits already.
const NO_LIMITS: RecordLimits = RecordLimits {
    record_bytes: usize::MAX,
    depth: RecordLimits::DEPTH_CEILING,
    fields: usize::MAX,
    values: usize::MAX,
    header_bytes: usize::MAX,
    output_bytes: usize::MAX,
};

/// A compiled JSON Schema of draft 2020-12. Cloning shares it.
#[derive(Clone)]
pub struct Schema {
    compiled: Arc<Compiled>,
}

struct Compiled {
    text: String,
    validator: Validator<IndexedJson>,
}

impl Schema {
    /// Compiles a schema of at most 256 KiB.
    ///
    /// # Errors
    /// A message that says what is wrong with the schema and where: it is not JSON or not a schema, it names another
    /// draft, a reference leads out of it, a pattern cannot be matched in linear time, or a number has more digits than
    /// can be kept.
    pub fn parse(json_text: &str) -> Result<Self, String> {
        if json_text.len() > TEXT_BYTES {
            return Err(format!("the schema has {} bytes, more than the limit of {TEXT_BYTES}", json_text.len()));
        }
        let schema: serde_json::Value =
            serde_json::from_str(json_text).map_err(|error| format!("the schema is not JSON: {error}"))?;
        if !schema.is_object() && !schema.is_boolean() {
            return Err("the schema must be an object or a boolean".to_owned());
        }
        check_draft(&schema)?;
        let mut index = Index::default();
        let indexed = index.build(json_text.as_bytes(), &NO_LIMITS);
        number::check_schema(&indexed.map_err(|problem| format!("the schema is not JSON: {problem}"))?)?;
        let pattern = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_CACHE_BYTES);
        let options = jsonschema::options_for::<IndexedJson>()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_pattern_options(pattern)
            .offline();
        let validator = number::with_exact_keywords(options).build(&schema).map_err(|error| describe(&error))?;
        Ok(Self { compiled: Arc::new(Compiled { text: json_text.to_owned(), validator }) })
    }

    /// Checks a record.
    ///
    /// # Errors
    /// [`Problem::SchemaViolation`] with the first place and rule that do not agree.
    ///
    /// `has_repeated_names` says that an object of the record has two members with one name. The validator has no notion
    /// of which one counts, so such a record is written anew with the last ones only.
    pub(crate) fn check(&self, record: &Value<'_>, has_repeated_names: bool) -> Result<(), Problem> {
        if !has_repeated_names {
            return self.check_document(&Document::new(*record)?);
        }
        let mut text = Vec::with_capacity(record.raw().len());
        write_last_of_each_name(record, &mut text);
        let mut index = Index::default();
        let record = index.build(&text, &NO_LIMITS)?;
        self.check_document(&Document::new(record)?)
    }

    fn check_document(&self, document: &Document<'_>) -> Result<(), Problem> {
        let validator = &self.compiled.validator;
        if validator.is_valid(document.root()) {
            return Ok(());
        }
        let Err(error) = validator.validate(document.root()) else { return Ok(()) };
        Err(Problem::SchemaViolation {
            path: shorten(error.instance_path().as_str()),
            rule: shorten(error.schema_path().as_str()),
        })
    }
}

impl PartialEq for Schema {
    /// Schemas are equal when their texts are.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.compiled, &other.compiled) || self.compiled.text == other.compiled.text
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Schema").field(&self.compiled.text).finish()
    }
}

/// A schema that names its draft must name the one that it is read as.
fn check_draft(schema: &serde_json::Value) -> Result<(), String> {
    const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
    match schema.get("$schema") {
        None => Ok(()),
        Some(serde_json::Value::String(name)) if name.trim_end_matches('#') == DRAFT => Ok(()),
        Some(other) => Err(format!(
            "`$schema` must be `{DRAFT}` or left out, found {}: other drafts are not read",
            shorten(&other.to_string())
        )),
    }
}

/// What is wrong with a schema. The text is the job's own and may be shown.
fn describe(error: &ValidationError<'_>) -> String {
    let reason = shorten(&error.to_string());
    if matches!(error.kind(), ValidationErrorKind::Referencing(_)) {
        return format!("a reference of the schema leads nowhere, and nothing is fetched from outside: {reason}");
    }
    match error.instance_path().as_str() {
        "" => format!("the schema cannot be used: {reason}"),
        place => format!("the schema cannot be used at `{}`: {reason}", shorten(place)),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARACTERS) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MESSAGE_CHARACTERS - 1).chain(['…']).collect(),
    }
}
