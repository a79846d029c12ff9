//! Killed at any moment, a batch can simply be run again.
//!
//! The real function process works on a batch over real HTTP and is killed with SIGKILL at fifty moments, which a seed
//! chooses: when a request comes, in the middle of the body of one, or when it is done and its answer is still on the way.
//! After every kill each visible object must be whole, and a run to the end must leave exactly what an undisturbed run
//! leaves. Uploads in parts that a killed process leaves behind stay invisible; the bucket's lifecycle rule removes them
//! (docs/operating.md).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod bucket;
mod killer;

use bucket::Bucket;
use killer::{Killer, Moments};
use lambda_shell::testsuite::{Answer, Invocation, RuntimeApi};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;
use tests::fault_proxy::{FaultProxy, Operation, Plan};
use tests::programs;

const KILLS: usize = 50;

/// A run to the end is compared with the undisturbed one after so many kills, and at the end.
const KILLS_BETWEEN_WHOLE_RUNS: usize = 10;

/// A small generator of numbers: the same kills at every run of the test.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Objects that become outputs of one request, with and without rejects, and two that need several parts.
fn objects() -> BTreeMap<String, Vec<u8>> {
    let mut random = Random(20_261_122);
    let mut objects = BTreeMap::new();
    for number in 0..10 {
        let mut text = "id,name\n".to_owned();
        for row in 0..200 {
            let extra = if number % 3 == 0 && row % 50 == 7 { ",too,many" } else { "" };
            writeln!(text, "{row},name {}{extra}", random.next()).unwrap();
        }
        objects.insert(format!("in/small {number}.csv"), text.into_bytes());
    }
    for number in 0..2 {
        let mut text = String::with_capacity(18 << 20);
        while text.len() < 17 << 20 {
            text.push_str("{\"noise\":\"");
            for _ in 0..60 {
                write!(text, "{:010x}", random.next()).unwrap();
            }
            text.push_str("\"}\n");
        }
        objects.insert(format!("in/large {number}.ndjson"), text.into_bytes());
    }
    objects
}

fn event(items: &[Value]) -> Value {
    let job = json!({
        "version": 1,
        "name": "kill",
        "source": {"bucket": "raw", "prefix": "in/"},
        "record": {"set": {"seen": true}},
        "rejects": {"max_ratio": 1.0},
        "output": {"bucket": "clean", "prefix": "out/", "compression": "none"},
    });
    json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job}}, "Items": items})
}

/// A function on the batch, from start to end or to its death.
struct Bench {
    bucket: Bucket,
    proxy: FaultProxy,
    killer: Killer,
    event: Value,
}

impl Bench {
    async fn start() -> Self {
        let (bucket, items) = Bucket::start(&objects()).await;
        let killer = Killer::default();
        let observer = killer.clone();
        let plan = Plan::default().with_observer(move |record, moment| observer.observe(record, moment));
        let proxy = FaultProxy::start(bucket.address(), 0, plan).await.unwrap();
        Self { bucket, proxy, killer, event: event(&items) }
    }

    /// Runs the function once. True when it came to its end, false when it was killed.
    async fn run(&self) -> bool {
        let api = RuntimeApi::start(vec![Invocation::new("1", self.event.clone())], 1);
        let variables = self.bucket.environment(&self.proxy.endpoint());
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut command = api.command(&programs().join("transform"), 512, &variables);
        self.killer.attach(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        tokio::select! {
            answer = answer(&api) => {
                self.killer.end();
                assert!(!answer.is_error, "{}", answer.body);
                let items = &answer.body["items"];
                assert_eq!((&items["total"], &items["succeeded"]), (&json!(12), &json!(12)), "{}", answer.body);
                true
            }
            () = self.killer.death() => false,
        }
    }
}

/// Waits for the answer to the only invocation.
async fn answer(api: &RuntimeApi) -> Answer {
    loop {
        if let Some(answer) = api.answers_so_far().pop() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Every visible object must be what the undisturbed run wrote there. Answers how many are missing.
fn check_visible(visible: &BTreeMap<String, Vec<u8>>, undisturbed: &BTreeMap<String, Vec<u8>>, when: &str) -> usize {
    for (key, body) in visible {
        let expected = undisturbed.get(key);
        let Some(expected) = expected else { panic!("{when}: {key} is no object of the undisturbed run") };
        let is_same = if key.contains("/ledger/") {
            bucket::is_begun(body) || bucket::without_times(body) == bucket::without_times(expected)
        } else if key.contains("/progress/") {
            // It names an upload, and every run has its own.
            true
        } else {
            body == expected
        };
        assert!(is_same, "{when}: {key} has {} bytes that are not those of the undisturbed run", body.len());
    }
    undisturbed.len() - visible.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_leave_no_trace() {
    let bench = Bench::start().await;
    assert!(bench.run().await, "nobody kills the first run");
    let Moments { steps, pieces } = bench.killer.take_moments();
    let undisturbed = bench.bucket.written().await;
    let ledgers: Vec<&Vec<u8>> =
        undisturbed.iter().filter(|(key, _)| key.contains("/ledger/")).map(|(_, body)| body).collect();
    assert_eq!(ledgers.len(), 1);
    let lines = bucket::without_times(ledgers[0]);
    assert_eq!(lines.len(), 12, "one line for every item");
    assert_eq!(undisturbed.keys().filter(|key| !key.contains("/_mapmill/")).count(), 12);
    assert_eq!(undisturbed.keys().filter(|key| key.contains("/rejects/")).count(), 4);

    let mut random = Random(50);
    let (mut kills, mut in_uploads, mut incomplete) = (0, 0, 0);
    while kills < KILLS {
        // Half of the runs begin where the last one was killed, half with nothing.
        if random.below(2) == 0 {
            bench.bucket.empty().await;
        }
        let in_body = random.below(2) == 0;
        let moment = if in_body { random.below(pieces) } else { random.below(steps) };
        bench.killer.aim(in_body, moment);
        let when = format!("kill {kills} at {} {moment}", if in_body { "piece" } else { "step" });
        if bench.run().await {
            // A run that has less to do ends before its moment.
            continue;
        }
        kills += 1;
        in_uploads += usize::from(bench.killer.last().is_some_and(|operation| operation == Operation::Part));
        let missing = check_visible(&bench.bucket.written().await, &undisturbed, &when);
        incomplete += usize::from(missing > 0);
        if kills % KILLS_BETWEEN_WHOLE_RUNS == 0 {
            bench.killer.take_moments();
            assert!(bench.run().await, "{when}: the run after it");
            let written = bench.bucket.written().await;
            assert_eq!(check_visible(&written, &undisturbed, &when), 0, "{when}: objects missing");
            let is_ended = |(key, body): (&String, &Vec<u8>)| !key.contains("/ledger/") || !bucket::is_begun(body);
            assert!(written.iter().all(is_ended), "{when}: the ledger says how every item ended");
        }
    }
    assert!(in_uploads >= 5 && incomplete >= 25, "{in_uploads} kills in uploads, {incomplete} left work to do");

    let requests = bench.proxy.requests();
    let count = |operation| requests.iter().filter(|request| request.operation == operation).count();
    let left_over = count(Operation::Create).saturating_sub(count(Operation::Complete));
    assert!(left_over > 0, "no upload was left over, so nothing was shown about them");
}
