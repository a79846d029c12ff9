//! Looking at a source with the function `plan`.
//!
//! The program is started by the Lambda host and invoked for a survey only: it lists and counts and writes nothing. A
//! folder is the source bucket of an embedded S3, as in `mapmill run`. For a bucket in AWS the program gets the `AWS_…`
//! variables of this process, and nothing else of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use job::Job;
use planner::Survey;
use serde_json::{Value, json};

use super::Arguments;
use crate::bounded_file;
use crate::cli::serve::{classify, warn_of_skipped};
use crate::cli::{CommandError, Terminal};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, WhenBusy};
use crate::s3::{ObjectStore, S3Server, StoreOptions};

/// The largest manifest.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// Lists a folder or a bucket; the job's source becomes the one that is listed.
pub(super) async fn list(
    arguments: &Arguments,
    source: &str,
    job: &mut Job,
    terminal: &Terminal,
) -> Result<Survey, CommandError> {
    if let Some(place) = source.strip_prefix("s3://") {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let wrong = |error: String| CommandError::usage(format!("--source: expected {error}"));
        job.source.bucket = job::BucketName::parse(bucket).map_err(wrong)?;
        job.source.prefix = job::Prefix::parse(prefix).map_err(wrong)?;
        return survey(arguments, job, cloud()?, place, None).await;
    }
    let store = embedded()?;
    let bucket = job.source.bucket.as_str();
    let report = store.mount(bucket, Path::new(source)).map_err(|error| classify("--source", error))?;
    warn_of_skipped(&report, terminal);
    let server = S3Server::start(store, 0).await.map_err(CommandError::failed)?;
    let found = survey(arguments, job, variables(&server), bucket, None).await;
    server.shutdown().await;
    found
}

/// Reads an inventory in S3, or one whose files lie on disk as they lay in their bucket.
pub(super) async fn inventory(arguments: &Arguments, manifest: &str, job: &Job) -> Result<Survey, CommandError> {
    if let Some(place) = manifest.strip_prefix("s3://") {
        let bucket = place.split('/').next().unwrap_or_default();
        return survey(arguments, job, cloud()?, bucket, Some(manifest)).await;
    }
    let path = std::path::absolute(manifest).map_err(CommandError::usage)?;
    let (bucket, root, key) = bucket_of(&path)?;
    let store = embedded()?;
    store.mount(&bucket, &root).map_err(|error| classify("--inventory", error))?;
    let server = S3Server::start(store, 0).await.map_err(CommandError::failed)?;
    let address = format!("s3://{bucket}/{key}");
    let found = survey(arguments, job, variables(&server), &bucket, Some(&address)).await;
    server.shutdown().await;
    found
}

/// The bucket that an inventory was written to, the folder that stands for it, and the key of the manifest there: the
/// nearest folder above the manifest below which its first file has the path of its key.
fn bucket_of(manifest: &Path) -> Result<(String, PathBuf, String), CommandError> {
    let text = bounded_file::read(manifest, MANIFEST_BYTES_MAX).map_err(CommandError::usage)?;
    let wrong = |message: &str| CommandError::usage(format!("--inventory: {}: {message}", manifest.display()));
    let content: Value = serde_json::from_slice(&text).map_err(|_| wrong("expected a manifest.json, found no JSON"))?;
    let bucket = content["destinationBucket"].as_str().and_then(|arn| arn.rsplit(':').next());
    let file = content.pointer("/files/0/key").and_then(Value::as_str);
    let (Some(bucket), Some(file)) = (bucket, file) else {
        return Err(wrong("expected the manifest.json of an S3 Inventory, with destinationBucket and files"));
    };
    let root = manifest.ancestors().skip(1).find(|folder| folder.join(file).is_file());
    let root = root.ok_or_else(|| {
        wrong("its first file was not found in a folder above it; copy the files as they lie in the bucket")
    })?;
    let key = manifest.strip_prefix(root).map_err(CommandError::failed)?;
    Ok((bucket.to_owned(), root.to_path_buf(), key.to_string_lossy().into_owned()))
}

fn embedded() -> Result<Arc<ObjectStore>, CommandError> {
    ObjectStore::new(StoreOptions::default()).map(Arc::new).map_err(CommandError::failed)
}

fn variables(server: &S3Server) -> BTreeMap<String, String> {
    server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The variables by which the program reaches AWS.
fn cloud() -> Result<BTreeMap<String, String>, CommandError> {
    let is_needed = |name: &str| name.starts_with("AWS_") || name == "HOME";
    let variables: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| is_needed(name)).collect();
    if variables.contains_key("AWS_REGION") {
        return Ok(variables);
    }
    Err(CommandError::usage(
        "expected the bucket's region in the environment variable AWS_REGION, and credentials beside it",
    ))
}

/// Invokes the program for a survey.
async fn survey(
    arguments: &Arguments,
    job: &Job,
    mut variables: BTreeMap<String, String>,
    readable: &str,
    inventory: Option<&str>,
) -> Result<Survey, CommandError> {
    variables.insert("MAPMILL_READ".to_owned(), readable.to_owned());
    variables.insert("MAPMILL_METRICS_NAMESPACE".to_owned(), String::new());
    let folder = match &arguments.functions {
        Some(folder) => std::path::absolute(folder).map_err(CommandError::usage)?,
        None => std::env::current_exe()
            .ok()
            .and_then(|program| program.parent().map(Path::to_path_buf))
            .ok_or_else(|| CommandError::usage("the folder of this program is not known; use --functions DIR"))?,
    };
    let host = LambdaHost::new(HostOptions::default());
    let config = FunctionConfig {
        name: "plan".to_owned(),
        command: folder.join("plan"),
        arguments: Vec::new(),
        memory_mb: 1769,
        limit_memory: false,
        timeout: Duration::from_secs(900),
        environment: variables,
        max_environments: Some(1),
        when_busy: WhenBusy::Wait,
    };
    host.register(config).map_err(CommandError::usage)?;
    let mut payload = json!({
        "mapmill": {"version": 1, "run_id": "survey", "job": job},
        "strategy": "packed",
        "batch": {"inventory": inventory},
        "survey": {},
    });
    // A long listing takes several invocations, as it does in the cloud.
    let counted = loop {
        let answer = match invoke(&host, &payload).await {
            Ok(answer) => answer,
            Err(error) => break Err(error),
        };
        if answer["continues"] != true {
            break serde_json::from_value(answer["survey"].clone()).map_err(CommandError::failed);
        }
        payload["survey"] = json!({"after": answer["after"], "counted": answer["survey"]});
    };
    host.shutdown().await;
    counted
}

async fn invoke(host: &LambdaHost, payload: &Value) -> Result<Value, CommandError> {
    let outcome = host.invoke("plan", Bytes::from(payload.to_string())).await.map_err(CommandError::failed)?;
    let answer = outcome.into_answer();
    let answer = answer.map_err(|failure| CommandError::failed(format!("{}: {}", failure.error, failure.cause)))?;
    serde_json::from_slice(&answer.payload).map_err(CommandError::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_inventory_is_found_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("lists");
        let day = base.join("raw/daily/2026-11-22T01-00Z");
        std::fs::create_dir_all(&day).unwrap();
        std::fs::create_dir_all(base.join("raw/daily/data")).unwrap();
        std::fs::write(base.join("raw/daily/data/1.csv.gz"), "x").unwrap();
        let manifest = day.join("manifest.json");
        let text = |key: &str| json!({"destinationBucket": "arn:aws:s3:::lists", "files": [{"key": key}]}).to_string();
        std::fs::write(&manifest, text("raw/daily/data/1.csv.gz")).unwrap();
        let found = bucket_of(&manifest).unwrap();
        assert_eq!(found, ("lists".to_owned(), base, "raw/daily/2026-11-22T01-00Z/manifest.json".to_owned()));
        std::fs::write(&manifest, text("raw/daily/data/2.csv.gz")).unwrap();
        assert!(bucket_of(&manifest).unwrap_err().to_string().contains("was not found in a folder above it"));
    }
}
