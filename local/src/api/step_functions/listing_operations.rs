//! Operations that list: executions, and the events of one.

use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;
use super::execution_operations::positioned;
use super::fields::Fields;
use super::machine_operations::listed;
use super::pages::Page;
use crate::asl::ExecutionType;

/// Most bytes of a page of events, about; a client that asks for a thousand events of 256 KiB gets fewer.
const PAGE_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
const STATUSES: [(&str, &str); 6] = [
    ("RUNNING", "RUNNING"),
    ("SUCCEEDED", "SUCCEEDED"),
    ("FAILED", "FAILED"),
    ("TIMED_OUT", "TIMED_OUT"),
    ("ABORTED", "ABORTED"),
    ("PENDING_REDRIVE", "PENDING_REDRIVE"),
];

impl Api {
    /// What was sent to the services that are played here: not of the service, but for `mapmill messages`.
    pub(super) fn list_messages(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let page = Page::read(&mut fields, "messages")?;
        fields.finish()?;
        let Some(recorder) = self.services.recorder() else { return Ok(listed("messages", Vec::new(), None)) };
        let bytes = usize::try_from(PAGE_BYTES_MAX).unwrap_or(usize::MAX);
        let messages = recorder.messages_after(page.from.unwrap_or(0), page.length, bytes);
        let next = messages.last().map(|(number, _)| *number).filter(|last| *last < recorder.total());
        let messages = messages.iter().map(|(number, message)| message.to_json(*number)).collect();
        Ok(listed("messages", messages, next.map(|last| page.token(last))))
    }

    pub(super) fn list_executions(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let machine_arn = fields.optional_arn("stateMachineArn", &["stateMachine"])?;
        let map_run_arn = fields.optional_arn("mapRunArn", &["mapRun"])?;
        let status = fields.word("statusFilter", &STATUSES)?;
        let redriven = fields.word("redriveFilter", &[("REDRIVEN", true), ("NOT_REDRIVEN", false)])?;
        let list = format!("executions {machine_arn:?} {map_run_arn:?} {status:?} {redriven:?}");
        let page = Page::read(&mut fields, &list)?;
        fields.finish()?;
        match (&machine_arn, &map_run_arn) {
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err(ApiError::validation("give either 'stateMachineArn' or 'mapRunArn'")),
        }
        if let Some(arn) = &machine_arn
            && self.machine(arn)?.execution_type == ExecutionType::Express
        {
            return Err(ApiError::wrong_type());
        }
        if let Some(arn) = &map_run_arn
            && self.store.map_run(arn).is_none()
        {
            return Err(ApiError::no_map_run(arn));
        }
        let state = self.store.lock();
        let entries = state.latest_first(page.from).filter(|(_, execution)| {
            let parent = execution.parent.as_ref().map(|(map_run, _)| &**map_run);
            let belongs = match (&machine_arn, &map_run_arn) {
                (Some(arn), _) => parent.is_none() && *execution.machine_arn == **arn,
                (None, arn) => parent.is_some() && parent == arn.as_deref(),
            };
            belongs
                && status.is_none_or(|status| execution.status() == status)
                && redriven.is_none_or(|redriven| (execution.progress().redrives > 0) == redriven)
        });
        let (executions, next) = page.cut(entries.map(|(number, execution)| (number, execution.listed())));
        Ok(listed("executions", executions, next))
    }

    pub(super) fn get_execution_history(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &["execution"])?;
        let reverse = fields.boolean("reverseOrder")?.unwrap_or(false);
        let with_data = fields.boolean("includeExecutionData")?.unwrap_or(true);
        let page = Page::read(&mut fields, &format!("events {arn} {reverse} {with_data}"))?;
        fields.finish()?;
        let execution = self.known_execution(&arn)?;
        if execution.execution_type == ExecutionType::Express {
            return Err(ApiError::wrong_type());
        }
        let progress = execution.progress();
        let from = usize::try_from(page.from.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut taken = 0;
        let events = positioned(progress.events.events(), from, reverse);
        let available = events.len();
        let mut last = 0;
        let mut shown = Vec::new();
        for (next, event) in events {
            if taken == page.length || (bytes > PAGE_BYTES_MAX && taken > 0) {
                break;
            }
            let (event, size) = event.shown(with_data);
            bytes += size;
            taken += 1;
            last = next;
            shown.push(event);
        }
        let next = (taken < available).then(|| page.token(last));
        Ok(match listed("events", shown, next) {
            Value::Object(answer) => Value::Object(answer),
            _ => json!({"events": []}),
        })
    }
}
