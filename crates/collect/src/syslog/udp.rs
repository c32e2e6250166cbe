//! Datagrams: syslog over UDP (RFC 5426), one message for each, and GELF.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{Listener, kernel};
use crate::journal::{JournalEntry, JournalError};
use crate::network::Datagrams;
use crate::stats::DropReason;

/// Receive buffer asked of the system, in bytes: it holds what arrives while the disk syncs. The
/// system may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// Largest datagram there can be.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Messages, and bytes of them, that may wait for the journal; further ones are dropped and
/// counted.
const MESSAGES_WAITING_MAX: usize = 65_536;
const BYTES_WAITING_MAX: usize = 32 << 20;
/// Most messages in one append.
const APPEND_MESSAGES_MAX: usize = 8192;
/// How often the system is asked what it dropped.
const KERNEL_DROPS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

/// Opens the socket.
pub(super) fn open(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A smaller buffer works, too.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    let socket = UdpSocket::from_std(socket.into())?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// Receives until shutdown, then takes what had arrived by then.
pub(super) async fn run(listener: Listener, socket: UdpSocket, mut datagrams: Datagrams) {
    let (sender, waiting) = mpsc::channel(MESSAGES_WAITING_MAX);
    let queue = Queue { sender, bytes: Arc::default() };
    let writer = listener.tasks.spawn(write(listener.clone(), waiting, queue.bytes.clone()));
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut drops = kernel::Drops::new(&socket);
    let mut ask = tokio::time::interval(KERNEL_DROPS_INTERVAL);
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, peer)) => enqueue(&listener, &queue, &mut datagrams, (&buffer[..length], peer)),
                Err(error) => {
                    // Mostly an answer to something we never sent; the socket goes on.
                    tracing::debug!("receiving over UDP: {error}");
                    tokio::task::yield_now().await;
                }
            },
            _ = ask.tick() => {
                datagrams.expire(&listener.stats);
                listener.stats.dropped(DropReason::KernelBufferFull, drops.take_new());
            }
            () = listener.shutdown.cancelled() => break,
        }
    }
    while let Ok((length, peer)) = socket.try_recv_from(&mut buffer) {
        enqueue(&listener, &queue, &mut datagrams, (&buffer[..length], peer));
    }
    listener.stats.dropped(DropReason::KernelBufferFull, drops.take_new());
    drop(queue);
    let _ = writer.await;
}

/// Messages between the socket and the journal.
struct Queue {
    sender: mpsc::Sender<JournalEntry>,
    /// Bytes that wait.
    bytes: Arc<AtomicUsize>,
}

fn enqueue(
    listener: &Listener,
    queue: &Queue,
    datagrams: &mut Datagrams,
    (datagram, peer): (&[u8], SocketAddr),
) {
    let max = listener.limits.frame_bytes_max;
    let message = datagrams.message(datagram, peer.ip(), max, &listener.stats);
    let Some(message) = message else { return };
    let size = message.len();
    let entry = listener.entry(peer.ip(), message);
    // Counted before it can be taken out, so that the count never falls below what waits.
    let waiting = queue.bytes.fetch_add(size, Ordering::Relaxed) + size;
    if waiting > BYTES_WAITING_MAX || queue.sender.try_send(entry).is_err() {
        queue.bytes.fetch_sub(size, Ordering::Relaxed);
        listener.stats.dropped(DropReason::QueueFull, 1);
    }
}

/// Writes what waits to the journal, as much at once as there is.
async fn write(
    listener: Listener,
    mut waiting: mpsc::Receiver<JournalEntry>,
    bytes_waiting: Arc<AtomicUsize>,
) {
    let mut entries = Vec::with_capacity(APPEND_MESSAGES_MAX);
    while waiting.recv_many(&mut entries, APPEND_MESSAGES_MAX).await > 0 {
        let entries = std::mem::take(&mut entries);
        let (count, bytes, last) = crate::tally(&entries);
        let appended = listener.journal.append(entries).await;
        bytes_waiting.fetch_sub(usize::try_from(bytes).unwrap_or_default(), Ordering::Relaxed);
        let problem = match appended {
            Ok(()) => {
                listener.stats.received(count, bytes, last);
                None
            }
            Err(error) => {
                listener.stats.dropped(DropReason::JournalFull, count);
                (error != JournalError::Closed).then(|| format!("dropping messages: {error}"))
            }
        };
        crate::tell(&listener.stats, &listener.input, problem);
    }
}
