//! The places that a function may read or write, whatever an event says.

use std::str::FromStr;

use crate::error::{ErrorClass, ObjectError, code};
use crate::names::{BucketName, NameError, ObjectAddress};

/// A list of allowed places, read from text such as `raw/orders/,clean`.
///
/// Each entry is a bucket, or a bucket and the beginning of keys. The beginning is compared as text: `raw/in` allows
/// `in/a` and also `index`, so end it with `/` to mean a folder. Empty text allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    places: Vec<(BucketName, String)>,
}

/// Text that is not a list of places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// An entry has no valid bucket name.
    #[error("entry {entry}: {error}")]
    Bucket {
        /// The number of the entry, from 1.
        entry: usize,
        /// What is wrong with the name.
        error: NameError,
    },
    /// An entry is empty, for instance after a comma at the end.
    #[error("entry {0}: expected `bucket` or `bucket/prefix`; found nothing")]
    Empty(usize),
    /// There are too many entries.
    #[error("expected at most {limit} places; found {0}", limit = Places::MAX_PLACES)]
    TooMany(usize),
}

impl Places {
    /// Most entries in a list.
    pub const MAX_PLACES: usize = 100;

    /// True when the address lies in one of the places.
    #[must_use]
    pub fn allows(&self, address: &ObjectAddress) -> bool {
        self.places
            .iter()
            .any(|(bucket, prefix)| *bucket == address.bucket && address.key.as_str().starts_with(prefix.as_str()))
    }

    /// Refuses an address outside the places. `operation` is what was about to be done: `open` or `put`.
    pub fn check(&self, operation: &'static str, address: &ObjectAddress) -> Result<(), ObjectError> {
        if self.allows(address) {
            return Ok(());
        }
        let message = if self.places.is_empty() {
            "this function is allowed no places at all".to_owned()
        } else {
            format!("expected an address in {}", self.list())
        };
        Err(ObjectError::new(ErrorClass::Denied, code::PLACE_NOT_ALLOWED, operation, address, message))
    }

    fn list(&self) -> String {
        let places: Vec<String> = self.places.iter().map(|(bucket, prefix)| format!("{bucket}/{prefix}")).collect();
        places.join(", ")
    }
}

impl FromStr for Places {
    type Err = PlacesError;

    fn from_str(text: &str) -> Result<Self, PlacesError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        if entries.len() > Self::MAX_PLACES {
            return Err(PlacesError::TooMany(entries.len()));
        }
        let place = |(index, entry): (usize, &str)| {
            let entry_number = index + 1;
            if entry.is_empty() {
                return Err(PlacesError::Empty(entry_number));
            }
            let (bucket, prefix) = entry.split_once('/').unwrap_or((entry, ""));
            let bucket =
                BucketName::parse(bucket).map_err(|error| PlacesError::Bucket { entry: entry_number, error })?;
            Ok((bucket, prefix.to_owned()))
        };
        entries.into_iter().enumerate().map(place).collect::<Result<_, _>>().map(|places| Self { places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(places: &str, bucket: &str, key: &str, expected: bool) {
        let places: Places = places.parse().unwrap();
        let address = ObjectAddress::parse(bucket, key).unwrap();
        assert_eq!(places.allows(&address), expected, "{places:?} {address}");
        assert_eq!(places.check("open", &address).is_ok(), expected);
    }

    #[test]
    fn places_are_compared_as_text() {
        check("raw/in/,clean", "raw", "in/a", true);
        check("raw/in/, clean ", "clean", "any/thing", true);
        check("raw/in/", "raw", "index", false);
        check("raw/in", "raw", "index", true);
        check("raw/in/", "raw", "in/", true);
        check("raw/in/", "raw2", "in/a", false);
        check("raw", "ra.w", "a", false);
        check("raw/", "raw", "a", true);
        check("", "raw", "a", false);
        check("  ", "raw", "a", false);
    }

    #[test]
    fn faulty_lists_are_refused() {
        let error = |text: &str| text.parse::<Places>().unwrap_err().to_string();
        assert_eq!(error("raw,"), "entry 2: expected `bucket` or `bucket/prefix`; found nothing");
        assert!(error("raw,Bad/x").starts_with("entry 2: expected a bucket name"));
        assert!(error("s3://raw/x").starts_with("entry 1: expected a bucket name"));
        assert_eq!(error(&vec!["raw"; 101].join(",")), "expected at most 100 places; found 101");
    }

    #[test]
    fn the_refusal_names_the_places() {
        let places: Places = "raw/in/,clean".parse().unwrap();
        let error = places.check("open", &ObjectAddress::parse("other", "a").unwrap()).unwrap_err();
        assert_eq!(error.class, ErrorClass::Denied);
        assert_eq!(
            error.to_string(),
            "open of s3://other/a failed: expected an address in raw/in/, clean/ (place_not_allowed)"
        );
    }
}
