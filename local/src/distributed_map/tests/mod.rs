//! Map Runs against the fake services, on paused time.
//!
//! `runs` is about items, children and results, `readers` about data sets in buckets, `redrive` about failed runs that go
//! on, `live` about watching and changing a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::asl::{Definition, Engine, EngineOptions, ExecutionResult, ExecutionStatus};
use crate::observer::{Notice, Observer};
use crate::services::Services;
use crate::services::fake::FakeServices;

mod live;
mod readers;
mod redrive;
mod runs;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:";

/// A machine with one Distributed Map named `M` whose children call the function `work`, or pass when there is none.
fn machine(work: Option<&str>, extra: Value) -> Value {
    let child = match work {
        Some(name) => json!({"Type": "Task", "Resource": format!("{ARN}{name}"), "End": true}),
        None => json!({"Type": "Pass", "End": true}),
    };
    let mut state = json!({
        "Type": "Map",
        "Label": "L",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "C",
            "States": {"C": child},
        },
        "End": true,
    });
    state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({"StartAt": "M", "States": {"M": state}})
}

fn listing(extra: Value) -> Value {
    let mut fields = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": "raw", "Prefix.$": "$.prefix"}}});
    fields.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    fields
}

fn writer(config: Value) -> Value {
    json!({"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "runs/"},
        "WriterConfig": config})
}

/// Counts what a progress bar would show.
#[derive(Default)]
struct Counting {
    listed: AtomicU64,
    running: AtomicU64,
    most_running: AtomicU64,
    items_done: AtomicU64,
    files: AtomicU64,
    summaries: Mutex<Vec<MapRunSummary>>,
}

impl Observer for Counting {
    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::ItemsListed { items, .. } => self.listed.store(items, Ordering::SeqCst),
            Notice::ChildStarted { .. } => {
                let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_running.fetch_max(running, Ordering::SeqCst);
            }
            Notice::ChildFinished { items, .. } => {
                self.running.fetch_sub(1, Ordering::SeqCst);
                self.items_done.fetch_add(items, Ordering::SeqCst);
            }
            Notice::ResultFileWritten { .. } => {
                self.files.fetch_add(1, Ordering::SeqCst);
            }
            Notice::MapRunFinished { summary } => self.summaries.lock().unwrap().push(summary.clone()),
            _ => {}
        }
    }
}

struct Ran {
    services: Arc<FakeServices>,
    counting: Arc<Counting>,
    result: ExecutionResult,
}

async fn run_until(services: FakeServices, definition: Value, input: Value, cancel: CancellationToken) -> Ran {
    let (services, counting) = (Arc::new(services), Arc::new(Counting::default()));
    let engine = engine(&services, &counting, EngineOptions::default());
    let result = engine.run(&parsed(&definition), "one", input, cancel).await;
    Ran { services, counting, result }
}

fn engine(services: &Arc<FakeServices>, counting: &Arc<Counting>, options: EngineOptions) -> Engine {
    let observer = Arc::clone(counting) as Arc<dyn Observer>;
    Engine::new(Arc::clone(services) as Arc<dyn Services>, options, observer)
}

fn parsed(definition: &Value) -> Definition {
    Definition::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}: {definition}"))
}

async fn run(services: FakeServices, definition: Value, input: Value) -> Ran {
    run_until(services, definition, input, CancellationToken::new()).await
}

fn failure(ran: &Ran) -> (&str, &str) {
    (ran.result.error.as_deref().unwrap_or(""), ran.result.cause.as_deref().unwrap_or(""))
}
