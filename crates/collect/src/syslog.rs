//! Listeners on the network. Of syslog, one record for each message, with its `<PRI>` as received;
//! what else is spoken on connections is in `network`.
//!
//! In: datagrams and connections. Out: journal entries. A TCP sender waits while the journal is
//! full (its connection is not read); a UDP message that cannot be written is dropped and counted.
//! Never trusts a length, a count of connections or the patience of a sender.

mod kernel;
pub(crate) mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tocsin_model::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collector::Board;
use crate::config::{CollectConfig, Limits};
use crate::error::Error;
use crate::journal::{Journal, JournalEntry};
use crate::network::{self, Datagrams, Manner, Speech};
use crate::stats::{InputStats, Stats};
use crate::tls::server_config;
use crate::wire::gelf::Chunks;

/// How often an address that cannot be listened on is tried again.
const LISTEN_RETRY: Duration = Duration::from_secs(5);

/// What the listeners share.
#[derive(Clone)]
pub(crate) struct Listener {
    pub input: Arc<str>,
    pub journal: Arc<Journal>,
    pub limits: Limits,
    pub stats: Arc<InputStats>,
    pub tasks: TaskTracker,
    pub shutdown: CancellationToken,
}

/// The addresses that are listened on, by input.
pub(crate) type Addresses = Arc<Mutex<BTreeMap<&'static str, SocketAddr>>>;

/// One listener to be.
struct Door {
    input: &'static str,
    what: &'static str,
    /// The section of the configuration that it is in.
    section: &'static str,
    address: SocketAddr,
}

/// Starts the listeners of `config`. An address that cannot be used is a problem on the board
/// and is tried again; it stops nothing else.
pub(crate) fn start(
    config: &CollectConfig,
    journal: &Arc<Journal>,
    (board, stats): (Arc<Board>, Arc<Stats>),
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Addresses {
    let addresses = Addresses::default();
    let listener = |input: &str| Listener {
        input: Arc::from(input),
        journal: journal.clone(),
        limits: config.limits.clone(),
        stats: stats.input(input),
        tasks: tasks.clone(),
        shutdown: shutdown.clone(),
    };
    for (door, datagrams) in datagram_doors(config) {
        let (listener, address) = (listener(door.input), door.address);
        let open = move || udp::open(address);
        let run = move |listener, socket| udp::run(listener, socket, datagrams);
        listen(listener, door, open, run, &addresses, &board);
    }
    for (door, tls, speech) in connection_doors(config) {
        let (listener, address) = (listener(door.input), door.address);
        let dir = journal.dir().with_file_name("tls");
        let acceptor = match speech {
            Ok(_) if tls => server_config(&config.tls, &dir, &[]).map(TlsAcceptor::from).map(Some),
            _ => Ok(None),
        };
        let how = match (acceptor, speech) {
            (Ok(tls), Ok(speech)) => Manner { speech, tls },
            (Err(error), _) => {
                let what = format!("{} on {address}", door.what);
                board.report(&listener.stats, door.input, &what, Some(error.to_string()));
                continue;
            }
            (_, Err(error)) => {
                let what = format!("{} on {address}", door.what);
                board.report(&listener.stats, door.input, &what, Some(error));
                continue;
            }
        };
        let open = move || tcp::open(address);
        let run = move |listener, socket| tcp::run(listener, socket, how);
        listen(listener, door, open, run, &addresses, &board);
    }
    addresses
}

/// The sockets for datagrams.
fn datagram_doors(config: &CollectConfig) -> Vec<(Door, Datagrams)> {
    let (syslog, gelf) = (&config.syslog, &config.gelf);
    let doors = [
        (syslog.udp, "syslog:udp", "syslog over UDP", "collect.syslog", Datagrams::Syslog),
        (gelf.udp, "gelf:udp", "GELF over UDP", "collect.gelf", Datagrams::Gelf(Chunks::default())),
    ];
    let door = |(address, input, what, section, datagrams): (Option<SocketAddr>, _, _, _, _)| {
        Some((Door { input, what, section, address: address? }, datagrams))
    };
    doors.into_iter().filter_map(door).collect()
}

/// The sockets for connections: whether with TLS, and what is spoken.
fn connection_doors(config: &CollectConfig) -> Vec<(Door, bool, Result<Speech, String>)> {
    let CollectConfig { syslog, gelf, lumberjack, fluent, ingest, .. } = config;
    let key = network::fluent_key(config);
    let spoken = key.map(|key| Speech::Fluent(ingest.clone(), key));
    let beats = Ok(Speech::Lumberjack(ingest.clone()));
    let doors = [
        (syslog.tcp, false, "syslog:tcp", "syslog over TCP", "collect.syslog", Ok(Speech::Syslog)),
        (syslog.tls, true, "syslog:tls", "syslog over TLS", "collect.syslog", Ok(Speech::Syslog)),
        (gelf.tcp, gelf.tls, "gelf:tcp", "GELF over TCP", "collect.gelf", Ok(Speech::Gelf)),
        (lumberjack.tcp, lumberjack.tls, "lumberjack", "Lumberjack", "collect.lumberjack", beats),
        (fluent.tcp, fluent.tls, "fluent", "Fluent forward", "collect.fluent", spoken),
    ];
    let mut all = Vec::new();
    for (address, tls, input, what, section, speech) in doors {
        if let Some(address) = address {
            all.push((Door { input, what, section, address }, tls, speech));
        }
    }
    all
}

/// Opens a socket now, or keeps trying in the background, and then runs its listener.
fn listen<S, F>(
    listener: Listener,
    door: Door,
    open: impl Fn() -> std::io::Result<(S, SocketAddr)> + Send + 'static,
    run: impl FnOnce(Listener, S) -> F + Send + 'static,
    bound: &Addresses,
    board: &Arc<Board>,
) where
    S: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let Door { input, what, section, address } = door;
    let bound = bound.clone();
    let board = board.clone();
    let attempt = move |listener: &Listener| match open() {
        Ok((socket, local)) => {
            bound.lock().unwrap_or_else(PoisonError::into_inner).insert(input, local);
            board.report(&listener.stats, &listener.input, &format!("{what} on {local}"), None);
            Some(socket)
        }
        Err(cause) => {
            let remedy = listen_remedy(&cause, section);
            let error = Error::Listen { what, address, cause, remedy }.to_string();
            let what = format!("{what} on {address}");
            board.report(&listener.stats, &listener.input, &what, Some(error));
            None
        }
    };
    let first = attempt(&listener);
    let tasks = listener.tasks.clone();
    tasks.spawn(async move {
        let mut opened = first;
        let socket = loop {
            if let Some(socket) = opened.take() {
                break socket;
            }
            tokio::select! {
                () = listener.shutdown.cancelled() => return,
                () = tokio::time::sleep(LISTEN_RETRY) => opened = attempt(&listener),
            }
        };
        run(listener, socket).await;
    });
}

fn listen_remedy(cause: &std::io::Error, section: &str) -> String {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "another program uses it (`ss -lntup` shows which): stop that, or set another port or \"off\" under {section}; it is tried again"
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need root or CAP_NET_BIND_SERVICE: set another port under {section}"
        ),
        std::io::ErrorKind::AddrNotAvailable => format!(
            "no interface of this machine has that address: correct it under {section}; it is tried again"
        ),
        _ => format!("set another address under {section}; it is tried again"),
    }
}

impl Listener {
    pub(crate) fn entry(&self, peer: IpAddr, bytes: Bytes) -> JournalEntry {
        JournalEntry {
            input: self.input.clone(),
            hint: None,
            peer: Some(peer.to_canonical()),
            received: Timestamp::from_system(SystemTime::now()),
            bytes,
        }
    }
}
