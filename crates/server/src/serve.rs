//! Listens, and gives each connection its task.
//!
//! Every connection has limits on its head's size and time; there are at most
//! [`CONNECTIONS_MAX`] at the same time. On shutdown nothing new is accepted, streams end at
//! once, other requests get [`STOP_TIME_MAX`] to finish, and what is left then is dropped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use sha2::{Digest, Sha256};
use tocsin_collect::tls::{TlsError, server_config};
use tocsin_collect::{Senders, TlsConfig};
use tocsin_engine::Handle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::{App, router};
use crate::guard::Hosts;
use crate::limits::{
    CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HTTP2_ASK_EVERY, HTTP2_HEAD_BYTES_MAX,
    HTTP2_RESETS_MAX, HTTP2_STREAMS_MAX, STOP_TIME_MAX,
};
use crate::origin::Peer;
use crate::patient::Patient;
use crate::senders;

/// Pause after the system refused a connection (too many open files), so that the loop does not
/// spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address in the configuration is not one.
    #[error(
        "server.listen: {listen:?} is not an address and port; write for example 127.0.0.1:7514"
    )]
    Address {
        /// As configured.
        listen: String,
    },
    /// Senders on other machines reach the address, and none has a token.
    #[error(
        "{key}: {address} can be reached from other machines; name the senders and their tokens in collect.senders, or use a loopback address"
    )]
    NeedsSenders {
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// A listener for senders cannot be opened.
    #[error("{key}: cannot listen on {address}: {cause}; choose another address")]
    Senders {
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// There is no certificate for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token of a sender cannot be had.
    #[error("collect.senders.{name}: {cause}")]
    Sender {
        /// The sender.
        name: String,
        /// Why.
        cause: String,
    },
    /// Somebody else listens there.
    #[error(
        "cannot listen for HTTP on {address}: the port is in use, perhaps by another Tocsin; stop that, or choose another port with server.listen or TOCSIN_SERVER_LISTEN"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system refuses.
    #[error(
        "cannot listen for HTTP on {address}: {cause}; choose another address with server.listen or TOCSIN_SERVER_LISTEN"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        cause: std::io::Error,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    more: Vec<(&'static str, SocketAddr)>,
    open: bool,
    task: JoinHandle<()>,
}

impl Server {
    /// Where it listens; the port is the real one when the configuration asked for any (0).
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether other machines reach it, so that it speaks TLS and wants accounts.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Where it listens for senders beside that: what for, and the address.
    pub fn listening(&self) -> &[(&'static str, SocketAddr)] {
        &self.more
    }

    /// Waits until it has stopped, which it does after its shutdown token was cancelled.
    pub async fn join(self) {
        // A panic of the accept loop is in the log already.
        let _ = self.task.await;
    }
}

/// Starts the server on `server.listen` and returns once it listens; it runs until `shutdown` is
/// cancelled.
///
/// # Errors
/// When an address cannot be listened on, or is open to senders without tokens, or a token or
/// certificate cannot be had.
pub async fn serve(handle: Handle, shutdown: CancellationToken) -> Result<Server, Error> {
    let listener = bind(&handle.config.server.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|cause| Error::Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), cause })?;
    let hosts = Hosts::new(Some(address), &handle.config.server.allowed_hosts);
    let senders = Senders::new(&handle.config.collect.senders).map_err(|mut faults| {
        let (name, cause) = faults.remove(0);
        Error::Sender { name, cause }
    })?;
    let open = !address.ip().to_canonical().is_loopback();
    let wire = page_wire(&handle, open)?;
    let app = Arc::new(App::new(handle, senders, open, shutdown.clone()));
    let hub = app.hub.clone().run(shutdown.clone());
    let own = senders::open(&app, hosts.clone()).await?;
    let more = own.iter().map(|door| (door.what, door.address)).collect();
    let routes = router(app, hosts);
    let task = tokio::spawn(async move {
        let own = own
            .into_iter()
            .map(|door| accept(door.listener, door.routes, door.wire, shutdown.clone()));
        let own = futures::future::join_all(own);
        let page = accept(listener, routes, wire, shutdown.clone());
        tokio::join!(hub, page, own);
    });
    Ok(Server { address, more, open, task })
}

/// What other machines reach is spoken with TLS: passwords go over it.
fn page_wire(handle: &Handle, open: bool) -> Result<Wire, Error> {
    if !open {
        return Ok(Wire::default());
    }
    let config = &handle.config;
    // Certificates of senders are not asked of people.
    let tls = TlsConfig { client_ca_file: None, ..config.collect.tls.clone() };
    let dir = config.server.data_dir.join("tls");
    let server = server_config(&tls, &dir, &["http/1.1"])?;
    let file = tls.certificate_file.unwrap_or_else(|| dir.join("certificate.pem"));
    if let Some(print) = fingerprint(&std::fs::read_to_string(&file).unwrap_or_default()) {
        tracing::info!("certificate of the page: {}, SHA-256 {print}", file.display());
    }
    Ok(Wire { tls: Some(TlsAcceptor::from(server)), http2: false })
}

/// SHA-256 of the first certificate of a PEM file, as browsers show it.
fn fingerprint(pem: &str) -> Option<String> {
    let inside = pem.split_once("-----BEGIN CERTIFICATE-----")?.1;
    let text: String = inside.split_once("-----END")?.0.split_whitespace().collect();
    let bytes = STANDARD.decode(text).ok()?;
    let parts: Vec<String> =
        Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02X}")).collect();
    Some(parts.join(":"))
}

/// The address that `server.listen` means.
///
/// # Errors
/// When it is none.
pub fn listen_address(listen: &str) -> Result<SocketAddr, Error> {
    let wrong = || Error::Address { listen: listen.to_owned() };
    match listen.strip_prefix("localhost:") {
        Some(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port.parse().map_err(|_| wrong())?))),
        None => listen.parse().map_err(|_| wrong()),
    }
}

async fn bind(listen: &str) -> Result<TcpListener, Error> {
    let address = listen_address(listen)?;
    TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AddrInUse => Error::InUse { address },
        _ => Error::Listen { address, cause },
    })
}

/// How connections of a listener are spoken.
#[derive(Clone, Default)]
pub struct Wire {
    /// With TLS.
    pub tls: Option<TlsAcceptor>,
    /// HTTP/2, as gRPC needs it, in place of HTTP/1.
    pub http2: bool,
}

async fn accept(listener: TcpListener, routes: Router, wire: Wire, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let cut = CancellationToken::new();
    loop {
        let slot = tokio::select! {
            () = shutdown.cancelled() => break,
            slot = slots.clone().acquire_owned() => slot,
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small answers must not wait for more; when it fails they are only slower.
                let _ = stream.set_nodelay(true);
                let (routes, wire) = (routes.clone(), wire.clone());
                let speaking = speak(stream, peer, routes, wire, graceful.watcher());
                let watched = cut.clone().run_until_cancelled_owned(speaking);
                tokio::spawn(async move {
                    watched.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!("a connection was not accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(STOP_TIME_MAX, graceful.shutdown()).await.is_err() {
        tracing::debug!("some requests are cut off by the stop");
        cut.cancel();
    }
}

/// Serves one connection to its end. Broken connections are the client's business.
async fn speak(stream: TcpStream, peer: SocketAddr, routes: Router, wire: Wire, watcher: Watcher) {
    match &wire.tls {
        None => spoken(stream, peer, routes, wire.http2, watcher).await,
        Some(acceptor) => match timeout(HEAD_TIME_MAX, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => spoken(stream, peer, routes, wire.http2, watcher).await,
            Ok(Err(error)) => tracing::debug!(%peer, "no TLS with a sender: {error}"),
            Err(_) => tracing::debug!(%peer, "no TLS with a sender: it took too long"),
        },
    }
}

async fn spoken<S>(stream: S, peer: SocketAddr, routes: Router, http2: bool, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if http2 {
        let _ = watcher.watch(connection2(stream, peer, routes)).await;
    } else {
        let _ = watcher.watch(connection(stream, peer, routes)).await;
    }
}

/// What answers the requests of a connection.
fn service(
    peer: SocketAddr,
    routes: Router,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<Body>,
    Error = Infallible,
    Future: Send,
> {
    hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        routes.clone().oneshot(request)
    })
}

fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    routes: Router,
) -> http1::Connection<
    TokioIo<Patient<S>>,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = hyper::Response<Body>,
        Error = Infallible,
        Future: Send,
    >,
> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream)), service(peer, routes))
}

fn connection2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    routes: Router,
) -> http2::Connection<
    TokioIo<Patient<S>>,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = hyper::Response<Body>,
        Error = Infallible,
        Future: Send,
    >,
    TokioExecutor,
> {
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HTTP2_HEAD_BYTES_MAX)
        .max_pending_accept_reset_streams(Some(HTTP2_RESETS_MAX))
        .keep_alive_interval(Some(HTTP2_ASK_EVERY))
        .serve_connection(TokioIo::new(Patient::new(stream)), service(peer, routes))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;
    use crate::limits::WRITE_TIME_MAX;

    /// What one connection to a server with an endless answer at `/` becomes; time is virtual.
    fn open() -> (DuplexStream, JoinHandle<hyper::Result<()>>) {
        let endless = || async { Body::from_stream(stream::repeat(Ok::<_, Infallible>("tick "))) };
        let routes = Router::new().route("/", get(endless)).route("/well", get(async || "well"));
        let (client, server) = duplex(4096);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        (client, tokio::spawn(async move { connection(server, peer, routes).await }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stopped_reading_is_given_up() {
        let (mut client, ended) = open();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut some = [0; 1000];
        for _ in 0..100 {
            // Slow is not stopped.
            sleep(WRITE_TIME_MAX - Duration::from_secs(1)).await;
            client.read_exact(&mut some).await.unwrap();
            assert!(!ended.is_finished());
        }
        let start = Instant::now();
        assert!(ended.await.unwrap().is_err());
        let took = start.elapsed();
        assert!((WRITE_TIME_MAX..WRITE_TIME_MAX * 2).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_is_given_up() {
        let request = "GET /well HTTP/1.1\r\nHost: x\r\n\r\n";
        for sent in ["", "GET /", request] {
            let (mut client, ended) = open();
            client.write_all(sent.as_bytes()).await.unwrap();
            let start = Instant::now();
            // Whether it is an error or not, it is over.
            let _ = ended.await.unwrap();
            let took = start.elapsed();
            assert!(took <= HEAD_TIME_MAX + Duration::from_secs(1), "{sent:?}: {took:?}");
        }
    }
}
