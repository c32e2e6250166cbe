//! Random rules and events over few words, so that they match often enough to say something.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::reference::Lists;

/// Words of values: case in several alphabets, wildcards, backslashes, dashes, encodings.
const WORDS: &[&str] = &[
    "a", "A", "b", "B", "ab", "Ba", "abc", "k", "K", "\u{212a}", "s", "ſ", "ß", "ẞ", "σ", "ς", "Σ",
    "é", "É", "İ", "ı", "😀", "-", "/", "–", "-a", " ", "\\", "\\\\", "\n", ".", "*", "?", "\\*",
    "\\?", "1", "12", "0", "x-y", "cmd.exe", "YWJj", "FiY", "hYm", "YQBi", "10.0.0.1",
];
/// Words that can be encoded.
const PLAIN: &[&str] = &["abc", "ab", "Abc", "abcabc", "ßab", "cmd.exe", "a😀b"];
/// Pieces of expressions.
const PIECES: &[&str] = &[
    "a",
    "b",
    "A",
    "k",
    "ß",
    "σ",
    ".",
    ".*",
    "[ab]",
    "[^a]",
    "\\d",
    "\\w+",
    "\\s",
    "a+?",
    "(ab|b)",
    "(?:a|cmd)?",
    "^",
    "$",
    "\\b",
    "a{1,2}",
    "\\.",
    "\\\\",
    "-",
    "1",
    "é",
    "(?i)k",
    "[ -/]",
];
/// Whole values that numbers and addresses are compared with.
const ODD: &[&str] = &[
    "10.0.0.1",
    "10.1.2.3",
    "192.0.2.7",
    "::1",
    "2001:db8::5",
    "::ffff:10.0.0.9",
    "10",
    "-3",
    "1.5",
    "+2",
    "true",
    "",
    "null",
    "010",
];
const NETWORKS: &[&str] = &["10.0.0.0/8", "10.0.0.0/30", "192.0.2.7/32", "2001:db8::/32", "::/0"];
const FIELDS: &[&str] = &["a", "b", "c", "n.a"];

/// Placeholders of the rules.
pub const LISTS: &Lists = &[("l", &["ab", "K*", "\\x"]), ("m", &["s"])];

/// A text of words.
fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        8 => vec(select(WORDS), 0..5).prop_map(|words| words.concat()),
        2 => vec(select(WORDS), 5..16).prop_map(|words| words.concat()),
        1 => select(ODD).prop_map(str::to_owned),
    ]
}

fn quoted(text: impl AsRef<str>) -> String {
    serde_json::to_string(text.as_ref()).unwrap()
}

/// A value as a rule writes it.
fn value() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        12 => text().prop_map(quoted),
        2 => (-2..13_i64).prop_map(|number| number.to_string()),
        1 => select(vec!["1.5", "2.0", "010", "true", "False", "''"]).prop_map(str::to_owned),
    ]
}

/// A key and its values.
type Line = (String, String);

fn list(value: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![4 => vec(value.clone(), 1..4), 1 => vec(value, 9..24)]
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![8 => select(FIELDS).prop_map(str::to_owned), 1 => Just("absent".to_owned())]
}

/// Joins a field, modifiers and values; `all` goes when there is but one value.
fn line(field: &str, modifiers: &[&str], values: &[String]) -> Line {
    let all = values.len() > 1;
    let modifiers: String = modifiers
        .iter()
        .filter(|name| !name.is_empty() && (all || **name != "all"))
        .map(|name| format!("|{name}"))
        .collect();
    let values = if let [one] = values { one.clone() } else { format!("[{}]", values.join(", ")) };
    (format!("{field}{modifiers}"), values)
}

fn maybe(name: &'static str, weight: u32) -> impl Strategy<Value = &'static str> {
    prop_oneof![10 - weight => Just(""), weight => Just(name)]
}

fn position() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "contains", "contains", "startswith", "endswith"])
}

fn text_line() -> impl Strategy<Value = Line> {
    let modifiers =
        (position(), maybe("windash", 2), maybe("cased", 2), maybe("all", 2), maybe("neq", 1));
    (field(), modifiers, list(value()))
        .prop_map(|(field, (a, b, c, d, e), values)| line(&field, &[b, a, c, d, e], &values))
}

fn null_line() -> impl Strategy<Value = Line> {
    let values = prop_oneof![
        Just(vec!["null".to_owned()]),
        value().prop_map(|value| vec![value, "~".to_owned()]),
    ];
    (field(), maybe("neq", 3), values)
        .prop_map(|(field, neq, values)| line(&field, &[neq], &values))
}

fn encoded_line() -> impl Strategy<Value = Line> {
    let wide = select(vec!["", "", "wide", "utf16be", "utf16"]);
    let base = select(vec!["base64", "base64offset"]);
    let value = select(PLAIN).prop_map(quoted);
    (field(), wide, base, maybe("contains", 8), vec(value, 1..3)).prop_map(
        |(field, wide, base, contains, values)| line(&field, &[wide, base, contains], &values),
    )
}

fn expression_line() -> impl Strategy<Value = Line> {
    let pattern = vec(select(PIECES), 1..5).prop_map(|pieces| quoted(pieces.concat()));
    let flags = (maybe("i", 3), maybe("m", 2), maybe("s", 2), maybe("all", 2), maybe("neq", 1));
    let field = prop_oneof![4 => field(), 1 => Just(String::new())];
    (field, flags, vec(pattern, 1..4)).prop_map(|(field, (i, m, s, all, neq), values)| {
        line(&field, &["re", i, m, s, all, neq], &values)
    })
}

fn other_line() -> impl Strategy<Value = Line> {
    let number = prop_oneof![
        (-4..14_i64).prop_map(|number| number.to_string()),
        select(vec!["1.5", "-0.5"]).prop_map(str::to_owned),
    ];
    let network = select(NETWORKS).prop_map(str::to_owned);
    let operator = select(vec!["lt", "lte", "gt", "gte"]);
    let other = field();
    prop_oneof![
        (field(), operator, maybe("all", 2), maybe("neq", 2), vec(number, 1..3)).prop_map(
            |(field, operator, all, neq, values)| line(&field, &[operator, all, neq], &values)
        ),
        (field(), maybe("neq", 2), vec(network, 1..3)).prop_map(|(field, neq, values)| line(
            &field,
            &["cidr", neq],
            &values
        )),
        (field(), position(), maybe("cased", 3), maybe("neq", 2), vec(other, 1..3)).prop_map(
            |(field, position, cased, neq, values)| {
                line(&field, &["fieldref", position, cased, neq], &values)
            }
        ),
        (field(), any::<bool>()).prop_map(|(field, there)| line(
            &field,
            &["exists"],
            &[there.to_string()]
        )),
        (field(), position(), maybe("all", 2), list(expanded())).prop_map(
            |(field, position, all, values)| line(&field, &["expand", position, all], &values)
        ),
    ]
}

fn expanded() -> impl Strategy<Value = String> + Clone {
    let piece = select(vec!["%l%", "%m%", "a", "*", "b", "-"]);
    vec(piece, 1..4).prop_map(|pieces| quoted(pieces.concat()))
}

/// What stands under a search identifier.
fn search() -> impl Strategy<Value = String> {
    let lines = || {
        let line = prop_oneof![
            8 => text_line(),
            2 => null_line(),
            1 => encoded_line(),
            3 => expression_line(),
            3 => other_line(),
        ];
        vec(line, 1..4).prop_map(|mut lines| {
            lines.sort();
            lines.dedup_by(|left, right| left.0 == right.0);
            let lines: Vec<String> =
                lines.iter().map(|(key, values)| format!("{}: {values}", quoted(key))).collect();
            format!("{{ {} }}", lines.join(", "))
        })
    };
    let keyword = text().prop_filter("keywords say something", |text| {
        text.chars().any(|c| !matches!(c, '*' | '?' | '\\'))
    });
    let keywords = (select(vec!["", "|all", "|cased", "|contains"]), vec(keyword, 2..5)).prop_map(
        |(modifier, values)| {
            let values: Vec<String> = values.iter().map(quoted).collect();
            let values = values.join(", ");
            if modifier.is_empty() {
                format!("[{values}]")
            } else {
                format!("{{ \"{modifier}\": [{values}] }}")
            }
        },
    );
    prop_oneof![
        6 => lines(),
        2 => vec(lines(), 1..4).prop_map(|maps| format!("[{}]", maps.join(", "))),
        1 => keywords,
    ]
}

/// A condition over `names`.
fn condition(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(names).prop_map(str::to_owned),
        1 => select(vec!["1 of them", "all of them", "any of s*", "all of *1", "1 of _*"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} and {right}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} or {right}")),
            inner.clone().prop_map(|inner| format!("not {inner}")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
}

/// The search identifiers of every rule.
const NAMES: &[&str] = &["s1", "s2", "_s1"];

/// A `detection` on one line.
pub fn detection() -> impl Strategy<Value = String> {
    (search(), search(), search(), vec(condition(NAMES), 1..3)).prop_map(
        |(one, two, three, any)| {
            let any: Vec<String> = any.iter().map(quoted).collect();
            let any = any.join(", ");
            format!("{{ s1: {one}, s2: {two}, _s1: {three}, condition: [{any}] }}")
        },
    )
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        10 => text().prop_map(Json::from),
        2 => (-4..14_i64).prop_map(Json::from),
        1 => select(vec![json!(1.5), json!(2.0), json!(true), json!(false), json!(null)]),
    ]
}

fn held() -> impl Strategy<Value = Json> {
    let element = prop_oneof![6 => scalar(), 1 => Just(Json::Null)];
    prop_oneof![6 => scalar(), 2 => vec(element, 0..4).prop_map(Json::from)]
}

/// An event.
pub fn event() -> impl Strategy<Value = Json> {
    let nested = prop_oneof![
        btree_map(select(vec!["a", "b"]), held(), 0..3).prop_map(|map| json!(map)),
        vec(btree_map(select(vec!["a", "b"]), held(), 0..3), 0..3).prop_map(|maps| json!(maps)),
        held(),
    ];
    let flat = btree_map(select(vec!["a", "b", "c", "d"]), held(), 0..4);
    (flat, prop::option::of(nested), prop::option::of(held()), any::<bool>()).prop_map(
        |(flat, nested, literal, path)| {
            let mut event = json!(flat);
            if let (Some(nested), true) = (&nested, path) {
                event["n"] = nested.clone();
            } else if let Some(literal) = literal {
                event["n.a"] = literal;
            }
            event
        },
    )
}
