//! The intrinsic functions by name, and those that work on texts, numbers and objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Number, Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Call, Expression, arrays};

/// Longest text that the Base64 and hash functions take, in characters, as in the service.
const ENCODED_CHARACTERS_MAX: usize = 10_000;
/// Most arguments of a function that takes any number.
const ANY: usize = 100;

macro_rules! functions {
    ($($function:ident $name:literal $least:tt $most:tt;)*) => {
        /// An intrinsic function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($function),* }

        impl Function {
            const NAMED: &'static [(&'static str, Self)] = &[$(($name, Self::$function)),*];

            /// The name as written in a definition.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$function => $name),* }
            }

            /// Fewest and most arguments.
            pub(crate) fn argument_range(self) -> (usize, usize) {
                match self { $(Self::$function => ($least, $most)),* }
            }
        }
    };
}

functions! {
    Array "States.Array" 0 ANY;
    ArrayContains "States.ArrayContains" 2 2;
    ArrayGetItem "States.ArrayGetItem" 2 2;
    ArrayLength "States.ArrayLength" 1 1;
    ArrayPartition "States.ArrayPartition" 2 2;
    ArrayRange "States.ArrayRange" 3 3;
    ArrayUnique "States.ArrayUnique" 1 1;
    Base64Decode "States.Base64Decode" 1 1;
    Base64Encode "States.Base64Encode" 1 1;
    Format "States.Format" 1 ANY;
    Hash "States.Hash" 2 2;
    JsonMerge "States.JsonMerge" 3 3;
    JsonToString "States.JsonToString" 1 1;
    MathAdd "States.MathAdd" 2 2;
    MathRandom "States.MathRandom" 2 3;
    StringSplit "States.StringSplit" 2 2;
    StringToJson "States.StringToJson" 1 1;
    Uuid "States.UUID" 0 0;
}

impl Function {
    /// The function of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// All names, for messages.
    pub(crate) fn list() -> String {
        Self::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// Computes a call whose arguments are computed already; the message of an error says what was expected.
pub(super) fn compute(call: &Call, arguments: &[Value]) -> Result<Value, String> {
    match (call.function, arguments) {
        (Function::Format, [template, values @ ..]) => format(call.arguments.first(), template, values),
        (function, arguments) => compute_values(function, arguments),
    }
}

/// Computes a function of values, wherever they come from.
pub(crate) fn compute_values(function: Function, arguments: &[Value]) -> Result<Value, String> {
    match (function, arguments) {
        (Function::Array, elements) => Ok(Value::Array(elements.to_vec())),
        (Function::ArrayContains, [array, element]) => arrays::contains(array, element),
        (Function::ArrayGetItem, [array, index]) => arrays::get_item(array, index),
        (Function::ArrayLength, [array]) => arrays::length(array),
        (Function::ArrayPartition, [array, size]) => arrays::partition(array, size),
        (Function::ArrayRange, [first, last, step]) => arrays::range(first, last, step),
        (Function::ArrayUnique, [array]) => arrays::unique(array),
        (Function::Base64Decode, [data]) => base64_decode(encodable(data)?),
        (Function::Base64Encode, [data]) => Ok(json!(BASE64.encode(encodable(data)?))),
        (Function::Format, [template, values @ ..]) => format(None, template, values),
        (Function::Hash, [data, algorithm]) => hash(data, algorithm),
        (Function::JsonMerge, [first, second, deep]) => json_merge(first, second, deep),
        (Function::JsonToString, [value]) => Ok(Value::String(value.to_string())),
        (Function::MathAdd, [first, second]) => math_add(first, second),
        (Function::MathRandom, [start, end, seed @ ..]) => math_random(start, end, seed.first()),
        (Function::StringSplit, [string, delimiters]) => string_split(string, delimiters),
        (Function::StringToJson, [string]) => string_to_json(string),
        (Function::Uuid, []) => Ok(json!(uuid::Uuid::new_v4().to_string())),
        (function, found) => Err(format!("{} cannot take {} arguments", function.name(), found.len())),
    }
}

fn text<'v>(value: &'v Value, what: &str) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("{what} must be a string"))
}

/// A number rounded to a whole one, halves upwards: what the service does with fractions.
pub(super) fn whole(value: &Value, what: &str) -> Result<i64, String> {
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    let number = value.as_f64().ok_or_else(|| format!("{what} must be a number"))?;
    let rounded = (number + 0.5).floor();
    // Beyond 2^53 a float no longer names one whole number.
    if rounded.abs() > 9_007_199_254_740_992.0 {
        return Err(format!("{what} is outside of the range of whole numbers"));
    }
    Ok(rounded as i64)
}

fn encodable(data: &Value) -> Result<&str, String> {
    let data = text(data, "the data")?;
    if data.chars().count() > ENCODED_CHARACTERS_MAX {
        return Err(format!("the data has more than {ENCODED_CHARACTERS_MAX} characters"));
    }
    Ok(data)
}

fn base64_decode(data: &str) -> Result<Value, String> {
    let bytes = BASE64.decode(data).map_err(|_| "the data is not valid Base64".to_owned())?;
    String::from_utf8(bytes).map(Value::String).map_err(|_| "the decoded data is not valid UTF-8".to_owned())
}

fn hash(data: &Value, algorithm: &Value) -> Result<Value, String> {
    let data = match data {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if data.chars().count() > ENCODED_CHARACTERS_MAX {
        return Err(format!("the data has more than {ENCODED_CHARACTERS_MAX} characters"));
    }
    let digest = match text(algorithm, "the algorithm")? {
        "MD5" => hex::encode(Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        _ => return Err("the algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512".to_owned()),
    };
    Ok(Value::String(digest))
}

fn json_merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    match (first, second, deep) {
        (Value::Object(first), Value::Object(second), Value::Bool(false)) => {
            let mut merged: Map<String, Value> = first.clone();
            merged.extend(second.clone());
            Ok(Value::Object(merged))
        }
        (Value::Object(_), Value::Object(_), _) => Err("only shallow merging is supported: pass false".to_owned()),
        _ => Err("both values to merge must be objects".to_owned()),
    }
}

fn math_add(first: &Value, second: &Value) -> Result<Value, String> {
    let sum = whole(first, "the first number")?.checked_add(whole(second, "the second number")?);
    sum.map(Value::from).ok_or_else(|| "the sum is outside of the range of whole numbers".to_owned())
}

/// A random whole number from `start` up to but without `end`.
fn math_random(start: &Value, end: &Value, seed: Option<&Value>) -> Result<Value, String> {
    let (start, end) = (whole(start, "the start")?, whole(end, "the end")?);
    if start >= end {
        return Err("the start must be smaller than the end".to_owned());
    }
    let seed = match seed {
        Some(seed) => whole(seed, "the seed")?.cast_unsigned(),
        None => uuid::Uuid::new_v4().as_u64_pair().0,
    };
    Ok(Value::from(StdRng::seed_from_u64(seed).random_range(start..end)))
}

/// Splits at each of the delimiter characters; empty parts fall away, as in the service.
fn string_split(string: &Value, delimiters: &Value) -> Result<Value, String> {
    let (string, delimiters) = (text(string, "the string")?, text(delimiters, "the delimiters")?);
    let parts = string.split(|sign| delimiters.contains(sign)).filter(|part| !part.is_empty());
    Ok(parts.map(Value::from).collect())
}

fn string_to_json(string: &Value) -> Result<Value, String> {
    let string = text(string, "the argument")?;
    if string.trim().is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_str(string).map_err(|_| "the string is not valid JSON".to_owned())?;
    // JSON knows a negative zero, the service does not.
    Ok(if value.as_f64() == Some(0.0) { Value::Number(Number::from(0)) } else { value })
}

/// Puts the values in place of each `{}` of the template.
fn format(written: Option<&Expression>, template: &Value, values: &[Value]) -> Result<Value, String> {
    // A template that comes from the data has no escapes of ours; a written one is read with them.
    let raw = match written {
        Some(Expression::Text(written)) => written.raw.as_str(),
        _ => text(template, "the template")?,
    };
    let mut formatted = String::with_capacity(raw.len());
    let mut values = values.iter();
    let mut signs = raw.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, signs.peek()) {
            ('\\', Some(escaped)) => {
                formatted.push(*escaped);
                signs.next();
            }
            ('{', Some('}')) => {
                signs.next();
                show(values.next().ok_or("the template has more \"{}\" than there are values")?, &mut formatted);
            }
            ('{' | '}', _) => return Err("a brace that is no placeholder must be written as \\{ or \\}".to_owned()),
            _ => formatted.push(sign),
        }
    }
    match values.next() {
        Some(_) => Err("there are more values than \"{}\" in the template".to_owned()),
        None => Ok(Value::String(formatted)),
    }
}

/// Shows a value as the service does in a formatted text: objects as `{name=value}`.
fn show(value: &Value, shown: &mut String) {
    match value {
        Value::String(text) => shown.push_str(text),
        Value::Object(fields) => {
            shown.push('{');
            for (position, (name, field)) in fields.iter().enumerate() {
                shown.push_str(if position == 0 { "" } else { ", " });
                shown.push_str(name);
                shown.push('=');
                show(field, shown);
            }
            shown.push('}');
        }
        Value::Array(elements) => {
            shown.push('[');
            for (position, element) in elements.iter().enumerate() {
                shown.push_str(if position == 0 { "" } else { ", " });
                show(element, shown);
            }
            shown.push(']');
        }
        other => shown.push_str(&other.to_string()),
    }
}
