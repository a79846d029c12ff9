//! `uniqueItems`: are all elements of an array different?
//!
//! Each element is written in a form that is the same for equal values and different for others, and the forms are
//! collected in a set. That takes time in proportion to the array, where comparing every pair would let one long array
//! hold up the work for hours.

use crate::json::{Kind, Value};
use crate::types::Decimal;
use std::collections::HashSet;
use std::io::Write;

/// True when no two elements are equal; numbers are equal by value, objects whatever the order of their members.
pub(super) fn all_differ(array: &Value<'_>) -> bool {
    if array.count() < 2 {
        return true;
    }
    let mut seen = HashSet::with_capacity(array.count());
    array.elements().all(|element| {
        let mut form = Vec::with_capacity(element.raw().len() + 8);
        write_form(&element, &mut form);
        seen.insert(form)
    })
}

/// Writes the form of a value. Every form tells where it ends, so that two in a row cannot be mistaken for others.
fn write_form(value: &Value<'_>, form: &mut Vec<u8>) {
    match value.kind() {
        Kind::Null => form.push(b'n'),
        Kind::True => form.push(b't'),
        Kind::False => form.push(b'f'),
        Kind::Number => write_number_form(value.raw(), form),
        Kind::String => write_text_form(&value.text().map(|text| text.decoded()).unwrap_or_default(), form),
        Kind::Array => {
            form.push(b'[');
            value.elements().for_each(|element| write_form(&element, form));
            form.push(b']');
        }
        Kind::Object => {
            let mut members: Vec<_> = value.members().map(|(name, member)| (name.decoded(), member)).collect();
            members.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
            form.push(b'{');
            for (name, member) in members {
                write_text_form(&name, form);
                write_form(&member, form);
            }
            form.push(b'}');
        }
    }
}

fn write_text_form(text: &[u8], form: &mut Vec<u8>) {
    form.push(b'"');
    form.extend_from_slice(&(text.len() as u64).to_le_bytes());
    form.extend_from_slice(text);
}

/// Digits without zeros at either end and a power of ten.
fn write_number_form(text: &[u8], form: &mut Vec<u8>) {
    form.push(b'#');
    let Some((number, (digits, power))) =
        Decimal::parse(text).and_then(|number| Some((number, number.significant_digits()?)))
    else {
        form.push(b'0');
        return;
    };
    if number.is_negative() {
        form.push(b'-');
    }
    form.extend(digits);
    // Writing to a vector cannot fail.
    let _ = write!(form, "e{power};");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;
    use crate::schema::NO_LIMITS;

    #[test]
    fn equal_values_are_found_however_they_are_written() {
        let check = |json: &str, expected: bool| {
            let mut index = Index::default();
            let array = index.build(json.as_bytes(), &NO_LIMITS).unwrap();
            assert_eq!(all_differ(&array), expected, "{json}");
        };
        check("[]", true);
        check("[1]", true);
        check("[1,2,\"1\",true,null,[],{},[1],{\"a\":1},\"\"]", true);
        check("[1,1.0]", false);
        check("[100,1e2]", false);
        check("[0,-0.0]", false);
        check("[0.1,1e-1]", false);
        check("[9007199254740993,9007199254740992]", true);
        check("[1e400,1e401]", true);
        check("[\"a\",\"\\u0061\"]", false);
        check("[{\"a\":1,\"b\":[2]},{\"b\":[2.0],\"a\":1}]", false);
        check("[[1,2],[12]]", true);
        check("[[\"a\",\"b\"],[\"ab\"]]", true);
        check("[-1,1]", true);
        check("[true,1]", true);
    }
}
