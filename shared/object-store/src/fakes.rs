//! Stand-ins for an object store, for tests.

mod faulty;
mod memory;

pub use faulty::{BodyFault, FaultyStore, WriteStep};
pub use memory::MemoryStore;
