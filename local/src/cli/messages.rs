//! `mapmill messages`: what state machines have sent to the queues, topics and event buses that are played on this machine,
//! and what they wrote to its tables.

use clap::builder::PossibleValuesParser;
use clap::{Args, value_parser};
use serde_json::{Value, json};

use super::run_folder::RunFolder;
use super::step_functions_client::{Endpoint, StepFunctions};
use super::terminal::{cut, human_count};
use super::{CommandError, Exit, Terminal, block_on};

/// What is shown of a message, in characters.
const SHOWN_CHARACTERS: usize = 1_000;
/// The operation of `mapmill serve`.
const LIST_MESSAGES: &str = "Mapmill.ListMessages";

/// Shows what state machines have sent to SQS, SNS and EventBridge and written to DynamoDB, where these are played on this
/// machine (without --endpoint): of a running `mapmill serve`, or of a finished `mapmill run`. The oldest comes first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mapmill messages --service sns\n  \
                  mapmill messages out/weather/_mapmill/weather-20261122T133342-518Z --json")]
pub(super) struct Arguments {
    /// The folder of a finished run that has its summary.json; without it a running `mapmill serve`
    #[arg(value_name = "RUN")]
    run: Option<std::path::PathBuf>,

    #[command(flatten)]
    endpoint: Endpoint,

    /// Only messages to this service
    #[arg(long, value_name = "NAME",
          value_parser = PossibleValuesParser::new(["sqs", "sns", "events", "dynamodb"]))]
    service: Option<String>,

    /// The most messages to show
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    limit: u32,

    /// Print one JSON object a line, nothing cut
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let mut shown = Shown { arguments, terminal, number: 0, left_out: 0 };
    match &arguments.run {
        Some(folder) => RunFolder::open(folder)?.for_each_message(|message| shown.take(&message))?,
        None => {
            let client = StepFunctions::new(&arguments.endpoint)?;
            let input = json!({"maxResults": 1_000});
            let take = |message: &Value| {
                shown.take(message);
                true
            };
            block_on(async {
                client.list(LIST_MESSAGES, input, "messages", take).await.map_err(CommandError::failed)
            })?;
        }
    }
    if shown.left_out > 0 {
        terminal.note(format!("{} more messages: raise --limit to see them", human_count(shown.left_out)));
    }
    Ok(Exit::Success)
}

struct Shown<'a> {
    arguments: &'a Arguments,
    terminal: &'a Terminal,
    number: u32,
    left_out: u64,
}

impl Shown<'_> {
    fn take(&mut self, message: &Value) {
        if self.arguments.service.as_deref().is_some_and(|wanted| message["service"] != wanted) {
            return;
        }
        if self.number >= self.arguments.limit {
            self.left_out += 1;
            return;
        }
        self.number += 1;
        let line = if self.arguments.json { message.to_string() } else { line(message) };
        self.terminal.line(line);
    }
}

/// A message in a line: its number and time, service and action, where it went, and what it says.
fn line(message: &Value) -> String {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    let content = &message["content"];
    let said = ["MessageBody", "Message", "Detail", "Item"].into_iter().find_map(|name| content.get(name));
    let said = match said {
        Some(Value::String(text)) => cut(text, SHOWN_CHARACTERS),
        Some(value) => cut(&value.to_string(), SHOWN_CHARACTERS),
        None => cut(&content.to_string(), SHOWN_CHARACTERS),
    };
    let number = message["number"].as_u64().unwrap_or_default();
    format!("{number:>6} {}  {}:{}  {}  {said}", text("time"), text("service"), text("action"), text("target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_in_a_line() {
        let check = |service: &str, action: &str, content: Value, expected: &str| {
            let message = json!({"number": 7, "time": "T", "service": service, "action": action, "target": "there",
                "id": "x", "content": content});
            assert_eq!(line(&message), format!("     7 T  {service}:{action}  there  {expected}"));
        };
        check("sqs", "sendMessage", json!({"QueueUrl": "there", "MessageBody": "hello"}), "hello");
        check("sns", "publish", json!({"Message": "a\nb"}), "a b");
        check("events", "putEvents", json!({"Source": "s", "Detail": "{}"}), "{}");
        check("dynamodb", "putItem", json!({"Item": {"id": {"S": "1"}}}), "{\"id\":{\"S\":\"1\"}}");
        check("dynamodb", "deleteItem", json!({"Key": {}}), "{\"Key\":{}}");
        check("sqs", "sendMessage", json!({"MessageBody": "x".repeat(1_001)}), &format!("{}…", "x".repeat(1_000)));
    }
}
