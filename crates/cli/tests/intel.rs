//! Indicators with the real binary: feeds of every form over HTTP, TAXII by pages with a password,
//! garbage that changes nothing, what arrives late found in history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;
#[path = "support/web.rs"]
mod web;

use std::io::Write;
use std::path::Path;

use serde_json::{Value as Json, json};
use support::{Server, Setup, output, tocsin, wait_for};
use web::Web;

const TITLE: &str = "Contact with something that is warned of";

/// An allowed connection that a firewall tells of.
fn connection(log: &Path, from: &str, to: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
    let line = json!({"@timestamp": now, "event": {"category": ["network"], "type": ["connection"]},
                      "source": {"ip": from}, "destination": {"ip": to, "port": 443}});
    writeln!(file, "{line}").unwrap();
}

fn alert_about(server: &Server, value: &str) -> Option<Json> {
    let of = |alert: &Json| {
        alert["threat"]["indicator"]["name"] == value && alert["rule"]["name"] == TITLE
    };
    server.alerts().into_iter().find(of)
}

fn feed(server: &Server, name: &str) -> Option<Json> {
    let intel = server.get("/api/v1/intel")?;
    intel["feeds"].as_array()?.iter().find(|feed| feed["name"] == name).cloned()
}

fn stix(values: &[&str]) -> Vec<Json> {
    let object = |value: &&str| {
        json!({"type": "indicator", "name": "Bot", "pattern_type": "stix", "confidence": 90,
               "pattern": format!("[ipv4-addr:value = '{value}']")})
    };
    values.iter().map(object).collect()
}

/// The rule that speaks of indicators.
const RULE: &str = "5c1f0f5e-0d0c-4d5f-9f0e-6c6f3a8d7b21";

/// Feeds of three forms.
fn feeds() -> Web {
    let web = Web::start();
    web.put("/plain.txt", "# bad ones\n203.0.113.1\n198.51.100.0/24 ; a network\nnonsense\n");
    web.put("/misp/manifest.json", r#"{"aaaa-1":{"timestamp":"1700000000"}}"#);
    web.put(
        "/misp/aaaa-1.json",
        r#"{"Event":{"info":"Op","Attribute":[{"type":"ip-dst","value":"203.0.113.2","to_ids":true}]}}"#,
    );
    let objects = "/taxii/collections/1/objects/?limit=1000&match%5Btype%5D=indicator";
    let page = json!({"more": true, "next": "p 2", "objects": stix(&["203.0.113.3"])});
    web.put(objects, page.to_string());
    let page = json!({"more": false, "objects": stix(&["203.0.113.4"])});
    web.put(&format!("{objects}&next=p+2"), page.to_string());
    web
}

/// A feed of garbage changes nothing and is told.
fn garbage_changes_nothing(web: &Web, server: &Server) {
    web.put("/plain.txt", "<html><body>blocked by the proxy</body></html>");
    let broken = wait_for("the failure to be told", || {
        feed(server, "list").filter(|feed| feed["failures"].as_u64() > Some(0))
    });
    assert!(broken["problem"].as_str().unwrap().contains("holds no indicator"), "{broken}");
    assert_eq!(broken["indicators"], 2);
    let status = server.get("/status").unwrap();
    assert!(status["intel"].to_string().contains("holds no indicator"), "{status}");
    web.put_status("/plain.txt", 403, "no");
    wait_for("the next failure", || {
        feed(server, "list").filter(|feed| feed["problem"].to_string().contains("answers 403"))
    });
}

#[test]
fn feeds_are_fetched_matched_and_hunted_for() {
    let web = feeds();
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n  files:\n  \
         - paths: [DIR/net.ndjson]\n\
         intel:\n  feeds:\n    list: {{ url: {0}/plain.txt, every_hours: 0.001 }}\n    \
         misp: {{ format: misp, url: {0}/misp/ }}\n    \
         taxii: {{ format: taxii, url: {0}/taxii/collections/1/, username: ana, password_file: DIR/pw }}\n",
        web.url
    ));
    std::fs::write(setup.path("pw"), "secret\n").unwrap();
    let log = setup.path("net.ndjson");
    std::fs::write(&log, "").unwrap();
    let server = Server::start(&setup.config);
    // Before anybody warns of it.
    connection(&log, "10.0.0.9", "203.0.113.77");
    wait_for("the feeds", || {
        let counts = ["list", "misp", "taxii"].map(|name| feed(&server, name));
        let counts = counts.map(|feed| feed.and_then(|feed| feed["indicators"].as_u64()));
        (counts == [Some(2), Some(1), Some(2)]).then_some(())
    });
    let list = feed(&server, "list").unwrap();
    assert_eq!(list["refused"], json!({"is no indicator": 1}), "{list}");
    let asked = web.asked();
    let to_taxii = asked.iter().find(|head| head.contains("/taxii/")).unwrap().to_lowercase();
    assert!(to_taxii.contains("authorization: basic yw5honnly3jlda=="), "{to_taxii}");
    assert!(to_taxii.contains("accept: application/taxii+json;version=2.1"), "{to_taxii}");

    for (number, value) in
        ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"].iter().enumerate()
    {
        connection(&log, &format!("10.0.0.{number}"), value);
    }
    connection(&log, "10.0.0.5", "198.51.100.9");
    connection(&log, "10.0.0.6", "203.0.113.99");
    let alert = wait_for("the alert of a network", || alert_about(&server, "198.51.100.0/24"));
    assert_eq!(alert["threat"]["indicator"]["provider"], "list");
    assert_eq!(alert["threat"]["enrichments"]["matched"]["field"], json!(["destination.ip"]));
    for value in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"] {
        wait_for("an alert of every feed", || alert_about(&server, value));
    }
    assert!(alert_about(&server, "203.0.113.99").is_none());

    garbage_changes_nothing(&web, &server);
    // What arrives today is looked for in what is stored.
    assert!(alert_about(&server, "203.0.113.77").is_none());
    web.put("/plain.txt", "203.0.113.1\n203.0.113.77\n");
    let alert = wait_for("the alert of history", || alert_about(&server, "203.0.113.77"));
    assert_eq!(alert["source"]["ip"], "10.0.0.9");
    wait_for("the end of the look into history", || {
        let hunts = server.get("/api/v1/intel/hunts")?;
        let mut hunts = hunts["hunts"].as_array()?.iter();
        hunts.find(|hunt| hunt["alerts"] == 1 && hunt["about"] == "1 new in list").map(drop)
    });

    // After a restart without the network they are still known.
    server.terminate();
    web.put_status("/plain.txt", 500, "down");
    let server = Server::start(&setup.config);
    assert_eq!(feed(&server, "list").unwrap()["indicators"], 2);
}

#[test]
fn indicators_of_ones_own_are_added_looked_up_and_removed() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
         - paths: [DIR/net.ndjson]\n",
    );
    let log = setup.path("net.ndjson");
    std::fs::write(&log, "").unwrap();
    let server = Server::start(&setup.config);
    connection(&log, "10.0.0.1", "203.0.113.50");
    wait_for("the event to be stored", || (server.stored() >= 1).then_some(()));
    let intel = |arguments: &[&str], stdin: &str| {
        let mut command = tocsin();
        command.arg("intel").args(arguments).arg("--config").arg(&setup.config);
        output(&mut command, stdin.as_bytes())
    };
    // By command, beside the running server: in force, and found in history.
    let (code, out, err) = intel(&["add", "203.0.113[.]50", "--about", "C2"], "");
    assert!(code == 0 && out.contains("address 203.0.113.50"), "{out}{err}");
    wait_for("the alert of history", || alert_about(&server, "203.0.113.50"));
    let (_, out, _) = intel(&["list", "203.0.113.50"], "");
    assert!(out.contains("own: address 203.0.113.50, confidence 80  C2"), "{out}");
    let (code, _, err) = intel(&["add", "not an indicator"], "");
    assert!(code == 2 && err.contains("is no address, network"), "{err}");
    let (code, out, err) = intel(
        &["import", "-", "--format", "csv"],
        "type,value\ndomain,evil.example\nip,203.0.113.51\n",
    );
    assert!(code == 0 && out.contains("2 indicators, 2 new; 0 refused"), "{out}{err}");
    let (code, _, err) = intel(&["import", "-"], "<html>\n");
    assert!(code == 2 && err.contains("holds no indicator"), "{err}");
    let (code, _, err) = intel(&["import", "-", "--format", "xml"], "");
    assert!(code == 2 && err.contains("none of plain, csv"), "{err}");
    // A rule that is off raises nothing of it.
    for (way, alerts) in [("on", 1), ("off", 0)] {
        let mut command = tocsin();
        command.args(["rules", way, RULE, "--config"]).arg(&setup.config);
        assert_eq!(output(&mut command, b"").0, 0);
        let (code, out, err) = intel(&["hunt"], "");
        let expected = format!(" events, 1 with an indicator not known then, {alerts} alerts");
        assert!(code == 0 && out.contains(&expected), "{out}{err}");
    }
    // By the API.
    let add = |body: &Json| {
        server.ask("POST", "/api/v1/intel/indicators", body.to_string().as_bytes()).unwrap()
    };
    assert_eq!(add(&json!({"value": "https://bad.example/x", "about": "kit"})).0, 201);
    assert_eq!(add(&json!({"value": "?"})).0, 400);
    assert_eq!(add(&json!({"value": "a.example", "confidence": 200})).0, 400);
    assert_eq!(add(&json!({"value": "a.example", "kind": "colour"})).0, 400);
    let found = server.get("/api/v1/intel/indicators?value=www.evil.example").unwrap();
    assert_eq!(found["indicators"][0]["value"], "evil.example");
    let gone = server.ask("DELETE", "/api/v1/intel/indicators?value=evil.example", b"").unwrap();
    assert_eq!(gone.0, 200);
    let found = server.get("/api/v1/intel/indicators?value=www.evil.example").unwrap();
    assert_eq!(found["indicators"], json!([]));
    assert_eq!(
        server.ask("DELETE", "/api/v1/intel/indicators?value=evil.example", b"").unwrap().0,
        404
    );
    assert_eq!(server.ask("POST", "/api/v1/intel/feeds/none/fetch", b"").unwrap().0, 404);
    assert_eq!(server.ask("POST", "/api/v1/intel/hunts", b"").unwrap().0, 202);
}

/// A feed behind a certificate that nobody trusts, that is trusted, and that is for another name.
#[test]
fn a_feed_is_taken_only_over_a_certificate_that_is_right() {
    let other = Setup::new(
        "collect:\n  discover: false\n  journald: { mode: \"off\" }\n  \
         syslog: { udp: null, tcp: null }\n  http: { listen: 0.0.0.0:0, tls: true }\n  \
         senders: { web1: { token: secret-of-web1 } }\n",
    );
    let serving = Server::start(&other.config);
    let port = wait_for("the port", || {
        let said = serving.errors();
        let (_, rest) = said.split_once("senders over HTTP on 0.0.0.0:")?;
        rest.split_whitespace().next().filter(|_| rest.contains('\n')).map(str::to_owned)
    });
    let trusted = other.path("data/tls/certificate.pem");
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  journald: {{ mode: \"off\" }}\n  \
         syslog: {{ udp: null, tcp: null }}\nintel:\n  feeds:\n    \
         stranger: {{ url: 'https://127.0.0.1:{port}/list' }}\n    \
         known: {{ url: 'https://127.0.0.1:{port}/list', ca_file: {0} }}\n    \
         misnamed: {{ url: 'https://127.0.0.2:{port}/list', ca_file: {0} }}\n",
        trusted.display()
    ));
    let server = Server::start(&setup.config);
    for (name, expected) in [
        ("stranger", "UnknownIssuer"),
        ("known", "40"),
        ("misnamed", "certificate not valid for name"),
    ] {
        let problem =
            wait_for("the failure", || feed(&server, name)?["problem"].as_str().map(str::to_owned));
        assert!(problem.contains(expected), "{name}: {problem}");
        assert_eq!(problem.contains("certificate"), name != "known", "{name}: {problem}");
    }
}

#[test]
fn mistakes_in_feeds_are_told_before_the_start() {
    let table = [
        ("intel: { feeds: { a: {} } }", "feed a: needs either a url or a file"),
        ("intel: { feeds: { a: { url: ftp://x/ } } }", "feed a: url must begin with http"),
        ("intel: { feeds: { own: { file: x } } }", "and not `own`"),
        ("intel: { feeds: { a: { file: x, confidence: 101 } } }", "confidence is from 0 to 100"),
        ("intel: { feeds: { a: { file: x, format: xml } } }", "xml"),
    ];
    for (text, expected) in table {
        let setup = Setup::new(&format!("{text}\n"));
        let mut command = tocsin();
        let (code, _, err) = output(command.arg("check").arg("--config").arg(&setup.config), b"");
        assert!(code != 0 && err.contains(expected), "{text}: {err}");
    }
}
