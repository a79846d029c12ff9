//! An object that takes longer than an invocation, through the real state machine, function process and store.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use tests::{outputs, run_job, shown};

/// Too much for one invocation of three seconds: gzip would have to take in 500 MB a second.
const BYTES: u64 = 1 << 30;

/// Writes distinct lines and answers how many.
fn write_lines(path: &Path) -> u64 {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let (mut bytes, mut lines) = (0, 0);
    while bytes < BYTES {
        lines += 1;
        let line = format!(
            "{{\"number\":{lines},\"mixed\":\"{:x}\",\"text\":\"{}\"}}\n",
            lines * 0x9e37_79b9,
            "y ".repeat(90)
        );
        file.write_all(line.as_bytes()).unwrap();
        bytes += line.len() as u64;
    }
    file.flush().unwrap();
    lines
}

/// Reads both to their ends, in blocks.
fn are_equal(first: impl Read, second: impl Read) -> bool {
    let [mut first, mut second] = [Box::new(first) as Box<dyn Read>, Box::new(second)].map(BufReader::new);
    let mut blocks = [vec![0; 1 << 20], vec![0; 1 << 20]];
    loop {
        let mut fill = |reader: &mut BufReader<Box<dyn Read>>, block: usize| {
            let mut length = 0;
            loop {
                match reader.read(&mut blocks[block][length..]).unwrap() {
                    0 => break length,
                    more => length += more,
                }
            }
        };
        let lengths = (fill(&mut first, 0), fill(&mut second, 1));
        if lengths.0 != lengths.1 || blocks[0][..lengths.0] != blocks[1][..lengths.0] {
            return false;
        }
        if lengths.0 == 0 {
            return true;
        }
    }
}

#[test]
fn an_object_that_takes_longer_than_an_invocation_is_whole_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let source = data.join("large.ndjson");
    let lines = write_lines(&source);
    let job = folder.path().join("job.yaml");
    let text = "version: 1\nname: large\nsource: {bucket: raw}\noutput: {bucket: clean, compression: gzip}\n\
                limits: {checkpoint_bytes: 4MiB}\n";
    std::fs::write(&job, text).unwrap();
    let out = folder.path().join("out");
    let run = run_job(&job, &data, &out, &["--timeout", "3"]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert!(run.summary["invocations"]["total"].as_u64().unwrap() > 1, "{shown}");
    assert_eq!(run.summary["items"]["succeeded"], 1, "{shown}");
    assert_eq!((&run.summary["records"]["read"], &run.summary["records"]["written"]), (&lines.into(), &lines.into()));
    assert_eq!(run.ledger.len(), 1, "{shown}");
    let written: Vec<String> = outputs(&out).into_keys().collect();
    assert_eq!(written.len(), 1, "{written:?}");
    let output = flate2::read::MultiGzDecoder::new(File::open(out.join(&written[0])).unwrap());
    assert!(are_equal(output, File::open(source).unwrap()), "every record once, in order");
}
