//! Job text to a JSON tree, with every limit set before anything is built.
//!
//! Text whose first two characters (white space aside) are `{` and `"` or `}` is JSON; everything else is YAML. Both
//! readers feed the same strict tree builder, which refuses duplicate keys. YAML is read by the rules of YAML 1.2: `no`
//! and `on` are strings, `007` and `1_000` are strings, merge keys (`<<`) and unknown tags are refused. Aliases are
//! allowed but may add only [`MAX_ALIAS_NODES`] nodes, so that a few lines cannot grow into gigabytes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Error as YamlError;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use crate::limits::{MAX_ALIAS_NODES, MAX_NESTING, MAX_TEXT_BYTES};
use crate::problem::{JobError, Problem, shorten};

/// Most nodes of a job file; 1 MiB of text cannot say more that makes sense.
const MAX_NODES: usize = 200_000;
/// Most anchors and most aliases of a YAML job file.
const MAX_ANCHORS: usize = 1_000;

/// Reads job text, JSON or YAML, into a tree.
pub(crate) fn read(text: &str) -> Result<Value, JobError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(JobError::one(Problem::mismatch(
            "",
            format!("at most {MAX_TEXT_BYTES} bytes of text (limit 1 MiB)"),
            format!("{} bytes", text.len()),
        )));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(JobError::one(Problem::mismatch("", "a mapping of keys to values", "no text")));
    }
    let value = if looks_like_json(text) { read_json(text) } else { read_yaml(text) };
    let value = value.map_err(|reason| JobError::one(Problem::unreadable(reason)))?;
    check_nesting(&value)?;
    Ok(value)
}

/// Refuses a tree that is nested deeper than the limit.
pub(crate) fn check_nesting(value: &Value) -> Result<(), JobError> {
    if fits(value, MAX_NESTING) {
        return Ok(());
    }
    let expected = format!("lists and mappings nested at most {MAX_NESTING} deep");
    Err(JobError::one(Problem::mismatch("", expected, "deeper nesting")))
}

/// True when the value is nested at most `levels` deep; looks no deeper than that.
fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(entries) => levels > 0 && entries.values().all(|entry| fits(entry, levels - 1)),
        _ => true,
    }
}

fn looks_like_json(text: &str) -> bool {
    let Some(rest) = text.trim_start().strip_prefix('{') else { return false };
    matches!(rest.trim_start().chars().next(), Some('"' | '}'))
}

fn read_json(text: &str) -> Result<Value, String> {
    serde_json::from_str::<StrictTree>(text).map(|tree| tree.0).map_err(|error| format!("not valid JSON: {error}"))
}

fn read_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(MAX_TEXT_BYTES),
            max_events: MAX_NODES * 2,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ANCHORS,
            max_anchors: MAX_ANCHORS,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: 4 * MAX_TEXT_BYTES,
            // One more than the limit, so that the message of `check_nesting` is the one that is seen.
            max_depth: MAX_NESTING + 1,
            flow_nesting_limit: MAX_NESTING + 1,
            // A second document is refused by the reader itself, with a clearer message.
            max_documents: 2,
            max_total_scalar_bytes: 2 * MAX_TEXT_BYTES,
            max_merge_keys: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIAS_NODES,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: MAX_ANCHORS,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<StrictTree>(text, options)
        .map(|tree| tree.0)
        .map_err(|error| yaml_message(error.without_snippet()))
}

/// The YAML reader's message, in our words where a limit or rule of ours was met.
fn yaml_message(error: &YamlError) -> String {
    let place = match error.location() {
        Some(location) if location.line() > 0 => format!(" at line {} column {}", location.line(), location.column()),
        _ => String::new(),
    };
    match error {
        YamlError::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(|key| format!(" `{}`", shorten(key))).unwrap_or_default();
            format!("duplicate key{key}{place}")
        }
        YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. } => {
            format!("aliases (`*name`) may add at most {MAX_ALIAS_NODES} nodes{place}")
        }
        YamlError::MergeKeyNotAllowed { .. } => format!("merge keys (`<<`) are not supported{place}"),
        YamlError::MultipleDocuments { .. } => format!("expected one YAML document; found more{place}"),
        YamlError::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("expected lists and mappings nested at most {MAX_NESTING} deep; found deeper nesting{place}")
        }
        YamlError::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            format!("expected at most {MAX_NODES} values; found more{place}")
        }
        YamlError::Budget { breach, .. } => format!("over a limit of the YAML reader ({breach:?}){place}"),
        YamlError::AliasError { error, .. } => yaml_message(error),
        other => format!("not valid YAML: {}", other.to_string().replace('\n', " ")),
    }
}

/// A JSON tree that was built without dropping anything: a key that comes twice is an error.
struct StrictTree(Value);

impl<'de> Deserialize<'de> for StrictTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(StrictTree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("numbers must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(StrictTree(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key `{}`", shorten(&key))));
            }
            let StrictTree(value) = access.next_value()?;
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}
