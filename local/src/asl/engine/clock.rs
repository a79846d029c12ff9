//! The clock that measures how long an execution took.
//!
//! On AWS a function runs as soon as it is called. On one machine a call may have to wait until a place is free, and what
//! fits its limits there must not fail here. So the clock stands still while a task of the execution waits.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A clock that can be held. It starts when somebody asks when it runs out.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// How many tasks wait for a place.
    waiting: watch::Sender<usize>,
}

/// Holds a clock until it is dropped.
pub(crate) struct Hold<'a>(&'a Clock);

impl Clock {
    /// Lets the clock stand still. With several holds it goes on when the last is dropped.
    pub(crate) fn hold(&self) -> Hold<'_> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Hold(self)
    }

    /// Returns when this much time has passed on the clock.
    pub(crate) async fn runs_out(&self, limit: Duration) {
        let mut waiting = self.waiting.subscribe();
        let mut left = limit;
        loop {
            // The sender lives as long as the clock, so waiting for it cannot fail.
            let _ = waiting.wait_for(|count| *count == 0).await;
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = tokio::time::sleep(left) => return,
                _ = waiting.wait_for(|count| *count > 0) => left = left.saturating_sub(begun.elapsed()),
            }
        }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::asl::{Definition, Engine, EngineOptions, ExecutionResult};
    use crate::observer::Unobserved;
    use crate::services::fake::{FakeServices, Reply};

    #[tokio::test(start_paused = true)]
    async fn time_on_hold_does_not_count() {
        let clock = Clock::default();
        let start = Instant::now();
        tokio::join!(clock.runs_out(Duration::from_secs(10)), async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            let (first, second) = (clock.hold(), clock.hold());
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(first);
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(second);
        });
        assert_eq!(start.elapsed().as_secs(), 210);
    }

    /// Four express children call a function that takes `seconds` and has one place.
    async fn four_in_one_place(seconds: u64, timeout: u64) -> (ExecutionResult, u64) {
        let function = move |_: &Value, _| Reply::AnswerAfter(Duration::from_secs(seconds), json!(1));
        let services = Arc::new(FakeServices::new().places(1).function("work", function));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:work";
        let task = json!({"Type": "Task", "Resource": arn, "TimeoutSeconds": timeout, "End": true});
        let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            "StartAt": "C", "States": {"C": task}});
        let map = json!({"Type": "Map", "ItemProcessor": processor, "ToleratedFailurePercentage": 100, "End": true});
        let definition = json!({"StartAt": "M", "States": {"M": map}}).to_string();
        let engine = Engine::new(services.clone(), EngineOptions::default(), Arc::new(Unobserved));
        let definition = Definition::parse(&definition).unwrap();
        let start = Instant::now();
        let result = engine.run(&definition, "one", json!([1, 2, 3, 4]), CancellationToken::new()).await;
        (result, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_place_counts_neither_for_the_task_nor_for_the_express_child() {
        let (result, seconds) = four_in_one_place(200, 250).await;
        assert_eq!((result.map_runs[0].executions.succeeded, seconds), (4, 800));
        let (result, seconds) = four_in_one_place(200, 150).await;
        assert_eq!((result.map_runs[0].executions.failed, seconds), (4, 600), "the task's own time counts");
        let (result, seconds) = four_in_one_place(400, 900).await;
        assert_eq!((result.map_runs[0].executions.timed_out, seconds), (4, 1_200), "the child's own time counts");
    }
}
