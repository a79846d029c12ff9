//! Which format an object has when the job says `auto`.

/// A record format, before its options are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectedFormat {
    /// One JSON value a line.
    NdJson,
    /// JSON: an array of records, one document, or values one after another.
    Json,
    /// CSV; the delimiter that the name or type implies, if it implies one.
    Csv {
        /// The delimiter byte.
        delimiter: Option<u8>,
    },
}

/// Decides by the extension of the key (a compression suffix removed), then the content type, then the first bytes.
/// `None` when nothing tells.
#[must_use]
pub fn detect_format(key: &str, content_type: Option<&str>, first_bytes: &[u8]) -> Option<DetectedFormat> {
    by_extension(key).or_else(|| by_content_type(content_type?)).or_else(|| by_first_bytes(first_bytes))
}

fn by_extension(key: &str) -> Option<DetectedFormat> {
    let name = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    let compression_suffixes = [".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz"];
    let name = compression_suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    let (_, extension) = name.rsplit_once('.')?;
    match extension {
        "ndjson" | "jsonl" | "jsonlines" | "ldjson" => Some(DetectedFormat::NdJson),
        "json" | "geojson" => Some(DetectedFormat::Json),
        "csv" => Some(DetectedFormat::Csv { delimiter: None }),
        "tsv" | "tab" => Some(DetectedFormat::Csv { delimiter: Some(b'\t') }),
        "psv" => Some(DetectedFormat::Csv { delimiter: Some(b'|') }),
        _ => None,
    }
}

fn by_content_type(content_type: &str) -> Option<DetectedFormat> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" | "application/jsonlines" => {
            Some(DetectedFormat::NdJson)
        }
        "application/json" | "text/json" => Some(DetectedFormat::Json),
        "text/csv" | "application/csv" => Some(DetectedFormat::Csv { delimiter: None }),
        "text/tab-separated-values" => Some(DetectedFormat::Csv { delimiter: Some(b'\t') }),
        _ => None,
    }
}

/// JSON begins with a bracket, and JSON records one a line are JSON values one after another. CSV has no mark of its
/// own: text with a comma in its first line passes for it.
fn by_first_bytes(bytes: &[u8]) -> Option<DetectedFormat> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match text.iter().find(|byte| !crate::json::is_whitespace(**byte))? {
        b'{' | b'[' => Some(DetectedFormat::Json),
        _ => {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let is_text = !line.iter().any(|byte| *byte < 0x20 && !crate::json::is_whitespace(*byte));
            (is_text && line.contains(&b',')).then_some(DetectedFormat::Csv { delimiter: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_before_the_type_and_the_bytes() {
        let csv = Some(DetectedFormat::Csv { delimiter: None });
        let check = |key: &str, content_type: Option<&str>, bytes: &str, expected: Option<DetectedFormat>| {
            assert_eq!(detect_format(key, content_type, bytes.as_bytes()), expected, "{key} {content_type:?} {bytes}");
        };
        check("a/b.CSV.gz", Some("application/json"), "{", csv);
        check("a.tsv", None, "", Some(DetectedFormat::Csv { delimiter: Some(b'\t') }));
        check("a.jsonl.zst", None, "", Some(DetectedFormat::NdJson));
        check("a.json", None, "", Some(DetectedFormat::Json));
        check("a.b/c", Some("text/csv; charset=utf-8"), "{", csv);
        check("part-0000", Some("application/octet-stream"), " \n[1]", Some(DetectedFormat::Json));
        check("part-0000", None, "\u{feff}id,name\n", csv);
        check("part-0000", None, "one line of text\n", None);
        check("part-0000", None, "\u{0}\u{1},", None);
        check("part-0000", None, "", None);
    }
}
