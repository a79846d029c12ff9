//! Operations on Map Runs.
//!
//! What they show and change is the engine's ([`MapRunHandle`](crate::distributed_map::MapRunHandle)).

use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;
use super::fields::Fields;
use super::machine_operations::listed;
use super::pages::Page;
use crate::distributed_map::MapRunUpdate;

/// Most children that a client may ask for at a time, and most failed items it may tolerate.
const NUMBER_MAX: u64 = 1_000_000_000;

impl Api {
    pub(super) fn list_map_runs(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &["execution"])?;
        let page = Page::read(&mut fields, &format!("map runs {arn}"))?;
        fields.finish()?;
        let map_runs = self.known_execution(&arn)?.progress().map_runs.clone();
        let from = usize::try_from(page.from.unwrap_or(0)).unwrap_or(usize::MAX);
        let entries = map_runs.iter().zip(1_u64..).skip(from);
        let entries = entries.filter_map(|(arn, next)| Some((next, self.store.map_run(arn)?.listed())));
        let (map_runs, next) = page.cut(entries);
        Ok(listed("mapRuns", map_runs, next))
    }

    pub(super) fn describe_map_run(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("mapRunArn", &["mapRun"])?;
        fields.finish()?;
        let map_run = self.store.map_run(&arn).ok_or_else(|| ApiError::no_map_run(&arn))?;
        Ok(map_run.described())
    }

    pub(super) fn update_map_run(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("mapRunArn", &["mapRun"])?;
        let wanted = MapRunUpdate {
            max_concurrency: fields.whole("maxConcurrency", NUMBER_MAX)?,
            tolerated_failure_count: fields.whole("toleratedFailureCount", NUMBER_MAX)?,
            tolerated_failure_percentage: fields.percentage("toleratedFailurePercentage")?,
        };
        fields.finish()?;
        let map_run = self.store.map_run(&arn).ok_or_else(|| ApiError::no_map_run(&arn))?;
        map_run.update(wanted).map_err(|error| ApiError::validation(error.to_string()))?;
        Ok(json!({}))
    }
}
