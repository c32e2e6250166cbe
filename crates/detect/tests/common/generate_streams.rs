//! Random correlations, and random streams of events for them.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

/// How late events may come, in tenths of a second.
pub const LATENESS: i64 = 40;

/// Rules that correlations are about: one for each value of `r`.
pub const BASE: &str = "
title: rule a
name: a
logsource: { category: test }
detection: { s: { r: a }, condition: s }
---
title: rule b
name: b
logsource: { category: test }
detection: { s: { r: b }, condition: s }
---
title: rule c
name: c
logsource: { category: test }
detection: { s: { r: c }, condition: s }
---
title: rule d
name: d
logsource: { category: test }
detection: { s: { r: d }, condition: s }
";

/// An event before it has its number: time, rules it is for, group, user, number, delay.
pub type Plan = (i64, Vec<&'static str>, Json, Json, Json, i64);

pub fn plan() -> impl Strategy<Value = Plan> {
    let rules = prop_oneof![
        6 => select(vec!["a", "b", "c", "d"]).prop_map(|one| vec![one]),
        1 => Just(vec!["a", "b"]),
        1 => Just(vec!["c", "b", "a"]),
    ];
    let group = select(vec![json!(1), json!(1), json!("2"), json!(null), json!(["1", "2"])]);
    let user = select(vec![json!("x"), json!("y"), json!("z"), json!(null)]);
    let number = select(vec![json!(0), json!(1), json!(3), json!("2"), json!(1.5), json!("many")]);
    let delay = prop_oneof![2 => Just(0), 2 => 0..=LATENESS, 1 => Just(LATENESS)];
    // Few times, so that events meet at one, and at the ends of windows.
    let time = prop_oneof![1 => 0..300_i64, 3 => (0..60_i64).prop_map(|half| half * 5)];
    (time, rules, group, user, number, delay)
}

fn comparison() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (select(vec!["gt", "gte"]), 1..5_u8).prop_map(|(name, n)| format!("{name}: {n}")),
        3 => (select(vec!["lt", "lte", "eq", "neq"]), 1..4_u8)
            .prop_map(|(name, n)| format!("{name}: {n}")),
        1 => (1..3_u8, 2..5_u8).prop_map(|(least, most)| format!("gte: {least}, lt: {most}")),
    ]
}

fn counting() -> impl Strategy<Value = String> {
    let kinds = prop_oneof![
        Just("type: event_count, condition: { "),
        Just("type: value_count, condition: { field: u, "),
        Just("type: value_count, condition: { field: [u, n], "),
        Just("type: value_sum, condition: { field: n, "),
        Just("type: value_avg, condition: { field: n, "),
        Just("type: value_median, condition: { field: n, "),
        Just("type: value_percentile, condition: { field: n, percentile: 75, "),
    ];
    let rules = select(vec!["[a]", "[a, b]", "[b, c, a]", "d"]);
    (kinds, rules, comparison())
        .prop_map(|(kind, rules, condition)| format!("{kind}{condition} }}, rules: {rules}"))
}

fn temporal() -> impl Strategy<Value = String> {
    let kind = select(vec!["temporal", "temporal_ordered"]);
    let condition = prop_oneof![
        3 => Just(String::new()),
        2 => comparison().prop_map(|one| format!(", condition: {{ {one} }}")),
        5 => select(vec![
            "a and b and c",
            "a or b or c",
            "(a or b) and c",
            "a and (c or b)",
            "a and b and not c",
            "c and not (a and b)",
            "c and not (a or not b)",
            "not a and (b or c)",
        ])
        .prop_map(|text| format!(", condition: {text}")),
    ];
    let rules = select(vec!["[a, b, c]", "[c, a, b]"]);
    (kind, rules, condition)
        .prop_map(|(kind, rules, condition)| format!("type: {kind}, rules: {rules}{condition}"))
}

/// A correlation on one line, its group and span, and what clears it.
pub fn correlation() -> impl Strategy<Value = (String, String)> {
    let body = prop_oneof![counting(), temporal()];
    let by = select(vec!["", ", group-by: [g]", ", group-by: [g, u]"]);
    let span = select(vec![1, 3, 10]);
    let reset = prop_oneof![3 => Just(""), 1 => Just("tocsin: { reset_by: d }")];
    let alias = prop_oneof![4 => Just(""), 1 => Just(", aliases: { g: { a: u } }")];
    (body, by, span, reset, alias).prop_map(|(body, by, span, reset, alias)| {
        // An alias can only speak of a listed rule, and is of no use without a group.
        let alias = if body.contains("rules: d") || by.is_empty() { "" } else { alias };
        (format!("{{ {body}{by}{alias}, timespan: {span}s }}"), reset.to_owned())
    })
}

/// A correlation over the first one.
pub fn outer() -> impl Strategy<Value = String> {
    let body = prop_oneof![
        comparison()
            .prop_map(|one| format!("type: event_count, rules: [x], condition: {{ {one} }}")),
        comparison().prop_map(|one| {
            format!("type: value_count, rules: [x], condition: {{ field: u, {one} }}")
        }),
        Just("type: temporal, rules: [x, d]".to_owned()),
        Just("type: temporal_ordered, rules: [d, x]".to_owned()),
        Just("type: temporal, rules: [x, d], condition: x and not d".to_owned()),
    ];
    let by = select(vec!["", ", group-by: [g]", ", group-by: [u]"]);
    (body, by).prop_map(|(body, by)| format!("{{ {body}{by}, timespan: 10s }}"))
}

/// Rules and several correlations over them.
pub fn side_by_side() -> impl Strategy<Value = String> {
    prop::collection::vec(correlation(), 1..5).prop_map(|all| {
        let documents: Vec<String> = all
            .iter()
            .enumerate()
            .map(|(place, (one, own))| format!("title: t{place}\ncorrelation: {one}\n{own}\n"))
            .collect();
        format!("{BASE}---\n{}", documents.join("---\n"))
    })
}

/// Rules, a correlation over them, and one over that. Both alert, so that both can be compared.
pub fn chain() -> impl Strategy<Value = String> {
    (correlation(), outer()).prop_map(|((inner, own), outer)| {
        let outer = outer.trim_end_matches(" }");
        format!(
            "{BASE}---\ntitle: inner\nname: x\ncorrelation: {inner}\n{own}\n---\n\
             title: outer\ncorrelation: {outer}, generate: true }}\n"
        )
    })
}

/// A stream.
pub fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec(plan(), 1..50)
}
