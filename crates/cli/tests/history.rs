//! Stored history by the commands: what `import` stored is found by `search`, and `backtest`
//! raises the alerts that were raised live.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;

use serde_json::Value as Json;
use support::{Server, Setup, json_lines, output, tocsin, wait_for};
use tocsin_model::Timestamp;

/// Stores traffic with attacks in it; how many alerts that raised.
fn import(setup: &Setup) -> u64 {
    let log = setup.path("sim.log");
    let mut command = tocsin();
    command.args(["simulate", "--rate", "0", "--count", "6000", "--seed", "7", "--to"]).arg(&log);
    let (code, _, said) = output(&mut command, b"");
    assert_eq!(code, 0, "{said}");
    store(setup)
}

/// Stores that traffic, again if need be.
fn store(setup: &Setup) -> u64 {
    let mut command = tocsin();
    command.args(["import", "--config"]).arg(&setup.config).arg("--data").arg(setup.path("data"));
    let (code, told, said) = output(command.arg(setup.path("sim.log")), b"");
    assert_eq!(code, 0, "{said}");
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(&words[..4], ["6000", "events", "and", words[3]], "{told}");
    words[3].parse().unwrap()
}

fn ask(setup: &Setup, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tocsin();
    command.arg(arguments[0]).arg("--config").arg(&setup.config).args(&arguments[1..]);
    output(&mut command, b"")
}

#[test]
fn history_is_searched_and_backtested() {
    let setup = Setup::new("");
    let raised = import(&setup);
    assert!(raised > 5, "{raised}");

    let (code, told, said) = ask(&setup, &["search", "event.outcome: failure", "-n", "3"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(json_lines(&told).len(), 3);
    let (_, all, _) = ask(&setup, &["search", "-n", "0", "--fields", "event.dataset"]);
    let all = json_lines(&all);
    assert_eq!(all.len(), 6000);
    let time = |event: &Json| Timestamp::parse_rfc3339(event["@timestamp"].as_str().unwrap());
    assert!(all.is_sorted_by_key(time));
    let counting = ["search", "--agg", "terms:event.dataset:100", "--agg", "cardinality:source.ip"];
    let (_, told, _) = ask(&setup, &counting);
    let counted: Json = serde_json::from_str(&told).unwrap();
    let buckets = counted["aggregations"]["terms:event.dataset:100"]["buckets"].as_array().unwrap();
    let sum: u64 = buckets.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).sum();
    assert_eq!((counted["total"].as_u64(), sum), (Some(6000), 6000), "{told}");
    let (_, csv, _) = ask(&setup, &["search", "-n", "2", "--format", "csv", "--fields", "message"]);
    assert!(csv.starts_with("@timestamp,message\n") && csv.lines().count() == 3, "{csv}");
    let (code, _, said) = ask(&setup, &["search", "event.outcom: failure"]);
    assert_eq!(code, 2);
    assert!(said.contains("did you mean event.outcome?"), "{said}");

    let (code, told, said) = ask(&setup, &["backtest", "--all-rules", "--json"]);
    assert_eq!(code, 0, "{said}");
    let report: Json = serde_json::from_str(&told).unwrap();
    assert_eq!(report["events"], 6000);
    assert_eq!(report["alerts"].as_u64(), Some(raised), "{told}");
    let best = &report["rules"][0];
    let id = best["id"].as_str().unwrap();
    let (_, told, _) = ask(&setup, &["backtest", id, "--json"]);
    let one: Json = serde_json::from_str(&told).unwrap();
    assert_eq!(one["rules"].as_array().unwrap().len(), 1);
    assert_eq!(one["rules"][0]["findings"], best["findings"]);
    let (code, _, said) = ask(&setup, &["backtest", "Login brute forc"]);
    assert_eq!(code, 2);
    assert!(said.contains("no rule has the id, name or title"), "{said}");

    // The same while a server writes.
    let server = Server::start(&setup.config);
    let posted = br#"{"events":[{"message":"while it runs","user":"zoe"}]}"#;
    assert_eq!(server.ask("POST", "/ingest", posted).map(|(status, _)| status), Some(200));
    wait_for("the event to be found", || {
        let (_, told, _) = ask(&setup, &["search", "\"while it runs\""]);
        (json_lines(&told).len() == 1).then_some(())
    });
    backed_up_and_restored(&setup);
    drop(server);
}

/// A backup that is made while the server runs holds everything, and starts a server.
fn backed_up_and_restored(setup: &Setup) {
    let (file, again) = (setup.path("all.tar.zst"), setup.path("again"));
    let (file, again) = (file.to_str().unwrap(), again.to_str().unwrap());
    let (code, _, said) = ask(setup, &["backup", file]);
    assert_eq!(code, 0, "{said}");
    let (code, _, said) = ask(setup, &["backup", file]);
    assert!(code == 1 && said.contains("is there already"), "{said}");
    let (code, _, said) = ask(setup, &["restore", "--data", again, file]);
    assert_eq!(code, 0, "{said}");
    let (code, _, said) = ask(setup, &["restore", "--data", again, file]);
    assert!(code == 1 && said.contains("is not empty"), "{said}");
    let (_, told, _) = ask(setup, &["search", "--data", again, "-n", "0"]);
    assert_eq!(json_lines(&told).len(), 6001);
    let (code, told, _) = ask(setup, &["verify", "--data", again]);
    assert!(code == 0 && told.contains("being written"), "{told}");
    let (code, told, _) = ask(setup, &["verify", "--expect", "0123"]);
    assert!(code == 1 && told.contains("REPLACED: 0123"), "{told}");
    let text = fs::read_to_string(&setup.config).unwrap();
    let other = setup.path("again.yml");
    let data = setup.path("data").display().to_string();
    fs::write(&other, text.replace(&data, again)).unwrap();
    let server = Server::start(&other);
    let events = server.get("/api/v1/events?limit=1").unwrap();
    assert_eq!(events["total"], 6001);
    let alerts = server.get("/api/v1/alerts?limit=1").unwrap();
    assert!(alerts["total"].as_u64().unwrap() > 5, "{alerts}");
}

/// `tocsin rules …` of the setup.
fn rules(setup: &Setup, command: &str, argument: &str) -> (i32, String, String) {
    let mut tocsin = tocsin();
    tocsin.args(["rules", command, "--config"]).arg(&setup.config).arg(argument);
    output(&mut tocsin, b"")
}

#[test]
fn rules_are_measured_and_switched() {
    let setup = Setup::new("alerts:\n  disabled_rules: [login_brute_force]\n");
    let raised = import(&setup);
    let (code, told, said) = rules(&setup, "cost", "--json");
    assert_eq!(code, 0, "{said}");
    let lines = json_lines(&told);
    let nanos = |line: &Json| line["cost"]["nanos_per_event"].as_f64().unwrap();
    assert!(lines.len() > 30 && nanos(&lines[0]) > 0.0, "{told}");
    assert!(lines.is_sorted_by(|a, b| nanos(a) >= nanos(b)), "{told}");
    let log = setup.path("sim.log").display().to_string();
    let scanned = |arguments: &[&str]| {
        let (code, told, said) = ask(&setup, &[&["scan"], arguments, &[&*log]].concat());
        assert_eq!(code, 0, "{said}");
        json_lines(&told).len()
    };
    let disabled = scanned(&[]);
    for way in ["off", "on"] {
        let (code, told, said) = rules(&setup, way, "login_brute_force");
        assert_eq!(code, 0, "{said}");
        assert!(told.starts_with(way), "{told}");
        assert_eq!(scanned(&[]) > disabled, way == "on", "whatever the configuration says");
    }
    assert_eq!(scanned(&["--ignore-exceptions"]), disabled, "as the configuration has it");
    assert!(store(&setup) > raised, "as live");
    assert_eq!(rules(&setup, "off", "no_such_rule").0, 2);
}
