//! What rules cost is measured by the clock that is given, and changes nothing of what is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tocsin_detect::{Detector, Options};
use tocsin_model::Timestamp;

const RULES: &str = "
title: fail
id: fail
logsource: { category: test }
detection: { s: { a: fail }, condition: s }
---
title: never
id: never
logsource: { category: test }
detection: { s: { a: never-there }, condition: s }
---
title: count
id: count
correlation: { type: event_count, rules: [fail], group-by: [ip], timespan: 10s, condition: { gte: 3 } }
";

/// Goes on by 10 ns whenever somebody looks.
fn clock() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(10, Ordering::Relaxed)
}

#[test]
fn rules_are_measured_by_the_clock_that_is_given() {
    let (rules, diagnostics) = common::load(RULES, &common::unrouted());
    assert!(!common::refused(&diagnostics), "{diagnostics:?}");
    let rules = Arc::new(rules);
    let run = |measured: bool| {
        let mut detector = Detector::new(rules.clone(), &Options::default());
        if measured {
            detector.measure(clock);
        }
        let mut out = Vec::new();
        for at in 0..20_000_i64 {
            let word = if at % 2 == 0 { "fail" } else { "good" };
            let time = Timestamp(at * 1_000_000_000);
            let event = common::event(&json!({ "a": word, "ip": "x" }), time, at as u64);
            detector.process(&event, &mut out);
        }
        out.len()
    };
    let found = run(false);
    assert_eq!(rules.costs().events, 0, "nobody measured");
    assert_eq!(run(true), found, "measuring changes nothing");
    let costs = rules.costs();
    assert!((200..450).contains(&costs.events), "{costs:?}");
    let of = |id: &str| costs.rules.iter().find(|(rule, _)| rule == id).unwrap().1;
    let (fail, never, count) = (of("fail"), of("never"), of("count"));
    let share = fail.evaluated as f64 / costs.events as f64;
    assert!((0.4..0.6).contains(&share), "looked at for every other event: {share}");
    assert_eq!(fail.nanos, 10 * fail.evaluated);
    assert_eq!((never.evaluated, never.nanos), (0, 0), "nothing of it was ever seen");
    assert_eq!(count.evaluated, fail.evaluated, "what feeds it is its cost");
    assert!(costs.nanos_per_event(fail) > 4.0 && costs.nanos > fail.nanos + count.nanos);
}
