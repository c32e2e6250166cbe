//! Connections of the other protocols: GELF, Lumberjack, Fluent, and all of them over TLS.
//!
//! In: connections. Out: journal entries; each protocol's acknowledgement once they are on disk.
//! While the journal is full, a connection is not read, so its sender waits. Never trusts a
//! length, a count, or the patience of a sender.

mod fluent;
mod gelf;
mod lumberjack;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::config::{CollectConfig, IngestLimits};
use crate::stats::DropReason;
use crate::syslog::{Listener, tcp};

pub(crate) use self::fluent::Key;
pub(crate) use self::gelf::Datagrams;

/// A connection's TLS must be there within this time.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// A sender that does not take an acknowledgement is given up after so long.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes read from a connection at once.
const READ_BYTES: usize = 64 << 10;

/// What is spoken on a connection.
#[derive(Clone)]
pub(crate) enum Speech {
    Syslog,
    Gelf,
    Lumberjack(IngestLimits),
    Fluent(IngestLimits, Option<Arc<Key>>),
}

/// How connections of a listener are served.
#[derive(Clone)]
pub(crate) struct Manner {
    pub speech: Speech,
    pub tls: Option<TlsAcceptor>,
}

/// Serves one connection to its end.
pub(crate) async fn serve(listener: &Listener, connection: TcpStream, peer: IpAddr, how: &Manner) {
    // Acknowledgements are small and waited for.
    let _ = connection.set_nodelay(true);
    let Some(acceptor) = &how.tls else {
        return speak(listener, connection, peer, &how.speech).await;
    };
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(connection)) => accepted,
        () = listener.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => speak(listener, stream, peer, &how.speech).await,
        Ok(Err(error)) => refuse(listener, peer, &format!("no TLS: {error}")),
        Err(_) => refuse(listener, peer, "no TLS: it took too long"),
    }
}

fn refuse(listener: &Listener, peer: IpAddr, why: &str) {
    listener.stats.dropped(DropReason::Unauthorized, 1);
    tracing::warn!(input = %listener.input, %peer, "a connection was refused: {why}");
}

async fn speak<S>(listener: &Listener, stream: S, peer: IpAddr, speech: &Speech)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = Line { listener, stream, peer, buffer: vec![0; READ_BYTES] };
    match speech {
        Speech::Syslog => tcp::serve(listener, line.stream, peer).await,
        Speech::Gelf => gelf::serve(&mut line).await,
        Speech::Lumberjack(limits) => lumberjack::serve(&mut line, limits).await,
        Speech::Fluent(limits, key) => fluent::serve(&mut line, limits, key.as_deref()).await,
    }
}

/// One connection.
struct Line<'l, S> {
    listener: &'l Listener,
    stream: S,
    peer: IpAddr,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<'_, S> {
    /// The next bytes; `None` at its end, after a long silence, and at shutdown.
    async fn read(&mut self) -> Option<&[u8]> {
        let idle = Duration::from_secs(self.listener.limits.idle_s.max(1));
        let read = tokio::select! {
            read = tokio::time::timeout(idle, self.stream.read(&mut self.buffer)) => read,
            () = self.listener.shutdown.cancelled() => return None,
        };
        match read {
            Ok(Ok(count @ 1..)) => self.buffer.get(..count),
            _ => None,
        }
    }

    /// Writes an answer; whether the sender took it.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        matches!(tokio::time::timeout(WRITE_TIME_MAX, writing).await, Ok(Ok(())))
    }

    /// Puts events into the journal, however long it takes; whether they are safe.
    async fn accept(&self, events: impl IntoIterator<Item = Bytes>) -> bool {
        let Listener { journal, stats, shutdown, .. } = self.listener;
        let entries = events.into_iter().map(|event| self.listener.entry(self.peer, event));
        crate::accept(journal, entries.collect(), stats, shutdown).await
    }

    fn dropped(&self, reason: DropReason, count: usize) {
        self.listener.stats.dropped(reason, count as u64);
    }

    /// Says that the other end speaks something else.
    fn broken(&self, what: &str) {
        self.dropped(DropReason::InvalidFrame, 1);
        let (input, peer) = (&self.listener.input, self.peer);
        tracing::warn!(%input, %peer, "a connection was ended: {what}");
    }
}

/// The key of `collect.fluent`, read.
pub(crate) fn fluent_key(config: &CollectConfig) -> Result<Option<Arc<Key>>, String> {
    let fluent = &config.fluent;
    let key = match (&fluent.shared_key, &fluent.shared_key_file) {
        (Some(key), None) => Some(key.reveal().to_owned()),
        (None, Some(path)) => Some(crate::senders::read("shared_key_file", path)?),
        (None, None) => None,
        _ => return Err("give one of shared_key and shared_key_file".to_owned()),
    };
    Ok(key.map(|key| Arc::new(Key(key))))
}
