//! Conformance: runs recorded scenarios of the real service and compares outcome, cause, events and links.
//!
//! The recordings are found by `MAPMILL_SHARED` or in `../shared` beside the checkout, and are not part of it; without them
//! the test says so and passes. `docs/conformance.md` says how many of them agree; the test fails when fewer do.
//! `UPDATE_CONFORMANCE=1 cargo test -p local --test conformance` writes that page anew, and `CONFORMANCE=part-of-a-name`
//! runs only some scenarios and shows what differs. `CONFORMANCE_DUMP=FOLDER` also writes what was found, in the shape of
//! the service, for comparison by other programs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed expectation is a failed test, and it says what it does"
)]

#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/matching.rs"]
mod matching;
#[path = "conformance/report.rs"]
mod report;
#[path = "conformance/run.rs"]
mod run;
#[path = "conformance/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use report::{Outcome, Row};
use serde_json::Value;

/// The folder of the recordings, if there is one.
fn recordings() -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let beside = checkout.parent()?.join("shared");
    let shared = std::env::var_os("MAPMILL_SHARED").map_or(beside, PathBuf::from);
    let scenarios = shared.join("conformance").join("scenarios");
    scenarios.is_dir().then_some(scenarios)
}

#[test]
fn recorded_scenarios() {
    let Some(folder) = recordings() else {
        println!("skipped: no recordings found by MAPMILL_SHARED or in ../shared beside the checkout");
        return;
    };
    let wanted = std::env::var("CONFORMANCE").ok();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let scenario: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let name = scenario["name"].as_str().unwrap().to_owned();
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let outcome = run::scenario(&scenario);
        if wanted.is_some() || std::env::var_os("CONFORMANCE_VERBOSE").is_some() {
            show(&name, &outcome);
        }
        rows.push(Row::new(&scenario, outcome));
    }
    if wanted.is_some() {
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    println!("{}", report::summary(&rows));
    if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        std::fs::write(&page, report::page(&rows)).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&page).unwrap();
    let fewer = report::fewer_than(&committed, &rows);
    assert!(fewer.is_empty(), "fewer scenarios agree than docs/conformance.md says: {fewer:?}");
}

fn show(name: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Refused(reason) => println!("REFUSED {name}: {reason}"),
        Outcome::Compared(differences) => {
            for difference in differences {
                println!("{:?} {name}: {difference}", difference.level);
            }
        }
    }
}
