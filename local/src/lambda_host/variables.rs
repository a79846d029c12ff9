//! The environment variables of a function's process, as Lambda sets them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{FunctionConfig, HostOptions};

/// All variables of one environment; nothing else of our own environment reaches the process.
pub(super) fn of_environment(
    config: &FunctionConfig,
    options: &HostOptions,
    runtime_api: &str,
    log_stream: &str,
) -> BTreeMap<String, String> {
    let task_root = config.command.parent().unwrap_or(Path::new("/")).display().to_string();
    let set = [
        ("AWS_DEFAULT_REGION", options.region.as_str()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &config.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", &config.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", config.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_REGION", &options.region),
        ("LAMBDA_RUNTIME_DIR", &task_root),
        ("LAMBDA_TASK_ROOT", &task_root),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    let mut variables: BTreeMap<String, String> =
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    variables.extend(config.environment.clone());
    variables
}
