//! Syslog over TCP and UDP, and connecting to who may not be there.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, sleep};

use super::{SendError, Taken};
use crate::traffic::{Item, SyslogForm};

/// How long a peer may take to be there for the first time. Later it is waited for without end.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);
/// Pause before connecting again: the first, doubled each time up to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Connects, and connects again.
pub(super) struct Dialer {
    /// As people know it.
    pub(super) name: String,
    address: String,
    notice: fn(&str),
    answered: bool,
}

impl Dialer {
    pub(super) fn new(name: String, address: &str, notice: fn(&str)) -> Self {
        Self { name, address: address.to_owned(), notice, answered: false }
    }

    /// A connection, when there is one to be had.
    pub(super) async fn connect(&mut self) -> Result<TcpStream, SendError> {
        let begin = Instant::now();
        let (mut pause, pause_max) = RETRY;
        loop {
            let cause = match TcpStream::connect(&self.address).await {
                Ok(stream) => {
                    // Batches are whole; nothing is won by waiting for more.
                    let _ = stream.set_nodelay(true);
                    if pause > RETRY.0 {
                        (self.notice)(&format!("{} is there", self.name));
                    }
                    self.answered = true;
                    return Ok(stream);
                }
                Err(cause) => cause,
            };
            if !self.answered && begin.elapsed() > FIRST_ANSWER_MAX {
                return Err(SendError::Unreachable { target: self.name.clone(), cause });
            }
            if pause == RETRY.0 {
                (self.notice)(&format!("waiting for {}: {cause}", self.name));
            }
            sleep(pause).await;
            pause = (pause * 2).min(pause_max);
        }
    }
}

/// Syslog over TCP, a line a message.
pub(super) struct Tcp {
    dialer: Dialer,
    form: SyslogForm,
    stream: Option<TcpStream>,
}

impl Tcp {
    pub(super) fn new(address: &str, form: SyslogForm, notice: fn(&str)) -> Self {
        let dialer = Dialer::new(format!("tcp://{address}"), address, notice);
        Self { dialer, form, stream: None }
    }

    /// Sends a batch; when the connection breaks meanwhile, once more as a whole, because nobody
    /// says which part of it arrived.
    pub(super) async fn send(&mut self, batch: &[Item]) -> Result<Taken, SendError> {
        let mut bytes = Vec::with_capacity(batch.len() * 200);
        for item in batch {
            bytes.extend_from_slice(item.syslog(self.form).as_bytes());
            bytes.push(b'\n');
        }
        loop {
            let mut stream = match self.stream.take().filter(is_open) {
                Some(stream) => stream,
                None => self.dialer.connect().await?,
            };
            match stream.write_all(&bytes).await {
                Ok(()) => {
                    self.stream = Some(stream);
                    return Ok(Taken { sent: batch.len() as u64, refused: 0 });
                }
                Err(error) => {
                    (self.dialer.notice)(&format!("{} broke off: {error}", self.dialer.name));
                }
            }
        }
    }

    /// Says that nothing more comes.
    pub(super) async fn finish(&mut self) {
        if let Some(stream) = &mut self.stream {
            // A peer that is gone has nothing to be told.
            let _ = stream.shutdown().await;
        }
    }
}

/// Whether the peer has not closed yet. What it says is of no interest.
fn is_open(stream: &TcpStream) -> bool {
    let mut heard = [0; 512];
    loop {
        match stream.try_read(&mut heard) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// Syslog over UDP, a datagram a message.
pub(super) struct Udp {
    address: String,
    form: SyslogForm,
    socket: Option<UdpSocket>,
}

impl Udp {
    pub(super) fn new(address: &str, form: SyslogForm) -> Self {
        Self { address: address.to_owned(), form, socket: None }
    }

    /// Sends a batch; what the system or a port that nobody listens on refuses is counted.
    pub(super) async fn send(&mut self, batch: &[Item]) -> Result<Taken, SendError> {
        let unreachable =
            |cause| SendError::Unreachable { target: format!("udp://{}", self.address), cause };
        let socket = match &mut self.socket {
            Some(socket) => socket,
            empty => empty.insert(open(&self.address).await.map_err(unreachable)?),
        };
        let mut taken = Taken::default();
        for item in batch {
            match socket.send(item.syslog(self.form).as_bytes()).await {
                Ok(_) => taken.sent += 1,
                Err(_) => taken.refused += 1,
            }
        }
        Ok(taken)
    }
}

async fn open(address: &str) -> io::Result<UdpSocket> {
    let peer = lookup_host(address).await?.next();
    let peer = peer.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such host"))?;
    let local: SocketAddr = match peer {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(peer).await?;
    Ok(socket)
}
