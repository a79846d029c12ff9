//! Zstandard (RFC 8878): one frame or several, one after another, skippable frames among them.
//!
//! A call of the library that fails says nothing about the bytes it wrote before. Good bytes in front of a broken block
//! must not get lost, and how many there are must not depend on how the input is cut. So a call is never given a block
//! and the header of the next one together: after each call the library says how much it wants next, which is a block
//! and the three bytes of the header behind it, and those three are kept for a call of their own.

use zstd::stream::raw::{DParameter, Decoder as Frames, Operation};

use super::decoder::{Decoder, Fault, Step};

/// The size of a block's header, which the library asks for together with the block in front of it.
const BLOCK_HEADER_BYTES: usize = 3;

/// The least that tells a frame from something else.
const FRAME_START_BYTES: usize = 5;

/// Reads Zstandard.
pub(super) struct Zstd {
    /// None if the library could not make a decoder.
    frames: Result<Frames<'static>, String>,
    place: Place,
    /// How many bytes the library wants next.
    wanted: usize,
    /// The output of the last call was filled, so there may be more without any input.
    has_more: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    AfterFrame,
}

impl Zstd {
    /// Allows windows of this size, as a power of two.
    #[expect(clippy::disallowed_methods, reason = "the expander around it holds the limits")]
    pub(super) fn new(window_log: u32) -> Self {
        let frames = Frames::new().and_then(|mut frames| {
            frames.set_parameter(DParameter::WindowLogMax(window_log))?;
            Ok(frames)
        });
        let frames = frames.map_err(|error| error.to_string());
        Self { frames, place: Place::Start, wanted: FRAME_START_BYTES, has_more: false }
    }

    /// One call of the library.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let frames = match &mut self.frames {
            Ok(frames) => frames,
            Err(error) => return Step::failed(Fault::corrupt(error.as_str())),
        };
        match frames.run_on_buffers(input, output) {
            Ok(status) => {
                (self.place, self.wanted) = match status.remaining {
                    0 => (Place::AfterFrame, FRAME_START_BYTES),
                    wanted => (Place::Inside, wanted),
                };
                self.has_more = status.bytes_written == output.len();
                Step { consumed: status.bytes_read, produced: status.bytes_written, fault: None }
            }
            // The library's errors are texts; this is the one of `ZSTD_error_frameParameter_windowTooLarge`.
            Err(error) if error.to_string().contains("too much memory") => {
                Step::failed(Fault::ZstdWindow(error.into()))
            }
            Err(error) => Step::failed(Fault::corrupt(error)),
        }
    }
}

impl Decoder for Zstd {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.has_more && self.place == Place::Inside {
            // What is left of a block comes alone, because the header behind it may be broken.
            let step = self.run(&[], output);
            if step.produced > 0 || step.fault.is_some() {
                return step;
            }
        }
        self.has_more = false;
        if input.is_empty() {
            return Step::default();
        }
        let now = if self.wanted > BLOCK_HEADER_BYTES { self.wanted - BLOCK_HEADER_BYTES } else { self.wanted };
        self.run(&input[..input.len().min(now)], output)
    }

    fn may_end(&self) -> bool {
        self.place == Place::AfterFrame
    }
}
