//! Keys as inventories and S3 Batch Operations write them: URL-encoded.
//!
//! A byte that is no plain character is `%` and two hexadecimal digits, and a space may be `+`. A `%` without digits
//! behind it stands for itself.

use percent_encoding::percent_decode_str;

/// The key that a URL-encoded text means.
///
/// # Errors
/// It is not UTF-8, which every key is.
pub fn decode_key(encoded: &str) -> Result<String, &'static str> {
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| "expected a URL-encoded key of UTF-8, found other bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_keys_become_plain() {
        let check = |encoded: &str, expected: &str| assert_eq!(decode_key(encoded).as_deref(), Ok(expected));
        check("in/a.csv", "in/a.csv");
        check("in/a+b%20c%2Bd.csv", "in/a b c+d.csv");
        check("in/%C3%A4%e2%82%ac", "in/ä€");
        check("in%2Fa", "in/a");
        check("100%/%zz/%4", "100%/%zz/%4");
        // Decoded once, so that a key may look like an encoded one.
        check("%2520", "%20");
        assert!(decode_key("%ff").is_err());
    }
}
