//! Whatever is done to the text of a job file, reading it gives a job or an error, never a panic.

use job::{FieldPath, Job};
use proptest::prelude::*;

const JOB: &str = r##"version: 1
name: clean-orders
source: {bucket: raw, prefix: in/, include: ["**/*.csv"], csv: {delimiter: ";", header: [a, b]}}
record:
  types: {price: decimal, "lines[0].sku": string, at: {type: timestamp, formats: ["%d/%m/%Y %H:%M"], time_zone: UTC}}
  schema: {type: object, properties: {a: {$ref: "#/$defs/b"}}, $defs: {b: {pattern: "[a-z]+"}}}
  where: {all: [{field: price, gt: 0}, {not: {field: /a/0, in: [1, x]}}]}
  select: [id, price]
  rename: {price: cost}
  cast: {price: string}
  set: {currency: EUR}
output: {bucket: clean, prefix: out/}
limits: {record_bytes: 1MiB}
"##;

proptest! {
    #[test]
    fn mutated_jobs_never_panic(
        cuts in proptest::collection::vec((0..JOB.len(), 0_usize..6, "[ -~\\n\\t{}\\[\\]:&*!é]{0,4}"), 1..4),
    ) {
        let mut text = JOB.to_owned();
        for (start, length, insert) in cuts {
            let start = start.min(text.len());
            let end = (start + length).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &insert);
            }
        }
        match Job::parse(&text) {
            Ok(job) => {
                let again = Job::from_value(serde_json::to_value(&job).map_err(|error| TestCaseError::fail(error.to_string()))?);
                prop_assert_eq!(again, Ok(job));
            }
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
    }

    #[test]
    fn field_paths_never_panic(text in "[a-c.\\[\\]'\\\\/~0-9é]{0,12}") {
        if let Ok(path) = FieldPath::parse(&text) {
            prop_assert!(!path.segments().is_empty());
            prop_assert_eq!(path.as_str(), text);
        }
    }
}
