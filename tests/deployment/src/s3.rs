//! Which permissions a request to S3 needs, from its method, path and query.
//!
//! The table is that of the Amazon S3 user guide, "Required permissions for Amazon S3 API operations", for the operations
//! that Mapmill sends.

use crate::policy::Call;

/// The calls, in the sense of IAM, that a request is.
///
/// The path is `/bucket` or `/bucket/key`, percent-decoded; the query is what follows the `?`, not decoded.
#[must_use]
pub fn call(method: &str, path: &str, query: &str) -> Option<Call> {
    let (bucket, key) = match path.trim_start_matches('/').split_once('/') {
        Some((bucket, key)) if !key.is_empty() => (bucket, Some(key)),
        Some((bucket, _)) => (bucket, None),
        None => (path.trim_start_matches('/'), None),
    };
    let parameter = |name: &str| {
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(known, _)| *known == name)
    };
    let has = |name: &str| parameter(name).is_some();
    let Some(key) = key else {
        let prefix = parameter("prefix").map_or(String::new(), |(_, value)| decode(value));
        let call = Call::new("s3:ListBucket", &format!("arn:aws:s3:::{bucket}")).with("s3:prefix", &prefix);
        return (method == "GET" && parameter("list-type") == Some(("list-type", "2"))).then_some(call);
    };
    let action = match method {
        "GET" if has("uploadId") => "s3:ListMultipartUploadParts",
        "GET" | "HEAD" => "s3:GetObject",
        // UploadPart is a PUT, CreateMultipartUpload and CompleteMultipartUpload are POSTs.
        "PUT" => "s3:PutObject",
        "POST" if has("uploads") || has("uploadId") => "s3:PutObject",
        "DELETE" if has("uploadId") => "s3:AbortMultipartUpload",
        "DELETE" => "s3:DeleteObject",
        _ => return None,
    };
    Some(Call::new(action, &format!("arn:aws:s3:::{bucket}/{key}")))
}

/// Percent-decoding; what is not valid stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, query: &str, action: &str, resource: &str) {
        let call = call(method, path, query).map(|call| (call.action, call.resource));
        assert_eq!(call, Some((format!("s3:{action}"), format!("arn:aws:s3:::{resource}"))), "{method} {path}?{query}");
    }

    #[test]
    fn requests_are_calls() {
        check("GET", "/raw/in/a.csv", "x-id=GetObject", "GetObject", "raw/in/a.csv");
        check("HEAD", "/raw/in/a.csv", "", "GetObject", "raw/in/a.csv");
        check("PUT", "/clean/a", "partNumber=1&uploadId=x", "PutObject", "clean/a");
        check("POST", "/clean/a", "uploads", "PutObject", "clean/a");
        check("POST", "/clean/a", "uploadId=x", "PutObject", "clean/a");
        check("DELETE", "/clean/a", "uploadId=x", "AbortMultipartUpload", "clean/a");
        check("DELETE", "/clean/a", "", "DeleteObject", "clean/a");
        check("GET", "/raw", "list-type=2&prefix=in%2F", "ListBucket", "raw");
        check("GET", "/raw/", "list-type=2", "ListBucket", "raw");
        assert_eq!(call("OPTIONS", "/raw/a", ""), None);
    }

    #[test]
    fn a_listing_brings_its_prefix_along() {
        let prefix = |query: &str| call("GET", "/raw", query).map(|call| call.context["s3:prefix"].clone());
        assert_eq!(prefix("list-type=2&prefix=in%2F%C3%A4").as_deref(), Some("in/ä"));
        assert_eq!(prefix("list-type=2").as_deref(), Some(""));
        assert_eq!(prefix("list-type=2&prefix=100%").as_deref(), Some("100%"));
    }
}
