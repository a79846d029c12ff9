//! What is shown while a run goes on: a bar for people, a line now and then for logs.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Terminal;
use super::map_runs::MapRuns;
use super::tally::Tally;
use crate::cli::terminal::{human_bytes, human_count};
use crate::observer::{Notice, Observer};

/// Runs that end sooner show no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// Time between two lines where nobody watches a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Watches a run.
pub(in crate::cli) struct Watcher {
    state: Mutex<State>,
    interactive: bool,
    started: Instant,
    objects: u64,
}

struct State {
    map_runs: MapRuns,
    running: u64,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Watcher {
    /// A watcher of a run over so many objects. `outer` names the Map states that have another Distributed Map inside.
    pub(in crate::cli) fn new(terminal: &Terminal, objects: u64, outer: BTreeSet<String>) -> Self {
        let now = Instant::now();
        let state = State { map_runs: MapRuns::new(outer), running: 0, bar: None, last_line: now };
        Self { state: Mutex::new(state), interactive: terminal.is_interactive(), started: now, objects }
    }

    /// What was added up so far.
    pub(in crate::cli) fn tally(&self) -> Tally {
        self.lock().map_runs.tally()
    }

    /// Takes the bar away.
    pub(in crate::cli) fn finish(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &mut State) {
        let elapsed = self.started.elapsed();
        if elapsed < PROGRESS_AFTER {
            return;
        }
        if !self.interactive && state.last_line.elapsed() < LINE_EVERY {
            return;
        }
        let tally = state.map_runs.tally();
        let rate = (tally.bytes.read as f64 / elapsed.as_secs_f64()) as u64;
        let failed = tally.items.failed + tally.given.failed;
        let detail = format!(
            "{} batches done, {} running, {failed} failed, {}/s",
            human_count(tally.batches.ended()),
            state.running,
            human_bytes(rate)
        );
        if self.interactive {
            let bar = state.bar.get_or_insert_with(|| bar(self.objects));
            bar.set_position(tally.given.total());
            bar.set_message(detail);
        } else {
            state.last_line = Instant::now();
            let (done, objects) = (tally.given.total(), self.objects);
            let left = seconds_left(elapsed, done, objects).map_or_else(String::new, |left| format!(", {left} s left"));
            let (done, objects) = (human_count(done), human_count(objects));
            Terminal::new().note(format!("{done} of {objects} objects, {detail}{left}"));
        }
    }
}

/// How long the rest takes at the rate so far.
fn seconds_left(elapsed: Duration, done: u64, objects: u64) -> Option<u64> {
    let rest = objects.checked_sub(done)?;
    let milliseconds = u128::from(rest) * elapsed.as_millis() / u128::from(done.max(1));
    (done > 0).then(|| u64::try_from(milliseconds / 1_000).unwrap_or(u64::MAX))
}

fn bar(objects: u64) -> ProgressBar {
    let bar = ProgressBar::new(objects);
    // The template is constant; if indicatif refused it, its own style would do as well.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} objects, {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

impl Observer for Watcher {
    fn notice(&self, notice: Notice<'_>) {
        let mut state = self.lock();
        state.map_runs.take(&notice);
        match notice {
            Notice::ChildStarted { .. } => state.running += 1,
            Notice::ChildFinished { .. } => state.running = state.running.saturating_sub(1),
            _ => return,
        }
        self.show(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_rate() {
        let check = |elapsed: u64, done: u64, objects: u64, expected: Option<u64>| {
            assert_eq!(seconds_left(Duration::from_secs(elapsed), done, objects), expected);
        };
        check(10, 100, 400, Some(30));
        check(10, 400, 400, Some(0));
        check(10, 0, 400, None);
        check(10, 500, 400, None);
    }
}
