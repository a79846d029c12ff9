//! Receiving a body chunk by chunk, with a bounded buffer: it counts, hashes and decides between memory and file.
//!
//! A body starts in memory. Once it outgrows the inline size, or the store's memory budget has no room, it moves to a
//! staged file and from then on only one buffer of the inline size is kept.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;

use super::blob::Blob;
use super::error::StoreError;
use super::memory::{MemoryBudget, Reservation};
use super::staging::{StagedFile, StagingFolder};

/// A body that was received completely.
pub(super) struct ReceivedBody {
    pub(super) blob: Blob,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    /// The checksums that were asked for at the start.
    pub(super) checksum: Checksum,
}

/// Receives one body.
pub(super) struct BodyWriter {
    staging: Arc<StagingFolder>,
    inline_bytes: usize,
    limit: u64,
    md5: Md5,
    checksums: ChecksumHasher,
    buffer: Vec<u8>,
    reservation: Reservation,
    file: Option<(Arc<File>, StagedFile)>,
    size: u64,
}

impl BodyWriter {
    /// `inline_bytes`: bodies up to this size stay in memory. `limit`: the largest body accepted, in bytes.
    pub(super) fn new(
        staging: Arc<StagingFolder>,
        budget: &MemoryBudget,
        inline_bytes: usize,
        limit: u64,
        checksums: ChecksumHasher,
    ) -> Self {
        Self {
            staging,
            inline_bytes,
            limit,
            md5: Md5::new(),
            checksums,
            buffer: Vec::new(),
            reservation: budget.reserve_nothing(),
            file: None,
            size: 0,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] over the limit, [`StoreError::Io`] when the staging folder fails.
    pub(super) async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(StoreError::TooLarge { what: "the body".to_owned(), limit: self.limit });
        }
        self.md5.update(chunk);
        self.checksums.update(chunk);
        if self.file.is_none() && (self.size > self.inline_bytes as u64 || !self.reservation.grow(chunk.len() as u64)) {
            let staging = Arc::clone(&self.staging);
            let (file, staged) = tokio::task::spawn_blocking(move || staging.new_file()).await??;
            self.file = Some((Arc::new(file), staged));
            self.reservation.release();
        }
        self.buffer.extend_from_slice(chunk);
        if self.file.is_some() && self.buffer.len() >= self.inline_bytes {
            self.flush().await?;
        }
        Ok(())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the staging folder fails.
    pub(super) async fn finish(mut self) -> Result<ReceivedBody, StoreError> {
        if self.file.is_some() {
            self.flush().await?;
        }
        let blob = match self.file {
            Some((_, staged)) => Blob::File(staged),
            None => {
                // A boxed slice has no spare capacity, so the budget counts what is really held.
                Blob::Memory { bytes: Bytes::from(self.buffer.into_boxed_slice()), _reservation: self.reservation }
            }
        };
        Ok(ReceivedBody { blob, size: self.size, md5: self.md5.finalize().into(), checksum: self.checksums.finalize() })
    }

    /// Writes the buffer to the file on a thread that may block.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let Some((file, staged)) = &self.file else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        let file = Arc::clone(file);
        let path = staged.path().to_owned();
        let mut buffer = std::mem::take(&mut self.buffer);
        self.buffer = tokio::task::spawn_blocking(move || {
            (&*file).write_all(&buffer).map_err(StoreError::io("write", path))?;
            buffer.clear();
            Ok::<_, StoreError>(buffer)
        })
        .await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        _folder: tempfile::TempDir,
        staging: Arc<StagingFolder>,
        budget: MemoryBudget,
    }

    impl Bench {
        fn new(budget: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let staging = Arc::new(StagingFolder::create(folder.path().join("s")).unwrap());
            Self { _folder: folder, staging, budget: MemoryBudget::new(budget) }
        }

        async fn receive(&self, chunks: &[&[u8]], limit: u64) -> Result<ReceivedBody, StoreError> {
            let mut writer =
                BodyWriter::new(Arc::clone(&self.staging), &self.budget, 8, limit, ChecksumHasher::default());
            for chunk in chunks {
                writer.write(chunk).await?;
            }
            writer.finish().await
        }
    }

    fn content(blob: &Blob) -> (bool, Vec<u8>) {
        match blob {
            Blob::Memory { bytes, .. } => (true, bytes.to_vec()),
            Blob::File(staged) => (false, std::fs::read(staged.path()).unwrap()),
        }
    }

    #[tokio::test]
    async fn small_bodies_stay_in_memory_and_large_ones_go_to_a_file() {
        async fn check(chunks: &[&[u8]], budget: u64, in_memory: bool) {
            let bench = Bench::new(budget);
            let body = bench.receive(chunks, 1000).await.unwrap();
            assert_eq!(content(&body.blob), (in_memory, chunks.concat()));
            assert_eq!(body.size, chunks.concat().len() as u64);
            assert_eq!(body.md5, <[u8; 16]>::from(Md5::digest(chunks.concat())));
            assert_eq!(bench.budget.used(), if in_memory { body.size } else { 0 });
            drop(body);
            assert_eq!(bench.budget.used(), 0);
        }
        check(&[], 100, true).await;
        check(&[b"12345678"], 100, true).await;
        check(&[b"1234", b"5678"], 100, true).await;
        check(&[b"1234", b"56789"], 100, false).await;
        check(&[b"123456789", b"abcdefghijkl", b"x"], 100, false).await;
        check(&[b"1234", b"5678"], 6, false).await;
        check(&[b"1"], 0, false).await;
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_and_leaves_nothing() {
        let bench = Bench::new(100);
        let error = bench.receive(&[b"123456789", b"abc"], 11).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { limit: 11, .. }));
        assert_eq!(bench.budget.used(), 0);
    }
}
