//! Errors of the store as the error codes of S3.

use std::io::ErrorKind;

use hyper::header::{ETAG, HeaderMap, HeaderValue};
use s3s::{S3Error, S3ErrorCode};

use crate::explain::explain;
use crate::s3::error::StoreError;

/// The answer for an error. The message is the one of the error with its causes, so a client's log says what was expected
/// and, for instance, that the disk is full.
pub(super) fn to_s3(error: StoreError) -> S3Error {
    let message = explain(&error);
    let mut answer = S3Error::with_message(code(&error), message);
    if let StoreError::NotModified { tag } = &error {
        let mut headers = HeaderMap::new();
        // A tag is made of hexadecimal digits, so the header value cannot be refused.
        if let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\"")) {
            headers.insert(ETAG, value);
        }
        answer.set_headers(headers);
    }
    answer.set_source(Box::new(error));
    answer
}

fn code(error: &StoreError) -> S3ErrorCode {
    match error {
        StoreError::InvalidBucketName { .. } => S3ErrorCode::InvalidBucketName,
        StoreError::InvalidKey { length: 0 } | StoreError::InvalidArgument { .. } => S3ErrorCode::InvalidArgument,
        StoreError::InvalidKey { .. } => S3ErrorCode::KeyTooLongError,
        StoreError::NoSuchBucket { .. } => S3ErrorCode::NoSuchBucket,
        StoreError::NoSuchKey { .. } => S3ErrorCode::NoSuchKey,
        StoreError::NoSuchUpload { .. } => S3ErrorCode::NoSuchUpload,
        StoreError::PreconditionFailed { .. } => S3ErrorCode::PreconditionFailed,
        StoreError::NotModified { .. } => S3ErrorCode::NotModified,
        StoreError::InvalidRange { .. } => S3ErrorCode::InvalidRange,
        StoreError::BadDigest { .. } => S3ErrorCode::BadDigest,
        StoreError::InvalidDigest { .. } => S3ErrorCode::InvalidDigest,
        StoreError::IncompleteBody { .. } => S3ErrorCode::IncompleteBody,
        StoreError::BodyFailed { source } => body_code(source.as_ref()),
        StoreError::TooLarge { .. } => S3ErrorCode::EntityTooLarge,
        StoreError::MetadataTooLarge { .. } => S3ErrorCode::MetadataTooLarge,
        StoreError::InvalidPart { .. } => S3ErrorCode::InvalidPart,
        StoreError::InvalidPartOrder { .. } => S3ErrorCode::InvalidPartOrder,
        StoreError::PartTooSmall { .. } => S3ErrorCode::EntityTooSmall,
        StoreError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => S3ErrorCode::AccessDenied,
        StoreError::InvalidTag { .. } => S3ErrorCode::InvalidTag,
        StoreError::Unsupported { .. } => S3ErrorCode::NotImplemented,
        StoreError::TooMany { .. } => S3ErrorCode::SlowDown,
        StoreError::ChangedOutside { .. }
        | StoreError::NotAFolder { .. }
        | StoreError::NotAStore { .. }
        | StoreError::UnreadableEntries { .. }
        | StoreError::FolderInUse { .. }
        | StoreError::FoldersOverlap { .. }
        | StoreError::BucketInUse { .. }
        | StoreError::Io { .. }
        | StoreError::TaskFailed { .. } => S3ErrorCode::InternalError,
    }
}

/// `s3s` checks the SHA-256 and the signature of a body while it streams; its error types are not public.
fn body_code(source: &(dyn std::error::Error + Send + Sync + 'static)) -> S3ErrorCode {
    let text = source.to_string();
    if text.ends_with("Sha256Mismatch") {
        S3ErrorCode::BadDigest
    } else if text.ends_with("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::tag::EntityTag;

    #[test]
    fn a_not_modified_answer_carries_the_tag() {
        let answer = to_s3(StoreError::NotModified { tag: EntityTag::of_content([0; 16]) });
        assert_eq!(answer.status_code().map(|status| status.as_u16()), Some(304));
        assert_eq!(answer.headers().unwrap().get(ETAG).unwrap(), &format!("\"{}\"", "00".repeat(16)));
    }

    #[test]
    fn failures_of_the_file_system_are_told_with_their_cause() {
        let check = |kind: ErrorKind, code: S3ErrorCode, cause: &str| {
            let answer = to_s3(StoreError::io("write", "/out/x")(kind.into()));
            assert_eq!(
                (answer.code(), answer.message()),
                (&code, Some(format!("cannot write /out/x: {cause}").as_str()))
            );
        };
        check(ErrorKind::StorageFull, S3ErrorCode::InternalError, "no storage space");
        check(ErrorKind::PermissionDenied, S3ErrorCode::AccessDenied, "permission denied");
    }

    #[test]
    fn every_answer_has_a_status_and_a_message() {
        let check = |error: StoreError, status: u16| {
            let answer = to_s3(error);
            assert_eq!(answer.status_code().map(|status| status.as_u16()), Some(status), "{answer}");
            assert!(answer.message().is_some_and(|message| !message.is_empty()));
        };
        check(StoreError::NoSuchBucket { bucket: "b".into() }, 404);
        check(StoreError::InvalidKey { length: 2000 }, 400);
        check(StoreError::InvalidRange { size: 1 }, 416);
        check(StoreError::PreconditionFailed { condition: "If-Match", bucket: "b".into(), key: "k".into() }, 412);
        check(StoreError::TooMany { what: "buckets", limit: 1 }, 503);
        check(StoreError::Unsupported { feature: "versionId" }, 501);
        check(StoreError::ChangedOutside { path: "x".into() }, 500);
        check(StoreError::BodyFailed { source: "UploadStreamError: Sha256Mismatch".into() }, 400);
    }
}
