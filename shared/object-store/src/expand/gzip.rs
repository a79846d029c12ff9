//! Gzip (RFC 1952): one member or several, one after another.
//!
//! The decoder of `flate2` reads the header and the checksum of a member by itself and stops at its end. What follows
//! must be another member; zeros or other bytes after the last one are an error, because they tell of a broken upload
//! more often than of a tape.

use flate2::{Decompress, FlushDecompress, Status};

use super::decoder::{Decoder, Fault, Step};

/// The first byte of a member.
const FIRST_BYTE: u8 = 0x1f;

/// The largest window of deflate, 32 KiB, as a power of two.
const WINDOW_BITS: u8 = 15;

/// Reads gzip.
pub(super) struct Gzip {
    inflate: Decompress,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    AfterMember,
}

impl Gzip {
    #[expect(clippy::disallowed_methods, reason = "the expander around it holds the limits")]
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new_gzip(WINDOW_BITS), place: Place::Start }
    }
}

impl Decoder for Gzip {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.place != Place::Inside {
            match input.first() {
                None => return Step::default(),
                // The decoder would wait for a second byte before it looks at the first one.
                Some(&byte) if byte != FIRST_BYTE => return Step::failed(Fault::corrupt("no gzip member begins here")),
                Some(_) if self.place == Place::AfterMember => self.inflate.reset(true),
                Some(_) => {}
            }
            self.place = Place::Inside;
        }
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(input, output, FlushDecompress::None);
        let fault = match result {
            Ok(Status::StreamEnd) => {
                self.place = Place::AfterMember;
                None
            }
            Ok(Status::Ok | Status::BufError) => None,
            Err(error) => Some(Fault::corrupt(error)),
        };
        Step {
            consumed: (self.inflate.total_in() - read) as usize,
            produced: (self.inflate.total_out() - written) as usize,
            fault,
        }
    }

    fn may_end(&self) -> bool {
        self.place == Place::AfterMember
    }
}
