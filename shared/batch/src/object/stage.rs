//! A part of the work on an object that goes on beside the rest.
//!
//! Reading and expanding, and compressing and writing, take about as much time as the records between them, and all three
//! keep a core busy. On a runtime with several threads a stage therefore has a thread of its own, one of those kept for
//! work that blocks: it polls its future there, which may wait for the network like any other. A task would not do. Tokio
//! keeps a task that is woken by another one on the same thread, where it waits until the waker has nothing more to do, so
//! two that feed each other take turns instead of running together; and a task that computes for long would keep the
//! runtime's threads from the connections. On a runtime with one thread, as in tests with a clock of their own, a stage is
//! a task: the order of things is the same.
//!
//! A stage ends with its owner: when the [`Stage`] is dropped, as it is when a batch runs out of time, its future is
//! dropped as soon as it waits for anything. A panic inside comes out where the stage is joined. What is logged inside, a
//! panic as well, has the fields of the invocation, because the stage is in the span in which it began.

use std::panic::resume_unwind;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Work that goes on beside its owner, and its result.
pub(super) struct Stage<T> {
    done: JoinHandle<Option<T>>,
    /// Dropped with the stage, which tells the work to end.
    _owner: oneshot::Sender<()>,
}

impl<T: Send + 'static> Stage<T> {
    /// Begins the work.
    pub(super) fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        let (owner, left_alone) = oneshot::channel::<()>();
        let work = work.in_current_span();
        let work = async move {
            tokio::select! {
                biased;
                _ = left_alone => None,
                result = work => Some(result),
            }
        };
        let runtime = Handle::current();
        let done = match runtime.runtime_flavor() {
            RuntimeFlavor::CurrentThread => runtime.spawn(work),
            _ => {
                let within = runtime.clone();
                runtime.spawn_blocking(move || within.block_on(work))
            }
        };
        Self { done, _owner: owner }
    }

    /// Waits for the result; a panic of the work goes on here.
    pub(super) async fn join(self) -> T {
        match self.done.await {
            Ok(Some(result)) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is shutting down, which ends whoever waits here too.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn check() {
        assert_eq!(Stage::start(async { 7 }).join().await, 7);

        let (sender, dropped) = oneshot::channel();
        let endless = Stage::start(async move {
            let _kept: oneshot::Sender<()> = sender;
            std::future::pending::<()>().await;
        });
        drop(endless);
        timeout(Duration::from_secs(60), dropped).await.expect("the work ends with its owner").unwrap_err();

        let panics = tokio::spawn(Stage::start(async { panic!("as told") }).join());
        let error = panics.await.unwrap_err();
        assert!(error.is_panic());

        // The subscriber of the process, as a function has one: threads of a stage know no other.
        drop(tracing::subscriber::set_global_default(tracing_subscriber::registry()));
        let name = || tracing::Span::current().metadata().map(tracing::Metadata::name);
        let inside = async move { Stage::start(async move { name() }).join().await };
        assert_eq!(inside.instrument(tracing::error_span!("invocation")).await, Some("invocation"));
    }

    #[tokio::test(start_paused = true)]
    async fn as_a_task() {
        check().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn as_a_thread() {
        check().await;
    }
}
