//! How an object is compressed, by its first bytes, its content encoding and its name.

use super::Compression;

/// A compression that Mapmill knows but does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an object without compression, or gzip, zstd, bzip2 or xz; found {name}")]
pub struct UnsupportedCompression {
    /// The name of the compression, for instance `zip`.
    pub name: &'static str,
}

/// Finds out how an object is compressed.
///
/// First bytes are looked at first, because names lie: `first_bytes` should hold at least 10 bytes or the whole object.
/// When they are no known beginning, the content encoding and then the end of the name decide. An object that says
/// gzip and does not begin like gzip is then reported as corrupt when it is read, instead of being taken for text.
pub fn detect_compression(
    key: &str,
    content_encoding: Option<&str>,
    first_bytes: &[u8],
) -> Result<Compression, UnsupportedCompression> {
    if let Some(found) = by_first_bytes(first_bytes) {
        return found;
    }
    // `aws-chunked` describes the transfer, not the object, but some tools store it.
    let encoding = content_encoding.and_then(|list| {
        list.rsplit(',').map(|name| name.trim().to_ascii_lowercase()).find(|name| name != "aws-chunked")
    });
    if let Some(found) = encoding.as_deref().and_then(by_name) {
        return found;
    }
    let extension = key.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.as_deref().and_then(by_name).unwrap_or(Ok(Compression::None))
}

fn by_first_bytes(bytes: &[u8]) -> Option<Result<Compression, UnsupportedCompression>> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Ok(Compression::Gzip)),
        // A frame, or a skippable frame that may come before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Ok(Compression::Zstd)),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Ok(Compression::Bzip2)),
        // A stream of nothing has no block, only an end.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Ok(Compression::Bzip2)),
        [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Some(Ok(Compression::Xz)),
        [b'P', b'K', 0x03, 0x04, ..] => unsupported("zip"),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => unsupported("7z"),
        [0x04, 0x22, 0x4d, 0x18, ..] => unsupported("lz4"),
        _ => None,
    }
}

/// By a content encoding or a file name extension.
fn by_name(name: &str) -> Option<Result<Compression, UnsupportedCompression>> {
    match name {
        "gz" | "gzip" | "x-gzip" | "tgz" => Some(Ok(Compression::Gzip)),
        "zst" | "zstd" => Some(Ok(Compression::Zstd)),
        "bz2" | "bzip2" | "x-bzip2" => Some(Ok(Compression::Bzip2)),
        "xz" | "x-xz" => Some(Ok(Compression::Xz)),
        "7z" => unsupported("7z"),
        "br" => unsupported("brotli"),
        "deflate" => unsupported("deflate"),
        "lz4" => unsupported("lz4"),
        "lzma" => unsupported("lzma"),
        "snappy" | "sz" => unsupported("snappy"),
        "zip" => unsupported("zip"),
        _ => None,
    }
}

fn unsupported(name: &'static str) -> Option<Result<Compression, UnsupportedCompression>> {
    Some(Err(UnsupportedCompression { name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, encoding: Option<&str>, first_bytes: &[u8], expected: Result<Compression, &'static str>) {
        let found = detect_compression(key, encoding, first_bytes).map_err(|error| error.name);
        assert_eq!(found, expected, "{key} {encoding:?} {first_bytes:?}");
    }

    #[test]
    fn first_bytes_decide_then_the_encoding_then_the_name() {
        use Compression::{Bzip2, Gzip, None as Plain, Xz, Zstd};
        check("a.csv", None, b"id,name\n", Ok(Plain));
        check("a.csv", None, b"\x1f\x8b\x08", Ok(Gzip));
        check("a.csv.gz", None, b"\x28\xb5\x2f\xfd", Ok(Zstd));
        check("a", None, b"\x5a\x2a\x4d\x18", Ok(Zstd));
        check("a.csv.gz", None, b"id,name\n", Ok(Gzip));
        check("a.csv.GZ", None, b"", Ok(Gzip));
        check("a.ndjson.zst", None, b"{", Ok(Zstd));
        check("a.csv", Some("gzip"), b"x", Ok(Gzip));
        check("a.csv", Some("gzip, aws-chunked"), b"x", Ok(Gzip));
        check("a.csv", Some("aws-chunked"), b"x", Ok(Plain));
        check("a.csv", Some("identity"), b"x", Ok(Plain));
        check("gz", None, b"x", Ok(Plain));
        check("a.csv.bz2", None, b"x", Ok(Bzip2));
        check("a", None, b"BZh91AY&SYxx", Ok(Bzip2));
        check("a", None, b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0", Ok(Bzip2));
        check("a", None, b"BZh9 is text", Ok(Plain));
        check("a", Some("x-bzip2"), b"x", Ok(Bzip2));
        check("a.XZ", None, b"x", Ok(Xz));
        check("a.csv", None, b"\xfd7zXZ\x00\x00", Ok(Xz));
        check("a", Some("xz"), b"x", Ok(Xz));
        check("a.csv", None, b"PK\x03\x04\x14\x00", Err("zip"));
        check("a.json.zip", None, b"x", Err("zip"));
        check("a.lz4", None, b"x", Err("lz4"));
        check("a", None, b"\x04\x22\x4d\x18\x64", Err("lz4"));
        check("a", None, b"7z\xbc\xaf\x27\x1c", Err("7z"));
        check("a.7z", None, b"x", Err("7z"));
        check("a.csv.sz", None, b"x", Err("snappy"));
        check("a.csv.lzma", None, b"x", Err("lzma"));
        check("a.br", None, b"x", Err("brotli"));
        check("a", Some("br"), b"x", Err("brotli"));
    }
}
