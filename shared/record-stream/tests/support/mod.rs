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

/// Pushes `input` through a stream in chunks of `chunk` bytes, with an output target so small that the stream is left
/// and entered again after every record.
#[expect(clippy::expect_used, reason = "a failed expectation is a failed test")]
pub(crate) fn run(options: &StreamOptions, input: &[u8], chunk: usize) -> Run {
    let mut stream = RecordStream::new(options);
    let mut output = Vec::new();
    let mut rejects = Vec::new();
    let mut error = None;
    let mut chunks = input.chunks(chunk.max(1));
    'stream: loop {
        let next = chunks.next();
        stream.fill(next.unwrap_or_default());
        loop {
            let mut drained = Vec::new();
            let progress = stream.process(next.is_none(), &mut drained, 1, &mut |reject| {
                let position = reject.position;
                let code = reject.problem.code().to_owned();
                rejects.push((code, position.byte, position.line, position.record, reject.bytes.to_vec()));
                Flow::Continue
            });
            output.extend(drained);
            match progress {
                Ok(Progress::OutputFull) => {}
                Ok(Progress::NeedInput) => break,
                Ok(Progress::Finished | Progress::Stopped) => break 'stream,
                Err(failure) => {
                    let position = failure.position;
                    error = Some((failure.problem.code().to_owned(), position.byte, position.line, position.record));
                    break 'stream;
                }
            }
        }
    }
    let counts = stream.counts();
    assert_eq!(
        counts.read + counts.exploded,
        counts.written + counts.filtered + counts.rejected,
        "every record ends in one place"
    );
    assert_eq!(counts.rejected as usize, rejects.len());
    Run { output: String::from_utf8(output).expect("output is UTF-8"), rejects, error, counts }
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
