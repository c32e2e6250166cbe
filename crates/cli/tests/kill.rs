//! `kill -9` at arbitrary moments under load: every line of a file and every acknowledged event is
//! stored exactly once, every attack is one alert, and every alert is told. Over plain TCP nobody
//! acknowledges: there nothing is stored twice, nothing that was stored is lost, and what came
//! over a connection that was not cut is stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value as Json;
use support::{Server, Setup, free_addr, text_at, wait_for};
use tocsin_simulate::catch::{CatchOptions, Catcher};

/// How often the server is killed, unless `TOCSIN_TEST_KILLS` says.
const KILLS_DEFAULT: u64 = 12;
/// Failed logins of one attacker; five make an alert.
const TRIES: u64 = 6;

/// Appends failed logins to a log until told to stop; gives the number of attackers.
fn write_log(path: PathBuf, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut file = File::create(path).unwrap();
        let mut attacker = 0;
        while !stop.load(Ordering::Relaxed) {
            let (high, low) = (attacker / 250, attacker % 250 + 1);
            for attempt in 0..TRIES {
                let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
                let number = attacker * TRIES + attempt;
                let line = format!(
                    "{now} gate sshd[{number}]: Failed password for root from 198.51.{high}.{low} port 40000 ssh2\n"
                );
                // In two parts, so that half lines are seen.
                let (start, rest) = line.split_at(line.len() / 2);
                file.write_all(start.as_bytes()).unwrap();
                file.write_all(rest.as_bytes()).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
            }
            attacker += 1;
            std::thread::park_timeout(Duration::from_millis(60));
        }
        attacker
    })
}

/// Sends numbered events, ten at a time, until told to stop; gives the numbers that `send` says
/// were acknowledged.
fn send_events(
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    send: impl Fn(&[u64]) -> bool + Send + 'static,
) -> JoinHandle<BTreeSet<u64>> {
    std::thread::spawn(move || {
        let mut accepted = BTreeSet::new();
        let mut next = 0;
        while !stop.load(Ordering::Relaxed) {
            let numbers: Vec<u64> = (next..next + 10).collect();
            next += 10;
            if send(&numbers) {
                accepted.extend(numbers);
                acknowledged.fetch_add(10, Ordering::Relaxed);
            } else {
                // The server is down: what was not acknowledged may be stored or not.
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        accepted
    })
}

/// Posts events; whether they were acknowledged.
fn post(addr: SocketAddr, numbers: &[u64]) -> bool {
    let events: Vec<String> = numbers
        .iter()
        .map(|number| format!("{{\"message\":\"posted\",\"number\":{number}}}"))
        .collect();
    let body = format!("{{\"events\":[{}]}}", events.join(","));
    let answer = support::ask(&addr.to_string(), "POST", "/ingest", body.as_bytes());
    matches!(answer, Some((200, _)))
}

/// The same as Elasticsearch's clients do it, which are told of each event.
fn bulk(addr: SocketAddr, numbers: &[u64]) -> bool {
    let lines = numbers.iter().map(|number| {
        format!("{{\"create\":{{}}}}\n{{\"message\":\"bulked\",\"number\":{number}}}\n")
    });
    let body: String = lines.collect();
    let answer = support::ask(&addr.to_string(), "POST", "/logs/_bulk", body.as_bytes());
    let Some((200, answer)) = answer else { return false };
    let answer: Json = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["errors"], Json::Bool(false), "{answer}");
    true
}

/// Sends numbered lines over TCP until told to stop, connecting anew when the connection is cut;
/// gives the numbers of the last connection.
fn stream_lines(
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> JoinHandle<Range<u64>> {
    std::thread::spawn(move || {
        let (mut next, mut first) = (0, 0);
        let mut connection: Option<TcpStream> = None;
        while !stop.load(Ordering::Relaxed) || connection.is_none() {
            std::thread::park_timeout(Duration::from_millis(5));
            let Some(open) = &mut connection else {
                connection = TcpStream::connect(addr).ok();
                first = next;
                continue;
            };
            let line = format!("{{\"message\":\"streamed\",\"number\":{next}}}\n");
            next += 1;
            match open.write_all(line.as_bytes()) {
                Ok(()) => sent.store(next, Ordering::Relaxed),
                Err(_) => connection = None,
            }
        }
        first..next
    })
}

/// All stored events that match, by the value of one field, with how often it is there.
fn stored(server: &Server, query: &str, field: &str) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = server
            .get(&format!("/api/v1/events?q={query}&limit=1000&last=7d{cursor}"))
            .expect("a page of events");
        for event in page["events"].as_array().expect("events") {
            let number = text_at(event, field).parse().unwrap();
            *found.entry(number).or_insert(0) += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn kills() -> u64 {
    let said = std::env::var("TOCSIN_TEST_KILLS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(KILLS_DEFAULT)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_double_nothing() {
    // The catcher keeps a thousand requests in memory, and all of them in files.
    let caught = tempfile::tempdir().unwrap();
    let options =
        CatchOptions { dir: Some(caught.path().to_path_buf()), ..CatchOptions::on_free_ports() };
    let catcher = Catcher::start(options).await.unwrap();
    let hook = catcher.http_addr().unwrap();
    let stream = free_addr();
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: \"{stream}\" }}\n  files:\n    \
         - {{ paths: [DIR/auth.log] }}\n\
         notify:\n  channels:\n    hook:\n      type: webhook\n      url: http://{hook}/alert\n      \
         rate_limit: {{ per_hour: 0, per_group: 0 }}\n"
    ));
    let addr = free_addr();
    let text = std::fs::read_to_string(&setup.config).unwrap();
    std::fs::write(&setup.config, text.replace("127.0.0.1:0", &addr.to_string())).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let (written, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut server = Server::start(&setup.config);
    let writer = write_log(setup.path("auth.log"), stop.clone(), written.clone());
    let poster = send_events(stop.clone(), acknowledged.clone(), move |all| post(addr, all));
    let bulked = Arc::new(AtomicU64::new(0));
    let bulker = send_events(stop.clone(), bulked.clone(), move |all| bulk(addr, all));
    let sent = Arc::new(AtomicU64::new(0));
    let streamer = stream_lines(stream, stop.clone(), sent.clone());
    for kill in 0..kills() {
        // A different point of the epoch each time, by how much was written meanwhile.
        let (lines, events) =
            (written.load(Ordering::Relaxed), acknowledged.load(Ordering::Relaxed));
        wait_for("some load", || {
            let more_lines = written.load(Ordering::Relaxed) >= lines + 20 + kill % 12 * 5;
            let more_events = acknowledged.load(Ordering::Relaxed) >= events + 10 + kill % 12 * 7;
            (more_lines && more_events).then_some(())
        });
        let seen = total(&server, "message:streamed");
        server.kill();
        server = Server::start(&setup.config);
        let still = total(&server, "message:streamed");
        assert!(still >= seen, "kill {kill}: {seen} lines were stored, {still} are");
    }
    stop.store(true, Ordering::Relaxed);
    let attackers = writer.join().unwrap();
    let accepted = poster.join().unwrap();
    let in_bulk = bulker.join().unwrap();
    assert!(!in_bulk.is_empty());
    let streamed = streamer.join().unwrap();

    let lines = attackers * TRIES;
    check_file(&server, lines);
    check_acknowledged(&server, "message:posted", &accepted);
    check_acknowledged(&server, "message:bulked", &in_bulk);
    let found = check_streamed(&server, &streamed);
    check_alerts(&server, &setup, caught.path(), attackers);
    eprintln!(
        "{} kills: {lines} lines of a file, {} events over HTTP, {} over _bulk, {} lines over TCP, \
         {attackers} alerts",
        kills(),
        accepted.len(),
        in_bulk.len(),
        found,
    );
}

/// Every line of the file is stored once.
fn check_file(server: &Server, lines: u64) {
    wait_for("all lines to be stored", || {
        (total(server, "event.dataset:openssh.sshd") >= lines).then_some(())
    });
    let in_file = stored(server, "event.dataset:openssh.sshd", "process.pid");
    once(&in_file, "lines");
    assert!(in_file.keys().copied().eq(0..lines), "{} of {lines} lines stored", in_file.len());
}

/// Everything acknowledged is stored once; what was sent and not acknowledged may be stored too,
/// so numbers alone tell nothing.
fn check_acknowledged(server: &Server, query: &str, accepted: &BTreeSet<u64>) {
    let last = accepted.last().copied().unwrap_or_default();
    let found = wait_for("the last acknowledged event to be stored", || {
        Some(stored(server, query, "number")).filter(|found| found.contains_key(&last))
    });
    once(&found, query);
    let lost: Vec<_> = accepted.iter().filter(|number| !found.contains_key(number)).collect();
    assert!(lost.is_empty(), "{query}: acknowledged and lost: {lost:?}");
}

/// Everything over the last connection is stored, and nothing twice; how much in all.
fn check_streamed(server: &Server, last: &Range<u64>) -> usize {
    let found = wait_for("the last line over TCP to be stored", || {
        let found = stored(server, "message:streamed", "number");
        last.clone().all(|number| found.contains_key(&number)).then_some(found)
    });
    once(&found, "over TCP");
    found.len()
}

fn once(found: &BTreeMap<u64, u64>, what: &str) {
    let doubled: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "{what}: stored more than once: {doubled:?}");
}

/// How many stored events match.
fn total(server: &Server, query: &str) -> u64 {
    let page = server.get(&format!("/api/v1/events?q={query}&limit=1&last=7d"));
    page.and_then(|page| page["total"].as_u64()).expect("a page of events")
}

/// Ids of the alerts that were told, as often as they were.
fn told(caught: &Path) -> Vec<String> {
    let files = std::fs::read_dir(caught).unwrap().map(|entry| entry.unwrap().path());
    files
        // What begins with a dot is not finished.
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let request: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            text_at(&request["body"], "alert.tocsin.alert.id")
        })
        .collect()
}

fn check_alerts(server: &Server, setup: &Setup, caught: &Path, attackers: u64) {
    let all = || -> Vec<Json> {
        let mut alerts = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/api/v1/alerts?limit=500{cursor}")).unwrap();
            alerts.extend(page["alerts"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return alerts,
            }
        }
    };
    wait_for("an alert for every attacker", || (all().len() as u64 >= attackers).then_some(()));
    let mut by_address: BTreeMap<String, u64> = BTreeMap::new();
    for alert in all() {
        *by_address.entry(text_at(&alert, "source.ip")).or_insert(0) += 1;
        assert_eq!(alert["tocsin"]["alert"]["count"].as_u64(), Some(TRIES), "{alert:#}");
    }
    let doubled: Vec<_> = by_address.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "attacks with more than one alert: {doubled:?}");
    assert_eq!(by_address.len() as u64, attackers);
    let ids: BTreeSet<String> =
        all().iter().map(|alert| text_at(alert, "tocsin.alert.id")).collect();
    wait_for("every alert in the log", || (setup.alert_log().len() >= ids.len()).then_some(()));
    let logged: Vec<String> =
        setup.alert_log().iter().map(|line| text_at(line, "tocsin.alert.id")).collect();
    assert_eq!(logged.len(), ids.len(), "the alert log holds an alert twice");
    assert_eq!(logged.into_iter().collect::<BTreeSet<_>>(), ids);
    wait_for("every alert told by webhook", || {
        let told: BTreeSet<String> = told(caught).into_iter().collect();
        (told.len() >= ids.len()).then_some(())
    });
    // A kill between the receiver's answer and its receipt repeats one delivery, with its key.
    let repeated = told(caught).len() - ids.len();
    let kills = kills();
    assert!(repeated as u64 <= kills, "{repeated} deliveries were repeated over {kills} kills");
}
