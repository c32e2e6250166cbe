//! Our own cases, at least one that fires and one that does not for every line of the checklist
//! of what correct Sigma means. The cases are tables under `checklist/`; each is named after its
//! line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::path::Path;

use serde_json::Value as Json;
use tocsin_content::{Node, yaml};
use tocsin_detect::Options;
use tocsin_model::{Event, Finding, Timestamp};

/// Time of events that do not say theirs, in nanoseconds.
const START: i64 = 1_767_225_600_000_000_000;

/// Runs every case of one table.
fn table(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checklist").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let root = yaml::parse(&text).unwrap().remove(0);
    let prelude = text_of(&root, "prelude").unwrap_or_default();
    let mut failed = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for case in root.get("cases").unwrap().as_seq().unwrap() {
        let name = text_of(case, "line").unwrap();
        if names.contains(&name) {
            failed.push(format!("{name}: stands twice"));
        }
        if let Err(reason) = check(case, &prelude) {
            failed.push(format!("line {}, {name}: {reason}", case.place.line));
        }
        names.push(name);
    }
    println!("{} of {} cases of {name} pass", names.len() - failed.len(), names.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn check(case: &Node, prelude: &str) -> Result<(), String> {
    let rules = rules(case, prelude);
    let mut options = Options { route: case.get("route").is_some(), ..Options::default() };
    let lists = [("admins", vec!["anna", "berta"]), ("dirs", vec![r"C:\a*", r"C:\b"])];
    for (name, list) in lists {
        options.placeholders.insert(name.into(), list.into_iter().map(str::to_owned).collect());
    }
    let (set, diagnostics) = common::load(&rules, &options);
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    let said = said.join("; ");
    if let Some(wanted) = text_of(case, "refused") {
        return match common::refused(&diagnostics) {
            false => Err("was not refused".to_owned()),
            true if !said.contains(&wanted) => Err(format!("refused for another reason: {said}")),
            true => Ok(()),
        };
    }
    match text_of(case, "warns") {
        Some(wanted) if !said.contains(&wanted) => return Err(format!("says {said:?}")),
        _ if common::refused(&diagnostics) => return Err(format!("refused: {said}")),
        _ => {}
    }
    if let Some(events) = case.get("events") {
        let events: Vec<Event> =
            events.as_seq().unwrap().iter().enumerate().map(|(at, one)| timed(at, one)).collect();
        return compare(case, &common::run(set, &options, &events));
    }
    let set = std::sync::Arc::new(set);
    let mut tried = [0, 0];
    for (wanted, key) in [(true, "fires"), (false, "silent")] {
        for (at, node) in list(case, key).iter().enumerate() {
            tried[usize::from(wanted)] += 1;
            let event = event(node, Timestamp(START), at);
            let mut findings = Vec::new();
            tocsin_detect::Detector::new(set.clone(), &options).process(&event, &mut findings);
            if findings.is_empty() == wanted {
                return Err(format!("{key} {}: it does not hold", node.to_json()));
            }
        }
    }
    if tried.contains(&0) { Err("needs a firing and a silent event".to_owned()) } else { Ok(()) }
}

/// Compares findings with `title field=value @seconds`, in any order.
fn compare(case: &Node, findings: &[Finding]) -> Result<(), String> {
    let mut got: Vec<String> = findings
        .iter()
        .map(|finding| {
            let group: String =
                finding.group.iter().map(|(field, value)| format!(" {field}={value}")).collect();
            let seconds = (finding.time.0 - START) as f64 / 1e9;
            format!("{}{group} @{seconds}", finding.rule.title)
        })
        .collect();
    let mut wanted: Vec<String> =
        list(case, "findings").iter().map(|node| node.as_text().unwrap().to_owned()).collect();
    got.sort();
    wanted.sort();
    if got == wanted { Ok(()) } else { Err(format!("expected {wanted:?}, got {got:?}")) }
}

/// The rules of a case: whole documents, or a search or detection put into one.
fn rules(case: &Node, prelude: &str) -> String {
    let indented = |text: &str, by: &str| -> String {
        text.lines().map(|line| format!("{by}{line}\n")).collect()
    };
    let source = "logsource: { category: test }";
    if let Some(search) = text_of(case, "search") {
        let search = indented(&search, "    ");
        return format!("title: t\n{source}\ndetection:\n  s:\n{search}  condition: s\n");
    }
    if let Some(detection) = text_of(case, "detection") {
        return format!("title: t\n{source}\ndetection:\n{}", indented(&detection, "  "));
    }
    if let Some(correlation) = text_of(case, "correlation") {
        let own = text_of(case, "tocsin").unwrap_or_default();
        let correlation = indented(&correlation, "  ");
        return format!("{prelude}---\ntitle: t\ncorrelation:\n{correlation}{own}\n");
    }
    let alone = case.get("alone").is_some();
    let rule = text_of(case, "rule").unwrap();
    if alone || prelude.is_empty() { rule } else { format!("{prelude}---\n{rule}") }
}

fn timed(at: usize, node: &Node) -> Event {
    let pair = node.as_seq().unwrap();
    let seconds: f64 = pair[0].as_text().unwrap().parse().unwrap();
    event(&pair[1], Timestamp(START + (seconds * 1e9).round() as i64), at)
}

fn event(node: &Node, time: Timestamp, at: usize) -> Event {
    let mut json = node.to_json();
    let line = json.as_object_mut().unwrap().remove("raw line");
    let event = common::event(&json, time, at as u64);
    let Some(line) = line.as_ref().and_then(Json::as_str) else { return event };
    // The raw line has to be set first.
    let mut with_line = Event::default();
    with_line.set_original(line);
    (with_line.id, with_line.time, with_line.received) = (event.id, event.time, event.received);
    for (field, value) in event.iter() {
        with_line.push(field, value);
    }
    with_line
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    node.get(key).map(|node| node.as_text().unwrap().to_owned())
}

fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map_or(&[], |node| node.as_seq().unwrap())
}

#[test]
fn documents() {
    table("documents.yml");
}

#[test]
fn log_sources() {
    table("log_sources.yml");
}

#[test]
fn values() {
    table("values.yml");
}

#[test]
fn searches() {
    table("searches.yml");
}

#[test]
fn modifiers() {
    table("modifiers.yml");
}

#[test]
fn conditions() {
    table("conditions.yml");
}

#[test]
fn correlations() {
    table("correlations.yml");
}

#[test]
fn filters() {
    table("filters.yml");
}
