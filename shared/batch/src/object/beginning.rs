//! What the first bytes of an object, and what the service said of it, tell: compression and format.

use super::Run;
use crate::item_error::ItemError;
use bytes::Bytes;
use futures::StreamExt;
use object_store::{
    Body, ByteRange, Compression, ETag, ErrorClass, ExpansionLimits, ObjectAddress, OpenRequest, ResumingReader,
    detect_compression, peek,
};
use record_stream::{Checkpoint, RecordStream, StreamOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// First bytes of an object that decide about compression and format.
pub(super) const PEEK_BYTES: usize = 4 * 1024;

/// An object that was opened at its beginning.
pub(super) struct Beginning<'a> {
    run: &'a Run,
    source: &'a ObjectAddress,
    content_type: Option<String>,
    etag: ETag,
    size: u64,
    pub(super) compression: Compression,
    /// The first bytes as they lie there.
    pub(super) first: Bytes,
}

impl<'a> Beginning<'a> {
    /// Looks at the first bytes; the body begins with them again.
    pub(super) async fn look(
        run: &'a Run,
        source: &'a ObjectAddress,
        reader: ResumingReader,
    ) -> Result<(Self, Body), ItemError> {
        let content_type = reader.content_type().map(str::to_owned);
        let content_encoding = reader.content_encoding().map(str::to_owned);
        let (etag, size) = (reader.etag().clone(), reader.size());
        let (first, body) = peek(reader.into_body(), PEEK_BYTES).await?;
        let compression = compression(run.job.source.compression, source, content_encoding.as_deref(), &first)?;
        Ok((Self { run, source, content_type, etag, size, compression, first }, body))
    }

    /// What the job allows decompression to take.
    pub(super) fn expansion_limits(&self) -> ExpansionLimits {
        let limits = &self.run.job.limits;
        ExpansionLimits {
            expanded_bytes: limits.expanded_bytes.bytes(),
            expansion_ratio: limits.expansion_ratio,
            xz_memory_bytes: self.run.budget.xz_memory_bytes(),
            ..ExpansionLimits::default()
        }
    }

    /// How the records are read, from the first expanded bytes.
    pub(super) fn options(&self, expanded: &[u8]) -> Result<StreamOptions, ItemError> {
        let (key, content_type) = (self.source.key.as_str(), self.content_type.as_deref());
        self.run.plan.for_object(&self.run.job, key, content_type, expanded).ok_or_else(|| {
            let message = "the format cannot be told from the extension, the content type or the first bytes; \
                           say it in source.format";
            ItemError::new(ErrorClass::Configuration, "unknown_format", message)
        })
    }

    /// The bytes of the same version from this one on; none behind the end.
    pub(super) async fn body_from(&self, start: u64, retries: &Arc<AtomicU64>) -> Result<Body, ItemError> {
        if start >= self.size {
            return Ok(futures::stream::empty().boxed());
        }
        let request = OpenRequest {
            address: self.source.clone(),
            range: Some(ByteRange { start, end: None }),
            if_match: Some(self.etag.clone()),
        };
        let reader = ResumingReader::open(self.run.store.clone(), request, self.run.reading).await?;
        Ok(reader.counting_in(retries.clone()).into_body())
    }
}

/// A stream at the start of the records, or where an earlier invocation left them.
pub(super) fn stream(options: &StreamOptions, left: Option<&Checkpoint>) -> Result<RecordStream, ItemError> {
    let Some(left) = left else { return Ok(RecordStream::new(options)) };
    RecordStream::resume(options, left)
        .map_err(|problem| ItemError::new(ErrorClass::Changed, problem.code(), problem.to_string()))
}

fn compression(
    of_job: job::Compression,
    source: &ObjectAddress,
    content_encoding: Option<&str>,
    first: &[u8],
) -> Result<Compression, ItemError> {
    Ok(match of_job {
        job::Compression::Auto => {
            detect_compression(source.key.as_str(), content_encoding, first).map_err(|unsupported| {
                ItemError::new(ErrorClass::Configuration, "unsupported_compression", unsupported.to_string())
            })?
        }
        job::Compression::None => Compression::None,
        job::Compression::Gzip => Compression::Gzip,
        job::Compression::Zstd => Compression::Zstd,
        job::Compression::Bzip2 => Compression::Bzip2,
        job::Compression::Xz => Compression::Xz,
    })
}
