//! The engine's correlations and the plain evaluator agree on random correlations and streams, in
//! whatever order events arrive within the lateness bound, and with a restart in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::streams::{self, Found, Item};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};
use tocsin_detect::{Detector, Options};
use tocsin_model::{Finding, Timestamp};

/// How late events may come, in tenths of a second.
const LATENESS: i64 = 40;
const TENTH: i64 = 100_000_000;

/// Rules that correlations are about: one for each value of `r`.
const BASE: &str = "
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
type Plan = (i64, Vec<&'static str>, Json, Json, Json, i64);

fn plan() -> impl Strategy<Value = Plan> {
    let rules = prop_oneof![
        6 => select(vec!["a", "b", "c", "d"]).prop_map(|one| vec![one]),
        1 => Just(vec!["a", "b"]),
        1 => Just(vec!["c", "b", "a"]),
    ];
    let group = select(vec![json!(1), json!(1), json!("2"), json!(null), json!(["1", "2"])]);
    let user = select(vec![json!("x"), json!("y"), json!("z"), json!(null)]);
    let number = select(vec![json!(0), json!(1), json!(3), json!("2"), json!(1.5), json!("many")]);
    let delay = prop_oneof![2 => Just(0), 2 => 0..=LATENESS, 1 => Just(LATENESS)];
    (0..300_i64, rules, group, user, number, delay)
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
fn correlation() -> impl Strategy<Value = (String, String)> {
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
fn outer() -> impl Strategy<Value = String> {
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

fn items(plans: &[Plan]) -> Vec<(Item, i64)> {
    let mut plans = plans.to_vec();
    plans.sort_by_key(|plan| plan.0);
    plans
        .into_iter()
        .enumerate()
        .map(|(number, (tenths, rules, group, user, n, delay))| {
            let json = json!({ "r": rules, "g": group, "u": user, "n": n });
            let item = Item { time: tenths * TENTH, number: number as u64, json };
            (item, tenths + delay)
        })
        .collect()
}

fn run(text: &str, items: &[Item], restart: usize) -> Vec<Found> {
    let options =
        Options { lateness: Duration::from_secs(LATENESS as u64 / 10), ..common::unrouted() };
    let (rules, diagnostics) = common::load(text, &options);
    assert!(!common::refused(&diagnostics), "{diagnostics:?}\n{text}");
    let rules = Arc::new(rules);
    let mut detector = Detector::new(rules.clone(), &options);
    let mut findings: Vec<Finding> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        if place == restart {
            let saved = detector.snapshot();
            detector = Detector::new(rules.clone(), &options);
            detector.restore(&saved).unwrap();
        }
        let event = common::event(&item.json, Timestamp(item.time), item.number);
        detector.process(&event, &mut findings);
    }
    detector.finish(&mut findings);
    assert_eq!(detector.counters().late, 0);
    let mut found: Vec<Found> = findings
        .into_iter()
        .filter(|finding| finding.rule.correlation)
        .map(|finding| {
            let group = finding.group.into_iter().map(|(_, value)| value).collect();
            (finding.rule.title.clone(), group, finding.time.0)
        })
        .collect();
    found.sort();
    found
}

fn compare(text: &str, plans: &[Plan], restart: usize) -> Result<(), TestCaseError> {
    let items = items(plans);
    let in_order: Vec<Item> = items.iter().map(|one| one.0.clone()).collect();
    let wanted = streams::findings(text, &in_order);
    prop_assert_eq!(&run(text, &in_order, usize::MAX), &wanted, "in order\n{}", text);
    let mut arriving = items;
    arriving.sort_by_key(|one| one.1);
    let arriving: Vec<Item> = arriving.into_iter().map(|one| one.0).collect();
    prop_assert_eq!(&run(text, &arriving, usize::MAX), &wanted, "as it arrives\n{}", text);
    prop_assert_eq!(&run(text, &arriving, restart), &wanted, "with a restart\n{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn correlations_agree(
        correlations in prop::collection::vec(correlation(), 1..5),
        plans in prop::collection::vec(plan(), 1..50),
        restart in 0..50_usize,
    ) {
        let documents: Vec<String> = correlations.iter().enumerate().map(|(place, (one, own))| {
            format!("title: t{place}\ncorrelation: {one}\n{own}\n")
        }).collect();
        compare(&format!("{BASE}---\n{}", documents.join("---\n")), &plans, restart)?;
    }

    #[test]
    fn chains_agree(
        inner in correlation(),
        outer in outer(),
        plans in prop::collection::vec(plan(), 1..50),
        restart in 0..50_usize,
    ) {
        let (inner, own) = inner;
        // Both alert, so that both can be compared.
        let text = format!(
            "{BASE}---\ntitle: inner\nname: x\ncorrelation: {inner}\n{own}\n---\n\
             title: outer\ncorrelation: {}, generate: true }}\n",
            outer.trim_end_matches(" }")
        );
        compare(&text, &plans, restart)?;
    }
}
