//! Uploads in parts. Every request is tried again by itself, so a part that fails does not cost the others. Every part
//! carries a CRC-32, which S3 compares when the part arrives and when the parts are joined.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use object_store::{
    ErrorClass, MultipartUpload, ObjectAddress, ObjectError, UploadState, UploadedPart, WriteRequest, Written, code,
};

use crate::attempts::Attempts;
use crate::classify::request_failure;
use crate::lost_answer;
use crate::store::written_etag;

/// What S3 calls the operation in errors of the port.
const OPERATION: &str = "upload";

pub(crate) struct S3Upload {
    client: Client,
    attempts: Arc<Attempts>,
    address: ObjectAddress,
    state: UploadState,
}

impl S3Upload {
    /// Begins an upload. If the answer is lost, the next attempt begins another one, and the first is left to the bucket's
    /// lifecycle rule.
    pub(crate) async fn begin(
        client: Client,
        attempts: Arc<Attempts>,
        request: &WriteRequest,
    ) -> Result<Self, ObjectError> {
        let address = request.address.clone();
        let create = || async {
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
            let no_id = || {
                let message = "expected an upload id in the answer of the service; found none";
                ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, OPERATION, &address, message)
            };
            Ok(answer.upload_id.ok_or_else(no_id)?)
        };
        let id = attempts.run(create).await?;
        Ok(Self { client, attempts, address, state: UploadState { id, parts: Vec::new() } })
    }

    /// Goes on with an upload that was begun elsewhere.
    pub(crate) fn resume(client: Client, attempts: Arc<Attempts>, request: &WriteRequest, state: UploadState) -> Self {
        Self { client, attempts, address: request.address.clone(), state }
    }

    fn parts(&self) -> Vec<CompletedPart> {
        let parts = (1..).zip(&self.state.parts).map(|(number, part)| {
            CompletedPart::builder()
                .part_number(number)
                .e_tag(&part.etag)
                .set_checksum_crc32(part.crc32.clone())
                .build()
        });
        parts.collect()
    }

    fn bytes(&self) -> u64 {
        self.state.parts.iter().map(|part| part.bytes).sum()
    }

    fn part_number(&self, number: u32) -> Result<i32, ObjectError> {
        i32::try_from(number).map_err(|_| {
            let message = format!("expected a part number up to 10000; found {number}");
            ObjectError::new(ErrorClass::TooLarge, code::TOO_MANY_PARTS, OPERATION, &self.address, message)
        })
    }

    async fn try_complete(&self) -> Result<Written, ObjectError> {
        let complete = || async {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts())).build();
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
            Ok(Written { etag: written_etag(OPERATION, &self.address, answer.e_tag())?, bytes: self.bytes() })
        };
        self.attempts.run(complete).await
    }
}

#[async_trait]
impl MultipartUpload for S3Upload {
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError> {
        let part_number = self.part_number(number)?;
        let upload = || async {
            self.client
                .upload_part()
                .bucket(self.address.bucket.as_str())
                .key(self.address.key.as_str())
                .upload_id(&self.state.id)
                .part_number(part_number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(body.clone()))
                .send()
                .await
                .map_err(|error| request_failure(OPERATION, &self.address, error))
        };
        let answer = self.attempts.run(upload).await?;
        let Some(etag) = answer.e_tag else {
            let message = "expected an ETag of the part in the answer of the service; found none";
            let (class, code) = (ErrorClass::Transient, code::UNREADABLE_ANSWER);
            return Err(ObjectError::new(class, code, OPERATION, &self.address, message));
        };
        self.state.parts.push(UploadedPart { etag, crc32: answer.checksum_crc32, bytes: body.len() as u64 });
        Ok(())
    }

    fn state(&self) -> UploadState {
        self.state.clone()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        let error = match self.try_complete().await {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        // An attempt whose answer was lost has ended the upload, and the next one finds none.
        let may_be_done = error.class.is_retriable() || error.code == code::NO_SUCH_UPLOAD;
        let found = if may_be_done {
            lost_answer::find(&self.client, &self.attempts, &self.address, &self.parts(), self.bytes()).await
        } else {
            None
        };
        found.ok_or(error)
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        let abort = || async {
            self.client
                .abort_multipart_upload()
                .bucket(self.address.bucket.as_str())
                .key(self.address.key.as_str())
                .upload_id(&self.state.id)
                .send()
                .await
                .map(drop)
                .map_err(|error| request_failure(OPERATION, &self.address, error))
        };
        self.attempts.run(abort).await
    }
}
