//! The functions of `mapmill serve`: programs hosted here, or another endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Arguments, CommandError};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, LogFile, LogSink, NoLogs, WhenBusy};
use crate::s3::REGION;

/// Hosts the functions of the command line; `variables` go to all of them.
pub(super) fn host(arguments: &Arguments, mut variables: BTreeMap<String, String>) -> Result<LambdaHost, CommandError> {
    let logs: Arc<dyn LogSink> = match &arguments.log {
        Some(path) => Arc::new(
            LogFile::create(path)
                .map_err(|error| CommandError::usage(format!("--log: cannot create {}: {error}", path.display())))?,
        ),
        None => Arc::new(NoLogs),
    };
    variables.extend(arguments.env.iter().map(|variable| (variable.name.clone(), variable.value.clone())));
    let host = LambdaHost::new(HostOptions { region: REGION.to_owned(), logs, ..HostOptions::default() });
    for function in &arguments.function {
        let path = std::path::absolute(&function.path)
            .map_err(|error| CommandError::usage(format!("--function: {}: {error}", function.path.display())))?;
        let config = FunctionConfig {
            name: function.name.clone(),
            command: path,
            arguments: Vec::new(),
            memory_mb: arguments.memory,
            limit_memory: arguments.limit_memory,
            timeout: Duration::from_secs(u64::from(arguments.timeout)),
            environment: variables.clone(),
            max_environments: arguments.concurrency.map(usize::from),
            when_busy: if arguments.concurrency.is_some() { WhenBusy::Throttle } else { WhenBusy::Wait },
        };
        host.register(config).map_err(|error| CommandError::usage(format!("--function: {error}")))?;
    }
    Ok(host)
}
