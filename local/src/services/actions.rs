//! The actions of services that a state machine may call here.

/// Services with their names in resources and their actions; all of them also as `aws-sdk:`.
const ACTIONS: [(&str, bool, &[&str]); 6] = [
    ("lambda", true, &["invoke"]),
    ("sqs", true, &["sendMessage"]),
    ("sns", true, &["publish"]),
    ("dynamodb", true, &["getItem", "putItem", "updateItem", "deleteItem"]),
    ("events", true, &["putEvents"]),
    (
        "s3",
        false,
        &[
            "getObject",
            "putObject",
            "headObject",
            "copyObject",
            "deleteObject",
            "listObjectsV2",
            "listBuckets",
            "headBucket",
        ],
    ),
];
/// What only the integration that is the same for all services has.
const SDK_ONLY: [(&str, &str); 2] = [("dynamodb", "query"), ("dynamodb", "describeTable")];
/// The prefix of that integration.
pub(crate) const SDK: &str = "aws-sdk:";
/// How it names EventBridge.
const SDK_EVENTS: &str = "eventbridge";

/// True when an action of a service can be called.
pub(crate) fn known(resource_type: &str, action: &str) -> bool {
    match resource_type.strip_prefix(SDK) {
        Some("lambda" | "events") => false,
        Some(SDK_EVENTS) => action == "putEvents",
        Some(service) => {
            ACTIONS.iter().any(|(name, _, actions)| *name == service && actions.contains(&action))
                || SDK_ONLY.contains(&(service, action))
        }
        None => ACTIONS
            .iter()
            .any(|(name, optimised, actions)| *optimised && *name == resource_type && actions.contains(&action)),
    }
}

/// All resources, for messages.
pub(crate) fn list(prefix: &str) -> String {
    let mut names = Vec::new();
    for (service, optimised, actions) in ACTIONS {
        for action in actions {
            if optimised {
                names.push(format!("{prefix}{service}:{action}"));
            }
            match service {
                "lambda" => {}
                "events" => names.push(format!("{prefix}{SDK}{SDK_EVENTS}:{action}")),
                service => names.push(format!("{prefix}{SDK}{service}:{action}")),
            }
        }
    }
    names.extend(SDK_ONLY.iter().map(|(service, action)| format!("{prefix}{SDK}{service}:{action}")));
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_called() {
        let check = |resource_type: &str, action: &str, expected: bool| {
            assert_eq!(known(resource_type, action), expected, "{resource_type}:{action}");
            let listed = list("").split(", ").any(|name| name == format!("{resource_type}:{action}"));
            assert_eq!(listed, expected, "{resource_type}:{action} in the list");
        };
        check("lambda", "invoke", true);
        check("aws-sdk:lambda", "invoke", false);
        check("sqs", "sendMessage", true);
        check("aws-sdk:sqs", "sendMessage", true);
        check("s3", "getObject", false);
        check("aws-sdk:s3", "getObject", true);
        check("dynamodb", "query", false);
        check("aws-sdk:dynamodb", "query", true);
        check("events", "putEvents", true);
        check("aws-sdk:eventbridge", "putEvents", true);
        check("aws-sdk:events", "putEvents", false);
        check("sqs", "receiveMessage", false);
    }
}
