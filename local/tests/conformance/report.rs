//! Counts what agrees and writes `docs/conformance.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::compare::{Difference, Level};

/// What became of a scenario.
pub(crate) enum Outcome {
    /// The definition was refused, though the service runs it; why.
    Refused(String),
    Compared(Vec<Difference>),
}

/// A scenario in the table.
pub(crate) struct Row {
    group: u64,
    features: Vec<String>,
    outcome: Outcome,
}

const GROUPS: [&str; 4] = [
    "Map in DISTRIBUTED mode",
    "Inline Map, Retry, Catch, Parallel, Choice, Wait, functions, services, timeouts, refused definitions",
    "JSONPath, input and output processing, context object, intrinsic functions",
    "JSONata and variables",
];
const MARK: &str = "<!-- equal:";

impl Row {
    pub(crate) fn new(scenario: &Value, outcome: Outcome) -> Self {
        let features = scenario["features"].as_array().into_iter().flatten();
        Self {
            group: scenario["group"].as_u64().unwrap(),
            features: features.map(|feature| feature.as_str().unwrap().to_owned()).collect(),
            outcome,
        }
    }

    fn levels(&self) -> BTreeSet<Level> {
        match &self.outcome {
            Outcome::Refused(_) => BTreeSet::new(),
            Outcome::Compared(differences) => differences.iter().map(|difference| difference.level).collect(),
        }
    }

    fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(_))
    }

    fn is_equal(&self) -> bool {
        matches!(&self.outcome, Outcome::Compared(differences) if differences.is_empty())
    }
}

#[derive(Default)]
struct Counts {
    all: usize,
    equal: usize,
    refused: usize,
    /// Scenarios that differ, by their heaviest difference.
    different: BTreeMap<Level, usize>,
}

impl Counts {
    fn add(&mut self, row: &Row) {
        self.all += 1;
        self.equal += usize::from(row.is_equal());
        self.refused += usize::from(row.is_refused());
        if let Some(level) = row.levels().first() {
            *self.different.entry(*level).or_default() += 1;
        }
    }

    fn columns(&self) -> String {
        let different = |level| self.different.get(&level).copied().unwrap_or(0);
        format!(
            "{} | {} | {} | {} | {} | {} | {}",
            self.all,
            self.equal,
            self.refused,
            different(Level::Outcome),
            different(Level::Cause),
            different(Level::Events),
            different(Level::Links)
        )
    }
}

const COLUMNS: &str = "scenarios | equal | refused | other outcome | other cause | other events | other links";

fn by_group(rows: &[Row]) -> BTreeMap<u64, Counts> {
    let mut groups = BTreeMap::<u64, Counts>::new();
    for row in rows {
        groups.entry(row.group).or_default().add(row);
    }
    groups
}

/// One line a group.
pub(crate) fn summary(rows: &[Row]) -> String {
    let mut text = format!("group | {COLUMNS}\n");
    for (group, counts) in by_group(rows) {
        let _ = writeln!(text, "{group} | {}", counts.columns());
    }
    text
}

/// The page.
pub(crate) fn page(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Conformance\n\n\
         What the local engine answers is compared with what the real service answered. The recordings (definition, input,\n\
         objects, functions and the answer with its history) lie outside of this repository; the test finds them by\n\
         `MAPMILL_SHARED` or in `../shared` beside the checkout. This page is written by\n\n\
         ```sh\nUPDATE_CONFORMANCE=1 cargo test -p local --test conformance\n```\n\n\
         and the same test without the variable fails when fewer scenarios agree than it says. A scenario is *equal* when\n\
         outcome, cause, every event and every link between events agree. One that differs is counted once, under the heaviest\n\
         thing that differs. One link is read as the service makes it since November 2024: the end of a Distributed Map follows the\n\
         start of its Map Run. *Refused* means that the engine says at load time, by name, what it cannot run.\n\n\
         ## By group\n\n",
    );
    let line = COLUMNS.split('|').map(|_| "---").collect::<Vec<_>>().join(" | ");
    let _ = writeln!(text, "| group | {COLUMNS} |\n| --- | {line} |");
    for (group, counts) in by_group(rows) {
        let name = GROUPS.get(usize::try_from(group).unwrap() - 1).copied().unwrap_or("other");
        let _ = writeln!(text, "| {group}: {name} | {} | {MARK}{group}={} -->", counts.columns(), counts.equal);
    }
    let _ = writeln!(text, "\n## What is refused\n");
    list(
        &mut text,
        &reasons(rows, |row| match &row.outcome {
            Outcome::Refused(reason) => Some(shortened(reason)),
            Outcome::Compared(_) => None,
        }),
    );
    let _ = writeln!(text, "\n## What differs\n");
    list(
        &mut text,
        &reasons(rows, |row| match &row.outcome {
            Outcome::Compared(differences) => {
                let heaviest = differences.iter().min_by_key(|difference| difference.level)?;
                let level = match heaviest.level {
                    Level::Outcome => "outcome",
                    Level::Cause => "cause",
                    Level::Events => "events",
                    Level::Links => "links",
                };
                Some(format!("{level}: `{}`", without_numbers(&heaviest.path)))
            }
            Outcome::Refused(_) => None,
        }),
    );
    let _ = writeln!(text, "\n## By feature\n\n| feature | {COLUMNS} |\n| --- | {line} |");
    let mut features = BTreeMap::<&str, Counts>::new();
    for row in rows {
        for feature in &row.features {
            features.entry(feature).or_default().add(row);
        }
    }
    for (feature, counts) in features {
        let _ = writeln!(text, "| {feature} | {} |", counts.columns());
    }
    text
}

/// Reasons with the number of scenarios and the groups that have them.
fn reasons(rows: &[Row], reason: impl Fn(&Row) -> Option<String>) -> Vec<(String, usize, BTreeSet<u64>)> {
    let mut reasons = BTreeMap::<String, (usize, BTreeSet<u64>)>::new();
    for row in rows {
        if let Some(reason) = reason(row) {
            let entry = reasons.entry(reason).or_default();
            entry.0 += 1;
            entry.1.insert(row.group);
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().map(|(reason, (count, groups))| (reason, count, groups)).collect();
    reasons.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    reasons
}

fn list(text: &mut String, reasons: &[(String, usize, BTreeSet<u64>)]) {
    if reasons.is_empty() {
        text.push_str("Nothing.\n");
    }
    for (reason, count, groups) in reasons {
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "* {count} in group {}: {reason}", groups.join(", "));
    }
}

/// The reason without the path to it and without the list of what is supported.
fn shortened(reason: &str) -> String {
    let reason = reason.split("; supported:").next().unwrap_or(reason);
    let (path, message) = reason.split_once(": ").unwrap_or(("", reason));
    let field = path.rsplit('.').next().unwrap_or(path);
    format!("`{field}`: {message}")
}

fn without_numbers(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for sign in path.chars() {
        match sign {
            '[' => inside = true,
            ']' if inside => {
                inside = false;
                text.push_str("[…]");
            }
            sign if !inside => text.push(sign),
            _ => {}
        }
    }
    text
}

/// Groups of which fewer scenarios are equal than a page says: group, what it says, what is.
pub(crate) fn fewer_than(page: &str, rows: &[Row]) -> Vec<(u64, usize, usize)> {
    let groups = by_group(rows);
    let said = page.match_indices(MARK).filter_map(|(at, _)| {
        let (group, rest) = page[at + MARK.len()..].split_once('=')?;
        Some((group.parse::<u64>().ok()?, rest.split(' ').next()?.parse::<usize>().ok()?))
    });
    said.map(|(group, said)| (group, said, groups.get(&group).map_or(0, |counts| counts.equal)))
        .filter(|(_, said, found)| found < said)
        .collect()
}
