//! Every workload under divan, for work on one of them: `cargo bench --package engine-benches --bench divan -- csv`.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the measurement")]

mod fast_peers;

use divan::Bencher;
use divan::counter::BytesCount;
use engine_benches::data::Data;
use engine_benches::workloads::{self, Output, Workload};

/// Size of each input: divan runs a workload a hundred times.
const BYTES: usize = 16_000_000;

fn main() {
    divan::main();
}

fn all() -> Vec<Workload> {
    [workloads::all(), fast_peers::workloads()].concat()
}

fn names() -> Vec<&'static str> {
    all().iter().map(|workload| workload.name).collect()
}

#[divan::bench(args = names())]
fn workload(bencher: Bencher<'_, '_>, name: &str) {
    let workload = all().into_iter().find(|workload| workload.name == name).unwrap();
    let input = Data::new(BYTES).input(workload.shape).unwrap();
    let mut output = Output::discarding();
    bencher.counter(BytesCount::new(input.bytes)).bench_local(|| (workload.work)(&input.objects, &mut output).unwrap());
}
