//! The archive in a bucket, with a real gateway that speaks S3: wrong keys, a bucket that is away,
//! copies, proof and deletion.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value as Json;
use support::{Server, Setup, free_addr, output, skipped, tocsin, wait_for};
use tocsin_model::{Event, EventId, Timestamp, field};
use tocsin_store::{Embedded, EventStore, Options};

/// Events of each day.
const EVENTS: u64 = 1200;
const BUCKET: &str = "history";
const ACCESS_KEY: &str = "tocsin-test";
const SECRET_KEY: &str = "not-so-secret-after-all";

/// A gateway over a directory; gone when dropped.
struct Gateway(Child);

impl Gateway {
    /// `None`, with a notice, where there is no such program.
    fn program() -> Option<PathBuf> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("counterparts/versitygw");
        if path.is_file() {
            return Some(path);
        }
        skipped(&format!("no {} (cargo xtask test builds it)", path.display()));
        None
    }

    fn start(program: &Path, dir: &Path, port: u16) -> Self {
        let (files, notes) = (dir.join("files"), dir.join("notes"));
        fs::create_dir_all(files.join(BUCKET)).unwrap();
        fs::create_dir_all(&notes).unwrap();
        let mut command = Command::new(program);
        command.args(["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--quiet", "--port"]);
        command.arg(format!("127.0.0.1:{port}")).args(["posix", "--sidecar"]);
        command.arg(&notes).arg(&files).stdout(Stdio::null()).stderr(Stdio::null());
        let gateway = Self(command.spawn().unwrap());
        wait_for("the gateway", || TcpStream::connect(("127.0.0.1", port)).ok());
        gateway
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn event(number: u64, time: Timestamp) -> Event {
    let mut event = Event::default();
    event.id = EventId { stream: 1, offset: number };
    event.time = Timestamp(time.0 + number as i64 * 1_000_000);
    event.received = event.time;
    let address = format!("198.51.100.{}", number % 100);
    event.set_original(&format!("sshd[{number}]: Failed password for root from {address}"));
    event.push_str(field::EVENT_MODULE, if number.is_multiple_of(3) { "nginx" } else { "openssh" });
    event.push_str(field::SOURCE_IP, &address);
    event
}

/// A data directory with events that arrived nine and no days ago, and keys of which the secret
/// one is wrong.
fn with_an_old_day(port: u16) -> Setup {
    let setup = Setup::new("");
    let (access, secret) = (setup.path("access"), setup.path("secret"));
    fs::write(&access, format!("{ACCESS_KEY}\n")).unwrap();
    fs::write(&secret, "wrong").unwrap();
    let text = fs::read_to_string(&setup.config).unwrap();
    let archive = format!(
        "  archive:\n    after_days: 3\n    s3: {{ endpoint: \"http://127.0.0.1:{port}\", \
         bucket: {BUCKET}, prefix: of/one, access_key_file: {access:?}, \
         secret_key_file: {secret:?} }}\n\
         collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n"
    );
    fs::write(&setup.config, text + &archive).unwrap();
    let store = Embedded::open(&setup.path("data").join("store"), Options::default()).unwrap();
    for (place, days) in [9, 0].into_iter().enumerate() {
        let time = Timestamp::from_system(SystemTime::now());
        let time = time.minus(Duration::from_secs(86_400) * days);
        let start = place as u64 * EVENTS;
        let events: Vec<Event> = (start..start + EVENTS).map(|n| event(n, time)).collect();
        store.append(&events).unwrap();
        store.commit(r#"{"version":1,"epoch":0,"checkpoints":{},"ledgers":{}}"#).unwrap();
    }
    setup
}

fn search(server: &Server, query: &str) -> Json {
    let body = format!(r#"{{"q":"{query}","limit":2}}"#);
    let (status, text) = server.ask("POST", "/api/v1/search", body.as_bytes()).unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn status(server: &Server) -> Option<Json> {
    server.get("/status")
}

fn objects(dir: &Path) -> Vec<PathBuf> {
    let days = fs::read_dir(dir.join("files").join(BUCKET).join("of/one")).into_iter().flatten();
    let files = days.flatten().flat_map(|day| fs::read_dir(day.path()).into_iter().flatten());
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    files.sort();
    files
}

#[test]
fn days_go_to_a_bucket_and_are_asked_there() {
    let Some(program) = Gateway::program() else { return };
    let port = free_addr().port();
    let setup = with_an_old_day(port);
    let place = setup.path("bucket");
    let gateway = Gateway::start(&program, &place, port);
    let server = Server::start(&setup.config);
    let problem = wait_for("the wrong key to be told", || {
        status(&server)?["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("SignatureDoesNotMatch"), "{problem}");
    assert!(problem.contains("check the keys"), "{problem}");
    assert!(!problem.contains("X-Amz"), "a signed address in {problem}");
    assert_eq!(search(&server, "")["total"], 2 * EVENTS);
    assert_eq!(objects(&place), Vec::<PathBuf>::new());
    // Tried again, with the keys as they are then.
    fs::write(setup.path("secret"), SECRET_KEY).unwrap();
    wait_for("the old day in the bucket", || {
        let status = status(&server)?;
        (status["store"]["archived_documents"] == EVENTS && status["problem"].is_null())
            .then_some(())
    });
    assert_eq!(objects(&place).len(), 2);
    let found = search(&server, "source.ip: 198.51.100.7");
    assert_eq!((&found["total"], &found["archived"]), (&24.into(), &true.into()), "{found}");
    assert!(found["missing"].is_null() && found["partial"] == false, "{found}");
    assert!(fs::read_dir(setup.path("data").join("archive-copies")).unwrap().count() > 0);
    command_line(&setup, "intact, in the archive", 0);
    away(&setup, server, gateway, (&program, &place, port));
}

/// What happens while nobody answers, and after.
fn away(setup: &Setup, server: Server, gateway: Gateway, at: (&Path, &Path, u16)) {
    drop(gateway);
    // Files that are known are asked by their copies; after a start nothing is known.
    drop(server);
    let server = Server::start(&setup.config);
    let found = search(&server, "source.ip: 198.51.100.7");
    assert_eq!((&found["total"], &found["partial"]), (&12.into(), &true.into()), "{found}");
    assert!(found["missing"].as_str().unwrap().contains("127.0.0.1"), "{found}");
    wait_for("the bucket to be missed", || {
        status(&server)?["problem"].as_str().filter(|text| text.contains("archive")).map(drop)
    });
    drop(server);
    // Retention does not wait for it either: what it deletes then goes later.
    let text = fs::read_to_string(&setup.config).unwrap();
    let limited = "store:\n  packs: { nginx: { retention_days: 4 } }";
    fs::write(&setup.config, text.replace("store:", limited)).unwrap();
    let server = Server::start(&setup.config);
    wait_for("the old requests to count no more", || {
        (status(&server)?["store"]["archived_documents"] == 2 * EVENTS / 3).then_some(())
    });
    assert_eq!(objects(at.1).len(), 2);
    let _gateway = Gateway::start(at.0, at.1, at.2);
    wait_for("the files to go", || (objects(at.1).len() == 1).then_some(()));
    wait_for("all to be well", || status(&server)?["problem"].is_null().then_some(()));
    let found = search(&server, "event.module: openssh");
    assert_eq!((&found["total"], &found["partial"]), (&(4 * EVENTS / 3).into(), &false.into()));
    // A file that was changed is seen, whatever copies say.
    let file = &objects(at.1)[0];
    let mut bytes = fs::read(file).unwrap();
    bytes[100] ^= 1;
    fs::write(file, bytes).unwrap();
    command_line(setup, "CHANGED: openssh.parquet", 1);
}

/// `tocsin verify` says this of one partition.
fn command_line(setup: &Setup, word: &str, code: i32) {
    let mut command = tocsin();
    let (ended, told, said) = output(command.args(["verify", "--config"]).arg(&setup.config), b"");
    assert_eq!(ended, code, "{told}{said}");
    assert_eq!(told.matches(word).count(), 1, "{told}");
}
