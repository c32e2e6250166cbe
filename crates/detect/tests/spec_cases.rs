//! The cases made from the Sigma specification: each a rule, events and what must come of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

#[test]
fn every_case_of_the_specification() {
    let Some(path) = common::corpus("sigma-cases.jsonl") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let mut failed = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        count += 1;
        if let Some(reason) = common::check(&case) {
            failed.push(format!("{}: {reason}", case["id"]));
        }
    }
    println!("{} of {count} cases pass", count - failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
