use serde_json::json;

use super::*;

#[test]
fn finds_places_and_refuses_what_is_no_path() {
    let data = json!({
        "a": {"b": [10, {"c d": "deep"}]}, "x'y": 1, "back\\slash": 2, "ä-1_z": 3, "n": [1, 2, 3, 4],
        "people": [
            {"name": "Ann", "age": 30, "tags": ["x", "y"]}, {"name": "Bob", "age": 25}, {"name": "Cy", "retired": null},
        ],
    });
    let check = |text: &str, expected: Result<Option<Value>, &str>| match (Path::parse(text), expected) {
        (Ok(path), Ok(value)) => assert_eq!(path.find(&data).map(Cow::into_owned), value, "{text}"),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
        (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
    };
    check("$", Ok(Some(data.clone())));
    check("$.a.b[0]", Ok(Some(json!(10))));
    check("$.a.b[1]['c d']", Ok(Some(json!("deep"))));
    check("$['a'][\"b\"][1]['c d']", Ok(Some(json!("deep"))));
    check("$.['a'].b[0]", Ok(Some(json!(10))));
    check("$['x\\'y']", Ok(Some(json!(1))));
    check("$['back\\slash']", Ok(Some(json!(2))));
    check("$.ä-1_z", Ok(Some(json!(3))));
    check("$.a.b[7]", Ok(None));
    check("$.a.b.c", Ok(None));
    check("$.n[-1]", Ok(Some(json!(4))));
    check("$.n[-5]", Ok(None));
    check("$.n[*]", Ok(Some(json!([1, 2, 3, 4]))));
    check("$.a.*", Ok(Some(json!([[10, {"c d": "deep"}]]))));
    check("$.none[*]", Ok(Some(json!([]))));
    check("$.none[1:].x", Ok(Some(json!([]))));
    check("$.n[1:3]", Ok(Some(json!([2, 3]))));
    check("$.n[2:]", Ok(Some(json!([3, 4]))));
    check("$.n[:-1]", Ok(Some(json!([1, 2, 3]))));
    check("$.n[-2:]", Ok(Some(json!([3, 4]))));
    check("$.n[3:1]", Ok(Some(json!([]))));
    check("$.n[0, 2,9]", Ok(Some(json!([1, 3]))));
    check("$.people[0]['name','age']", Ok(Some(json!(["Ann", 30]))));
    check("$.people[*].name", Ok(Some(json!(["Ann", "Bob", "Cy"]))));
    check("$..age", Ok(Some(json!([30, 25]))));
    check("$..people[0].name", Ok(Some(json!(["Ann"]))));
    check("$.people[?(@.age > 26)].name", Ok(Some(json!(["Ann"]))));
    check("$.people[?(@.age)].name", Ok(Some(json!(["Ann", "Bob"]))));
    check("$.people[?(!(@.age))].name", Ok(Some(json!(["Cy"]))));
    check("$.people[?(@.retired == null)].name", Ok(Some(json!(["Cy"]))));
    check("$.people[?(@.name == 'Bob' || @.age >= 30 && @.age < 31)].age", Ok(Some(json!([30, 25]))));
    check("$.people[?(@.name in ['Cy', \"Ann\"])].name", Ok(Some(json!(["Ann", "Cy"]))));
    check("$.people[?(@.name nin ['Cy'])].name", Ok(Some(json!(["Ann", "Bob"]))));
    check("$.people[?(@.name =~ /a.*/i)].name", Ok(Some(json!(["Ann"]))));
    check("$.people[?(@.tags contains 'y')].name", Ok(Some(json!(["Ann"]))));
    check("$.people[?(@.tags size 2)].name", Ok(Some(json!(["Ann"]))));
    check("$.people[?(@.age == '25')]", Ok(Some(json!([]))));
    check("$.n[?(@ > 2)]", Ok(Some(json!([3, 4]))));
    check("$.n.length()", Ok(Some(json!(4))));
    check("$.people[*].age.sum()", Ok(Some(json!(55.0))));
    check("$.n.max()", Ok(Some(json!(4.0))));
    check("$.n.avg()", Ok(Some(json!(2.5))));
    check("$.a.keys()", Ok(Some(json!(["b"]))));
    check("$.a.max()", Ok(None));
    check("a.b", Err("does not start with"));
    check("$.a.nonsense()", Err("\"nonsense()\""));
    check("$.a b", Err("' '"));
    check("$.", Err("empty name"));
    check("$['a", Err("unclosed quote"));
    check("$[a]", Err("neither an index"));
    check("$[0", Err("closing"));
    check("$[(@.length-1)]", Err("script"));
    check("$1x", Err("no name of a variable"));
    check("$.n[?(1)]", Err("compares nothing"));
    check(&format!("$.n[?({}@{})]", "(".repeat(20), ")".repeat(20)), Err("deeper than 16"));
    check(&format!("$.{}", "a".repeat(5_000)), Err("the limit is 4096"));
}

#[test]
fn roots() {
    let root = |text: &str| Path::parse(text).map(|path| path.root().clone());
    assert_eq!(root("$.a"), Ok(Root::Input));
    assert_eq!(root("$$.a"), Ok(Root::Context));
    assert_eq!(root("$name"), Ok(Root::Variable("name".to_owned())));
    assert_eq!(root("$name.field[0]"), Ok(Root::Variable("name".to_owned())));
}

#[test]
fn explains_where_the_way_breaks_off() {
    let check = |text: &str, expected: &str| {
        let path = Path::parse(text).unwrap();
        assert_eq!(path.explain_absence(&json!({"a": {}})), expected);
    };
    check("$.no.such", "Invalid path '$.no.such' : Missing property in path $['no']");
    check("$.a.such", "Invalid path '$.a.such' : No results for path: $['a']['such']");
}

#[test]
fn places_results() {
    let check = |data: Value, text: &str, expected: Result<Value, Step>| {
        let mut target = data;
        let steps = Path::parse(text).unwrap().reference().unwrap();
        let placed = place(&mut target, &steps, json!(1));
        assert_eq!(placed.map(|()| target), expected, "{text}");
    };
    check(json!({"a": 5}), "$", Ok(json!(1)));
    check(json!({"a": 5}), "$.b.c", Ok(json!({"a": 5, "b": {"c": 1}})));
    check(json!({"a": [0, 0]}), "$.a[1]", Ok(json!({"a": [0, 1]})));
    check(json!({"a": [0]}), "$.a[1]", Err(Step::Index(1)));
    check(json!("text"), "$.a", Err(Step::Field("a".to_owned())));
    check(json!({"a": 5}), "$.a.b", Err(Step::Field("b".to_owned())));
    assert_eq!(Path::parse("$.a[*]").unwrap().reference(), None);
    assert_eq!(Path::parse("$.a[-1]").unwrap().reference(), None);
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_path_or_an_error(text in "[$@.a\\[\\]'()?*:,0-9=&|! -]{0,40}") {
        if let Ok(path) = Path::parse(&text) {
            path.find(&json!({"a": [1, {"a": "x"}], "0": null}));
        }
    }
}
