//! Waiting for the user or the system to stop the command.

use tokio::signal::unix::{SignalKind, signal};

use super::error::{CommandError, Exit};

/// Signals that ask the process to stop. Listening begins when this is made, so make it before the work begins.
#[derive(Debug)]
pub struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Begins to listen. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`CommandError::Failed`] when the system refuses the handlers.
    pub fn listen() -> Result<Self, CommandError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(CommandError::failed)?,
            terminate: signal(SignalKind::terminate()).map_err(CommandError::failed)?,
        })
    }

    /// Waits for a signal and says how the command should end: [`Exit::Interrupted`] for Ctrl-C, [`Exit::Success`] for
    /// SIGTERM, the ordinary way to end a service.
    pub async fn stopped(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Success,
        }
    }
}
