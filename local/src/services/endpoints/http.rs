//! Services at an endpoint: their own protocols over plain HTTP, signed with Signature Version 4.
//!
//! SQS, DynamoDB and EventBridge speak JSON with the action in a header; SNS takes a form and answers in XML, of which two
//! fields are read. Answers are read up to a limit. The credentials are those of the environment
//! (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), or dummies, which stand-ins accept.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::Service;
use super::words::Fault;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const DUMMY: &str = "mapmill";

/// An endpoint that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL has another form.
    #[error("the endpoint \"{url}\" is not of the form http://host[:port]")]
    Url {
        /// What was given.
        url: String,
    },
}

/// A service at a URL.
pub(super) struct Endpoint {
    uri: Uri,
    region: String,
    credentials: Credentials,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Endpoint {
    pub(super) fn parse(url: &str, region: &str) -> Result<Self, EndpointError> {
        let refuse = || EndpointError::Url { url: url.to_owned() };
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| refuse())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() || !matches!(uri.path(), "" | "/") {
            return Err(refuse());
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| DUMMY.to_owned()),
            variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| DUMMY.to_owned()),
            variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { uri, region: region.to_owned(), credentials, client })
    }

    pub(super) async fn call(
        &self,
        service: Service,
        action: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Fault> {
        let name = capitalised(action);
        let (signing_name, content_type, target, body) = match service {
            Service::Sqs => ("sqs", JSON_1_0, Some(format!("AmazonSQS.{name}")), json_body(parameters)),
            Service::DynamoDb => {
                ("dynamodb", JSON_1_0, Some(format!("DynamoDB_20120810.{name}")), json_body(parameters))
            }
            Service::EventBridge => ("events", JSON_1_1, Some(format!("AWSEvents.{name}")), json_body(parameters)),
            Service::Sns => ("sns", "application/x-www-form-urlencoded; charset=utf-8", None, form(&name, parameters)),
        };
        let (status, answer) = self
            .post(signing_name, content_type, target.as_deref(), body)
            .await
            .map_err(|message| Fault::unmodeled("SdkClientException", 500, message))?;
        let answered = String::from_utf8_lossy(&answer);
        if service == Service::Sns {
            return from_xml(status, &answered);
        }
        let value: Value = serde_json::from_str(&answered).unwrap_or_default();
        match value {
            Value::Object(result) if status < 300 => Ok(result),
            other => {
                let text = |names: [&str; 2]| names.iter().find_map(|name| other.get(name)).and_then(Value::as_str);
                // The type may come with the name of the service's model before it.
                let code =
                    text(["__type", "code"]).map_or("InternalFailure", |code| code.rsplit('#').next().unwrap_or(code));
                let message = text(["message", "Message"]).unwrap_or("The service gave no message");
                Err(fault(code, status, message))
            }
        }
    }

    async fn post(
        &self,
        signing_name: &str,
        content_type: &str,
        target: Option<&str>,
        body: String,
    ) -> Result<(u16, Bytes), String> {
        let host = self.uri.authority().map(ToString::to_string).unwrap_or_default();
        let url = format!("http://{host}/");
        let mut headers = vec![("content-type", content_type), ("host", host.as_str())];
        headers.extend(target.map(|target| ("x-amz-target", target)));
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(signing_name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| format!("the request cannot be signed: {error}"))?;
        let signable =
            SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))
                .map_err(|error| format!("the request cannot be signed: {error}"))?;
        let (instructions, _) = sign(signable, &params.into())
            .map_err(|error| format!("the request cannot be signed: {error}"))?
            .into_parts();
        let (signed, _) = instructions.into_parts();
        let mut request = Request::post(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for header in signed {
            request = request.header(header.name(), header.value());
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let failed =
            |error: &dyn std::error::Error| format!("{host} cannot be reached: {}", crate::explain::explain(error));
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
            let status = answer.status().as_u16();
            let limited = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            #[expect(clippy::disallowed_methods, reason = "the body is limited")]
            let body = limited.collect().await;
            let body = body
                .map_err(|error| format!("{host} gave no whole answer of at most {ANSWER_BYTES_MAX} bytes: {error}"))?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answered)
            .await
            .unwrap_or_else(|_| Err(format!("{host} gave no answer within {} seconds", ANSWER_TIMEOUT.as_secs())))
    }
}

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

fn capitalised(action: &str) -> String {
    let mut name = action.to_owned();
    if name.is_char_boundary(1) && !name.is_empty() {
        name[..1].make_ascii_uppercase();
    }
    name
}

fn json_body(parameters: &Map<String, Value>) -> String {
    Value::Object(parameters.clone()).to_string()
}

/// The form of the query protocol: lists and maps get numbered entries.
fn form(action: &str, parameters: &Map<String, Value>) -> String {
    let mut fields = vec![("Action".to_owned(), action.to_owned()), ("Version".to_owned(), "2010-03-31".to_owned())];
    for (name, value) in parameters {
        match (name.as_str(), value) {
            ("MessageAttributes", Value::Object(attributes)) => {
                for (number, (attribute, value)) in attributes.iter().enumerate() {
                    let entry = format!("MessageAttributes.entry.{}", number + 1);
                    fields.push((format!("{entry}.Name"), attribute.clone()));
                    for (field, value) in value.as_object().into_iter().flatten() {
                        fields.push((format!("{entry}.Value.{field}"), scalar(value)));
                    }
                }
            }
            (name, value) => fields.push((name.to_owned(), scalar(value))),
        }
    }
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The two fields of an answer of SNS that matter, or its error.
fn from_xml(status: u16, text: &str) -> Result<Map<String, Value>, Fault> {
    let tag = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner.to_owned())
    };
    if status >= 300 {
        let code = tag("Code").unwrap_or_else(|| "InternalFailure".to_owned());
        return Err(fault(&code, status, &tag("Message").unwrap_or_else(|| "The service gave no message".to_owned())));
    }
    let fields = ["MessageId", "SequenceNumber"].into_iter();
    Ok(fields.filter_map(|name| Some((name.to_owned(), Value::String(tag(name)?)))).collect())
}

/// Errors that have no exception of their own in the models of the services.
fn fault(code: &str, status: u16, message: &str) -> Fault {
    let unmodeled =
        ["ValidationException", "MissingParameter", "InvalidParameterValue", "InternalFailure", "AccessDenied"];
    if unmodeled.contains(&code) {
        Fault::unmodeled(code, status, message)
    } else {
        Fault::modeled(code, status, message)
    }
}
