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
pub(super) struct Watcher {
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
    pub(super) fn new(terminal: &Terminal, objects: u64, outer: BTreeSet<String>) -> Self {
        let now = Instant::now();
        let state = State { map_runs: MapRuns::new(outer), running: 0, bar: None, last_line: now };
        Self { state: Mutex::new(state), interactive: terminal.is_interactive(), started: now, objects }
    }

    /// What was added up so far.
    pub(super) fn tally(&self) -> Tally {
        self.lock().map_runs.tally()
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
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
            let done = human_count(tally.given.total());
            Terminal::new().note(format!("{done} of {} objects, {detail}", human_count(self.objects)));
        }
    }
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
