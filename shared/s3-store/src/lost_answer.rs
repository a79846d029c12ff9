//! Whether an upload was completed although the answer to that was lost.
//!
//! The service joins the parts, the connection breaks before the answer, and the next attempt is told that there is no
//! such upload. The object is there and whole. To be sure that it is this object and no other, it must have the size of
//! the parts and either the ETag or the checksum that follows from theirs: S3 makes the ETag of an upload as the MD5 of
//! the MD5s of its parts (unless a key of KMS encrypts the object), and its checksum as the CRC-32 of the CRC-32s.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, CompletedPart};
use aws_smithy_checksums::ChecksumAlgorithm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use object_store::{ETag, ObjectAddress, Written};

use crate::attempts::Attempts;
use crate::classify::request_failure;

/// The object at the address, if it is what these parts become.
pub(crate) async fn find(
    client: &Client,
    attempts: &Attempts,
    address: &ObjectAddress,
    parts: &[CompletedPart],
    bytes: u64,
) -> Option<Written> {
    let head = || async {
        client
            .head_object()
            .bucket(address.bucket.as_str())
            .key(address.key.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| request_failure("upload", address, error))
    };
    // Without permission to look, or when this fails too, the first error stands.
    let found = attempts.run(head).await.ok()?;
    is_of_parts(&found, parts, bytes).then_some(())?;
    Some(Written { etag: ETag::parse(found.e_tag()?).ok()?, bytes })
}

fn is_of_parts(found: &HeadObjectOutput, parts: &[CompletedPart], bytes: u64) -> bool {
    let is_as_long = found.content_length().and_then(|length| u64::try_from(length).ok()) == Some(bytes);
    let etag = found.e_tag().map(|etag| etag.trim_matches('"'));
    let has_etag = etag.is_some() && etag == etag_of(parts).as_deref();
    let has_checksum = found.checksum_crc32().is_some() && found.checksum_crc32() == checksum_of(parts).as_deref();
    is_as_long && (has_etag || has_checksum)
}

/// The ETag that an object of these parts has.
fn etag_of(parts: &[CompletedPart]) -> Option<String> {
    let mut digest = Md5::new();
    for part in parts {
        let digits = part.e_tag()?.trim_matches('"');
        digest.update(hex::decode(digits).ok().filter(|bytes| bytes.len() == 16)?);
    }
    Some(format!("{}-{}", hex::encode(digest.finalize()), parts.len()))
}

/// The checksum that an object of these parts has.
fn checksum_of(parts: &[CompletedPart]) -> Option<String> {
    let mut checksum = ChecksumAlgorithm::Crc32.into_impl();
    for part in parts {
        checksum.update(&STANDARD.decode(part.checksum_crc32()?).ok()?);
    }
    Some(format!("{}-{}", STANDARD.encode(checksum.finalize()), parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts with the bytes `123456789` each, whose MD5 and CRC-32 are known.
    fn parts() -> Vec<CompletedPart> {
        let part = |number| {
            let part = CompletedPart::builder().part_number(number).e_tag("\"25f9e794323b453885f5181f1b624d0b\"");
            part.checksum_crc32("y/Q5Jg==").build()
        };
        vec![part(1), part(2)]
    }

    fn check(length: i64, etag: &str, checksum: Option<&str>, expected: bool) {
        let found = HeadObjectOutput::builder().content_length(length).e_tag(etag);
        let found = found.set_checksum_crc32(checksum.map(str::to_owned)).build();
        assert_eq!(is_of_parts(&found, &parts(), 18), expected, "{length} {etag} {checksum:?}");
    }

    #[test]
    fn only_the_object_of_the_parts_is_taken_for_it() {
        // By Python: md5(bytes.fromhex(part) * 2).hexdigest() and zlib.crc32(bytes.fromhex("cbf43926") * 2).
        let (etag, checksum) = ("\"4f2908c19b573e50b194e208c928de17-2\"", "cCOsTw==-2");
        check(18, etag, None, true);
        check(18, "\"another\"", Some(checksum), true);
        check(17, etag, Some(checksum), false);
        check(18, "\"another\"", None, false);
        check(18, "\"another\"", Some("y/Q5Jg==-2"), false);
        check(18, &etag.replace("-2", "-3"), None, false);
    }
}
