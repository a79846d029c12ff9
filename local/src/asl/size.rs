//! Sizes of JSON values as the service counts them: bytes of the compact UTF-8 text.

use std::io;

use serde_json::Value;

/// Most bytes of one payload: the input or output of a state, a task or an execution.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1_024;

/// Bytes of the compact JSON text of a value.
pub(crate) fn json_bytes(value: &Value) -> usize {
    bytes_up_to(value, usize::MAX)
}

/// True when the compact JSON text of a value has more bytes than allowed; looks no further than the limit.
pub(crate) fn exceeds(value: &Value, limit: usize) -> bool {
    bytes_up_to(value, limit) > limit
}

fn bytes_up_to(value: &Value, limit: usize) -> usize {
    let mut counter = Counter { bytes: 0, limit };
    // The only possible failure is the counter's own refusal to go on, and then the count is already over the limit.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.bytes
}

struct Counter {
    bytes: usize,
    limit: usize,
}

impl io::Write for Counter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes += buffer.len();
        if self.bytes > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_compact_text() {
        let value = json!({"key": [1, "ä", null, 1.5]});
        let length = value.to_string().len();
        assert_eq!(json_bytes(&value), length);
        assert!(!exceeds(&value, length));
        assert!(exceeds(&value, length - 1));
    }
}
