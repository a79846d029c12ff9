//! Panics: a fault in the code is an error with a constant name, and a line in the log without contents.
//!
//! The hook that Rust comes with prints the message of a panic to standard error. That message can hold contents of a
//! record (slicing a text shows the text), and it is no JSON. So it is replaced by one that logs where the panic happened
//! and nothing else.

use batch::BatchError;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;

/// From now on panics are logged by their place in the source.
pub(crate) fn log_places() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic_location = place, "the function panicked");
    }));
}

/// Turns a panic into an error, so that Step Functions sees its constant name. What the work held is dropped; the process
/// goes on and takes the next invocation.
///
/// # Errors
/// [`BatchError::Internal`] after a panic, else what the work answers.
pub(crate) async fn guarded<Answer>(
    work: impl Future<Output = Result<Answer, BatchError>>,
) -> Result<Answer, BatchError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(BatchError::Internal("the function panicked; this is a fault in Mapmill, and the log has its place".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_a_name() {
        let result = guarded::<()>(async { panic!("secret record contents") }).await;
        let error = result.unwrap_err();
        assert_eq!(error.name(), "Mapmill.Internal");
        assert!(!error.to_string().contains("secret"));
    }
}
