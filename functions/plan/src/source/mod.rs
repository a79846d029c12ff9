//! Where the objects of a run are named: a listing, an inventory, or the failures of an earlier run.

mod failed;
mod inventory;
mod manifest;
mod parquet_file;

use crate::found::Found;
use crate::names::Names;
use crate::request::Request;
use batch::{BatchError, Worker, check_read};
use failed::Failures;
use inventory::Inventory;
use job::Job;
use object_store::{BucketName, ListRequest, Listing};
use planner::Strategy;

/// Names objects, a page at a time.
pub(crate) enum Source {
    Listing(Listing),
    Inventory(Box<Inventory>),
    Failures(Box<Failures>),
}

impl Source {
    /// The source of a request; a listing begins behind `after`.
    pub(crate) async fn open(
        worker: &Worker,
        names: &Names,
        request: &Request,
        job: &Job,
        after: Option<String>,
    ) -> Result<Self, BatchError> {
        let (store, readable) = (worker.store(), worker.readable());
        if let (Strategy::Repair, Some(run)) = (request.strategy, &request.repairs) {
            let source = Failures::open(worker, names.failures_of(run)?, job).await?;
            return Ok(Self::Failures(Box::new(source)));
        }
        if let Some(manifest) = &request.inventory {
            return Ok(Self::Inventory(Box::new(Inventory::open(store, readable, manifest, job).await?)));
        }
        let bucket = BucketName::parse(job.source.bucket.as_str())
            .map_err(|error| BatchError::InvalidJob(format!("source.bucket: {error}")))?;
        let listing = ListRequest { start_after: after, ..ListRequest::new(bucket, job.source.prefix.as_str()) };
        let allowed = check_read(readable, &listing.address());
        allowed.map_err(|error| BatchError::from_store("the source cannot be listed", &error))?;
        Ok(Self::Listing(Listing::new(store.clone(), listing)))
    }

    /// The next objects; none at the end. A page may be empty.
    pub(crate) async fn next_page(&mut self) -> Result<Option<Vec<Found>>, BatchError> {
        match self {
            Self::Listing(listing) => {
                let page = listing.next_page().await;
                let page = page.map_err(|error| BatchError::from_store("the source cannot be listed", &error))?;
                let found = |object: object_store::ListedObject| Found {
                    key: object.key,
                    size: Some(object.size),
                    etag: object.etag.map(|etag| etag.as_str().to_owned()),
                    ..Found::default()
                };
                Ok(page.map(|objects| objects.into_iter().map(found).collect()))
            }
            Self::Inventory(inventory) => inventory.next_page().await,
            Self::Failures(failures) => failures.next_page().await,
        }
    }

    /// True where a later invocation can go on behind a key.
    pub(crate) fn can_be_left(&self) -> bool {
        matches!(self, Self::Listing(_))
    }

    /// What whoever repairs should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        match self {
            Self::Failures(failures) => failures.warnings(),
            Self::Listing(_) | Self::Inventory(_) => Vec::new(),
        }
    }
}
