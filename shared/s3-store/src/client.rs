//! The SDK's client, with nothing left to defaults that matter.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// Making a connection. Inside a region this takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the request to the first byte of the answer, including the sending of a part of 8 MiB.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// One attempt of a request, bodies of answers not included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(45);
/// A request with all its attempts.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a body may flow slower than one byte a second. The port's reader has a stall timeout of its own.
const STALL_GRACE: Duration = Duration::from_secs(20);
/// Attempts of one request, the first included.
const ATTEMPTS: u32 = 5;
/// The ceilings of the waiting time between attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Idle connections are closed after this time; S3 closes them after about as long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The environment lacks what the client needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// No region is set.
    #[error("expected the region of the buckets in the environment variable AWS_REGION; found none")]
    NoRegion,
}

/// A client by the environment: `AWS_REGION`, credentials, `AWS_ENDPOINT_URL_S3`.
pub(crate) async fn from_environment() -> Result<Client, EnvironmentError> {
    // Only the environment is asked: the SDK would go on to ask the network, which takes seconds where there is none.
    let region = EnvironmentVariableRegionProvider::new().region().await.ok_or(EnvironmentError::NoRegion)?;
    let http_client = http_client();
    let environment = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client.clone())
        .region(region)
        .load()
        .await;
    Ok(Client::from_conf(settings(Builder::from(&environment), http_client).build()))
}

/// A client for an endpoint of one's own, with the bucket in the path.
pub(crate) fn for_endpoint(endpoint: &str, region: &str, access_key_id: &str, secret_access_key: &str) -> Client {
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(Credentials::new(access_key_id, secret_access_key, None, None, "given"));
    Client::from_conf(settings(builder, http_client()).build())
}

fn settings(builder: Builder, http_client: SharedHttpClient) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    builder
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(retries)
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE).build())
        .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
        .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
}

/// TLS by ring: the SDK's usual provider needs 24 ms of CPU before its first handshake, ring less than one.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build_https()
}
