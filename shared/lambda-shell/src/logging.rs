//! Logs: one JSON object a line on standard output, where Lambda collects them.
//!
//! What a line holds and why it is written by a layer of our own is told in [`json`]. Here it is decided who may speak:
//! the filter, and the traces that are made of the same spans.

mod json;

use crate::config::log_level;
use crate::traces;
use json::JsonLines;
pub(crate) use json::timestamp;
use std::collections::BTreeMap;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging at the level that the variables name, and traces where they name a daemon for them.
pub(crate) fn start(variables: &BTreeMap<String, String>) {
    let filter = filter(LevelFilter::from_level(log_level(variables)));
    let lines = JsonLines::new(std::io::stdout).with_filter(filter);
    let (traces, refused) = match traces::layer(variables) {
        Ok(layer) => (layer, None),
        Err(error) => (None, Some(error)),
    };
    // Fails only when logging has already started, in tests.
    let _already_started = tracing_subscriber::registry().with(traces).with(lines).try_init();
    if let Some(error) = refused {
        // A function without traces works; one that does not start because of them does not.
        tracing::warn!(%error, "traces are off");
    }
}

/// Our own rooms speak at the level asked for. Libraries speak only when something is wrong, whatever the level: at lower
/// levels some of them print requests with their bodies, and bodies are record contents. The layer of the runtime that logs
/// the errors of handlers is silent: it repeats, outside of the invocation's span, what `invocation failed` says.
fn filter(level: LevelFilter) -> Targets {
    let ours = ["batch", "lambda_shell", "object_store", "plan", "report", "s3_store", "transform"];
    let libraries = LevelFilter::WARN.min(level);
    Targets::new()
        .with_default(libraries)
        .with_targets(ours.map(|target| (target, level)))
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
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
        assert!(!everything.would_enable("lambda_runtime::layers::panic", &Level::ERROR));
    }

    #[test]
    fn the_fields_of_an_invocation_are_there_at_every_level() {
        // A span that is filtered out takes its fields with it, so ours are made at the highest level.
        assert!(filter(LevelFilter::ERROR).would_enable("lambda_shell", &Level::ERROR));
        assert!(filter(LevelFilter::ERROR).would_enable(batch::STAGE_TARGET, &Level::ERROR));
    }
}
