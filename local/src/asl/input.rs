//! The input of an execution as text.

use serde_json::Value;

/// A text that is no input, in the words of the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid State Machine Execution Input: '{0}'")]
pub struct InputError(String);

/// Reads the input of an execution.
///
/// # Errors
/// The text is no JSON; says what was found and what was expected there, as the service does for the most common faults.
pub fn parse_input(text: &str) -> Result<Value, InputError> {
    serde_json::from_str(text).map_err(|error| InputError(explained(text, &error)))
}

fn explained(text: &str, error: &serde_json::Error) -> String {
    const TOKENS: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    if text.trim().is_empty() {
        return "Invalid execution input.".to_owned();
    }
    // Where reading stopped: lines and columns are counted from 1, columns in bytes.
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = text.floor_char_boundary((line_start + error.column().saturating_sub(1)).min(text.len()));
    let (before, rest) = (text[..at].trim_end(), &text[at..]);
    let Some(sign) = rest.chars().next() else { return "Unexpected end-of-input".to_owned() };
    let unexpected = |expected: &str| format!("Unexpected character ('{sign}' (code {})): {expected}", u32::from(sign));
    let word = |from: &str| from.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect::<String>();
    // A word that begins like null, true or false is read up to the letter that does not fit.
    let start = text[..at].rfind(|sign: char| !sign.is_alphanumeric()).map_or(0, |before| before + 1);
    let token = word(&text[text.ceil_char_boundary(start)..]);
    match before.chars().last() {
        _ if token.chars().next().is_some_and(char::is_alphabetic) => {
            format!("Unrecognized token '{token}': was expecting {TOKENS}")
        }
        Some('{') => unexpected("was expecting double-quote to start field name"),
        Some(',') if before.rfind('{') > before.rfind('[') => {
            unexpected("was expecting double-quote to start field name")
        }
        None | Some('[' | ',' | ':') => unexpected(&format!("expected a valid value {TOKENS}")),
        _ => unexpected("was expecting comma to separate Object entries"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_in_the_words_of_the_service() {
        let check = |text: &str, expected: &str| {
            let found = parse_input(text).unwrap_err().to_string();
            assert_eq!(found, format!("Invalid State Machine Execution Input: '{expected}'"), "{text}");
        };
        let tokens = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        check("", "Invalid execution input.");
        check("not some json", &format!("Unrecognized token 'not': was expecting {tokens}"));
        check("{\"a\": nul}", &format!("Unrecognized token 'nul': was expecting {tokens}"));
        check("{'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name");
        check(
            "{\"a\": 1 \"b\": 2}",
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
        );
        check("[1, ]", &format!("Unexpected character (']' (code 93)): expected a valid value {tokens}"));
        assert_eq!(parse_input(" [1] ").unwrap(), serde_json::json!([1]));
    }
}
