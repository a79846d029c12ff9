//! `make bench`: measures everything and prints one table.
//!
//! `mapmill bench` does the same without the crates of `fast_peers`.

mod fast_peers;

use clap::Parser;
use engine_benches::workloads::{self, Kind, Workload};
use engine_benches::{BenchError, DEFAULT_BYTES, DEFAULT_ROUNDS, Options, Report, Step, list, run};
use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::ops::ControlFlow;

/// Measures the record engine beside other crates.
#[derive(Debug, Parser)]
struct Arguments {
    /// Size of each input in million bytes
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BYTES / 1_000_000)]
    megabytes: u64,
    /// Measure only these workloads, and what they are compared with
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// How often each workload has a turn
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROUNDS)]
    repeat: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Name the workloads and measure nothing
    #[arg(long)]
    list: bool,
    /// What `cargo bench` adds to every command line.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let workloads = with_fast_peers();
    if arguments.list {
        for line in list(&workloads) {
            writeln!(stdout(), "{line}")?;
        }
        return Ok(());
    }
    let bytes = arguments.megabytes.saturating_mul(1_000_000);
    let options = Options { bytes, rounds: arguments.repeat, only: arguments.only };
    let report = measured(&options, &workloads)?;
    if arguments.json {
        writeln!(stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(stdout(), "{report}")?;
    }
    Ok(())
}

/// Every workload; the fast crates stand before the engine, with the other crates.
fn with_fast_peers() -> Vec<Workload> {
    let (engine, mut others): (Vec<_>, Vec<_>) =
        workloads::all().into_iter().partition(|workload| workload.kind == Kind::Engine);
    others.extend(fast_peers::workloads());
    others.extend(engine);
    others
}

fn measured(options: &Options, workloads: &[Workload]) -> Result<Report, BenchError> {
    run(options, workloads, &mut |step| {
        // That progress cannot be shown is no reason to stop.
        let _ = match step {
            Step::Checking => writeln!(stderr(), "comparing the answers ..."),
            Step::Generating => writeln!(stderr(), "making the inputs ..."),
            Step::Measuring { done: 0, .. } => writeln!(stderr(), "measuring, in {} rounds ...", options.rounds),
            Step::Measuring { .. } => Ok(()),
        };
        ControlFlow::Continue(())
    })
}
