//! The figures of one run as a table, for people.

use crate::report::{Report, ResultLine};
use crate::workloads::{Kind, Workload};
use std::fmt;

impl fmt::Display for Report {
    /// Several lines, the last without an end.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "MB of uncompressed input a second of CPU time (1 MB = 1,000,000 bytes), one core")?;
        for input in &self.inputs {
            writeln!(
                formatter,
                "  {}: {:.1} MB, {} records of {} bytes on average, {}",
                input.name,
                input.bytes as f64 / 1e6,
                input.records,
                input.bytes / input.records.max(1),
                if input.objects == 1 { "one object".to_owned() } else { format!("{} objects", input.objects) },
            )?;
        }
        let name_width = self.results.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for (kind, title) in
            [(Kind::Limit, "limits and steps"), (Kind::Peer, "other crates"), (Kind::Engine, "this engine")]
        {
            let mut lines = self.results.iter().filter(|line| line.kind == kind).peekable();
            if lines.peek().is_none() {
                continue;
            }
            write!(formatter, "\n{title:<name_width$}   median     best   memcpy")?;
            write!(formatter, "{}", if kind == Kind::Engine { "    peer  target" } else { "" })?;
            for line in lines {
                write!(formatter, "\n{}", row(line, name_width))?;
            }
            writeln!(formatter)?;
        }
        write!(
            formatter,
            "\nmemcpy: part of its rate. peer: how many times as fast as the workload named behind it. Ratios are of the \
             best runs."
        )
    }
}

fn row(line: &ResultLine, name_width: usize) -> String {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"));
    let memcpy = line.of_memcpy.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", part * 100.0));
    let mut text = format!(
        "{:<name_width$} {:>8} {:>8} {memcpy:>8}",
        line.name,
        count(line.median_mb_per_s),
        count(line.best_mb_per_s)
    );
    if line.kind == Kind::Engine {
        text.push_str(&format!(" {:>7} {:>7}", ratio(line.of_peer), ratio(line.target_of_peer)));
    }
    text.push_str("  ");
    text.push_str(line.about);
    if let Some(peer) = line.peer {
        text.push_str(&format!(" [{peer}]"));
    }
    text
}

/// A line for each workload: its name, who does it, and what it is.
pub fn list(workloads: &[Workload]) -> impl Iterator<Item = String> {
    workloads.iter().map(|workload| {
        let who = match workload.kind {
            Kind::Limit => "limit",
            Kind::Peer => "other crates",
            Kind::Engine => "this engine",
        };
        format!("{:<20} {who:<13} {}", workload.name, workload.about)
    })
}

/// A rounded number with a comma before the thousands.
fn count(number: f64) -> String {
    let rounded = number.round() as u64;
    if rounded < 1000 {
        return rounded.to_string();
    }
    format!("{},{:03}", rounded / 1000, rounded % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::InputLine;

    fn line(name: &'static str, kind: Kind, best_mb_per_s: f64) -> ResultLine {
        ResultLine {
            name,
            about: "does it",
            kind,
            runs: 5,
            median_mb_per_s: best_mb_per_s * 0.9,
            best_mb_per_s,
            of_memcpy: Some(best_mb_per_s / 20_000.0),
            peer: None,
            of_peer: None,
            target_of_peer: None,
        }
    }

    #[test]
    fn columns_stand_under_one_another() {
        let engine = ResultLine {
            peer: Some("slow-peer"),
            of_peer: Some(5.0),
            target_of_peer: Some(4.762),
            ..line("ours", Kind::Engine, 1250.0)
        };
        let report = Report {
            optimised: true,
            inputs: vec![InputLine { name: "events", bytes: 64_000_100, records: 78_048, objects: 1 }],
            results: vec![line("memcpy", Kind::Limit, 20_000.0), line("slow-peer", Kind::Peer, 250.0), engine],
        };
        let expected = "\
MB of uncompressed input a second of CPU time (1 MB = 1,000,000 bytes), one core
  events: 64.0 MB, 78048 records of 820 bytes on average, one object

limits and steps   median     best   memcpy
memcpy      18,000   20,000  100.0 %  does it

other crates   median     best   memcpy
slow-peer      225      250    1.2 %  does it

this engine   median     best   memcpy    peer  target
ours         1,125    1,250    6.2 %   5.00x   4.76x  does it [slow-peer]

memcpy: part of its rate. peer: how many times as fast as the workload named behind it. Ratios are of the best runs.";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn the_list_says_who_does_it() {
        let all = crate::workloads::all();
        let lines: Vec<String> = list(&all).collect();
        assert_eq!(lines.len(), all.len());
        assert_eq!(lines[0], "memcpy               limit         copy the events");
        assert!(lines.iter().any(|line| line.starts_with("csv-typed            this engine   CSV to NDJSON")));
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let unknown = ResultLine { of_memcpy: None, ..line("x", Kind::Engine, 1.0) };
        assert_eq!(row(&unknown, 1), "x        1        1        -       -       -  does it");
    }
}
