//! The index of one JSON record against serde_json: it accepts the same texts and sees the same values.
//!
//! Two differences are meant. Limits (depth, members, values) refuse what serde_json reads; and serde_json looks into
//! strings only when they are decoded, so the oracle decodes all of them: a lone surrogate is refused by both.
//!
//! Input: five knobs for the limits, then the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::Knobs;
use mapmill_fuzz::oracle::{Json, parse};
use record_stream::json::{Index, Kind, Value};

fuzz_target!(|data: &[u8]| {
    let mut knobs = Knobs::new(data);
    let limits = knobs.limits();
    let text = knobs.rest();
    // The caller of the index has checked UTF-8.
    if std::str::from_utf8(text).is_err() {
        return;
    }
    let mut index = Index::default();
    let ours = index.build(text, &limits);
    let Some(theirs) = parse(text) else {
        let problem = ours.expect_err("serde_json refuses this text");
        assert!(!problem.to_string().is_empty());
        return;
    };
    let cost = theirs.cost();
    if cost.depth > limits.depth || cost.fields > limits.fields || cost.values > limits.values {
        let code = ours.expect_err("the text is over a limit").code();
        assert!(["too_deep", "too_many_fields", "too_many_values"].contains(&code), "{code} for {cost:?}");
        return;
    }
    match ours {
        Ok(value) => {
            compare(&value, &theirs);
            assert_eq!(index.has_repeated_names(text), theirs.has_repeated_names(), "repeated names");
        }
        Err(problem) => panic!("{problem}, but serde_json reads it"),
    }
});

fn compare(ours: &Value<'_>, theirs: &Json<'_>) {
    match theirs {
        Json::Plain(text) => {
            let kind = match text.as_bytes()[0] {
                b'n' => Kind::Null,
                b't' => Kind::True,
                b'f' => Kind::False,
                _ => Kind::Number,
            };
            assert_eq!((ours.kind(), ours.raw()), (kind, text.as_bytes()));
        }
        Json::Text(text) => {
            let ours = ours.text().expect("a string");
            assert_eq!(ours.decoded(), text.as_bytes());
            assert!(ours.is(text.as_bytes()));
        }
        Json::Array(elements) => {
            assert_eq!((ours.kind(), ours.count()), (Kind::Array, elements.len()));
            assert_eq!(ours.elements().count(), elements.len());
            ours.elements().zip(elements).for_each(|(ours, theirs)| compare(&ours, theirs));
        }
        Json::Object(members) => {
            assert_eq!((ours.kind(), ours.count()), (Kind::Object, members.len()));
            assert_eq!(ours.members().count(), members.len());
            for ((our_name, our_value), (name, value)) in ours.members().zip(members) {
                assert_eq!(our_name.decoded(), name.as_bytes());
                compare(&our_value, value);
                let last = members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value);
                compare(&ours.get(name.as_bytes()).expect("the member"), last.expect("the member"));
            }
        }
    }
}
