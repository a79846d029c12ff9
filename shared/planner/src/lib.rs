//! What a run will be like, before it is begun: how it is best cut into batches, how long it takes, what it costs, and
//! whether a quota stands in its way.
//!
//! The crate is arithmetic alone. It reads no files, lists no buckets and asks no clock: whoever plans hands it a
//! [`Survey`] of the source and gets a [`Forecast`] back. The way through it:
//!
//! 1. [`Survey`]: counts, sizes and key lengths of the objects, gathered one by one, in a few kilobytes for any number.
//! 2. [`Rates`]: prices, speeds and limits of the account, from one dated file that can be overridden.
//! 3. [`Worker`]: how long a function takes for objects, by the job and the function's memory.
//! 4. [`forecast`]: the numbers of a strategy (`design`), its batches (`shape`), the time (`simulate`), the events of the
//!    histories (`history`) and the money (`cost`), each held against its [`quota`]. What must fail is [`Refused`].
//! 5. [`Packer`]: packs items into batches of equal weight; [`cuts`] cuts a large object into ranges.
//!
//! [`guide`] applies the same rules to the experiment that made Distributed Maps known, as a check on the model.
//! `docs/planning.md` says which of the numbers are measured and which are assumed.

mod checks;
mod cost;
mod design;
mod forecast;
pub mod guide;
mod history;
mod kind;
mod packer;
pub mod quota;
mod rates;
mod shape;
mod simulate;
mod survey;
mod worker;

pub use checks::{Check, Refused};
pub use cost::Cost;
pub use design::{Design, Overrides, Strategy, UnknownStrategy};
pub use forecast::{Forecast, Seconds, compare, forecast, recommend};
pub use history::Events;
pub use kind::{Kind, kind};
pub use packer::{Closed, PackLimits, Packer, cuts};
pub use rates::{
    Account, LambdaPrices, Prices, Rates, RatesError, S3Prices, Speeds, StepFunctionsPrices, WorkerSettings,
};
pub use simulate::{Ramp, Simulated, Wave, simulate};
pub use survey::{KeyLengths, LargeObject, LeftOut, SizeClass, Sizes, Survey};
pub use worker::Worker;
