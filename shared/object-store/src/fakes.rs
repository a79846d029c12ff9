//! Stand-ins for an object store, for tests.

mod faulty;
mod memory;
mod opening;

pub use faulty::{BodyFault, FaultyStore, WriteStep};
pub use memory::MemoryStore;
pub use opening::OpeningStore;
