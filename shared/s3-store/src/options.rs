//! How patient the adapter is.

use std::time::Duration;

use object_store::Backoff;

/// Attempts and times of single requests. The bodies of answers are not included: reading them is bounded by
/// [`object_store::ResumeOptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Options {
    /// Attempts of one request, the first included; at least one.
    pub attempts: u32,
    /// The waiting time between attempts, and of all requests together when the service asks to slow down.
    pub backoff: Backoff,
    /// The most that the service's own wish (`Retry-After`) is followed.
    pub longest_retry_after: Duration,
    /// Making a connection. Inside a region this takes milliseconds.
    pub connect_timeout: Duration,
    /// From the request to the first byte of the answer, including the sending of a part of 8 MiB.
    pub read_timeout: Duration,
    /// One attempt of a request.
    pub attempt_timeout: Duration,
    /// After this time no other attempt is begun.
    pub operation_timeout: Duration,
    /// How long a body may flow slower than one byte a second. The port's reader has a stall timeout of its own.
    pub stall_grace: Duration,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) },
            longest_retry_after: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(30),
            attempt_timeout: Duration::from_secs(45),
            operation_timeout: Duration::from_secs(120),
            stall_grace: Duration::from_secs(20),
        }
    }
}
