//! What a function reads from its environment, once, at its start.

use batch::{Budget, READ_VARIABLE, WRITE_VARIABLE};
use object_store::Places;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// The memory of the function in MiB; Lambda sets it.
const MEMORY_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// How many invocations may run at the same time in one process; Lambda Managed Instances set it.
const CONCURRENCY_VARIABLE: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// The name of the function; Lambda sets it.
const NAME_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The namespace of the metrics; empty means no metrics.
const NAMESPACE_VARIABLE: &str = "MAPMILL_METRICS_NAMESPACE";

/// The namespace where none is set.
const DEFAULT_NAMESPACE: &str = "Mapmill";

/// Longest namespace in characters that CloudWatch takes (`MetricDatum` of `PutMetricData`).
const MAX_NAMESPACE: usize = 255;

/// The log level; Lambda sets it from the function's logging configuration.
const LOG_LEVEL_VARIABLE: &str = "AWS_LAMBDA_LOG_LEVEL";

/// The smallest function that Lambda offers, assumed where no size is given.
const LEAST_MEMORY_MIB: u64 = 128;

/// The configuration of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the function may read.
    pub readable: Places,
    /// Where the function may write.
    pub writable: Places,
    /// The memory that the items of one invocation may share.
    pub budget: Budget,
    /// The namespace of the metrics, if there are to be any.
    pub metrics_namespace: Option<String>,
    /// The memory of the function in bytes.
    pub memory_bytes: u64,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {variable}: {message}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

impl Config {
    /// Reads the configuration from variables given as a map. Places that are not set allow nothing.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let places = |variable: &'static str| {
            let text = variables.get(variable).map_or("", String::as_str);
            text.parse::<Places>().map_err(|error| ConfigError { variable, message: error.to_string() })
        };
        let memory_mib = memory(variables)?;
        let concurrency = concurrency(variables)?;
        let share = memory_mib / u64::from(concurrency.get());
        if concurrency.get() > 1 && share < LEAST_MEMORY_MIB {
            let most = memory_mib / LEAST_MEMORY_MIB;
            let message = format!(
                "expected at most {most} invocations at the same time in {memory_mib} MiB, {LEAST_MEMORY_MIB} MiB for each, \
                 found {concurrency}; give the function more memory or a lower concurrency"
            );
            return Err(ConfigError { variable: CONCURRENCY_VARIABLE, message });
        }
        Ok(Self {
            readable: places(READ_VARIABLE)?,
            writable: places(WRITE_VARIABLE)?,
            budget: Budget::of_function(memory_mib).shared_by(concurrency),
            metrics_namespace: metrics_namespace(variables)?,
            memory_bytes: memory_mib << 20,
        })
    }
}

fn memory(variables: &BTreeMap<String, String>) -> Result<u64, ConfigError> {
    let Some(text) = variables.get(MEMORY_VARIABLE) else { return Ok(LEAST_MEMORY_MIB) };
    // A billion keeps the number of bytes within 64 bits.
    let memory = text.parse().ok().filter(|memory| (1..1_000_000_000).contains(memory));
    memory.ok_or_else(|| ConfigError {
        variable: MEMORY_VARIABLE,
        message: format!("expected the memory of the function in MiB, found {text:?}"),
    })
}

fn concurrency(variables: &BTreeMap<String, String>) -> Result<NonZeroU32, ConfigError> {
    let Some(text) = variables.get(CONCURRENCY_VARIABLE) else { return Ok(NonZeroU32::MIN) };
    text.parse().map_err(|_| ConfigError {
        variable: CONCURRENCY_VARIABLE,
        message: format!("expected the number of invocations that may run at the same time, found {text:?}"),
    })
}

fn metrics_namespace(variables: &BTreeMap<String, String>) -> Result<Option<String>, ConfigError> {
    let text = variables.get(NAMESPACE_VARIABLE).map_or(DEFAULT_NAMESPACE, String::as_str);
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "._-/#: ".contains(character);
    if text.chars().count() > MAX_NAMESPACE || !text.chars().all(is_allowed) || text.starts_with("AWS/") {
        return Err(ConfigError {
            variable: NAMESPACE_VARIABLE,
            message: format!(
                "expected a namespace of CloudWatch: at most {MAX_NAMESPACE} letters, digits, `.`, `_`, `-`, `/`, `#`, `:` \
                 and spaces, not beginning with `AWS/`; found {text:?}"
            ),
        });
    }
    Ok((!text.trim().is_empty()).then(|| text.to_owned()))
}

/// The name of the function, for logs and metrics.
pub(crate) fn function_name(variables: &BTreeMap<String, String>) -> String {
    variables.get(NAME_VARIABLE).filter(|name| !name.is_empty()).map_or("unknown", String::as_str).to_owned()
}

/// The log level from the variables: `info` unless they name another one that is known.
pub(crate) fn log_level(variables: &BTreeMap<String, String>) -> tracing::Level {
    let name = variables.get(LOG_LEVEL_VARIABLE).map(|level| level.to_ascii_lowercase());
    match name.as_deref() {
        Some("trace") => tracing::Level::TRACE,
        Some("debug") => tracing::Level::DEBUG,
        Some("warn") => tracing::Level::WARN,
        Some("error" | "fatal") => tracing::Level::ERROR,
        _ => tracing::Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn nothing_set_allows_nothing() {
        let config = Config::from_variables(&BTreeMap::new()).unwrap();
        assert_eq!(config.readable, Places::default());
        assert_eq!(config.budget, Budget::of_function(128));
    }

    #[test]
    fn variables_are_checked_by_name() {
        let check = |name: &str, value: &str, expected: &str| {
            let error = Config::from_variables(&variables(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected), "{error}");
        };
        check("MAPMILL_READ", "Bad_Bucket/x", "entry 1");
        check("MAPMILL_WRITE", "good,,", "entry 2");
        check("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "lots", "MiB");
        check("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0", "MiB");
        check("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "99999999999999999999", "MiB");
        check("AWS_LAMBDA_MAX_CONCURRENCY", "0", "number of invocations");
        check("AWS_LAMBDA_MAX_CONCURRENCY", "many", "number of invocations");
        check("AWS_LAMBDA_MAX_CONCURRENCY", "2", "at most 1 invocations at the same time in 128 MiB");
        check("MAPMILL_METRICS_NAMESPACE", "AWS/Lambda", "not beginning with `AWS/`");
        check("MAPMILL_METRICS_NAMESPACE", "a\"b", "letters");
        check("MAPMILL_METRICS_NAMESPACE", &"a".repeat(256), "at most 255");
    }

    #[test]
    fn invocations_at_the_same_time_share_the_memory() {
        let check = |memory: &str, concurrency: &str, mebibytes: u64| {
            let pairs = [("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory), ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency)];
            let config = Config::from_variables(&variables(&pairs)).unwrap();
            assert_eq!(config.budget.mebibytes(), mebibytes, "{memory} MiB, {concurrency} at the same time");
        };
        check("128", "1", 80);
        check("1024", "8", 122);
        check("4096", "16", 253);
    }

    #[test]
    fn metrics_have_a_namespace_unless_it_is_empty() {
        let namespace = |value: &str| {
            let config = Config::from_variables(&variables(&[("MAPMILL_METRICS_NAMESPACE", value)])).unwrap();
            config.metrics_namespace
        };
        assert_eq!(Config::from_variables(&BTreeMap::new()).unwrap().metrics_namespace.as_deref(), Some("Mapmill"));
        assert_eq!(namespace("Team/Mapmill:eu").as_deref(), Some("Team/Mapmill:eu"));
        assert_eq!(namespace(""), None);
    }

    #[test]
    fn log_levels_have_the_names_that_lambda_uses() {
        let level = |name: &str| log_level(&variables(&[("AWS_LAMBDA_LOG_LEVEL", name)]));
        assert_eq!(level("DEBUG"), tracing::Level::DEBUG);
        assert_eq!(level("FATAL"), tracing::Level::ERROR);
        assert_eq!(level("loud"), tracing::Level::INFO);
    }
}
