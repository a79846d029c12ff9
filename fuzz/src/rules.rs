//! Arbitrary rules and records.
//!
//! Names come from a handful, so that rules meet the fields of records often; records are built from the same handful
//! and written as JSON lines and as CSV rows.

use arbitrary::Arbitrary;
use record_stream::{Condition, FieldPath, FieldType, Reshape, Scalar, Segment, Test};
use serde_json::{Map, Value};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e\"\\", "é", "", "a.b"];
const NUMBERS: [&str; 8] = ["0", "-1", "1.50", "1e400", "9007199254740993", "0.1", "-0", "12E-3"];
const TEXTS: [&str; 12] = [
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
];
const TYPES: [FieldType; 8] = [
    FieldType::String,
    FieldType::Integer,
    FieldType::Float,
    FieldType::Decimal,
    FieldType::Boolean,
    FieldType::Date,
    FieldType::Timestamp,
    FieldType::Json,
];

/// A step of a path: a name of the handful, or an index.
#[derive(Debug, Arbitrary)]
enum Step {
    Name(u8),
    Index(u8),
}

#[derive(Debug, Arbitrary)]
struct Path {
    first: u8,
    deeper: [Option<Step>; 2],
}

#[derive(Debug, Arbitrary)]
enum Operand {
    Null,
    Boolean(bool),
    Number(u8),
    Text(u8),
}

#[derive(Debug, Arbitrary)]
enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    Compare(Path, u8, Operand),
    In(Path, Vec<Operand>),
    Presence(Path, bool, bool),
    Text(Path, u8, u8),
}

/// Everything that a job can ask of a record.
#[derive(Debug, Arbitrary)]
pub struct Rules {
    types: Vec<(Path, u8)>,
    null_tokens: Vec<u8>,
    condition: Option<Rule>,
    select: Vec<Path>,
    drop: Vec<Path>,
    rename: Vec<(Path, u8)>,
    set: Vec<(u8, u8)>,
}

/// One field value.
#[derive(Debug, Arbitrary)]
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

fn pick<'a>(choices: &[&'a str], choice: u8) -> &'a str {
    choices[usize::from(choice) % choices.len()]
}

impl Path {
    /// Rules on CSV columns name whole columns; only JSON has fields inside fields.
    fn make(&self, is_csv: bool) -> FieldPath {
        let mut text = pick(&NAMES, self.first).to_owned();
        let mut segments = vec![Segment::Name(text.clone())];
        for step in self.deeper.iter().flatten().filter(|_| !is_csv) {
            let segment = match step {
                Step::Name(choice) => Segment::Name(pick(&NAMES, *choice).to_owned()),
                Step::Index(index) => Segment::Index(usize::from(index % 4)),
            };
            // Equal paths have equal texts, as those of a job file have.
            text.push_str(&format!("/{segment:?}"));
            segments.push(segment);
        }
        FieldPath::new(&text, segments)
    }
}

impl Operand {
    fn make(&self) -> Scalar {
        match self {
            Self::Null => Scalar::Null,
            Self::Boolean(value) => Scalar::Boolean(*value),
            Self::Number(choice) => Scalar::Number(pick(&NUMBERS, *choice).to_owned()),
            Self::Text(choice) => Scalar::Text(pick(&TEXTS, *choice).to_owned()),
        }
    }
}

impl Rule {
    fn make(&self, is_csv: bool) -> Condition {
        let list = |rules: &[Self]| rules.iter().map(|rule| rule.make(is_csv)).collect();
        match self {
            Self::All(rules) => Condition::All(list(rules)),
            Self::Any(rules) => Condition::Any(list(rules)),
            Self::Not(rule) => Condition::Not(Box::new(rule.make(is_csv))),
            Self::Compare(path, which, operand) => {
                let operand = operand.make();
                let test = match which % 6 {
                    0 => Test::Equal(operand),
                    1 => Test::NotEqual(operand),
                    2 => Test::Greater(operand),
                    3 => Test::GreaterOrEqual(operand),
                    4 => Test::Less(operand),
                    _ => Test::LessOrEqual(operand),
                };
                Condition::Field(path.make(is_csv), test)
            }
            Self::In(path, operands) => {
                Condition::Field(path.make(is_csv), Test::In(operands.iter().map(Operand::make).collect()))
            }
            Self::Presence(path, is_null, wanted) => {
                let test = if *is_null { Test::IsNull(*wanted) } else { Test::Exists(*wanted) };
                Condition::Field(path.make(is_csv), test)
            }
            Self::Text(path, which, choice) => {
                let text = pick(&TEXTS, *choice).to_owned();
                let test = match which % 3 {
                    0 => Test::StartsWith(text),
                    1 => Test::EndsWith(text),
                    _ => Test::Contains(text),
                };
                Condition::Field(path.make(is_csv), test)
            }
        }
    }
}

impl Rules {
    /// The rules as the engine takes them. Like a valid job, they give each field one type and one new name, do not
    /// select and drop at once, and write no two fields under one name.
    #[must_use]
    pub fn make(&self, is_csv: bool) -> Reshape {
        let mut reshape = Reshape {
            null_tokens: self.null_tokens.iter().map(|choice| pick(&TEXTS, *choice).to_owned()).collect(),
            condition: self.condition.as_ref().map(|rule| rule.make(is_csv)),
            ..Reshape::default()
        };
        for (path, choice) in &self.types {
            let path = path.make(is_csv);
            if reshape.types.iter().all(|(known, _)| *known != path) {
                reshape.types.push((path, TYPES[usize::from(*choice) % TYPES.len()].into()));
            }
        }
        for (path, choice) in &self.rename {
            let (path, name) = (path.make(is_csv), pick(&NAMES, *choice).to_owned());
            if reshape.rename.iter().all(|(known, other)| *known != path && *other != name) {
                reshape.rename.push((path, name));
            }
        }
        for (name, value) in &self.set {
            let (name, value) = (pick(&NAMES, *name), pick(&NUMBERS, *value));
            if reshape.set.iter().all(|(known, _)| known != name) {
                reshape.set.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut names: Vec<String> = reshape.set.iter().map(|(name, _)| name.clone()).collect();
        for path in self.select.iter().map(|path| path.make(is_csv)) {
            let renamed = reshape.rename.iter().find(|(renamed, _)| *renamed == path);
            let name = renamed.map_or(path.output_name(), |(_, name)| name).to_owned();
            if !names.contains(&name) {
                names.push(name);
                reshape.select.push(path);
            }
        }
        if reshape.select.is_empty() {
            reshape.drop = self.drop.iter().map(|path| path.make(is_csv)).collect();
        }
        reshape
    }
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
