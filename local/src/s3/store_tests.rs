use super::*;
use crate::s3::conditions::TagCondition;
use crate::s3::key_path::UnmappableKey;
use crate::s3::multipart::{MIN_PART_BYTES, NamedPart, NewUpload};
use std::fs;

fn store() -> ObjectStore {
    ObjectStore::new(StoreOptions { inline_bytes: 16, memory_bytes: 1000, ..StoreOptions::default() }).unwrap()
}

async fn put(store: &ObjectStore, key: &str, content: &str) -> EntityTag {
    store.put("out", key, content.as_bytes(), Attributes::default(), WriteCondition::None).await.unwrap()
}

async fn get(store: &ObjectStore, bucket: &str, key: &str) -> String {
    match store.get(bucket, key, 1 << 20).await {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Err(error) => format!("error: {error}"),
    }
}

fn keys(store: &ObjectStore, bucket: &str) -> Vec<String> {
    store.list(bucket, &ListRequest::default()).unwrap().objects.into_iter().map(|object| object.key).collect()
}

/// All files below a folder by their relative paths, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_plain_bucket_keeps_small_and_large_bodies() {
    let store = store();
    store.create_bucket("out").unwrap();
    store.create_bucket("out").unwrap();
    let large = "0123456789".repeat(100_000);
    put(&store, "small", "hello").await;
    put(&store, "large", &large).await;
    assert_eq!(get(&store, "out", "small").await, "hello");
    assert_eq!(get(&store, "out", "large").await, large);
    assert_eq!(store.memory_in_use(), 5);
    assert_eq!(store.totals("out").unwrap(), Totals { objects: 2, bytes: 5 + 1_000_000 });
    put(&store, "small", "x").await;
    store.delete("out", "large", WriteCondition::None).await.unwrap();
    store.delete("out", "large", WriteCondition::None).await.unwrap();
    assert_eq!(store.totals("out").unwrap(), Totals { objects: 1, bytes: 1 });
    assert_eq!(store.memory_in_use(), 1);
    assert!(matches!(store.get("out", "large", 10).await, Err(StoreError::NoSuchKey { .. })));
    assert!(matches!(store.get("none", "x", 10).await, Err(StoreError::NoSuchBucket { .. })));
    assert!(matches!(store.get("out", "small", 0).await, Err(StoreError::TooLarge { limit: 0, .. })));
}

#[tokio::test]
async fn a_reader_keeps_its_state_while_the_object_is_replaced() {
    let store = store();
    store.create_bucket("out").unwrap();
    put(&store, "k", &"old ".repeat(100)).await;
    let open = store.open("out", "k").await.unwrap();
    put(&store, "k", "new").await;
    assert_eq!(open.read_to_bytes(1000).await.unwrap(), "old ".repeat(100));
    assert_eq!(get(&store, "out", "k").await, "new");
}

#[tokio::test]
async fn ranges_cross_the_parts_of_an_upload() {
    let store = store();
    store.create_bucket("out").unwrap();
    let contents: Vec<String> = [MIN_PART_BYTES, MIN_PART_BYTES + 3, 5]
        .iter()
        .zip(["a", "b", "c"])
        .map(|(n, t)| t.repeat(*n as usize))
        .collect();
    let upload = upload(&store, "k", &contents).await;
    complete(&store, &upload, "k", &[1, 2, 3]).await.unwrap();
    let whole = contents.concat();
    let read = async |start: u64, length: u64| {
        use futures::TryStreamExt;
        let stream = store.open("out", "k").await.unwrap().read(start, length).await.unwrap();
        stream.try_collect::<Vec<_>>().await.unwrap().concat()
    };
    for (start, length) in [
        (0, whole.len() as u64),
        (MIN_PART_BYTES - 2, 4),
        (MIN_PART_BYTES - 2, MIN_PART_BYTES + 9),
        (whole.len() as u64 - 7, 100),
        (3, 0),
    ] {
        let end = (start + length).min(whole.len() as u64) as usize;
        assert!(read(start, length).await == whole.as_bytes()[start as usize..end], "{start} {length}");
    }
}

async fn upload(store: &ObjectStore, key: &str, contents: &[String]) -> String {
    let bucket = store.bucket("out").unwrap();
    let uploads = store.uploads();
    let id = uploads.create(bucket.name(), NewUpload::plain(ObjectKey::parse(key).unwrap())).unwrap();
    for (position, content) in contents.iter().enumerate().rev() {
        let number = i32::try_from(position).unwrap() + 1;
        uploads.check_part(&id, "out", key, number).unwrap();
        let mut writer = store.receive("out", ChecksumHasher::default()).unwrap();
        writer.write(content.as_bytes()).await.unwrap();
        uploads.add_part(&id, "out", key, number, writer.finish().await.unwrap()).unwrap();
    }
    id
}

async fn complete(store: &ObjectStore, id: &str, key: &str, numbers: &[i32]) -> Result<EntityTag, StoreError> {
    let named: Vec<NamedPart> =
        numbers.iter().map(|number| NamedPart { number: *number, ..Default::default() }).collect();
    let assembled = store.uploads().assemble(id, "out", key, &named)?;
    let new = NewObject {
        content: Content::Parts(assembled.blobs),
        size: assembled.size,
        tag: assembled.tag,
        attributes: assembled.attributes,
        checksum: None,
        tags: assembled.tags,
    };
    store.commit_new("out", key, new, WriteCondition::None).await
}

#[tokio::test]
async fn multipart_rules() {
    let store = store();
    store.create_bucket("out").unwrap();
    let big = "x".repeat(MIN_PART_BYTES as usize);
    let id = upload(&store, "k", &[big.clone(), "small".to_owned(), big]).await;
    let check = async |numbers: &[i32], expected: &str| {
        let outcome = match complete(&store, &id, "k", numbers).await {
            Ok(tag) => tag.to_string().split_off(32),
            Err(StoreError::InvalidPart { part }) => format!("invalid {part}"),
            Err(StoreError::InvalidPartOrder { part, previous }) => format!("order {previous} {part}"),
            Err(StoreError::PartTooSmall { part, .. }) => format!("small {part}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected, "{numbers:?}");
    };
    check(&[], "a multipart upload needs at least one part").await;
    check(&[1, 4], "invalid 4").await;
    check(&[3, 1], "order 3 1").await;
    check(&[1, 1], "order 1 1").await;
    check(&[0], "order 0 0").await;
    check(&[1, 2, 3], "small 2").await;
    check(&[2, 1], "order 2 1").await;
    check(&[1, 3], "-2").await;
    check(&[1, 3, 2], "order 3 2").await;
    check(&[2], "-1").await;

    let uploads = store.uploads();
    let wrong_tag = NamedPart { number: 1, tag: Some("00".repeat(16)), ..Default::default() };
    assert!(matches!(uploads.assemble(&id, "out", "k", &[wrong_tag]), Err(StoreError::InvalidPart { part: 1 })));
    assert!(matches!(uploads.check_part(&id, "out", "other", 1), Err(StoreError::NoSuchUpload { .. })));
    assert!(matches!(uploads.check_part(&id, "out", "k", 10_001), Err(StoreError::InvalidArgument { .. })));
    uploads.remove(&id, "out", "k").unwrap();
    assert!(matches!(uploads.remove(&id, "out", "k"), Err(StoreError::NoSuchUpload { .. })));
}

#[tokio::test]
async fn one_of_many_conditional_writers_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store());
    store.materialise("out", &folder.path().join("o")).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let content = format!("writer {number}");
            let written =
                store.put("out", "k", content.as_bytes(), Attributes::default(), WriteCondition::Absent).await;
            written.is_ok().then_some(content)
        });
    }
    let winners: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(get(&store, "out", "k").await, winners[0]);
    let stale = WriteCondition::Matches(TagCondition::Tag("00".repeat(16)));
    assert!(matches!(
        store.put("out", "k", b"x", Attributes::default(), stale).await,
        Err(StoreError::PreconditionFailed { condition: "If-Match", .. })
    ));
}

#[tokio::test]
async fn mounted_files_are_read_in_place_and_changes_show() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("a")).unwrap();
    fs::write(data.path().join("a/1"), "one").unwrap();
    fs::write(data.path().join("b"), "two").unwrap();
    let store = store();
    let report = store.mount("src", data.path()).unwrap();
    assert_eq!((report.files, report.bytes), (2, 6));
    assert_eq!(keys(&store, "src"), ["a/1", "b"]);
    assert_eq!(get(&store, "src", "a/1").await, "one");

    let listed = store.list("src", &ListRequest::default()).unwrap().objects;
    assert_eq!(store.open("src", "b").await.unwrap().tag(), listed[1].tag);
    let open = store.open("src", "b").await.unwrap();
    fs::write(data.path().join("b"), "three").unwrap();
    assert!(matches!(open.read_to_bytes(10).await, Err(StoreError::ChangedOutside { .. })));
    let changed = store.open("src", "b").await.unwrap();
    assert_ne!(changed.tag(), listed[1].tag);
    assert_eq!(changed.size(), 5);
    assert_eq!(get(&store, "src", "b").await, "three");
    fs::remove_file(data.path().join("b")).unwrap();
    assert!(matches!(store.open("src", "b").await, Err(StoreError::NoSuchKey { .. })));

    store.delete("src", "a/1", WriteCondition::None).await.unwrap();
    assert_eq!(keys(&store, "src"), ["b"]);
    assert!(data.path().join("a/1").exists(), "a mounted file is never deleted");
    assert!(matches!(store.mount("src", data.path()), Err(StoreError::BucketInUse { .. })));
}

#[tokio::test]
async fn objects_become_files_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let store = store();
    store.materialise("out", &out).unwrap();
    let mut writer = store.receive("out", ChecksumHasher::default()).unwrap();
    writer.write("half of a large body".repeat(10).as_bytes()).await.unwrap();
    assert!(!out.join("x/y.json").exists());
    assert!(files(&out).iter().all(|file| file.starts_with(".mapmill/staging/")));
    store
        .commit("out", "x/y.json", writer.finish().await.unwrap(), Attributes::default(), WriteCondition::None)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(out.join("x/y.json")).unwrap(), "half of a large body".repeat(10));
    put(&store, "x/z", "small").await;
    put(&store, "x/z", "smaller").await;
    assert_eq!(files(&out), ["x/y.json", "x/z"]);

    let big = "b".repeat(MIN_PART_BYTES as usize);
    let id = upload(&store, "parts", &[big.clone(), "tail".to_owned()]).await;
    assert!(!out.join("parts").exists());
    complete(&store, &id, "parts", &[1, 2]).await.unwrap();
    assert_eq!(fs::read_to_string(out.join("parts")).unwrap(), big + "tail");
    store.uploads().remove(&id, "out", "parts").unwrap();
    assert_eq!(get(&store, "out", "x/y.json").await.len(), 200);

    put(&store, "../escape", "1").await;
    put(&store, "x", "2").await;
    let (unmapped, total) = store.unmapped("out", 1).unwrap();
    assert_eq!((unmapped.len(), total), (1, 2));
    assert_eq!((unmapped[0].key.as_str(), unmapped[0].reason), ("../escape", UnmappableKey::DotSegment));
    assert_eq!(get(&store, "out", "../escape").await + &get(&store, "out", "x").await, "12");
    assert!(!folder.path().join("escape").exists());

    // With the folder gone, the key `x` can be a file, and its hashed file is tidied up.
    for key in ["x/y.json", "x/z"] {
        store.delete("out", key, WriteCondition::None).await.unwrap();
    }
    put(&store, "x", "3").await;
    assert_eq!(store.unmapped("out", 10).unwrap().1, 1);
    assert_eq!(files(&out).len(), 3);
    drop(store);
    assert_eq!(fs::read_to_string(out.join("x")).unwrap(), "3");
    assert!(!out.join(".mapmill/staging").exists());
}

#[tokio::test]
async fn a_bucket_can_be_mounted_and_materialised() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("in.csv"), "mounted").unwrap();
    let store = store();
    store.materialise("out", &out).unwrap();
    store.mount("out", &data).unwrap();
    put(&store, "new.csv", "written").await;
    assert_eq!(keys(&store, "out"), ["in.csv", "new.csv"]);
    assert_eq!(get(&store, "out", "in.csv").await, "mounted");
    put(&store, "in.csv", "over").await;
    assert_eq!(get(&store, "out", "in.csv").await, "over");
    assert_eq!(fs::read_to_string(data.join("in.csv")).unwrap(), "mounted");
    assert_eq!(files(&out), ["in.csv", "new.csv"]);
}

#[tokio::test]
async fn a_folder_of_an_earlier_store_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = store();
    earlier.materialise("out", folder.path()).unwrap();
    for (key, content) in [("a/kept", "from before"), ("a/replaced", "from before")] {
        put(&earlier, key, content).await;
    }
    drop(earlier);
    let later = store();
    assert_eq!(later.reopen("out", folder.path()).unwrap().files, 2);
    assert_eq!(keys(&later, "out"), ["a/kept", "a/replaced"]);
    put(&later, "a/replaced", "now").await;
    put(&later, "b/new", "now").await;
    assert_eq!(keys(&later, "out"), ["a/kept", "a/replaced", "b/new"]);
    for (key, content) in [("a/kept", "from before"), ("a/replaced", "now"), ("b/new", "now")] {
        assert_eq!(get(&later, "out", key).await, content);
        assert_eq!(fs::read_to_string(folder.path().join(key)).unwrap(), content);
    }
    assert!(matches!(store().reopen("out", &folder.path().join("none")), Err(StoreError::Io { .. })));
}

#[tokio::test]
async fn a_file_edited_in_the_output_folder_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    store.materialise("out", folder.path()).unwrap();
    put(&store, "k", "right").await;
    fs::write(folder.path().join("k"), "wrong!").unwrap();
    assert!(matches!(store.open("out", "k").await, Err(StoreError::ChangedOutside { .. })));
    fs::remove_file(folder.path().join("k")).unwrap();
    assert!(matches!(store.open("out", "k").await, Err(StoreError::NoSuchKey { .. })));
}

#[test]
fn a_new_upload_aborts_older_ones_of_its_key_where_every_key_has_one_writer() {
    let check = |one_upload_per_key: bool, kept: bool| {
        let options = StoreOptions { one_upload_per_key, ..StoreOptions::default() };
        let store = ObjectStore::new(options).unwrap();
        let create = |bucket: &str, key: &str| {
            let (bucket, key) = (BucketName::parse(bucket).unwrap(), ObjectKey::parse(key).unwrap());
            store.uploads().create(&bucket, NewUpload::plain(key)).unwrap()
        };
        let (older, other_key, other_bucket) = (create("out", "k"), create("out", "x"), create("two", "k"));
        let newer = create("out", "k");
        let is_open = |id: &str, bucket: &str, key: &str| store.uploads().check_part(id, bucket, key, 1).is_ok();
        assert_eq!(is_open(&older, "out", "k"), kept);
        assert!(is_open(&newer, "out", "k") && is_open(&other_key, "out", "x") && is_open(&other_bucket, "two", "k"));
    };
    check(false, true);
    check(true, false);
}

#[test]
fn overlapping_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let store = store();
    store.mount("src", &data).unwrap();
    let check = |output: &Path, refused: bool| {
        let outcome = store.materialise("out", output);
        assert_eq!(matches!(outcome, Err(StoreError::FoldersOverlap { .. })), refused, "{}", output.display());
    };
    check(&data, true);
    check(&data.join("deep/out"), true);
    check(folder.path(), true);
    assert!(!data.join("deep").exists());
    check(&folder.path().join("data-out"), false);
    assert!(matches!(store.mount("x", &data), Err(StoreError::InvalidBucketName { .. })));
    assert!(matches!(store.mount("other", &folder.path().join("data-out")), Err(StoreError::FoldersOverlap { .. })));
}

#[tokio::test]
async fn a_write_that_the_disk_refuses_leaves_the_old_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = store();
    store.materialise("out", folder.path()).unwrap();
    put(&store, "k", "old").await;
    fs::remove_dir_all(folder.path().join(".mapmill/staging")).unwrap();
    for content in ["new", &"new, and too large for memory".repeat(10)] {
        let refused = store.put("out", "k", content.as_bytes(), Attributes::default(), WriteCondition::None).await;
        assert!(matches!(refused, Err(StoreError::Io { action: "create", .. })), "{refused:?}");
    }
    assert_eq!(get(&store, "out", "k").await, "old");
    assert_eq!(store.memory_in_use(), 0);
}
