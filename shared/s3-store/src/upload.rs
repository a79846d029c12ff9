//! Uploads in parts. Every part carries a CRC-32, which S3 compares when the part arrives and when the parts are joined.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use object_store::{
    ErrorClass, MultipartUpload, ObjectAddress, ObjectError, UploadState, UploadedPart, WriteRequest, Written, code,
};

use crate::classify::request_failure;
use crate::store::written_etag;

/// What S3 calls the operation in errors of the port.
const OPERATION: &str = "upload";

pub(crate) struct S3Upload {
    client: Client,
    address: ObjectAddress,
    state: UploadState,
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
        Ok(Self { client, address, state: UploadState { id: upload_id, parts: Vec::new() } })
    }

    /// Goes on with an upload that was begun elsewhere.
    pub(crate) fn resume(client: Client, request: &WriteRequest, state: UploadState) -> Self {
        Self { client, address: request.address.clone(), state }
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
            .upload_id(&self.state.id)
            .part_number(part_number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| request_failure(OPERATION, &self.address, error))?;
        let Some(etag) = answer.e_tag else {
            let message = "expected an ETag of the part in the answer of the service; found none";
            let (class, code) = (ErrorClass::Transient, code::UNREADABLE_ANSWER);
            return Err(ObjectError::new(class, code, OPERATION, &self.address, message));
        };
        self.state.parts.push(UploadedPart { etag, crc32: answer.checksum_crc32, bytes });
        Ok(())
    }

    fn state(&self) -> UploadState {
        self.state.clone()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        let parts = (1..).zip(&self.state.parts).map(|(number, part)| {
            CompletedPart::builder()
                .part_number(number)
                .e_tag(&part.etag)
                .set_checksum_crc32(part.crc32.clone())
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(self.address.bucket.as_str())
            .key(self.address.key.as_str())
            .upload_id(&self.state.id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(|error| request_failure(OPERATION, &self.address, error))?;
        let bytes = self.state.parts.iter().map(|part| part.bytes).sum();
        Ok(Written { etag: written_etag(OPERATION, &self.address, answer.e_tag())?, bytes })
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        self.client
            .abort_multipart_upload()
            .bucket(self.address.bucket.as_str())
            .key(self.address.key.as_str())
            .upload_id(&self.state.id)
            .send()
            .await
            .map(drop)
            .map_err(|error| request_failure(OPERATION, &self.address, error))
    }
}
