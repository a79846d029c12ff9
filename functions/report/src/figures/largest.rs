//! The few largest of any number of things.

/// Keeps the things with the largest measures; of equal ones those that came first.
#[derive(Debug, Clone)]
pub(crate) struct Largest<T> {
    most: usize,
    /// The largest first.
    kept: Vec<(u64, T)>,
}

impl<T> Largest<T> {
    /// Keeps at most so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Vec::with_capacity(most) }
    }

    /// Adds a thing; it is only made if it is kept.
    pub(crate) fn add(&mut self, measure: u64, make: impl FnOnce() -> T) {
        let place = self.kept.partition_point(|(kept, _)| *kept >= measure);
        if place == self.most {
            return;
        }
        if self.kept.len() == self.most {
            self.kept.pop();
        }
        self.kept.insert(place, (measure, make()));
    }

    /// What was kept, the largest first.
    pub(crate) fn into_vec(self) -> Vec<T> {
        self.kept.into_iter().map(|(_, thing)| thing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_largest_are_kept_in_order(values in prop::collection::vec(0_u64..50, 0..200), most in 0_usize..20) {
            let mut largest = Largest::new(most);
            for (index, value) in values.iter().enumerate() {
                largest.add(*value, || (*value, index));
            }
            let mut expected: Vec<(u64, usize)> = values.iter().enumerate().map(|(index, value)| (*value, index)).collect();
            expected.sort_by_key(|(value, index)| (std::cmp::Reverse(*value), *index));
            expected.truncate(most);
            prop_assert_eq!(largest.into_vec(), expected);
        }
    }
}
