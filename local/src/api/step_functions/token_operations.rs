//! Operations of those who have the token of a task (`.waitForTaskToken`): they end it, or give a sign of life.
//!
//! A token does not say which state machine has handed it out, so the engines of all running executions are asked.

use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;
use super::execution_operations::{CAUSE_CHARACTERS_MAX, ERROR_CHARACTERS_MAX, check_length};
use super::fields::Fields;
use crate::asl::{Engine, TokenError};

/// Longest token, as in the service.
const TOKEN_CHARACTERS_MAX: usize = 2_048;

impl Api {
    pub(super) fn send_task_success(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let token = token(&mut fields)?;
        let text = fields.required_text("output")?;
        fields.finish()?;
        let most = self.options.quotas.payload_bytes;
        if text.len() > most {
            let constraint = format!("Member must have length less than or equal to {most}");
            return Err(ApiError::constraint("output", &format!("{} bytes", text.len()), &constraint));
        }
        let output: Value = serde_json::from_str(&text)
            .map_err(|error| ApiError::new("InvalidOutput", format!("Invalid Output: '{error}'")))?;
        self.tell(&token, |engine| engine.send_task_success(&token, output.clone()))
    }

    pub(super) fn send_task_failure(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let token = token(&mut fields)?;
        let error = fields.text("error")?;
        let cause = fields.text("cause")?;
        fields.finish()?;
        check_length("error", error.as_deref(), ERROR_CHARACTERS_MAX)?;
        check_length("cause", cause.as_deref(), CAUSE_CHARACTERS_MAX)?;
        self.tell(&token, |engine| engine.send_task_failure(&token, error.clone(), cause.clone()))
    }

    pub(super) fn send_task_heartbeat(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let token = token(&mut fields)?;
        fields.finish()?;
        self.tell(&token, |engine| engine.send_task_heartbeat(&token))
    }

    /// Tells the engine whose task waits for the token.
    fn tell(&self, token: &str, send: impl Fn(&Engine) -> Result<(), TokenError>) -> Result<Value, ApiError> {
        let engines = self.store.lock().engines();
        if engines.iter().any(|engine| send(engine).is_ok()) {
            return Ok(json!({}));
        }
        let is_token = token.bytes().all(|byte| byte.is_ascii_hexdigit());
        Err(if is_token {
            ApiError::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        } else {
            ApiError::new("InvalidToken", "Invalid Token: 'Invalid token'")
        })
    }
}

fn token(fields: &mut Fields) -> Result<String, ApiError> {
    let token = fields.required_text("taskToken")?;
    if token.is_empty() || token.len() > TOKEN_CHARACTERS_MAX {
        return Err(ApiError::new("InvalidToken", "Invalid Token: 'Invalid token'"));
    }
    Ok(token)
}
