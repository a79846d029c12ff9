//! `--endpoint NAME=URL`: a service that state machines call is reached at a URL instead of being played here.

use std::str::FromStr;

use crate::services::endpoints::Service;

/// A service and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ServiceEndpoint {
    pub(in crate::cli) service: Service,
    /// Looked at when the service is set up.
    pub(in crate::cli) url: String,
}

impl FromStr for ServiceEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("expected NAME=URL with one of sqs, sns, dynamodb and events, found {text:?}");
        let (name, url) = text.split_once('=').ok_or_else(expected)?;
        let service = Service::named(name).ok_or_else(expected)?;
        if url.is_empty() {
            return Err(expected());
        }
        Ok(Self { service, url: url.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_checked() {
        let service = |text: &str| text.parse::<ServiceEndpoint>().map(|endpoint| (endpoint.service, endpoint.url));
        assert_eq!(service("sqs=http://127.0.0.1:1"), Ok((Service::Sqs, "http://127.0.0.1:1".to_owned())));
        assert_eq!(service("events=http://h/?a=b").map(|(service, _)| service), Ok(Service::EventBridge));
        for wrong in ["sqs", "sqs=", "s3=http://127.0.0.1:1", "=http://127.0.0.1:1"] {
            assert!(service(wrong).unwrap_err().contains("one of sqs"), "{wrong}");
        }
    }
}
