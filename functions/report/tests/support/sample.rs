//! A run as large companies have them, for the page: 65,000 objects in 130 batches, with all that can go wrong, and keys
//! that try to break out of the page.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use crate::support::{Runs, child, failed, line, succeeded, waiting};
use batch::{Bytes, LedgerLine, Records, Status, WrittenObject};
use serde_json::{Value, json};

/// A key that would run a script, if it were not escaped.
pub(crate) const SCRIPT: &str = "in/<script>window.broken=1</script>\"'><img src=x onerror=window.broken=2>.csv";

/// A key that turns the order of letters around.
pub(crate) const TURNED: &str = "in/reports/\u{202e}vsc.exe";

const BATCHES: u64 = 130;
const ITEMS: u64 = 500;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    /// Mostly small, seldom large: a product of four.
    fn spread(&mut self, middle: u64) -> u64 {
        let factor: u64 = (0..4).map(|_| 40 + self.below(160)).product();
        middle * factor / 100_000_000 + 1
    }
}

/// Puts the run `orders-2026-11-22` into the store; answers the event of its report.
pub(crate) fn put(runs: &mut Runs) -> Value {
    let run = "orders-2026-11-22T100000-123Z";
    runs.job["tolerance"] = json!({"failed_items_ratio": 0.0001});
    let mut random = Random(7);
    let mut slots = [0_u64; 24];
    let mut children = Vec::new();
    for batch in 0..BATCHES {
        let key = |number: u64| {
            format!("in/2026/11/{:02}/shop-{:03}/orders-{batch:03}-{number:03}.csv.gz", batch % 28 + 1, number % 200)
        };
        let mut lines: Vec<LedgerLine> = (0..ITEMS).map(|number| work(&mut random, &key(number))).collect();
        spoil(&mut random, batch, &mut lines);
        // A slot is free when its last batch has ended; not all slots are there from the beginning.
        let slot = (0..slots.len()).min_by_key(|slot| slots[*slot].max(*slot as u64 / 8 * 6)).unwrap();
        let start = slots[slot].max(slot as u64 / 8 * 6);
        let end = start + 20 + random.spread(12) + u64::from(batch == 77) * 61;
        slots[slot] = end;
        let error = (batch == 41).then_some("Sandbox.Timedout");
        let keys: Vec<&str> = lines.iter().map(|line| line.key.as_str()).collect();
        let time = |seconds: u64| i64::try_from(seconds).unwrap();
        let mut record = child(&format!("5f0c{batch:04}-8d11"), time(start), time(end), &keys, error);
        if error.is_some() {
            record["Cause"] =
                json!("{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"Task timed out after 270.00 seconds\"}");
        } else {
            let left = lines.iter().filter(|line| !matches!(line.status, Status::Succeeded | Status::Skipped)).count();
            let counts = json!({"total": ITEMS, "succeeded": ITEMS - left as u64, "failed": left, "skipped": 0, "unprocessed": 0});
            record["Output"] = json!(json!({"items": counts, "duration_ms": (end - start) * 980}).to_string());
        }
        children.push((if error.is_some() { "FAILED" } else { "SUCCEEDED" }, record));
        runs.ledger(run, &lines);
    }
    let waiting_keys = ["in/2026/11/30/shop-001/late-1.csv.gz", "in/2026/11/30/shop-001/late-2.csv.gz"];
    children.push(("PENDING", waiting("5f0c9999-8d11", &waiting_keys)));
    runs.map_run(run, "Objects", &children);
    let plan = json!({"version": 1, "run_id": run, "strategy": "simple", "items": BATCHES * ITEMS + 3, "bytes": 13_100_000_000_u64,
        "function": {"memory_mb": 1769},
        "expected": {"children": BATCHES + 1, "duration_seconds": 171.5, "cost": {"step_functions": 0.0034, "lambda": 0.0911, "s3": 0.3519}},
        "prices": {"date": "2026-11-01", "currency": "USD", "lambda_gb_second": 0.000_013_333_4, "lambda_request": 2e-7,
            "step_functions_transition": 0.000_025, "express_request": 1e-6, "express_gb_second": 0.000_016_67, "s3_get": 4e-7, "s3_put": 5e-6, "s3_list": 5e-6}});
    runs.put(&format!("{run}/plan.json"), plan.to_string());
    let mut event = runs.event(run);
    event["failure"] = json!({"Error": "States.ExceedToleratedFailureThreshold", "Cause": "The specified tolerated failure threshold was exceeded"});
    event
}

/// An object that went well.
fn work(random: &mut Random, key: &str) -> LedgerLine {
    let size = random.spread(180_000);
    let read = size / 60;
    let rejected = if random.below(40) == 0 { random.below(read / 30 + 1) } else { 0 };
    let filtered = read / 5;
    let written = read - filtered - rejected;
    let object = |key: String, bytes, records| WrittenObject {
        bucket: "clean".into(),
        key,
        bytes,
        records,
        etag: Some("e".into()),
    };
    LedgerLine {
        size: Some(size),
        records: Records { read, written, filtered, rejected, ..Records::default() },
        bytes: Bytes { read: size, expanded: size * 5, written: size / 2 },
        outputs: vec![object(format!("out/{key}.ndjson.zst"), size / 2, written)],
        rejects: (rejected > 0)
            .then(|| object(format!("out/_mapmill/r/rejects/{key}.rejects.ndjson"), rejected * 90, rejected)),
        retries: u64::from(random.below(60) == 0),
        duration_ms: random.spread(90) + size / 40_000,
        ..succeeded(key)
    }
}

/// Lets some objects of a batch go wrong.
fn spoil(random: &mut Random, batch: u64, lines: &mut [LedgerLine]) {
    let mut replace = |index: usize, line: LedgerLine| lines[index] = line;
    let named = |key: &str, line: LedgerLine| LedgerLine { key: key.to_owned(), ..line };
    match batch {
        3 => {
            let message =
                "record 118 (line 119, byte 20,481): expected a decimal in the field price; found another text"
                    .to_owned();
            replace(5, LedgerLine { message: Some(message), ..failed(SCRIPT, "bad_data", "type_mismatch") });
        }
        9 => replace(8, failed(TURNED, "bad_data", "truncated_gzip")),
        17 | 23 | 64 => {
            for index in 0..4 {
                let key = format!("in/2026/11/19/shop-{batch:03}/orders-{index}.csv.gz");
                let message = "open of s3://raw/… failed: S3 answers SlowDown: Please reduce your request rate., at the last of 5 attempts";
                let line = failed(&key, "throttled", "slow_down");
                replace(
                    index * 90,
                    LedgerLine {
                        message: Some(message.to_owned()),
                        duration_ms: 9_000 + random.below(4_000),
                        retries: 4,
                        ..line
                    },
                );
            }
        }
        41 => {
            for index in 470..500 {
                let key = format!("in/2026/11/14/shop-041/orders-041-{index:03}.csv.gz");
                replace(index, LedgerLine { reason: Some("begun".into()), ..line(&key, Status::Unprocessed) });
            }
        }
        77 => {
            let large =
                work(random, "in/2026/11/22/all-shops/the-one-large-export-that-nobody-split-into-parts.ndjson");
            let bytes = Bytes { read: 2_147_483_648, expanded: 2_147_483_648, written: 410_000_000 };
            replace(250, LedgerLine { size: Some(bytes.read), bytes, duration_ms: 88_400, ..large });
        }
        90 => replace(
            3,
            named("in/2026/11/", LedgerLine { reason: Some("folder_marker".into()), ..line("x", Status::Skipped) }),
        ),
        _ => {}
    }
}
