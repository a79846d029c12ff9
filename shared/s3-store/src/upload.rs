//! Uploads in parts. Every part carries a CRC-32, which S3 compares when the part arrives and when the parts are joined.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use object_store::{ErrorClass, MultipartUpload, ObjectAddress, ObjectError, WriteRequest, Written, code};

use crate::classify::request_failure;
use crate::store::written_etag;

/// What S3 calls the operation in errors of the port.
const OPERATION: &str = "upload";

pub(crate) struct S3Upload {
    client: Client,
    address: ObjectAddress,
    upload_id: String,
    parts: Vec<CompletedPart>,
    bytes: u64,
}

impl S3Upload {
    pub(crate) async fn begin(client: Client, request: &WriteRequest) -> Result<Self, ObjectError> {
        let address = request.address.clone();
        let answer = client
            .create_multipart_upload()
            .bucket(address.bucket.as_str())
            .key(address.key.as_str())
            .set_content_type(request.content_type.clone())
            .set_content_encoding(request.content_encoding.clone())
            .set_metadata(Some(request.metadata.clone().into_iter().collect()))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|error| request_failure(OPERATION, &address, error))?;
        let Some(upload_id) = answer.upload_id else {
            let message = "expected an upload id in the answer of the service; found none";
            return Err(ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, OPERATION, &address, message));
        };
        Ok(Self { client, address, upload_id, parts: Vec::new(), bytes: 0 })
    }

    fn part_number(&self, number: u32) -> Result<i32, ObjectError> {
        i32::try_from(number).map_err(|_| {
            let message = format!("expected a part number up to 10000; found {number}");
            ObjectError::new(ErrorClass::TooLarge, code::TOO_MANY_PARTS, OPERATION, &self.address, message)
        })
    }
}

#[async_trait]
impl MultipartUpload for S3Upload {
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError> {
        let part_number = self.part_number(number)?;
        let bytes = body.len() as u64;
        let answer = self
            .client
            .upload_part()
            .bucket(self.address.bucket.as_str())
            .key(self.address.key.as_str())
            .upload_id(&self.upload_id)
            .part_number(part_number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| request_failure(OPERATION, &self.address, error))?;
        let part = CompletedPart::builder()
            .part_number(part_number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build();
        self.parts.push(part);
        self.bytes += bytes;
        Ok(())
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(self.address.bucket.as_str())
            .key(self.address.key.as_str())
            .upload_id(&self.upload_id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(|error| request_failure(OPERATION, &self.address, error))?;
        Ok(Written { etag: written_etag(OPERATION, &self.address, answer.e_tag())?, bytes: self.bytes })
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        self.client
            .abort_multipart_upload()
            .bucket(self.address.bucket.as_str())
            .key(self.address.key.as_str())
            .upload_id(&self.upload_id)
            .send()
            .await
            .map(drop)
            .map_err(|error| request_failure(OPERATION, &self.address, error))
    }
}
