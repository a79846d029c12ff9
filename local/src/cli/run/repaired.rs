//! What an earlier run left to be repaired.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::CommandError;

/// Items in the list that the report of a run made for a repair. `run` is the folder of that run.
pub(super) fn items(run: &Path) -> Result<u64, CommandError> {
    let path = run.join("report").join("failed.jsonl");
    let file = std::fs::File::open(&path).map_err(|error| {
        let message = "expected the list that the report of the run wrote; check --run, --job and --out, or make the report \
                       with `mapmill report`";
        CommandError::usage(format!("{}: {error}: {message}", path.display()))
    })?;
    let (mut reader, mut lines) = (BufReader::with_capacity(1 << 20, file), 0);
    loop {
        let buffer = reader.fill_buf().map_err(CommandError::failed)?;
        if buffer.is_empty() {
            return Ok(lines);
        }
        lines += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = buffer.len();
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_list_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(items(folder.path()), Err(CommandError::Usage(_))));
        std::fs::create_dir(folder.path().join("report")).unwrap();
        for (text, expected) in [("", 0), ("{}\n{}\n", 2)] {
            std::fs::write(folder.path().join("report/failed.jsonl"), text).unwrap();
            assert_eq!(items(folder.path()).unwrap(), expected);
        }
    }
}
