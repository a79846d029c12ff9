//! Logs: one JSON object a line on standard output, where Lambda collects them.

use crate::config::log_level;
use std::collections::BTreeMap;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging at the level that the variables name.
pub(crate) fn start(variables: &BTreeMap<String, String>) {
    let filter = filter(LevelFilter::from_level(log_level(variables)));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false);
    // Fails only when logging has already started, in tests.
    let _already_started = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

/// Our own rooms speak at the level asked for. Libraries speak only when something is wrong, whatever the level: at lower
/// levels some of them print requests with their bodies, and bodies are record contents.
fn filter(level: LevelFilter) -> Targets {
    let ours = ["batch", "lambda_shell", "object_store", "s3_store", "transform"];
    let libraries = LevelFilter::WARN.min(level);
    Targets::new().with_default(libraries).with_targets(ours.map(|target| (target, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn libraries_never_speak_of_what_they_send() {
        let everything = filter(LevelFilter::TRACE);
        assert!(everything.would_enable("batch::worker", &Level::TRACE));
        for library in ["aws_smithy_runtime::client::orchestrator", "hyper::proto", "lambda_runtime"] {
            assert!(!everything.would_enable(library, &Level::INFO), "{library}");
            assert!(everything.would_enable(library, &Level::WARN), "{library}");
        }
        assert!(!filter(LevelFilter::ERROR).would_enable("aws_config", &Level::WARN));
    }
}
