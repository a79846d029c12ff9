//! The way of a report: result files, ledgers, the items that were not seen in them, the verdict, the files.
//!
//! 1. The result files of all Map Runs are read: when batches ran, which failed, and the items of those that failed or were
//!    never started. In a repair the items to be seen are also those of the earlier run's `failed.jsonl`.
//! 2. All ledgers are read. Every line is counted; outputs go to the manifest, what failed goes to `failed.jsonl`, and
//!    what was to be seen is marked.
//! 3. If something was not seen, the files of the first step are read again, and its names go to `failed.jsonl`.
//! 4. The counts are held against the plan and the tolerances, and `report.json` and `report.html` are written.
//!
//! A report may be made any number of times; it replaces the one before.

use crate::children::{Child, Ending, ResultFiles};
use crate::cost::cost;
use crate::figures::{Figures, Files, RunLine};
use crate::files::{self, Failed, FailedLine, Manifest, Sink};
use crate::folder::Folder;
use crate::lines::{self, Layout, Lines, lines, unread};
use crate::page;
use crate::plan_file::PlanFile;
use crate::request::{self, Place, Request};
use crate::tally::Tally;
use crate::unseen::{Identity, MAX_ITEMS, Unseen};
use crate::verdict::{self, Evidence, Verdict};
use batch::{BatchError, LedgerLine, Status, Worker, check_write};
use job::Job;
use object_store::{ObjectAddress, ObjectStore};
use std::sync::Arc;
use tracing::Span;

/// Remarks and unreadable files that are listed at most.
const MAX_REMARKS: usize = 10;

/// Makes a report and answers its figures.
pub(crate) async fn survey(worker: &Worker, request: &Request) -> Result<Figures, BatchError> {
    let job = worker.job(&request.event.job).await?;
    Span::current().record("job", job.name.as_str());
    let place = Place::new(&job, &request.event.run_id)?;
    let figures_file = place.object("report/report.json")?;
    check_write(worker.writable(), &figures_file)
        .map_err(|error| BatchError::from_store("the report cannot be written", &error))?;
    let plan = request::plan(worker, request, &place).await?;
    let store = Arc::clone(worker.store());
    let earlier = match plan.as_ref().and_then(|plan| plan.repair.as_ref()) {
        Some(repair) => Some(Earlier::read(&store, &place, &repair.run).await?),
        None => None,
    };
    let bucket = job.source.bucket.as_str().to_owned();
    let mut survey = Survey::new(store, place, bucket, earlier, &request.event.run_id, &job)?;
    survey.expect_earlier().await?;
    survey.children().await?;
    survey.unseen.settle();
    survey.copy_earlier_outputs().await?;
    survey.ledgers().await?;
    survey.name_missing().await?;
    survey.finish(request, &job, plan).await
}

/// The run that a repair repairs.
struct Earlier {
    figures: Figures,
    place: Place,
}

impl Earlier {
    async fn read(store: &Arc<dyn ObjectStore>, place: &Place, run: &str) -> Result<Self, BatchError> {
        let place = place.of_run(run);
        let address = place.object("report/report.json")?;
        let what = "the report of the run that is repaired";
        let figures: Option<Figures> = lines::json(store, &address, what, true).await?;
        let figures = figures.filter(|figures| figures.version == 1).ok_or_else(|| {
            BatchError::InvalidEvent(format!("{what} ({address}) is not what this version of Mapmill writes"))
        })?;
        Ok(Self { figures, place })
    }
}

/// A file of the run that is repaired, opened for its records; none when nothing is repaired.
async fn of_earlier(
    store: &Arc<dyn ObjectStore>,
    earlier: Option<&Earlier>,
    name: &str,
    layout: Layout,
) -> Result<Option<(ObjectAddress, Lines)>, BatchError> {
    let Some(earlier) = earlier else { return Ok(None) };
    let address = earlier.place.object(name)?;
    let file = lines::open(store, &address, layout).await?;
    // Without it the repair would pass over outputs or items in silence.
    let file = file.ok_or_else(|| {
        BatchError::InvalidEvent(format!("expected {address} of the run that is repaired; found none"))
    })?;
    Ok(Some((address, file)))
}

struct Survey {
    store: Arc<dyn ObjectStore>,
    place: Place,
    source_bucket: String,
    run_id: String,
    earlier: Option<Earlier>,
    tally: Tally,
    unseen: Unseen,
    manifest: Manifest,
    failed: Failed,
    /// Ledgers and result files that could not be read, as reasons.
    unreadable: Vec<String>,
    remarks: Vec<String>,
}

impl Survey {
    fn new(
        store: Arc<dyn ObjectStore>,
        place: Place,
        source_bucket: String,
        earlier: Option<Earlier>,
        run_id: &str,
        job: &Job,
    ) -> Result<Self, BatchError> {
        let sink =
            |name: &str, content_type: &str| Ok::<_, BatchError>(Sink::new(&store, place.object(name)?, content_type));
        let repairs = earlier.as_ref().map(|earlier| earlier.figures.run_id.as_str());
        let manifest = sink("report/manifest.json", "application/json")?;
        let manifest = Manifest::new(manifest, run_id, job.name.as_str(), repairs);
        let failed = Failed { sink: sink("report/failed.jsonl", "application/x-ndjson")? };
        Ok(Self {
            store,
            place,
            source_bucket,
            run_id: run_id.to_owned(),
            earlier,
            tally: Tally::new(),
            unseen: Unseen::new(MAX_ITEMS),
            manifest,
            failed,
            unreadable: Vec::new(),
            remarks: Vec::new(),
        })
    }

    /// Expects the items that are to be repaired.
    async fn expect_earlier(&mut self) -> Result<(), BatchError> {
        let (store, earlier) = (&self.store, self.earlier.as_ref());
        let failed = of_earlier(store, earlier, "report/failed.jsonl", Layout::Lines).await?;
        let Some((address, mut file)) = failed else { return Ok(()) };
        while let Some(block) = file.block().await.map_err(|error| unread(&error))? {
            for line in lines(block).filter_map(|line| serde_json::from_slice::<FailedLine>(line).ok()) {
                self.unseen.expect(&line.identity());
            }
        }
        self.note(&address, &file, 0);
        Ok(())
    }

    /// Reads the result files of all Map Runs.
    async fn children(&mut self) -> Result<(), BatchError> {
        let mut results = ResultFiles::new(&self.store, &self.place, true);
        while let Some((file, mut records)) = results.next().await? {
            let mut strange = 0;
            while let Some(block) = records.block().await.map_err(|error| unread(&error))? {
                for line in lines(block) {
                    let Some(child) = Child::parse(line, file.ending) else {
                        strange += 1;
                        continue;
                    };
                    if !file.has_groups {
                        self.tally.batch(&child, file.ending);
                    }
                    for_each_item(&child, &self.source_bucket, |identity, _| self.unseen.expect(&identity));
                }
            }
            self.note(&file.address, &records, strange);
        }
        self.unreadable.append(&mut results.problems);
        Ok(())
    }

    /// The manifest begins with the outputs of the run that is repaired.
    async fn copy_earlier_outputs(&mut self) -> Result<(), BatchError> {
        let (store, earlier) = (&self.store, self.earlier.as_ref());
        let manifest = of_earlier(store, earlier, "report/manifest.json", Layout::Member("outputs")).await?;
        let Some((address, mut file)) = manifest else { return Ok(()) };
        while let Some(block) = file.block().await.map_err(|error| unread(&error))? {
            lines(block).for_each(|line| self.manifest.entry(line));
            self.manifest.sink.flush().await?;
        }
        self.note(&address, &file, 0);
        Ok(())
    }

    /// Reads all ledgers.
    async fn ledgers(&mut self) -> Result<(), BatchError> {
        let mut ledgers = Folder::new(&self.store, &self.place, "ledger", ".jsonl");
        while let Some((address, begun)) = ledgers.next().await? {
            self.tally.ledgers += 1;
            // It was written twice: when its batch began and when it ended.
            self.tally.usage.writes += 2;
            let mut strange = 0;
            let mut file = Lines::new(begun, Layout::Lines);
            while let Some(block) = file.block().await.map_err(|error| unread(&error))? {
                for line in lines(block) {
                    match serde_json::from_slice::<LedgerLine>(line).ok().filter(|line| line.version == 1) {
                        Some(line) => self.line(&line),
                        None => strange += 1,
                    }
                }
                self.manifest.sink.flush().await?;
                self.failed.sink.flush().await?;
            }
            self.note(&address, &file, strange);
        }
        Ok(())
    }

    fn line(&mut self, line: &LedgerLine) {
        self.unseen.see(&Identity::of_line(line));
        self.tally.line(line);
        self.manifest.add(line, &self.run_id);
        if let Some(failed) = FailedLine::of(line) {
            self.failed.add(&failed);
        }
    }

    /// Names the items that were expected and not seen.
    async fn name_missing(&mut self) -> Result<(), BatchError> {
        if self.unseen.is_empty() {
            return Ok(());
        }
        let (store, earlier) = (&self.store, self.earlier.as_ref());
        if let Some((_, mut file)) = of_earlier(store, earlier, "report/failed.jsonl", Layout::Lines).await? {
            while let Some(block) = file.block().await.map_err(|error| unread(&error))? {
                for line in lines(block).filter_map(|line| serde_json::from_slice::<FailedLine>(line).ok()) {
                    if self.unseen.see(&line.identity()) {
                        self.missing(FailedLine {
                            status: "missing".to_owned(),
                            reason: Some("not_repaired".to_owned()),
                            ..line
                        });
                    }
                }
                self.failed.sink.flush().await?;
            }
        }
        let mut results = ResultFiles::new(&self.store, &self.place, false);
        while let Some((file, mut records)) = results.next().await? {
            let reason = if file.ending == Ending::NeverStarted { "batch_never_started" } else { "batch_failed" };
            while let Some(block) = records.block().await.map_err(|error| unread(&error))? {
                for child in lines(block).filter_map(|line| Child::parse(line, file.ending)) {
                    let mut missing = Vec::new();
                    for_each_item(&child, &self.source_bucket, |identity, item| {
                        if self.unseen.see(&identity) {
                            let line = LedgerLine::new(&self.source_bucket, item, Status::Unprocessed);
                            missing.push(FailedLine::missing(&line, reason));
                        }
                    });
                    missing.into_iter().for_each(|line| self.missing(line));
                }
                self.failed.sink.flush().await?;
            }
        }
        Ok(())
    }

    fn missing(&mut self, line: FailedLine) {
        self.tally.missing(&line);
        self.failed.add(&line);
    }

    /// Notes what could not be read in a file.
    fn note(&mut self, address: &ObjectAddress, file: &Lines, strange: u64) {
        let bad = file.refused + strange;
        if (bad > 0 || file.is_broken) && self.unreadable.len() < MAX_REMARKS {
            let end = if file.is_broken { ", and what comes behind them is lost" } else { "" };
            self.unreadable.push(format!("{address} has {bad} lines that cannot be read{end}"));
        }
    }

    /// The counts, with those of the run that is repaired; answers the items beyond those planned.
    fn add_up(&mut self, plan: Option<&PlanFile>) -> u64 {
        let own = self.tally.seen();
        let planned = match (&self.earlier, plan) {
            (Some(earlier), _) => {
                let before = &earlier.figures;
                let tally = &mut self.tally;
                tally.items.succeeded += before.items.succeeded;
                tally.items.skipped += before.items.skipped;
                tally.records += before.records;
                tally.bytes += before.bytes;
                tally.retries += before.retries;
                tally.outputs += before.outputs;
                tally.rejects += before.rejects;
                for (reason, items) in &before.skipped {
                    *tally.skipped.entry(reason.clone()).or_default() += items;
                }
                tally.earlier_rejects(&before.most_rejects);
                before.items.total
            }
            (None, Some(plan)) => plan.items,
            (None, None) => {
                let remark = "There is no plan, so nobody knows whether every item has a line in a ledger.";
                self.remarks.push(remark.to_owned());
                own + self.tally.items.missing_named
            }
        };
        let seen = self.tally.seen();
        let items = &mut self.tally.items;
        items.missing = planned.saturating_sub(seen).max(items.missing_named);
        items.total = seen + items.missing;
        items.total.saturating_sub(planned)
    }

    async fn finish(mut self, request: &Request, job: &Job, plan: Option<PlanFile>) -> Result<Figures, BatchError> {
        let (own_seen, own_succeeded) = (self.tally.seen(), self.tally.items.succeeded);
        self.tally.usage.pages = plan.as_ref().map_or(0, PlanFile::pages);
        let surplus = self.add_up(plan.as_ref());
        if let (Some(plan), Some(_)) = (&plan, &self.earlier)
            && own_seen + self.tally.items.missing_named != plan.items
        {
            let found = own_seen + self.tally.items.missing_named;
            self.remarks.push(format!("The plan of the repair has {} items, and {found} were found.", plan.items));
        }
        if self.unseen.left_out > 0 {
            let left_out = self.unseen.left_out;
            self.remarks
                .push(format!("{left_out} more items of failed batches were not looked for: at most {MAX_ITEMS} are."));
        }
        let evidence = Evidence {
            items: self.tally.items,
            records: self.tally.records,
            tolerance: &job.tolerance,
            surplus,
            failure: request.failure.as_ref(),
            unreadable: &self.unreadable,
        };
        let (verdict, reasons) = verdict::judge(&evidence);
        let mut figures = self.figures(request, job, verdict, reasons)?;
        let own = (own_seen, own_succeeded);
        figures.runs = self.runs(&figures, own);
        figures.cost = plan.as_ref().and_then(|plan| cost(plan, &self.tally.usage));
        figures.plan = plan;
        figures.remarks = std::mem::take(&mut self.remarks);
        let outputs = self.tally.outputs;
        self.tally.fill(&mut figures);

        self.manifest.finish(&outputs).await?;
        self.failed.finish().await?;
        let internal = |error: serde_json::Error| BatchError::Internal(error.to_string());
        let text = serde_json::to_vec_pretty(&figures).map_err(internal)?;
        files::write(&self.store, self.place.object("report/report.json")?, "application/json", text).await?;
        let page = page::render(&figures).into_bytes();
        files::write(&self.store, self.place.object("report/report.html")?, "text/html; charset=utf-8", page).await?;
        Ok(figures)
    }

    /// This run behind those before it.
    fn runs(&self, figures: &Figures, (items, succeeded): (u64, u64)) -> Vec<RunLine> {
        let mut runs = self.earlier.as_ref().map(|earlier| earlier.figures.runs.clone()).unwrap_or_default();
        runs.push(RunLine {
            run_id: self.run_id.clone(),
            items: items + self.tally.items.missing_named,
            succeeded,
            left: self.tally.items.without_output(),
            created_at: figures.created_at.clone(),
        });
        // The last runs are the ones that somebody looks for.
        runs.split_off(runs.len().saturating_sub(MAX_RUNS))
    }

    fn figures(
        &self,
        request: &Request,
        job: &Job,
        verdict: Verdict,
        reasons: Vec<String>,
    ) -> Result<Figures, BatchError> {
        let file = |name: &str| Ok::<_, BatchError>(self.place.object(name)?.to_string());
        Ok(Figures {
            version: 1,
            run_id: self.run_id.clone(),
            correlation_id: request.event.correlation_id.clone(),
            job: job.name.as_str().to_owned(),
            repairs: self.earlier.as_ref().map(|earlier| earlier.figures.run_id.clone()),
            created_at: jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string(),
            verdict,
            reasons,
            tolerance: job.tolerance.clone(),
            source: format!("s3://{}/{}", job.source.bucket, job.source.prefix),
            output: format!("s3://{}/{}", job.output.bucket, job.output.prefix),
            files: Files {
                manifest: file("report/manifest.json")?,
                failed: file("report/failed.jsonl")?,
                figures: file("report/report.json")?,
                report: file("report/report.html")?,
                ledgers: format!("s3://{}/{}", self.place.bucket(), self.place.folder("ledger")),
            },
            ..Figures::default()
        })
    }
}

/// Runs that a chain of repairs lists at most.
const MAX_RUNS: usize = 50;

/// Calls back for every item of a child that names its items.
fn for_each_item(child: &Child, bucket: &str, mut call: impl FnMut(Identity<'_>, &batch::Item)) {
    for item in child.event.iter().flat_map(|event| &event.items).filter(|item| !item.key.is_empty()) {
        let range = item.range.map(|range| range.to_string());
        call(Identity::of_item(item, bucket, range.as_deref()), item);
    }
}

impl FailedLine {
    fn identity(&self) -> Identity<'_> {
        Identity { bucket: &self.bucket, key: &self.key, range: self.range.as_deref() }
    }
}
