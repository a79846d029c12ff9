//! The rules of a Choice state.

use serde_json::Value;

use super::fields::{Fields, kind};
use super::{ChoiceRule, DefinitionError, Language};
use crate::asl::choice::{Kind, Operand, Relation, Rule, Test, pattern};
use crate::asl::path::Path;
use crate::asl::time;

const RELATIONS: [(&str, Relation); 5] = [
    ("GreaterThanEquals", Relation::GreaterThanEquals),
    ("LessThanEquals", Relation::LessThanEquals),
    ("GreaterThan", Relation::GreaterThan),
    ("LessThan", Relation::LessThan),
    ("Equals", Relation::Equals),
];
const SUPPORTED: &str = "And, Or, Not, or Variable with one of BooleanEquals, IsBoolean, IsNull, IsNumeric, IsPresent, \
                         IsString, IsTimestamp, StringMatches, and Equals, GreaterThan, GreaterThanEquals, LessThan or \
                         LessThanEquals after Numeric, String or Timestamp (all but Is… and StringMatches also with Path)";

/// Parses a rule of `Choices` with the state it leads to.
pub(super) fn top(value: Value, path: &str, language: Language, index: usize) -> Result<ChoiceRule, DefinitionError> {
    let mut fields = Fields::of(value, path)?;
    fields.set_language(language);
    let next = fields.required_string("Next")?;
    let (assign, output) = (fields.assign()?, fields.output()?);
    let rule = match language {
        Language::JsonPath => rule(fields)?,
        Language::Jsonata => condition(fields, index)?,
    };
    Ok(ChoiceRule { rule, next, assign, output })
}

/// `Condition`: an expression, or true or false themselves.
fn condition(mut fields: Fields, index: usize) -> Result<Rule, DefinitionError> {
    fields.string("Comment")?;
    let rule = match fields.query("Condition")? {
        Some(mut query) => {
            query.location = format!("Choices[{index}]/Condition");
            Rule::Condition(query)
        }
        None => match fields.require("Condition")? {
            Value::Bool(truth) => Rule::Constant(truth),
            other => {
                let message =
                    format!("expected an expression between {{% and %}}, true or false, found {}", kind(&other));
                return Err(fields.error("Condition", message));
            }
        },
    };
    fields.finish("Condition, Next, Assign, Output, Comment")?;
    Ok(rule)
}

/// Parses a rule inside of another one.
pub(super) fn nested(value: Value, path: &str) -> Result<Rule, DefinitionError> {
    let fields = Fields::of(value, path)?;
    if fields.has("Next") {
        return Err(fields.error("Next", "only a rule at the top of Choices leads to a state"));
    }
    rule(fields)
}

fn rule(mut fields: Fields) -> Result<Rule, DefinitionError> {
    fields.string("Comment")?;
    let rule = if fields.has("And") {
        Rule::And(rules(&mut fields, "And")?)
    } else if fields.has("Or") {
        Rule::Or(rules(&mut fields, "Or")?)
    } else if let Some(value) = fields.take("Not") {
        Rule::Not(Box::new(nested(value, &fields.at("Not"))?))
    } else {
        return test(fields);
    };
    fields.finish("this rule and Comment")?;
    Ok(rule)
}

fn rules(fields: &mut Fields, name: &str) -> Result<Vec<Rule>, DefinitionError> {
    let rules = fields.array(name)?.unwrap_or_default();
    if rules.is_empty() {
        return Err(fields.error(name, "at least one rule is required"));
    }
    rules.into_iter().map(|(path, value)| nested(value, &path)).collect()
}

fn test(mut fields: Fields) -> Result<Rule, DefinitionError> {
    let path = fields.at("");
    let variable_path = fields.at("Variable");
    let variable = Path::parse(&fields.required_string("Variable")?)
        .map_err(|error| DefinitionError::new(variable_path, error.to_string()))?;
    let mut rest = fields.rest().into_iter();
    let (Some((at, operator, operand)), extra) = (rest.next(), rest.next()) else {
        let path = path.trim_end_matches('.');
        return Err(DefinitionError::new(path, format!("the rule compares nothing; supported: {SUPPORTED}")));
    };
    if let Some((at, operator, _)) = extra {
        return Err(DefinitionError::new(at, format!("\"{operator}\" is one operator too many; keep one per rule")));
    }
    let test = comparison(&operator, operand).map_err(|message| DefinitionError::new(at, message))?;
    Ok(Rule::Test { variable, test })
}

fn comparison(operator: &str, operand: Value) -> Result<Test, String> {
    let boolean =
        |operand: &Value| operand.as_bool().ok_or_else(|| format!("expected true or false, found {}", kind(operand)));
    let is = |kind: Kind| boolean(&operand).map(|expected| Test::Is { kind, expected });
    match operator {
        "IsPresent" => return boolean(&operand).map(Test::Present),
        "IsNull" => return is(Kind::Null),
        "IsBoolean" => return is(Kind::Boolean),
        "IsNumeric" => return is(Kind::Numeric),
        "IsString" => return is(Kind::Text),
        "IsTimestamp" => return is(Kind::Timestamp),
        "StringMatches" => {
            let text = operand.as_str().ok_or_else(|| format!("expected a string, found {}", kind(&operand)))?;
            return pattern(text).map(Test::Matches);
        }
        _ => {}
    }
    let (bare, by_path) = match operator.strip_suffix("Path") {
        Some(bare) => (bare, true),
        None => (operator, false),
    };
    let (kind_of_value, relation) = kind_and_relation(bare).ok_or_else(|| {
        format!("the operator \"{operator}\" is not supported by the local engine; supported: {SUPPORTED}")
    })?;
    let operand = if by_path {
        let text = operand.as_str().ok_or_else(|| format!("expected a path, found {}", kind(&operand)))?;
        Operand::At(Path::parse(text).map_err(|error| error.to_string())?)
    } else {
        let fits = match kind_of_value {
            Kind::Boolean => operand.is_boolean(),
            Kind::Numeric => operand.is_number(),
            Kind::Text => operand.is_string(),
            Kind::Timestamp => operand.as_str().and_then(time::parse).is_some(),
            Kind::Null => false,
        };
        if !fits {
            let expected = match kind_of_value {
                Kind::Boolean => "true or false",
                Kind::Numeric => "a number",
                Kind::Timestamp => "a time such as \"2026-01-31T12:00:00Z\"",
                Kind::Text | Kind::Null => "a string",
            };
            return Err(format!("expected {expected}, found {}", kind(&operand)));
        }
        Operand::Fixed(operand)
    };
    Ok(Test::Compare { kind: kind_of_value, relation, operand })
}

fn kind_and_relation(operator: &str) -> Option<(Kind, Relation)> {
    let kinds = [("Numeric", Kind::Numeric), ("String", Kind::Text), ("Timestamp", Kind::Timestamp)];
    if operator == "BooleanEquals" {
        return Some((Kind::Boolean, Relation::Equals));
    }
    let (kind, name) = kinds.iter().find_map(|(prefix, kind)| Some((*kind, operator.strip_prefix(prefix)?)))?;
    RELATIONS.iter().find(|(known, _)| *known == name).map(|(_, relation)| (kind, *relation))
}
