//! Waiting for the user or the system to stop the command.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CommandError;

/// A signal that asks the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// The terminal is gone (SIGHUP).
    HangUp,
    /// Ctrl-C (SIGINT).
    Interrupt,
    /// Ctrl-\ (SIGQUIT).
    Quit,
    /// The ordinary way to end a service (SIGTERM).
    Terminate,
}

impl StopSignal {
    /// The exit code by which a shell knows that a signal ended the command: 128 and the signal's number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Quit => 131,
            Self::Terminate => 143,
        }
    }
}

/// Signals that ask the process to stop. Listening begins when this is made, so make it before the work begins.
#[derive(Debug)]
pub struct StopSignals {
    /// `None`: the process was told to live on without its terminal.
    hang_up: Option<Signal>,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Begins to listen. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`CommandError::Failed`] when the system refuses the handlers.
    pub fn listen() -> Result<Self, CommandError> {
        let listen = |kind| signal(kind).map_err(CommandError::failed);
        Ok(Self {
            hang_up: if hang_up_is_ignored() { None } else { Some(listen(SignalKind::hangup())?) },
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal and says which one came.
    pub async fn stopped(&mut self) -> StopSignal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hang_up => StopSignal::HangUp,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.quit.recv() => StopSignal::Quit,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }
}

/// Whether `nohup` or the like started us: then the end of the terminal is not to end the work. Where the system does not
/// tell, it is.
fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hang_up(&status))
}

/// The signals that a process ignores are a mask in which SIGHUP, the first signal, is the lowest bit.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_recognised() {
        let check = |status: &str, expected: bool| assert_eq!(ignores_hang_up(status), expected, "{status}");
        check("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n", true);
        check("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n", false);
        check("", false);
    }
}
