//! What the tests share: events from JSON, rules from text, cases from files.
#![allow(dead_code, reason = "each test file uses some of it")]

pub mod compare;
pub mod encodings;
pub mod generate;
pub mod generate_streams;
pub mod reference;
pub mod streams;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use proptest::prelude::ProptestConfig;
use serde_json::Value as Json;
use tocsin_content::{Diagnostic, FileKind, Level, PackFile};
use tocsin_detect::{Detector, Options, RuleSet, Tables};
use tocsin_model::value::OwnedValue;
use tocsin_model::{Event, EventId, FieldId, Finding, Timestamp, Value};

/// The corpora beside the repository; `None`, with a notice, when they are not there.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(name);
    if path.exists() {
        return Some(path);
    }
    // Past the harness, which keeps what a passing test prints to itself.
    let _ = writeln!(std::io::stdout(), "skipped: no {name} beside the repository");
    None
}

/// A rule file from text.
pub fn file(path: &str, text: &str) -> PackFile {
    PackFile {
        kind: FileKind::Rule,
        path: path.to_owned(),
        inner: path.to_owned(),
        bytes: text.as_bytes().to_vec(),
        built_in: false,
    }
}

/// Loads one text of rules.
pub fn load(text: &str, options: &Options) -> (RuleSet, Vec<Diagnostic>) {
    static TABLES: LazyLock<Tables> = LazyLock::new(Tables::builtin);
    tocsin_detect::load(&[file("test.yml", text)], &TABLES, options)
}

/// Options that try every rule on every event.
pub fn unrouted() -> Options {
    Options { route: false, ..Options::default() }
}

/// Whether anything was refused.
pub fn refused(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
}

/// An event from a JSON object, flattened as the JSON reader does it.
pub fn event(json: &Json, time: Timestamp, offset: u64) -> Event {
    let mut event = Event::default();
    event.id = EventId { stream: 1, offset };
    event.time = time;
    event.received = time;
    let mut fields: BTreeMap<String, (bool, OwnedValue, bool)> = BTreeMap::new();
    let mut order = Vec::new();
    collect("", false, json, &mut fields, &mut order);
    for name in order {
        let Some((_, value, object)) = fields.remove(&name) else { continue };
        let Some(id) = FieldId::intern(&name) else { continue };
        if object {
            event.set(id, Value::Object);
        } else {
            event.set_owned(id, &value);
        }
    }
    event
}

type Fields = BTreeMap<String, (bool, OwnedValue, bool)>;

fn collect(prefix: &str, literal: bool, json: &Json, fields: &mut Fields, order: &mut Vec<String>) {
    let mut put = |name: String, literal: bool, value: OwnedValue, object: bool| {
        match fields.get_mut(&name) {
            // A literal `a.b` comes before the path a → b.
            Some((known, _, _)) if *known && !literal => {}
            Some(slot) => *slot = (literal, value, object),
            None => {
                order.push(name.clone());
                fields.insert(name, (literal, value, object));
            }
        }
    };
    match json {
        Json::Object(members) => {
            if !prefix.is_empty() {
                put(prefix.to_owned(), literal, OwnedValue::Null, true);
            }
            for (key, value) in members {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                collect(&name, literal || key.contains('.'), value, fields, order);
            }
        }
        Json::Array(items) => {
            let mut scalars = Vec::new();
            let mut members: BTreeMap<String, Vec<OwnedValue>> = BTreeMap::new();
            spread(items, &mut scalars, &mut members);
            put(prefix.to_owned(), literal, OwnedValue::List(scalars), false);
            for (key, values) in members {
                put(format!("{prefix}.{key}"), literal, OwnedValue::List(values), false);
            }
        }
        scalar => put(prefix.to_owned(), literal, owned(scalar), false),
    }
}

fn spread(
    items: &[Json],
    scalars: &mut Vec<OwnedValue>,
    members: &mut BTreeMap<String, Vec<OwnedValue>>,
) {
    for item in items {
        match item {
            Json::Array(inner) => spread(inner, scalars, members),
            Json::Object(_) => {
                let inner = event(item, Timestamp::default(), 0);
                for (id, value) in inner.iter() {
                    let list = members.entry(id.name().to_owned()).or_default();
                    value.for_each_scalar(|value| {
                        if !matches!(value, Value::Object) {
                            list.push(owned(&value.to_json()));
                        }
                    });
                }
            }
            scalar => scalars.push(owned(scalar)),
        }
    }
}

fn owned(json: &Json) -> OwnedValue {
    match json {
        Json::Bool(flag) => OwnedValue::Bool(*flag),
        Json::String(text) => OwnedValue::Str(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => OwnedValue::Int(number),
            (_, Some(number)) => OwnedValue::UInt(number),
            _ => OwnedValue::Float(number.as_f64().unwrap_or_default()),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => OwnedValue::Null,
    }
}

/// Runs a rule set over events; every finding with the place of the event that completed it.
pub fn run(rules: RuleSet, options: &Options, events: &[Event]) -> Vec<Finding> {
    let mut detector = Detector::new(Arc::new(rules), options);
    let mut findings = Vec::new();
    for event in events {
        detector.process(event, &mut findings);
    }
    detector.finish(&mut findings);
    findings
}

/// The outcome of one case: `None` when it is as expected.
pub fn check(case: &Json) -> Option<String> {
    let options = unrouted();
    let text = case["rule"].as_str().unwrap();
    let (rules, diagnostics) = load(text, &options);
    let expected = &case["expected"];
    if expected == "reject" {
        return (!refused(&diagnostics)).then(|| "expected a refusal".to_owned());
    }
    if refused(&diagnostics) {
        return Some(format!("refused: {diagnostics:?}"));
    }
    let events: Vec<Event> = case["events"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(place, item)| {
            let at = item.get("at").and_then(Json::as_str).unwrap_or("2026-01-01T00:00:00Z");
            let time = Timestamp::parse_rfc3339(at).unwrap();
            event(&item["event"], time, place as u64)
        })
        .collect();
    let findings = run(rules, &options, &events);
    if let Some(flags) = expected.as_array() {
        let got: Vec<bool> = (0..events.len())
            .map(|place| findings.iter().any(|finding| finding.event.id.offset == place as u64))
            .collect();
        let wanted: Vec<bool> = flags.iter().map(|flag| flag.as_bool().unwrap()).collect();
        return (got != wanted).then(|| format!("expected {wanted:?}, got {got:?}"));
    }
    let got = alerts(&findings);
    let mut wanted: Vec<String> =
        expected["alerts"].as_array().unwrap().iter().map(alert_text).collect();
    wanted.sort();
    (got != wanted).then(|| format!("expected {wanted:?}, got {got:?}"))
}

/// The first finding of each rule and group, as text.
fn alerts(findings: &[Finding]) -> Vec<String> {
    let mut first: BTreeMap<String, u64> = BTreeMap::new();
    for finding in findings {
        let group: BTreeMap<&str, &str> =
            finding.group.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        let key = format!("{} {}", finding.rule.title, serde_json::to_string(&group).unwrap());
        let place = finding.event.id.offset;
        first.entry(key).and_modify(|known| *known = place.min(*known)).or_insert(place);
    }
    first.into_iter().map(|(key, place)| format!("{key} {place}")).collect()
}

fn alert_text(alert: &Json) -> String {
    let group: BTreeMap<&str, &str> = alert["group"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(field, value)| (field.as_str(), value.as_str().unwrap()))
        .collect();
    let group = serde_json::to_string(&group).unwrap();
    format!("{} {group} {}", alert["rule"].as_str().unwrap(), alert["first"])
}

/// A property test of so many cases, or of `PROPTEST_CASES`.
pub fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = wanted.unwrap_or(usual);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}
