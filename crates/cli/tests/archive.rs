//! Days go to the archive by themselves, through any number of kills, and are asked like all
//! others: by the API, the command line, backtests and DuckDB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value as Json;
use support::{Server, Setup, output, skipped, tocsin, wait_for};
use tocsin_model::{Event, EventId, Timestamp, Value, field};
use tocsin_store::{Embedded, EventStore, Options};

/// Goes on with the section `store`.
const CONFIG: &str = "  archive: { after_days: 3 }\n\
                      collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n";
/// Events of each day.
const EVENTS: u64 = 1500;
const KILLS: u64 = 6;

fn days_ago(days: u32) -> Timestamp {
    Timestamp::from_system(SystemTime::now()).minus(Duration::from_secs(86_400) * days)
}

/// A failed login, or a request.
fn event(number: u64, time: Timestamp) -> Event {
    let mut event = Event::default();
    event.id = EventId { stream: 1, offset: number };
    event.time = Timestamp(time.0 + number as i64 * 1_000_000);
    event.received = event.time;
    let address = format!("198.51.100.{}", number / 50 % 250);
    if number.is_multiple_of(3) {
        event.set_original(&format!("{address} - - \"GET /{number} HTTP/1.1\" 404 12"));
        event.push_str(field::EVENT_MODULE, "nginx");
        event.push_list(field::EVENT_CATEGORY, [Value::Str("web")]);
    } else {
        event.set_original(&format!("sshd[{number}]: Failed password for root from {address}"));
        event.push_str(field::EVENT_MODULE, "openssh");
        event.push_list(field::EVENT_CATEGORY, [Value::Str("authentication")]);
        event.push_list(field::EVENT_TYPE, [Value::Str("start")]);
        event.push_str(field::EVENT_OUTCOME, "failure");
        event.push_str(field::USER_NAME, "root");
        event.push_int(tocsin_model::FieldId::intern("tocsin.attempts").unwrap(), 1);
    }
    event.push_str(field::SOURCE_IP, &address);
    event
}

/// A data directory with events that arrived ten, five and no days ago.
fn with_old_days() -> Setup {
    let setup = Setup::new(CONFIG);
    let store = Embedded::open(&setup.path("data").join("store"), Options::default()).unwrap();
    for (place, days) in [10, 5, 0].into_iter().enumerate() {
        let start = place as u64 * EVENTS;
        let time = days_ago(days);
        let events: Vec<Event> =
            (start..start + EVENTS).map(|number| event(number, time)).collect();
        store.append(&events).unwrap();
        store.commit(r#"{"version":1,"epoch":0,"checkpoints":{},"ledgers":{}}"#).unwrap();
    }
    setup
}

fn files(setup: &Setup) -> Vec<PathBuf> {
    let archive = setup.path("data").join("store/archive");
    let days = fs::read_dir(archive).into_iter().flatten().flatten();
    let whole = days.filter(|day| day.path().join("about.json").is_file());
    let files = whole.flat_map(|day| fs::read_dir(day.path()).into_iter().flatten().flatten());
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    files.sort();
    files
}

fn count(server: &Server, query: &str) -> Option<Json> {
    let body = format!(
        r#"{{"q":"{query}","limit":1,"aggs":{{"who":{{"terms":{{"field":"event.module"}}}}}}}}"#
    );
    let (status, text) = server.ask("POST", "/api/v1/search", body.as_bytes())?;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).ok()
}

#[test]
fn old_days_are_archived_through_kills_and_asked_like_others() {
    let setup = with_old_days();
    for kill in 0..KILLS {
        let server = Server::start(&setup.config);
        let found = count(&server, "").unwrap();
        assert_eq!(found["total"], 3 * EVENTS, "{found}");
        std::thread::park_timeout(Duration::from_millis(60 * kill));
        server.kill();
    }
    let server = Server::start(&setup.config);
    let archived = || Some(server.get("/status")?["store"]["archived_documents"].as_u64()? > 0);
    wait_for("both days in the archive", || {
        (archived()? && files(&setup).len() >= 4).then_some(())
    });
    let found = count(&server, "").unwrap();
    assert_eq!((&found["total"], &found["archived"]), (&(3 * EVENTS).into(), &true.into()));
    let found = count(&server, "source.ip: 198.51.100.3 and event.outcome: failure").unwrap();
    assert_eq!((&found["total"], &found["archived"]), (&33.into(), &true.into()), "{found}");
    assert_eq!(found["aggregations"]["who"]["buckets"][0]["key"], "openssh");
    let (_, metrics) = server.ask("GET", "/metrics", b"").unwrap();
    assert!(metrics.contains("tocsin_store_archived_events 3000"), "{metrics}");
    drop(server);
    // A pack that is kept for a shorter time.
    let text = fs::read_to_string(&setup.config).unwrap();
    let limited = "store:\n  packs: { nginx: { retention_days: 8 } }";
    fs::write(&setup.config, text.replace("store:", limited)).unwrap();
    let server = Server::start(&setup.config);
    wait_for("the old requests to go", || (files(&setup).len() == 3).then_some(()));
    let found = count(&server, "event.module: nginx").unwrap();
    assert_eq!(found["total"], 2 * EVENTS / 3);
    command_line(&setup);
    duckdb(&files(&setup));
}

/// What the command line says of archived days, also while the server runs.
fn command_line(setup: &Setup) {
    let run = |args: &[&str]| {
        let mut command = tocsin();
        let (code, told, said) = output(command.args(args).arg("--config").arg(&setup.config), b"");
        assert_eq!(code, 0, "{args:?}: {said}");
        told
    };
    let lines = run(&[
        "search",
        "event.outcome: failure",
        "-n",
        "0",
        "--format",
        "ndjson",
        "--last",
        "30d",
    ]);
    assert_eq!(lines.lines().count() as u64, 2 * EVENTS);
    let report =
        run(&["backtest", "Login brute force from one address", "--last", "30d", "--json"]);
    let report: Json = serde_json::from_str(&report).unwrap();
    assert_eq!(report["events"], 3 * EVENTS - EVENTS / 3, "{report}");
    let verified = run(&["verify"]);
    assert_eq!(verified.matches("intact, in the archive").count(), 2, "{verified}");
    let saved = setup.path("saved.tar.zst");
    run(&["backup", saved.to_str().unwrap()]);
    let restored = setup.path("restored");
    let data = restored.to_str().unwrap();
    run(&["restore", saved.to_str().unwrap(), "--data", data]);
    assert_eq!(run(&["verify", "--data", data]).matches("intact, in the archive").count(), 2);
}

fn duckdb(files: &[PathBuf]) {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin/python3");
    let has = Command::new(&python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        skipped(&format!("no duckdb for {} (cargo xtask test installs it)", python.display()));
        return;
    }
    let all: Vec<String> = files.iter().map(|file| format!("'{}'", file.display())).collect();
    let script = format!(
        "import duckdb; print(duckdb.sql(\"\"\"select count(*), count(distinct \"event.id\"), \
         count(distinct \"source.ip\"), count(\"event.original\") from \
         read_parquet([{}], union_by_name = true)\"\"\").fetchall()[0])",
        all.join(",")
    );
    let (code, told, said) = output(Command::new(python).args(["-c", &script]), b"");
    assert_eq!(code, 0, "{said}");
    let events = 2 * EVENTS - EVENTS / 3;
    assert!(told.starts_with(&format!("({events}, {events}, ")), "{told}");
}
