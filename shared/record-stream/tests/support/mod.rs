//! Running a stream over a text, in chunks of a given size.

use record_stream::{Flow, Progress, RecordCounts, RecordStream, StreamOptions};

/// What came out of a stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) output: String,
    /// Code, byte, line and record of every reject, with the bytes it covers.
    pub(crate) rejects: Vec<(String, u64, u64, u64, Vec<u8>)>,
    /// Code, byte, line and record of the error that ended the stream.
    pub(crate) error: Option<(String, u64, u64, u64)>,
    pub(crate) counts: RecordCounts,
}

/// A stream and what came out of it so far.
pub(crate) struct Driver {
    pub(crate) stream: RecordStream,
    output: Vec<u8>,
    rejects: Vec<(String, u64, u64, u64, Vec<u8>)>,
    error: Option<(String, u64, u64, u64)>,
}

impl Driver {
    pub(crate) fn new(stream: RecordStream) -> Self {
        Self { stream, output: Vec::new(), rejects: Vec::new(), error: None }
    }

    /// Pushes `input` in chunks of `chunk` bytes, with an output target so small that the stream is left and entered
    /// again after every record; false when the stream has ended.
    pub(crate) fn push(&mut self, input: &[u8], chunk: usize, is_last: bool) -> bool {
        let chunks = input.chunks(chunk.max(1)).map(|chunk| (chunk, false));
        for (chunk, is_end) in chunks.chain(is_last.then_some((&[][..], true))) {
            self.stream.fill(chunk);
            if !self.process(is_end) {
                return false;
            }
        }
        true
    }

    fn process(&mut self, is_end: bool) -> bool {
        loop {
            let mut drained = Vec::new();
            let rejects = &mut self.rejects;
            let progress = self.stream.process(is_end, &mut drained, 1, &mut |reject| {
                let position = reject.position;
                let code = reject.problem.code().to_owned();
                rejects.push((code, position.byte, position.line, position.record, reject.bytes.to_vec()));
                Flow::Continue
            });
            self.output.extend(drained);
            match progress {
                Ok(Progress::OutputFull) => {}
                Ok(Progress::NeedInput) => return true,
                Ok(Progress::Finished | Progress::Stopped) => return false,
                Err(failure) => {
                    let position = failure.position;
                    let code = failure.problem.code().to_owned();
                    self.error = Some((code, position.byte, position.line, position.record));
                    return false;
                }
            }
        }
    }

    #[expect(clippy::expect_used, reason = "a failed expectation is a failed test")]
    pub(crate) fn end(self) -> Run {
        let counts = self.stream.counts();
        assert_eq!(
            counts.read + counts.exploded,
            counts.written + counts.filtered + counts.rejected,
            "every record ends in one place"
        );
        assert_eq!(counts.rejected as usize, self.rejects.len());
        let output = String::from_utf8(self.output).expect("output is UTF-8");
        Run { output, rejects: self.rejects, error: self.error, counts }
    }
}

/// Pushes `input` through a stream in chunks of `chunk` bytes.
pub(crate) fn run(options: &StreamOptions, input: &[u8], chunk: usize) -> Run {
    let mut driver = Driver::new(RecordStream::new(options));
    driver.push(input, chunk, true);
    driver.end()
}

/// Runs over `input` in one piece and in chunks of many sizes; all must agree.
pub(crate) fn run_in_all_chunkings(options: &StreamOptions, input: &[u8]) -> Run {
    let whole = run(options, input, input.len());
    for chunk in [1, 2, 3, 5, 7, 13, 63, 64, 65, 100, 1000] {
        if chunk < input.len() {
            assert_eq!(run(options, input, chunk), whole, "chunks of {chunk} bytes");
        }
    }
    whole
}
