//! What a function reads from its environment, once, at its start.

use batch::{Budget, READ_VARIABLE, WRITE_VARIABLE};
use object_store::Places;
use std::collections::BTreeMap;

/// The memory of the function in MiB; Lambda sets it.
const MEMORY_VARIABLE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

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
    /// The memory that items may share.
    pub budget: Budget,
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
        let memory = variables.get(MEMORY_VARIABLE).map(|text| {
            text.parse().ok().filter(|memory| *memory > 0).ok_or_else(|| ConfigError {
                variable: MEMORY_VARIABLE,
                message: format!("expected the memory of the function in MiB, found {text:?}"),
            })
        });
        Ok(Self {
            readable: places(READ_VARIABLE)?,
            writable: places(WRITE_VARIABLE)?,
            budget: Budget::of_function(memory.transpose()?.unwrap_or(LEAST_MEMORY_MIB)),
        })
    }
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
    }

    #[test]
    fn log_levels_have_the_names_that_lambda_uses() {
        let level = |name: &str| log_level(&variables(&[("AWS_LAMBDA_LOG_LEVEL", name)]));
        assert_eq!(level("DEBUG"), tracing::Level::DEBUG);
        assert_eq!(level("FATAL"), tracing::Level::ERROR);
        assert_eq!(level("loud"), tracing::Level::INFO);
    }
}
