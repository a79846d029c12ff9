//! The rules for records: types, conditions, and what is written.

use job::{Job, Operator};
use record_stream::{
    Condition, FieldPath, FieldType, Instant, Reshape, Scalar, Schema, Segment, Test, TimeFormats, TypeRule,
};
use std::collections::BTreeMap;

/// The rules of a job for its records.
pub(super) fn reshape(job: &Job) -> Result<Reshape, String> {
    let record = &job.record;
    let paths = |list: &[job::FieldPath]| list.iter().map(path).collect();
    let rules = |rules: &BTreeMap<job::FieldPath, job::TypeRule>| {
        rules.iter().map(|(field, rule)| Ok((path(field), type_rule(rule)?))).collect::<Result<Vec<_>, String>>()
    };
    Ok(Reshape {
        types: rules(&record.types).map_err(|error| format!("record.types: {error}"))?,
        schema: record.schema.as_ref().map(|schema| Schema::parse(&schema.to_text())).transpose()?,
        explode: record.explode.as_ref().map(path),
        cast: rules(&record.cast).map_err(|error| format!("record.cast: {error}"))?,
        null_tokens: record.null_tokens.clone(),
        condition: record.condition.as_ref().map(|written| condition(record, written)),
        select: paths(&record.select),
        drop: paths(&record.drop),
        rename: record.rename.iter().map(|(field, name)| (path(field), name.as_str().to_owned())).collect(),
        set: record.set.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_string())).collect(),
    })
}

fn path(path: &job::FieldPath) -> FieldPath {
    let segments = path.segments().iter().map(|segment| match segment {
        job::Segment::Name(name) => Segment::Name(name.clone()),
        job::Segment::Index(index) => Segment::Index(*index),
    });
    FieldPath::new(path.as_str(), segments.collect())
}

fn type_rule(rule: &job::TypeRule) -> Result<TypeRule, String> {
    let formats: Vec<&str> = rule.formats.iter().map(job::TimeFormat::as_str).collect();
    let zone = rule.time_zone.as_ref().map(job::TimeZoneName::as_str);
    Ok(TypeRule { field_type: field_type(rule.field_type), times: TimeFormats::parse(&formats, zone)? })
}

fn field_type(wanted: job::FieldType) -> FieldType {
    match wanted {
        job::FieldType::String => FieldType::String,
        job::FieldType::Integer => FieldType::Integer,
        job::FieldType::Float => FieldType::Float,
        job::FieldType::Decimal => FieldType::Decimal,
        job::FieldType::Boolean => FieldType::Boolean,
        job::FieldType::Date => FieldType::Date,
        job::FieldType::Timestamp => FieldType::Timestamp,
        job::FieldType::Json => FieldType::Json,
    }
}

fn condition(record: &job::Record, written: &job::Condition) -> Condition {
    let list = |conditions: &[job::Condition]| conditions.iter().map(|inner| condition(record, inner)).collect();
    match written {
        job::Condition::All(conditions) => Condition::All(list(conditions)),
        job::Condition::Any(conditions) => Condition::Any(list(conditions)),
        job::Condition::Not(inner) => Condition::Not(Box::new(condition(record, inner))),
        job::Condition::Field { field, operator } => Condition::Field(path(field), test(operator, record, field)),
    }
}

/// Of a numeric field, an operand written as text is a number with more digits than the job file's numbers hold; of a
/// timestamp it is a point in time.
fn test(operator: &Operator, record: &job::Record, field: &job::FieldPath) -> Test {
    let is_numeric = record.is_numeric(field);
    let is_timestamp = record.type_of(field) == Some(job::FieldType::Timestamp);
    let scalar = |operand: &job::Scalar| match operand {
        job::Scalar::String(text) if is_numeric => Scalar::Number(text.clone()),
        job::Scalar::String(text) if is_timestamp => {
            Instant::parse(text).map_or_else(|| scalar(operand), Scalar::Timestamp)
        }
        other => scalar(other),
    };
    match operator {
        Operator::Eq(operand) => Test::Equal(scalar(operand)),
        Operator::Ne(operand) => Test::NotEqual(scalar(operand)),
        Operator::Gt(operand) => Test::Greater(scalar(operand)),
        Operator::Ge(operand) => Test::GreaterOrEqual(scalar(operand)),
        Operator::Lt(operand) => Test::Less(scalar(operand)),
        Operator::Le(operand) => Test::LessOrEqual(scalar(operand)),
        Operator::In(operands) => Test::In(operands.iter().map(scalar).collect()),
        Operator::Exists(wanted) => Test::Exists(*wanted),
        Operator::IsNull(wanted) => Test::IsNull(*wanted),
        Operator::StartsWith(text) => Test::StartsWith(text.clone()),
        Operator::EndsWith(text) => Test::EndsWith(text.clone()),
        Operator::Contains(text) => Test::Contains(text.clone()),
    }
}

fn scalar(operand: &job::Scalar) -> Scalar {
    match operand {
        job::Scalar::Bool(value) => Scalar::Boolean(*value),
        job::Scalar::Number(number) => Scalar::Number(number.to_string()),
        job::Scalar::String(text) => Scalar::Text(text.clone()),
    }
}
