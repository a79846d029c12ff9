//! Traces: the stages of a batch as subsegments of AWS X-Ray.
//!
//! Where tracing is on, Lambda runs an X-Ray daemon beside the function, names its address in a variable, and opens a
//! segment for each invocation. What the function adds are subsegments: one JSON document each, sent to the daemon as one
//! UDP datagram. There is no answer, so a daemon that is gone costs nothing and fails nothing.
//!
//! The libraries are those of OpenTelemetry: `tracing-opentelemetry` times the spans, `opentelemetry-aws` turns each into
//! an X-Ray document and sends it when the span ends. Only the span of the invocation and the stages of the batch are
//! traced, so a batch sends [four datagrams](batch::STAGE_TARGET) whatever its size. Whether an invocation is traced at
//! all is Lambda's decision: the header `Lambda-Runtime-Trace-Id` of the invocation says so (`Sampled=1`), and without it
//! nothing is sent. The variable `_X_AMZN_TRACE_ID` is not used: several invocations may run at the same time.

use crate::config::ConfigError;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_aws::trace::XrayPropagator;
use opentelemetry_aws::xray_exporter::daemon_client::XrayDaemonClient;
use opentelemetry_aws::xray_exporter::{SegmentTranslator, XrayExporter};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// The address of the X-Ray daemon; Lambda sets it.
const DAEMON_VARIABLE: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// The target of the span of an invocation.
pub(crate) const INVOCATION_TARGET: &str = "lambda_shell::invocation";

/// Fields of the invocation's span that X-Ray indexes, so that traces can be found by them.
const ANNOTATIONS: [&str; 4] = ["cold_start", "correlation_id", "job", "run_id"];

/// The layer that sends subsegments, if the variables name a daemon.
///
/// # Errors
/// The variable is no address, or no socket can be opened.
pub(crate) fn layer<S>(variables: &BTreeMap<String, String>) -> Result<Option<impl Layer<S> + use<S>>, ConfigError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let Some(text) = variables.get(DAEMON_VARIABLE) else { return Ok(None) };
    let refused = |message: String| ConfigError { variable: DAEMON_VARIABLE, message };
    let address: SocketAddr =
        text.parse().map_err(|_| refused(format!("expected the IP address and port of a daemon, found {text:?}")))?;
    let client = XrayDaemonClient::new(address).map_err(|error| refused(format!("cannot open a socket: {error}")))?;
    let translator = SegmentTranslator::new().with_indexed_attrs(ANNOTATIONS.map(str::to_owned));
    let provider = SdkTracerProvider::builder()
        // An invocation is traced when Lambda says so and never because it says nothing.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
        .with_simple_exporter(XrayExporter::new(client).with_translator(translator))
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("mapmill"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false);
    Ok(Some(layer.with_filter(filter_fn(is_traced))))
}

fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && [INVOCATION_TARGET, batch::STAGE_TARGET].contains(&metadata.target())
}

/// Puts the span of an invocation under the segment that Lambda opened for it, as its trace header says.
pub(crate) fn put_under_segment(span: &Span, trace_header: Option<&str>) {
    let Some(header) = trace_header else { return };
    // The propagator reads the header of HTTP requests; the one of the Runtime API has the same value.
    let headers = HashMap::from([("x-amzn-trace-id".to_owned(), header.to_owned())]);
    let segment = XrayPropagator::new().extract_with_context(&opentelemetry::Context::new(), &headers);
    // Fails where traces are off, which is no failure.
    let _traced = span.set_parent(segment);
}

/// The id of the trace in a trace header (`Root=1-…;Parent=…;Sampled=1`), as the X-Ray console shows it.
pub(crate) fn trace_id(trace_header: &str) -> Option<&str> {
    trace_header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::Registry;

    #[test]
    fn the_trace_id_is_the_root() {
        let check = |header: &str, expected: Option<&str>| assert_eq!(trace_id(header), expected, "{header}");
        check("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", {
            Some("1-5759e988-bd862e3fe1be46a994272793")
        });
        check("Self=1-x-y; Root=1-a-b;Lineage=1:2", Some("1-a-b"));
        check("Parent=53995c3f42cd8ad8", None);
        check("", None);
    }

    #[test]
    fn a_daemon_is_an_address_or_absent() {
        let layer = |text: &str| layer::<Registry>(&BTreeMap::from([(DAEMON_VARIABLE.to_owned(), text.to_owned())]));
        assert!(super::layer::<Registry>(&BTreeMap::new()).unwrap().is_none());
        assert!(layer("127.0.0.1:2000").unwrap().is_some());
        let error = layer("the daemon").err().unwrap().to_string();
        assert!(error.contains(DAEMON_VARIABLE) && error.contains("\"the daemon\""), "{error}");
    }
}
