//! The SDK's client, with nothing left to defaults that matter. It tries every request once; `attempts` tries again.

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

use crate::options::S3Options;

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
pub(crate) async fn from_environment(options: &S3Options) -> Result<Client, EnvironmentError> {
    // Only the environment is asked: the SDK would go on to ask the network, which takes seconds where there is none.
    let region = EnvironmentVariableRegionProvider::new().region().await.ok_or(EnvironmentError::NoRegion)?;
    let http_client = http_client();
    let environment = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client.clone())
        .region(region)
        .load()
        .await;
    Ok(Client::from_conf(settings(Builder::from(&environment), http_client, options).build()))
}

/// A client for an endpoint of one's own, with the bucket in the path.
pub(crate) fn for_endpoint(
    endpoint: &str,
    region: &str,
    access_key_id: &str,
    secret_access_key: &str,
    options: &S3Options,
) -> Client {
    let builder = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(Credentials::new(access_key_id, secret_access_key, None, None, "given"));
    Client::from_conf(settings(builder, http_client(), options).build())
}

fn settings(builder: Builder, http_client: SharedHttpClient, options: &S3Options) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .operation_attempt_timeout(options.attempt_timeout)
        .build();
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(options.stall_grace).build();
    builder
        .http_client(http_client)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(stalls)
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
