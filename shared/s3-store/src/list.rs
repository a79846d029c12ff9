//! Listing objects, a page at a time.
//!
//! Keys are asked for in URL encoding, because XML cannot carry every character that a key may have.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{EncodingType, Object};
use object_store::{ETag, ErrorClass, ListPage, ListRequest, ListedObject, MAX_PAGE, ObjectError, code};
use percent_encoding::percent_decode_str;

use crate::attempts::Failure;
use crate::classify::request_failure;

/// Pages without an object that are passed over in one request for a page.
const MOST_EMPTY_PAGES: usize = 1000;

/// A page with at least one object, or the last one. S3 may answer pages without any before it comes to further objects,
/// for instance in a bucket full of delete markers.
pub(crate) async fn list(client: &Client, request: &ListRequest) -> Result<ListPage, Failure> {
    let mut token = None;
    for _ in 0..MOST_EMPTY_PAGES {
        let answer = client
            .list_objects_v2()
            .bucket(request.bucket.as_str())
            .prefix(&request.prefix)
            .set_start_after(request.start_after.clone())
            .set_continuation_token(token)
            .max_keys(request.most.clamp(1, MAX_PAGE).into())
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| request_failure("list", &request.address(), error))?;
        let objects: Vec<_> =
            answer.contents().iter().map(|object| listed(request, object)).collect::<Result<_, _>>()?;
        token = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true)).map(str::to_owned);
        if token.is_none() || !objects.is_empty() {
            return Ok(ListPage { objects, is_last: token.is_none() });
        }
    }
    let message = format!("expected an object in {MOST_EMPTY_PAGES} pages; found none");
    Err(ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, "list", &request.address(), message).into())
}

fn listed(request: &ListRequest, object: &Object) -> Result<ListedObject, ObjectError> {
    let unreadable = |what: &str| {
        let message = format!("expected {what} of every object in the answer of the service; found another or none");
        ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, "list", &request.address(), message)
    };
    let key = object.key().and_then(decode).ok_or_else(|| unreadable("the key"))?;
    let size = object.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| unreadable("the size"))?;
    Ok(ListedObject {
        key,
        size,
        etag: object.e_tag().and_then(|etag| ETag::parse(etag).ok()),
        last_modified: object.last_modified().map(aws_sdk_s3::primitives::DateTime::secs),
    })
}

/// The key that a URL-encoded text means; a space may be `+`.
fn decode(encoded: &str) -> Option<String> {
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once() {
        let check = |encoded: &str, key: Option<&str>| assert_eq!(decode(encoded).as_deref(), key, "{encoded}");
        check("in/a.csv", Some("in/a.csv"));
        check("a+b%20c%2Bd", Some("a b c+d"));
        check("%2520", Some("%20"));
        check("%C3%A4%0A", Some("ä\n"));
        check("%ff", None);
    }
}
