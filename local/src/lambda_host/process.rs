//! The process of an environment: starting, watching, measuring, ending.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncRead;
use tokio::process::{Child, Command};

use super::logs::{InvocationLog, LogLine, OutputStream, forward};
use super::{FunctionConfig, HostOptions, variables};

/// A function's program and everything that it has started. Dropping it kills them all.
pub(super) struct Process {
    child: Child,
    /// The process group; `None` when it has been killed.
    group: Option<Pid>,
}

impl Process {
    /// Id of the program's process, while it is not reaped.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What looking at its memory needs.
    pub(super) fn watched(&self) -> Option<u32> {
        self.child.id()
    }

    /// True while the program runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the program has ended by itself.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills the whole group and waits until the program is gone; one that has ended already is only reaped.
    pub(super) async fn end(&mut self) {
        self.kill_group();
        let _ = self.child.kill().await;
    }

    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // A group of which nobody is left is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// Starts the function's program in a process group of its own. Its output goes to the log sink until it ends.
pub(super) fn start(
    config: &FunctionConfig,
    options: &HostOptions,
    environment: u64,
    runtime_api: &str,
    log: &Arc<InvocationLog>,
) -> std::io::Result<Process> {
    let log_stream = format!("{environment:08}");
    let mut command = Command::new(&config.command);
    command
        .args(&config.arguments)
        .env_clear()
        .envs(variables::of_environment(config, options, runtime_api, &log_stream))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(task_root) = config.command.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        command.current_dir(task_root);
    }
    let mut child = command.spawn()?;
    follow(child.stdout.take(), OutputStream::Stdout, environment, config, options, log);
    follow(child.stderr.take(), OutputStream::Stderr, environment, config, options, log);
    // The first process of a group has the group's id.
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok(Process { child, group })
}

/// Collects an output in the background, from now to its end.
fn follow(
    output: Option<impl AsyncRead + Send + Unpin + 'static>,
    stream: OutputStream,
    environment: u64,
    config: &FunctionConfig,
    options: &HostOptions,
    log: &Arc<InvocationLog>,
) {
    if let Some(output) = output {
        let (logs, log) = (Arc::clone(&options.logs), Arc::clone(log));
        tokio::spawn(collect(output, config.name.clone(), environment, stream, logs, log));
    }
}

async fn collect(
    output: impl tokio::io::AsyncRead + Unpin,
    function: String,
    environment: u64,
    stream: OutputStream,
    logs: Arc<dyn super::LogSink>,
    log: Arc<InvocationLog>,
) {
    let hand_on = |text: &str, dropped_bytes: u64| {
        log.add(text);
        logs.line(LogLine { function: &function, environment, stream, text, dropped_bytes });
    };
    forward(output, hand_on).await;
}

/// Largest resident memory of a process so far, in bytes, where the system tells.
pub(crate) fn peak_memory_bytes(process: Option<u32>) -> Option<u64> {
    memory_bytes(process?, "VmHWM:")
}

/// Lets [`peak_memory_bytes`] of this process begin anew with what it has now. Where the system cannot, nothing happens.
pub(crate) fn forget_peak_memory() {
    // The kernel's word for it: see `clear_refs` in proc(5).
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Resident memory of a process now, in bytes, where the system tells.
pub(super) fn resident_bytes(process: u32) -> Option<u64> {
    memory_bytes(process, "VmRSS:")
}

/// CPU time that a process has used so far, that of its threads included, where the system tells.
pub(super) fn cpu_time(process: Option<u32>) -> Option<Duration> {
    /// In `/proc` times are in hundredths of a second on every Linux (`USER_HZ`, proc(5)).
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process?)).ok()?;
    // The second field is the program's name in parentheses, which may hold anything; user and system time are 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some(TICK * (times.next()?.ok()? + times.next()?.ok()?))
}

fn memory_bytes(process: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// How a process ended, in the words of the service.
pub(super) fn describe_exit(status: std::io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;

    let Ok(status) = status else { return "Runtime exited without providing a reason".to_owned() };
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (None, None) => "Runtime exited without providing a reason".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        6 => "aborted".to_owned(),
        9 => "killed".to_owned(),
        11 => "segmentation fault".to_owned(),
        15 => "terminated".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_this_process() {
        assert!(peak_memory_bytes(Some(std::process::id())).unwrap() > 1_024 * 1_024);
        assert!(cpu_time(Some(std::process::id())).is_some());
        assert_eq!(peak_memory_bytes(None), None);
        assert_eq!(peak_memory_bytes(Some(u32::MAX)), None);
    }

    #[test]
    fn describes_exits() {
        use std::os::unix::process::ExitStatusExt;

        let check = |raw: i32, expected: &str| assert_eq!(describe_exit(Ok(ExitStatus::from_raw(raw))), expected);
        check(0, "Runtime exited without providing a reason");
        check(3 << 8, "Runtime exited with error: exit status 3");
        check(9, "Runtime exited with error: signal: killed");
    }
}
