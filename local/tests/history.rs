//! `mapmill history` and `mapmill failures` against a running `mapmill serve`.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running `mapmill serve`, killed at the end.
struct Served {
    process: Child,
    endpoint: String,
}

impl Served {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_mapmill"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let endpoint = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL_SFN=").map(str::to_owned));
        Self { process, endpoint: endpoint.unwrap() }
    }

    /// Calls an operation and returns the whole answer.
    fn call(&self, operation: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.endpoint.strip_prefix("http://").unwrap()).unwrap();
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        #[expect(clippy::disallowed_methods, reason = "our own small answer")]
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
        answer
    }

    fn mapmill(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_mapmill"))
            .args(arguments)
            .env("AWS_ENDPOINT_URL_SFN", &self.endpoint)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every child goes through a Pass to a Fail; the Map tolerates it.
const MACHINE: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "Label": "each", "End": true,
    "ToleratedFailurePercentage": 100, "ItemProcessor": {"StartAt": "Shape",
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "TYPE"}, "States": {
    "Shape": {"Type": "Pass", "Parameters": {"seen.$": "$"}, "Next": "Broken"},
    "Broken": {"Type": "Fail", "Error": "Mine", "Cause": "as asked"}}}}}}"#;

#[test]
fn failures_name_the_state_and_its_input() {
    let served = Served::start();
    let check = |kind: &str, input: &str| {
        let definition = serde_json::json!(MACHINE.replace("TYPE", kind));
        let create =
            format!("{{\"name\":\"{kind}\",\"roleArn\":\"arn:aws:iam::0:role/r\",\"definition\":{definition}}}");
        served.call("CreateStateMachine", &create);
        let machine = format!("arn:aws:states:us-east-1:000000000000:stateMachine:{kind}");
        served.call(
            "StartExecution",
            &format!("{{\"stateMachineArn\":\"{machine}\",\"name\":\"one\",\"input\":\"[7,8]\"}}"),
        );
        let execution = machine.replace("stateMachine", "execution") + ":one";
        let describe = format!("{{\"executionArn\":\"{execution}\"}}");
        while served.call("DescribeExecution", &describe).contains("\"RUNNING\"") {
            std::thread::sleep(Duration::from_millis(20));
        }
        let (code, history, errors) = served.mapmill(&["history", &execution]);
        assert_eq!(code, Some(0), "{errors}");
        let lines: Vec<_> = history.lines().collect();
        assert_eq!(lines.len(), 8, "{history}");
        assert!(lines[1].contains("MapStateEntered  Each  input: [7,8]"), "{history}");
        assert!(lines[7].contains("     8 ") && lines[7].contains("ExecutionSucceeded"), "{history}");
        let (code, failures, errors) = served.mapmill(&["failures", &execution]);
        assert_eq!((code, failures.matches("FAILED arn:").count()), (Some(1), 2), "{failures}{errors}");
        for part in ["state  Broken", "error  Mine", "cause  as asked"] {
            assert_eq!(failures.matches(part).count(), 2, "{part}: {failures}");
        }
        assert!(failures.contains(&format!("input  {input}")), "{failures}");
        let (_, one, note) = served.mapmill(&["failures", &execution, "--limit", "1", "--json"]);
        let one: serde_json::Value = serde_json::from_str(one.trim()).unwrap();
        assert_eq!((one["state"].as_str(), note.contains("raise --limit")), (Some("Broken"), true), "{note}");
    };
    check("STANDARD", "{\"seen\":7}");
    // Express children have no history; what is shown is the input of the child.
    check("EXPRESS", "7");
    let (code, _, errors) = served.mapmill(&["history", "arn:aws:states:us-east-1:000000000000:execution:m:none"]);
    assert_eq!((code, errors.contains("Execution Does Not Exist")), (Some(1), true), "{errors}");
    let (code, _, errors) = served.mapmill(&["history", "none"]);
    assert_eq!((code, errors.contains("expected the ARN of an execution or the folder")), (Some(2), true), "{errors}");
}
