//! Times as the service reads and writes them: RFC 3339 with an upper case `T` and an offset or `Z`.

use jiff::Timestamp;

/// Parses a time; `None` when the text is not exactly of that form.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let date_ends = bytes.get(10) == Some(&b'T');
    let has_offset = text.ends_with('Z') || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    if !date_ends || !has_offset || text.contains('[') {
        return None;
    }
    text.parse().ok()
}

/// Writes a time with milliseconds.
pub(crate) fn text(timestamp: Timestamp) -> String {
    format!("{timestamp:.3}")
}

/// The present time with milliseconds.
pub(crate) fn now_text() -> String {
    text(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_service_reads() {
        let check = |text: &str, expected: bool| assert_eq!(parse(text).is_some(), expected, "{text}");
        check("2016-12-05T21:29:29Z", true);
        check("2016-12-05T21:29:29.000000Z", true);
        check("2016-12-05T21:29:29+02:00", true);
        check("2016-12-05T21:29:29", false);
        check("2016-12-05 21:29:29Z", false);
        check("2016-12-05t21:29:29Z", false);
        check("2016-12-05T25:29:29Z", false);
        check("2016-12-05", false);
        check("noon", false);
        check("äääääääääää", false);
        assert_eq!(text(parse("2016-12-05T21:29:29Z").unwrap()), "2016-12-05T21:29:29.000Z");
    }
}
