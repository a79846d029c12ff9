//! The Invoke API of Lambda, both ways: [`LambdaServer`] lets clients invoke the functions of a host, [`RemoteLambda`]
//! invokes functions at another endpoint, as `cargo lambda watch` or any stand-in serves it.

mod remote;
mod server;
#[cfg(test)]
mod tests;

pub use remote::{RemoteLambda, RemoteLambdaError};
pub use server::LambdaServer;

/// Where invocations are posted, around the name of the function.
const PATH_BEFORE: &str = "/2015-03-31/functions/";
const PATH_AFTER: &str = "/invocations";
const FUNCTION_ERROR: &str = "x-amz-function-error";
