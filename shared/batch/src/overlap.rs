//! Which objects use several cores.
//!
//! Objects of a batch run beside one another, which fills the cores when there are many. A large object that runs alone
//! leaves all cores but one idle; it is then read, processed and written at the same time. The gain is at most that of
//! the three parts of the work, so a large object is counted as two cores, and those that come when no two are left do
//! their work in turn. A small object is done before threads for it would have begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cores that an object can use.
const CORES_OF_AN_OBJECT: usize = 2;

/// Decides which objects are read, processed and written at the same time. Clones share what they count.
#[derive(Debug, Clone)]
pub struct Overlap {
    rule: Rule,
    /// Large objects that are being processed.
    large: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Always,
    Never,
    WithCores(usize),
}

impl Overlap {
    /// Follows the cores of this process. With one core nothing overlaps.
    #[must_use]
    pub fn of_process() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(Rule::WithCores(cores))
    }

    /// Every object, whatever its size and the cores.
    #[must_use]
    pub fn always() -> Self {
        Self::new(Rule::Always)
    }

    /// No object.
    #[must_use]
    pub fn never() -> Self {
        Self::new(Rule::Never)
    }

    fn new(rule: Rule) -> Self {
        Self { rule, large: Arc::default() }
    }

    /// Decides about an object that begins now, and counts it until the answer is dropped.
    pub(crate) fn enter(&self, is_large: bool) -> Turn {
        let counted = is_large.then(|| self.large.clone());
        let before = if is_large { self.large.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let overlaps = match self.rule {
            Rule::Always => true,
            Rule::Never => false,
            Rule::WithCores(cores) => is_large && (before + 1) * CORES_OF_AN_OBJECT <= cores,
        };
        Turn { overlaps, counted }
    }
}

/// One object and what was decided about it.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Whether it is read, processed and written at the same time.
    pub(crate) overlaps: bool,
    counted: Option<Arc<AtomicUsize>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(large) = &self.counted {
            large.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_objects_overlap_as_long_as_there_are_cores() {
        let check = |cores: usize, expected: [bool; 4]| {
            let overlap = Overlap::new(Rule::WithCores(cores));
            let turns = [true, false, true, true].map(|is_large| overlap.enter(is_large));
            assert_eq!(turns.each_ref().map(|turn| turn.overlaps), expected, "{cores} cores");
            drop(turns);
            assert_eq!(overlap.enter(true).overlaps, cores > 1, "all cores are free again");
        };
        check(1, [false; 4]);
        check(2, [true, false, false, false]);
        check(3, [true, false, false, false]);
        check(4, [true, false, true, false]);
        check(6, [true, false, true, true]);
        assert!(Overlap::always().enter(false).overlaps);
        assert!(!Overlap::never().enter(true).overlaps);
    }
}
