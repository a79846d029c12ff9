//! The environments of one function, and the queue before them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError, oneshot};
use tokio_util::sync::CancellationToken;

use super::environment::{Broken, Environment};
use super::outcome::{FunctionError, InvokeOutcome};
use super::{FunctionConfig, HostError, HostOptions, InvokeContext, WhenBusy};
use crate::lambda_host::environment::Work;

/// Runs the invocations of one function.
pub(super) struct Pool {
    config: FunctionConfig,
    options: Arc<HostOptions>,
    function_arn: String,
    /// As many permits as there may be environments; handed out in the order of asking.
    places: Semaphore,
    environments_max: u32,
    idle: Mutex<Vec<Environment>>,
    started: AtomicU64,
    stop: CancellationToken,
}

/// What one invocation carries through the pool.
struct Request {
    id: String,
    event: Bytes,
    context: InvokeContext,
    queued: Instant,
}

impl Pool {
    pub(super) fn new(config: FunctionConfig, options: Arc<HostOptions>, stop: CancellationToken) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let environments_max = u32::try_from(config.max_environments.unwrap_or(cores)).unwrap_or(u32::MAX);
        Self {
            function_arn: format!("arn:aws:lambda:{}:{}:function:{}", options.region, options.account, config.name),
            places: Semaphore::new(environments_max as usize),
            environments_max,
            idle: Mutex::new(Vec::new()),
            started: AtomicU64::new(0),
            config,
            options,
            stop,
        }
    }

    /// Waits for a place, tells `begun`, runs the invocation and returns its outcome.
    pub(super) async fn invoke(
        self: Arc<Self>,
        event: Bytes,
        context: InvokeContext,
        begun: oneshot::Sender<()>,
    ) -> Result<InvokeOutcome, HostError> {
        let request = Request { id: uuid::Uuid::new_v4().to_string(), event, context, queued: Instant::now() };
        let (mut sender, receiver) = oneshot::channel();
        // A task of its own, so that a caller who gives up leaves no environment in the middle of an invocation.
        tokio::spawn(async move {
            let permit = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                () = sender.closed() => return,
                permit = self.place() => permit,
            };
            let _ = begun.send(());
            let outcome = match &permit {
                Some(Ok(_)) => self.run(request).await,
                Some(Err(refused)) => Err(refused.clone()),
                None => Err(HostError::ShutDown),
            };
            // The place is free before the caller knows, or a caller that asks again at once would start one more.
            drop(permit);
            let _ = sender.send(outcome);
        });
        receiver.await.unwrap_or(Err(HostError::ShutDown))
    }

    /// A place for one invocation: now or when one is free, as the function wants it. `None`: there are none any more.
    async fn place(&self) -> Option<Result<SemaphorePermit<'_>, HostError>> {
        if self.config.when_busy == WhenBusy::Wait {
            return self.places.acquire().await.ok().map(Ok);
        }
        match self.places.try_acquire() {
            Ok(permit) => Some(Ok(permit)),
            Err(TryAcquireError::NoPermits) => {
                Some(Err(HostError::Throttled { environments: self.environments_max as usize }))
            }
            Err(TryAcquireError::Closed) => None,
        }
    }

    async fn run(&self, request: Request) -> Result<InvokeOutcome, HostError> {
        let wait_duration = request.queued.elapsed();
        let begun = Instant::now();
        let mut init_duration = None;
        let mut environment = match self.take_idle() {
            Some(environment) => environment,
            None => {
                let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
                let started = Environment::start(&self.config, &self.options, number, &request.id, &self.stop).await;
                init_duration = Some(begun.elapsed());
                match started {
                    Ok(environment) => environment,
                    Err(Broken::ShutDown) => return Err(HostError::ShutDown),
                    Err(Broken::Failed(error)) => {
                        return Ok(failed_start(request.id, error, init_duration, wait_duration, number));
                    }
                }
            }
        };
        let number = environment.number;
        let function_arn = match &request.context.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.function_arn),
            None => self.function_arn.clone(),
        };
        let work = Work { request_id: &request.id, event: request.event, function_arn, context: request.context };
        let invoked = environment.invoke(&self.config, work, init_duration, &self.stop).await;
        match invoked {
            Err(Broken::ShutDown) => Err(HostError::ShutDown),
            Err(Broken::Failed(error)) => Ok(failed_start(request.id, error, init_duration, wait_duration, number)),
            Ok(answered) => {
                if answered.usable {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(environment);
                }
                Ok(InvokeOutcome {
                    request_id: request.id,
                    result: answered.result,
                    duration: answered.duration,
                    init_duration,
                    wait_duration,
                    cpu_time: answered.cpu_time,
                    peak_memory_bytes: answered.peak_memory_bytes,
                    environment: number,
                    log_tail: answered.log_tail,
                })
            }
        }
    }

    /// The environment used last, which is the one whose memory is warm. One that has died meanwhile is dropped.
    fn take_idle(&self) -> Option<Environment> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut environment) = idle.pop() {
            if environment.is_alive() {
                return Some(environment);
            }
        }
        None
    }

    /// Ids of the processes that wait for an invocation.
    #[cfg(test)]
    pub(super) fn idle_processes(&self) -> Vec<u32> {
        self.idle.lock().unwrap().iter().filter_map(Environment::process).collect()
    }

    /// Waits for running invocations, which the stop token ends, and then ends idle processes.
    pub(super) async fn shut_down(&self) {
        let everything = self.places.acquire_many(self.environments_max).await;
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for environment in idle {
            environment.shut_down().await;
        }
        drop(everything);
    }
}

fn failed_start(
    request_id: String,
    error: FunctionError,
    init_duration: Option<std::time::Duration>,
    wait_duration: std::time::Duration,
    environment: u64,
) -> InvokeOutcome {
    InvokeOutcome {
        request_id,
        result: Err(error),
        duration: std::time::Duration::ZERO,
        init_duration,
        wait_duration,
        cpu_time: None,
        peak_memory_bytes: None,
        environment,
        log_tail: String::new(),
    }
}
