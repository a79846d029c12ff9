//! Fills the `${Name}` tokens of a definition text in, as a deployment does with `DefinitionSubstitutions`.

use std::collections::BTreeMap;

/// A token that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// The text has a token that no value is given for.
    #[error(
        "the definition has the token \"${{{token}}}\" at line {line}, but no value for it is given; given: {given}"
    )]
    Unknown {
        /// The token's name.
        token: String,
        /// Its line, from 1.
        line: usize,
        /// Names that values are given for.
        given: String,
    },
    /// A token has no end.
    #[error("the definition has a \"${{\" without a \"}}\" at line {line}")]
    Unclosed {
        /// Line of the opening, from 1.
        line: usize,
    },
    /// A value would bring a new token in.
    #[error("the value for \"${{{token}}}\" contains a \"${{\" itself")]
    Nested {
        /// The token's name.
        token: String,
    },
}

/// Replaces every `${Name}` by its value, escaped for the inside of a JSON string.
///
/// # Errors
/// Names the first token that is unknown or has no end; no token is left in the result.
pub fn substitute(text: &str, values: &BTreeMap<String, String>) -> Result<String, SubstituteError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        filled.push_str(&rest[..start]);
        let line = text[..text.len() - rest.len() + start].matches('\n').count() + 1;
        let after = &rest[start + 2..];
        let end = after.find('}').ok_or(SubstituteError::Unclosed { line })?;
        let token = after[..end].to_owned();
        let Some(value) = values.get(&token) else {
            let given: Vec<_> = values.keys().map(String::as_str).collect();
            let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
            return Err(SubstituteError::Unknown { token, line, given });
        };
        if value.contains("${") {
            return Err(SubstituteError::Nested { token });
        }
        let quoted = serde_json::Value::from(value.as_str()).to_string();
        filled.push_str(&quoted[1..quoted.len() - 1]);
        rest = &after[end + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_and_refuses() {
        let values = BTreeMap::from([
            ("Arn".to_owned(), "arn:aws:lambda:x".to_owned()),
            ("Quoted".to_owned(), "say \"hi\"".to_owned()),
            ("Nested".to_owned(), "${Arn}".to_owned()),
        ]);
        let check = |text: &str, expected: Result<&str, &str>| match (substitute(text, &values), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(part)) => assert!(found.to_string().contains(part), "{found}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        };
        check(
            "{\"a\": \"${Arn}:$LATEST\", \"b\": \"$.x\"}",
            Ok("{\"a\": \"arn:aws:lambda:x:$LATEST\", \"b\": \"$.x\"}"),
        );
        check("\"${Quoted}\"", Ok("\"say \\\"hi\\\"\""));
        check("plain", Ok("plain"));
        check("\n\n${Other}", Err("\"${Other}\" at line 3, but no value for it is given; given: Arn, Nested, Quoted"));
        check("x ${Arn", Err("without a \"}\" at line 1"));
        check("${Nested}", Err("contains a \"${\" itself"));
    }
}
