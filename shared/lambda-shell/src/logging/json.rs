//! Writes events as lines of JSON with every field at the top level.
//!
//! CloudWatch Logs Insights and metric filters find a field by its path, so the fields of the invocation (which `tracing`
//! keeps in spans) stand beside the fields of the event, and not in an object of their own. A line is built as a map: the
//! fields of the spans from the outermost to the innermost, then those of the event, then `timestamp`, `level` and
//! `target`. What comes later replaces what has the same name, so that no name stands in a line twice.
//!
//! The formatter of `tracing-subscriber` nests spans. `json-subscriber` and `tracing-flat-json` flatten them, but the
//! first writes a name twice when a span and an event share it, and the second adds the place in the source to every
//! line; neither bounds the length of a value. A layer takes few lines, so this is one.
//!
//! Every value passes through the JSON encoder: nothing of an event reaches the log unescaped. A text over
//! [`MAX_TEXT_BYTES`] is cut, and a line has at most [`MAX_FIELDS`] fields, far more than ours have.

use serde_json::{Map, Value};
use std::fmt::Debug;
use std::io::Write;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Longest text of a field in bytes, as long as the longest key of S3. A longer message of an error is whole in the answer.
const MAX_TEXT_BYTES: usize = 1024;

/// Most fields of a line. Even if every one is the longest text and every byte of it takes six as JSON, the line is under
/// the 256 KiB that CloudWatch Logs has always taken as one event.
const MAX_FIELDS: usize = 40;

/// The time now as RFC 3339 in UTC, as Lambda expects it in `timestamp`.
pub(crate) fn timestamp() -> String {
    let mut text = String::new();
    // Writing into a text does not fail.
    let _always = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// The layer. Each line is written by one call, so that lines of several threads do not mix.
pub(crate) struct JsonLines<Output> {
    output: Output,
}

impl<Output> JsonLines<Output> {
    /// Lines go to what `output` makes.
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, name: &str, value: Value) {
        if self.0.len() < MAX_FIELDS || self.0.contains_key(name) {
            self.0.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field.name(), Value::from(cut(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field.name(), Value::from(cut(&format!("{value:?}"))));
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_TEXT_BYTES)])
}

impl<S, Output> Layer<S> for JsonLines<Output>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    Output: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(Fields(fields)) = span.extensions().get::<Fields>() {
                fields.iter().for_each(|(name, value)| line.insert(name, value.clone()));
            }
        }
        event.record(&mut line);
        let Fields(mut line) = line;
        line.insert("timestamp".to_owned(), Value::from(timestamp()));
        line.insert("level".to_owned(), Value::from(event.metadata().level().as_str()));
        line.insert("target".to_owned(), Value::from(event.metadata().target()));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // There is nowhere to tell that the log is gone.
        let _written = self.output.make_writer_for(event.metadata()).write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that the code writes, each checked to be one JSON object without a name that stands in it twice.
    fn lines(code: impl FnOnce()) -> Vec<Value> {
        let log = Log::default();
        let output = log.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(move || output.clone()));
        tracing::subscriber::with_default(subscriber, code);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let checked = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            for name in value.as_object().unwrap().keys() {
                assert_eq!(line.matches(&format!("\"{name}\":")).count(), 1, "{name} in {line}");
            }
            value
        };
        text.lines().map(checked).collect()
    }

    #[test]
    fn fields_of_all_spans_stand_beside_those_of_the_event() {
        let lines = lines(|| {
            let outer = tracing::error_span!("outer", request_id = "r", job = tracing::field::Empty, bucket = "outer");
            let _outer = outer.enter();
            outer.record("job", "j");
            let _inner = tracing::error_span!("inner", count = 7, cold = true).entered();
            tracing::warn!(bucket = "event", none = None::<u64>, share = 0.5, "constant");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let expected = [
            ("request_id", Value::from("r")),
            ("job", Value::from("j")),
            ("count", Value::from(7)),
            ("cold", Value::from(true)),
            ("bucket", Value::from("event")),
            ("share", Value::from(0.5)),
            ("message", Value::from("constant")),
            ("level", Value::from("WARN")),
            ("target", Value::from(module_path!())),
        ];
        for (name, value) in &expected {
            assert_eq!(&line[name], value, "{name}");
        }
        assert_eq!(line.as_object().unwrap().len(), expected.len() + 1, "and a timestamp: {line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn a_field_cannot_forge_a_level_or_a_line() {
        let lines = lines(|| {
            let key = "a\"}\n{\"level\":\"ERROR\",\u{1b}[31m\u{0}\u{2028}";
            tracing::info!(level = "ERROR", timestamp = "never", file_name = key, shown = ?key, "constant");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["level"], "INFO");
        assert_ne!(line["timestamp"], "never");
        assert_eq!(line["file_name"], "a\"}\n{\"level\":\"ERROR\",\u{1b}[31m\u{0}\u{2028}");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let check = |text: String, expected: String| {
            let lines = lines(|| tracing::info!(text, "constant"));
            assert_eq!(lines[0]["text"], expected);
        };
        check("x".repeat(MAX_TEXT_BYTES), "x".repeat(MAX_TEXT_BYTES));
        check("x".repeat(MAX_TEXT_BYTES + 1), "x".repeat(MAX_TEXT_BYTES) + "…");
        check("é".repeat(MAX_TEXT_BYTES), "é".repeat(MAX_TEXT_BYTES / 2) + "…");
    }
}
