//! Indicators from a TAXII server that is not ours: OASIS' medallion, page by page, with a password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};
use support::{Server, Setup, free_addr, output, skipped, tocsin, wait_for};

const COLLECTION: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";
/// More than four pages of ten.
const INDICATORS: u32 = 42;

/// The program; `None`, with a notice, where it is not installed.
fn medallion() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin");
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import medallion"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if has(&home.join("python3")) {
        return Some(home.join("medallion"));
    }
    skipped("no medallion (cargo xtask test installs it)");
    None
}

struct Taxii {
    child: Child,
    port: u16,
}

impl Drop for Taxii {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Taxii {
    fn start(program: &Path, dir: &Path) -> Self {
        let (data, config) = (dir.join("taxii.json"), dir.join("medallion.json"));
        std::fs::write(&data, objects().to_string()).unwrap();
        let text = json!({
            "backend": {"module": "medallion.backends.memory_backend",
                        "module_class": "MemoryBackend", "filename": data},
            "users": {"ana": "secret"},
            "taxii": {"max_page_size": 10},
        });
        std::fs::write(&config, text.to_string()).unwrap();
        let port = free_addr().port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string()]).arg(&config).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let taxii = Self { child, port };
        wait_for("medallion", || TcpStream::connect(("127.0.0.1", port)).ok());
        taxii
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/collections/{COLLECTION}/", self.port)
    }
}

/// A collection as its server keeps it: indicators, and something else.
fn objects() -> Json {
    let time = "2026-11-01T00:00:00.000Z";
    let mut objects: Vec<Json> = (1..=INDICATORS)
        .map(|number| {
            json!({
                "type": "indicator", "spec_version": "2.1", "name": "Bot", "confidence": 90,
                "id": format!("indicator--{number:08}-0000-4000-8000-000000000000"),
                "created": time, "modified": time, "valid_from": time, "pattern_type": "stix",
                "pattern": format!("[ipv4-addr:value = '203.0.113.{number}']"),
            })
        })
        .collect();
    objects.push(json!({
        "type": "malware", "spec_version": "2.1", "name": "Bot", "is_family": false,
        "id": "malware--00000001-0000-4000-8000-000000000000", "created": time, "modified": time,
    }));
    let manifest = objects.iter().map(|object| {
        json!({"id": object["id"], "date_added": time, "version": time,
               "media_type": "application/stix+json;version=2.1"})
    });
    let manifest: Vec<Json> = manifest.collect();
    json!({
        "/discovery": {"title": "tests", "api_roots": ["http://127.0.0.1/api/"]},
        "api": {
            "information": {"title": "tests", "versions": ["application/taxii+json;version=2.1"],
                            "max_content_length": 1_000_000},
            "status": [],
            "collections": [{
                "id": COLLECTION, "title": "bots", "can_read": true, "can_write": false,
                "media_types": ["application/stix+json;version=2.1"],
                "objects": objects, "manifest": manifest,
            }],
        },
    })
}

fn feed(server: &Server, name: &str) -> Option<Json> {
    let intel = server.get("/api/v1/intel")?;
    intel["feeds"].as_array()?.iter().find(|feed| feed["name"] == name).cloned()
}

#[test]
fn every_page_of_a_collection_is_read_and_a_wrong_password_is_told() {
    let Some(program) = medallion() else { return };
    let setup = Setup::new("");
    let taxii = Taxii::start(&program, setup.dir.path());
    std::fs::write(setup.path("right"), "secret\n").unwrap();
    std::fs::write(setup.path("wrong"), "swordfish\n").unwrap();
    let of = |file: &str, url: &str| {
        let file = setup.path(file).display().to_string();
        format!("{{ format: taxii, url: '{url}', username: ana, password_file: {file} }}")
    };
    let nowhere = taxii.url().replace("91a7", "0000");
    let text = std::fs::read_to_string(&setup.config).unwrap()
        + &format!(
            "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\nintel:\n  feeds:\n    \
             good: {}\n    denied: {}\n    nowhere: {}\n",
            of("right", &taxii.url()),
            of("wrong", &taxii.url()),
            of("right", &nowhere),
        );
    std::fs::write(&setup.config, text).unwrap();
    let server = Server::start(&setup.config);
    let good = wait_for("the collection", || {
        feed(&server, "good").filter(|feed| feed["indicators"].as_u64() > Some(0))
    });
    assert_eq!(good["indicators"], INDICATORS, "{good}");
    for (name, status) in [("denied", "answers 401"), ("nowhere", "answers 404")] {
        let failed = wait_for("the failure", || {
            feed(&server, name).filter(|feed| feed["failures"].as_u64() > Some(0))
        });
        let problem = failed["problem"].as_str().unwrap();
        assert!(problem.contains(status) && !problem.contains("swordfish"), "{problem}");
    }
    let mut list = tocsin();
    list.args(["intel", "list", "203.0.113.42", "--config"]).arg(&setup.config);
    let (code, out, err) = output(&mut list, b"");
    assert!(code == 0 && out.contains("good"), "{out}{err}");
    server.terminate();
}
