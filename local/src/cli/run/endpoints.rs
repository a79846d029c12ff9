//! The services that state machines call besides functions and S3: reached at a URL (`--endpoint NAME=URL`) or played here,
//! with the tables that `--table` declares.

use std::str::FromStr;

use clap::Args;

use crate::services::endpoints::Service;

/// Options of `run` and `serve`.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ServiceOptions {
    /// Reach a service that state machines call (sqs, sns, dynamodb, events) at this endpoint, over plain HTTP, instead
    /// of playing it here; may be given several times
    #[arg(long, value_name = "NAME=URL")]
    pub(in crate::cli) endpoint: Vec<ServiceEndpoint>,

    /// Play a DynamoDB table with this partition key, and sort key; may be given several times. Without any, every table
    /// exists, with the key that the first call names
    #[arg(long, value_name = "NAME=KEY[,KEY]")]
    pub(in crate::cli) table: Vec<DeclaredTable>,
}

/// A table and the attributes of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct DeclaredTable {
    pub(in crate::cli) name: String,
    pub(in crate::cli) keys: Vec<String>,
}

impl FromStr for DeclaredTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("expected NAME=KEY or NAME=KEY,KEY, found {text:?}");
        let (name, keys) = text.split_once('=').ok_or_else(expected)?;
        let keys: Vec<String> = keys.split(',').map(str::to_owned).collect();
        if name.is_empty() || keys.len() > 2 || keys.iter().any(String::is_empty) {
            return Err(expected());
        }
        Ok(Self { name: name.to_owned(), keys })
    }
}

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

    #[test]
    fn tables_have_one_or_two_keys() {
        let table = |text: &str| text.parse::<DeclaredTable>().map(|table| (table.name, table.keys));
        assert_eq!(table("t=id"), Ok(("t".to_owned(), vec!["id".to_owned()])));
        assert_eq!(table("t=id,at"), Ok(("t".to_owned(), vec!["id".to_owned(), "at".to_owned()])));
        for wrong in ["t", "t=", "=id", "t=a,b,c", "t=a,"] {
            assert!(table(wrong).unwrap_err().contains("NAME=KEY"), "{wrong}");
        }
    }
}
