//! The simulator against the shipped rules: every attack is seen by the rule that is meant for
//! it, ordinary traffic by none; and the two commands as people use them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value as Json, json};
use support::{json_lines, output, tocsin, wait_for};
use tocsin_model::Timestamp;
use tocsin_simulate::traffic::{Attack, Scenario, Traffic, TrafficOptions};

/// The alerts that the shipped rules raise over simulated entries.
fn alerts(scenario: Scenario, seed: u64, rate: f64, count: usize) -> Vec<Json> {
    let start = Timestamp::parse_rfc3339("2026-11-02T08:00:00Z").unwrap();
    let traffic = Traffic::new(&TrafficOptions { scenario, seed, start, rate });
    let lines: Vec<String> = traffic.take(count).map(|item| item.line()).collect();
    let (code, alerts, errors) =
        output(tocsin().args(["scan", "-"]), (lines.join("\n") + "\n").as_bytes());
    assert_eq!(code, 0, "{errors}");
    json_lines(&alerts)
}

fn rules(alerts: &[Json]) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert["rule"]["name"].as_str().unwrap().to_owned()).collect()
}

/// What must be seen of an attack.
fn expected(attack: Attack) -> &'static [&'static str] {
    match attack {
        Attack::SshBruteForce => &[
            "Login brute force from one address",
            "Login brute force from one address, then success",
        ],
        Attack::CredentialStuffing => {
            &["HTTP login brute force by form", "HTTP login brute force of one user"]
        }
        Attack::SqlInjection => &["SQL injection in a URL"],
        Attack::PortScan => &["Port scan from one address"],
        Attack::PrivilegeEscalation => &[
            "Sudo by somebody who may not",
            "Failed su, several times",
            "Account created",
            "Account added to a group that is root",
        ],
        Attack::Malware => &["Malware reported"],
        Attack::WebScanner => &["Web scanner by its name", "Restricted path asked for"],
        Attack::RequestFlood => &["Request flood from one address"],
        Attack::PathTraversal => &["Path traversal in a URL"],
        Attack::PasswordSpraying => {
            &["Password spraying from one address", "Login brute force from one address"]
        }
    }
}

#[test]
fn ordinary_traffic_raises_no_alert() {
    for (seed, rate, count) in [(1, 50.0, 30_000), (2, 2.0, 6_000), (3, 2_000.0, 30_000)] {
        let alerts = alerts(Scenario::quiet(), seed, rate, count);
        assert!(alerts.is_empty(), "seed {seed}, rate {rate}: {:#}", alerts[0]);
    }
}

#[test]
fn each_attack_is_seen_at_many_and_at_few_entries_a_second() {
    for attack in Attack::ALL {
        for (rate, seconds) in [(3.0, 60), (50.0, 12), (1_000.0, 7)] {
            let scenario = Scenario { attacks: vec![attack] };
            let alerts = alerts(scenario, 7, rate, rate as usize * seconds);
            let found = rules(&alerts);
            let expected = expected(attack).iter().map(|rule| (*rule).to_owned()).collect();
            assert_eq!(found, expected, "{} at {rate}", attack.name());
            // One attack is one alert of each rule.
            assert_eq!(alerts.len(), found.len(), "{} at {rate}", attack.name());
        }
    }
}

#[test]
fn ten_seconds_of_everything_hold_every_alert_and_no_innocent() {
    let alerts = alerts(Scenario::all(), 1, 50.0, 50 * 11);
    let found = rules(&alerts);
    for attack in Attack::ALL {
        for rule in expected(attack) {
            assert!(found.contains(*rule), "{rule}: {found:?}");
        }
    }
    for alert in &alerts {
        let Some(source) = alert["source"]["ip"].as_str() else { continue };
        let nets = ["192.0.2.", "198.51.100.", "203.0.113."];
        assert!(nets.iter().any(|net| source.starts_with(net)), "{alert:#}");
    }
}

#[test]
fn the_command_writes_what_the_seed_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mixed.log");
    let mut args = vec!["simulate", "--scenario", "malware,port-scan", "--rate", "0"];
    args.extend(["--count", "500", "--start", "2026-11-02T08:00:00Z", "--seed", "9", "--to"]);
    let (code, text, said) = output(tocsin().args(&args).arg("-"), b"");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("sent 500 to standard output, "), "{said}");
    assert_eq!(output(tocsin().args(&args).arg(&file), b"").0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(text.lines().count(), 500);

    for (flag, value) in [
        ("--scenario", "ssh"),
        ("--rate", "-1"),
        ("--rate", "x"),
        ("--duration", "0"),
        ("--to", "x://y"),
    ] {
        let mut command = tocsin();
        command.args(["simulate", "--count", "1"]);
        if flag != "--to" {
            command.args(["--to", "-"]);
        }
        let (code, _, said) = output(command.arg(format!("{flag}={value}")), b"");
        assert_eq!(code, 2, "{flag} {value}: {said}");
        assert!(said.contains(flag), "{flag} {value}: {said}");
    }
}

#[test]
fn the_catcher_shows_what_it_catches_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = tocsin()
        .args([
            "catch",
            "--smtp",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--status",
            "202",
            "--dir",
        ])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |mark: &str| lines.find(|line| line.contains(mark)).unwrap();
    assert!(until("smtp://").contains("127.0.0.1:"));
    let http = until("http://");
    let address = http.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    // The simulator is as good a sender of webhooks as any.
    let to = format!("http://{address}/hook%1b");
    let mut simulate = tocsin();
    simulate.args(["simulate", "--scenario", "quiet", "--rate", "0", "--count", "3", "--to", &to]);
    let (code, _, said) = output(&mut simulate, b"");
    assert_eq!(code, 0, "{said}");
    assert!(until("http-0001").contains("POST /hook%1b, answered 202"));
    until("\"events\"");
    let file: Json =
        serde_json::from_slice(&fs::read(dir.path().join("http-0001.json")).unwrap()).unwrap();
    assert_eq!(file["status"], json!(202));

    let told = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    let status = wait_for("the catcher to stop", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
