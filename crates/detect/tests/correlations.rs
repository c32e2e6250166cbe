//! Correlations over time: any order of arrival within the lateness bound, and a restart at any
//! moment, give the same findings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tocsin_detect::{Detector, Options, RuleSet};
use tocsin_model::{Event, Finding, Timestamp};

/// Base rules, and a correlation of each kind over them.
const RULES: &str = "
title: fail
name: fail
logsource: { category: test }
detection: { s: { a: fail }, condition: s }
---
title: good
name: good
logsource: { category: test }
detection: { s: { a: good }, condition: s }
---
title: count
id: count
correlation: { type: event_count, rules: [fail], group-by: [ip], timespan: 10s, condition: { gte: 3 }, generate: true }
---
title: distinct
correlation: { type: value_count, rules: [fail], group-by: [ip], timespan: 10s, condition: { field: user, gte: 2 } }
---
title: sum
correlation: { type: value_sum, rules: [fail], group-by: [ip], timespan: 10s, condition: { field: n, gt: 7 } }
---
title: average
correlation: { type: value_avg, rules: [fail], group-by: [ip], timespan: 10s, condition: { field: n, gte: 3 } }
---
title: median
correlation: { type: value_median, rules: [fail], group-by: [ip], timespan: 10s, condition: { field: n, gte: 3 } }
---
title: both
correlation: { type: temporal, rules: [fail, good], group-by: [ip], timespan: 5s }
---
title: ordered
correlation: { type: temporal_ordered, rules: [count, good], group-by: [ip], timespan: 10s }
---
title: few
correlation: { type: event_count, rules: [good], group-by: [ip], timespan: 10s, condition: { lt: 2 } }
---
title: never good
correlation: { type: temporal, rules: [fail, good], group-by: [ip], timespan: 10s, condition: fail and not good }
---
title: reset
correlation: { type: event_count, rules: [fail], group-by: [ip], timespan: 10s, condition: { gte: 3 } }
tocsin: { reset_by: good }
";

const LATENESS: Duration = Duration::from_secs(4);

fn rules() -> (Arc<RuleSet>, Options) {
    let options = Options { lateness: LATENESS, ..common::unrouted() };
    let (rules, diagnostics) = common::load(RULES, &options);
    assert!(!common::refused(&diagnostics), "{diagnostics:?}");
    (Arc::new(rules), options)
}

/// (time in tenths of a second, fails, address, user, number)
type Plan = (i64, bool, u8, u8, i64);

fn event(number: usize, (tenths, fails, ip, user, n): Plan) -> Event {
    let json = json!({
        "a": if fails { "fail" } else { "good" },
        "ip": format!("192.0.2.{ip}"),
        "user": format!("u{user}"),
        "n": n,
    });
    common::event(&json, Timestamp(tenths * 100_000_000), number as u64)
}

fn events(plan: &[Plan]) -> Vec<Event> {
    let mut plan = plan.to_vec();
    plan.sort_by_key(|event| event.0);
    plan.into_iter().enumerate().map(|(number, plan)| event(number, plan)).collect()
}

/// What of a finding must not depend on the order of arrival.
fn shape(finding: &Finding) -> String {
    let events: Vec<String> =
        finding.contributions.iter().map(|event| event.event_id.to_string()).collect();
    format!(
        "{} {:?} at {} by {} of {} counting {} in {events:?}",
        finding.rule.title,
        finding.group,
        finding.time,
        finding.event.id,
        finding.event_count,
        finding.count
    )
}

fn run(detector: &mut Detector, events: &[Event], out: &mut Vec<Finding>) {
    for event in events {
        detector.process(event, out);
    }
}

fn shapes(findings: &[Finding]) -> Vec<String> {
    let mut shapes: Vec<String> = findings.iter().map(shape).collect();
    shapes.sort();
    shapes
}

/// Swaps events that are less than the lateness bound apart, as `picks` say.
fn shuffled(events: &[Event], picks: &[usize]) -> Vec<Event> {
    let mut order: Vec<(i64, usize)> = events
        .iter()
        .enumerate()
        .map(|(place, event)| {
            // Each arrives late by less than the bound, so none is later than it.
            let late = picks.get(place).copied().unwrap_or(0) as i64 % 39;
            (event.time.0 + late * 100_000_000, place)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| events[place].clone()).collect()
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec(
        (0..400_i64, prop::bool::weighted(0.75), 1..3_u8, 0..3_u8, 0..6_i64),
        1..60,
    )
}

proptest! {
    #![proptest_config(common::cases(96))]

    #[test]
    fn arrival_order_changes_nothing(plan in plans(), picks in prop::collection::vec(0..39_usize, 60)) {
        let (rules, options) = rules();
        let in_order = events(&plan);
        let mut straight = Vec::new();
        let mut detector = Detector::new(rules.clone(), &options);
        run(&mut detector, &in_order, &mut straight);
        detector.finish(&mut straight);
        let mut mixed = Vec::new();
        let mut detector = Detector::new(rules, &options);
        run(&mut detector, &shuffled(&in_order, &picks), &mut mixed);
        detector.finish(&mut mixed);
        prop_assert_eq!(detector.counters().late, 0);
        // An event that comes late can complete what a later one found without it, so counts and
        // lists of findings already given may differ; that something was found, and when, not.
        let when = |findings: &[Finding]| {
            let mut when: Vec<String> = findings
                .iter()
                .map(|finding| format!("{} {:?} {}", finding.rule.title, finding.group, finding.time))
                .collect();
            when.sort();
            when.dedup();
            when
        };
        prop_assert_eq!(when(&straight), when(&mixed));
    }

    #[test]
    fn a_restart_changes_nothing(plan in plans(), at in 0..60_usize) {
        let (rules, options) = rules();
        let events = events(&plan);
        let at = at.min(events.len());
        let mut straight = Vec::new();
        let mut detector = Detector::new(rules.clone(), &options);
        run(&mut detector, &events, &mut straight);
        detector.finish(&mut straight);
        let mut restarted = Vec::new();
        let mut before = Detector::new(rules.clone(), &options);
        run(&mut before, &events[..at], &mut restarted);
        let saved = before.snapshot();
        let mut after = Detector::new(rules, &options);
        after.restore(&saved).unwrap();
        run(&mut after, &events[at..], &mut restarted);
        after.finish(&mut restarted);
        prop_assert_eq!(shapes(&straight), shapes(&restarted));
    }
}

#[test]
fn a_state_that_is_none_is_refused_with_its_reason() {
    let (rules, options) = rules();
    let mut by_id = Detector::new(rules.clone(), &options).next_piece(0).bytes;
    let refused = |state: &[u8]| {
        let mut detector = Detector::new(rules.clone(), &options);
        detector.restore(state).map_err(|error| error.to_string()).unwrap_err()
    };
    by_id[0] += 9;
    assert!(refused(&by_id).contains("version 12 is not 3"), "{}", refused(&by_id));
    assert!(refused(br#"{"version":9,"newest":0,"events":[],"correlations":[]}"#).contains("9"));
    assert!(!refused(b"").is_empty());
}

#[test]
fn new_rules_keep_the_windows_of_unchanged_ones() {
    let (rules, options) = rules();
    let plan: Vec<Plan> = (0..2).map(|second| (second * 10, true, 1, 0, 3)).collect();
    let mut detector = Detector::new(rules, &options);
    let mut findings = Vec::new();
    run(&mut detector, &events(&plan), &mut findings);
    let other = RULES.replace("title: distinct", "title: distinct users");
    let (changed, diagnostics) = common::load(&other, &options);
    assert!(!common::refused(&diagnostics), "{diagnostics:?}");
    detector.replace_rules(Arc::new(changed));
    findings.clear();
    detector.process(&event(9, (20, true, 1, 0, 3)), &mut findings);
    assert!(findings.iter().any(|finding| finding.rule.title == "sum"), "{findings:?}");
}

#[test]
fn state_is_bounded_and_what_goes_is_counted() {
    let (rules, mut options) = rules();
    options.limits.groups_max = 100;
    let mut detector = Detector::new(rules, &options);
    let mut findings = Vec::new();
    for number in 0..2000_usize {
        let json = json!({"a": "fail", "ip": format!("host-{number}"), "user": "u", "n": 1});
        let event = common::event(&json, Timestamp(number as i64 * 1_000_000), number as u64);
        detector.process(&event, &mut findings);
    }
    let counters = detector.counters();
    assert!(counters.groups_evicted > 0 && counters.groups <= 1300, "{counters:?}");
}

/// A live event: when it says it happened and when it was received, in seconds.
fn live(number: usize, happened: i64, received: i64, ip: u8) -> Event {
    let mut event = event(number, (happened * 10, true, ip, 1, 3));
    event.received = Timestamp(received * 1_000_000_000);
    event
}

/// Matches of other groups, enough for several looks for what is over.
const OTHERS: usize = 9_000;

#[test]
fn clocks_that_are_wrong_blind_nobody() {
    let (rules, options) = rules();
    let now = 1_800_000_000;
    // The offset of the attacker's clock from ours, and that of one stray event.
    for (offset, stray) in [(0, 4 * 365 * 86_400), (-5 * 3600, 0), (9 * 3600, 0), (0, 0)] {
        let mut events = vec![live(0, now + stray, now, 9)];
        for number in 1..OTHERS {
            let received = now + (number * 9 / OTHERS) as i64;
            events.push(live(number, received, received, 10 + (number % 200) as u8));
            if number % (OTHERS / 4) == 0 {
                events.push(live(OTHERS + number, received + offset, received, 1));
            }
        }
        let mut detector = Detector::new(Arc::clone(&rules), &options);
        let mut out = Vec::new();
        run(&mut detector, &events, &mut out);
        let attack = |finding: &&Finding| {
            finding.rule.title == "sum" && finding.group == [("ip".into(), "192.0.2.1".into())]
        };
        assert_eq!(out.iter().filter(attack).count(), 1, "{offset} {stray}");
        // Our own clock was years ahead for a moment and is set back.
        detector.advance(Timestamp((now + stray) * 1_000_000_000), &mut out);
        out.clear();
        let later = now + 3600;
        let again: Vec<Event> =
            (0..3).map(|number| live(2 * OTHERS + number, later, later, 2)).collect();
        run(&mut detector, &again, &mut out);
        assert!(out.iter().any(|finding| finding.rule.title == "sum"), "{offset} {stray}");
    }
}
