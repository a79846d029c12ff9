//! The process of an environment: starting, watching, measuring, ending.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tokio::process::{Child, Command};

use super::logs::{LogLine, OutputStream, forward};
use super::{FunctionConfig, HostOptions, variables};

/// Starts the function's program. Its output goes to the log sink until it ends; dropping the child kills it.
///
/// The process stays in our process group, so an interrupt at the terminal reaches it too.
pub(super) fn start(
    config: &FunctionConfig,
    options: &HostOptions,
    environment: u64,
    runtime_api: &str,
) -> std::io::Result<Child> {
    let log_stream = format!("{environment:08}");
    let mut command = Command::new(&config.command);
    command
        .args(&config.arguments)
        .env_clear()
        .envs(variables::of_environment(config, options, runtime_api, &log_stream))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(task_root) = config.command.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        command.current_dir(task_root);
    }
    let mut child = command.spawn()?;
    if let Some(output) = child.stdout.take() {
        tokio::spawn(collect(
            output,
            config.name.clone(),
            environment,
            OutputStream::Stdout,
            Arc::clone(&options.logs),
        ));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(collect(
            output,
            config.name.clone(),
            environment,
            OutputStream::Stderr,
            Arc::clone(&options.logs),
        ));
    }
    Ok(child)
}

async fn collect(
    output: impl tokio::io::AsyncRead + Unpin,
    function: String,
    environment: u64,
    stream: OutputStream,
    logs: Arc<dyn super::LogSink>,
) {
    let hand_on = |text: &str, dropped_bytes: u64| {
        logs.line(LogLine { function: &function, environment, stream, text, dropped_bytes });
    };
    forward(output, hand_on).await;
}

/// Largest resident memory of a process so far, in bytes, where the system tells.
pub(super) fn peak_memory_bytes(process: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
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
