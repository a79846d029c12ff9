//! How much memory the process has taken.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// Lines read of the status of a process; Linux has about sixty.
const MAX_LINES: usize = 200;

/// The most resident memory of the process since its start, in bytes: `VmHWM` of `/proc/self/status`, as `proc(5)`
/// describes it. `None` where there is no such file or field, as on systems other than Linux.
pub(crate) fn peak_bytes() -> Option<u64> {
    let lines = BufReader::new(File::open("/proc/self/status").ok()?).lines();
    lines.take(MAX_LINES).map_while(Result::ok).find_map(|line| parse(&line))
}

/// Reads `VmHWM:     12345 kB`.
fn parse(line: &str) -> Option<u64> {
    let kibibytes: u64 = line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_the_peak() {
        assert_eq!(parse("VmHWM:\t   12345 kB"), Some(12_641_280));
        assert_eq!(parse("VmRSS:\t   12345 kB"), None);
        assert_eq!(parse("VmHWM:\t   12345 MB"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_of_this_process_grows_with_what_it_touches() {
        let before = peak_bytes().unwrap();
        let touched = vec![1_u8; 64 << 20];
        assert!(peak_bytes().unwrap() >= (60 << 20).max(before), "{} bytes were touched", touched.len());
    }
}
