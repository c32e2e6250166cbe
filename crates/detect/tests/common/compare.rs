//! The engine beside the plain evaluators: rules, events and streams in; an error that says where
//! they differ out.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tocsin_content::yaml;
use tocsin_detect::{Detector, Needs, Options, Piece};
use tocsin_model::{Event, EventId, FieldId, Finding, Timestamp};

use super::generate::LISTS;
use super::generate_streams::{LATENESS, Plan};
use super::reference;
use super::streams::{self, Found, Item};

fn options() -> Options {
    let mut options = super::unrouted();
    for (name, values) in LISTS {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        options.placeholders.insert((*name).to_owned(), values);
    }
    options
}

/// Whether an event has what rules need.
fn has(event: &Event, needs: &Needs) -> bool {
    let fold = |text: &str| text.to_uppercase().to_lowercase();
    match needs {
        Needs::Nothing => true,
        Needs::All(parts) => parts.iter().all(|part| has(event, part)),
        Needs::Any(parts) => parts.iter().any(|part| has(event, part)),
        Needs::Text { fields, texts } => fields.iter().any(|name| {
            let mut found = matches!(name.as_str(), "@timestamp" | "event.original");
            let value = FieldId::intern(name).and_then(|id| event.get(id));
            value.into_iter().for_each(|value| {
                value.for_each_scalar(|value| {
                    let text = value.to_text().map(|text| fold(&text));
                    found |= text.is_some_and(|text| texts.iter().any(|one| fold(one) == text));
                });
            });
            found
        }),
    }
}

/// Loads all rules together and compares the titles found for each event; the number of rules
/// that the engine refused.
pub fn detections(detections: &[String], events: &[Json]) -> Result<usize, TestCaseError> {
    let documents: Vec<String> = detections
        .iter()
        .enumerate()
        .map(|(place, one)| {
            format!("title: r{place}\nlogsource: {{ category: test }}\ndetection: {one}\n")
        })
        .collect();
    let text = documents.join("---\n");
    let options = options();
    let (rules, diagnostics) = super::load(&text, &options);
    let loaded: BTreeSet<String> = rules.rules().iter().map(|rule| rule.title.clone()).collect();
    let refused = detections.len() - loaded.len();
    if refused > 0 {
        prop_assert!(super::refused(&diagnostics));
    }
    let nodes = yaml::parse(&text).unwrap();
    let made: Vec<Event> = events.iter().map(|json| super::event(json, Timestamp(0), 0)).collect();
    let names: BTreeSet<&str> =
        made.iter().flat_map(|event| event.iter().map(|(id, _)| id.name())).collect();
    let needs = |document: &String| {
        let names = names.iter().copied().chain(["@timestamp", "event.original"]);
        super::load(document, &options).0.needs(names)
    };
    let needs: Vec<Needs> = documents.iter().map(needs).collect();
    let mut detector = Detector::new(Arc::new(rules), &options);
    // Again and again: what was remembered of a value has to be what would be found.
    let rounds = events.iter().chain(events).chain(events.iter().rev());
    for (place, json) in rounds.enumerate() {
        let event = super::event(json, Timestamp(place as i64), place as u64);
        let mut findings = Vec::new();
        detector.process(&event, &mut findings);
        let got: BTreeSet<String> =
            findings.iter().map(|finding| finding.rule.title.clone()).collect();
        prop_assert_eq!(got.len(), findings.len(), "a rule matched twice");
        for (number, rule) in nodes.iter().enumerate() {
            let title = format!("r{number}");
            if !loaded.contains(&title) {
                continue;
            }
            if got.contains(&title) {
                let has = has(&event, &needs[number]);
                prop_assert!(
                    has,
                    "{:?}\nrule {}\nevent {json}",
                    needs[number],
                    &detections[number]
                );
            }
            let wanted = reference::matches(rule, json, LISTS);
            prop_assert_eq!(
                got.contains(&title),
                wanted,
                "rule {}\nevent {}",
                &detections[number],
                json
            );
        }
        // Asking why gives the same answer, and what is highlighted is in the value.
        for finding in &findings {
            for span in &finding.matches {
                prop_assert!(span.value.get(span.start as usize..span.end as usize).is_some());
            }
        }
    }
    Ok(refused)
}

/// A tenth of a second.
const TENTH: i64 = 100_000_000;

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

/// Items between two savings: several follow each other before a restart.
const SAVED_EVERY: usize = 3;

fn save(detector: &mut Detector, pieces: &mut Vec<Piece>) {
    let piece = detector.next_piece(0);
    if piece.whole {
        pieces.clear();
    }
    pieces.push(piece);
}

fn run(text: &str, items: &[Item], restart: usize) -> Vec<Found> {
    let options =
        Options { lateness: Duration::from_secs(LATENESS as u64 / 10), ..super::unrouted() };
    let (rules, diagnostics) = super::load(text, &options);
    assert!(!super::refused(&diagnostics), "{diagnostics:?}\n{text}");
    let rules = Arc::new(rules);
    let mut detector = Detector::new(rules.clone(), &options);
    let mut findings: Vec<Finding> = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        if place % SAVED_EVERY == 0 {
            save(&mut detector, &mut pieces);
        }
        if place == restart {
            let before = items[..place]
                .iter()
                .map(|item| super::event(&item.json, Timestamp(item.time), item.number));
            let before: Vec<Event> = before.collect();
            let saved = detector.snapshot();
            save(&mut detector, &mut pieces);
            detector = Detector::new(rules.clone(), &options);
            detector.restore(&saved).unwrap();
            let mut other = Detector::new(rules.clone(), &options);
            let mut find = |ids: &HashSet<EventId>, _| {
                before.iter().filter(|event| ids.contains(&event.id)).cloned().collect()
            };
            let bytes: Vec<&[u8]> = pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
            other.restore_pieces(&bytes, &mut find).unwrap();
            assert_eq!(other.snapshot(), detector.snapshot());
        }
        let event = super::event(&item.json, Timestamp(item.time), item.number);
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

/// Compares what correlations find in order, as events arrive, and with a restart.
pub fn streams(text: &str, plans: &[Plan], restart: usize) -> Result<(), TestCaseError> {
    let items = items(plans);
    let in_order: Vec<Item> = items.iter().map(|one| one.0.clone()).collect();
    let wanted = streams::findings(text, &in_order);
    prop_assert_eq!(&run(text, &in_order, usize::MAX), &wanted, "in order\n{}", text);
    let mut arriving = items;
    // The latest of what arrives at once is the latest allowed.
    arriving.sort_by_key(|one| (one.1, -one.0.time));
    let arriving: Vec<Item> = arriving.into_iter().map(|one| one.0).collect();
    prop_assert_eq!(&run(text, &arriving, usize::MAX), &wanted, "as it arrives\n{}", text);
    prop_assert_eq!(&run(text, &arriving, restart), &wanted, "with a restart\n{}", text);
    Ok(())
}
