//! What is fuzzed: bytes in; nothing, or what is wrong, out. A panic is always wrong.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use proptest::strategy::Strategy;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::json;
use tocsin_content::{FileKind, Pack, PackFile, builtin_packs, yaml};
use tocsin_detect::{Detector, Options, RuleSet, Tables, explain};
use tocsin_model::{Event, Position, Record, Timestamp};
use tocsin_parse::Parser;

use crate::common::{self, compare, generate, generate_streams, reference};
use crate::corpus;

/// A thing to fuzz.
pub struct Target {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether an input means nothing in parts.
    pub whole: bool,
    pub run: Box<dyn FnMut(&[u8]) -> Result<(), String>>,
}

/// The names of all targets.
pub const NAMES: &[&str] =
    &["rules", "conditions", "events", "sources", "state", "matcher", "correlations"];

/// The target of this name.
pub fn target(name: &str) -> Target {
    let own = |name, seeds, run| Target { name, seeds, whole: false, run };
    let numbers = || (0..64_u64).map(|number| number.to_le_bytes().to_vec()).collect();
    match name {
        "rules" => own("rules", corpus::rules, Box::new(rules)),
        "conditions" => own("conditions", corpus::conditions, Box::new(conditions)),
        "events" => own("events", corpus::lines, events()),
        "sources" => own("sources", source_seeds, Box::new(sources)),
        "state" => own("state", state_seeds, Box::new(state)),
        "matcher" => {
            let run = Box::new(matcher);
            Target { name: "matcher", seeds: numbers, whole: true, run }
        }
        _ => {
            let run = Box::new(correlations);
            Target { name: "correlations", seeds: numbers, whole: true, run }
        }
    }
}

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// Loads a rule file and gives it a few events. Whatever loads has to run, save and restore, and
/// asking why has to give the answer that matching gave.
fn rules(input: &[u8]) -> Result<(), String> {
    let mut options = Options { route: false, ..Options::default() };
    options.placeholders.insert("l".to_owned(), vec!["a*".to_owned(), "\\b".to_owned()]);
    options.placeholders.insert("m".to_owned(), vec!["x".to_owned()]);
    let (rules, _) = common::load(&text(input), &options);
    let rules = Arc::new(rules);
    let mut detector = Detector::new(rules.clone(), &options);
    let mut findings = Vec::new();
    let samples = [
        json!({}),
        json!({"a": "x", "b": "x", "r": ["a", "b"], "n": 3, "g": "1", "x": 1}),
        json!({"a": ["", null, "İẞ\n\\*"], "b": {"c": "Aa"}, "r": "b", "n": "1e309", "g": 1}),
        json!({"a": "2024-07-10T03:45:00Z", "b": "10.0.0.1", "x": -1.5, "r": "a"}),
    ];
    for (place, sample) in samples.iter().enumerate() {
        let time = Timestamp(place as i64 * 1_000_000_000);
        let event = common::event(sample, time, place as u64);
        let before = findings.len();
        detector.process(&event, &mut findings);
        agree_with_reasons(&rules, &event, &findings[before..])?;
        let saved = detector.snapshot();
        detector = Detector::new(rules.clone(), &options);
        detector.restore(&saved).map_err(|error| format!("restore: {error}"))?;
    }
    detector.finish(&mut findings);
    Ok(())
}

/// What the indexes found is what looking at every condition finds.
fn agree_with_reasons(
    rules: &RuleSet,
    event: &Event,
    findings: &[tocsin_model::Finding],
) -> Result<(), String> {
    for rule in rules.rules().iter().filter(|rule| !rule.correlation) {
        let Some(explanation) = explain(rules, &rule.id, event) else { continue };
        let found = findings.iter().any(|finding| finding.rule.id == rule.id);
        // Rules that only feed correlations find nothing themselves.
        if found && !explanation.matched {
            return Err(format!("explain: {} found what it does not explain", rule.title));
        }
        let feeds = rules.rules().iter().any(|rule| rule.correlation);
        if !found && explanation.matched && !feeds {
            return Err(format!("explain: {} did not find what it explains", rule.title));
        }
    }
    Ok(())
}

/// A condition that loads has to hold exactly when reading it word by word says so.
fn conditions(input: &[u8]) -> Result<(), String> {
    const SEARCHES: [&str; 5] = ["s1", "s2", "_s1", "not_sel", "a-b"];
    let condition = text(input);
    let searches: String = SEARCHES
        .iter()
        .enumerate()
        .map(|(at, name)| format!("  {name}: {{ f{at}: 1 }}\n"))
        .collect();
    let quoted = serde_json::to_string(&condition).unwrap();
    let rule = format!(
        "title: t\nlogsource: {{ category: test }}\ndetection:\n{searches}  condition: {quoted}\n"
    );
    let options = common::unrouted();
    let (rules, _) = common::load(&rule, &options);
    if rules.is_empty() {
        return Ok(());
    }
    // YAML may read a character of the text in its own way.
    let condition = yaml::parse(&rule).unwrap()[0]
        .get("detection")
        .and_then(|node| node.get("condition")?.as_text().map(str::to_owned))
        .unwrap_or(condition);
    let mut detector = Detector::new(Arc::new(rules), &options);
    for bits in 0..1_u32 << SEARCHES.len() {
        let mut fields = json!({});
        let mut holding = Vec::new();
        for (at, name) in SEARCHES.iter().enumerate() {
            let holds = bits >> at & 1 == 1;
            fields[format!("f{at}")] = json!(u8::from(holds));
            holding.push((*name, holds));
        }
        let event = common::event(&fields, Timestamp(0), u64::from(bits));
        let mut findings = Vec::new();
        detector.process(&event, &mut findings);
        let wanted = reference::condition_holds(&condition, &holding);
        if wanted == findings.is_empty() {
            return Err(format!("condition: {condition:?} with {holding:?} should be {wanted}"));
        }
    }
    Ok(())
}

/// A line of a log through all shipped sources and rules.
fn events() -> Box<dyn FnMut(&[u8]) -> Result<(), String>> {
    let packs = builtin_packs();
    let (parser, _) = Parser::load(&packs, tocsin_parse::Options::default());
    let (tables, _) = Tables::from_packs(&packs);
    let files: Vec<PackFile> =
        packs.iter().flat_map(|pack| pack.of_kind(FileKind::Rule)).cloned().collect();
    let options = Options::default();
    let (rules, _) = tocsin_detect::load(&files, &tables, &options);
    let rules = Arc::new(rules);
    let mut worker = parser.worker();
    let mut detector = Detector::new(rules.clone(), &options);
    let mut number = 0;
    Box::new(move |input| {
        number += 1;
        let mut event = Event::default();
        worker.parse(&record(input, number), &mut event);
        let json = event.to_json();
        if json.get("@timestamp").is_none() {
            return Err("time: the event has none".to_owned());
        }
        let mut findings = Vec::new();
        detector.process(&event, &mut findings);
        for finding in findings.iter().filter(|finding| !finding.rule.correlation) {
            let explained = explain(&rules, &finding.rule.id, &event);
            if !explained.is_some_and(|explained| explained.matched) {
                return Err(format!("explain: {} is not explained", finding.rule.title));
            }
        }
        Ok(())
    })
}

fn record(line: &[u8], number: u64) -> Record {
    Record {
        input: "fuzz".into(),
        position: Position { stream: 0, offset: number, next: number + 1 },
        received: Timestamp(1_767_225_600_000_000_000),
        bytes: Bytes::copy_from_slice(line),
        hint: None,
        peer: None,
        path: None,
    }
}

/// Stands between a source and its lines.
const BETWEEN: &[u8] = b"\n%%%%\n";

fn source_seeds() -> Vec<Vec<u8>> {
    let pairs = corpus::sources().into_iter();
    pairs.map(|(source, log)| [&source[..], BETWEEN, &log[..]].concat()).collect()
}

/// Compiles a source and reads lines with it.
fn sources(input: &[u8]) -> Result<(), String> {
    let at = input.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    let (source, log) = input.split_at(at.unwrap_or(input.len()));
    let file = PackFile {
        kind: FileKind::Source,
        path: "content/fuzz/sources/x/source.yml".to_owned(),
        inner: "sources/x/source.yml".to_owned(),
        bytes: source.to_vec(),
        built_in: false,
    };
    let pack = Pack { name: "fuzz".to_owned(), files: vec![file] };
    let (parser, _) = Parser::load(&[pack], tocsin_parse::Options::default());
    let mut worker = parser.worker();
    let mut event = Event::default();
    for (number, line) in log.split(|byte| *byte == b'\n').enumerate() {
        worker.parse(&record(line, number as u64), &mut event);
    }
    Ok(())
}

/// Correlations of every mode, for saved state.
const CORRELATIONS: &str = "
title: a
name: a
logsource: { category: test }
detection: { s: { r: a }, condition: s }
---
title: count
name: count
correlation: { type: event_count, rules: [a], group-by: [g], timespan: 9s, condition: { gte: 2 } }
---
title: average
correlation: { type: value_avg, rules: [a], timespan: 9s, condition: { field: n, gte: 2 } }
---
title: few
correlation: { type: value_count, rules: [a], timespan: 9s, condition: { field: n, lt: 4 } }
---
title: ordered
correlation: { type: temporal_ordered, rules: [count, a], group-by: [n], timespan: 9s }
";

fn detector() -> Detector {
    let options = common::unrouted();
    let (rules, _) = common::load(CORRELATIONS, &options);
    Detector::new(Arc::new(rules), &options)
}

fn feed(detector: &mut Detector, seconds: std::ops::Range<i64>) {
    let mut findings = Vec::new();
    for second in seconds {
        let fields = json!({"r": "a", "g": second % 2, "n": second % 5});
        let event = common::event(&fields, Timestamp(second * 1_000_000_000), second as u64);
        detector.process(&event, &mut findings);
    }
}

fn state_seeds() -> Vec<Vec<u8>> {
    let mut detector = detector();
    feed(&mut detector, 0..8);
    let whole = detector.next_piece(0).bytes;
    feed(&mut detector, 8..12);
    vec![detector.snapshot(), whole, detector.next_piece(0).bytes]
}

/// Takes over damaged state, then goes on.
fn state(input: &[u8]) -> Result<(), String> {
    let mut detector = detector();
    if detector.restore(input).is_ok() {
        feed(&mut detector, 6..30);
        detector.finish(&mut Vec::new());
    }
    // What is no whole may follow one.
    let mut before = self::detector();
    feed(&mut before, 0..8);
    let whole = before.next_piece(0).bytes;
    let mut detector = self::detector();
    if detector.restore_pieces(&[&whole, input], &mut |_, _| Vec::new()).is_ok() {
        feed(&mut detector, 6..30);
        detector.finish(&mut Vec::new());
    }
    Ok(())
}

/// Rules and events by generators, compared with the plain evaluator; makes small by itself.
fn matcher(input: &[u8]) -> Result<(), String> {
    let strategy = (
        proptest::collection::vec(generate::detection(), 1..9),
        proptest::collection::vec(generate::event(), 1..9),
    );
    generated(input, &strategy, |(detections, events)| {
        compare::detections(&detections, &events).map(|_| ())
    })
}

/// Correlations and streams by generators, compared with the plain evaluator.
fn correlations(input: &[u8]) -> Result<(), String> {
    let text = proptest::prop_oneof![generate_streams::side_by_side(), generate_streams::chain()];
    let strategy = (text, generate_streams::plans(), 0..50_usize);
    generated(input, &strategy, |(text, plans, restart)| compare::streams(&text, &plans, restart))
}

fn generated<S: Strategy>(
    input: &[u8],
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), proptest::test_runner::TestCaseError>,
) -> Result<(), String> {
    let mut seed = [0; 32];
    for (at, byte) in input.iter().enumerate() {
        seed[at % 32] ^= byte.rotate_left(at as u32 / 32);
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(common::cases(16), rng);
    match runner.run(strategy, test) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, value)) => Err(format!("differs: {reason}\n{value:#?}")),
        Err(TestError::Abort(reason)) => Err(format!("aborted: {reason}")),
    }
}

thread_local! {
    static PANIC: RefCell<(String, String)> = const { RefCell::new((String::new(), String::new())) };
}

/// From now on panics are kept instead of printed.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        PANIC.with_borrow_mut(|kept| *kept = (place, info.to_string()));
    }));
}

/// Runs something; where and why it panicked, if it did.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, (String, String)> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| PANIC.with_borrow(Clone::clone))
}
