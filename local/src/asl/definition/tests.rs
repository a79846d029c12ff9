//! What the definition reader accepts, and how it refuses by name and path.

use serde_json::{Value, json};

use super::*;

/// A definition with one state of this body, named `S`.
fn single(state: Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state}})
}

fn distributed(extra: Value) -> Value {
    let mut state = json!({
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "End": true}},
        },
        "End": true,
    });
    state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    single(state)
}

fn accepts(definition: Value) {
    if let Err(error) = Definition::parse(&definition.to_string()) {
        panic!("{definition}: {error}");
    }
}

/// The error must stand at this path and contain this text.
fn refuses(definition: Value, path: &str, part: &str) {
    match Definition::parse(&definition.to_string()) {
        Ok(_) => panic!("accepted {definition}"),
        Err(error) => {
            assert_eq!(error.path, path, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[test]
fn machine_structure() {
    let pass = || json!({"Type": "Pass", "End": true});
    accepts(single(pass()));
    accepts(json!({"Comment": "c", "Version": "1.0", "QueryLanguage": "JSONPath", "TimeoutSeconds": 9, "StartAt": "S",
        "States": {"S": pass()}}));
    refuses(json!([]), "", "expected an object, found an array");
    refuses(json!({"States": {"S": pass()}}), "", "\"StartAt\" is required");
    refuses(json!({"StartAt": "S"}), "", "\"States\" is required");
    refuses(json!({"StartAt": "S", "States": {}}), "States", "at least one state");
    refuses(json!({"StartAt": "T", "States": {"S": pass()}}), "StartAt", "no state \"T\"");
    refuses(json!({"StartAt": "S", "States": {"S": pass()}, "Stats": 1}), "Stats", "not supported");
    refuses(json!({"QueryLanguage": "SQL", "StartAt": "S", "States": {"S": pass()}}), "QueryLanguage", "\"SQL\"");
    refuses(json!({"Version": "2.0", "StartAt": "S", "States": {"S": pass()}}), "Version", "\"2.0\"");
    refuses(json!({"StartAt": "S", "States": {"S": pass(), "T": pass()}}), "States.T", "no state leads here");
    refuses(single(json!({"Type": "Pass", "Next": "T"})), "States.S.Next", "no state \"T\"");
    refuses(single(json!({"Type": "Pass", "Next": "S"})), "States", "no state ends the machine");
    refuses(single(json!({"Type": "Pass"})), "States.S.Next", "leads nowhere");
    refuses(single(json!({"Type": "Pass", "End": true, "Next": "S"})), "States.S", "Next and End exclude each other");
    refuses(single(json!({"Type": "Pass", "End": false})), "States.S.Next", "leads nowhere");
    refuses(
        single(json!({"Type": "Activity"})),
        "States.S.Type",
        "\"Activity\" is not supported by the local engine yet",
    );
    refuses(single(json!({"End": true})), "States.S", "\"Type\" is required");
    refuses(
        json!({"StartAt": "x".repeat(81), "States": {"x".repeat(81): pass()}}),
        &format!("States.{}", "x".repeat(81)),
        "1 to 80 characters",
    );
    let too_large = format!("{{\"Comment\": \"{}\"}}", "x".repeat(DEFINITION_BYTES_MAX));
    assert!(Definition::parse(&too_large).unwrap_err().to_string().contains("the limit is 1048576"));
    assert!(Definition::parse("{").unwrap_err().to_string().starts_with("the definition is not valid JSON"));
}

#[test]
fn fields_of_states() {
    refuses(single(json!({"Type": "Succeed", "Assign": {}})), "States.S.Assign", "not supported");
    refuses(single(json!({"Type": "Pass", "End": true, "Output": 1})), "States.S.Output", "not supported");
    refuses(
        single(json!({"Type": "Pass", "End": true, "ResultPath": "$.a[*]"})),
        "States.S.ResultPath",
        "more than one place",
    );
    refuses(
        single(json!({"Type": "Pass", "End": true, "ResultPath": "$$.a"})),
        "States.S.ResultPath",
        "context object",
    );
    refuses(
        single(json!({"Type": "Pass", "End": true, "Parameters": {"a": [{"b.$": "x"}]}})),
        "States.S.Parameters.a[0].b.$",
        "expected a path",
    );
    refuses(single(json!({"Type": "Succeed", "Next": "S"})), "States.S.Next", "not supported");
    refuses(single(json!({"Type": "Fail", "InputPath": "$"})), "States.S.InputPath", "not supported");
    accepts(single(json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}', $.c)"})));
    refuses(single(json!({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"})), "States.S", "exclude each other");
    accepts(single(json!({"Type": "Wait", "SecondsPath": "$.s", "End": true})));
    accepts(single(json!({"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "End": true})));
    refuses(single(json!({"Type": "Wait", "End": true})), "States.S.Seconds", "is required");
    refuses(single(json!({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "End": true})), "States.S", "exclude");
    refuses(
        single(json!({"Type": "Wait", "Seconds": -1, "End": true})),
        "States.S.Seconds",
        "from 0 to 99999999, found -1",
    );
    refuses(single(json!({"Type": "Wait", "Timestamp": "soon", "End": true})), "States.S.Timestamp", "found \"soon\"");
    refuses(
        single(json!({"Type": "Parallel", "Branches": [], "End": true})),
        "States.S.Branches",
        "at least one branch",
    );
    refuses(
        single(
            json!({"Type": "Parallel", "End": true, "Branches": [{"StartAt": "A", "States": {"A": {"Type": "No"}}}]}),
        ),
        "States.S.Branches[0].States.A.Type",
        "\"No\"",
    );
}

#[test]
fn choices() {
    let choice = |rule: Value| {
        json!({"StartAt": "S", "States": {
            "S": {"Type": "Choice", "Choices": [rule]},
            "E": {"Type": "Succeed"},
        }})
    };
    let rule = |extra: Value| {
        let mut rule = json!({"Variable": "$.x", "Next": "E"});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        choice(rule)
    };
    accepts(rule(json!({"NumericEquals": 1, "Comment": "c"})));
    refuses(rule(json!({})), "States.S.Choices[0]", "compares nothing");
    refuses(
        rule(json!({"NumericEquals": 1, "StringEquals": "a"})),
        "States.S.Choices[0].StringEquals",
        "one operator too many",
    );
    refuses(rule(json!({"NumericIsPrime": true})), "States.S.Choices[0].NumericIsPrime", "not supported");
    refuses(rule(json!({"BooleanLessThan": true})), "States.S.Choices[0].BooleanLessThan", "not supported");
    refuses(
        rule(json!({"NumericEquals": "1"})),
        "States.S.Choices[0].NumericEquals",
        "expected a number, found a string",
    );
    refuses(rule(json!({"NumericEqualsPath": 1})), "States.S.Choices[0].NumericEqualsPath", "expected a path");
    refuses(rule(json!({"TimestampEquals": "now"})), "States.S.Choices[0].TimestampEquals", "expected a time");
    refuses(rule(json!({"IsNull": 1})), "States.S.Choices[0].IsNull", "expected true or false");
    refuses(rule(json!({"StringMatches": "\\x"})), "States.S.Choices[0].StringMatches", "escapes");
    refuses(choice(json!({"Condition": "{% true %}", "Next": "E"})), "States.S.Choices[0]", "\"Variable\" is required");
    refuses(choice(json!({"And": [], "Next": "E"})), "States.S.Choices[0].And", "at least one rule");
    refuses(
        choice(json!({"Not": {"Variable": "$.x", "NumericEquals": 1, "Next": "E"}, "Next": "E"})),
        "States.S.Choices[0].Not.Next",
        "only a rule at the top",
    );
    refuses(
        choice(json!({"Variable": "$.x", "IsNull": true, "Next": "X"})),
        "States.S.Choices[0].Next",
        "no state \"X\"",
    );
}

#[test]
fn tasks_and_handlers() {
    let task = |extra: Value| {
        let mut state = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "End": true});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        single(state)
    };
    let invoke =
        |parameters: Value| task(json!({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}));
    accepts(task(json!({"TimeoutSeconds": 5})));
    accepts(task(json!({"Resource": "arn:aws:lambda:us-east-1:1:function:f:$LATEST"})));
    accepts(invoke(json!({"FunctionName.$": "$.f", "Payload": {"a.$": "$"}})));
    refuses(
        task(json!({"Resource": "arn:aws:states:::sqs:receiveMessage"})),
        "States.S.Resource",
        "supported: arn:aws:states",
    );
    refuses(task(json!({"Resource": "arn:aws:states:::lambda:invoke.sync"})), "States.S.Resource", "not supported");
    accepts(task(json!({"HeartbeatSeconds": 5})));
    refuses(task(json!({"HeartbeatSeconds": 0})), "States.S.HeartbeatSeconds", "from 1 to");
    refuses(task(json!({"Credentials": {}})), "States.S.Credentials", "not supported");
    refuses(invoke(json!({"FunctionName": "f", "LogFile": "Tail"})), "States.S.Parameters.LogFile", "not supported");
    refuses(invoke(json!({"Payload": 1})), "States.S.Parameters", "\"FunctionName\"");
    refuses(invoke(json!({"FunctionName": 1})), "States.S.Parameters.FunctionName", "expected a string");
    refuses(task(json!({"Retry": [{"ErrorEquals": []}]})), "States.S.Retry[0].ErrorEquals", "at least one");
    refuses(
        task(json!({"Retry": [{"ErrorEquals": ["E"], "MaxAttempt": 1}]})),
        "States.S.Retry[0].MaxAttempt",
        "not supported",
    );
    refuses(
        task(json!({"Retry": [{"ErrorEquals": ["E"], "BackoffRate": 0.5}]})),
        "States.S.Retry[0].BackoffRate",
        "from 1 to",
    );
    refuses(
        task(json!({"Retry": [{"ErrorEquals": ["E"], "JitterStrategy": "SOME"}]})),
        "States.S.Retry[0].JitterStrategy",
        "supported: FULL, NONE",
    );
    refuses(
        task(json!({"Retry": [{"ErrorEquals": ["E"], "MaxDelaySeconds": 1}]})),
        "States.S.Retry[0].MaxDelaySeconds",
        "greater than IntervalSeconds",
    );
    refuses(task(json!({"Retry": [{"ErrorEquals": ["States.ALL", "E"]}]})), "States.S.Retry[0].ErrorEquals", "alone");
    refuses(
        task(json!({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]})),
        "States.S.Retry[0].ErrorEquals",
        "last",
    );
    refuses(task(json!({"Catch": [{"ErrorEquals": ["E"], "Next": "X"}]})), "States.S.Catch[0].Next", "no state \"X\"");
}

#[test]
fn item_readers() {
    let reader = |lists: bool, config: Value| {
        let (operation, place) = if lists { ("listObjectsV2", "Prefix") } else { ("getObject", "Key") };
        distributed(json!({"ItemReader": {"Resource": format!("arn:aws:states:::s3:{operation}"),
            "Parameters": {"Bucket": "b", format!("{place}.$"): "$.p"}, "ReaderConfig": config}}))
    };
    for (lists, config) in [
        (true, json!({})),
        (true, json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"})),
        (true, json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSON", "ItemsPointer": "/a~1b/0"})),
        (false, json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "PIPE"})),
        (false, json!({"InputType": "JSON", "ItemsPointer": "", "MaxItems": 100_000_000})),
        (false, json!({"InputType": "JSONL", "MaxItemsPath": "$.n"})),
        (false, json!({"InputType": "PARQUET"})),
        (false, json!({"InputType": "MANIFEST"})),
        (false, json!({"ManifestType": "S3_INVENTORY"})),
        (false, json!({"ManifestType": "ATHENA_DATA", "InputType": "PARQUET"})),
    ] {
        accepts(reader(lists, config));
    }
    for (lists, config, field, part) in [
        (true, json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}), "InputType", "LOAD_AND_FLATTEN"),
        (true, json!({"Transformation": "LOAD_AND_FLATTEN"}), "InputType", "required"),
        (true, json!({"ManifestType": "S3_INVENTORY"}), "ManifestType", "not supported"),
        (
            false,
            json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSON"}),
            "Transformation",
            "supported: NONE",
        ),
        (false, json!({}), "InputType", "required"),
        (false, json!({"InputType": "XML"}), "InputType", "supported: CSV, JSON, JSONL, PARQUET, MANIFEST"),
        (false, json!({"InputType": "CSV"}), "CSVHeaderLocation", "required"),
        (false, json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}), "CSVHeaders", "required"),
        (
            false,
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVHeaders": ["a"]}),
            "CSVHeaders",
            "only \"CSVHeaderLocation\": \"GIVEN\"",
        ),
        (
            false,
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", 1]}),
            "CSVHeaders[1]",
            "expected a string",
        ),
        (
            false,
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": ","}),
            "CSVDelimiter",
            "COMMA, PIPE, SEMICOLON, SPACE, TAB",
        ),
        (false, json!({"InputType": "JSONL", "CSVDelimiter": "TAB"}), "CSVDelimiter", "not supported"),
        (false, json!({"InputType": "JSONL", "ItemsPointer": "/a"}), "ItemsPointer", "not supported"),
        (false, json!({"InputType": "JSON", "ItemsPointer": "a"}), "ItemsPointer", "JSON Pointer"),
        (
            false,
            json!({"InputType": "JSON", "ItemsPointer": format!("/{}", "x".repeat(1_999))}),
            "ItemsPointer",
            "1999",
        ),
        (false, json!({"ManifestType": "S3_INVENTORY", "InputType": "CSV"}), "InputType", "no InputType"),
        (false, json!({"ManifestType": "ATHENA_DATA", "InputType": "JSON"}), "InputType", "one of CSV, JSONL, PARQUET"),
        (false, json!({"ManifestType": "ATHENA_DATA"}), "InputType", "one of CSV, JSONL, PARQUET"),
        (false, json!({"InputType": "JSON", "MaxItems": -1}), "MaxItems", "from 0 to 100000000"),
    ] {
        refuses(reader(lists, config), &format!("States.S.ItemReader.ReaderConfig.{field}"), part);
    }
    let parquet = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "PARQUET"},
        "Parameters": {"Bucket": "b", "Key": "k", "VersionId": "v"}});
    refuses(distributed(json!({"ItemReader": parquet})), "States.S.ItemReader.Parameters.VersionId", "not supported");
    let without_key = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "PARQUET"},
        "Parameters": {"Bucket": "b"}});
    refuses(distributed(json!({"ItemReader": without_key})), "States.S.ItemReader.Parameters", "\"Key\"");
}

#[test]
fn maps() {
    accepts(distributed(json!({})));
    accepts(distributed(json!({
        "Label": "Objects-1",
        "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket.$": "$.b", "Prefix": "p/"},
            "ReaderConfig": {"MaxItems": 5, "Transformation": "NONE"}},
        "ItemSelector": {"k.$": "$$.Map.Item.Value.Key"},
        "ItemBatcher": {"MaxItemsPerBatchPath": "$.n", "MaxInputBytesPerBatch": 1000, "BatchInput": {"x.$": "$.x"}},
        "MaxConcurrency": 10, "ToleratedFailureCount": 1, "ToleratedFailurePercentage": 2.5,
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix.$": "$.p"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}},
        "Retry": [{"ErrorEquals": ["States.ItemReaderFailed"]}],
    })));
    let reader = |extra: Value| {
        let mut reader = json!({"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"}});
        reader.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        distributed(json!({"ItemReader": reader}))
    };
    refuses(reader(json!({"Arguments": {}})), "States.S.ItemReader.Arguments", "not supported");
    refuses(reader(json!({"Parameters": {"Prefix": "p"}})), "States.S.ItemReader.Parameters", "\"Bucket\"");
    refuses(
        reader(json!({"Parameters": {"Bucket": "b", "StartAfter": "x"}})),
        "States.S.ItemReader.Parameters.StartAfter",
        "not supported",
    );
    refuses(distributed(json!({"ItemBatcher": {}})), "States.S.ItemBatcher", "one of MaxItemsPerBatch");
    refuses(
        distributed(json!({"ItemBatcher": {"MaxInputBytesPerBatch": 262_145}})),
        "States.S.ItemBatcher.MaxInputBytesPerBatch",
        "from 1 to 262144",
    );
    refuses(
        distributed(json!({"ItemBatcher": {"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.n"}})),
        "States.S.ItemBatcher",
        "exclude each other",
    );
    refuses(
        distributed(json!({"ToleratedFailurePercentage": 101})),
        "States.S.ToleratedFailurePercentage",
        "from 0 to 100",
    );
    refuses(distributed(json!({"ResultWriter": {}})), "States.S.ResultWriter", "WriterConfig");
    refuses(
        distributed(json!({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"}})),
        "States.S.ResultWriter",
        "belong together",
    );
    refuses(
        distributed(json!({"ResultWriter": {"WriterConfig": {"OutputType": "JSONL"}}})),
        "States.S.ResultWriter.WriterConfig.OutputType",
        "without \"Resource\"",
    );
    for (label, part) in [("", "1 to 40"), ("has space", "' '"), ("a/b", "'/'"), ("a*b", "'*'")] {
        refuses(distributed(json!({"Label": label})), "States.S.Label", part);
    }
    refuses(distributed(json!({"Label": "x".repeat(41)})), "States.S.Label", "1 to 40");
    let inline = |extra: Value| {
        let mut state = json!({"Type": "Map", "End": true,
            "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        single(state)
    };
    accepts(inline(json!({"MaxConcurrency": 3})));
    refuses(inline(json!({"Label": "L"})), "States.S.Label", "only a Map with \"Mode\": \"DISTRIBUTED\"");
    refuses(single(json!({"Type": "Map", "End": true})), "States.S", "\"ItemProcessor\" is required");
    refuses(
        single(json!({"Type": "Map", "End": true, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"},
            "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}})),
        "States.S.ItemProcessor.ProcessorConfig.ExecutionType",
        "required",
    );
}

#[test]
fn labels_are_unique_in_the_whole_definition() {
    let inner = |label: &str| {
        let mut states = distributed(json!({"Label": label}));
        states["States"]["S"].take()
    };
    let mut outer = distributed(json!({"Label": "Same"}));
    outer["States"]["S"]["ItemProcessor"]["States"] = json!({"P": inner("Same")});
    refuses(outer.clone(), "States.S.ItemProcessor.States.P.Label", "used by another Map");
    outer["States"]["S"]["ItemProcessor"]["States"] = json!({"P": inner("Other")});
    accepts(outer);
}

#[test]
fn only_standard_executions_may_run_a_distributed_map() {
    let inner = |states: Value| states["States"]["S"].clone();
    let nested = |outer: &str, inner: Value| {
        let mut states = distributed(json!({}));
        states["States"]["S"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!(outer);
        states["States"]["S"]["ItemProcessor"]["StartAt"] = json!("P");
        states["States"]["S"]["ItemProcessor"]["States"] = json!({"P": inner});
        states
    };
    let map = inner(distributed(json!({})));
    let branches = json!({"Type": "Parallel", "End": true,
        "Branches": [{"StartAt": "B", "States": {"B": map.clone()}}]});
    accepts(nested("STANDARD", map.clone()));
    accepts(nested("STANDARD", branches.clone()));
    let inner_path = "States.S.ItemProcessor.States.P";
    let check = |map: Value, path: &str| {
        let path = format!("{inner_path}{path}.ItemProcessor.ProcessorConfig.Mode");
        refuses(nested("EXPRESS", map), &path, "only STANDARD ones may run a Distributed Map");
    };
    check(map, "");
    check(branches, ".Branches[0].States.B");
}

#[test]
fn the_state_machines_of_this_house_are_accepted() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../statemachine");
    let function = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
    let values = BTreeMap::from([
        ("PlanFunctionArn".to_owned(), function("plan")),
        ("TransformFunctionArn".to_owned(), function("transform")),
        ("ReportFunctionArn".to_owned(), function("report")),
        ("NotificationTopicArn".to_owned(), "arn:aws:sns:us-east-1:000000000000:t".to_owned()),
        ("DeadLetterQueueUrl".to_owned(), "https://sqs.us-east-1.amazonaws.com/000000000000/q".to_owned()),
        ("FailureTableName".to_owned(), "failures".to_owned()),
    ]);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".asl.json") {
            let text = substitute(&std::fs::read_to_string(&path).unwrap(), &values).unwrap();
            Definition::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            seen += 1;
        }
    }
    assert!(seen > 0);
}
