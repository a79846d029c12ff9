//! Opening objects.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, stream};
use object_store::{
    Body, ByteRange, Checksum, ChecksumKind, ETag, ErrorClass, ObjectAddress, ObjectError, ObjectReader, OpenRequest,
    code,
};

use crate::attempts::Failure;
use crate::classify::{body_failure, request_failure};

pub(crate) async fn open(client: &Client, request: &OpenRequest) -> Result<ObjectReader, Failure> {
    let address = &request.address;
    if let Some(ByteRange { start, end: Some(end) }) = request.range
        && end <= start
    {
        let message = format!("expected a range of at least one byte; found {start}..{end}");
        return Err(ObjectError::new(ErrorClass::BadData, code::RANGE_OUTSIDE_OBJECT, "open", address, message).into());
    }
    let answer = client
        .get_object()
        .bucket(address.bucket.as_str())
        .key(address.key.as_str())
        .set_range(request.range.map(header))
        .set_if_match(request.if_match.as_ref().map(ETag::quoted))
        .send()
        .await
        .map_err(|error| request_failure("open", address, error))?;
    Ok(reader(request, answer)?)
}

/// The range as a header; its end is inclusive there.
fn header(range: ByteRange) -> String {
    match range.end {
        Some(end) => format!("bytes={}-{}", range.start, end - 1),
        None => format!("bytes={}-", range.start),
    }
}

fn reader(request: &OpenRequest, answer: GetObjectOutput) -> Result<ObjectReader, ObjectError> {
    let address = &request.address;
    let unreadable = |what: &str| {
        let message = format!("expected {what} in the answer of the service; found another or none");
        ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, "open", address, message)
    };
    let etag = answer.e_tag().and_then(|etag| ETag::parse(etag).ok()).ok_or_else(|| unreadable("an ETag"))?;
    let size = match request.range {
        None => answer.content_length().and_then(|length| u64::try_from(length).ok()),
        // A service that does not know ranges sends the whole object, and its bytes would land at the wrong place.
        Some(range) => answer.content_range().and_then(|text| size_of_whole(text, range.start)),
    };
    let size = size.ok_or_else(|| unreadable("the length of the object and the range that was asked for"))?;
    Ok(ObjectReader {
        etag,
        size,
        content_type: answer.content_type().map(str::to_owned),
        content_encoding: answer.content_encoding().map(str::to_owned),
        // That of a range, where S3 sends one at all, is the checksum of a part.
        checksum: request.range.is_none().then(|| checksum(&answer)).flatten(),
        body: body(address.clone(), answer.body),
    })
}

/// The checksum of the whole object. An object that was uploaded in parts may have one of its parts' checksums instead.
fn checksum(answer: &GetObjectOutput) -> Option<Checksum> {
    if matches!(answer.checksum_type(), Some(ChecksumType::Composite)) {
        return None;
    }
    let kinds = [
        (ChecksumKind::Crc64Nvme, answer.checksum_crc64_nvme()),
        (ChecksumKind::Crc32c, answer.checksum_crc32_c()),
        (ChecksumKind::Crc32, answer.checksum_crc32()),
    ];
    kinds.into_iter().find_map(|(kind, text)| Checksum::from_bytes(kind, &STANDARD.decode(text?).ok()?))
}

/// Reads `bytes 10-19/100` and returns the 100, if the range begins where it should.
fn size_of_whole(content_range: &str, start: u64) -> Option<u64> {
    let (range, size) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    (first.parse() == Ok(start)).then(|| size.parse().ok()).flatten()
}

fn body(address: ObjectAddress, bytes: ByteStream) -> Body {
    stream::try_unfold((bytes, address), |(mut bytes, address)| async move {
        match bytes.try_next().await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, (bytes, address)))),
            Err(error) => Err(body_failure(&address, error)),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let check =
            |text: &str, start: u64, expected: Option<u64>| assert_eq!(size_of_whole(text, start), expected, "{text}");
        check("bytes 10-19/100", 10, Some(100));
        check("bytes 0-99/100", 0, Some(100));
        check("bytes 0-99/100", 10, None);
        check("bytes 10-19/*", 10, None);
        check("bytes */100", 10, None);
        check("items 10-19/100", 10, None);
        check("", 0, None);
    }

    #[test]
    fn checksums_of_whole_objects_are_taken() {
        let check = |answer: GetObjectOutput, expected: Option<Checksum>| assert_eq!(checksum(&answer), expected);
        let answer = || GetObjectOutput::builder().checksum_crc32("y/Q5Jg==");
        let crc32 = Checksum::of(ChecksumKind::Crc32, b"123456789");
        check(answer().build(), Some(crc32));
        check(answer().checksum_type(ChecksumType::FullObject).build(), Some(crc32));
        check(answer().checksum_type(ChecksumType::Composite).build(), None);
        check(answer().checksum_crc32("y/Q5Jg==-2").build(), None);
        check(answer().checksum_crc32("y/Q5").build(), None);
        let crc64 = Checksum::of(ChecksumKind::Crc64Nvme, b"123456789");
        check(answer().checksum_crc64_nvme(STANDARD.encode(crc64.value.to_be_bytes())).build(), Some(crc64));
        check(GetObjectOutput::builder().build(), None);
    }

    #[test]
    fn ranges_are_written_with_an_inclusive_end() {
        assert_eq!(header(ByteRange { start: 5, end: None }), "bytes=5-");
        assert_eq!(header(ByteRange { start: 5, end: Some(10) }), "bytes=5-9");
    }
}
