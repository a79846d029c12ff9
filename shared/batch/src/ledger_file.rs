//! The ledger object of a batch, which several attempts at the batch may write.
//!
//! An attempt that is given up by Step Functions may still be alive when the next one runs, and may end after it. So every
//! write of the ledger says which version it replaces. An attempt that finds another version than the one it knows reads
//! it, keeps of every item the better line, and writes again: what one attempt has finished, another one does not undo.

use crate::done::ledger_metadata;
use crate::earlier::{Earlier, Found};
use crate::error::BatchError;
use crate::ledger::{LedgerLine, to_json_lines};
use crate::object::Run;
use object_store::{ETag, ErrorClass, ObjectAddress, WriteCondition, WriteRequest, code};

/// How often the ledger is written when another attempt comes in between each time.
const TRIES: usize = 5;

/// The ledger of a batch, and the version of it that this attempt knows.
pub(crate) struct LedgerFile<'a> {
    run: &'a Run,
    address: &'a ObjectAddress,
    version: Option<ETag>,
}

impl<'a> LedgerFile<'a> {
    pub(crate) fn new(run: &'a Run, address: &'a ObjectAddress) -> Self {
        Self { run, address, version: None }
    }

    /// Reads what an earlier attempt wrote; if there is none, writes these lines. From then on nobody can miss an item,
    /// whatever becomes of this invocation.
    pub(crate) async fn begin(&mut self, lines: &[LedgerLine]) -> Result<Option<Earlier>, BatchError> {
        for _ in 0..TRIES {
            if let Some(earlier) = self.read(lines.len()).await? {
                return Ok(Some(earlier));
            }
            if self.write(lines).await? == Written::Yes {
                return Ok(None);
            }
        }
        // It is there whenever it is written and not there whenever it is read.
        let message = format!(
            "the ledger {} exists and cannot be read; the function needs s3:GetObject for the output prefix",
            self.address
        );
        Err(BatchError::AccessDenied(message))
    }

    /// Writes how the items ended, with the better line of each where another attempt has written meanwhile.
    pub(crate) async fn end(&mut self, lines: &mut [LedgerLine]) -> Result<(), BatchError> {
        for _ in 0..TRIES {
            if self.write(lines).await? == Written::Yes {
                return Ok(());
            }
            if let Some(other) = self.read(lines.len()).await? {
                other.merge_into(lines);
            }
        }
        let message = format!("the ledger {} was replaced by another attempt {TRIES} times", self.address);
        Err(BatchError::Transient(message))
    }

    async fn read(&mut self, items: usize) -> Result<Option<Earlier>, BatchError> {
        let found = Earlier::read(&self.run.store, self.address, &self.run.job_mark, items, self.run.reading).await;
        let Found { version, earlier } = match found {
            Ok(found) => found,
            // It was replaced while it was read; the next write fails and leads here again.
            Err(error) if error.class == ErrorClass::Changed => Found::default(),
            Err(error) => return Err(BatchError::from_store("the ledger cannot be read", &error)),
        };
        self.version = version;
        Ok(earlier)
    }

    async fn write(&mut self, lines: &[LedgerLine]) -> Result<Written, BatchError> {
        let text = to_json_lines(lines).map_err(|error| BatchError::Internal(error.to_string()))?;
        let request = WriteRequest {
            content_type: Some("application/x-ndjson".to_owned()),
            metadata: ledger_metadata(&self.run.job_mark),
            condition: self.version.clone().map_or(WriteCondition::Absent, WriteCondition::Version),
            ..WriteRequest::new(self.address.clone())
        };
        match self.run.store.put(&request, text.into()).await {
            Ok(written) => {
                self.version = Some(written.etag);
                Ok(Written::Yes)
            }
            // Another version is there than this attempt knows, or none any more.
            Err(error) if error.class == ErrorClass::Changed || error.code == code::NO_SUCH_KEY => {
                Ok(Written::Overtaken)
            }
            Err(error) => Err(BatchError::from_store("the ledger cannot be written", &error)),
        }
    }
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    Yes,
    Overtaken,
}
