//! Connections over TCP; of them syslog (RFC 6587): messages by line or by length.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Listener;
use crate::frame::{Frame, FrameDecoder};
use crate::network::{self, Manner};
use crate::stats::DropReason;

/// Connections that the system may hold until they are accepted.
const BACKLOG: i32 = 1024;
/// Bytes read from a connection at once: of a quiet one, and of one that always has more.
const READ_BYTES: usize = 16 << 10;
const READ_BYTES_MAX: usize = 1 << 20;
/// Pause after the system refused to give us a connection (no file descriptors left).
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Opens the listening socket.
pub(super) fn open(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the process before us may linger after a restart.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// Accepts connections until shutdown.
pub(crate) async fn run(listener: Listener, socket: TcpListener, how: Manner) {
    let places = Arc::new(Semaphore::new(listener.limits.connections_max));
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = listener.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((connection, peer)) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let (listener, how) = (listener.clone(), how.clone());
                    listener.tasks.clone().spawn(async move {
                        network::serve(&listener, connection, peer.ip(), &how).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    listener.stats.dropped(DropReason::TooManyConnections, 1);
                    let max = listener.limits.connections_max;
                    let input = &listener.input;
                    tracing::warn!(%input, %peer, "over {max} connections; raise collect.limits.connections_max");
                }
            },
            Err(error) => {
                tracing::warn!("accepting a connection: {error}; trying again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Reads one connection to its end.
pub(crate) async fn serve(
    listener: &Listener,
    mut connection: impl AsyncRead + Unpin,
    peer: IpAddr,
) {
    let mut decoder = FrameDecoder::new(listener.limits.frame_bytes_max);
    let mut frames = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let idle = Duration::from_secs(listener.limits.idle_s.max(1));
    loop {
        let read = tokio::select! {
            read = tokio::time::timeout(idle, connection.read(&mut buffer)) => read,
            () = listener.shutdown.cancelled() => break,
        };
        // An end, an error and a silence all end the connection; what came of its last message
        // is taken.
        let Ok(Ok(read @ 1..)) = read else { break };
        decoder.push(&buffer[..read], &mut frames);
        listener.stats.dropped(DropReason::InvalidFrame, decoder.take_invalid());
        // Not read on until these are safe: the sender waits.
        accept(listener, peer, &mut frames).await;
        if read == buffer.len() && read < READ_BYTES_MAX {
            buffer.resize(read * 4, 0);
        }
    }
    frames.extend(decoder.finish());
    accept(listener, peer, &mut frames).await;
}

async fn accept(listener: &Listener, peer: IpAddr, frames: &mut Vec<Frame>) {
    let cut = frames.iter().filter(|frame| frame.cut).count();
    listener.stats.dropped(DropReason::Oversize, cut as u64);
    let entries = frames.drain(..).map(|frame| listener.entry(peer, frame.bytes)).collect();
    crate::accept(&listener.journal, entries, &listener.stats, &listener.shutdown).await;
}
