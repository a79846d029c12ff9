//! Members that rules name: however many there are beside one another, and when a name comes twice.

#[path = "support/fields.rs"]
mod fields;
mod support;

use fields::{path, paths};
use record_stream::{
    Condition, CsvDialect, FieldType, JsonLayout, JsonMode, RecordFormat, Reshape, Scalar, StreamOptions, Test,
};
use support::run_in_all_chunkings;

fn check_stream(format: RecordFormat, reshape: &Reshape, input: &str, expected: &str) {
    let options = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(format) };
    let result = run_in_all_chunkings(&options, input.as_bytes());
    assert_eq!((result.output.as_str(), result.rejects.as_slice()), (format!("{expected}\n").as_str(), &[][..]));
    assert_eq!(result.error, None, "{input}");
}

/// Expects what becomes of one JSON record, as a line and as an element.
fn check(reshape: &Reshape, record: &str, expected: &str) {
    let array = RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Array });
    check_stream(RecordFormat::NdJson, reshape, &format!("{record}\n"), expected);
    check_stream(array, reshape, &format!("[\n{record}\n]"), expected);
}

/// So many names of many lengths, short and long ones.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("f{at}{}", "x".repeat(at * 5 % 80))).collect()
}

/// A name that needs no escape, written with one.
fn escaped(name: &str) -> String {
    format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..])
}

/// A rule for each name in turn: drop, rename, type, cast, and only a condition.
fn rules(names: &[String], prefix: &str) -> Reshape {
    let each = |turn: usize| names.iter().skip(turn).step_by(5);
    let field = |name: &String| path(&format!("{prefix}{name}"));
    let exists = |name| Condition::Field(field(name), Test::Exists(true));
    Reshape {
        drop: each(0).map(field).collect(),
        rename: each(1).map(|name| (field(name), format!("new_{name}"))).collect(),
        types: each(2).map(|name| (field(name), FieldType::Integer.into())).collect(),
        cast: each(3).map(|name| (field(name), FieldType::Boolean.into())).collect(),
        condition: Some(Condition::All(each(4).map(exists).collect())),
        ..Reshape::default()
    }
}

/// A record of these names, each with the text `1` and beside one of its length that no rule names, and what becomes of
/// it by `rules`. `write` says how a name is written in it.
fn record(names: &[String], write: &dyn Fn(usize, &str) -> String) -> (Vec<(String, String)>, String) {
    let (mut members, mut expected) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let (written, other) = (write(at, name), format!("g{}", &name[1..]));
        match at % 5 {
            0 => {}
            1 => expected.push(format!("\"new_{name}\":\"1\"")),
            2 => expected.push(format!("\"{written}\":1")),
            3 => expected.push(format!("\"{written}\":true")),
            _ => expected.push(format!("\"{written}\":\"1\"")),
        }
        expected.push(format!("\"{other}\":\"1\""));
        members.push((written, "1".to_owned()));
        members.push((other, "1".to_owned()));
    }
    (members, format!("{{{}}}", expected.join(",")))
}

fn json_of(members: &[(String, String)]) -> String {
    let members = members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\""));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

#[test]
fn any_number_of_fields_of_one_object_can_be_named() {
    for count in [1, 5, 7, 8, 9, 10, 17, 100] {
        let names = names(count);
        let plain = |_: usize, name: &str| name.to_owned();
        let half = |at: usize, name: &str| if at.is_multiple_of(2) { escaped(name) } else { name.to_owned() };
        for write in [&plain as &dyn Fn(usize, &str) -> String, &half] {
            let (members, expected) = record(&names, write);
            let text = json_of(&members);
            check(&rules(&names, ""), &text, &expected);
            let inner = format!("{{\"a\":[0],\"u\":{text},\"f1\":2}}");
            check(&rules(&names, "u."), &inner, &format!("{{\"a\":[0],\"u\":{expected},\"f1\":2}}"));
        }
        let (members, expected) = record(&names, &plain);
        let (header, row): (Vec<String>, Vec<String>) = members.into_iter().unzip();
        let input = format!("{}\n{}\n", header.join(","), row.join(","));
        check_stream(RecordFormat::Csv(CsvDialect::default()), &rules(&names, ""), &input, &expected);
    }
}

#[test]
fn any_number_of_fields_can_be_selected() {
    for count in [1, 8, 9, 100] {
        let names = names(count);
        let backwards: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let select = Reshape { select: paths(&backwards), ..Reshape::default() };
        let members: Vec<String> = (0..count).rev().map(|at| format!("\"{}\":\"{at}\"", names[at])).collect();
        let expected = format!("{{{}}}", members.join(","));
        let values = || names.iter().enumerate().map(|(at, name)| (escaped(name), at.to_string()));
        check(&select, &json_of(&values().collect::<Vec<_>>()), &expected);
        let row = values().map(|(_, value)| value).collect::<Vec<_>>().join(",");
        let input = format!("{}\n{row}\n", names.join(","));
        check_stream(RecordFormat::Csv(CsvDialect::default()), &select, &input, &expected);
        // A field that is missing is left out.
        check(&select, r#"{"f":1,"f0":"a","g0":2}"#, r#"{"f0":"a"}"#);
    }
}

fn rename(from: &str, to: &str) -> Reshape {
    Reshape { rename: vec![(path(from), to.into())], ..Reshape::default() }
}

#[test]
fn of_repeated_members_that_are_renamed_the_last_is_written() {
    let b = rename("a", "b");
    check(&b, r#"{"a":1,"x":0,"a":2}"#, r#"{"x":0,"b":2}"#);
    check(&b, r#"{"a":{"z":1},"x":0,"\u0061":[2],"y":0}"#, r#"{"x":0,"b":[2],"y":0}"#);
    check(&b, r#"{"b":1,"a":2,"b":3,"a":4}"#, r#"{"b":4}"#);
    check(&b, r#"{"b":1,"x":0,"b":2}"#, r#"{"x":0,"b":2}"#);
    let swap = Reshape { rename: vec![(path("a"), "b".into()), (path("b"), "a".into())], ..Reshape::default() };
    check(&swap, r#"{"a":1,"b":2,"a":3,"b":4}"#, r#"{"b":3,"a":4}"#);
    check(&rename("u.a", "b"), r#"{"u":{"a":1,"a":2},"a":3,"a":4}"#, r#"{"u":{"b":2},"a":3,"a":4}"#);
    check(&rename("u.a", "b"), r#"{"u":{"a":1},"v":0,"u":{"c":2}}"#, r#"{"v":0,"u":{"c":2}}"#);
}

#[test]
fn of_repeated_members_that_are_dropped_or_set_none_is_written() {
    let drop = |fields: &[&str]| Reshape { drop: paths(fields), ..Reshape::default() };
    check(&drop(&["a"]), r#"{"a":1,"b":0,"a":2}"#, r#"{"b":0}"#);
    check(&drop(&["a"]), r#"{"a":1,"\u0061":2}"#, "{}");
    check(&drop(&["u.p"]), r#"{"u":{"p":1,"q":1},"x":0,"u":{"p":2,"r":2,"p":3}}"#, r#"{"x":0,"u":{"r":2}}"#);
    check(&drop(&["u.p"]), r#"{"u":{"p":1},"u":7}"#, r#"{"u":7}"#);
    check(&drop(&["u.p"]), r#"{"u":7,"u":{"p":1}}"#, r#"{"u":{}}"#);
    check(&drop(&["l.0.p"]), r#"{"l":[{"p":1,"q":0,"p":2},{"p":3,"p":4}]}"#, r#"{"l":[{"q":0},{"p":3,"p":4}]}"#);
    let set = Reshape { set: vec![("k".into(), "0".into())], ..Reshape::default() };
    check(&set, r#"{"k":1,"a":2,"k":3}"#, r#"{"a":2,"k":0}"#);
}

#[test]
fn of_repeated_members_with_a_type_the_last_is_checked_and_written() {
    let integer = |field: &str| vec![(path(field), FieldType::Integer.into())];
    for reshape in
        [|rules| Reshape { types: rules, ..Reshape::default() }, |rules| Reshape { cast: rules, ..Reshape::default() }]
    {
        check(&reshape(integer("n")), r#"{"n":"x","a":0,"n":"5"}"#, r#"{"a":0,"n":5}"#);
        check(&reshape(integer("n")), r#"{"n":[1],"\u006e":"6"}"#, r#"{"\u006e":6}"#);
        check(&reshape(integer("u.n")), r#"{"u":{"n":"x"},"u":{"n":"y","n":"7"}}"#, r#"{"u":{"n":7}}"#);
        check(&reshape(integer("u.n")), r#"{"u":{"n":"x"},"u":{"m":1}}"#, r#"{"u":{"m":1}}"#);
        check(&reshape(integer("l.1")), r#"{"l":["x","y"],"l":["z","8"]}"#, r#"{"l":["z",8]}"#);
    }
}

#[test]
fn repeated_members_are_found_among_many() {
    let names = names(30);
    let (members, expected) = record(&names, &|_, name| name.to_owned());
    let earlier: Vec<_> = names.iter().map(|name| (escaped(name), "x".to_owned())).collect();
    check(&rules(&names, ""), &json_of(&[earlier, members].concat()), &expected);
}

#[test]
fn repeated_members_that_no_rule_changes_come_out_as_they_came() {
    let at_least_two = |field: &str| Reshape {
        condition: Some(Condition::Field(path(field), Test::Greater(Scalar::Number("1".into())))),
        ..Reshape::default()
    };
    check(&rename("a", "b"), r#"{"z":1,"a":0,"z":2,"u":{"a":1,"a":2}}"#, r#"{"z":1,"b":0,"z":2,"u":{"a":1,"a":2}}"#);
    // At the top of the record the last one alone is left of what a condition reads, further inside all.
    check(&at_least_two("a"), r#"{"a":1,"z":0,"a":2,"z":3}"#, r#"{"z":0,"a":2,"z":3}"#);
    check(&at_least_two("u.a"), r#"{"u":{"a":1,"a":2}}"#, r#"{"u":{"a":1,"a":2}}"#);
    check(&Reshape { drop: paths(&["u.x"]), ..at_least_two("u.a") }, r#"{"u":{"a":1,"a":2}}"#, r#"{"u":{"a":2}}"#);
    let select = Reshape { select: paths(&["u"]), ..Reshape::default() };
    check(&select, r#"{"u":{"a":1,"a":2},"x":0}"#, r#"{"u":{"a":1,"a":2}}"#);
}
