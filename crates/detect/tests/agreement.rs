//! The engine and the plain evaluator agree on random rules and events: several rules at once, so
//! that they share automata and nodes, and several events in a row, so that they share buffers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::generate::{self, LISTS};
use common::reference;
use proptest::prelude::*;
use serde_json::Value as Json;
use tocsin_content::yaml;
use tocsin_detect::{Detector, Options};
use tocsin_model::Timestamp;

fn options() -> Options {
    let mut options = common::unrouted();
    for (name, values) in LISTS {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        options.placeholders.insert((*name).to_owned(), values);
    }
    options
}

/// Loads all rules together and compares the titles found for each event. The share of rules
/// that the engine refused.
fn compare(detections: &[String], events: &[Json]) -> Result<usize, TestCaseError> {
    let documents: Vec<String> = detections
        .iter()
        .enumerate()
        .map(|(place, one)| {
            format!("title: r{place}\nlogsource: {{ category: test }}\ndetection: {one}\n")
        })
        .collect();
    let text = documents.join("---\n");
    let options = options();
    let (rules, diagnostics) = common::load(&text, &options);
    let loaded: BTreeSet<String> = rules.rules().iter().map(|rule| rule.title.clone()).collect();
    let refused = detections.len() - loaded.len();
    if refused > 0 {
        prop_assert!(common::refused(&diagnostics));
    }
    let nodes = yaml::parse(&text).unwrap();
    let mut detector = Detector::new(Arc::new(rules), &options);
    for (place, json) in events.iter().enumerate() {
        let event = common::event(json, Timestamp(place as i64), place as u64);
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

proptest! {
    #![proptest_config(common::cases(256))]

    #[test]
    fn engine_and_plain_evaluator_agree(
        detections in prop::collection::vec(generate::detection(), 1..9),
        events in prop::collection::vec(generate::event(), 1..9),
    ) {
        compare(&detections, &events)?;
    }
}
