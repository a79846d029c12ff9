//! Alarms, dashboard and saved queries: what they look at exists, and the operating guide knows them.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use deployment::cases::{full, machines, plain};
use deployment::read;
use deployment::stack::STACK;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The alarms: logical name, properties.
fn alarms() -> BTreeMap<String, Value> {
    let stack = plain();
    let names = stack.resources("AWS::CloudWatch::Alarm").unwrap();
    names.into_iter().map(|name| (name.clone(), stack.properties(&name).unwrap())).collect()
}

/// Namespace, name and dimensions of every metric that an alarm looks at.
fn metrics(alarm: &Value) -> Vec<Value> {
    let of_expression =
        alarm["Metrics"].as_array().into_iter().flatten().map(|metric| metric["MetricStat"]["Metric"].clone());
    let mut found: Vec<Value> = of_expression.filter(|metric| !metric.is_null()).collect();
    if alarm["MetricName"].is_string() {
        found.push(alarm.clone());
    }
    assert!(!found.is_empty(), "{alarm}");
    found
}

#[test]
fn the_operating_guide_says_what_to_do_when_an_alarm_fires() {
    let guide = read("docs/operating.md").unwrap();
    let described: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### Alarm `"))
        .filter_map(|rest| rest.split('`').next())
        .collect();
    let mut named = BTreeSet::new();
    for (name, alarm) in alarms() {
        let slug = alarm["AlarmName"].as_str().unwrap().strip_prefix(&format!("{STACK}-")).unwrap().to_owned();
        assert!(
            alarm["AlarmDescription"].as_str().unwrap().contains(&format!("\"{slug}\" in docs/operating.md")),
            "{name}"
        );
        assert!(described.contains(slug.as_str()), "docs/operating.md has no heading: ### Alarm `{slug}`");
        named.insert(slug);
    }
    assert_eq!(described.len(), named.len(), "alarms that do not exist: {described:?}");
}

#[test]
fn every_alarm_tells_somebody_and_is_silent_without_data() {
    for (stack, topic) in [(plain(), format!("{STACK}-alarms")), (full(), "ops".to_owned())] {
        for name in stack.resources("AWS::CloudWatch::Alarm").unwrap() {
            let alarm = stack.properties(&name).unwrap();
            for actions in ["AlarmActions", "OKActions"] {
                assert!(alarm[actions][0].as_str().unwrap().ends_with(&format!(":{topic}")), "{name}");
            }
            assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
            assert!(alarm["DatapointsToAlarm"].as_u64() <= alarm["EvaluationPeriods"].as_u64(), "{name}");
        }
    }
}

#[test]
fn expressions_use_the_metrics_beside_them() {
    for (name, alarm) in alarms() {
        let parts = alarm["Metrics"].as_array().cloned().unwrap_or_default();
        let ids: BTreeSet<&str> = parts.iter().map(|part| part["Id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), parts.len(), "{name}: two metrics of one name");
        assert!(parts.len() <= 11, "{name}: CloudWatch takes ten metrics and their expression");
        let returned = parts.iter().filter(|part| part["ReturnData"] == true).count();
        assert!(parts.is_empty() || returned == 1, "{name}: an alarm looks at one value");
        for part in parts.iter().filter(|part| part["Expression"].is_string()) {
            let expression = part["Expression"].as_str().unwrap();
            let text =
                expression.replace(|character: char| !character.is_ascii_alphanumeric() && character != '_', " ");
            let words = text.split(' ').filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
            for word in words {
                let is_known = ids.contains(word) || ids.iter().any(|id| id.ends_with(&format!("_{word}")));
                assert!(is_known, "{name}: {word} in {expression} is no metric");
            }
        }
    }
}

#[test]
fn alarms_look_at_every_function_machine_and_map() {
    let of = |alarm: &str, dimension: &str| -> BTreeSet<String> {
        let dimensions =
            metrics(&alarms()[alarm]).into_iter().flat_map(|metric| metric["Dimensions"].as_array().cloned().unwrap());
        let own = dimensions.filter(|one| one["Name"] == dimension);
        own.map(|one| one["Value"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()).collect()
    };
    let names = |names: &[&str]| names.iter().map(|name| format!("{STACK}-{name}")).collect::<BTreeSet<_>>();
    let functions = names(&["plan", "transform", "report"]);
    for alarm in ["FunctionErrorsAlarm", "FunctionThrottlesAlarm", "DurationNearTimeoutAlarm"] {
        assert_eq!(of(alarm, "FunctionName"), functions, "{alarm}");
    }
    assert_eq!(of("RunsFailedAlarm", "StateMachineArn"), names(&["simple", "nested", "packed", "repair"]));
    // Of the maps inside: children count under the ARN of the machine with the label of the map.
    let children = of("BatchesFailedAlarm", "StateMachineArn");
    for (name, (properties, definition)) in machines(&plain()) {
        let machine = properties["Name"].as_str().unwrap();
        let labels: BTreeSet<String> =
            definition.labels().unwrap().iter().map(|label| format!("{machine}/{label}")).collect();
        let watched: BTreeSet<String> =
            children.iter().filter(|child| child.starts_with(&format!("{machine}/"))).cloned().collect();
        assert_eq!(watched, labels, "{name}");
    }
}

#[test]
fn metrics_of_our_own_are_those_of_the_log() {
    let stack = plain();
    let documented = read("docs/logging.md").unwrap();
    let mut made = BTreeSet::new();
    for name in stack.resources("AWS::Logs::MetricFilter").unwrap() {
        let filter = stack.properties(&name).unwrap();
        let metric = &filter["MetricTransformations"][0];
        let field = metric["MetricValue"].as_str().unwrap().strip_prefix("$.").unwrap();
        assert!(documented.contains(&format!("`{field}`")), "{name}: no line of the log has {field}");
        assert_eq!(filter["FilterPattern"], format!("{{ $.{field} > 0 }}"));
        made.insert(metric["MetricName"].as_str().unwrap().to_owned());
    }
    let alarms = alarms();
    let looked_at: BTreeSet<String> = metrics(&alarms["RecordsRejectedAlarm"])
        .iter()
        .map(|metric| metric["MetricName"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(looked_at, made);
}

#[test]
fn the_dashboard_shows_every_alarm_and_is_json() {
    let stack = full();
    let body = stack.properties("Dashboard").unwrap()["DashboardBody"].as_str().unwrap().to_owned();
    let board: Value = serde_json::from_str(&body).unwrap();
    let widgets = board["widgets"].as_array().unwrap();
    let shown: BTreeSet<&str> =
        widgets[0]["properties"]["alarms"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap()).collect();
    for (name, alarm) in alarms() {
        let end = format!(":alarm:{}", alarm["AlarmName"].as_str().unwrap());
        assert!(shown.iter().any(|arn| arn.ends_with(&end)), "{name} is not on the dashboard");
    }
    let documented = read("docs/logging.md").unwrap();
    for expression in body.split("MetricName=\\\"").skip(1).map(|rest| rest.split('\\').next().unwrap()) {
        assert!(documented.contains(&format!("`{expression}`")), "{expression} is no metric of ours");
    }
    // The label of a search is filled in by CloudWatch, not by CloudFormation.
    assert!(body.contains("${PROP('Dim.job')}"));
}

#[test]
fn saved_queries_are_those_of_the_operating_guide() {
    let guide = read("docs/operating.md").unwrap();
    let mut written = BTreeSet::new();
    let mut title = String::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("**") {
            title = rest.split("**").next().unwrap().to_owned();
        }
        if line == "```insights" {
            let query: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            written.insert((title.clone(), query.join("\n")));
        }
    }
    assert!(written.len() > 10);
    let stack = plain();
    let saved: BTreeSet<(String, String)> = stack
        .resources("AWS::Logs::QueryDefinition")
        .unwrap()
        .iter()
        .map(|name| {
            let query = stack.properties(name).unwrap();
            let title = query["Name"].as_str().unwrap().strip_prefix(&format!("{STACK}/")).unwrap().to_owned();
            (title, query["QueryString"].as_str().unwrap().trim_end().to_owned())
        })
        .collect();
    assert_eq!(saved, written);
}
