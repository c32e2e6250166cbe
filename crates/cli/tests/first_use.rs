//! What somebody meets who uses Tocsin for the first time and makes the usual mistakes: each is
//! named, with its place and the remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Server, Setup, output, tocsin, wait_for};

const FAILED: &str =
    "Nov 21 00:11:50 vm sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2\n";

fn check(path: &Path) -> (i32, String, String) {
    output(tocsin().arg("check").arg(path), b"")
}

fn has_all(said: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(said.contains(wanted), "no {wanted:?} in:\n{said}");
    }
}

#[test]
fn check_finds_everything_that_keeps_run_from_starting() {
    let setup = Setup::new("");
    // Not named like a configuration: told by its keys.
    let path = setup.path("bad.yml");
    let text = "server:\n  listen: somewhere\n  colour: red\nalerts:\n  allow_list: [10.0.0.0/99]\n\
                notify:\n  channels:\n    a: { type: webhook, url_file: /no/such }\n    \
                b: { type: email, host: h, from: a@b.c, to: [d@b.c], user: u, password_env: NOT_SET }\n    \
                c: { type: slack, url: 'ftp://x' }\n";
    fs::write(&path, text).unwrap();
    let wanted = [
        "bad.yml:2:3: error: server.listen: \"somewhere\" is not an address",
        "bad.yml:3:3: error: unknown key \"colour\"",
        "bad.yml:5:16: error: alerts.allow_list: \"10.0.0.0/99\"",
        "bad.yml:8:25: error: channel a: url_file: /no/such cannot be used",
        "bad.yml:9:67: error: channel b: password_env names the environment variable NOT_SET",
        "bad.yml:10:",
    ];
    let (code, _, said) = check(&path);
    assert_eq!(code, 2, "{said}");
    has_all(&said, &wanted);
    let (code, _, said) = output(tocsin().args(["run", "--config"]).arg(&path), b"");
    assert_eq!(code, 2, "{said}");
    has_all(&said, &wanted);
}

#[test]
fn a_configuration_may_come_from_a_pipe() {
    let mut command = Command::new("bash");
    let script = "\"$0\" run --config <(echo 'server: { listen: somewhere }')";
    command.args(["-c", script, env!("CARGO_BIN_EXE_tocsin")]);
    let (code, _, said) = output(&mut command, b"");
    assert_eq!(code, 2, "{said}");
    has_all(&said, &["/dev/fd/", ":1:11: error: server.listen: \"somewhere\" is not"]);
}

#[test]
fn one_path_is_a_list_of_one() {
    let setup = Setup::new("collect:\n  files:\n    - paths: /var/log/x.log\n");
    let (code, _, said) = check(&setup.config);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn names_that_mean_nothing_are_told() {
    let setup = Setup::new(
        "alerts:\n  disabled_rules: [request_floood, request_flood]\ncollect:\n  discover: false\n  \
         syslog: { udp: off, tcp: off }\n  files:\n    - { paths: [DIR/x], source: ngnix }\n",
    );
    let wanted = [
        "tocsin.yml:7:20: warning: no rule \"request_floood\"; did you mean \"request_flood\"?",
        "warning: \"ngnix\" is no source; did you mean \"nginx\"?",
    ];
    let (code, _, said) = check(&setup.config);
    assert_eq!(code, 0, "{said}");
    has_all(&said, &wanted);
    let (_, listed, _) = output(tocsin().args(["rules", "list"]), b"");
    assert!(listed.contains(" request_flood "), "{listed}");
    let (_, listed, _) = output(tocsin().args(["check", "--list"]), b"");
    assert!(listed.contains(" request_flood "), "{listed}");

    let server = Server::start(&setup.config);
    let said = wait_for("the banner", || {
        let said = server.errors();
        said.contains("NOT reading").then_some(said)
    });
    has_all(&said, &wanted);
    let line = said.lines().find(|line| line.contains("detection  ")).unwrap();
    assert!(line.contains("1 of the rules never alert"), "{line}");
    let (counts, rest) = line.split_once('(').unwrap().1.split_once(')').unwrap();
    assert!(rest.contains("packs"), "{line}");
    let number =
        |text: &str| -> u64 { text.split_whitespace().find_map(|word| word.parse().ok()).unwrap() };
    let sum: u64 = counts.split(", ").map(number).sum();
    assert_eq!(sum, number(line), "{line}");
    server.terminate();
}

#[test]
fn a_reload_says_that_the_configuration_waits_for_a_restart() {
    let setup = Setup::new("collect: { discover: false, syslog: { udp: off, tcp: off } }\n");
    let server = Server::start(&setup.config);
    let hang_up = || {
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    hang_up();
    wait_for("what was read", || server.errors().contains("content read again").then_some(()));
    let said = server.errors();
    has_all(&said, &["tocsin.yml is read at the start only"]);
    assert!(!said.contains("restart to apply"), "{said}");
    let text = fs::read_to_string(&setup.config).unwrap();
    fs::write(&setup.config, format!("{text}# another\n")).unwrap();
    hang_up();
    wait_for("the warning", || {
        server
            .errors()
            .contains("tocsin.yml changed since the start; restart to apply")
            .then_some(())
    });
}

#[test]
fn scan_says_what_it_read_and_understood() {
    let gzip = {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, FAILED).unwrap();
        assert!(Command::new("gzip").arg(&path).status().unwrap().success());
        fs::read(dir.path().join("a.log.gz")).unwrap()
    };
    let table: [(&[&str], &[u8], &[&str]); 5] = [
        (&[], b"nonsense\nmore\n", &["2 lines read, 2 not understood by any source; 0 alerts"]),
        (&[], FAILED.as_bytes(), &["1 line read, 0 not understood by any source; 0 alerts"]),
        (&[], &gzip, &["1 line read, 0 not understood by any source; 0 alerts"]),
        (&["--findings"], b"", &["0 lines read, 0 not understood by any source; 0 matches"]),
        (
            &["--source", "nginx.access"],
            b"nonsense\n",
            &["1 not understood", "no line fits --source nginx.access"],
        ),
    ];
    for (args, stdin, wanted) in table {
        let (code, _, said) = output(tocsin().arg("scan").args(args).arg("-"), stdin);
        assert_eq!(code, 0, "{args:?}: {said}");
        has_all(&said, wanted);
    }
    let (_, _, said) = output(tocsin().args(["scan", "--source", "auth", "-"]), FAILED.as_bytes());
    assert!(!said.contains("no line fits"), "{said}");
}

const RULE: &str = "title: Orders
id: 7f0c1f6e-5b1c-4a51-9b64-3d8f4f2f7a10
logsource: { product: shop, service: pay }
detection: { s: { status: declined }, condition: s }
tests:
  - { name: declined, fires: true, source: json.generic, lines: '{\"status\": \"declined\"}' }
  - { name: paid, fires: false, events: [{ status: paid }] }
";

#[test]
fn mistakes_in_rules_are_named() {
    let table: [(&str, &str, i32, &[&str]); 6] = [
        ("json.generic", "json.generik", 2, &["source: \"json.generik\" is no source; did you"]),
        (
            "x",
            "x",
            2,
            &["no event is of log source", "shop", "pay", "event.dataset is", "docs/sigma.md"],
        ),
        ("status: declined }", "a|nonsense: b }", 2, &["nonsense"]),
        ("id: 7f0c1f6e", "id: 7f", 2, &["is not a UUID"]),
        ("title", "status: stabel\ntitle", 2, &["unknown status \"stabel\""]),
        ("title", "tocsin: { reason: 'a {b' }\ntitle", 2, &["error: reason has a { that is not"]),
    ];
    for (from, to, expected, wanted) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rule.yml");
        fs::write(&path, RULE.replace(from, to)).unwrap();
        let (code, _, said) = check(&path);
        assert_eq!(code, expected, "{to}: {said}");
        has_all(&said, wanted);
        if to.contains("nonsense") {
            assert!(!said.contains("test \""), "a refused rule's tests say nothing: {said}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (code, out, said) = check(dir.path());
    assert_eq!(code, 0, "{said}");
    has_all(&said, &["warning: there is neither a rule nor a pack"]);
    assert!(out.contains("0 rules") && !out.contains("sample lines"), "{out}");
}

#[test]
fn a_rule_for_an_own_application_can_say_how_its_events_look() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rule.yml");
    let line = "{\\\"status\\\": \\\"declined\\\", \\\"logsource\\\": {\\\"product\\\": \\\"shop\\\", \\\"service\\\": \\\"pay\\\"}}";
    let told = RULE.replace("'{\"status\": \"declined\"}'", &format!("\"{line}\""));
    fs::write(&path, told).unwrap();
    let (code, out, said) = check(&path);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("1 rule;") && out.contains("2 rule tests passed"), "{out}");
}

#[test]
fn one_event_of_a_correlation_counts_and_does_not_match() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    let rules = "title: One\nname: one\nlogsource: { category: authentication }\n\
                 detection: { s: { event.outcome: failure }, condition: s }\n---\n\
                 title: Many\nname: many\ncorrelation:\n  type: event_count\n  rules: [one]\n  \
                 group-by: [source.ip]\n  timespan: 1m\n  condition: { gte: 5 }\n";
    fs::write(&path, rules).unwrap();
    let explain = |stdin: &str| {
        let mut command = tocsin();
        command.args(["explain", "many", "-", "--rules"]).arg(&path);
        output(&mut command, stdin.as_bytes())
    };
    let (code, out, said) = explain(FAILED);
    assert_eq!(code, 1, "{said}");
    let explained: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(explained["matched"], false);
    assert_eq!(explained["counts"], "one event that counts: 1 of 5 within 1m");
    let (code, out, _) = explain("nonsense");
    assert_eq!(code, 1);
    assert!(!out.contains("\"counts\""), "{out}");
}

#[test]
fn one_channel_can_be_tried_whatever_the_others_are() {
    let setup = Setup::new(
        "notify:\n  channels:\n    broken: { type: webhook, url_file: /no/such }\n    \
         there: { type: log, path: DIR/there.ndjson }\n    \
         refused: { type: webhook, url: 'http://127.0.0.1:9/' }\n",
    );
    fs::create_dir(setup.path("data")).unwrap();
    let table: [(&str, i32, &str); 5] = [
        ("there", 0, "there.ndjson can be written"),
        ("log", 0, "data/alerts.ndjson can be written"),
        ("broken", 1, "tocsin: channel broken: url_file: /no/such"),
        ("refused", 1, "tocsin: channel refused: "),
        ("nobody", 2, "tocsin: there is no channel \"nobody\", there are: broken, "),
    ];
    for (name, expected, wanted) in table {
        let mut command = tocsin();
        command.args(["notify", "test", name, "--config"]).arg(&setup.config);
        let (code, out, said) = output(&mut command, b"");
        let all = out + &said;
        assert_eq!(code, expected, "{name}: {all}");
        assert!(all.contains(wanted), "{name}: {all}");
        assert!(all.matches(name).count() <= 2, "said twice: {all}");
    }
}

#[test]
fn windows_event_logs_are_known_on_standard_input() {
    let Some(dir) = support::shared("corpora") else { return };
    let mut found = Vec::new();
    let mut dirs = vec![dir];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "evtx") {
                found.push((entry.metadata().unwrap().len(), path));
            }
        }
    }
    let Some((_, path)) = found.into_iter().min() else {
        support::skipped("no Windows event log beside this checkout");
        return;
    };
    let (_, by_name, _) = output(tocsin().args(["scan", "--json"]).arg(&path), b"");
    let (_, by_stdin, said) =
        output(tocsin().args(["scan", "--json", "-"]), &fs::read(&path).unwrap());
    assert_eq!(by_name.lines().count(), by_stdin.lines().count(), "{said}");
    assert!(said.contains(" 0 not understood"), "{said}");
}
