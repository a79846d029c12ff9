//! The committed JSON Schema is the one that the types generate, and accepts what the parser accepts.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("job.schema.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(&job::json_schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "shared/job/job.schema.json is out of date; regenerate it with: UPDATE_SCHEMA=1 cargo test -p job --test schema"
    );
}

#[test]
fn the_schema_knows_every_key_and_its_meaning() {
    let schema = job::json_schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let objects =
        definitions.values().chain(std::iter::once(&schema)).filter(|schema| schema.get("properties").is_some());
    for object in objects {
        assert_eq!(object["additionalProperties"], false, "{object}");
        for (key, property) in object["properties"].as_object().unwrap() {
            assert!(property.get("description").is_some(), "`{key}` has no description");
        }
    }
}
