//! Making a record fit on one line.

use super::grammar::{is_whitespace, scan_string};

/// Writes a checked JSON text. Without a line break it is copied byte for byte; with one, all white space outside
/// strings is left out, because a record of the output is one line.
pub(crate) fn write_without_line_breaks(text: &[u8], output: &mut Vec<u8>) {
    if memchr::memchr2(b'\n', b'\r', text).is_none() {
        output.extend_from_slice(text);
        return;
    }
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte == b'"' {
            let end = end_of_string(text, at + 1);
            output.extend_from_slice(&text[at..end]);
            at = end;
            continue;
        }
        if !is_whitespace(*byte) {
            output.push(*byte);
        }
        at += 1;
    }
}

fn end_of_string(text: &[u8], from: usize) -> usize {
    let mut at = scan_string(text, from);
    while text.get(at) == Some(&b'\\') {
        at = scan_string(text, at + 2);
    }
    (at + 1).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_with_line_breaks_changes() {
        let check = |text: &str, expected: &str| {
            let mut output = Vec::new();
            write_without_line_breaks(text.as_bytes(), &mut output);
            assert_eq!(std::str::from_utf8(&output).unwrap(), expected);
        };
        check(r#"{ "a" : 1 }"#, r#"{ "a" : 1 }"#);
        check("{ \"a b\\\" \" :\n [1,\r\n 2 ] }", r#"{"a b\" ":[1,2]}"#);
        check("[\n]", "[]");
    }
}
