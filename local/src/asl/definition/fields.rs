//! Reads the fields of one JSON object of a definition and knows where it stands.
//!
//! Every field is taken out as it is read; `finish` refuses what is left over, so that a field nobody reads cannot be
//! ignored.

use serde_json::{Map, Value};

use super::super::path::{Path, Root};
use super::super::template::Template;
use super::{DefinitionError, Given, ResultPath, Selection};

/// The fields of an object that are not read yet.
pub(super) struct Fields {
    path: String,
    fields: Map<String, Value>,
}

impl Fields {
    /// Takes an object apart.
    pub(super) fn of(value: Value, path: &str) -> Result<Self, DefinitionError> {
        match value {
            Value::Object(fields) => Ok(Self { path: path.to_owned(), fields }),
            other => Err(DefinitionError::new(path, format!("expected an object, found {}", kind(&other)))),
        }
    }

    /// The path of a field.
    pub(super) fn at(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// An error about a field.
    pub(super) fn error(&self, name: &str, message: impl Into<String>) -> DefinitionError {
        DefinitionError::new(self.at(name), message)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// Gives a field back that was only looked at.
    pub(super) fn put_back(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    pub(super) fn require(&mut self, name: &str) -> Result<Value, DefinitionError> {
        let missing = DefinitionError::new(&self.path, format!("the field \"{name}\" is required"));
        self.take(name).ok_or(missing)
    }

    /// Two ways to say the same: at most one of them may be used.
    pub(super) fn at_most_one(&self, names: &[&str]) -> Result<(), DefinitionError> {
        let found: Vec<_> = names.iter().filter(|name| self.has(name)).copied().collect();
        match found.as_slice() {
            [] | [_] => Ok(()),
            several => {
                let message = format!("{} exclude each other; keep one", several.join(" and "));
                Err(DefinitionError::new(&self.path, message))
            }
        }
    }

    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>, DefinitionError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.error(name, format!("expected a string, found {}", kind(&other)))),
        }
    }

    pub(super) fn required_string(&mut self, name: &str) -> Result<String, DefinitionError> {
        let missing = DefinitionError::new(&self.path, format!("the field \"{name}\" is required"));
        self.string(name)?.ok_or(missing)
    }

    /// One of the texts that are supported.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        supported: &[(&str, T)],
    ) -> Result<Option<T>, DefinitionError> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        let known = supported.iter().find(|(known, _)| *known == text).map(|(_, value)| *value);
        let message = || unsupported(&text, supported.iter().map(|(known, _)| *known));
        known.map(Some).ok_or_else(|| self.error(name, message()))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, DefinitionError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(self.error(name, format!("expected true or false, found {}", kind(&other)))),
        }
    }

    /// A whole number between two bounds, both included.
    pub(super) fn whole(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>, DefinitionError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        let message = || format!("expected a whole number from {least} to {most}, found {}", shown(&value));
        number.map(Some).ok_or_else(|| self.error(name, message()))
    }

    /// A number between two bounds, both included.
    pub(super) fn number(&mut self, name: &str, least: f64, most: f64) -> Result<Option<f64>, DefinitionError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        let message = || format!("expected a number from {least} to {most}, found {}", shown(&value));
        number.map(Some).ok_or_else(|| self.error(name, message()))
    }

    /// A path into the data or the context object.
    pub(super) fn path(&mut self, name: &str) -> Result<Option<Path>, DefinitionError> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        Path::parse(&text).map(Some).map_err(|error| self.error(name, error.to_string()))
    }

    /// A whole number in field `name`, or a path to one in `namePath`.
    pub(super) fn given_whole(
        &mut self,
        name: &str,
        least: u64,
        most: u64,
    ) -> Result<Option<Given<u64>>, DefinitionError> {
        let path_name = format!("{name}Path");
        self.at_most_one(&[name, &path_name])?;
        let fixed = self.whole(name, least, most)?.map(Given::Fixed);
        Ok(fixed.or(self.path(&path_name)?.map(Given::At)))
    }

    pub(super) fn given_number(
        &mut self,
        name: &str,
        least: f64,
        most: f64,
    ) -> Result<Option<Given<f64>>, DefinitionError> {
        let path_name = format!("{name}Path");
        self.at_most_one(&[name, &path_name])?;
        let fixed = self.number(name, least, most)?.map(Given::Fixed);
        Ok(fixed.or(self.path(&path_name)?.map(Given::At)))
    }

    /// `InputPath` and `OutputPath`: a path or null, `$` when absent.
    pub(super) fn selection(&mut self, name: &str) -> Result<Selection, DefinitionError> {
        if self.fields.get(name) == Some(&Value::Null) {
            self.fields.remove(name);
            return Ok(Selection::Nothing);
        }
        Ok(Selection::Part(self.path(name)?.unwrap_or_else(Path::input)))
    }

    /// `ResultPath`: a path into the input or null, `$` when absent.
    pub(super) fn result_path(&mut self) -> Result<ResultPath, DefinitionError> {
        let name = "ResultPath";
        if self.fields.get(name) == Some(&Value::Null) {
            self.fields.remove(name);
            return Ok(ResultPath::Discard);
        }
        match self.path(name)? {
            Some(path) if path.root() == Root::Context => {
                Err(self.error(name, "expected a path into the input (\"$…\"), found one into the context object"))
            }
            Some(path) => Ok(ResultPath::Place { text: path.text().to_owned(), steps: path.steps().to_vec() }),
            None => Ok(ResultPath::Place { text: "$".to_owned(), steps: Vec::new() }),
        }
    }

    pub(super) fn template(&mut self, name: &str) -> Result<Option<Template>, DefinitionError> {
        self.take(name).map(|value| template(&value, &self.at(name))).transpose()
    }

    /// The elements of an array with their paths.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Vec<(String, Value)>>, DefinitionError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(elements)) => {
                let path = self.at(name);
                let numbered = elements.into_iter().enumerate();
                Ok(Some(numbered.map(|(index, element)| (format!("{path}[{index}]"), element)).collect()))
            }
            Some(other) => Err(self.error(name, format!("expected an array, found {}", kind(&other)))),
        }
    }

    /// Every field that is left, with its path.
    pub(super) fn rest(self) -> Vec<(String, String, Value)> {
        let path = self.path;
        self.fields.into_iter().map(|(name, value)| (join(&path, &name), name, value)).collect()
    }

    /// Refuses what nobody has read.
    pub(super) fn finish(self, supported: &str) -> Result<(), DefinitionError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(self
                .error(name, format!("this field is not supported by the local engine here; supported: {supported}"))),
        }
    }
}

/// Parses a payload template at a path.
pub(super) fn template(value: &Value, path: &str) -> Result<Template, DefinitionError> {
    Template::parse(value).map_err(|error| {
        let place = if error.place.starts_with('[') || error.place.is_empty() {
            format!("{path}{}", error.place)
        } else {
            join(path, &error.place)
        };
        DefinitionError::new(place, error.message)
    })
}

/// The message for a value that is none of the supported ones.
pub(super) fn unsupported<'s>(found: &str, supported: impl Iterator<Item = &'s str>) -> String {
    let supported: Vec<_> = supported.collect();
    format!("\"{found}\" is not supported by the local engine yet; supported: {}", supported.join(", "))
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A value as messages show it: scalars themselves, others by kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        scalar => scalar.to_string(),
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
