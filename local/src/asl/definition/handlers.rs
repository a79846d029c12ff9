//! `Retry` and `Catch`.

use serde_json::Value;

use super::fields::Fields;
use super::{DefinitionError, Handlers, Language, ResultPath};
use crate::asl::error::names;
use crate::asl::retry::{Catcher, Retrier};

/// Bounds of the retrier fields, as in the service.
const MAX_ATTEMPTS_MAX: u64 = 99_999_999;
const INTERVAL_SECONDS_MAX: u64 = 99_999_999;
const MAX_DELAY_SECONDS_MAX: u64 = 31_622_400;
const DEFAULT_MAX_ATTEMPTS: u64 = 3;

pub(super) fn parse(fields: &mut Fields) -> Result<Handlers, DefinitionError> {
    let retry = fields.array("Retry")?.unwrap_or_default();
    let catch = fields.array("Catch")?.unwrap_or_default();
    let retry: Vec<_> =
        retry.into_iter().map(|(path, value)| retrier(fields.inner(value, &path)?)).collect::<Result<_, _>>()?;
    let catch: Vec<_> =
        catch.into_iter().map(|(path, value)| catcher(fields.inner(value, &path)?)).collect::<Result<_, _>>()?;
    check_wildcards(fields, "Retry", retry.iter().map(|retrier| &retrier.error_equals))?;
    check_wildcards(fields, "Catch", catch.iter().map(|catcher| &catcher.error_equals))?;
    Ok(Handlers { retry, catch })
}

fn retrier(mut fields: Fields) -> Result<Retrier, DefinitionError> {
    fields.string("Comment")?;
    let retrier = Retrier {
        error_equals: error_equals(&mut fields)?,
        interval_seconds: fields.whole("IntervalSeconds", 1, INTERVAL_SECONDS_MAX)?.unwrap_or(1) as f64,
        max_attempts: fields.whole("MaxAttempts", 0, MAX_ATTEMPTS_MAX)?.unwrap_or(DEFAULT_MAX_ATTEMPTS),
        backoff_rate: fields.number("BackoffRate", 1.0, f64::MAX)?.unwrap_or(2.0),
        max_delay_seconds: fields.whole("MaxDelaySeconds", 1, MAX_DELAY_SECONDS_MAX)?.map(|seconds| seconds as f64),
        full_jitter: fields.one_of("JitterStrategy", &[("FULL", true), ("NONE", false)])?.unwrap_or(false),
    };
    if retrier.max_delay_seconds.is_some_and(|most| most <= retrier.interval_seconds) {
        return Err(fields.error("MaxDelaySeconds", "must be greater than IntervalSeconds"));
    }
    fields
        .finish("ErrorEquals, IntervalSeconds, MaxAttempts, BackoffRate, MaxDelaySeconds, JitterStrategy, Comment")?;
    Ok(retrier)
}

fn catcher(mut fields: Fields) -> Result<Catcher, DefinitionError> {
    fields.string("Comment")?;
    let jsonpath = fields.language() == Language::JsonPath;
    let catcher = Catcher {
        error_equals: error_equals(&mut fields)?,
        result_path: if jsonpath { fields.result_path()? } else { ResultPath::whole() },
        assign: fields.assign()?,
        output: fields.output()?,
        next: fields.required_string("Next")?,
    };
    fields.finish("ErrorEquals, ResultPath (Output with JSONata), Assign, Next, Comment")?;
    Ok(catcher)
}

fn error_equals(fields: &mut Fields) -> Result<Vec<String>, DefinitionError> {
    let errors = fields.array("ErrorEquals")?.unwrap_or_default();
    if errors.is_empty() {
        return Err(fields.error("ErrorEquals", "at least one error name is required"));
    }
    errors
        .into_iter()
        .map(|(path, value)| match value {
            Value::String(name) => Ok(name),
            _ => Err(DefinitionError::new(path, "expected an error name as text")),
        })
        .collect()
}

/// `States.ALL` stands alone and last, otherwise it would hide what comes after it.
fn check_wildcards<'e>(
    fields: &Fields,
    name: &str,
    handlers: impl ExactSizeIterator<Item = &'e Vec<String>>,
) -> Result<(), DefinitionError> {
    let last = handlers.len().saturating_sub(1);
    for (position, errors) in handlers.enumerate() {
        if errors.iter().any(|error| error == names::ALL) && (errors.len() > 1 || position != last) {
            return Err(fields.error(
                &format!("{name}[{position}].ErrorEquals"),
                format!("\"{}\" must stand alone and in the last entry", names::ALL),
            ));
        }
    }
    Ok(())
}
