//! What becomes of findings: raised, joined, escalated, allowed, restored.

use std::sync::Arc;

use tocsin_model::{Event, EventId, RuleMeta, Severity, Value};

use super::*;

fn rule(severity: Severity) -> RuleMeta {
    RuleMeta {
        id: "rule-1".into(),
        title: "Brute force".into(),
        severity,
        correlation: true,
        reason: Some("{count} failures from {source.ip} in {window} for {nobody}".into()),
        ..RuleMeta::default()
    }
}

/// By how many seconds events are received after they happened: a source that is hours behind.
const RECEIVED_LATER: i64 = 5 * 3600;

/// A finding at `second` whose window began `before` seconds earlier.
fn finding(rule: RuleMeta, address: &str, second: i64, before: i64) -> Finding {
    let at = |second: i64| Timestamp(second * 1_000_000_000);
    let mut event = Event::default();
    event.time = at(second);
    event.received = at(second + RECEIVED_LATER);
    event.id = EventId { stream: 1, offset: second as u64 };
    event.set(field::SOURCE_IP, Value::Str(address));
    event.push_str(field::USER_NAME, "root");
    let contribution = |second: i64| Contribution {
        event_id: EventId { stream: 1, offset: second as u64 },
        time: at(second),
        rule_id: "base".into(),
        line: format!("line {second}").into(),
    };
    Finding {
        rule: Arc::new(rule),
        time: at(second),
        group: vec![("source.ip".into(), address.into())],
        event,
        contributions: (second - before..=second).map(contribution).collect(),
        count: (before + 1) as f64,
        event_count: (before + 1) as u64,
        window: Some((at(second - before), at(second))),
        matches: Vec::new(),
    }
}

fn alerts() -> Alerts {
    Alerts::new(AlertConfig { cooldown_seconds: 60, ..AlertConfig::default() }).unwrap()
}

#[test]
fn one_attack_is_one_alert_whose_count_goes_up() {
    let mut alerts = alerts();
    let high = rule(Severity::High);
    let Outcome::Raised(id) = alerts.add(&finding(high.clone(), "192.0.2.1", 104, 4), false) else {
        panic!("not raised")
    };
    for second in 105..120 {
        let outcome = alerts.add(&finding(high.clone(), "192.0.2.1", second, 4), false);
        assert_eq!(outcome, Outcome::Joined(id.clone()));
    }
    let changed = alerts.take_changed();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].count, 20);
    assert_eq!(changed[0].reason, "20 failures from 192.0.2.1 in 19 s for unknown");
    assert_eq!(changed[0].events.len(), 20);
    assert!(alerts.take_changed().is_empty());
}

#[test]
fn what_stands_for_no_attempt_counts_only_for_its_own_rule() {
    let named = |id: &str| RuleMeta {
        id: id.into(),
        alert_as: Some("login".into()),
        ..rule(Severity::High)
    };
    let silent = |id: &str, second: i64| {
        let mut finding = finding(named(id), "192.0.2.1", second, 4);
        finding.event.push(field::TOCSIN_ATTEMPTS, Value::Int(0));
        finding
    };
    for (joining, expected) in [("closed", 6), ("failed", 5)] {
        let mut alerts = alerts();
        alerts.add(&silent("closed", 104), false);
        alerts.add(&silent(joining, 105), false);
        assert_eq!(alerts.take_changed()[0].count, expected, "{joining}");
    }
}

#[test]
fn a_correlation_may_share_an_alert_by_a_part_of_its_group() {
    let mut alerts = alerts();
    let named = |id: &str, group_by: &[&str]| RuleMeta {
        id: id.into(),
        alert_as: Some("login".into()),
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        ..rule(Severity::High)
    };
    let by_user = |group_by: &[&str]| {
        let mut finding = finding(named("by-user", group_by), "192.0.2.1", 105, 4);
        finding.group.push(("user.name".into(), "root".into()));
        finding
    };
    alerts.add(&finding(named("by-address", &[]), "192.0.2.1", 104, 4), false);
    assert!(matches!(alerts.add(&by_user(&["source.ip"]), false), Outcome::Joined(_)));
    assert!(matches!(alerts.add(&by_user(&[]), false), Outcome::Raised(_)));
}

#[test]
fn another_address_or_a_later_attack_is_another_alert() {
    let mut alerts = alerts();
    let high = rule(Severity::High);
    assert!(matches!(
        alerts.add(&finding(high.clone(), "192.0.2.1", 100, 4), false),
        Outcome::Raised(_)
    ));
    assert!(matches!(
        alerts.add(&finding(high.clone(), "192.0.2.2", 100, 4), false),
        Outcome::Raised(_)
    ));
    assert!(matches!(
        alerts.add(&finding(high.clone(), "192.0.2.1", 161, 4), false),
        Outcome::Raised(_)
    ));
    assert!(matches!(alerts.add(&finding(high, "192.0.2.1", 150, 4), false), Outcome::Joined(_)));
    assert_eq!(alerts.take_changed().len(), 3);
}

#[test]
fn the_allow_list_never_alerts() {
    let config = AlertConfig { allow_list: vec!["192.0.2.0/24".into()], ..AlertConfig::default() };
    let mut alerts = Alerts::new(config).unwrap();
    assert_eq!(
        alerts.add(&finding(rule(Severity::High), "192.0.2.9", 100, 4), false),
        Outcome::Allowed
    );
    assert!(matches!(
        alerts.add(&finding(rule(Severity::High), "198.51.100.9", 100, 4), false),
        Outcome::Raised(_)
    ));
    assert_eq!(alerts.counters().allowed, 1);
}

#[test]
fn worse_findings_escalate_and_live_ones_end_history() {
    let mut alerts = alerts();
    let first = alerts.add(&finding(rule(Severity::Medium), "192.0.2.1", 100, 4), true);
    assert!(matches!(first, Outcome::Raised(_)));
    let worse = alerts.add(&finding(rule(Severity::High), "192.0.2.1", 101, 4), true);
    assert!(matches!(worse, Outcome::Escalated(_)));
    assert!(alerts.take_changed()[0].historical);
    let live = alerts.add(&finding(rule(Severity::High), "192.0.2.1", 102, 4), false);
    assert!(matches!(live, Outcome::Raised(_)));
    let changed = alerts.take_changed();
    assert!(!changed[0].historical);
    assert_eq!(changed[0].severity, Severity::High);
}

#[test]
fn restoring_and_replaying_gives_the_same_alerts() {
    let high = rule(Severity::High);
    let mut straight = alerts();
    let mut crashed = alerts();
    for second in 100..110 {
        straight.add(&finding(high.clone(), "192.0.2.1", second, 4), false);
    }
    for second in 100..105 {
        crashed.add(&finding(high.clone(), "192.0.2.1", second, 4), false);
    }
    let saved = crashed.snapshot();
    crashed.add(&finding(high.clone(), "192.0.2.1", 105, 4), false);
    let mut restarted = alerts();
    restarted.restore(&saved).unwrap();
    restarted.adopt(crashed.take_changed());
    for second in 105..110 {
        restarted.add(&finding(high.clone(), "192.0.2.1", second, 4), false);
    }
    assert_eq!(restarted.take_changed(), straight.take_changed());
    assert!(restarted.restore(b"{}").is_err());
}

#[test]
fn an_alert_raised_after_the_saved_state_keeps_its_id_when_its_events_come_again() {
    let high = rule(Severity::High);
    let mut crashed = alerts();
    let saved = crashed.snapshot();
    crashed.add(&finding(high.clone(), "192.0.2.1", 105, 4), false);
    let known = crashed.take_changed();
    let mut restarted = alerts();
    restarted.restore(&saved).unwrap();
    restarted.adopt(known.clone());
    // Another stream was read first this time, so another event comes first.
    restarted.add(&finding(high, "192.0.2.1", 106, 4), false);
    assert_eq!(restarted.take_changed()[0].id, known[0].id);
}

#[test]
fn surplus_and_expired_alerts_are_let_go() {
    let config = AlertConfig { open_max: 2, cooldown_seconds: 60, ..AlertConfig::default() };
    let mut alerts = Alerts::new(config).unwrap();
    for host in 1..=3 {
        alerts
            .add(&finding(rule(Severity::High), &format!("192.0.2.{host}"), 100 + host, 4), false);
    }
    assert_eq!((alerts.open_count(), alerts.counters().let_go), (2, 1));
    alerts.expire(Timestamp((163 + RECEIVED_LATER) * 1_000_000_000), Duration::from_secs(1));
    assert_eq!(alerts.open_count(), 1);
}
