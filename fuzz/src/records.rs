//! Arbitrary records: members from a handful of names and values, written as JSON lines and as CSV rows.

use arbitrary::Arbitrary;
use serde_json::{Map, Value};

pub(crate) const NAMES: [&str; 8] = ["a", "b", "c", "d", "e\"\\", "é", "", "a.b"];
pub(crate) const NUMBERS: [&str; 12] =
    ["0", "-1", "1.50", "1e400", "9007199254740993", "0.1", "-0", "12E-3", "1767225600", "-62167219200", "1.0", "1e3"];
pub(crate) const TEXTS: [&str; 20] = [
    "",
    "NA",
    "x",
    "true",
    "0",
    "007",
    "1.50",
    "2026-02-28",
    "2026-02-28T10:00:00+01:00",
    "{\"a\":[1]}",
    "é\n\"\\\u{1}",
    "[",
    "29/03/2026 02:30",
    "25/10/2026 02:30",
    "28.02.2026",
    "Feb 28, 2026",
    "1767225600",
    "1767225600000.5",
    "9999-12-31T23:59:60-23:59",
    "0000-01-01T00:00:00+00:01",
];

/// One field value.
#[derive(Debug, Clone, Arbitrary)]
pub enum Field {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number of the handful.
    Number(u8),
    /// A text of the handful.
    Text(u8),
    /// Any text.
    AnyText(String),
    /// An array.
    Array(Vec<Field>),
    /// An object.
    Object(Vec<(u8, Field)>),
}

pub(crate) fn pick<'a>(choices: &[&'a str], choice: u8) -> &'a str {
    choices[usize::from(choice) % choices.len()]
}

impl Field {
    fn write(&self, text: &mut String) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(choice) => text.push_str(pick(&NUMBERS, *choice)),
            Self::Text(choice) => text.push_str(&quoted(pick(&TEXTS, *choice))),
            Self::AnyText(any) => text.push_str(&quoted(any)),
            Self::Array(elements) => {
                text.push('[');
                for (index, element) in elements.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    element.write(text);
                }
                text.push(']');
            }
            Self::Object(members) => write_object(members, text),
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn write_object(members: &[(u8, Field)], text: &mut String) {
    text.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        text.push_str(&quoted(pick(&NAMES, *name)));
        text.push_str(": ");
        value.write(text);
    }
    text.push('}');
}

/// A line of JSON with these members; names may come twice.
#[must_use]
pub fn json_line(members: &[(u8, Field)]) -> String {
    let mut text = String::new();
    write_object(members, &mut text);
    text
}

/// A CSV object whose columns are all the names of the handful.
#[must_use]
pub fn csv_object(rows: &[Vec<(u8, Field)>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // A name that is empty is replaced by the number of its column.
    writer.write_record(NAMES).expect("a row");
    for row in rows {
        let cells = NAMES.map(|name| {
            let field = row.iter().find(|(choice, _)| pick(&NAMES, *choice) == name);
            let mut text = String::new();
            match field {
                Some((_, Field::Text(choice))) => text.push_str(pick(&TEXTS, *choice)),
                Some((_, Field::AnyText(any))) => text.push_str(any),
                Some((_, other)) => other.write(&mut text),
                None => {}
            }
            text
        });
        writer.write_record(cells).expect("a row");
    }
    writer.into_inner().expect("the rows")
}

/// The names of the members of an object, if none comes twice.
#[must_use]
pub fn distinct_names(line: &[u8]) -> Option<Map<String, Value>> {
    let json = crate::oracle::parse(line)?;
    let crate::oracle::Json::Object(members) = json else { return None };
    let mut names = Map::new();
    for (name, _) in members {
        if names.insert(name, Value::Null).is_some() {
            return None;
        }
    }
    Some(names)
}
