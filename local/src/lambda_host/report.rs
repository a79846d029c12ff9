//! The line in which Lambda sums an invocation up.

use std::fmt;
use std::time::Duration;

/// What the `REPORT` line says.
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) duration: Duration,
    pub(super) init_duration: Option<Duration>,
    pub(super) memory_mb: u32,
    pub(super) peak_memory_bytes: Option<u64>,
    /// The error type, when the function failed.
    pub(super) failure: Option<&'a str>,
}

/// The duration and the time to start together, in whole milliseconds.
pub(super) fn billed(duration: Duration, init_duration: Option<Duration>) -> Duration {
    let whole = duration + init_duration.unwrap_or_default();
    Duration::from_millis(u64::try_from(whole.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, duration, init_duration, memory_mb, peak_memory_bytes, failure } = self;
        let billed = billed(*duration, *init_duration).as_millis();
        write!(formatter, "REPORT RequestId: {request_id}\tDuration: {:.2} ms\t", milliseconds(*duration))?;
        write!(formatter, "Billed Duration: {billed} ms\tMemory Size: {memory_mb} MB\t")?;
        if let Some(bytes) = peak_memory_bytes {
            write!(formatter, "Max Memory Used: {} MB\t", bytes.div_ceil(1_024 * 1_024))?;
        }
        if let Some(init) = init_duration {
            write!(formatter, "Init Duration: {:.2} ms\t", milliseconds(*init))?;
        }
        match failure {
            Some("Sandbox.Timedout") => formatter.write_str("Status: timeout"),
            Some(error_type) => write!(formatter, "Status: error\tError Type: {error_type}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_as_lambda_does() {
        let report = Report {
            request_id: "id",
            duration: Duration::from_micros(1_440),
            init_duration: Some(Duration::from_micros(18_450)),
            memory_mb: 128,
            peak_memory_bytes: Some(15 * 1_024 * 1_024 + 1),
            failure: None,
        };
        assert_eq!(
            report.to_string(),
            "REPORT RequestId: id\tDuration: 1.44 ms\tBilled Duration: 20 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 16 MB\tInit Duration: 18.45 ms\t"
        );
        let failed =
            Report { init_duration: None, peak_memory_bytes: None, failure: Some("Runtime.ExitError"), ..report };
        assert!(failed.to_string().ends_with("Memory Size: 128 MB\tStatus: error\tError Type: Runtime.ExitError"));
    }
}
