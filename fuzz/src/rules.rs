//! Arbitrary rules.
//!
//! Names come from a handful, that of the records, so that rules meet fields often.

use crate::records::{Field, NAMES, NUMBERS, TEXTS, pick};
use crate::schemas::{self, FixedSchema};
use arbitrary::Arbitrary;
use record_stream::{Condition, FieldPath, FieldType, Reshape, Scalar, Segment, Test, TimeFormats, TypeRule};
use std::sync::LazyLock;

/// Ways to write times, each with a time zone; the first are the ordinary ones.
static TIMES: LazyLock<[TimeFormats; 5]> = LazyLock::new(|| {
    let parse = |formats: &[&str], zone| TimeFormats::parse(formats, zone).expect("formats that the engine knows");
    [
        TimeFormats::default(),
        parse(&["%d/%m/%Y %H:%M", "rfc3339", "unix"], Some("Europe/Berlin")),
        parse(&["%d.%m.%Y", "iso_date"], None),
        parse(&["unix_ms"], Some("+02:00")),
        parse(&["%b %d, %Y", "%Y-%m-%dT%H:%M:%S%z", "unix"], Some("America/New_York")),
    ]
});

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
    cast: Vec<(Path, u8)>,
    explode: Option<(Path, Vec<Field>)>,
    schema: Option<u8>,
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

/// One rule for each field.
fn type_rules(choices: &[(Path, u8)], is_csv: bool) -> Vec<(FieldPath, TypeRule)> {
    let mut rules: Vec<(FieldPath, TypeRule)> = Vec::new();
    for (path, choice) in choices {
        let (path, choice) = (path.make(is_csv), usize::from(*choice));
        if rules.iter().all(|(known, _)| *known != path) {
            let field_type = FieldType::ALL[choice % FieldType::ALL.len()];
            rules.push((
                path,
                TypeRule { field_type, times: TIMES[choice / FieldType::ALL.len() % TIMES.len()].clone() },
            ));
        }
    }
    rules
}

impl Rules {
    /// The schema that records must keep.
    #[must_use]
    pub fn schema(&self) -> Option<&'static FixedSchema> {
        self.schema.map(schemas::choose)
    }

    /// Gives a record the array that is to be exploded, so that it is there more often than by chance.
    pub fn add_array(&self, members: &mut Vec<(u8, Field)>) {
        let Some((path, elements)) = &self.explode else { return };
        let steps = path.deeper.iter().flatten().rev();
        let value = steps.fold(Field::Array(elements.clone()), |inner, step| match step {
            Step::Name(name) => Field::Object(vec![(*name, inner)]),
            Step::Index(index) => {
                let mut around = vec![Field::Null; usize::from(index % 4)];
                around.push(inner);
                Field::Array(around)
            }
        });
        members.retain(|(name, _)| pick(&NAMES, *name) != pick(&NAMES, path.first));
        members.push((path.first, value));
    }

    /// The rules as the engine takes them. Like a valid job, they give each field one type and one new name, do not
    /// select and drop at once, and write no two fields under one name.
    #[must_use]
    pub fn make(&self, is_csv: bool) -> Reshape {
        let mut reshape = Reshape {
            null_tokens: self.null_tokens.iter().map(|choice| pick(&TEXTS, *choice).to_owned()).collect(),
            condition: self.condition.as_ref().map(|rule| rule.make(is_csv)),
            ..Reshape::default()
        };
        reshape.types = type_rules(&self.types, is_csv);
        reshape.cast = type_rules(&self.cast, is_csv);
        // A cell is no array.
        reshape.explode = self.explode.as_ref().filter(|_| !is_csv).map(|(path, _)| path.make(is_csv));
        reshape.schema = self.schema().map(|fixed| fixed.schema.clone());
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
