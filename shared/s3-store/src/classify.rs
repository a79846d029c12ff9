//! The SDK's errors in the words of the port.
//!
//! S3's own error code decides; where it has none or an unknown one, the HTTP status does.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::ByteStreamError;
use object_store::{ErrorClass, ObjectAddress, ObjectError, code};

use crate::attempts::Failure;

/// Most characters of S3's own message that are passed on.
const LONGEST_MESSAGE: usize = 200;

/// The error of a request.
pub(crate) fn request_failure<E>(
    operation: &'static str,
    address: &ObjectAddress,
    error: SdkError<E, HttpResponse>,
) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let retry_after = error.raw_response().and_then(retry_after);
    let (class, code, message) = match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let service_code = context.err().code();
            let (class, code) = by_service(service_code, status, operation);
            let message =
                service_message(service_code, context.err().message(), status, context.err().meta().request_id());
            (class, code, message)
        }
        SdkError::TimeoutError(_) => {
            (ErrorClass::Transient, code::TIMEOUT, "the request took longer than its timeout".to_owned())
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            (ErrorClass::Transient, code::TIMEOUT, "the connection took longer than its timeout".to_owned())
        }
        SdkError::ResponseError(_) => {
            (ErrorClass::Transient, code::UNREADABLE_ANSWER, "the answer of the service is not readable".to_owned())
        }
        _ => by_cause(&error),
    };
    Failure { error: ObjectError::new(class, code, operation, address, message).with_source(error), retry_after }
}

/// How long the service wants to be left alone: seconds by HTTP, milliseconds by the header of AWS. A date is not read.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| response.headers().get(name)?.trim().parse::<u64>().ok();
    number("x-amz-retry-after").map(Duration::from_millis).or_else(|| number("retry-after").map(Duration::from_secs))
}

/// The error of a body while it is read.
pub(crate) fn body_failure(address: &ObjectAddress, error: ByteStreamError) -> ObjectError {
    let (code, message) = if find::<aws_smithy_checksums::body::validate::Error>(&error).is_some() {
        (code::CHECKSUM_MISMATCH, "the body has another checksum than the service announced")
    } else {
        (code::BODY_BROKEN, "the connection broke while the body was read")
    };
    ObjectError::new(ErrorClass::Transient, code, "read", address, message).with_source(error)
}

/// Requests that never got an answer: no credentials, no connection, or a request that could not be built.
fn by_cause<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> (ErrorClass, &'static str, String) {
    match find::<CredentialsError>(error) {
        Some(CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_)) => {
            let message = "the source of credentials did not answer".to_owned();
            return (ErrorClass::Transient, code::CREDENTIALS, message);
        }
        Some(_) => {
            let message = "expected AWS credentials, for instance in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; found none \
                           that can be used";
            return (ErrorClass::Configuration, code::CREDENTIALS, message.to_owned());
        }
        None => {}
    }
    match error {
        SdkError::DispatchFailure(failure) if !failure.is_user() => {
            let message = "the connection to the service could not be made or broke".to_owned();
            (ErrorClass::Transient, code::CONNECTION_FAILED, message)
        }
        _ => {
            let message = "the request could not be built; check region and endpoint".to_owned();
            (ErrorClass::Configuration, code::WRONG_ENDPOINT, message)
        }
    }
}

/// The first error of a type among an error and its sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

fn service_message(code: Option<&str>, message: Option<&str>, status: u16, request_id: Option<&str>) -> String {
    let mut text = match (code, message) {
        (Some(code), Some(message)) => format!("S3 answers {code}: {message}"),
        (Some(code), None) => format!("S3 answers {code}"),
        (None, _) => format!("S3 answers HTTP status {status}"),
    };
    if text.chars().count() > LONGEST_MESSAGE {
        text = text.chars().take(LONGEST_MESSAGE).chain(['…']).collect();
    }
    if let Some(request_id) = request_id {
        text.push_str(&format!(" (request {request_id})"));
    }
    text.chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect() } else { vec![letter] })
        .collect()
}

fn by_service(service_code: Option<&str>, status: u16, operation: &str) -> (ErrorClass, &'static str) {
    use ErrorClass::{BadData, Changed, Configuration, Denied, NotFound, Throttled, TooLarge, Transient};
    match service_code.unwrap_or_default() {
        "NoSuchKey" | "NoSuchVersion" => (NotFound, code::NO_SUCH_KEY),
        "NoSuchBucket" => (NotFound, code::NO_SUCH_BUCKET),
        "NoSuchUpload" => (NotFound, code::NO_SUCH_UPLOAD),
        "PreconditionFailed" => (Changed, code::OBJECT_CHANGED),
        "InvalidRange" => (BadData, code::RANGE_OUTSIDE_OBJECT),
        "InvalidObjectState" => (BadData, code::OBJECT_ARCHIVED),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer" | "NotSignedUp" => {
            (Denied, code::ACCESS_DENIED)
        }
        kms if kms.starts_with("KMS.") => (Denied, code::ACCESS_DENIED),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "InvalidSecurity" => {
            (Configuration, code::CREDENTIALS)
        }
        // Credentials that ran out are replaced by their source, and clocks are set again.
        "ExpiredToken" | "TokenRefreshRequired" | "RequestTimeTooSkewed" | "RequestExpired" => {
            (Transient, code::CREDENTIALS)
        }
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "PriorRequestNotComplete" => (Throttled, code::SLOW_DOWN),
        "InternalError" | "ServiceUnavailable" | "OperationAborted" | "ConditionalRequestConflict" => {
            (Transient, code::SERVICE_ERROR)
        }
        "RequestTimeout" | "RequestTimeoutException" => (Transient, code::TIMEOUT),
        "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody" => (Transient, code::CHECKSUM_MISMATCH),
        "EntityTooLarge" | "MaxMessageLengthExceeded" => (TooLarge, code::OBJECT_TOO_LARGE),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidRegionName" => (Configuration, code::WRONG_ENDPOINT),
        _ => by_status(status, operation),
    }
}

fn by_status(status: u16, operation: &str) -> (ErrorClass, &'static str) {
    use ErrorClass::{BadData, Changed, Configuration, Denied, NotFound, Throttled, TooLarge, Transient};
    match status {
        300..=399 => (Configuration, code::WRONG_ENDPOINT),
        401 | 403 => (Denied, code::ACCESS_DENIED),
        404 if operation == "open" || operation == "head" => (NotFound, code::NO_SUCH_KEY),
        404 => (NotFound, code::NO_SUCH_BUCKET),
        408 => (Transient, code::TIMEOUT),
        409 => (Transient, code::SERVICE_ERROR),
        412 => (Changed, code::OBJECT_CHANGED),
        413 => (TooLarge, code::OBJECT_TOO_LARGE),
        416 => (BadData, code::RANGE_OUTSIDE_OBJECT),
        429 => (Throttled, code::SLOW_DOWN),
        500..=599 => (Transient, code::SERVICE_ERROR),
        _ => (Configuration, code::REQUEST_REFUSED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service_code: &str, status: u16, expected: &str) {
        let service_code = Some(service_code).filter(|code| !code.is_empty());
        let (class, code) = by_service(service_code, status, "open");
        assert_eq!(format!("{class} {code}"), expected, "{service_code:?} {status}");
    }

    #[test]
    fn the_service_code_decides_and_the_status_stands_in() {
        check("AccessDenied", 403, "denied access_denied");
        check("", 403, "denied access_denied");
        check("", 401, "denied access_denied");
        check("KMS.DisabledException", 400, "denied access_denied");
        check("NoSuchKey", 404, "not_found no_such_key");
        check("NoSuchBucket", 404, "not_found no_such_bucket");
        check("", 404, "not_found no_such_key");
        check("PreconditionFailed", 412, "changed object_changed");
        check("", 412, "changed object_changed");
        check("InvalidRange", 416, "bad_data range_outside_object");
        check("", 416, "bad_data range_outside_object");
        check("InvalidObjectState", 403, "bad_data object_archived");
        check("SlowDown", 503, "throttled slow_down");
        check("", 429, "throttled slow_down");
        check("ThrottlingException", 400, "throttled slow_down");
        check("InternalError", 500, "transient service_error");
        check("ServiceUnavailable", 503, "transient service_error");
        check("", 502, "transient service_error");
        check("RequestTimeout", 400, "transient timeout");
        check("ConditionalRequestConflict", 409, "transient service_error");
        check("BadDigest", 400, "transient checksum_mismatch");
        check("EntityTooLarge", 400, "too_large object_too_large");
        check("PermanentRedirect", 301, "configuration wrong_endpoint");
        check("", 307, "configuration wrong_endpoint");
        check("InvalidAccessKeyId", 403, "configuration credentials");
        check("ExpiredToken", 400, "transient credentials");
        check("InvalidArgument", 400, "configuration request_refused");
        check("EntityTooSmall", 400, "configuration request_refused");
    }

    #[test]
    fn messages_of_the_service_are_short_and_on_one_line() {
        let long = "x".repeat(10_000);
        let message =
            service_message(Some("AccessDenied"), Some(&format!("no\nway {long}")), 403, Some("4442587FB7D0A2F9"));
        assert!(message.starts_with("S3 answers AccessDenied: no\\nway xxx"), "{message}");
        assert!(message.ends_with("… (request 4442587FB7D0A2F9)") && message.len() < 300, "{message}");
        assert_eq!(service_message(None, None, 418, None), "S3 answers HTTP status 418");
    }
}
