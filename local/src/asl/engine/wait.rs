//! Wait states.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::states::{Departure, Visit};
use crate::asl::context::Scope;
use crate::asl::definition::{Given, WaitState, WaitUntil};
use crate::asl::error::{StateError, Stop};
use crate::asl::path::Path;
use crate::asl::time;

impl Visit<'_> {
    pub(super) async fn wait(&self, wait: &WaitState, raw: Value) -> Result<Departure, Stop> {
        let duration = self.wait_duration(wait, &raw)?;
        self.sleep(duration).await?;
        let output = self.pass_through(&raw)?;
        let assigned = {
            let context = self.context(None);
            let selected = self.select(&self.state.input_path, Scope { input: &raw, context: &context })?;
            self.assigned(self.state.assign.as_ref(), Scope { input: &selected, context: &context })?
        };
        Ok(Departure::along(&wait.transition, output, assigned))
    }

    /// Sleeps unless the execution is stopped meanwhile.
    pub(super) async fn sleep(&self, duration: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.execution.cancel.cancelled() => Err(Stop::Aborted),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    fn wait_duration(&self, wait: &WaitState, raw: &Value) -> Result<Duration, StateError> {
        let seconds = match &wait.until {
            WaitUntil::Seconds(Given::Fixed(seconds)) => return Ok(Duration::from_secs(*seconds)),
            WaitUntil::Timestamp(Given::Fixed(timestamp)) => return Ok(until(*timestamp)),
            WaitUntil::Seconds(Given::Computed(query)) => {
                let context = self.context(None);
                let scope = Scope { input: raw, context: &context };
                let value = query.evaluate(scope).map_err(|error| self.located(error))?;
                return match value.as_i64() {
                    Some(seconds) if seconds >= 0 => Ok(Duration::from_secs(seconds.unsigned_abs())),
                    Some(seconds) => Err(self.located(StateError::evaluation(
                        Some("Seconds"),
                        format!("The Seconds field must not be negative: {seconds}"),
                    ))),
                    None => Err(self.located(query.unexpected("number", &value))),
                };
            }
            WaitUntil::Timestamp(Given::Computed(query)) => {
                let context = self.context(None);
                let scope = Scope { input: raw, context: &context };
                let value = query.evaluate(scope).map_err(|error| self.located(error))?;
                let Value::String(text) = &value else { return Err(self.located(query.unexpected("string", &value))) };
                return time::parse(text).map(until).ok_or_else(|| {
                    self.located(StateError::evaluation(
                        Some("Timestamp"),
                        format!(
                            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format \
                             string: {text}"
                        ),
                    ))
                });
            }
            WaitUntil::Timestamp(Given::At(path)) => {
                let value = self.value_at(path, raw)?;
                return value.as_str().and_then(time::parse).map(until).ok_or_else(|| {
                    self.located(StateError::runtime(format!(
                        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time \
                         format string: {} == {}",
                        path.text(),
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                    )))
                });
            }
            WaitUntil::Seconds(Given::At(path)) => (path, self.value_at(path, raw)?),
        };
        let (path, value) = seconds;
        match value.as_i64() {
            Some(seconds) if seconds >= 0 => Ok(Duration::from_secs(seconds.unsigned_abs())),
            Some(_) => Err(self.located(StateError::runtime(format!(
                "The SecondsPath parameter references a negative value: {} == {value}",
                path.text()
            )))),
            None => Err(self.located(StateError::runtime(format!(
                "The SecondsPath parameter cannot be parsed as a long value: {} == {value}",
                path.text()
            )))),
        }
    }

    fn value_at(&self, path: &Path, raw: &Value) -> Result<Value, StateError> {
        let context = self.context(None);
        let selected = self.select(&self.state.input_path, Scope { input: raw, context: &context })?;
        let scope = Scope { input: &selected, context: &context };
        let value = scope.find(path).map(std::borrow::Cow::into_owned);
        value.ok_or_else(|| self.located(StateError::runtime(scope.explain_absence(path))))
    }
}

/// Time until a moment, nothing if it has passed.
fn until(timestamp: Timestamp) -> Duration {
    let left = timestamp.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}
