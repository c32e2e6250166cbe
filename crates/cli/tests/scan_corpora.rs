//! Scanning logs of real attacks finds exactly the attackers, in every framing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value as Json;
use support::{json_lines, output, shared, text_at, tocsin};

/// Alerts of one file: rule title → source addresses.
fn scan(path: &std::path::Path) -> (BTreeMap<String, BTreeSet<String>>, Vec<Json>) {
    let (code, out, errors) = output(tocsin().arg("scan").arg(path), b"");
    assert_eq!(code, 0, "{}: {errors}", path.display());
    let alerts = json_lines(&out);
    let mut by_rule: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alert in &alerts {
        let rule = text_at(alert, "rule.name");
        by_rule.entry(rule).or_default().insert(text_at(alert, "source.ip"));
    }
    (by_rule, alerts)
}

/// Addresses of alerts whose rule's title has all the words.
fn addresses(alerts: &BTreeMap<String, BTreeSet<String>>, words: &[&str]) -> BTreeSet<String> {
    alerts
        .iter()
        .filter(|(title, _)| words.iter().all(|word| title.to_lowercase().contains(word)))
        .flat_map(|(_, addresses)| addresses.clone())
        .collect()
}

fn set(names: &Json) -> BTreeSet<String> {
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn ssh_attack_is_found_the_same_in_every_framing() {
    let Some(root) = shared("corpora/real-logs") else { return };
    let truth: Json =
        serde_json::from_str(&fs::read_to_string(root.join("truth.json")).unwrap()).unwrap();
    let truth = &truth["ssh/auth.log"];
    let mut first: Option<Vec<(String, Json)>> = None;
    for name in ["auth.log", "auth.iso.log", "auth.5424.log", "auth.jsonl"] {
        let (alerts, list) = scan(&root.join("ssh").join(name));
        let success = addresses(&alerts, &["brute force", "success"]);
        assert_eq!(success, set(&truth["bruteforce_then_success"]), "{name}: {alerts:?}");
        let brute = addresses(&alerts, &["brute force"]);
        assert_eq!(brute, set(&truth["bruteforce_ips"]), "{name}: {alerts:?}");
        let all: BTreeSet<String> = alerts.values().flatten().cloned().collect();
        for innocent in set(&truth["not_bruteforce"]) {
            assert!(!all.contains(&innocent), "{name}: {innocent} has an alert: {alerts:?}");
        }
        let shape: Vec<(String, Json)> = list
            .iter()
            .map(|alert| (text_at(alert, "rule.name"), alert["tocsin"]["alert"]["group"].clone()))
            .collect();
        match &first {
            None => first = Some(shape),
            Some(first) => assert_eq!(&shape, first, "{name} differs from auth.log"),
        }
    }
}

#[test]
fn ssh_attack_is_counted_as_many_times_as_it_was_tried() {
    let Some(root) = shared("corpora/real-logs") else { return };
    let (_, alerts) = scan(&root.join("ssh/auth.log"));
    let counts: BTreeMap<String, u64> = alerts
        .iter()
        .filter(|alert| text_at(alert, "rule.name") == "Login brute force from one address")
        .map(|alert| {
            let count = alert["tocsin"]["alert"]["count"].as_u64().unwrap();
            (text_at(alert, "source.ip"), count)
        })
        .collect();
    assert_eq!(counts, BTreeMap::from([("127.0.0.1".into(), 19), ("::1".into(), 6)]));
}

#[test]
fn web_attack_is_found_the_same_in_every_framing() {
    let Some(root) = shared("corpora/real-logs") else { return };
    let truth: Json =
        serde_json::from_str(&fs::read_to_string(root.join("truth.json")).unwrap()).unwrap();
    let truth = &truth["web/access.log"];
    for name in ["access.log", "access.vhost.log", "access.jsonl"] {
        let (alerts, _) = scan(&root.join("web").join(name));
        let injectors = addresses(&alerts, &["sql injection"]);
        assert_eq!(injectors, set(&truth["sqli_ips"]), "{name}: {alerts:?}");
        let all: BTreeSet<String> = alerts.values().flatten().cloned().collect();
        for innocent in set(&truth["not_sqli"]) {
            assert!(!all.contains(&innocent), "{name}: {innocent} has an alert: {alerts:?}");
        }
    }
}

#[test]
fn all_files_at_once_accuse_nobody_else() {
    let Some(root) = shared("corpora/real-logs") else { return };
    let mut command = tocsin();
    command.arg("scan");
    for dir in ["ssh", "web"] {
        for entry in fs::read_dir(root.join(dir)).unwrap() {
            command.arg(entry.unwrap().path());
        }
    }
    let (code, out, errors) = output(&mut command, b"");
    assert_eq!(code, 0, "{errors}");
    let accused: BTreeSet<String> = json_lines(&out)
        .iter()
        .filter(|alert| alert["source"]["ip"].is_string())
        .map(|alert| text_at(alert, "source.ip"))
        .collect();
    assert_eq!(accused, BTreeSet::from(["127.0.0.1".to_owned(), "::1".to_owned()]));
}
