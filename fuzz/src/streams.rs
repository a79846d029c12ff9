//! A record stream under all of its invariants.
//!
//! * However the bytes are cut and however small the output is, lines, rejects, positions, counts and errors are the
//!   same.
//! * Every record ends in one place: written, filtered or rejected.
//! * A position names the line on which its byte lies, and a reject's bytes are those of the text at that place.
//! * Every line of the output is one JSON value.

use crate::oracle::is_json;
use crate::text::decode;
use record_stream::{
    Flow, Position, Problem, Progress, RecordCounts, RecordFormat, RecordStream, StreamError, StreamOptions,
};

/// Longest input that is also run byte by byte.
const MOST_SINGLE_BYTES: usize = 4096;

/// What came out of a stream.
#[derive(Debug, PartialEq)]
pub struct Run {
    /// The lines written.
    pub output: Vec<u8>,
    /// Every reject, with the bytes it covers.
    pub rejects: Vec<(Problem, Position, Vec<u8>)>,
    /// What ended the stream.
    pub error: Option<StreamError>,
    /// How many records went where.
    pub counts: RecordCounts,
}

impl Run {
    /// The lines of the output, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.output.split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1])
    }
}

/// Runs a stream over the input whole, in chunks of two sizes in turn, and byte by byte; expects one and the same result
/// and returns it.
///
/// # Panics
/// When an invariant does not hold: that is a finding.
#[must_use]
pub fn run_in_chunkings(options: &StreamOptions, input: &[u8], sizes: [usize; 2]) -> Run {
    let whole = run_whole(options, input);
    assert_eq!(run(options, input, sizes, 1), whole, "chunks of {sizes:?} bytes");
    if input.len() <= MOST_SINGLE_BYTES {
        assert_eq!(run(options, input, [1; 2], 40), whole, "chunks of one byte");
    }
    whole
}

/// Runs a stream over the input in one chunk.
///
/// # Panics
/// When an invariant does not hold: that is a finding.
#[must_use]
pub fn run_whole(options: &StreamOptions, input: &[u8]) -> Run {
    let whole = run(options, input, [input.len(); 2], usize::MAX);
    check(&whole, options, &decode(options.encoding, input));
    whole
}

/// Pushes the input through a stream; the output is drained whenever it holds `output_target` bytes.
fn run(options: &StreamOptions, input: &[u8], sizes: [usize; 2], output_target: usize) -> Run {
    let mut stream = RecordStream::new(options);
    let (mut output, mut rejects, mut error) = (Vec::new(), Vec::new(), None);
    let (mut rest, mut turn) = (input, 0);
    'stream: loop {
        let (chunk, behind) = rest.split_at(rest.len().min(sizes[turn % 2].max(1)));
        rest = behind;
        turn += 1;
        stream.fill(chunk);
        loop {
            let mut drained = Vec::new();
            let progress = stream.process(chunk.is_empty(), &mut drained, output_target, &mut |reject| {
                rejects.push((reject.problem.clone(), reject.position, reject.bytes.to_vec()));
                Flow::Continue
            });
            assert!(
                drained.is_empty() || drained.ends_with(b"\n"),
                "what is handed out ends with a line, also before an error"
            );
            output.append(&mut drained);
            match progress {
                Ok(Progress::OutputFull) => {}
                Ok(Progress::NeedInput) => break,
                Ok(Progress::Finished) => break 'stream,
                Ok(Progress::Stopped) => panic!("nobody asked the stream to stop"),
                Err(failure) => {
                    error = Some(failure);
                    break 'stream;
                }
            }
        }
    }
    if error.is_none() {
        let text = decode(options.encoding, input);
        assert_eq!(stream.consumed(), text.len() as u64, "a finished stream has used every byte");
    }
    Run { output, rejects, error, counts: stream.counts() }
}

fn check(run: &Run, options: &StreamOptions, text: &[u8]) {
    let counts = run.counts;
    assert_eq!(
        counts.read + counts.exploded,
        counts.written + counts.filtered + counts.rejected,
        "every record ends in one place"
    );
    assert!(counts.exploded == 0 || options.reshape.explode.is_some(), "nothing explodes by itself");
    assert!(counts.duplicate_keys <= counts.read, "a record is counted once");
    let is_csv = matches!(options.format, RecordFormat::Csv(_));
    assert!(counts.duplicate_keys == 0 || !is_csv, "rows have no keys");
    assert_eq!(counts.rejected, run.rejects.len() as u64, "every reject is reported");
    assert_eq!(counts.written, run.lines().count() as u64, "every record written is one line");
    for line in run.lines() {
        assert!(is_json(line), "not a JSON value: {}", String::from_utf8_lossy(line));
        assert!(line.len() <= options.limits.output_bytes, "a line holds at most what one record may become");
    }
    let mut lines = Lines { text, is_csv, at: 0, line: 1 };
    let mut last = Position::default();
    for (problem, position, bytes) in &run.rejects {
        assert!(position.byte >= last.byte, "rejects come in the order of the object");
        assert_eq!(position.line, lines.at(position.byte), "line of {position:?}");
        assert!(position.record > last.record && position.record <= counts.read, "records are numbered in order");
        assert!(bytes.len() <= options.limits.record_bytes, "a reject holds at most one record");
        assert!(text[position.byte as usize..].starts_with(bytes), "a reject's bytes are those of the object");
        assert!(!problem.to_string().is_empty() && !problem.code().is_empty());
        last = *position;
    }
    if let Some(error) = &run.error {
        assert!(error.position.byte >= last.byte, "the error comes after the rejects");
        assert_eq!(error.position.line, lines.at(error.position.byte), "line of {:?}", error.position);
    }
}

/// Counts lines from place to place. A line ends with a line feed; in CSV also with a carriage return, alone or before
/// one.
struct Lines<'a> {
    text: &'a [u8],
    is_csv: bool,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a byte, not before the last one asked for.
    fn at(&mut self, byte: u64) -> u64 {
        while (self.at as u64) < byte {
            let is_second = self.is_csv && self.at > 0 && self.text[self.at - 1] == b'\r';
            self.line += match self.text[self.at] {
                b'\n' => u64::from(!is_second),
                b'\r' => u64::from(self.is_csv),
                _ => 0,
            };
            self.at += 1;
        }
        self.line
    }
}
