//! The input of an execution: JSON text of a limited size.

use serde_json::Value;

use super::error::ApiError;
use crate::asl::parse_input;

/// Reads an input.
pub(super) fn parse(text: &str, most_bytes: usize) -> Result<Value, ApiError> {
    if text.len() > most_bytes {
        let constraint = format!("Member must have length less than or equal to {most_bytes}");
        return Err(ApiError::constraint("input", &format!("{} bytes", text.len()), &constraint));
    }
    parse_input(text).map_err(|error| ApiError::new("InvalidExecutionInput", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_refused_in_the_words_of_the_service() {
        let check = |text: &str, expected: &str| {
            let found = parse(text, 20).map_or_else(|error| error.message, |value| value.to_string());
            assert_eq!(found, expected, "{text:?}");
        };
        check("{}", "{}");
        check("\"text\"", "\"text\"");
        check("", "Invalid State Machine Execution Input: 'Invalid execution input.'");
        assert!(parse("[1,2,3,4,5,6,7,8,9,0]", 20).unwrap_err().message.contains("less than or equal to 20"));
    }
}
