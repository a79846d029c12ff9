//! Everything the command prints. Results go to standard output, so that they can be piped; notes, errors and progress
//! go to standard error.

use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::CommandError;
use crate::explain::explain;

/// Work that is done sooner shows no progress bar.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// The way to the user.
#[derive(Debug)]
pub struct Terminal {
    interactive: bool,
    /// Why a line of the result could not be written.
    failure: OnceLock<io::Error>,
}

/// The result of a command did not reach its reader.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output; what was written is not complete")]
struct OutputError {
    source: io::Error,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// The terminal of this process.
    #[must_use]
    pub fn new() -> Self {
        Self { interactive: io::stderr().is_terminal(), failure: OnceLock::new() }
    }

    /// Whether a person is watching standard error.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// One line of the result. That it could not be written is told by [`Terminal::finish`].
    pub fn line(&self, text: impl AsRef<str>) {
        self.keep(writeln!(io::stdout().lock(), "{}", text.as_ref()));
    }

    /// Ends the result.
    ///
    /// # Errors
    /// [`CommandError::Failed`] when a line of it could not be written, for instance because the disk is full.
    pub fn finish(self) -> Result<(), CommandError> {
        self.keep(io::stdout().lock().flush());
        match self.failure.into_inner() {
            None => Ok(()),
            Some(source) => Err(CommandError::failed(OutputError { source })),
        }
    }

    /// Keeps the first failure. A reader that has seen enough, like `head`, is no failure.
    fn keep(&self, written: io::Result<()>) {
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            let _ = self.failure.set(error);
        }
    }

    /// The result as indented JSON.
    pub fn json(&self, value: &Value) {
        self.line(format!("{value:#}"));
    }

    /// A remark beside the result.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// Something the user should look at.
    pub fn warning(&self, text: impl AsRef<str>) {
        self.note(format!("warning: {}", text.as_ref()));
    }

    /// An error with its causes.
    pub fn error(&self, error: &dyn Error) {
        self.note(format!("error: {}", explain(error)));
    }

    /// A progress bar over `total` steps that shows itself only when a person is watching and the work takes long.
    #[must_use]
    pub fn progress(&self, total: u64, what: &'static str) -> Progress {
        Progress { total, what, begun: Instant::now(), enabled: self.interactive, bar: None }
    }
}

/// A progress bar that shows itself after two seconds.
#[derive(Debug)]
pub struct Progress {
    total: u64,
    what: &'static str,
    begun: Instant,
    enabled: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Says how many steps are done.
    pub fn set(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.enabled && self.begun.elapsed() > PROGRESS_AFTER {
            let bar = ProgressBar::new(self.total);
            let template = "{bar:30} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left";
            // The template is constant; if indicatif refused it, its own style would do as well.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(self.what);
            bar.set_position(done);
            self.bar = Some(bar);
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A number of bytes for people: `999 bytes`, `1.5 KB`, `12 MB`. Decimal units, as disks and S3 bills use.
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    // What would be rounded up to 1000 belongs to the next unit.
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        value /= 1000.0;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A number with a comma before every three digits.
#[must_use]
pub fn human_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first 100 characters of a text of any length.
#[must_use]
pub fn shorten(text: &str) -> String {
    cut(text, 100)
}

/// The first `most` characters of a text, in one line.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_short() {
        let check = |bytes: u64, expected: &str| assert_eq!(human_bytes(bytes), expected);
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(1000, "1.0 KB");
        check(1540, "1.5 KB");
        check(12_345, "12 KB");
        check(999_499, "999 KB");
        check(999_500, "1.0 MB");
        check(5_000_000_000, "5.0 GB");
        assert_eq!(human_count(0), "0");
        assert_eq!(human_count(999), "999");
        assert_eq!(human_count(1000), "1,000");
        assert_eq!(human_count(12_345_678), "12,345,678");
    }

    #[test]
    fn only_a_reader_that_went_away_is_no_failure() {
        let check = |kind: ErrorKind, fails: bool| {
            let terminal = Terminal::new();
            terminal.keep(Err(kind.into()));
            assert_eq!(terminal.finish().is_err(), fails, "{kind}");
        };
        check(ErrorKind::BrokenPipe, false);
        check(ErrorKind::StorageFull, true);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"ä".repeat(100)), "ä".repeat(100));
        assert_eq!(cut("a\nb\u{1b}[31m", 3), "a b…");
        assert_eq!(shorten(&"x".repeat(101)), format!("{}…", "x".repeat(100)));
    }
}
