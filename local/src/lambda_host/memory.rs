//! Watches the memory of a function's process.
//!
//! The service kills a process that wants more memory than its function has. Limiting the address space would hit
//! programs that only reserve much, so the resident memory is looked at, some dozens of times a second: a process may go
//! over its limit for that long. Where the system does not tell the resident memory, nothing is limited.

use std::time::Duration;

use super::FunctionConfig;
use super::process::resident_bytes;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(20);

/// What the service answers: to the caller it looks like a crash.
pub(super) const ERROR_TYPE: &str = "Runtime.ExitError";
/// What the service writes into the log.
pub(super) const REPORTED_TYPE: &str = "Runtime.OutOfMemory";
/// What the service says of it.
pub(super) const MESSAGE: &str = "Runtime exited with error: signal: killed";

/// Returns when the process has more resident memory than its function may have; never, where that is not limited.
pub(super) async fn exceeded(config: &FunctionConfig, process: Option<u32>) {
    let (true, Some(process)) = (config.limit_memory, process) else { return std::future::pending().await };
    let most = u64::from(config.memory_mb) * 1_024 * 1_024;
    loop {
        tokio::time::sleep(INTERVAL).await;
        if resident_bytes(process).is_some_and(|bytes| bytes > most) {
            return;
        }
    }
}
