//! Byte ranges of a read.

use super::error::StoreError;

/// The part of an object that a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From `first` to `last`, both included; to the end when there is no `last` or it lies behind the end.
    From {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: Option<u64>,
    },
    /// The last `length` bytes, or all when there are fewer.
    Last {
        /// Number of bytes.
        length: u64,
    },
}

impl ByteRange {
    /// Start and length within an object of `size` bytes. The length is never zero.
    ///
    /// # Errors
    /// [`StoreError::InvalidRange`] when the range holds no byte of the object.
    pub fn resolve(self, size: u64) -> Result<(u64, u64), StoreError> {
        let (start, end) = match self {
            Self::From { first, last } => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
            Self::Last { length } => (size.saturating_sub(length), size),
        };
        if start < end { Ok((start, end - start)) } else { Err(StoreError::InvalidRange { size }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        fn check(range: ByteRange, size: u64, expected: Option<(u64, u64)>) {
            assert_eq!(range.resolve(size).ok(), expected, "{range:?} of {size}");
        }
        let from = |first, last| ByteRange::From { first, last };
        check(from(0, None), 10, Some((0, 10)));
        check(from(0, Some(0)), 10, Some((0, 1)));
        check(from(3, Some(5)), 10, Some((3, 3)));
        check(from(9, Some(99)), 10, Some((9, 1)));
        check(from(9, Some(u64::MAX)), 10, Some((9, 1)));
        check(from(10, None), 10, None);
        check(from(0, None), 0, None);
        check(from(5, Some(3)), 10, None);
        check(ByteRange::Last { length: 4 }, 10, Some((6, 4)));
        check(ByteRange::Last { length: 40 }, 10, Some((0, 10)));
        check(ByteRange::Last { length: 0 }, 10, None);
        check(ByteRange::Last { length: 1 }, 0, None);
    }
}
