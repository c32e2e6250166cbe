//! Tables for `flatten`.

use serde_json::{Map, Value as Json, json};

use super::*;

fn flat(text: &str, flattener: &mut Flattener) -> Result<Json, JsonError> {
    let mut event = Event::default();
    event.set_original(text);
    flattener.flatten(text, Some(0), &mut event)?;
    let mut copied = Event::default();
    flattener.flatten(text, None, &mut copied)?;
    let fields = |event: &Event| -> Map<String, Json> {
        event.iter().map(|(field, value)| (field.name().to_owned(), value.to_json())).collect()
    };
    assert_eq!(fields(&event), fields(&copied), "{text}");
    assert_eq!(event.len(), fields(&event).len(), "a field twice: {text}");
    Ok(Json::Object(fields(&event)))
}

#[test]
fn flat_fields() {
    let mut flattener = Flattener::new(Limits::default());
    let table = [
        ("{}", json!({})),
        (
            r#"{"a":1,"b":-2,"c":"x","d":null,"e":true,"f":1.5}"#,
            json!({"a":1,"b":-2,"c":"x","d":null,"e":true,"f":1.5}),
        ),
        (r#"{"a":1,"c":"y","b":-2}"#, json!({"a":1,"c":"y","b":-2})),
        (
            r#"{"n":18446744073709551615,"m":-9223372036854775808,"k":123456789012345678901234567890}"#,
            json!({"n":18446744073709551615u64,"m":i64::MIN,"k":"123456789012345678901234567890"}),
        ),
        (r#" { "a" : { "b" : { "c" : "d" } } } "#, json!({"a":{},"a.b":{},"a.b.c":"d"})),
        (r#"{"a.b":"literal","a":{"b":"path"}}"#, json!({"a.b":"literal","a":{}})),
        (r#"{"a":{"b":"path"},"a.b":"literal"}"#, json!({"a":{},"a.b":"literal"})),
        (r#"{"a":1,"a":2}"#, json!({"a":2})),
        (r#"{"a":[1,"x",[2,null]],"e":[]}"#, json!({"a":[1,"x",2,null],"e":[]})),
        (
            r#"{"a":[{"b":1,"c":["x\ty"]},{"b":2},{"c":["z\"","w"]}]}"#,
            json!({"a":{},"a.b":[1,2],"a.c":["x\ty","z\"","w"]}),
        ),
        (
            r#"{"k\u00e9y":"\ud83d\ude00 \\ \/ \u0041\n","\t":"\ud800"}"#,
            json!({"kéy":"😀 \\ / A\n","\t":"\u{fffd}"}),
        ),
        (r#"{"url":"/\x22a","x":"\"\""}"#, json!({"url":"/\\x22a","x":"\"\""})),
        (r#"{"":1,"a":{"":2}}"#, json!({"a":{}})),
    ];
    for round in 0..2 {
        for (text, expected) in &table {
            assert_eq!(&flat(text, &mut flattener).unwrap(), expected, "round {round}: {text}");
        }
    }
}

#[test]
fn broken_json_adds_nothing() {
    let mut flattener = Flattener::new(Limits::default());
    let table = [
        "",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "[1]",
        "{a:1}",
        "{\"a\":tru}",
        "{\"a\":\"x}",
        "{\"a\":\"\\",
        "{\"a\":\"\\u12\"}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{\"a\":\"\\q\"}",
    ];
    for text in table {
        let mut event = Event::default();
        assert!(flattener.flatten(text, None, &mut event).is_err(), "{text}");
        assert!(event.is_empty(), "{text}");
    }
}

#[test]
fn limits_drop_and_count() {
    let limits = Limits { fields: 3, nesting: 2, list_items: 2, ..Limits::default() };
    let mut flattener = Flattener::new(limits);
    let got = flat(r#"{"a":[1,2,3],"b":{"c":{"d":{"e":1}}},"f":1}"#, &mut flattener).unwrap();
    assert_eq!(got, json!({"a":[1,2],"b":{},"b.c":{}}));
    let dropped = flattener.dropped();
    assert_eq!((dropped.fields, dropped.nesting, dropped.items), (2, 2, 2));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(flat(&deep, &mut flattener).is_ok());
    let unclosed = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(flat(&unclosed, &mut flattener).is_err());
}

#[test]
fn what_was_seen_is_known() {
    let mut flattener = Flattener::new(Limits::default());
    let mut event = Event::default();
    flattener.flatten(r#"{"seen_a":1}"#, None, &mut event).unwrap();
    let (a, b) = (FieldId::intern("seen_a").unwrap(), FieldId::intern("seen_b").unwrap());
    assert!(flattener.saw(a) && !flattener.saw(b));
    flattener.flatten(r#"{"seen_b":1}"#, None, &mut event).unwrap();
    assert!(!flattener.saw(a) && flattener.saw(b));
}
