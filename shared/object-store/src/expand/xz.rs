//! Xz: one stream or several, one after another, with padding between and after them as the format allows.
//!
//! The decoder reads blocks with LZMA2 and the filters of the format (delta and those for machine code) and checks
//! CRC-32, CRC-64 and SHA-256. A block says how large a dictionary it needs, and the decoder makes it before the first
//! byte comes out; that size is what is limited. When a block is broken in its middle, what the decoder had of it in its
//! last call is lost with it.

use xz4rust::{DICT_SIZE_MIN, XzDecoder, XzError, XzNextBlockResult};

use super::decoder::{Decoder, Fault, Step};

/// Zeros after a stream come in groups of this size.
const PADDING_BYTES: usize = 4;

/// Reads xz.
pub(super) struct Xz {
    stream: Box<XzDecoder<'static>>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    /// After a stream and this many bytes of padding, of the last group.
    AfterStream(usize),
}

impl Xz {
    /// Allows dictionaries of this many bytes. One is made when a block asks for it, and no larger than it asks for.
    #[expect(clippy::disallowed_methods, reason = "the expander around it holds the limits")]
    pub(super) fn new(most_memory: u64) -> Self {
        let most = usize::try_from(most_memory).unwrap_or(usize::MAX);
        Self { stream: XzDecoder::in_heap_with_alloc_dict_size(DICT_SIZE_MIN, most), place: Place::Start }
    }

    fn padding(&mut self, before: usize, input: &[u8]) -> Step {
        let zeros = input.iter().take_while(|byte| **byte == 0).count();
        let padding = (before + zeros) % PADDING_BYTES;
        self.place = Place::AfterStream(padding);
        let mut step = Step { consumed: zeros, ..Step::default() };
        if zeros < input.len() {
            if padding == 0 {
                self.stream.reset();
                self.place = Place::Inside;
            } else {
                step.fault = Some(Fault::corrupt("the padding after an xz stream is no multiple of four bytes"));
            }
        }
        step
    }
}

impl Decoder for Xz {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if input.is_empty() {
            return Step::default();
        }
        let mut skipped = 0;
        if let Place::AfterStream(before) = self.place {
            let step = self.padding(before, input);
            if step.fault.is_some() || self.place != Place::Inside {
                return step;
            }
            skipped = step.consumed;
        }
        self.place = Place::Inside;
        let (consumed, produced, fault) = match self.stream.decode(&input[skipped..], output) {
            Ok(XzNextBlockResult::NeedMoreData(consumed, produced)) => (consumed, produced, None),
            Ok(XzNextBlockResult::EndOfStream(consumed, produced)) => {
                self.place = Place::AfterStream(0);
                (consumed, produced, None)
            }
            Err(XzError::DictionaryTooLarge(bytes)) => (0, 0, Some(Fault::XzDictionary(bytes))),
            Err(error) => (0, 0, Some(Fault::corrupt(error))),
        };
        Step { consumed: skipped + consumed, produced, fault }
    }

    fn may_end(&self) -> bool {
        self.place == Place::AfterStream(0)
    }
}
