use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::s3::StoreOptions;

fn services() -> ServiceEndpoints {
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
    store.create_bucket("bucket").unwrap();
    let tables = BTreeMap::from([("table".to_owned(), vec!["id".to_owned()])]);
    let resources =
        Resources { topics: Some(vec!["arn:topic".to_owned()]), tables: Some(tables), ..Resources::default() };
    ServiceEndpoints::new(store, "us-east-1", resources)
}

/// Calls an action and compares its result without metadata, or the error and a part of the cause.
async fn check(services: &ServiceEndpoints, resource: &str, parameters: Value, expected: Result<Value, (&str, &str)>) {
    let (resource_type, action) = resource.rsplit_once(':').unwrap();
    let Value::Object(parameters) = parameters else { panic!("parameters are an object") };
    match (services.call(ServiceRequest { resource_type, action, parameters }).await, expected) {
        (Ok(Value::Object(mut found)), Ok(expected)) => {
            assert_eq!(found.shift_remove("SdkHttpMetadata").is_some(), !resource.starts_with(SDK), "{resource}");
            found.shift_remove("SdkResponseMetadata");
            for (name, value) in expected.as_object().unwrap() {
                let value = if value == "*" { &found[name] } else { value };
                assert_eq!(found.get(name), Some(value), "{resource}: {name} of {found:?}");
            }
            assert_eq!(found.len(), expected.as_object().unwrap().len(), "{resource}: {found:?}");
        }
        (Err(failure), Err((error, part))) => {
            assert_eq!(failure.error, error, "{resource}");
            assert!(failure.cause.contains(part), "{resource}: {}", failure.cause);
        }
        (found, expected) => panic!("{resource}: {found:?}, expected {expected:?}"),
    }
}

#[tokio::test]
async fn objects_of_the_embedded_s3() {
    let services = &services();
    let place = || json!({"Bucket": "bucket", "Key": "a/k"});
    let with = |extra: Value| {
        let mut all = place();
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    let put = json!({"ChecksumCRC32": "KUmHvQ==", "ChecksumType": "FULL_OBJECT",
        "ETag": "\"2b5df3712557f503a9977a8ea893b2c9\"", "ServerSideEncryption": "AES256"});
    check(services, "aws-sdk:s3:putObject", with(json!({"Body": "text data", "ContentType": "text/plain"})), Ok(put))
        .await;
    let described = json!({"AcceptRanges": "bytes", "ContentLength": 11, "ContentType": "text/plain", "ETag": "*",
        "LastModified": "*", "Metadata": {}, "ServerSideEncryption": "AES256"});
    let mut whole = described.clone();
    whole["Body"] = json!("\"text data\"");
    check(services, "aws-sdk:s3:getObject", place(), Ok(whole)).await;
    check(services, "aws-sdk:s3:headObject", place(), Ok(described)).await;
    let copy = json!({"Bucket": "bucket", "Key": "b", "CopySource": "bucket/a%2Fk"});
    check(
        services,
        "aws-sdk:s3:copyObject",
        copy,
        Ok(json!({"CopyObjectResult": "*", "ServerSideEncryption": "AES256"})),
    )
    .await;
    let listed = json!({"CommonPrefixes": [{"Prefix": "a/"}], "Contents": "*", "IsTruncated": false, "KeyCount": 2,
        "MaxKeys": 1000, "Name": "bucket", "Prefix": ""});
    check(services, "aws-sdk:s3:listObjectsV2", json!({"Bucket": "bucket", "Delimiter": "/"}), Ok(listed)).await;
    check(services, "aws-sdk:s3:deleteObject", place(), Ok(json!({}))).await;
    check(
        services,
        "aws-sdk:s3:getObject",
        place(),
        Err((
            "S3.NoSuchKeyException",
            "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: ",
        )),
    )
    .await;
    check(
        services,
        "aws-sdk:s3:getObject",
        json!({"Bucket": "other", "Key": "k"}),
        Err(("S3.NoSuchBucketException", "bucket does not exist")),
    )
    .await;
    check(
        services,
        "aws-sdk:s3:getObject",
        with(json!({"Range": "bytes=0-1"})),
        Err(("S3.S3Exception", "parameter Range")),
    )
    .await;
    check(services, "aws-sdk:s3:getObject", json!({"Bucket": "bucket"}), Err(("S3.S3Exception", "parameter Key")))
        .await;
}

#[tokio::test]
async fn messages_are_recorded() {
    let services = &services();
    let queue = "http://sqs/000000000000/q";
    check(
        services,
        "sqs:sendMessage",
        json!({"QueueUrl": queue, "MessageBody": {"a": 1}}),
        Ok(json!({"MD5OfMessageBody": "bb6cb5c68df4652941caf652a366f2d8", "MessageId": "*"})),
    )
    .await;
    let attributes = json!({"one": {"DataType": "String", "StringValue": "Hello"}});
    check(services, "aws-sdk:sqs:sendMessage", json!({"QueueUrl": queue, "MessageBody": "x", "MessageAttributes": attributes}),
        Ok(json!({"MD5OfMessageAttributes": "*", "MD5OfMessageBody": "9dd4e461268c8034f5c8564e155c67a6", "MessageId": "*"}))).await;
    check(services, "sqs:sendMessage", json!({"QueueUrl": queue, "MessageBody": null}), Err(("SQS.AmazonSQSException",
        "The request must contain the parameter MessageBody. (Service: AmazonSQS; Status Code: 400; Error Code: MissingParameter; "))).await;
    check(
        services,
        "sns:publish",
        json!({"TopicArn": "arn:topic", "Message": {"b": 2}, "MessageGroupId": "g"}),
        Ok(json!({"MessageId": "*", "SequenceNumber": "*"})),
    )
    .await;
    check(
        services,
        "sns:publish",
        json!({"TopicArn": "arn:other", "Message": "x"}),
        Err((
            "SNS.NotFoundException",
            "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; ",
        )),
    )
    .await;
    check(
        services,
        "aws-sdk:sns:publish",
        json!({"TopicArn": "arn:other", "Message": "x"}),
        Err(("Sns.NotFoundException", "Topic does not exist (Service: Sns, Status Code: 404, ")),
    )
    .await;
    let entry = json!({"Source": "s", "DetailType": "t", "Detail": {"c": 3}});
    check(
        services,
        "events:putEvents",
        json!({"Entries": [entry, {"Source": "s"}]}),
        Ok(json!({"Entries": "*", "FailedEntryCount": 1})),
    )
    .await;
    let messages = services.recorder().messages();
    let found: Vec<_> = messages.iter().map(|message| (message.service, message.target.as_str())).collect();
    assert_eq!(found, [("sqs", queue), ("sqs", queue), ("sns", "arn:topic"), ("events", "default")]);
    assert_eq!(messages[0].content["MessageBody"], json!("{\"a\":1}"));
    assert_eq!(messages[3].content["Detail"], json!("{\"c\":3}"));
    assert_eq!(services.recorder().total(), 4);
}

#[tokio::test]
async fn items_lie_in_tables() {
    let services = &services();
    let key = json!({"id": {"S": "1"}});
    let item = json!({"id": {"S": "1"}, "n": {"N": "4"}});
    let with = |extra: Value| {
        let mut all = json!({"TableName": "table"});
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    check(services, "dynamodb:putItem", with(json!({"Item": item})), Ok(json!({}))).await;
    check(services, "aws-sdk:dynamodb:getItem", with(json!({"Key": key})), Ok(json!({"Item": item}))).await;
    let update = json!({"Key": key, "UpdateExpression": "set #m = n + :one, s = :s remove n", "ReturnValues": "UPDATED_NEW",
        "ExpressionAttributeNames": {"#m": "m"}, "ExpressionAttributeValues": {":one": {"N": "1"}, ":s": {"S": "x"}}});
    check(services, "dynamodb:updateItem", with(update), Ok(json!({"Attributes": {"m": {"N": "5"}, "s": {"S": "x"}}})))
        .await;
    let query = json!({"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "1"}}});
    check(services, "aws-sdk:dynamodb:query", with(query), Ok(json!({"Count": 1, "Items": "*", "ScannedCount": 1})))
        .await;
    check(
        services,
        "dynamodb:deleteItem",
        with(json!({"Key": key, "ReturnValues": "ALL_OLD"})),
        Ok(json!({"Attributes": "*"})),
    )
    .await;
    check(services, "dynamodb:getItem", with(json!({"Key": key})), Ok(json!({}))).await;
    check(services, "dynamodb:putItem", json!({"TableName": "none", "Item": item}), Err(("DynamoDB.ResourceNotFoundException",
        "Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException; "))).await;
    check(
        services,
        "aws-sdk:dynamodb:putItem",
        json!({"TableName": "none", "Item": null}),
        Err((
            "DynamoDb.DynamoDbException",
            "Value null at 'item' failed to satisfy constraint: Member must not be null (Service: DynamoDb, ",
        )),
    )
    .await;
    check(
        services,
        "dynamodb:putItem",
        with(json!({"Item": item, "ConditionExpression": "x"})),
        Err(("DynamoDB.AmazonDynamoDBException", "parameter ConditionExpression")),
    )
    .await;
    let add = json!({"Key": key, "UpdateExpression": "ADD n :one"});
    check(services, "dynamodb:updateItem", with(add), Err(("DynamoDB.AmazonDynamoDBException", "ADD n :one"))).await;
    let large = "x".repeat(400 * 1_024);
    check(
        services,
        "dynamodb:putItem",
        with(json!({"Item": {"id": {"S": "1"}, "b": {"S": large}}})),
        Err(("DynamoDB.AmazonDynamoDBException", "Item size has exceeded")),
    )
    .await;
}

#[tokio::test]
async fn tables_that_nobody_declared_learn_their_key() {
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
    let services = &ServiceEndpoints::new(store, "us-east-1", Resources::default());
    let item = |id: &str, n: u64| json!({"id": {"S": id}, "n": {"N": n.to_string()}});
    let put = |item: Value| json!({"TableName": "any", "Item": item});
    let key = |id: &str| json!({"TableName": "any", "Key": {"id": {"S": id}}});
    for put_item in [item("a", 1), item("b", 2), item("a", 3), json!({"other": {"S": "x"}})] {
        check(services, "dynamodb:putItem", put(put_item), Ok(json!({}))).await;
    }
    let query = json!({"TableName": "any", "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "b"}}});
    check(services, "aws-sdk:dynamodb:query", query, Ok(json!({"Count": 1, "Items": "*", "ScannedCount": 1}))).await;
    let mut old = put(item("a", 4));
    old["ReturnValues"] = json!("ALL_OLD");
    let hint = "declare it with --table any=KEY";
    check(services, "dynamodb:putItem", old.clone(), Err(("DynamoDB.AmazonDynamoDBException", hint))).await;
    check(services, "dynamodb:getItem", key("a"), Ok(json!({"Item": item("a", 3)}))).await;
    check(services, "dynamodb:putItem", old, Ok(json!({"Attributes": item("a", 3)}))).await;
    check(services, "dynamodb:deleteItem", key("b"), Ok(json!({}))).await;
    check(services, "dynamodb:getItem", key("b"), Ok(json!({}))).await;
    let written = services.recorder().messages();
    let written: Vec<_> = written.iter().map(|message| (message.action, message.target.as_str())).collect();
    assert_eq!(written, [[("putItem", "any"); 5].as_slice(), &[("deleteItem", "any")]].concat());
}

/// Answers one request with this text and returns what was asked.
async fn stand_in(status: u16, answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0; 4_096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            asked.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&asked).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                break;
            }
        }
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    (url, asked)
}

#[tokio::test]
async fn endpoints_are_called_in_their_protocol() {
    let mut services = services();
    let (url, asked) = stand_in(200, "{\"MessageId\": \"m\", \"MD5OfMessageBody\": \"d\"}").await;
    services.reach(Service::Sqs, &url).unwrap();
    check(
        &services,
        "sqs:sendMessage",
        json!({"QueueUrl": "q", "MessageBody": {"a": 1}}),
        Ok(json!({"MessageId": "m", "MD5OfMessageBody": "d"})),
    )
    .await;
    let asked = asked.await.unwrap();
    for part in
        ["x-amz-target: AmazonSQS.SendMessage", "/us-east-1/sqs/aws4_request", "\"MessageBody\":\"{\\\"a\\\":1}\""]
    {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let (url, asked) = stand_in(404, "<E><Code>NotFound</Code><Message>Topic does not exist</Message></E>").await;
    services.reach(Service::Sns, &url).unwrap();
    check(
        &services,
        "sns:publish",
        json!({"TopicArn": "arn:topic", "Message": "a b"}),
        Err(("SNS.NotFoundException", "Topic does not exist (Service: AmazonSNS; Status Code: 404; ")),
    )
    .await;
    assert!(asked.await.unwrap().ends_with("Action=Publish&Version=2010%2D03%2D31&TopicArn=arn%3Atopic&Message=a%20b"));
    let (url, _asked) = stand_in(400, "{\"__type\": \"com.x#ResourceNotFoundException\", \"message\": \"none\"}").await;
    services.reach(Service::DynamoDb, &url).unwrap();
    check(
        &services,
        "aws-sdk:dynamodb:getItem",
        json!({"TableName": "t", "Key": {}}),
        Err(("DynamoDb.ResourceNotFoundException", "none (Service: DynamoDb, Status Code: 400")),
    )
    .await;
    services.reach(Service::EventBridge, "http://127.0.0.1:9").unwrap();
    check(
        &services,
        "events:putEvents",
        json!({"Entries": []}),
        Err(("EventBridge.AmazonEventBridgeException", "127.0.0.1:9 cannot be reached")),
    )
    .await;
    for url in ["https://host", "host", "http://host/path", ""] {
        assert_eq!(services.reach(Service::Sqs, url), Err(EndpointError::Url { url: url.to_owned() }));
    }
}
