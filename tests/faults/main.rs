//! What the worker does when S3 misbehaves: the real adapter over real HTTP, with the fault proxy between it and the
//! embedded S3. The table of docs/operating.md ("What happens when S3 misbehaves") says the same in words.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod bench;
mod many;
mod reading;
mod repair;
mod throttling;
mod writing;
