//! What a request is about: the operation of S3, the object, the part.

use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::str::FromStr;

/// The operations of S3 that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// GetObject.
    Get,
    /// HeadObject.
    Head,
    /// PutObject.
    Put,
    /// DeleteObject.
    Delete,
    /// CreateMultipartUpload.
    Create,
    /// UploadPart.
    Part,
    /// CompleteMultipartUpload.
    Complete,
    /// AbortMultipartUpload.
    Abort,
    /// Anything else, listings among it.
    Other,
}

impl Operation {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Get, "get"),
        (Self::Head, "head"),
        (Self::Put, "put"),
        (Self::Delete, "delete"),
        (Self::Create, "create"),
        (Self::Part, "part"),
        (Self::Complete, "complete"),
        (Self::Abort, "abort"),
        (Self::Other, "other"),
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(operation, _)| operation == self).map_or("other", |(_, name)| name);
        formatter.write_str(name)
    }
}

impl FromStr for Operation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(operation, _)| *operation).ok_or(())
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) operation: Operation,
    /// Bucket and key, with a slash between them.
    pub(super) object: String,
    pub(super) part: Option<u32>,
}

impl Subject {
    /// Reads a request with the bucket in its path.
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let object = percent_decode_str(uri.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        let query = uri.query().unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        let part = value("partNumber").and_then(|number| number.parse().ok());
        let is_object = object.split_once('/').is_some_and(|(_, key)| !key.is_empty());
        let is_upload = value("uploadId").is_some();
        let operation = match *method {
            _ if !is_object => Operation::Other,
            Method::PUT if is_upload => Operation::Part,
            Method::POST if is_upload => Operation::Complete,
            Method::DELETE if is_upload => Operation::Abort,
            Method::POST if value("uploads").is_some() => Operation::Create,
            _ if is_upload => Operation::Other,
            Method::GET => Operation::Get,
            Method::HEAD => Operation::Head,
            Method::PUT => Operation::Put,
            Method::DELETE => Operation::Delete,
            _ => Operation::Other,
        };
        Self { operation, object, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, uri: &str, operation: Operation, object: &str, part: Option<u32>) {
        let found = Subject::of(&method, &uri.parse().unwrap());
        assert_eq!(found, Subject { operation, object: object.to_owned(), part }, "{method} {uri}");
    }

    #[test]
    fn requests_are_told_apart() {
        check(Method::GET, "/raw/in/a%20b.csv?x-id=GetObject", Operation::Get, "raw/in/a b.csv", None);
        check(Method::HEAD, "/raw/a", Operation::Head, "raw/a", None);
        check(Method::PUT, "/raw/a?x-id=PutObject", Operation::Put, "raw/a", None);
        check(Method::DELETE, "/raw/a", Operation::Delete, "raw/a", None);
        check(Method::POST, "/raw/a?uploads", Operation::Create, "raw/a", None);
        check(Method::PUT, "/raw/a?partNumber=3&uploadId=u&x-id=UploadPart", Operation::Part, "raw/a", Some(3));
        check(Method::POST, "/raw/a?uploadId=u", Operation::Complete, "raw/a", None);
        check(Method::DELETE, "/raw/a?uploadId=u&x-id=AbortMultipartUpload", Operation::Abort, "raw/a", None);
        check(Method::GET, "/raw/a?uploadId=u", Operation::Other, "raw/a", None);
        check(Method::GET, "/raw?list-type=2", Operation::Other, "raw", None);
        check(Method::GET, "/raw/?list-type=2", Operation::Other, "raw/", None);
    }
}
