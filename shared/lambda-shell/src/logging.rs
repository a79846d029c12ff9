//! Logs: one JSON object a line on standard output, where Lambda collects them.

use crate::config::log_level;
use std::collections::BTreeMap;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. Libraries speak only when something is wrong, whatever the level: at lower levels some of them print
/// requests with their bodies, and bodies are record contents.
pub(crate) fn start(variables: &BTreeMap<String, String>) {
    let level = LevelFilter::from_level(log_level(variables));
    let libraries = LevelFilter::WARN.min(level);
    let ours = ["batch", "lambda_shell", "object_store", "s3_store", "transform"];
    let filter = Targets::new().with_default(libraries).with_targets(ours.map(|target| (target, level)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false);
    // Fails only when logging has already started, in tests.
    let _already_started = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
