//! Errors in words.

use std::error::Error;

/// An error and its causes in one line. Causes that the message holds already are left out.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Layer {
            text: &'static str,
            source: Option<Box<Layer>>,
        }
        let inner = Layer { text: "no such file", source: None };
        let middle = Layer { text: "cannot read x: no such file", source: Some(Box::new(inner)) };
        let outer = Layer { text: "no job", source: Some(Box::new(middle)) };
        assert_eq!(explain(&outer), "no job: cannot read x: no such file");
    }
}
