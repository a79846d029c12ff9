//! Failures of services in the words in which a state sees them.

use super::super::TaskFailure;
use super::request_id;

/// A failure as a service says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The code, for instance `NoSuchKey`.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) status: u16,
    /// Whether the service's model names an exception for it; the others share one name.
    pub(super) modeled: bool,
}

impl Fault {
    pub(super) fn modeled(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status, modeled: true }
    }

    pub(super) fn unmodeled(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { modeled: false, ..Self::modeled(code, status, message) }
    }

    /// The service would do it; here it cannot be done.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::unmodeled("NotImplemented", 501, message)
    }

    /// The failure as a task's error and cause.
    pub(super) fn into_failure(self, service: &str, sdk: bool) -> TaskFailure {
        let Self { code, message, status, modeled } = self;
        let names = names(service);
        let prefix = if sdk { names.sdk } else { names.optimised };
        let exception = match (modeled, sdk) {
            (true, _) if code.ends_with("Exception") => code.clone(),
            (true, _) => format!("{code}Exception"),
            (false, true) => format!("{}Exception", names.sdk),
            (false, false) => format!("{}Exception", names.client),
        };
        let id = request_id();
        let cause = match (sdk, service) {
            (true, "s3") => format!(
                "{message} (Service: {}, Status Code: {status}, Request ID: {id}, Extended Request ID: {id})",
                names.sdk
            ),
            (true, _) => format!("{message} (Service: {}, Status Code: {status}, Request ID: {id})", names.sdk),
            (false, _) => format!(
                "{message} (Service: {}; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)",
                names.full
            ),
        };
        TaskFailure { error: format!("{prefix}.{exception}"), cause }
    }
}

/// How a service is called.
struct Names {
    optimised: &'static str,
    sdk: &'static str,
    /// In the name of an exception that has none of its own.
    client: &'static str,
    /// In causes.
    full: &'static str,
}

fn names(service: &str) -> Names {
    let (optimised, sdk, client, full) = match service {
        "sqs" => ("SQS", "Sqs", "AmazonSQS", "AmazonSQS"),
        "sns" => ("SNS", "Sns", "AmazonSNS", "AmazonSNS"),
        "dynamodb" => ("DynamoDB", "DynamoDb", "AmazonDynamoDB", "AmazonDynamoDBv2"),
        "s3" => ("S3", "S3", "AmazonS3", "Amazon S3"),
        _ => ("EventBridge", "EventBridge", "AmazonEventBridge", "AmazonEventBridge"),
    };
    Names { optimised, sdk, client, full }
}

/// The content type of a service's answers.
pub(super) fn content_type(service: &str) -> &'static str {
    match service {
        "sns" => "text/xml",
        "events" => "application/x-amz-json-1.1",
        _ => "application/x-amz-json-1.0",
    }
}
