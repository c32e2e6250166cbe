//! Syslog over the network: one record for each message, with its `<PRI>` as received.
//!
//! In: datagrams and connections. Out: journal entries. A TCP sender waits while the journal is
//! full (its connection is not read); a UDP message that cannot be written is dropped and counted.
//! Never trusts a length, a count of connections or the patience of a sender.

mod kernel;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tocsin_model::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collector::Board;
use crate::config::{Limits, SyslogConfig};
use crate::error::Error;
use crate::journal::{Journal, JournalEntry};
use crate::stats::{InputStats, Stats};

/// Names of the inputs.
pub(crate) const UDP_INPUT: &str = "syslog:udp";
pub(crate) const TCP_INPUT: &str = "syslog:tcp";
/// How often an address that cannot be listened on is tried again.
const LISTEN_RETRY: Duration = Duration::from_secs(5);

/// What the listeners share.
#[derive(Clone)]
struct Listener {
    input: Arc<str>,
    journal: Arc<Journal>,
    limits: Limits,
    stats: Arc<InputStats>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// The addresses that are listened on.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) udp: Arc<Mutex<Option<SocketAddr>>>,
    pub(crate) tcp: Arc<Mutex<Option<SocketAddr>>>,
}

/// Starts the listeners of `config`. An address that cannot be used is a problem on the board
/// and is tried again; it stops nothing else.
pub(crate) async fn start(
    config: &SyslogConfig,
    limits: &Limits,
    journal: Arc<Journal>,
    (board, stats): (Arc<Board>, Arc<Stats>),
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Addresses {
    let addresses = Addresses::default();
    let listener = |input: &str| Listener {
        input: Arc::from(input),
        journal: journal.clone(),
        limits: limits.clone(),
        stats: stats.input(input),
        tasks: tasks.clone(),
        shutdown: shutdown.clone(),
    };
    if let Some(address) = config.udp {
        let open = move || udp::open(address);
        let (listener, bound) = (listener(UDP_INPUT), addresses.udp.clone());
        listen(listener, "syslog over UDP", address, open, udp::run, bound, &board).await;
    }
    if let Some(address) = config.tcp {
        let open = move || tcp::open(address);
        let (listener, bound) = (listener(TCP_INPUT), addresses.tcp.clone());
        listen(listener, "syslog over TCP", address, open, tcp::run, bound, &board).await;
    }
    addresses
}

/// Opens a socket now, or keeps trying in the background, and then runs its listener.
async fn listen<S, F>(
    listener: Listener,
    what: &'static str,
    address: SocketAddr,
    open: impl Fn() -> std::io::Result<(S, SocketAddr)> + Send + 'static,
    run: impl FnOnce(Listener, S) -> F + Send + 'static,
    bound: Arc<Mutex<Option<SocketAddr>>>,
    board: &Arc<Board>,
) where
    S: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let board = board.clone();
    let attempt = move |listener: &Listener| match open() {
        Ok((socket, local)) => {
            *bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(local);
            board.report(&listener.stats, &listener.input, &format!("{what} on {local}"), None);
            Some(socket)
        }
        Err(cause) => {
            let remedy = listen_remedy(&cause);
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

fn listen_remedy(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program uses it (`ss -lntup` shows which): stop that, or set another port or \"off\" under collect.syslog; it is tried again"
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE: set another port under collect.syslog"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address: correct it under collect.syslog; it is tried again"
        }
        _ => "set another address under collect.syslog; it is tried again",
    }
}

impl Listener {
    fn entry(&self, peer: IpAddr, bytes: Bytes) -> JournalEntry {
        JournalEntry {
            input: self.input.clone(),
            hint: None,
            peer: Some(peer.to_canonical()),
            received: Timestamp::from_system(SystemTime::now()),
            bytes,
        }
    }
}
