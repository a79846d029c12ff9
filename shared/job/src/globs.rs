//! Globs on object keys, compiled when the job is read.

use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::limits::{MAX_GLOB_BYTES, MAX_GLOBS};

/// Whether an object key belongs to the source of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// Under the prefix, and matched by a glob or no globs are given.
    Included,
    /// Under the prefix, but no glob matches.
    NotIncluded,
    /// Not under the prefix.
    OutsidePrefix,
}

/// A list of at most 100 globs. `*` and `?` stop at `/`, `**` goes past it, `{a,b}` and `[a-z]` are known.
///
/// An empty list matches everything.
#[derive(Clone, Default)]
pub struct Globs {
    patterns: Vec<String>,
    set: GlobSet,
}

impl Globs {
    /// Compiles globs. The error holds the index of the faulty one and says what was expected.
    pub fn compile(patterns: Vec<String>) -> Result<Self, (usize, String)> {
        let mut builder = GlobSetBuilder::new();
        for (index, pattern) in patterns.iter().enumerate() {
            if index >= MAX_GLOBS {
                return Err((index, format!("at most {MAX_GLOBS} globs")));
            }
            builder.add(glob(pattern).map_err(|expected| (index, expected))?);
        }
        let set = builder.build().map_err(|error| (0, format!("globs that compile together ({})", error.kind())))?;
        Ok(Self { patterns, set })
    }

    /// The globs as written.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// True when no globs are given or one of them matches.
    #[must_use]
    pub fn matches(&self, key_after_prefix: &str) -> bool {
        self.patterns.is_empty() || self.set.is_match(key_after_prefix)
    }
}

fn glob(pattern: &str) -> Result<globset::Glob, String> {
    if pattern.is_empty() || pattern.len() > MAX_GLOB_BYTES {
        return Err(format!("a glob of 1 to {MAX_GLOB_BYTES} bytes"));
    }
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| format!("a glob such as `**/*.csv` ({})", error.kind()))
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for Globs {}

impl fmt::Debug for Globs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.patterns).finish()
    }
}

impl Serialize for Globs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.patterns.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GlobsVisitor;

        impl<'de> Visitor<'de> for GlobsVisitor {
            type Value = Globs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of globs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Globs, A::Error> {
                let mut patterns = Vec::new();
                // Each glob is checked while it is the current element, so that an error carries its index.
                while let Some(CheckedGlob(pattern)) = access.next_element()? {
                    patterns.push(pattern);
                }
                let count = patterns.len();
                Globs::compile(patterns).map_err(|(_, expected)| A::Error::invalid_length(count, &expected.as_str()))
            }
        }

        deserializer.deserialize_seq(GlobsVisitor)
    }
}

struct CheckedGlob(String);

impl<'de> Deserialize<'de> for CheckedGlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        match glob(&pattern) {
            Ok(_) => Ok(Self(pattern)),
            Err(expected) => Err(D::Error::invalid_value(Unexpected::Str(&pattern), &expected.as_str())),
        }
    }
}

impl JsonSchema for Globs {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Globs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "maxItems": MAX_GLOBS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_GLOB_BYTES}
        })
    }
}
