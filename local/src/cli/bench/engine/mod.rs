//! `mapmill bench engine`: how fast does the state machine engine run on this machine, and in how much memory?
//!
//! Two workloads. `items` is about the engine alone: very many tiny items, each with a child of one Pass state. `objects` is
//! about all parts together, as `mapmill run` has them: many documents through the state machine `simple`, the real
//! function and the embedded S3.

mod documents;
mod items;
mod objects;

use clap::{Args, ValueEnum, value_parser};
use job::ByteSize;
use serde::Serialize;

use super::super::signals::StopSignals;
use crate::cli::{CommandError, Exit, Terminal, block_on};

/// Size of a document in the workload `objects`, as the user would write it.
const DEFAULT_SIZE: &str = "200KB";

/// Measures the state machine engine. The workload `items`: a Distributed Map over many tiny items, each with a child of one
/// Pass state. The workload `objects`: JSON documents through the state machine `simple` and the function `transform`, which
/// checks each, sets a field and writes it as NDJSON with zstd. The documents are generated while they are read, over S3;
/// what is written goes to a temporary folder, with the defaults about 3 GB.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mapmill bench engine\n  \
                  mapmill bench engine --only items --items 100000 --children express --json\n  \
                  mapmill bench engine --only objects --objects 6500 --size 200KB")]
pub(super) struct Arguments {
    /// Measure only this workload
    #[arg(long, value_enum)]
    only: Option<Workload>,

    /// How many items
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    items: u64,

    /// What kind of executions the children of items are
    #[arg(long, value_enum, default_value_t = Children::Standard)]
    children: Children,

    /// Most children of items at a time; 0 for as many as there may be
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(0..=10_000))]
    max_concurrency: u32,

    /// Items in a child's input
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..=100_000))]
    batch: u64,

    /// How many objects
    #[arg(long, value_name = "N", default_value_t = 65_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    objects: u64,

    /// About how large each object is, at most 16MB
    #[arg(long, value_name = "BYTES", value_parser = object_size, default_value = DEFAULT_SIZE)]
    size: ByteSize,

    /// The folder of the function program; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<std::path::PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    Items,
    Objects,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Children {
    Standard,
    Express,
}

impl Children {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Express => "EXPRESS",
        }
    }
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<items::Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<objects::Figures>,
}

fn object_size(text: &str) -> Result<ByteSize, String> {
    let size = ByteSize::parse(text)?;
    if (1..=documents::MOST_BYTES).contains(&size.bytes()) {
        return Ok(size);
    }
    Err(format!("expected 1 byte to {} MB", documents::MOST_BYTES / 1_000_000))
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    if cfg!(debug_assertions) {
        terminal.warning("this mapmill was built without full optimisation: the figures are too low");
    }
    block_on(async {
        let mut signals = StopSignals::listen()?;
        tokio::select! {
            signal = signals.stopped() => Ok(Exit::Stopped(signal)),
            figures = measure(arguments, terminal) => {
                let figures = figures?;
                if arguments.json {
                    terminal.json(&serde_json::to_value(&figures).map_err(CommandError::failed)?);
                }
                Ok(Exit::Success)
            }
        }
    })
}

/// Measures what was asked for, and shows each line as soon as there is one.
async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Figures, CommandError> {
    let wanted = |workload| arguments.only.is_none_or(|only| only == workload);
    let mut figures = Figures::default();
    if wanted(Workload::Items) {
        let measured = items::measure(arguments, terminal).await?;
        if !arguments.json {
            terminal.line(measured.line());
        }
        figures.items = Some(measured);
    }
    if wanted(Workload::Objects) {
        let measured = objects::measure(arguments, terminal).await?;
        if !arguments.json {
            terminal.line(measured.line());
        }
        figures.objects = Some(measured);
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_go_through_children() {
        let check = |items: u64, batch: u64, children: Children, expected: u64| {
            let arguments = Arguments {
                only: Some(Workload::Items),
                items,
                children,
                max_concurrency: 10,
                batch,
                objects: 1,
                size: ByteSize::from_bytes(1),
                functions: None,
                json: false,
            };
            let figures = block_on(measure(&arguments, &Terminal::new())).unwrap().items.unwrap();
            assert_eq!((figures.items, figures.children), (items, expected));
            assert!(figures.items_per_second > 0.0 && figures.peak_memory_bytes != Some(0));
        };
        check(1, 1, Children::Standard, 1);
        check(1_000, 1, Children::Express, 1_000);
        check(1_001, 100, Children::Standard, 11);
    }
}
