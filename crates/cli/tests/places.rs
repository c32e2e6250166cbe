//! The free database of countries, as the npm registry has it: fetched, looked into, and seen in
//! alerts. Skipped where there is no registry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fmt::Write;
use std::process::Command;

use support::{Setup, json_lines, output, skipped, tocsin};

/// Addresses that have been where they are for decades.
const KNOWN: [(&str, &str); 3] =
    [("8.8.8.8", "United States"), ("193.0.6.139", "Netherlands"), ("130.59.31.80", "Switzerland")];

/// The registry that this machine's npm uses.
fn registry() -> Option<String> {
    let out = Command::new("npm").args(["config", "get", "registry"]).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?.trim().to_owned();
    text.starts_with("http").then_some(text)
}

#[test]
fn countries_come_from_the_registry_and_stand_in_alerts() {
    let Some(registry) = registry() else { return skipped("no npm, so no registry of it") };
    let setup = Setup::new("");
    let mut update = tocsin();
    update.args(["geoip", "update", "--registry", &registry, "--config"]);
    let (code, out, err) = output(update.arg(&setup.config), b"");
    if code != 0 {
        return skipped(&format!("the npm registry gives no database: {}", err.trim()));
    }
    assert!(out.contains("geo-whois-asn-country") && out.contains("CC0-1.0"), "{out}");
    let mut lookup = tocsin();
    lookup.args(["geoip", "lookup", "10.0.0.1"]).args(KNOWN.map(|(address, _)| address));
    let (_, out, err) = output(lookup.arg("--config").arg(&setup.config), b"");
    for (address, country) in KNOWN {
        assert!(out.contains(&format!("{address}  {country}")), "{out}{err}");
    }
    assert!(out.contains("10.0.0.1  nothing known"), "{out}");

    let mut log = String::new();
    for attempt in 10..19 {
        let said = "Failed password for root from 193.0.6.139 port 40001 ssh2";
        writeln!(log, "2026-11-21T00:11:{attempt}Z web sshd[7]: {said}").unwrap();
    }
    let (_, out, err) =
        output(tocsin().args(["scan", "-", "--config"]).arg(&setup.config), log.as_bytes());
    let alerts = json_lines(&out);
    assert!(!alerts.is_empty(), "{err}");
    for alert in alerts {
        assert_eq!(alert["source"]["geo"]["country_iso_code"], "NL", "{alert}");
    }
}
