//! A server over real stages in a temporary directory, and a client that sends exactly the bytes
//! it is given.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; each file uses some"
)]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tocsin_catalog::Catalog;
use tocsin_collect::{Batch, Checkpoints, Collector, Journal, Stats};
use tocsin_engine::content::{Choice, Rules};
use tocsin_engine::doubt::Parser;
use tocsin_engine::exceptions::ExceptionBook;
use tocsin_engine::handle::{LIVE_BACKLOG_MAX, Progress};
use tocsin_engine::reload::InForce;
use tocsin_engine::{Config, Content, Handle};
use tocsin_model::{
    Alert, AlertId, AlertStatus, Event, EventId, FieldId, RuleMeta, Severity, Timestamp, Value,
};
use tocsin_notify::Notifier;
use tocsin_server::{Server, serve};
use tocsin_store::{Embedded, EventStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// The sources of the shipped packs.
static PARSER: LazyLock<Parser> = LazyLock::new(|| {
    let config = Config::default();
    let choice = Choice { rules: Rules::Only(Vec::new()), route: true };
    Content::load(&config.content, &config.detect, &choice).parser
});

/// A running server with everything behind it.
pub struct Rig {
    pub handle: Handle,
    pub addr: SocketAddr,
    pub batches: mpsc::Receiver<Batch>,
    pub shutdown: CancellationToken,
    server: Server,
    inputs: CancellationToken,
    _dir: TempDir,
}

impl Rig {
    /// With the usual configuration.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With another configuration.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (handle, batches, inputs, dir) = handle(change).await;
        let shutdown = CancellationToken::new();
        let server = serve(handle.clone(), shutdown.clone()).await.unwrap();
        Self { addr: server.addr(), handle, batches, shutdown, server, inputs, _dir: dir }
    }

    /// Where it listens for senders.
    pub fn listening(&self) -> Vec<(&'static str, SocketAddr)> {
        self.server.listening().to_vec()
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.server.join().await;
        self.inputs.cancel();
        drop(self.batches);
        self.handle.collector.join().await;
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"").await
    }

    /// Sends a request with a good host header unless `headers` have one.
    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        let named = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if !named("host") {
            head.push_str(&format!("Host: {}\r\n", self.addr));
        }
        if !named("content-length") && !named("transfer-encoding") && method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat()).await
    }

    /// Sends bytes, reads the answer to its end.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let (mut read, mut write) = TcpStream::connect(self.addr).await.unwrap().into_split();
        let sent = async {
            // The server may answer and close before it has read all.
            let _ = write.write_all(bytes).await;
        };
        let mut whole = Vec::new();
        let ((), _) = tokio::join!(sent, read.read_to_end(&mut whole));
        Answer::parse(&whole)
    }
}

/// Stages in a temporary directory, with a handle to them. There is no pipeline: what the inputs
/// take arrives at the receiver.
pub async fn handle(
    change: impl FnOnce(&mut Config),
) -> (Handle, mpsc::Receiver<Batch>, CancellationToken, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.collect.discover = false;
    config.collect.syslog.udp = None;
    config.collect.syslog.tcp = None;
    change(&mut config);
    let store = Embedded::open(&dir.path().join("store"), tocsin_store::Options::default());
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let journal = Journal::open(&dir.path().join("journal"), &config.collect.journal).unwrap();
    let journal = Arc::new(journal);
    let inputs = Arc::new(Stats::default());
    let stop = CancellationToken::new();
    let (sender, batches) = mpsc::channel(64);
    let collector = Collector::start(
        config.collect.clone(),
        Checkpoints::default(),
        journal.clone(),
        sender,
        inputs.clone(),
        stop.clone(),
    );
    let rule = RuleMeta {
        id: "rule-1".to_owned(),
        title: "SSH brute force".to_owned(),
        severity: Severity::High,
        techniques: vec!["T1110.001".to_owned()],
        pack: "authentication".to_owned(),
        ..RuleMeta::default()
    };
    let exceptions = ExceptionBook::open(catalog.clone(), config.alerts.disabled_rules.clone());
    let exceptions = exceptions.unwrap();
    let store: Arc<dyn EventStore> = Arc::new(store.unwrap());
    let responder = tocsin_engine::respond::responder(&config, catalog.clone(), store.clone());
    let context = tocsin_engine::context::ContextBook::open(&config);
    let intel = tocsin_engine::intel::IntelBook::open(&config, Arc::default());
    let handle = Handle {
        context: Arc::new(context),
        intel: Arc::new(intel),
        hunts: Arc::default(),
        exceptions: Arc::new(exceptions),
        troubles: Arc::default(),
        notifier: Arc::new(Notifier::new(&config.notify, dir.path(), catalog.clone()).unwrap()),
        config: Arc::new(config),
        catalog,
        store,
        responder: Arc::new(responder.unwrap()),
        journal,
        collector: Arc::new(collector.await.unwrap()),
        inputs,
        progress: Arc::new(Progress::default()),
        live: broadcast::channel(LIVE_BACKLOG_MAX).0,
        in_force: Arc::new(arc_swap::ArcSwap::from_pointee(InForce {
            parser: PARSER.clone(),
            rules: vec![Arc::new(rule)],
            ..InForce::default()
        })),
        started: now(),
    };
    (handle, batches, stop, dir)
}

pub fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(whole: &[u8]) -> Self {
        let end = whole.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer: {:?}", String::from_utf8_lossy(whole));
        });
        let head = String::from_utf8(whole[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self { status, headers: lines.map(pair).collect(), body: whole[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?} ({})", self.text(), self.status))
    }

    /// The message of a failure; the answer must have the one form of failures.
    #[track_caller]
    pub fn failure(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        let id = error["request_id"].as_str().unwrap_or_else(|| panic!("no id in {json}"));
        assert_eq!(Some(id), self.header("x-request-id"));
        error["message"].as_str().unwrap_or_else(|| panic!("no message in {json}")).to_owned()
    }
}

/// An alert of the rule `rule-1`.
pub fn alert(id: u32, severity: Severity, source: &str, at: Timestamp) -> Alert {
    Alert {
        id: AlertId(format!("{id:032x}")),
        rule: RuleMeta {
            id: "rule-1".to_owned(),
            title: "SSH brute force".to_owned(),
            severity: Severity::High,
            ..RuleMeta::default()
        },
        severity,
        group: vec![("source.ip".to_owned(), source.to_owned())],
        first_seen: at,
        last_seen: at,
        raised: at,
        count: 5,
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: format!("5 failed logins from {source}"),
        fields: vec![("source.ip".to_owned(), json!(source))],
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

/// A login; `attempts` as parsers say it, or not said.
pub fn login(
    offset: u64,
    at: Timestamp,
    source: &str,
    outcome: &str,
    attempts: Option<i64>,
) -> Event {
    let mut event = Event::default();
    event.set_original("a login");
    event.id = EventId { stream: 1, offset };
    event.time = at;
    event.received = at;
    let field = |name: &str| FieldId::intern(name).unwrap();
    event.push_list(field("event.category"), [Value::Str("authentication")]);
    event.push_str(field("event.outcome"), outcome);
    event.push_str(field("source.ip"), source);
    if let Some(attempts) = attempts {
        event.push_int(field("tocsin.attempts"), attempts);
    }
    event
}
