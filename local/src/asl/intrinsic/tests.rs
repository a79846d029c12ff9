//! Tables over the intrinsic functions and their notation.

use serde_json::json;

use super::super::context::Context;
use super::super::context::tests::identity;
use super::*;

fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
    let identity = identity();
    let context = Context::new(&identity, "Here", "now", None, None);
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    expression.evaluate(Scope { input, context: &context }).map_err(|error| match error {
        IntrinsicError::Absent(path) => format!("absent {}", path.text()),
        IntrinsicError::Function { function, message } => format!("{function}: {message}"),
    })
}

fn check(text: &str, input: Value, expected: Result<Value, &str>) {
    match (evaluate(text, &input), expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
        (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
        (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn texts_and_objects() {
    check("States.Format('a {} b {}', $.x, 2)", json!({"x": "y"}), Ok(json!("a y b 2")));
    check("States.Format('\\{{}\\} it\\'s', $.x)", json!({"x": null}), Ok(json!("{null} it's")));
    check("States.Format('{}', $.x)", json!({"x": {"a": 1, "b": ["c", null]}}), Ok(json!("{a=1, b=[c, null]}")));
    check("States.Format($.t, 1)", json!({"t": "{} from data"}), Ok(json!("1 from data")));
    check("States.Format('{}')", json!({}), Err("more \"{}\" than there are values"));
    check("States.Format('x', 1)", json!({}), Err("more values than"));
    check("States.Format('{ }', 1)", json!({}), Err("must be written as"));
    check("States.StringToJson($.x)", json!({"x": "{\"a\": [1]}"}), Ok(json!({"a": [1]})));
    check("States.StringToJson(' ')", json!({}), Ok(json!(null)));
    check("States.StringToJson('-0')", json!({}), Ok(json!(0)));
    check("States.StringToJson('{')", json!({}), Err("not valid JSON"));
    check("States.JsonToString($)", json!({"a": [1, "b"]}), Ok(json!("{\"a\":[1,\"b\"]}")));
    check("States.StringSplit('a.b+c', '.+')", json!({}), Ok(json!(["a", "b", "c"])));
    check("States.StringSplit(',,', ',')", json!({}), Ok(json!([])));
    check(
        "States.JsonMerge($.a, $.b, false)",
        json!({"a": {"x": 1, "y": 1}, "b": {"y": 2}}),
        Ok(json!({"x": 1, "y": 2})),
    );
    check("States.JsonMerge($.a, $.a, true)", json!({"a": {}}), Err("shallow"));
    check("States.JsonMerge($.a, 1, false)", json!({"a": {}}), Err("must be objects"));
    check("States.Base64Encode('Data to encode')", json!({}), Ok(json!("RGF0YSB0byBlbmNvZGU=")));
    check("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", json!({}), Ok(json!("Data to encode")));
    check("States.Base64Decode('?')", json!({}), Err("not valid Base64"));
    check("States.Base64Encode($.x)", json!({"x": "a".repeat(10_001)}), Err("more than 10000 characters"));
    check("States.Hash('input data', 'SHA-1')", json!({}), Ok(json!("aaff4a450a104cd177d28d18d74485e8cae074b7")));
    check("States.Hash('', 'MD5')", json!({}), Ok(json!("d41d8cd98f00b204e9800998ecf8427e")));
    check("States.Hash('', 'CRC')", json!({}), Err("the algorithm must be"));
}

#[test]
fn numbers() {
    for (first, second, sum) in [(1.49, 1.5, 3), (-1.49, -1.5, -2), (2.5, 0.0, 3), (-0.5, 0.0, 0), (-2.5, 0.0, -2)] {
        check("States.MathAdd($.a, $.b)", json!({"a": first, "b": second}), Ok(json!(sum)));
    }
    check("States.MathAdd($.a, 1)", json!({"a": i64::MAX}), Err("range of whole numbers"));
    check("States.MathAdd('1', 1)", json!({}), Err("must be a number"));
    check("States.MathRandom(4, 5)", json!({}), Ok(json!(4)));
    check("States.MathRandom(5, 5)", json!({}), Err("smaller than the end"));
    let seeded = evaluate("States.MathRandom(0, 1000000, 7)", &json!({})).unwrap();
    check("States.MathRandom(0, 1000000, 7)", json!({}), Ok(seeded));
    assert_eq!(evaluate("States.UUID()", &json!({})).unwrap().as_str().unwrap().len(), 36);
}

#[test]
fn arrays() {
    let input = || json!({"a": [1, 2, 3], "dup": [1, "1", 1, {"x": 1}, {"x": 1}]});
    check("States.Array()", input(), Ok(json!([])));
    check("States.Array($.a[0], 'x', null, true, -1.5)", input(), Ok(json!([1, "x", null, true, -1.5])));
    check("States.ArrayLength($.a)", input(), Ok(json!(3)));
    check("States.ArrayLength('no')", input(), Err("must be an array"));
    check("States.ArrayGetItem($.a, 2)", input(), Ok(json!(3)));
    check("States.ArrayGetItem($.a, 3)", input(), Err("outside of the array"));
    check("States.ArrayGetItem($.a, -1)", input(), Err("outside of the array"));
    check("States.ArrayContains($.a, 2)", input(), Ok(json!(true)));
    check("States.ArrayPartition($.a, 2)", input(), Ok(json!([[1, 2], [3]])));
    check("States.ArrayPartition($.a, 0)", input(), Err("positive"));
    check("States.ArrayRange(0, 10, 3)", input(), Ok(json!([0, 3, 6, 9])));
    check("States.ArrayRange(3, 1, -1)", input(), Ok(json!([3, 2, 1])));
    check("States.ArrayRange(1, 2, 0)", input(), Err("must not be 0"));
    check("States.ArrayRange(0, 1000, 1)", input(), Err("more than 1000"));
    check("States.ArrayUnique($.dup)", input(), Ok(json!([1, "1", {"x": 1}])));
    check("States.ArrayGetItem(States.StringSplit('a-b', '-'), States.MathAdd(0, 1))", input(), Ok(json!("b")));
}

#[test]
fn notation() {
    check("States.Array($['a b'], $.c[0])", json!({"a b": 1, "c": [2]}), Ok(json!([1, 2])));
    check("States.Array( $.a , 'x, (y)' )", json!({"a": 1}), Ok(json!([1, "x, (y)"])));
    check("States.Array($$.Execution.Name)", json!({}), Ok(json!("one")).map(|name: Value| json!([name])));
    check("States.Array($.missing)", json!({}), Err("absent $.missing"));
    check("States.Nope()", json!({}), Err("\"States.Nope\" is not supported by the local engine; supported: States."));
    check("States.UUID(1)", json!({}), Err("takes 0 to 0 arguments, found 1"));
    check("States.Array('open", json!({}), Err("no closing quote"));
    check("States.Array('\\\"')", json!({}), Err("are escapes"));
    check("States.Array(1 2)", json!({}), Err("expected a path"));
    check("States.Array(1", json!({}), Err("expected \",\" or \")\""));
    check("States.Array(1) x", json!({}), Err("expected nothing after"));
    check("States.Array", json!({}), Err("expected \"(\""));
    check("something", json!({}), Err("expected a path"));
    check("States.Array($.a[*], $.a[?(@ > 1)], $.a.length())", json!({"a": [1, 2]}), Ok(json!([[1, 2], [2], 2])));
    check("States.Array($.a[(@.length-1)])", json!({}), Err("script"));
    let nested = |depth: usize| format!("{}{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&nested(10)).is_ok());
    check(&nested(11), json!({}), Err("nested deeper than 10"));
}
