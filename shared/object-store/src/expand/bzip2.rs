//! Bzip2: one stream or several, one after another, as `pbzip2` and `cat` make them.
//!
//! A decoder holds one block of up to 900 kB and its index, 4.4 MB in all; there is nothing to limit.

use bzip2::{Decompress, Status};

use super::decoder::{Decoder, Fault, Step};

/// The first byte of a stream.
const FIRST_BYTE: u8 = b'B';

/// Reads bzip2.
#[derive(Default)]
pub(super) struct Bzip2 {
    /// None between streams: a decoder is good for one.
    stream: Option<Decompress>,
    ended: bool,
}

impl Bzip2 {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl Decoder for Bzip2 {
    #[expect(clippy::disallowed_methods, reason = "the expander around it holds the limits")]
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.stream.is_none() {
            match input.first() {
                None => return Step::default(),
                Some(&byte) if byte != FIRST_BYTE => {
                    return Step::failed(Fault::corrupt("no bzip2 stream begins here"));
                }
                Some(_) => {}
            }
        }
        // The memory-saving way of the library takes half the memory and twice the time.
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        self.ended = false;
        let (read, written) = (stream.total_in(), stream.total_out());
        let result = stream.decompress(input, output);
        let (consumed, produced) = ((stream.total_in() - read) as usize, (stream.total_out() - written) as usize);
        let fault = match result {
            Ok(Status::StreamEnd) => {
                self.stream = None;
                self.ended = true;
                None
            }
            Ok(Status::MemNeeded) => Some(Fault::corrupt("the decoder has no memory for a block")),
            Ok(_) => None,
            Err(error) => Some(Fault::corrupt(error)),
        };
        Step { consumed, produced, fault }
    }

    fn may_end(&self) -> bool {
        self.ended
    }
}
