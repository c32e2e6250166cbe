//! An HTTP server that behaves as badly as it is told to.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::PATIENCE;

/// What a connection meets.
#[derive(Clone)]
pub enum Manner {
    /// These bytes, then the end.
    Say(Vec<u8>),
    /// The request itself, under status 500.
    Echo,
    /// These bytes, then silence.
    SayAndHang(Vec<u8>),
    /// These bytes once, then the others again and again.
    SayForEver(Vec<u8>, Vec<u8>),
    /// The end, without an answer.
    Close,
    /// A reset: the request is not even read.
    Reset,
}

/// `Say` with a status line and a body.
pub fn answer(status: &str, headers: &str, body: &str) -> Manner {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Manner::Say(text.into_bytes())
}

/// The server; ends when dropped.
pub struct RudeServer {
    pub address: SocketAddr,
    requests: Arc<watch::Sender<Vec<String>>>,
    task: AbortHandle,
}

impl RudeServer {
    /// The first connection meets the first manner, and so on; the last one stays.
    pub async fn start(manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(watch::Sender::new(Vec::new()));
        let seen = requests.clone();
        let serving = async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let manner = manners[number.min(manners.len() - 1)].clone();
                connections.spawn(serve(stream, manner, seen.clone()));
            }
        };
        let task = tokio::spawn(serving).abort_handle();
        Self { address, requests, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The requests so far, as text.
    pub fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// Waits until it was asked for something.
    pub async fn until_asked(&self) {
        let mut requests = self.requests.subscribe();
        let asked = requests.wait_for(|requests| !requests.is_empty());
        tokio::time::timeout(PATIENCE, asked).await.expect("asked in time").unwrap();
    }
}

impl Drop for RudeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, seen: Arc<watch::Sender<Vec<String>>>) {
    if matches!(manner, Manner::Reset) {
        // What is closed with bytes unread is reset.
        let _ = stream.readable().await;
        return;
    }
    let Some(request) = read_request(&mut stream).await else { return };
    seen.send_modify(|seen| seen.push(request.clone()));
    match manner {
        Manner::Say(bytes) => drop(stream.write_all(&bytes).await),
        Manner::Echo => {
            let Manner::Say(bytes) = answer("500 Oops", "", &format!("no: {request}")) else {
                return;
            };
            drop(stream.write_all(&bytes).await);
        }
        Manner::SayAndHang(bytes) => {
            drop(stream.write_all(&bytes).await);
            // Until the client goes.
            drop(stream.read(&mut [0]).await);
        }
        Manner::SayForEver(first, again) => {
            let mut said = stream.write_all(&first).await;
            while said.is_ok() {
                said = stream.write_all(&again).await;
            }
        }
        Manner::Close | Manner::Reset => {}
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if read == 0 {
            return None;
        }
    }
}
