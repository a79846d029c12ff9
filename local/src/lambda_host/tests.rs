//! The host against processes of `/bin/sh`, and the Runtime API against a client written out by hand.

use std::sync::Mutex;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::runtime_api::{Invocation, Reply, RuntimeApi};
use super::*;

fn shell(script: &str) -> FunctionConfig {
    FunctionConfig {
        name: "function".to_owned(),
        command: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".into(), script.into()],
        memory_mb: 128,
        timeout: Duration::from_secs(3),
        environment: BTreeMap::new(),
        max_environments: Some(2),
        when_busy: WhenBusy::Wait,
        limit_memory: false,
    }
}

/// Keeps lines.
#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl LogSink for Kept {
    fn line(&self, line: LogLine<'_>) {
        self.0.lock().unwrap().push(format!("{}/{} {:?} {}", line.function, line.environment, line.stream, line.text));
    }
}

fn host(config: FunctionConfig) -> (LambdaHost, Arc<Kept>) {
    host_with(config, HostOptions::default().init_timeout)
}

fn host_with(config: FunctionConfig, init_timeout: Duration) -> (LambdaHost, Arc<Kept>) {
    let logs = Arc::new(Kept::default());
    let options = HostOptions { init_timeout, logs: Arc::clone(&logs) as Arc<dyn LogSink>, ..HostOptions::default() };
    let host = LambdaHost::new(options);
    host.register(config).unwrap();
    (host, logs)
}

async fn failure(script: &str) -> (FunctionError, InvokeOutcome) {
    let (host, _) = host_with(shell(script), Duration::from_millis(700));
    let outcome = host.invoke("function", Bytes::from_static(b"{}")).await.unwrap();
    host.shutdown().await;
    (outcome.result.clone().unwrap_err(), outcome)
}

/// One HTTP exchange; returns the status and everything after the status line.
async fn exchange(address: &str, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} /2018-06-01/runtime{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may refuse a large body before it has read it all.
    let _ = stream.write_all(body).await;
    let mut received = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(length) = stream.read(&mut chunk).await
        && length > 0
    {
        received.extend_from_slice(&chunk[..length]);
    }
    let text = String::from_utf8(received).unwrap();
    let status = text.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    (status, text)
}

fn invocation(id: &str) -> (Invocation, oneshot::Receiver<Reply>) {
    let (reply, replied) = oneshot::channel();
    let invocation = Invocation {
        request_id: id.to_owned(),
        event: Bytes::from_static(b"{\"x\":1}"),
        deadline: Duration::from_millis(1_234),
        function_arn: "arn:function".to_owned(),
        trace_id: "Root=1".to_owned(),
        client_context: Some("{\"custom\":{}}".to_owned()),
        reply,
    };
    (invocation, replied)
}

#[tokio::test]
async fn runtime_api_speaks_the_protocol() {
    let api = RuntimeApi::open().await.unwrap();
    let address = api.address.to_string();
    let (first, replied) = invocation("first");
    api.hand_out(first).await;
    let (status, text) = exchange(&address, "GET", "/invocation/next", b"").await;
    assert_eq!(status, 200);
    for part in [
        "lambda-runtime-aws-request-id: first\r\n",
        "lambda-runtime-deadline-ms: 1234\r\n",
        "lambda-runtime-invoked-function-arn: arn:function\r\n",
        "lambda-runtime-trace-id: Root=1\r\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.ends_with("{\"x\":1}"), "{text}");
    api.initialised().await.unwrap();
    let (status, text) = exchange(&address, "POST", "/invocation/other/response", b"1").await;
    assert!(status == 400 && text.contains("InvalidRequestID"), "{text}");
    assert_eq!(exchange(&address, "POST", "/invocation/first/response", b"[2]").await.0, 202);
    assert!(matches!(replied.await, Ok(Reply::Response(body)) if body == "[2]"));
    assert_eq!(exchange(&address, "POST", "/invocation/first/response", b"[2]").await.0, 400, "answered already");

    let (second, replied) = invocation("second");
    api.hand_out(second).await;
    exchange(&address, "GET", "/invocation/next", b"").await;
    let posted = b"{\"errorType\":\"Mine\",\"errorMessage\":\"m\",\"stackTrace\":[]}";
    assert_eq!(exchange(&address, "POST", "/invocation/second/error", posted).await.0, 202);
    let Ok(Reply::Error(error)) = replied.await else { panic!("expected an error") };
    assert_eq!(error.error_type, "Mine");
    assert!(error.payload.contains("\"stackTrace\":[]"));

    let (third, replied) = invocation("third");
    api.hand_out(third).await;
    exchange(&address, "GET", "/invocation/next", b"").await;
    exchange(&address, "POST", "/invocation/third/response", &vec![b'1'; PAYLOAD_BYTES_MAX + 1]).await;
    assert!(matches!(replied.await, Ok(Reply::TooLarge)));
    assert_eq!(exchange(&address, "POST", "/init/error", b"{}").await.0, 403, "initialised long ago");
}

#[tokio::test]
async fn init_errors_are_reported() {
    let api = RuntimeApi::open().await.unwrap();
    let body = b"{\"errorType\":\"Config.Bad\",\"errorMessage\":\"no region\"}";
    assert_eq!(exchange(&api.address.to_string(), "POST", "/init/error", body).await.0, 202);
    assert_eq!(api.initialised().await.unwrap_err().error_type, "Config.Bad");
}

#[tokio::test]
async fn processes_that_end_or_hang_before_the_first_request() {
    let (error, outcome) = failure("exit 3").await;
    assert_eq!(error.error_type, "Runtime.ExitError");
    let expected = format!("RequestId: {} Error: Runtime exited with error: exit status 3", outcome.request_id);
    assert!(error.payload.contains(&expected), "{}", error.payload);
    assert!(outcome.cold_start());
    let (error, _) = failure("kill -9 $$").await;
    assert!(error.payload.contains("signal: killed"), "{}", error.payload);
    let (error, _) = failure("exit 0").await;
    assert!(error.payload.contains("without providing a reason"), "{}", error.payload);
    let started = Instant::now();
    let (error, _) = failure("exec sleep 60").await;
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert!(error.payload.contains("Init timed out after 0.70 seconds"), "{}", error.payload);
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// Plays the part of the function's runtime: finds the address that the process printed and speaks for it.
struct Puppet {
    host: Arc<LambdaHost>,
    logs: Arc<Kept>,
}

impl Puppet {
    fn new(mut config: FunctionConfig) -> Self {
        config.arguments = vec!["-c".into(), "echo $AWS_LAMBDA_RUNTIME_API; exec sleep 60".into()];
        let (host, logs) = host(config);
        Self { host: Arc::new(host), logs }
    }

    fn invoke(&self) -> tokio::task::JoinHandle<Result<InvokeOutcome, HostError>> {
        let host = Arc::clone(&self.host);
        tokio::spawn(async move { host.invoke("function", Bytes::from_static(b"{}")).await })
    }

    /// The address of an environment, once its process has printed it.
    async fn address(&self, environment: u64) -> String {
        let prefix = format!("function/{environment} Stdout ");
        for _ in 0..500 {
            let lines = self.logs.0.lock().unwrap().clone();
            if let Some(address) = lines.iter().find_map(|line| line.strip_prefix(&prefix)) {
                return address.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("environment {environment} printed no address");
    }

    /// Takes the next invocation of an environment and returns its id.
    async fn next(&self, environment: u64) -> String {
        let (_, text) = exchange(&self.address(environment).await, "GET", "/invocation/next", b"").await;
        let (_, rest) = text.split_once("lambda-runtime-aws-request-id: ").expect("an invocation");
        rest.split("\r\n").next().unwrap().to_owned()
    }

    async fn respond(&self, environment: u64, id: &str, body: &str) {
        let address = self.address(environment).await;
        let path = format!("/invocation/{id}/response");
        assert_eq!(exchange(&address, "POST", &path, body.as_bytes()).await.0, 202);
    }
}

#[tokio::test]
async fn environments_are_reused_and_invocations_wait_their_turn() {
    let puppet = Puppet::new(FunctionConfig { max_environments: Some(1), ..shell("") });
    let first = puppet.invoke();
    let id = puppet.next(1).await;
    let (begun, mut has_begun) = oneshot::channel();
    let host = Arc::clone(&puppet.host);
    let second = tokio::spawn(async move { host.invoke_when_free("function", Bytes::from_static(b"{}"), begun).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(has_begun.try_recv().is_err(), "it waits for the only environment");
    puppet.respond(1, &id, "1").await;
    has_begun.await.unwrap();
    let first = first.await.unwrap().unwrap();
    assert_eq!((first.result.as_deref().unwrap(), first.cold_start(), first.environment), (&b"1"[..], true, 1));
    assert!(first.peak_memory_bytes.unwrap() > 10_000);
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "2").await;
    let second = second.await.unwrap().unwrap();
    assert_eq!((second.result.as_deref().unwrap(), second.cold_start(), second.environment), (&b"2"[..], false, 1));
    assert!(second.wait_duration >= Duration::from_millis(40), "{:?}", second.wait_duration);
    puppet.host.shutdown().await;
}

#[tokio::test]
async fn a_busy_function_refuses_what_it_does_not_let_wait() {
    let puppet = Puppet::new(FunctionConfig { max_environments: Some(1), when_busy: WhenBusy::Throttle, ..shell("") });
    let first = puppet.invoke();
    let id = puppet.next(1).await;
    let refused = puppet.host.invoke("function", Bytes::new()).await.unwrap_err();
    assert_eq!(refused, HostError::Throttled { environments: 1 });
    let failure: crate::services::TaskFailure = refused.into();
    assert_eq!(failure.error, "Lambda.TooManyRequestsException");
    let begins =
        "Rate Exceeded. (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: ";
    assert!(failure.cause.starts_with(begins), "{}", failure.cause);
    puppet.respond(1, &id, "1").await;
    assert!(first.await.unwrap().unwrap().result.is_ok());
    let again = puppet.invoke();
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "2").await;
    assert!(again.await.unwrap().is_ok(), "the place is free again");
    puppet.host.shutdown().await;
}

#[tokio::test]
async fn a_process_with_too_much_memory_is_killed() {
    let greedy = FunctionConfig { limit_memory: true, ..shell("exec tail /dev/zero") };
    let (host, _) = host_with(greedy, Duration::from_secs(60));
    let outcome = host.invoke("function", Bytes::new()).await.unwrap();
    let error = outcome.result.unwrap_err();
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(error.payload.contains("Runtime exited with error: signal: killed"), "{}", error.payload);
    host.shutdown().await;
}

#[tokio::test]
async fn every_invocation_has_a_log_of_its_own() {
    let puppet = Puppet::new(shell(""));
    let host = Arc::clone(&puppet.host);
    let invoked = tokio::spawn(async move {
        let context = InvokeContext { wants_log: true, ..InvokeContext::default() };
        host.invoke_in_context("function", Bytes::new(), context, oneshot::channel().0).await
    });
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "1").await;
    let outcome = invoked.await.unwrap().unwrap();
    let lines: Vec<_> = outcome.log_tail.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines[..2], [format!("START RequestId: {id} Version: $LATEST"), format!("END RequestId: {id}")]);
    assert!(lines[2].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{lines:?}");
    assert!(lines[2].contains("Init Duration: ") && outcome.billed_duration() >= outcome.duration, "{lines:?}");
    assert!(puppet.logs.0.lock().unwrap().iter().any(|line| line.contains("Platform REPORT RequestId")));
    let second = puppet.invoke();
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "2").await;
    assert_eq!(second.await.unwrap().unwrap().log_tail, "", "nobody asked for it");
    puppet.host.shutdown().await;
}

#[tokio::test]
async fn timeouts_kill_the_process_and_the_next_invocation_starts_anew() {
    let puppet = Puppet::new(FunctionConfig { timeout: Duration::from_secs(1), ..shell("") });
    let first = puppet.invoke();
    let id = puppet.next(1).await;
    let first = first.await.unwrap().unwrap();
    let error = first.result.unwrap_err();
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert!(
        error.payload.contains(&format!("RequestId: {id} Error: Task timed out after 1.00 seconds")),
        "{}",
        error.payload
    );
    let second = puppet.invoke();
    let id = puppet.next(2).await;
    puppet.respond(2, &id, "2").await;
    let second = second.await.unwrap().unwrap();
    assert_eq!((second.cold_start(), second.environment), (true, 2));
    puppet.host.shutdown().await;
}

#[tokio::test]
async fn a_process_that_dies_while_idle_is_replaced() {
    let puppet = Puppet::new(shell(""));
    let first = puppet.invoke();
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "1").await;
    first.await.unwrap().unwrap();
    let idle = puppet.host.pool("function").unwrap().idle_processes();
    std::process::Command::new("/bin/kill").args(["-9", &idle[0].to_string()]).status().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = puppet.invoke();
    let id = puppet.next(2).await;
    puppet.respond(2, &id, "2").await;
    assert_eq!(second.await.unwrap().unwrap().environment, 2);
    puppet.host.shutdown().await;
}

/// True while a process runs; one that has ended and waits to be reaped by somebody does not.
fn runs(process: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let after_name = |stat: String| stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.ok().and_then(after_name).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

async fn must_end(process: u32) {
    for _ in 0..100 {
        if !runs(process) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {process} still runs");
}

/// Waits for the first line of an environment, which is a process id, and returns it.
async fn first_line(logs: &Kept) -> u32 {
    for _ in 0..500 {
        let line = logs.0.lock().unwrap().first().cloned();
        if let Some(line) = line {
            return line.rsplit(' ').next().unwrap().parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was printed");
}

#[tokio::test]
async fn what_a_function_has_started_ends_with_it() {
    for (end, error_type) in [("wait", "Sandbox.Timedout"), ("exit 3", "Runtime.ExitError")] {
        let (host, logs) =
            host_with(shell(&format!("sleep 60 <&- >&- 2>&- & echo $!; {end}")), Duration::from_millis(700));
        let outcome = host.invoke("function", Bytes::new()).await.unwrap();
        assert_eq!(outcome.result.unwrap_err().error_type, error_type);
        must_end(first_line(&logs).await).await;
    }
    let (host, logs) = host(shell("sleep 60 & echo $!; wait"));
    let host = Arc::new(host);
    let invoked = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.invoke("function", Bytes::new()).await }
    });
    let started = first_line(&logs).await;
    assert!(runs(started));
    host.shutdown().await;
    assert_eq!(invoked.await.unwrap(), Err(HostError::ShutDown));
    must_end(started).await;
}

#[tokio::test]
async fn shutting_down_ends_every_process() {
    let puppet = Puppet::new(shell(""));
    let (idle, busy) = (puppet.invoke(), puppet.invoke());
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "1").await;
    puppet.next(2).await;
    let finished = tokio::time::timeout(Duration::from_secs(5), idle).await;
    let processes = puppet.host.pool("function").unwrap().idle_processes();
    puppet.host.shutdown().await;
    assert!(!processes.is_empty() && processes.iter().all(|process| !runs(*process)));
    // Which of the two calls got which environment is chance: one has an answer, the other was stopped.
    let outcomes = [finished.ok().map(Result::unwrap), Some(busy.await.unwrap())];
    assert!(outcomes.iter().flatten().any(|outcome| *outcome == Err(HostError::ShutDown)));
    assert_eq!(puppet.host.invoke("function", Bytes::new()).await, Err(HostError::ShutDown));
}

#[tokio::test]
async fn dropping_the_host_ends_its_processes() {
    let puppet = Puppet::new(shell(""));
    let first = puppet.invoke();
    let id = puppet.next(1).await;
    puppet.respond(1, &id, "1").await;
    first.await.unwrap().unwrap();
    let processes = puppet.host.pool("function").unwrap().idle_processes();
    drop(puppet);
    must_end(processes[0]).await;
}

#[tokio::test]
async fn the_process_sees_what_lambda_sets_and_nothing_else() {
    let mut config = shell("env; echo problem >&2; exit 1");
    config.environment.insert("OWN".to_owned(), "value".to_owned());
    let (host, logs) = host(config);
    host.invoke("function", Bytes::new()).await.unwrap();
    host.shutdown().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let lines = logs.0.lock().unwrap().clone();
    for expected in [
        "AWS_LAMBDA_FUNCTION_NAME=function",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
        "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
        "AWS_REGION=us-east-1",
        "_HANDLER=bootstrap",
        "TZ=:UTC",
        "OWN=value",
        "LAMBDA_TASK_ROOT=/bin",
    ] {
        assert!(lines.contains(&format!("function/1 Stdout {expected}")), "{expected}: {lines:?}");
    }
    assert!(lines.contains(&"function/1 Stderr problem".to_owned()));
    assert!(!lines.iter().any(|line| line.contains("CARGO") || line.contains("HOME=")), "{lines:?}");
}

#[tokio::test]
async fn settings_are_checked() {
    let check = |config: FunctionConfig, part: &str| {
        let error = LambdaHost::new(HostOptions::default()).register(config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(FunctionConfig { name: "a b".to_owned(), ..shell("") }, "the name is \"a b\", expected 1 to 64 letters");
    check(FunctionConfig { memory_mb: 64, ..shell("") }, "the memory is 64 MB, expected 128 to 10240 MB");
    check(
        FunctionConfig { timeout: Duration::from_secs(901), ..shell("") },
        "the timeout is 901s, expected 1 ms to 900s",
    );
    check(FunctionConfig { max_environments: Some(0), ..shell("") }, "expected 1 to 1000");
    let missing = PathBuf::from("/no/such/bootstrap");
    check(
        FunctionConfig { command: missing, ..shell("") },
        "the program /no/such/bootstrap does not exist; build it first",
    );
    check(FunctionConfig { command: PathBuf::from("/bin"), ..shell("") }, "the program /bin is not a file");
    let (host, _) = host(shell("exit 1"));
    assert_eq!(host.register(shell("")), Err(HostError::AlreadyRegistered("function".to_owned())));
    for name in ["function", "function:1", "arn:aws:lambda:us-east-1:1:function:function:$LATEST"] {
        assert!(host.invoke(name, Bytes::new()).await.is_ok(), "{name}");
    }
    let unknown = host.invoke("other", Bytes::new()).await.unwrap_err();
    assert_eq!(unknown.to_string(), "function \"other\" is not registered; registered: function");
    let failure: crate::services::TaskFailure = unknown.into();
    assert_eq!(failure.error, "Lambda.ResourceNotFoundException");
    let large = host.invoke("function", Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1])).await;
    assert_eq!(large, Err(HostError::EventTooLarge { bytes: PAYLOAD_BYTES_MAX + 1 }));
}
