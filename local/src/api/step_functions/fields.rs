//! Reads the members of a request and checks them against the constraints of the service's model.
//!
//! Every member is taken out as it is read; [`Fields::finish`] refuses what is left over, because a member that nobody
//! reads would be ignored.

use serde_json::{Map, Value};

use super::error::ApiError;

/// Longest name of a state machine or execution, in characters.
const NAME_CHARACTERS_MAX: usize = 80;
/// Longest ARN, in characters. That of a Map Run may be longer.
const ARN_CHARACTERS_MAX: usize = 256;
const MAP_RUN_ARN_CHARACTERS_MAX: usize = 2_000;

/// The members of a request that are not read yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body of a request. No body at all is the same as `{}`.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) | Err(_) => {
                Err(ApiError::new("SerializationException", "the body of the request is not a JSON object"))
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A member that may have any form.
    pub(super) fn any(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_kind(name, "a string")),
        }
    }

    pub(super) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| ApiError::missing(name))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(wrong_kind(name, "true or false")),
        }
    }

    /// A whole number from 0 to `most`.
    pub(super) fn whole(&mut self, name: &str, most: u64) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        if value.as_i64().is_some_and(|number| number < 0) {
            let constraint = "Member must have value greater than or equal to 0";
            return Err(ApiError::constraint(name, &value.to_string(), constraint));
        }
        match value.as_u64() {
            None => Err(wrong_kind(name, "a whole number")),
            Some(number) if number > most => {
                let constraint = format!("Member must have value less than or equal to {most}");
                Err(ApiError::constraint(name, &number.to_string(), &constraint))
            }
            Some(number) => Ok(Some(number)),
        }
    }

    /// A share in percent.
    pub(super) fn percentage(&mut self, name: &str) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_kind(name, "a number"))?;
        if (0.0..=100.0).contains(&number) {
            return Ok(Some(number));
        }
        Err(ApiError::constraint(name, &value.to_string(), "Member must be between 0 and 100"))
    }

    /// One of the words of an enumeration.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Err(ApiError::constraint(name, &text, &format!("Member must satisfy enum value set: [{known}]")))
    }

    /// The ARN of a state machine, an execution or a Map Run: the member `name` with one of the `kinds` in it.
    pub(super) fn arn(&mut self, name: &str, kinds: &[&str]) -> Result<String, ApiError> {
        self.optional_arn(name, kinds)?.ok_or_else(|| ApiError::missing(name))
    }

    pub(super) fn optional_arn(&mut self, name: &str, kinds: &[&str]) -> Result<Option<String>, ApiError> {
        let Some(arn) = self.text(name)? else { return Ok(None) };
        let most = if kinds == ["mapRun"] { MAP_RUN_ARN_CHARACTERS_MAX } else { ARN_CHARACTERS_MAX };
        let parts: Vec<_> = arn.splitn(7, ':').collect();
        let fits = arn.chars().count() <= most
            && matches!(parts.as_slice(), ["arn", partition, "states", _, _, kind, rest]
                if partition.starts_with("aws") && kinds.contains(kind) && !rest.is_empty());
        if fits { Ok(Some(arn)) } else { Err(ApiError::invalid_arn(&arn)) }
    }

    /// A name of a state machine or an execution.
    pub(super) fn name(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let forbidden =
            |sign: char| sign.is_whitespace() || sign.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(sign);
        let length = text.chars().count();
        if length == 0 || length > NAME_CHARACTERS_MAX || text.contains(forbidden) {
            return Err(ApiError::new("InvalidName", format!("Invalid Name: '{text}'")));
        }
        Ok(Some(text))
    }

    /// Refuses members that the operation does not have, or that are not supported here.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::validation(format!("the member '{name}' is not supported here"))),
        }
    }
}

fn wrong_kind(name: &str, expected: &str) -> ApiError {
    ApiError::new("SerializationException", format!("the member '{name}' must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_checked_as_the_model_says() {
        let check = |body: &str, read: &dyn Fn(&mut Fields) -> Result<(), ApiError>, expected: &str| {
            let mut fields = Fields::parse(body.as_bytes()).unwrap();
            let outcome = read(&mut fields).and_then(|()| fields.finish());
            let found = outcome.map_or_else(|error| format!("{}: {}", error.kind, error.message), |()| "ok".to_owned());
            assert!(found.contains(expected), "{body}: {found}");
        };
        let arn = |fields: &mut Fields| fields.arn("a", &["execution", "express"]).map(drop);
        check(r#"{"a":"arn:aws:states:us-east-1:0:execution:m:n"}"#, &arn, "ok");
        check(r#"{"a":"arn:aws-cn:states:x:0:express:m:n:u"}"#, &arn, "ok");
        check(r#"{"a":"arn:aws:states:us-east-1:0:stateMachine:m"}"#, &arn, "InvalidArn: Invalid Arn: 'arn:aws");
        check(r#"{"a":"nothing"}"#, &arn, "InvalidArn");
        check("{}", &arn, "Value null at 'a'");
        check(r#"{"a":1}"#, &arn, "SerializationException");
        let name = |fields: &mut Fields| fields.name("n").map(drop);
        check(r#"{"n":"a.b-c_1+ü@(x)=!"}"#, &name, "ok");
        check(&format!(r#"{{"n":"{}"}}"#, "x".repeat(81)), &name, "InvalidName");
        for wrong in ["", "a b", "a/b", "a:b", "a*", "a$"] {
            check(&format!(r#"{{"n":"{wrong}"}}"#), &name, "InvalidName: Invalid Name");
        }
        let whole = |fields: &mut Fields| fields.whole("w", 1_000).map(drop);
        check(r#"{"w":1000}"#, &whole, "ok");
        check(r#"{"w":1001}"#, &whole, "Value '1001' at 'w' failed to satisfy constraint: Member must have value less");
        check(r#"{"w":-1}"#, &whole, "greater than or equal to 0");
        check(r#"{"w":1.5}"#, &whole, "must be a whole number");
        let word = |fields: &mut Fields| fields.word("t", &[("STANDARD", 1), ("EXPRESS", 2)]).map(drop);
        check(r#"{"t":"EXPRESS"}"#, &word, "ok");
        check(r#"{"t":"FAST"}"#, &word, "Member must satisfy enum value set: [STANDARD, EXPRESS]");
        check(r#"{"unknown":1}"#, &word, "the member 'unknown' is not supported here");
        check(r#"{"unknown":null}"#, &word, "ok");
        assert_eq!(Fields::parse(b"[1]").err().map(|error| error.kind), Some("SerializationException"));
        assert!(Fields::parse(b"").is_ok());
    }
}
