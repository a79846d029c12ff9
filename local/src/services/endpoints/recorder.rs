//! Queues, topics and event buses that only remember what was sent to them; and what was written to tables.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::words::Fault;

/// Most bytes of messages that are remembered; the oldest are forgotten first.
pub const MESSAGES_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Largest message, in bytes, as in the services.
const MESSAGE_BYTES_MAX: usize = 256 * 1_024;
/// Most events of one call, as in the service.
const ENTRIES_MAX: usize = 10;

/// Something that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `sqs`, `sns`, `events` or `dynamodb`.
    pub service: &'static str,
    /// The action, for instance `sendMessage`.
    pub action: &'static str,
    /// URL of the queue, ARN of the topic, name of the bus or of the table.
    pub target: String,
    /// Its id.
    pub id: String,
    /// Everything that was sent, as the service would get it.
    pub content: Value,
    /// When it was sent.
    pub time: Timestamp,
}

impl Message {
    /// The message for programs; `number` is its place among all that were sent, from 1.
    #[must_use]
    pub fn to_json(&self, number: u64) -> Value {
        let Self { service, action, target, id, content, time } = self;
        let time = time.to_string();
        json!({"number": number, "time": time, "service": service, "action": action, "target": target, "id": id,
            "content": content})
    }
}

/// What was sent, in order.
#[derive(Debug, Default)]
pub struct Recorder {
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    messages: VecDeque<(usize, Message)>,
    bytes: usize,
    total: u64,
}

impl Recorder {
    /// The messages that are remembered, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.messages.iter().map(|(_, message)| message.clone()).collect()
    }

    /// Remembered messages behind the one with this number, oldest first, with their numbers: at most so many, and not many
    /// more bytes than so many, but at least one.
    #[must_use]
    pub fn messages_after(&self, number: u64, most: usize, bytes_max: usize) -> Vec<(u64, Message)> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = sent.total - sent.messages.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let skipped = skipped.min(sent.messages.len());
        let mut bytes = 0;
        let wanted = sent.messages.range(skipped..).zip(forgotten + 1 + skipped as u64..).take(most);
        let fitting = wanted.take_while(|((size, _), _)| {
            let fits = bytes < bytes_max;
            bytes += size;
            fits
        });
        fitting.map(|((_, message), number)| (number, message.clone())).collect()
    }

    /// How many messages were sent, forgotten ones included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Remembers something that was sent, and returns its id and its number.
    pub(super) fn keep(
        &self,
        service: &'static str,
        action: &'static str,
        target: &str,
        content: Value,
    ) -> (String, u64) {
        let id = uuid::Uuid::new_v4().to_string();
        let bytes = content.to_string().len();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.total += 1;
        sent.bytes += bytes;
        let time = Timestamp::now();
        let message = Message { service, action, target: target.to_owned(), id: id.clone(), content, time };
        sent.messages.push_back((bytes, message));
        while sent.bytes > MESSAGES_BYTES_MAX
            && let Some((bytes, _)) = sent.messages.pop_front()
        {
            sent.bytes -= bytes;
        }
        (id, sent.total)
    }

    pub(super) fn send_message(
        &self,
        parameters: &Map<String, Value>,
        queues: Option<&[String]>,
    ) -> Result<Map<String, Value>, Fault> {
        let queue = parameters.get("QueueUrl").and_then(Value::as_str).ok_or_else(|| missing("QueueUrl"))?;
        let known = |queue: &String, url: &str| url == queue || url.rsplit('/').next() == Some(queue);
        if queues.is_some_and(|queues| !queues.iter().any(|name| known(name, queue))) {
            let message = "The specified queue does not exist.";
            return Err(Fault::modeled("QueueDoesNotExist", 400, message));
        }
        let body = parameters.get("MessageBody").and_then(Value::as_str).filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| missing("MessageBody"))?;
        if body.len() > MESSAGE_BYTES_MAX {
            let message = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_BYTES_MAX} bytes."
            );
            return Err(Fault::unmodeled("InvalidParameterValue", 400, message));
        }
        let fifo = queue.ends_with(".fifo");
        if fifo && !parameters.contains_key("MessageGroupId") {
            return Err(missing("MessageGroupId"));
        }
        let (id, sequence) = self.keep("sqs", "sendMessage", queue, Value::Object(parameters.clone()));
        let mut result = Map::new();
        if let Some(Value::Object(attributes)) = parameters.get("MessageAttributes") {
            result.insert("MD5OfMessageAttributes".to_owned(), json!(attributes_digest(attributes)));
        }
        result.insert("MD5OfMessageBody".to_owned(), json!(hex::encode(Md5::digest(body))));
        result.insert("MessageId".to_owned(), json!(id));
        if fifo {
            result.insert("SequenceNumber".to_owned(), json!(sequence_number(sequence)));
        }
        Ok(result)
    }

    pub(super) fn publish(
        &self,
        parameters: &Map<String, Value>,
        topics: Option<&[String]>,
    ) -> Result<Map<String, Value>, Fault> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let target = text("TopicArn").or_else(|| text("TargetArn")).or_else(|| text("PhoneNumber"));
        let target = target.ok_or_else(|| {
            Fault::modeled(
                "InvalidParameter",
                400,
                "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
            )
        })?;
        if topics.is_some_and(|topics| !topics.iter().any(|topic| topic == target)) {
            return Err(Fault::modeled("NotFound", 404, "Topic does not exist"));
        }
        let message = text("Message").filter(|message| !message.is_empty());
        let message =
            message.ok_or_else(|| Fault::modeled("InvalidParameter", 400, "Invalid parameter: Empty message"))?;
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Fault::modeled("InvalidParameter", 400, "Invalid parameter: Message too long"));
        }
        if target.ends_with(".fifo") && text("MessageGroupId").is_none() {
            let message = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics";
            return Err(Fault::modeled("InvalidParameter", 400, message));
        }
        let (id, sequence) = self.keep("sns", "publish", target, Value::Object(parameters.clone()));
        let mut result = Map::from_iter([("MessageId".to_owned(), json!(id))]);
        if text("MessageGroupId").is_some() {
            result.insert("SequenceNumber".to_owned(), json!(sequence_number(sequence)));
        }
        Ok(result)
    }

    pub(super) fn put_events(&self, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let entries = parameters.get("Entries").and_then(Value::as_array).filter(|entries| !entries.is_empty());
        let invalid = |message: String| Fault::unmodeled("ValidationException", 400, message);
        let entries = entries.ok_or_else(|| {
            invalid(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must not be null"
                    .to_owned(),
            )
        })?;
        if entries.len() > ENTRIES_MAX {
            let found = entries.len();
            return Err(invalid(format!("{found} entries were given, the limit is {ENTRIES_MAX}")));
        }
        let mut failed = 0;
        let results: Vec<_> = entries
            .iter()
            .map(|entry| {
                let given = |name: &str| entry.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                if let Some(name) = ["Source", "DetailType", "Detail"].into_iter().find(|name| !given(name)) {
                    failed += 1;
                    let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                    return json!({"ErrorCode": "InvalidArgument", "ErrorMessage": message});
                }
                let bus = entry.get("EventBusName").and_then(Value::as_str).unwrap_or("default");
                json!({"EventId": self.keep("events", "putEvents", bus, entry.clone()).0})
            })
            .collect();
        Ok(Map::from_iter([
            ("Entries".to_owned(), Value::Array(results)),
            ("FailedEntryCount".to_owned(), json!(failed)),
        ]))
    }
}

fn missing(parameter: &str) -> Fault {
    Fault::unmodeled("MissingParameter", 400, format!("The request must contain the parameter {parameter}."))
}

/// FIFO queues and topics number their messages with twenty digits.
fn sequence_number(sequence: u64) -> String {
    format!("{:020}", 10_000_000_000_000_000_000_u64.saturating_add(sequence))
}

/// The digest of message attributes: names in order, each with its type and value, all with their lengths before them.
fn attributes_digest(attributes: &Map<String, Value>) -> String {
    let mut digest = Md5::new();
    let add = |digest: &mut Md5, text: &str| {
        digest.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(text);
    };
    let mut names: Vec<_> = attributes.keys().collect();
    names.sort();
    for name in names {
        let field = |field: &str| attributes[name].get(field).and_then(Value::as_str).unwrap_or_default();
        let kind = field("DataType");
        add(&mut digest, name);
        add(&mut digest, kind);
        let is_binary = kind.starts_with("Binary");
        digest.update([if is_binary { 2 } else { 1 }]);
        add(&mut digest, field(if is_binary { "BinaryValue" } else { "StringValue" }));
    }
    hex::encode(digest.finalize())
}
