//! The output of functions, line by line.
//!
//! Lines are cut at [`LINE_BYTES_MAX`], so a function that prints without end and without a newline costs no memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line that is kept, in bytes; the rest of a longer one is dropped and counted.
pub const LINE_BYTES_MAX: usize = 256 * 1_024;

/// How much of the end of an invocation's log is kept, in bytes, as in the service.
pub const LOG_TAIL_BYTES_MAX: usize = 4 * 1_024;

/// How long to wait for lines that a function wrote just before its answer, and how often at most.
const SETTLE_TIME: Duration = Duration::from_millis(1);
const SETTLE_ROUNDS: u32 = 20;

/// Which output a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The host itself: when an invocation began and ended, and how it went.
    Platform,
}

/// A line that a function wrote.
#[derive(Debug, Clone, Copy)]
pub struct LogLine<'a> {
    /// Name of the function.
    pub function: &'a str,
    /// Number of its environment, from 1.
    pub environment: u64,
    /// Where it was written to.
    pub stream: OutputStream,
    /// The line without its end; bytes that are not UTF-8 are replaced.
    pub text: &'a str,
    /// How many bytes of the line were dropped because it is too long.
    pub dropped_bytes: u64,
}

/// Takes the lines. Called from many tasks at once; must not block for long.
pub trait LogSink: Send + Sync {
    /// Called for every line.
    fn line(&self, line: LogLine<'_>);
}

/// Drops all lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLogs;

impl LogSink for NoLogs {
    fn line(&self, _line: LogLine<'_>) {}
}

/// Writes lines to a file, each after the name of its function and the number of its environment.
///
/// A line that cannot be written is counted and otherwise lost: a full disk must not fail the functions.
#[derive(Debug)]
pub struct LogFile {
    state: Mutex<LogFileState>,
}

#[derive(Debug)]
struct LogFileState {
    file: BufWriter<File>,
    lost: u64,
}

impl LogFile {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Self { state: Mutex::new(LogFileState { file, lost: 0 }) })
    }

    /// Lines that could not be written.
    pub fn lost_lines(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost
    }
}

impl LogSink for LogFile {
    fn line(&self, line: LogLine<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let LogLine { function, environment, text, dropped_bytes, .. } = line;
        let written = match dropped_bytes {
            0 => writeln!(state.file, "{function}/{environment} {text}"),
            _ => writeln!(state.file, "{function}/{environment} {text}… ({dropped_bytes} more bytes)"),
        };
        // Flushed line by line, so that the file tells what happened even when the process is killed.
        if written.and_then(|()| state.file.flush()).is_err() {
            state.lost += 1;
        }
    }
}

/// The end of the log of the invocation that an environment works on.
#[derive(Debug, Default)]
pub(super) struct InvocationLog {
    text: Mutex<String>,
}

impl InvocationLog {
    /// Forgets what was written before.
    pub(super) fn begin(&self) {
        self.lock().clear();
    }

    /// Adds a line and cuts the front off when there is too much.
    pub(super) fn add(&self, line: &str) {
        let mut text = self.lock();
        let kept = line.ceil_char_boundary(line.len().saturating_sub(LOG_TAIL_BYTES_MAX - 1));
        text.push_str(&line[kept..]);
        text.push('\n');
        if text.len() > LOG_TAIL_BYTES_MAX {
            let cut = text.ceil_char_boundary(text.len() - LOG_TAIL_BYTES_MAX);
            text.drain(..cut);
        }
    }

    /// Waits until nothing more is being written, but not long.
    pub(super) async fn settle(&self) {
        for _ in 0..SETTLE_ROUNDS {
            let before = self.lock().len();
            tokio::time::sleep(SETTLE_TIME).await;
            if self.lock().len() == before {
                return;
            }
        }
    }

    /// What is there.
    pub(super) fn end(&self) -> String {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one output of a process to its end and hands each line on.
pub(super) async fn forward(mut output: impl AsyncRead + Unpin, mut line: impl FnMut(&str, u64)) {
    let mut chunk = vec![0_u8; 16 * 1_024];
    let mut pending = PendingLine::default();
    // An output that cannot be read any more has ended as far as we are concerned.
    while let Ok(length) = output.read(&mut chunk).await
        && length > 0
    {
        let mut rest = &chunk[..length];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            pending.add(&rest[..end]);
            pending.hand_on(&mut line);
            rest = &rest[end + 1..];
        }
        pending.add(rest);
    }
    if !pending.text.is_empty() {
        pending.hand_on(&mut line);
    }
}

#[derive(Default)]
struct PendingLine {
    text: Vec<u8>,
    dropped: u64,
}

impl PendingLine {
    fn add(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LINE_BYTES_MAX - self.text.len());
        self.text.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }

    fn hand_on(&mut self, line: &mut impl FnMut(&str, u64)) {
        line(String::from_utf8_lossy(&self.text).trim_end_matches('\r'), self.dropped);
        self.text.clear();
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(output: &[u8]) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        forward(output, |text, dropped| lines.push((text.to_owned(), dropped))).await;
        lines
    }

    #[tokio::test]
    async fn splits_lines_and_cuts_long_ones() {
        let check = |found: Vec<(String, u64)>, expected: &[(&str, u64)]| {
            let expected: Vec<_> = expected.iter().map(|(text, dropped)| ((*text).to_owned(), *dropped)).collect();
            assert_eq!(found, expected);
        };
        check(lines(b"").await, &[]);
        check(lines(b"a\nb\r\n\nc").await, &[("a", 0), ("b", 0), ("", 0), ("c", 0)]);
        check(lines(b"\xff\n").await, &[("\u{fffd}", 0)]);
        let long = "x".repeat(LINE_BYTES_MAX);
        check(lines(format!("{long}yy\nz\n").as_bytes()).await, &[(&long, 2), ("z", 0)]);
    }

    #[test]
    fn keeps_the_end_of_a_log() {
        let log = InvocationLog::default();
        log.add("first");
        assert_eq!(log.end(), "first\n");
        log.add(&"x".repeat(LOG_TAIL_BYTES_MAX));
        log.add(&"ä".repeat(10));
        let tail = log.end();
        assert!(tail.len() <= LOG_TAIL_BYTES_MAX && tail.ends_with("ää\n") && tail.starts_with("xx"), "{tail}");
        log.add(&"ä".repeat(LOG_TAIL_BYTES_MAX));
        assert!(log.end().len() <= LOG_TAIL_BYTES_MAX);
    }

    #[test]
    fn writes_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("functions.log");
        let file = LogFile::create(&path).unwrap();
        let line = LogLine {
            function: "transform",
            environment: 2,
            stream: OutputStream::Stderr,
            text: "hello",
            dropped_bytes: 0,
        };
        file.line(line);
        file.line(LogLine { dropped_bytes: 7, ..line });
        assert_eq!(std::fs::read_to_string(path).unwrap(), "transform/2 hello\ntransform/2 hello… (7 more bytes)\n");
        assert_eq!(file.lost_lines(), 0);
    }
}
