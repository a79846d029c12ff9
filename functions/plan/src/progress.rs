//! How far a plan has come that takes longer than an invocation.
//!
//! A listing brings a thousand keys a page, so ten million of them take more than the fifteen minutes of a function. The
//! plan then writes down what it has counted and the last key that it saw, and answers that it continues; the state machine
//! invokes it again, and it goes on behind that key.

use crate::names::Names;
use batch::{BatchError, check_write};
use object_store::{ErrorClass, ObjectStore, OpenRequest, Places, ResumeOptions, ResumingReader, WriteRequest};
use planner::{Strategy, Survey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The longest progress that is read: a survey is a few kilobytes.
const LONGEST: usize = 1 << 20;

/// The state between two invocations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) version: u32,
    /// The digest of the job whose source is listed.
    pub(crate) job: String,
    pub(crate) strategy: Strategy,
    /// The last key that was seen.
    pub(crate) after: Option<String>,
    /// All keys were seen.
    pub(crate) is_listed: bool,
    /// Objects with items that were set aside.
    pub(crate) files: u32,
    pub(crate) survey: Survey,
}

impl Progress {
    /// The beginning.
    pub(crate) fn new(job: String, strategy: Strategy) -> Self {
        Self { version: 1, job, strategy, after: None, is_listed: false, files: 0, survey: Survey::default() }
    }

    /// What an earlier invocation of the same run wrote down; the beginning without one.
    pub(crate) async fn read(
        store: &Arc<dyn ObjectStore>,
        names: &Names,
        job: String,
        strategy: Strategy,
    ) -> Result<Self, BatchError> {
        let failed = |error| BatchError::from_store("the progress of the plan cannot be read", &error);
        let request = OpenRequest::whole(names.progress()?);
        let mut reader = match ResumingReader::open(store.clone(), request, ResumeOptions::default()).await {
            Ok(reader) => reader,
            // S3 denies what is not there to whoever may not list the bucket.
            Err(error) if matches!(error.class, ErrorClass::NotFound | ErrorClass::Denied) => {
                return Ok(Self::new(job, strategy));
            }
            Err(error) => return Err(failed(error)),
        };
        let mut text = Vec::new();
        while let Some(chunk) = reader.next().await.map_err(failed)? {
            if text.len() + chunk.len() > LONGEST {
                return Ok(Self::new(job, strategy));
            }
            text.extend_from_slice(&chunk);
        }
        let found = serde_json::from_slice(&text).ok();
        let found = found.filter(|found: &Self| found.version == 1 && found.job == job && found.strategy == strategy);
        Ok(found.unwrap_or_else(|| Self::new(job, strategy)))
    }

    pub(crate) async fn write(
        &self,
        store: &Arc<dyn ObjectStore>,
        writable: &Places,
        names: &Names,
    ) -> Result<(), BatchError> {
        let failed = |error| BatchError::from_store("the progress of the plan cannot be written", &error);
        let address = names.progress()?;
        check_write(writable, &address).map_err(failed)?;
        let text = serde_json::to_vec(self).map_err(|error| BatchError::Internal(error.to_string()))?;
        store.put(&WriteRequest::new(address), text.into()).await.map(drop).map_err(failed)
    }
}
