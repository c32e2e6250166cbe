//! Stored history, asked for by Elasticsearch's own client, and exported to DuckDB; both from PyPI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use support::{Server, Setup, output, skipped, tocsin};

/// The Python that public clients are installed for, when it has this one.
fn python_with(module: &str) -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin/python3");
    let import = format!("import {module}");
    let has = Command::new(&python).args(["-c", &import]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let python = python.display();
    skipped(&format!("no {module} for {python} (cargo xtask test installs it)"));
    None
}

/// Six thousand events with attacks in them, stored.
fn imported() -> Setup {
    let setup = Setup::new("collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n");
    let log = setup.path("sim.log");
    let mut command = tocsin();
    command.args(["simulate", "--rate", "0", "--count", "6000", "--seed", "7", "--to"]).arg(&log);
    assert_eq!(output(&mut command, b"").0, 0);
    let mut command = tocsin();
    command.args(["import", "--config"]).arg(&setup.config).arg("--data").arg(setup.path("data"));
    assert_eq!(output(command.arg(log), b"").0, 0);
    setup
}

#[test]
fn elasticsearchs_client_finds_what_is_stored() {
    let Some(python) = python_with("elasticsearch") else { return };
    let setup = imported();
    let server = Server::start(&setup.config);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/search.py");
    let url = format!("http://{}", server.addr());
    let (code, told, said) = output(Command::new(python).arg(script).arg(url), b"");
    assert_eq!(code, 0, "{said}");
    let found: Json = serde_json::from_str(&told).unwrap();
    assert!(found["401"].as_u64().unwrap() > 0 && found["source"] == 401, "{found}");
    for all in ["sum", "times", "count"] {
        assert_eq!(found[all], 6000, "{all}: {found}");
    }
    assert_eq!(found["percentiles"], json!(["1.0", "5.0", "25.0", "50.0", "75.0", "95.0", "99.0"]));
    assert_eq!(found["indices"], json!(["logs-tocsin", "alerts-tocsin"]));
    assert_eq!(found["caps"], json!(["ip"]));
    assert_eq!(found["many"], json!([6000, found["alerts"]]));
    assert!(found["alerts"].as_u64().unwrap() > 5, "{found}");
    assert_eq!(found["walked"], found["sshd"]);
    assert!(found["refused"].as_str().unwrap().contains("fuzzy"), "{found}");
    assert_eq!(found["absent"], "index_not_found_exception");
}

/// Bodies as scripts, Grafana and the client's own language write them: found, counted, paged, or
/// refused by name.
#[test]
fn bodies_that_clients_send_mean_what_they_say() {
    let Some(python) = python_with("elasticsearch.dsl") else { return };
    let setup = imported();
    let server = Server::start(&setup.config);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/bodies.py");
    let url = format!("http://{}", server.addr());
    let (code, told, said) = output(Command::new(python).arg(script).arg(url), b"");
    assert_eq!(code, 0, "{said}");
    let wrong: Vec<Json> = serde_json::from_str(&told).unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn duckdb_reads_what_is_exported() {
    let Some(python) = python_with("duckdb") else { return };
    let setup = imported();
    let file = setup.path("events.parquet");
    let export = || {
        let mut command = tocsin();
        command.args(["export", "--config"]).arg(&setup.config).arg(&file);
        output(&mut command, b"")
    };
    let (code, told, said) = export();
    assert!(code == 0 && told.starts_with("6000 events"), "{told}{said}");
    let (code, _, said) = export();
    assert!(code == 1 && said.contains("events.parquet"), "{said}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/parquet.py");
    let (code, told, said) = output(Command::new(python).arg(script).arg(&file), b"");
    assert_eq!(code, 0, "{said}");
    let found: Vec<u64> = serde_json::from_str(&told).unwrap();
    assert!(found[2] > 0 && found[6] > 100, "{told}");
    assert_eq!(found[..6], [6000, 6000, found[2], 6000, 6000, 6000]);
}
