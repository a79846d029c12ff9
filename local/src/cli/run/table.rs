//! The table at the end of a run, for people.

use std::path::Path;

use super::Terminal;
use super::summary::Summary;
use super::tally::Tally;
use crate::cli::terminal::{human_bytes, human_count};

/// Longest cause and message shown, in characters.
const MOST_CHARACTERS: usize = 400;

/// Prints the table.
pub(super) fn show(summary: &Summary, terminal: &Terminal) {
    terminal.line("");
    terminal.line(summary.verdict());
    terminal.line("");
    match &summary.tally {
        Some(tally) => show_counts(summary, tally, terminal),
        None => terminal.line("  objects   not known: the state machine started no Map Run"),
    }
    if summary.invocations.count > 0 {
        let peak = human_bytes(summary.invocations.peak_memory_bytes);
        let limit = format!("at most in a function process, of {} MB", summary.memory_mb);
        row(terminal, "memory", &[(peak, limit.as_str())]);
    }
    terminal.line("");
    show_places(summary, terminal);
    if let Some(tally) = &summary.tally {
        show_failures(tally, terminal);
    }
    if let Some(error) = &summary.error {
        terminal.line("");
        terminal.line(format!("the state machine ended with {}", visible(error)));
        show_cause(summary.cause.as_deref().unwrap_or_default(), terminal);
    }
}

fn show_counts(summary: &Summary, tally: &Tally, terminal: &Terminal) {
    let Tally { items, records, bytes, batches, given, .. } = tally;
    let count = human_count;
    let unknown = given.failed + given.stopped + given.without_answer;
    let mut cells = vec![
        (count(items.total + unknown + tally.never_started), "in all"),
        (count(items.succeeded), "succeeded"),
        (count(items.failed), "failed"),
        (count(items.skipped), "skipped"),
        (count(items.unprocessed), "unprocessed"),
    ];
    // What became of those in failed and stopped batches, only the ledger can tell, if the batch came to write one.
    cells.extend(nonzero(given.failed, "in failed batches"));
    cells.extend(nonzero(given.stopped, "in stopped batches"));
    cells.extend(nonzero(given.without_answer, "in batches without a worker's answer"));
    cells.extend(nonzero(tally.never_started, "never started"));
    row(terminal, "objects", &cells);
    let mut cells = vec![
        (count(records.read), "read"),
        (count(records.written), "written"),
        (count(records.filtered), "filtered"),
        (count(records.rejected), "rejected"),
    ];
    cells.extend(nonzero(records.exploded, "more by explode"));
    cells.extend(nonzero(records.duplicate_keys, "with a repeated key"));
    row(terminal, "records", &cells);
    let rate = (bytes.read as f64 / summary.seconds.max(0.001)) as u64;
    row(
        terminal,
        "bytes",
        &[
            (human_bytes(bytes.read), "read"),
            (human_bytes(bytes.expanded), "expanded"),
            (human_bytes(bytes.written), "written"),
            (format!("{}/s", human_bytes(rate)), "read"),
        ],
    );
    let mut cells = vec![(count(batches.ended()), "ended"), (count(batches.failed), "failed")];
    cells.extend(nonzero(batches.stopped, "stopped"));
    cells.push((count(summary.invocations.count), "invocations"));
    cells.push((count(summary.invocations.cold), "cold"));
    row(terminal, "batches", &cells);
}

fn nonzero(number: u64, meaning: &'static str) -> Option<(String, &'static str)> {
    (number > 0).then(|| (human_count(number), meaning))
}

/// Says where the parts of the run are that there are.
fn show_places(summary: &Summary, terminal: &Terminal) {
    let place = |name: &str, path: &Path| {
        if path.exists() {
            terminal.line(format!("  {name:<9} {}", path.display()));
        }
    };
    let places = &summary.places;
    place("output", &places.output);
    place("report", &places.run.join("report").join("report.html"));
    place("ledger", &places.run.join("ledger"));
    place("rejects", &places.run.join("rejects"));
    place("results", &places.run.join("map-run"));
    place("summary", &places.run.join("summary.json"));
    place("log", &places.log);
}

fn show_failures(tally: &Tally, terminal: &Terminal) {
    if !tally.failures.is_empty() {
        terminal.line("");
        let shown = tally.failures.len() as u64;
        terminal.line(format!("failed objects ({} of {}):", human_count(shown), human_count(tally.items.failed)));
        for [key, code, message] in &tally.failures {
            terminal.line(format!("  {} ({})", visible(key), visible(code)));
            show_cause(message, terminal);
        }
    }
    if !tally.batch_failures.is_empty() {
        terminal.line("");
        let shown = tally.batch_failures.len() as u64;
        terminal.line(format!("failed batches ({} of {}):", human_count(shown), human_count(tally.batches.failed)));
        for [error, cause] in &tally.batch_failures {
            terminal.line(format!("  {}", visible(error)));
            show_cause(cause, terminal);
        }
    }
}

fn show_cause(cause: &str, terminal: &Terminal) {
    if !cause.trim().is_empty() {
        terminal.line(format!("      {}", visible(cause)));
    }
}

fn row(terminal: &Terminal, name: &str, cells: &[(String, &str)]) {
    let cells: Vec<String> = cells.iter().map(|(value, meaning)| format!("{value} {meaning}")).collect();
    terminal.line(format!("  {name:<9} {}", cells.join(" · ")));
}

/// Text from outside for a terminal: no control characters, cut to size.
fn visible(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut shown: String = text.chars().take(MOST_CHARACTERS).map(clean).collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
