//! Objects in which a name comes twice: counted or refused, and never taken for what they are not.

mod support;

use proptest::prelude::*;
use record_stream::{DuplicateKeys, JsonLayout, JsonMode, RecordFormat, StreamOptions};
use std::collections::HashSet;
use support::{run, run_in_all_chunkings};

fn array() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Array })
}

fn options(format: RecordFormat, duplicate_keys: DuplicateKeys) -> StreamOptions {
    StreamOptions { duplicate_keys, ..StreamOptions::new(format) }
}

/// Reads records as lines and as elements, under both policies. Of each is known whether a name comes twice in it.
fn check(records: &[(&str, bool)]) {
    let lines: String = records.iter().map(|(record, _)| format!("{record}\n")).collect();
    let elements = format!("[{}]", records.iter().map(|(record, _)| *record).collect::<Vec<_>>().join(",\n"));
    let repeated = records.iter().filter(|(_, is_repeated)| *is_repeated).count() as u64;
    for (format, input) in [(RecordFormat::NdJson, &lines), (array(), &elements)] {
        let last = run_in_all_chunkings(&options(format.clone(), DuplicateKeys::Last), input.as_bytes());
        assert_eq!(last.output, lines, "records come out as they came");
        assert_eq!(last.counts.duplicate_keys, repeated, "{lines}");
        let reject = run_in_all_chunkings(&options(format, DuplicateKeys::Reject), input.as_bytes());
        let kept = records.iter().filter(|(_, is_repeated)| !is_repeated);
        assert_eq!(reject.output, kept.map(|(record, _)| format!("{record}\n")).collect::<String>());
        let refused = (1..).zip(records).filter(|(_, (_, is_repeated))| *is_repeated);
        let refused: Vec<_> = refused.map(|(line, (text, _))| ("duplicate_key", line, line, text.as_bytes())).collect();
        let rejects = reject.rejects.iter();
        let found: Vec<_> =
            rejects.map(|(code, _, line, record, bytes)| (code.as_str(), *line, *record, bytes.as_slice())).collect();
        assert_eq!(found, refused, "line, record and bytes");
        assert_eq!(reject.counts.duplicate_keys, repeated, "{lines}");
    }
}

#[test]
fn short_names() {
    check(&[
        (r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#, false),
        (r#"{"x":[{"a":{}},{"b":1,"c":2,"b":1}]}"#, true),
        (r#"[{"a":1},{"a":1}]"#, false),
        (r#"{"":1," ":2}"#, false),
        (r#"{"":1,"":2}"#, true),
        (r#"{"a":{"a":{"a":1}}}"#, false),
        (r#"{"a":{"b":1,"b":2},"c":{"d":1,"d":2},"a":1}"#, true),
        (r#"{"ä":1,"ä":2}"#, true),
        (r#"{"ä":1,"a":2}"#, false),
        (r#""a,a""#, false),
        ("{}", false),
    ]);
}

#[test]
fn names_that_look_alike() {
    check(&[
        (r#"{"12345678":1,"123456789":2}"#, false),
        (r#"{"aaaaaaaa":1,"aaaaaaaaa":2,"aaaaaaaaaa":3,"aaaaaaaaaaaaaaaaa":4,"aaaaaaaaaaaaaaaaaa":5}"#, false),
        (r#"{"the first x the last":1,"the first y the last":2}"#, false),
        (r#"{"the first x the last":1,"the first x the last":2}"#, true),
        (r#"{"order_identifier_of_a":1,"b":{},"order_identifier_of_a":2}"#, true),
        (r#"{"A":1,"a":2}"#, false),
        (r#"{"a":1,"a ":2,"a\u0000":3}"#, false),
    ]);
}

#[test]
fn names_with_escapes() {
    check(&[
        (r#"{"a":1,"\u0061":2}"#, true),
        (r#"{"\u0061":1,"\u0061":2}"#, true),
        (r#"{"\u0041":1,"\u0061":2}"#, false),
        (r#"{"\n":1,"\u000a":2}"#, true),
        (r#"{"\n":1,"\u000A":2,"n":3}"#, true),
        (r#"{"\"":1,"\u0022":2}"#, true),
        (r#"{"/":1,"\/":2}"#, true),
        (r#"{"\\u0061":1,"a":2}"#, false),
        (r#"{"😀":1,"\ud83d\ude00":2}"#, true),
        (r#"{"x":{"é":0,"\u00e9":0}}"#, true),
        (r#"{"long name with an \u0065nd":1,"long name with an end":2}"#, true),
    ]);
}

/// An object with so many members; some names are replaced.
fn object(members: usize, replaced: &[(usize, &str)]) -> String {
    let name = |at: usize| {
        let name = replaced.iter().find(|(place, _)| *place == at).map(|(_, name)| (*name).to_owned());
        name.unwrap_or_else(|| format!("member_{at}"))
    };
    format!("{{{}}}", (0..members).map(|at| format!("\"{}\":{at}", name(at))).collect::<Vec<_>>().join(","))
}

#[test]
fn many_members() {
    for members in [63, 64, 65, 66, 127, 128, 129, 400] {
        let last = members - 1;
        check(&[
            (&object(members, &[]), false),
            (&object(members, &[(last, "member_0")]), true),
            (&object(members, &[(last, "member_62")]), members != 63),
            (&object(members, &[(last, "member_\\u0030")]), true),
            (&object(members, &[(0, "member_\\u0036")]), true),
            (&object(members, &[(0, "\\u0061"), (last, "a")]), true),
            (&object(members, &[(0, "\\u0061"), (last, "\\u0062")]), false),
            (&object(members, &[(last - 1, ""), (last, "")]), true),
            (&format!("{{\"a\":{},\"b\":{}}}", object(members, &[]), object(members, &[])), false),
            (&format!("{{\"a\":[{}],\"b\":1}}", object(members, &[(3, "member_2")])), true),
        ]);
    }
}

#[test]
fn a_broken_record_is_not_counted() {
    for policy in [DuplicateKeys::Last, DuplicateKeys::Reject] {
        let options = options(RecordFormat::NdJson, policy);
        let result = run_in_all_chunkings(&options, b"{\"a\":1,\"a\":}\n{\"a\":1,\"a\":\"\xFF\"}\n");
        let codes: Vec<&str> = result.rejects.iter().map(|reject| reject.0.as_str()).collect();
        assert_eq!((codes.as_slice(), result.counts.duplicate_keys), (&["invalid_json", "invalid_utf8"][..], 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Names that are nearly equal, some with an escape: a set of their texts tells which objects repeat one.
    #[test]
    fn a_set_of_names_agrees(
        names in prop::collection::vec(("[ab]{0,2}|[ab]{7,9}|x{8}[a-z]{0,3}y{8}|[a-z]{1,5}", any::<Option<prop::sample::Index>>()), 0..140),
        limit in 1_usize..140,
        chunk in 1_usize..400,
    ) {
        let names = &names[..names.len().min(limit)];
        let members = names.iter().map(|(name, escaped)| {
            let at = escaped.as_ref().filter(|_| !name.is_empty()).map(|index| index.index(name.len()));
            let written: String = name.chars().enumerate().map(|(place, letter)| {
                if at == Some(place) { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() }
            }).collect();
            format!("\"{written}\":[{{}},1]")
        });
        let record = format!("{{{}}}\n", members.collect::<Vec<_>>().join(","));
        let is_repeated = names.iter().map(|(name, _)| name).collect::<HashSet<_>>().len() < names.len();
        let last = run(&options(RecordFormat::NdJson, DuplicateKeys::Last), record.as_bytes(), chunk);
        prop_assert_eq!(last.output, record.clone());
        prop_assert_eq!(last.counts.duplicate_keys, u64::from(is_repeated));
        let reject = run(&options(RecordFormat::NdJson, DuplicateKeys::Reject), record.as_bytes(), chunk);
        prop_assert_eq!(reject.counts.rejected, u64::from(is_repeated));
    }
}
