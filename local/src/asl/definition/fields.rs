//! Reads the fields of one JSON object of a definition and knows where it stands.
//!
//! Every field is taken out as it is read; `finish` refuses what is left over, so that a field nobody reads cannot be
//! ignored.

use serde_json::{Map, Value};

use super::super::path::{Path, Root};
use super::super::template::{Query, Template};
use super::{DefinitionError, Given, Language, ResultPath, Selection};

/// The fields of an object that are not read yet.
pub(super) struct Fields {
    path: String,
    fields: Map<String, Value>,
    language: Language,
    machine_language: Language,
}

impl Fields {
    /// Takes an object apart.
    pub(super) fn of(value: Value, path: &str) -> Result<Self, DefinitionError> {
        match value {
            Value::Object(fields) => {
                let language = Language::JsonPath;
                Ok(Self { path: path.to_owned(), fields, language, machine_language: language })
            }
            other => Err(DefinitionError::new(path, format!("expected an object, found {}", kind(&other)))),
        }
    }

    /// Takes an object apart that stands inside of these fields.
    pub(super) fn inner(&self, value: Value, path: &str) -> Result<Self, DefinitionError> {
        let mut inner = Self::of(value, path)?;
        inner.language = self.language;
        inner.machine_language = self.machine_language;
        Ok(inner)
    }

    /// How the fields compute data: what a text means depends on it.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    pub(super) fn set_language(&mut self, language: Language) {
        self.language = language;
        self.machine_language = language;
    }

    /// The language of states that stand inside of these fields and say nothing themselves.
    pub(super) fn machine_language(&self) -> Language {
        self.machine_language
    }

    pub(super) fn set_machine_language(&mut self, language: Language) {
        self.machine_language = language;
    }

    /// Required fields that are not there.
    pub(super) fn missing(&self, names: &[&str]) -> DefinitionError {
        let message = match names {
            [name] => format!("the field \"{name}\" is required"),
            names => format!("the fields \"{}\" are required", names.join("\" and \"")),
        };
        DefinitionError::new(&self.path, message)
            .in_service_words(&self.path, format!("These fields are required: [{}]", names.join(", ")))
    }

    /// The field that a location in an error names, without the path to the state.
    fn location(&self, name: &str) -> String {
        // Below a state the fields stand in objects of their own, for instance `Catch[0]`.
        let state = self.path.rfind("States.").map_or(self.path.as_str(), |at| &self.path[at + "States.".len()..]);
        match state.split_once('.') {
            Some((_, inner)) => format!("{}/{name}", inner.replace('.', "/")),
            None => name.to_owned(),
        }
    }

    /// With JSONata: the expression that is the whole value of a field.
    pub(super) fn query(&mut self, name: &str) -> Result<Option<Query>, DefinitionError> {
        if self.language == Language::JsonPath {
            return Ok(None);
        }
        let Some(Value::String(text)) = self.fields.get(name) else { return Ok(None) };
        let Some(query) = Query::parse(text, &self.location(name)) else { return Ok(None) };
        self.fields.shift_remove(name);
        query.map(Some).map_err(|error| self.error(name, error.message))
    }

    /// `Parameters`, or `Arguments` with JSONata.
    pub(super) fn arguments(&mut self) -> Result<Option<Template>, DefinitionError> {
        match self.language {
            Language::JsonPath => self.template("Parameters"),
            Language::Jsonata => self.template("Arguments"),
        }
    }

    /// `Output`, which only JSONata has.
    pub(super) fn output(&mut self) -> Result<Option<Template>, DefinitionError> {
        if self.language == Language::Jsonata { self.template("Output") } else { Ok(None) }
    }

    /// `Assign`: the variables and how their values are computed.
    pub(super) fn assign(&mut self) -> Result<Option<Template>, DefinitionError> {
        let name = "Assign";
        let names: Vec<String> = match self.fields.get(name) {
            None => return Ok(None),
            Some(Value::Object(assigned)) => assigned.keys().cloned().collect(),
            Some(other) => return Err(self.error(name, format!("expected an object, found {}", kind(other)))),
        };
        for assigned in &names {
            let bare = match self.language {
                Language::JsonPath => assigned.strip_suffix(".$").unwrap_or(assigned),
                Language::Jsonata => assigned,
            };
            if !is_variable_name(bare) {
                let message = "a variable's name has 1 to 80 letters, digits and underscores, does not begin with a \
                               digit and is not \"states\"";
                return Err(DefinitionError::new(join(&self.at(name), assigned), message));
            }
        }
        self.template(name)
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
        self.fields.shift_remove(name)
    }

    /// Gives a field back that was only looked at.
    pub(super) fn put_back(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    pub(super) fn require(&mut self, name: &str) -> Result<Value, DefinitionError> {
        let missing = self.missing(&[name]);
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
        let missing = self.missing(&[name]);
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
        if self.language == Language::Jsonata {
            return match self.query(name)? {
                Some(query) => Ok(Some(Given::Computed(query))),
                None => Ok(self.whole(name, least, most)?.map(Given::Fixed)),
            };
        }
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
        if self.language == Language::Jsonata {
            return match self.query(name)? {
                Some(query) => Ok(Some(Given::Computed(query))),
                None => Ok(self.number(name, least, most)?.map(Given::Fixed)),
            };
        }
        let path_name = format!("{name}Path");
        self.at_most_one(&[name, &path_name])?;
        let fixed = self.number(name, least, most)?.map(Given::Fixed);
        Ok(fixed.or(self.path(&path_name)?.map(Given::At)))
    }

    /// `InputPath` and `OutputPath`: a path or null, `$` when absent.
    pub(super) fn selection(&mut self, name: &str) -> Result<Selection, DefinitionError> {
        if self.fields.get(name) == Some(&Value::Null) {
            self.fields.shift_remove(name);
            return Ok(Selection::Nothing);
        }
        Ok(Selection::Part(self.path(name)?.unwrap_or_else(Path::input)))
    }

    /// `ResultPath`: a path into the input or null, `$` when absent.
    pub(super) fn result_path(&mut self) -> Result<ResultPath, DefinitionError> {
        let name = "ResultPath";
        if self.fields.get(name) == Some(&Value::Null) {
            self.fields.shift_remove(name);
            return Ok(ResultPath::Discard);
        }
        let Some(path) = self.path(name)? else { return Ok(ResultPath::whole()) };
        match (path.root(), path.reference()) {
            (Root::Input, Some(steps)) => Ok(ResultPath::Place { text: path.text().to_owned(), steps }),
            (Root::Input, None) => {
                Err(self
                    .error(name, format!("\"{}\" may name more than one place; a result is put at one", path.text())))
            }
            (Root::Context | Root::Variable(_), _) => Err(self.error(
                name,
                "expected a path into the input (\"$…\"), found one into the context object or a variable",
            )),
        }
    }

    pub(super) fn template(&mut self, name: &str) -> Result<Option<Template>, DefinitionError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let path = self.at(name);
        match self.language {
            Language::JsonPath => template(&value, &path).map(Some),
            Language::Jsonata => Template::parse_queries(&value, &self.location(name))
                .map(Some)
                .map_err(|error| DefinitionError::new(below(&path, &error.place), error.message)),
        }
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

/// Parses a payload template of paths and intrinsic functions.
pub(super) fn template(value: &Value, path: &str) -> Result<Template, DefinitionError> {
    Template::parse(value).map_err(|error| {
        let (holder, field) = match error.place.rsplit_once('.').map(|(rest, _)| rest) {
            // The name ends in `.$`, so the last dot but one parts the field from what holds it.
            Some(rest) => match rest.rsplit_once('.') {
                Some((holder, field)) => (below(path, holder), format!("{field}.$")),
                None => (path.to_owned(), format!("{rest}.$")),
            },
            None => (path.to_owned(), error.place.clone()),
        };
        DefinitionError::new(below(path, &error.place), error.message).in_service_words(
            &holder,
            format!("The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"),
        )
    })
}

/// A place below a path.
fn below(path: &str, place: &str) -> String {
    if place.starts_with('[') || place.is_empty() { format!("{path}{place}") } else { join(path, place) }
}

fn is_variable_name(name: &str) -> bool {
    let mut signs = name.chars();
    signs.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && signs.all(|sign| sign.is_alphanumeric() || sign == '_')
        && name.chars().count() <= 80
        && name != "states"
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
