//! Looking at the source: everything is counted, and what is to be packed is set aside.

use crate::found::Found;
use crate::names::Names;
use crate::progress::Progress;
use crate::request::{Request, SoFar};
use crate::source::Source;
use crate::spool::Spool;
use batch::{BatchError, Deadline, Worker, skip_reason};
use job::Job;
use object_store::ObjectKey;
use planner::{Kind, Strategy, Survey, kind};
use std::time::Duration;

/// Closing what is set aside and writing down how far things are takes less than this.
const CLOSING: Duration = Duration::from_secs(10);

/// Packing an item takes less than this; and all of it at least a second.
const PACKING_AN_ITEM: Duration = Duration::from_micros(20);

/// What came of looking at the source.
pub(crate) enum Gathered {
    /// Time runs out; another invocation goes on behind the last key.
    Left { survey: Box<Survey>, after: Option<String> },
    /// All of it was seen.
    All { survey: Box<Survey>, spool: Box<Spool>, warnings: Vec<String> },
}

/// Looks at the source until its end, or until time runs out.
pub(crate) async fn gather(
    worker: &Worker,
    names: &Names,
    request: &Request,
    job: &Job,
    deadline: Deadline,
) -> Result<Gathered, BatchError> {
    let (store, writable) = (worker.store(), worker.writable());
    let is_listing = request.inventory.is_none() && request.repairs.is_none();
    let sets_aside = request.strategy.has_units() && request.survey.is_none();
    let mut progress = match &request.survey {
        Some(SoFar { after, counted }) => {
            let survey = counted.clone().unwrap_or_default();
            Progress { after: after.clone(), survey, ..Progress::new(job.digest(), request.strategy) }
        }
        None if is_listing => Progress::read(store, names, job.digest(), request.strategy).await?,
        None => Progress::new(job.digest(), request.strategy),
    };
    let mut spool = Spool::new(store.clone(), writable.clone(), names.clone(), progress.files);
    if progress.is_listed {
        return Ok(Gathered::All { survey: Box::new(progress.survey), spool: Box::new(spool), warnings: Vec::new() });
    }
    let after = progress.after.take();
    let mut source = Source::open(worker, names, request, job, after).await?;
    while let Some(page) = source.next_page().await? {
        for found in &page {
            if !count(&mut progress.survey, found, request.strategy, job) || !sets_aside {
                continue;
            }
            let line = serde_json::to_string(&found.item()).map_err(|error| BatchError::Internal(error.to_string()))?;
            spool.add(&line).await?;
        }
        // At least one page is taken, so every invocation comes further.
        if source.can_be_left()
            && !deadline.leaves_time_for(CLOSING)
            && let Some(last) = page.last()
        {
            progress.after = Some(last.key.clone());
            if request.survey.is_some() {
                return Ok(Gathered::Left { survey: Box::new(progress.survey), after: progress.after });
            }
            return leave(progress, &mut spool, worker, names).await;
        }
    }
    let packing =
        PACKING_AN_ITEM * u32::try_from(progress.survey.objects()).unwrap_or(u32::MAX) + Duration::from_secs(1);
    if source.can_be_left() && sets_aside && !deadline.leaves_time_for(packing) {
        progress.is_listed = true;
        return leave(progress, &mut spool, worker, names).await;
    }
    spool.close().await?;
    Ok(Gathered::All { survey: Box::new(progress.survey), spool: Box::new(spool), warnings: source.warnings() })
}

async fn leave(
    mut progress: Progress,
    spool: &mut Spool,
    worker: &Worker,
    names: &Names,
) -> Result<Gathered, BatchError> {
    progress.files = spool.close_for_another().await?;
    progress.write(worker.store(), worker.writable(), names).await?;
    Ok(Gathered::Left { survey: Box::new(progress.survey), after: progress.after })
}

/// Counts an object; true when it is to be processed.
fn count(survey: &mut Survey, found: &Found, strategy: Strategy, job: &Job) -> bool {
    let size = found.size.unwrap_or(0);
    if strategy == Strategy::Repair {
        let bytes = found.range.map_or(size, |range| range.bytes(size));
        survey.add(&found.key, bytes, uncut(kind(job, &found.key)));
        return true;
    }
    if found.not_present {
        survey.left_out.count("not_latest");
        return false;
    }
    // What a worker refuses by its key is an item, and fails there by name.
    let reason = ObjectKey::parse(&found.key).ok().and_then(|key| skip_reason(job, &key, found.size));
    if let Some(reason) = reason {
        survey.left_out.count(reason);
        return false;
    }
    survey.add(&found.key, size, kind(job, &found.key));
    true
}

/// Items of an earlier run stay as they are.
pub(crate) fn uncut(kind: Kind) -> Kind {
    if kind == Kind::Lines { Kind::Whole } else { kind }
}
