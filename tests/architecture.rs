//! The house keeps its shape: who may depend on whom, what stays out of the core, how large a file may grow.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use tests::root;

/// The arrows of ARCHITECTURE.md: a room may use these rooms and no others.
const ARROWS: [(&str, &[&str]); 15] = [
    ("transform", &["batch", "job", "lambda-shell", "record-stream"]),
    ("plan", &["batch", "job", "lambda-shell", "object-store", "planner"]),
    ("report", &["batch", "job", "lambda-shell", "object-store", "record-stream"]),
    ("lambda-shell", &["batch", "object-store", "s3-store"]),
    ("batch", &["job", "object-store", "record-stream"]),
    ("s3-store", &["object-store"]),
    ("engine-benches", &["record-stream"]),
    ("local", &["engine-benches", "job", "planner"]),
    ("planner", &["job"]),
    ("record-stream", &[]),
    ("job", &[]),
    ("object-store", &[]),
    ("deployment", &[]),
    ("hello", &[]),
    (
        "tests",
        &[
            "batch",
            "deployment",
            "engine-benches",
            "job",
            "lambda-shell",
            "local",
            "object-store",
            "plan",
            "record-stream",
            "report",
            "s3-store",
            "transform",
        ],
    ),
];

/// Longest source file in lines. A longer one must say why in its first lines, as `Long because: …`.
const LONGEST_FILE: usize = 500;

/// Longest `main.rs` in lines: it starts things and does nothing.
const LONGEST_MAIN: usize = 60;

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Name, and names of the direct dependencies of each kind, for every room.
fn rooms(metadata: &Value) -> BTreeMap<String, Vec<(String, bool)>> {
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().filter(|package| package["source"].is_null());
    ours.map(|package| {
        let dependencies = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| (dependency["name"].as_str().unwrap().to_owned(), dependency["kind"] == "dev"));
        (package["name"].as_str().unwrap().to_owned(), dependencies.collect())
    })
    .collect()
}

/// Everything that a room pulls in when it is built for use, not for its tests.
fn closure(metadata: &Value, room: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<&str, &str> =
        packages.iter().map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap())).collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let start = packages.iter().find(|package| package["name"] == room && package["source"].is_null()).unwrap();
    let mut waiting = vec![start["id"].as_str().unwrap()];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let is_used = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev");
            let package = dependency["pkg"].as_str().unwrap();
            if is_used && seen.insert(package) {
                waiting.push(package);
            }
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let rooms = rooms(&metadata());
    let known: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for (room, dependencies) in &rooms {
        let allowed = known
            .get(room.as_str())
            .unwrap_or_else(|| panic!("room {room} is not in ARROWS; draw it there and in ARCHITECTURE.md"));
        for (dependency, is_for_tests) in dependencies {
            let points_back = rooms.contains_key(dependency) && !allowed.contains(&dependency.as_str());
            assert!(!points_back, "{room} must not use {dependency} (for tests only: {is_for_tests})");
        }
    }
}

#[test]
fn the_core_knows_no_runtime_no_aws_and_no_logging() {
    let metadata = metadata();
    for room in ["record-stream", "job", "planner"] {
        for dependency in closure(&metadata, room) {
            let is_foreign = ["tokio", "tracing", "lambda_runtime", "hyper"].contains(&dependency.as_str())
                || dependency.starts_with("aws-");
            assert!(!is_foreign, "{room} must stay free of {dependency}");
        }
    }
}

#[test]
fn outside_services_have_one_door_each() {
    let doors = [
        ("aws-sdk-s3", "s3-store"),
        ("aws-config", "s3-store"),
        ("lambda_runtime", "lambda-shell"),
        ("opentelemetry-aws", "lambda-shell"),
        ("s3s", "local"),
    ];
    // The smallest function is what others are compared with, so it has nothing in between.
    for (room, dependencies) in rooms(&metadata()).into_iter().filter(|(room, _)| room != "hello") {
        for (dependency, _) in dependencies {
            for (outside, door) in doors {
                assert!(dependency != outside || room == door, "{room} must not name {outside}; {door} does");
            }
        }
    }
}

#[test]
fn files_stay_small() {
    let listed = Command::new("git").args(["ls-files", "*.rs"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().count() > 20, "git lists the sources");
    let mut too_long = Vec::new();
    for path in listed.lines() {
        let Ok(text) = std::fs::read_to_string(root().join(path)) else { continue };
        let limit = if path.ends_with("main.rs") { LONGEST_MAIN } else { LONGEST_FILE };
        let has_reason = text.lines().take(10).any(|line| line.contains("Long because: "));
        if text.lines().count() > limit && !has_reason {
            too_long.push(format!("{path}: {} lines, at most {limit}", text.lines().count()));
        }
    }
    assert!(too_long.is_empty(), "split these, or say why in their first lines:\n{}", too_long.join("\n"));
}

#[test]
fn every_room_follows_the_lints_of_the_house() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap().iter().filter(|package| package["source"].is_null()) {
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has no [lints] workspace = true", package["name"]);
    }
}
