//! Tasks that somebody else ends: `.waitForTaskToken`.
//!
//! Such a task hands out a token and waits. Whoever has the token ends the task with a result or an error, or gives signs
//! of life meanwhile. At most [`WAITING_MAX`] tasks wait at a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc;

/// Most tasks that wait at a time.
const WAITING_MAX: usize = 100_000;
/// Most signals of one task that are on the way.
const SIGNALS_MAX: usize = 4;

/// A token that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No task waits for it: there never was one, or it has ended.
    #[error("no task waits for this token")]
    Unknown,
}

/// What is said of a waiting task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Signal {
    Success(Value),
    Failure { error: Option<String>, cause: Option<String> },
    Heartbeat,
}

/// The tokens of waiting tasks.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    waiting: Mutex<HashMap<String, mpsc::Sender<Signal>>>,
}

/// A task that waits; its token is worth nothing any more when this is dropped.
pub(super) struct Waiting<'t> {
    tokens: &'t Tokens,
    pub(super) token: String,
    signals: mpsc::Receiver<Signal>,
}

impl Tokens {
    /// A new token; `None` when too many tasks wait already.
    pub(super) fn issue(&self) -> Option<Waiting<'_>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let (sender, signals) = mpsc::channel(SIGNALS_MAX);
        waiting.insert(token.clone(), sender);
        Some(Waiting { tokens: self, token, signals })
    }

    pub(super) fn send(&self, token: &str, signal: Signal) -> Result<(), TokenError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = waiting.get(token).ok_or(TokenError::Unknown)?;
        if signal == Signal::Heartbeat {
            // The last place is for the end; where only it is left, signs of life are on the way already.
            return if sender.capacity() > 1 {
                sender.try_send(signal).map_err(|_| TokenError::Unknown)
            } else {
                Ok(())
            };
        }
        let sent = sender.try_send(signal).map_err(|_| TokenError::Unknown);
        waiting.remove(token);
        sent
    }
}

impl Waiting<'_> {
    /// The next signal.
    pub(super) async fn signal(&mut self) -> Option<Signal> {
        self.signals.recv().await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.tokens.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_end_a_task_once() {
        let tokens = Tokens::default();
        let mut waiting = tokens.issue().unwrap();
        let token = waiting.token.clone();
        assert_eq!(tokens.send("other", Signal::Heartbeat), Err(TokenError::Unknown));
        tokens.send(&token, Signal::Heartbeat).unwrap();
        tokens.send(&token, Signal::Success(Value::Null)).unwrap();
        assert_eq!(tokens.send(&token, Signal::Success(Value::Null)), Err(TokenError::Unknown));
        assert_eq!(waiting.signal().await, Some(Signal::Heartbeat));
        assert_eq!(waiting.signal().await, Some(Signal::Success(Value::Null)));
        let dropped = tokens.issue().unwrap().token.clone();
        assert_eq!(tokens.send(&dropped, Signal::Heartbeat), Err(TokenError::Unknown));
    }
}
