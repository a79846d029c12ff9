use super::*;
use crate::s3::object::Body;

fn objects(keys: &[&str]) -> BTreeMap<ObjectKey, Arc<Object>> {
    keys.iter()
        .map(|key| {
            let object = Object {
                size: key.len() as u64,
                tag: EntityTag::of_content([0; 16]),
                modified: SystemTime::UNIX_EPOCH,
                body: Body::Blobs(Vec::new()),
                attributes: None,
                checksum: None,
                tags: None,
            };
            (ObjectKey::parse(key).unwrap(), Arc::new(object))
        })
        .collect()
}

/// Lists all pages and writes objects as their key and common prefixes with a `+` behind, a `|` between pages.
fn walk(objects: &BTreeMap<ObjectKey, Arc<Object>>, mut request: ListRequest) -> String {
    let mut pages = Vec::new();
    loop {
        let page = list(objects, &request).unwrap();
        let mut entries: Vec<String> = page.objects.iter().map(|object| object.key.clone()).collect();
        entries.extend(page.common_prefixes.iter().map(|common| format!("{common}+")));
        entries.sort();
        pages.push(entries.join(" "));
        match page.continuation {
            Some(token) => request.continuation = Some(token),
            None => return pages.join(" | "),
        }
        assert!(pages.len() < 1000, "the listing does not end");
    }
}

fn request(prefix: &str, delimiter: &str, start_after: &str, max_entries: usize) -> ListRequest {
    ListRequest {
        prefix: prefix.to_owned(),
        delimiter: Some(delimiter.to_owned()),
        start_after: Some(start_after.to_owned()),
        continuation: None,
        max_entries: Some(max_entries),
    }
}

#[test]
fn pages_prefixes_delimiters_and_starts() {
    let all = objects(&["a", "b/1", "b/2", "b/c/3", "b0", "c//x", "c/y", "d", "\u{e4}/1", "\u{10ffff}/1"]);
    let check = |request: ListRequest, expected: &str| {
        assert_eq!(walk(&all, request.clone()), expected, "{request:?}");
    };
    check(ListRequest::default(), "a b/1 b/2 b/c/3 b0 c//x c/y d \u{e4}/1 \u{10ffff}/1");
    check(request("b", "", "", 1000), "b/1 b/2 b/c/3 b0");
    check(request("b/", "", "", 2), "b/1 b/2 | b/c/3");
    check(request("b/", "", "", 3), "b/1 b/2 b/c/3");
    check(request("x", "", "", 2), "");
    check(request("", "/", "", 1000), "a b/+ b0 c/+ d \u{e4}/+ \u{10ffff}/+");
    check(request("", "/", "", 1), "a | b/+ | b0 | c/+ | d | \u{e4}/+ | \u{10ffff}/+");
    check(request("", "/", "", 2), "a b/+ | b0 c/+ | d \u{e4}/+ | \u{10ffff}/+");
    check(request("b/", "/", "", 1000), "b/1 b/2 b/c/+");
    check(request("c/", "/", "", 1000), "c//+ c/y");
    check(request("", "0", "", 1000), "a b/1 b/2 b/c/3 b0+ c//x c/y d \u{e4}/1 \u{10ffff}/1");
    check(request("", "", "b/2", 1000), "b/c/3 b0 c//x c/y d \u{e4}/1 \u{10ffff}/1");
    check(request("", "", "b/1zzz", 2), "b/2 b/c/3 | b0 c//x | c/y d | \u{e4}/1 \u{10ffff}/1");
    check(request("", "/", "b/1", 1000), "b0 c/+ d \u{e4}/+ \u{10ffff}/+");
    check(request("b/", "", "a", 1000), "b/1 b/2 b/c/3");
    check(request("b/", "", "z", 1000), "");
    check(request("", "", "", 0), "");
}

#[test]
fn a_page_says_that_there_is_more_only_when_there_is() {
    let all = objects(&["a", "b", "c"]);
    assert!(list(&all, &request("", "", "", 3)).unwrap().continuation.is_none());
    assert!(list(&all, &request("", "", "", 2)).unwrap().continuation.is_some());
    assert!(list(&all, &request("a", "", "", 1)).unwrap().continuation.is_none());
}

#[test]
fn a_bad_continuation_is_refused() {
    let all = objects(&["a"]);
    for token in ["", "k6", "pff", "zz", "\u{e4}"] {
        let request = ListRequest { continuation: Some(token.to_owned()), ..ListRequest::default() };
        assert!(matches!(list(&all, &request), Err(StoreError::InvalidArgument { .. })), "{token:?}");
    }
}

#[test]
fn a_hundred_thousand_keys_list_quickly() {
    let keys: Vec<String> = (0..100_000).map(|number| format!("f{:02}/{number:06}", number % 50)).collect();
    let all = objects(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let begin = std::time::Instant::now();
    let mut request = ListRequest::default();
    let mut seen = 0;
    loop {
        let page = list(&all, &request).unwrap();
        seen += page.objects.len();
        match page.continuation {
            Some(token) => request.continuation = Some(token),
            None => break,
        }
    }
    assert_eq!(seen, 100_000);
    let groups =
        list(&all, &ListRequest { delimiter: Some("/".to_owned()), ..ListRequest::default() }).unwrap().common_prefixes;
    assert_eq!(groups.len(), 50);
    assert!(begin.elapsed().as_secs() < 5, "took {:?}", begin.elapsed());
}
