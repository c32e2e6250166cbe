//! Rule tests: the `tests:` inside rule files in, passed or why not out.
//!
//! ```yaml
//! tests:
//!   - name: five failures in a minute
//!     fires: true            # true, false, or a number of findings
//!     source: openssh.sshd   # how `lines` are read; found by the line when left out
//!     lines: |
//!       Nov 21 00:11:50 vm sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2
//!     events:                # or events as they would be after parsing
//!       - { at: 10s, source.ip: 192.0.2.1 }
//!     group: { source.ip: 192.0.2.1 }
//! ```

use std::sync::Arc;

use serde::Serialize;
use tocsin_content::yaml::Kind;
use tocsin_content::{Node, PackFile, yaml};
use tocsin_model::value::OwnedValue;
use tocsin_model::{Event, EventId, FieldId, Finding, Timestamp, field};

use crate::detector::Detector;
use crate::explain::{Explained, explain};
use crate::options::Options;
use crate::rule::correlation::parse_timespan;
use crate::tables::Tables;
use crate::{RuleSet, load};

/// The outcome of one test of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// File of the rule.
    pub path: String,
    /// Line of the test.
    pub line: u32,
    /// The rule's title.
    pub rule: String,
    /// The test's name.
    pub name: String,
    /// Whether it expects the rule to fire.
    pub fires: bool,
    /// `None` when it passed, else what was expected and what came.
    pub failure: Option<String>,
}

/// Time of events without `at`: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// Runs the `tests:` of every rule in `files`, with all of `files` loaded and routed by log
/// source. `read` parses one raw line with the named source (`None`: find the source), or says
/// why it cannot. Tests of rules that were refused are left out: that was said when they were
/// loaded.
pub fn run_tests(
    files: &[PackFile],
    tables: &Tables,
    options: &Options,
    read: &mut dyn FnMut(Option<&str>, &str) -> Result<Event, String>,
) -> Vec<TestResult> {
    let (rules, _) = load(files, tables, options);
    let mut runner = Runner { rules: Arc::new(rules), options, read };
    let mut results = Vec::new();
    for file in files {
        // A file that is no YAML was reported when it was loaded.
        for document in yaml::parse(&file.text()).unwrap_or_default() {
            runner.document(&file.path, &document, &mut results);
        }
    }
    results
}

struct Runner<'a> {
    rules: Arc<RuleSet>,
    options: &'a Options,
    read: &'a mut dyn FnMut(Option<&str>, &str) -> Result<Event, String>,
}

enum Expected {
    Any,
    Count(usize),
}

impl Runner<'_> {
    fn document(&mut self, path: &str, document: &Node, results: &mut Vec<TestResult>) {
        let Some(tests) = document.get("tests").and_then(Node::as_seq) else { return };
        let text = |node: &Node, key: &str| {
            node.get(key).and_then(Node::as_text).unwrap_or_default().to_owned()
        };
        let title = text(document, "title");
        let rule = self.rules.rules().iter().find(|meta| {
            let id = text(document, "id");
            meta.path == path && (if id.is_empty() { meta.title == title } else { meta.id == id })
        });
        let Some(id) = rule.map(|meta| meta.id.clone()) else { return };
        for test in tests {
            let outcome = self.test(&id, test);
            let fires = test.get("fires");
            let silent = fires.and_then(Node::as_bool) == Some(false)
                || fires.and_then(Node::as_int) == Some(0);
            results.push(TestResult {
                path: path.to_owned(),
                line: test.place.line,
                rule: title.clone(),
                name: text(test, "name"),
                fires: !silent,
                failure: outcome.err(),
            });
        }
    }

    fn test(&mut self, id: &str, test: &Node) -> Result<(), String> {
        let fires = test.get("fires").ok_or("fires is missing: true, false or a number")?;
        let expected = match (fires.as_bool(), fires.as_int().and_then(|n| usize::try_from(n).ok()))
        {
            (Some(true), _) => Expected::Any,
            (Some(false), _) => Expected::Count(0),
            (_, Some(count)) => Expected::Count(count),
            _ => return Err("fires must be true, false or a number".to_owned()),
        };
        let events = self.events(test)?;
        let findings = self.findings(id, &events);
        match expected {
            Expected::Any if findings.is_empty() => {
                let why = self.of_other_source(id, &events);
                let plural = if events.len() == 1 { "" } else { "s" };
                return Err(format!(
                    "expected it to fire, it did not ({} event{plural}){why}",
                    events.len()
                ));
            }
            Expected::Count(count) if count != findings.len() => {
                let why = match findings.is_empty() {
                    true => self.of_other_source(id, &events),
                    false => String::new(),
                };
                return Err(format!("expected {count} findings, got {}{why}", findings.len()));
            }
            _ => {}
        }
        match (test.get("group"), findings.first()) {
            (Some(group), Some(finding)) => check_group(group, finding),
            _ => Ok(()),
        }
    }

    /// Says so when no event is of the log source that the rule is for.
    fn of_other_source(&self, id: &str, events: &[Event]) -> String {
        let mut wanted = None;
        for event in events {
            let Some(explanation) = explain(&self.rules, id, event) else { return String::new() };
            let sources = explanation.log_sources();
            if sources.iter().any(|source| source.matched) {
                return String::new();
            }
            wanted = sources.first().map(|source| {
                let looks: Vec<String> = source.parts.iter().map(Explained::in_words).collect();
                format!("{}: {}", source.what, looks.join(" and "))
            });
        }
        match wanted {
            Some(wanted) => {
                format!("; no event is of {wanted}; see \"Log sources\" in docs/sigma.md")
            }
            None => String::new(),
        }
    }

    fn findings(&self, id: &str, events: &[Event]) -> Vec<Finding> {
        let mut detector = Detector::new(Arc::clone(&self.rules), self.options);
        detector.emit_all();
        let mut findings = Vec::new();
        for event in events {
            detector.process(event, &mut findings);
        }
        detector.finish(&mut findings);
        findings.retain(|finding| finding.rule.id == id);
        findings
    }

    fn events(&mut self, test: &Node) -> Result<Vec<Event>, String> {
        let source = test.get("source").and_then(Node::as_text);
        let mut events = Vec::new();
        if let Some(lines) = test.get("lines") {
            let text = lines.as_text().ok_or("lines must be text")?;
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                events.push((self.read)(source, line)?);
            }
        }
        if let Some(list) = test.get("events") {
            for node in list.as_seq().ok_or("events must be a list")? {
                events.push(event(node)?);
            }
        }
        if events.is_empty() {
            return Err("the test has neither lines nor events".to_owned());
        }
        for (place, event) in events.iter_mut().enumerate() {
            event.id = EventId { stream: 1, offset: place as u64 + 1 };
        }
        Ok(events)
    }
}

fn event(node: &Node) -> Result<Event, String> {
    let entries = node.as_map().ok_or("an event must be a map")?;
    let mut event = Event::default();
    if let Some(line) = node.get("event.original").and_then(Node::as_text) {
        event.set_original(line);
    }
    event.time = START;
    for (key, value) in entries {
        match key.text.as_str() {
            "at" => event.time = time(value)?,
            "event.original" => {}
            name => add(&mut event, name, value)?,
        }
    }
    event.received = event.time;
    Ok(event)
}

fn time(node: &Node) -> Result<Timestamp, String> {
    let text = node.as_text().unwrap_or("");
    if matches!(text, "0" | "0s") {
        return Ok(START);
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(time);
    }
    match parse_timespan(node) {
        Ok(span) => Ok(START.plus(span)),
        Err(_) => Err(format!("at: {text:?} is neither an offset like 10s nor RFC 3339")),
    }
}

fn add(event: &mut Event, name: &str, node: &Node) -> Result<(), String> {
    let id = FieldId::intern(name).ok_or_else(|| format!("field {name:?}: too many names"))?;
    if let Kind::Map(entries) = &node.kind {
        event.set(id, tocsin_model::Value::Object);
        return entries
            .iter()
            .try_for_each(|(key, value)| add(event, &format!("{name}.{}", key.text), value));
    }
    if id == field::TIMESTAMP {
        event.time = time(node)?;
        return Ok(());
    }
    event.set_owned(id, &owned(node));
    Ok(())
}

fn owned(node: &Node) -> OwnedValue {
    if let Some(items) = node.as_seq() {
        return OwnedValue::List(items.iter().map(owned).collect());
    }
    if node.is_null() {
        return OwnedValue::Null;
    }
    if let Some(flag) = node.as_bool() {
        return OwnedValue::Bool(flag);
    }
    if let Some(number) = node.as_int() {
        if let Ok(number) = i64::try_from(number) {
            return OwnedValue::Int(number);
        }
        if let Ok(number) = u64::try_from(number) {
            return OwnedValue::UInt(number);
        }
    }
    match node.as_float() {
        Some(number) => OwnedValue::Float(number),
        None => OwnedValue::Str(node.as_text().unwrap_or_default().to_owned()),
    }
}

fn check_group(node: &Node, finding: &Finding) -> Result<(), String> {
    for (key, value) in node.as_map().ok_or("group must be a map")? {
        let got = finding.group.iter().find(|(field, _)| *field == key.text);
        let wanted = value.as_text().unwrap_or_default();
        match got {
            Some((_, got)) if got == wanted => {}
            Some((_, got)) => {
                return Err(format!("expected {} to be {wanted:?}, got {got:?}", key.text));
            }
            None => return Err(format!("the finding's group has no {}", key.text)),
        }
    }
    Ok(())
}
