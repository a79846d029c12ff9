//! The context object `$$`: what a state may know of its execution, its state machine, itself and its Map item.
//!
//! It is built only when a path asks for it. The current item of a Map is kept apart, so that an `ItemSelector` with
//! `$$.Map.Item.Value` does not copy the rest of the object for each of millions of items.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use super::path::{Path, Root};
use super::variables::Variables;

/// Who an execution is; the same for all of its states.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) execution_id: String,
    pub(crate) execution_name: String,
    pub(crate) role: String,
    pub(crate) start_time: String,
    pub(crate) input: Arc<Value>,
    pub(crate) state_machine_id: String,
    pub(crate) state_machine_name: String,
    /// How often the execution was redriven, and when last.
    pub(crate) redrive_count: u64,
    pub(crate) redrive_time: Option<String>,
}

/// The item that a Map is at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ItemContext {
    /// Position of the item in its data set, from 0.
    pub(crate) index: u64,
    /// Its name, when the data set is an object.
    pub(crate) key: Option<String>,
    /// The item.
    pub(crate) value: Value,
    /// Where the item comes from; only Distributed Maps say so.
    pub(crate) source: Option<Arc<str>>,
}

/// The context object of one visit to one state.
pub(crate) struct Context<'e> {
    identity: &'e Identity,
    state: &'e str,
    entered_time: &'e str,
    retry_count: Option<u64>,
    item: Option<&'e ItemContext>,
    extras: Extras<'e>,
    whole: OnceLock<Value>,
}

/// What only some moments of a visit have.
#[derive(Debug, Clone, Copy, Default)]
struct Extras<'e> {
    variables: Option<&'e Variables>,
    /// `$states.result`
    result: Option<&'e Value>,
    /// `$states.errorOutput`
    error_output: Option<&'e Value>,
    /// `$$.Task.Token`
    token: Option<&'e str>,
}

impl<'e> Context<'e> {
    pub(crate) fn new(
        identity: &'e Identity,
        state: &'e str,
        entered_time: &'e str,
        retry_count: Option<u64>,
        item: Option<&'e ItemContext>,
    ) -> Self {
        Self { identity, state, entered_time, retry_count, item, extras: Extras::default(), whole: OnceLock::new() }
    }

    /// The same visit with the variables that it sees.
    pub(crate) fn with_variables(self, variables: &'e Variables) -> Self {
        Self { extras: Extras { variables: Some(variables), ..self.extras }, ..self }
    }

    /// The same visit after its work is done.
    pub(crate) fn with_result(self, result: &'e Value) -> Self {
        Self { extras: Extras { result: Some(result), ..self.extras }, ..self }
    }

    /// The same visit after its work has failed.
    pub(crate) fn with_error_output(self, error_output: &'e Value) -> Self {
        Self { extras: Extras { error_output: Some(error_output), ..self.extras }, ..self }
    }

    /// The same visit with the token that somebody else ends its task by.
    pub(crate) fn with_token(self, token: Option<&'e str>) -> Self {
        Self { extras: Extras { token, ..self.extras }, whole: OnceLock::new(), ..self }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&'e Value> {
        self.extras.variables?.get(name)
    }

    /// What `$states` is for an expression: the context object only where the expression can reach it.
    pub(crate) fn states(&self, input: &Value, expression: &str) -> Value {
        let mut states = Map::new();
        states.insert("input".to_owned(), input.clone());
        if let Some(result) = self.extras.result {
            states.insert("result".to_owned(), result.clone());
        }
        if let Some(error_output) = self.extras.error_output {
            states.insert("errorOutput".to_owned(), error_output.clone());
        }
        let taken_whole =
            || expression.match_indices("$states").any(|(at, name)| !expression[at + name.len()..].starts_with('.'));
        if expression.contains("context") || taken_whole() {
            states.insert("context".to_owned(), self.whole().clone());
        }
        Value::Object(states)
    }

    /// The same visit, looking at another item.
    pub(crate) fn with_item<'i>(&'i self, item: &'i ItemContext) -> Context<'i> {
        let context = Context::new(self.identity, self.state, self.entered_time, self.retry_count, Some(item));
        Context { extras: self.extras, ..context }
    }

    fn whole(&self) -> &Value {
        self.whole.get_or_init(|| {
            let mut state = json!({"Name": self.state, "EnteredTime": self.entered_time});
            if let (Some(retries), Value::Object(fields)) = (self.retry_count, &mut state) {
                fields.insert("RetryCount".to_owned(), json!(retries));
            }
            let mut whole = json!({
                "Execution": {
                    "Id": self.identity.execution_id,
                    "Input": &*self.identity.input,
                    "Name": self.identity.execution_name,
                    "RoleArn": self.identity.role,
                    "StartTime": self.identity.start_time,
                    "RedriveCount": self.identity.redrive_count,
                },
                "State": state,
                "StateMachine": {
                    "Id": self.identity.state_machine_id,
                    "Name": self.identity.state_machine_name,
                },
            });
            if let (Some(time), Some(Value::Object(fields))) = (&self.identity.redrive_time, whole.get_mut("Execution"))
            {
                fields.insert("RedriveTime".to_owned(), json!(time));
            }
            if let (Some(item), Value::Object(fields)) = (self.item, &mut whole) {
                fields.insert("Map".to_owned(), json!({"Item": item_value(item)}));
            }
            if let (Some(token), Value::Object(fields)) = (self.extras.token, &mut whole) {
                fields.insert("Task".to_owned(), json!({"Token": token}));
            }
            whole
        })
    }

    /// What a path into the context object names.
    fn find<'c>(&'c self, path: &Path) -> Option<Cow<'c, Value>> {
        let mut fields = path.leading_fields();
        if let (Some(item), Some("Map"), Some("Item"), Some(part)) =
            (self.item, fields.next(), fields.next(), fields.next())
        {
            return match (part, path.len()) {
                ("Value", _) => path.find_after(3, &item.value),
                ("Index", 3) => Some(Cow::Owned(json!(item.index))),
                ("Key", 3) => item.key.as_deref().map(|text| Cow::Owned(json!(text))),
                ("Source", 3) => item.source.as_deref().map(|text| Cow::Owned(json!(text))),
                _ => None,
            };
        }
        path.find(self.whole())
    }
}

fn item_value(item: &ItemContext) -> Value {
    let mut fields = Map::new();
    fields.insert("Index".to_owned(), json!(item.index));
    if let Some(key) = &item.key {
        fields.insert("Key".to_owned(), json!(key));
    }
    fields.insert("Value".to_owned(), item.value.clone());
    if let Some(source) = &item.source {
        fields.insert("Source".to_owned(), json!(&**source));
    }
    Value::Object(fields)
}

/// What the paths of a state are resolved against.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// `$`
    pub(crate) input: &'a Value,
    /// `$$`
    pub(crate) context: &'a Context<'a>,
}

impl<'a> Scope<'a> {
    /// What a path names, `None` when there is nothing.
    pub(crate) fn find(&self, path: &Path) -> Option<Cow<'a, Value>> {
        match path.root() {
            Root::Input => path.find(self.input),
            Root::Context => self.context.find(path),
            Root::Variable(name) => path.find(self.context.variable(name)?),
        }
    }

    /// Why `find` found nothing, in the words of the service.
    pub(crate) fn explain_absence(&self, path: &Path) -> String {
        match path.root() {
            Root::Input => path.explain_absence(self.input),
            Root::Context => path.explain_absence(self.context.whole()),
            Root::Variable(name) => match self.context.variable(name) {
                Some(value) => path.explain_absence(value),
                None => format!("The variable '{name}' has no value: path '{}'", path.text()),
            },
        }
    }

    /// The root that a path starts from, as text for error causes.
    pub(crate) fn root_text(&self, path: &Path) -> String {
        match path.root() {
            Root::Input => self.input.to_string(),
            Root::Context => self.context.whole().to_string(),
            Root::Variable(name) => self.context.variable(name).map(Value::to_string).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            execution_id: "arn:execution:1".to_owned(),
            execution_name: "one".to_owned(),
            role: "arn:role".to_owned(),
            start_time: "2026-01-01T00:00:00Z".to_owned(),
            input: Arc::new(json!({"whole": "input"})),
            state_machine_id: "arn:machine".to_owned(),
            state_machine_name: "machine".to_owned(),
            redrive_count: 0,
            redrive_time: None,
        }
    }

    #[test]
    fn resolves_context_paths() {
        let identity = identity();
        let item = ItemContext { index: 7, key: None, value: json!({"Key": "k"}), source: Some("S3://bucket".into()) };
        let plain = Context::new(&identity, "Here", "2026-01-01T00:00:01Z", Some(2), None);
        let with_item = plain.with_item(&item);
        let check = |context: &Context<'_>, text: &str, expected: Option<Value>| {
            let scope = Scope { input: &Value::Null, context };
            assert_eq!(scope.find(&Path::parse(text).unwrap()).map(Cow::into_owned), expected, "{text}");
        };
        check(&plain, "$$.Execution.Id", Some(json!("arn:execution:1")));
        check(&plain, "$$.Execution.Input.whole", Some(json!("input")));
        check(&plain, "$$.State.RetryCount", Some(json!(2)));
        check(&plain, "$$.StateMachine.Name", Some(json!("machine")));
        check(&plain, "$$.Map.Item.Index", None);
        check(&with_item, "$$.Map.Item.Index", Some(json!(7)));
        check(&with_item, "$$.Map.Item.Value.Key", Some(json!("k")));
        check(&with_item, "$$.Map.Item.Source", Some(json!("S3://bucket")));
        check(&with_item, "$$.Map.Item.Key", None);
        let member = ItemContext { key: Some("name".to_owned()), ..item.clone() };
        check(&plain.with_item(&member), "$$.Map.Item.Key", Some(json!("name")));
        check(
            &with_item,
            "$$.Map",
            Some(json!({"Item": {"Index": 7, "Value": {"Key": "k"}, "Source": "S3://bucket"}})),
        );
    }
}
