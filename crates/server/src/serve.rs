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
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tocsin_engine::Handle;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::{App, router};
use crate::guard::Hosts;
use crate::ingest::Peer;
use crate::limits::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, STOP_TIME_MAX};
use crate::patient::Patient;

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
    /// The address can be reached from other machines.
    #[error(
        "server.listen: {address} can be reached from other machines, and there are no accounts yet; use 127.0.0.1:{port} and a tunnel (ssh -L {port}:127.0.0.1:{port})",
        port = address.port()
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
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
    task: JoinHandle<()>,
}

impl Server {
    /// Where it listens; the port is the real one when the configuration asked for any (0).
    pub fn addr(&self) -> SocketAddr {
        self.address
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
/// When the address is not a loopback address or cannot be listened on.
pub async fn serve(handle: Handle, shutdown: CancellationToken) -> Result<Server, Error> {
    let listener = bind(&handle.config.server.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|cause| Error::Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), cause })?;
    let hosts = Hosts::new(Some(address), &handle.config.server.allowed_hosts);
    let app = Arc::new(App::new(handle, shutdown.clone()));
    let hub = app.hub.clone().run(shutdown.clone());
    let routes = router(app, hosts);
    let task = tokio::spawn(async move {
        tokio::join!(hub, accept(listener, routes, shutdown));
    });
    Ok(Server { address, task })
}

/// The address that `server.listen` means.
///
/// # Errors
/// When it is none, or not a loopback address.
pub fn listen_address(listen: &str) -> Result<SocketAddr, Error> {
    let wrong = || Error::Address { listen: listen.to_owned() };
    let address = match listen.strip_prefix("localhost:") {
        Some(port) => SocketAddr::from(([127, 0, 0, 1], port.parse().map_err(|_| wrong())?)),
        None => listen.parse().map_err(|_| wrong())?,
    };
    if !address.ip().to_canonical().is_loopback() {
        return Err(Error::NotLoopback { address });
    }
    Ok(address)
}

async fn bind(listen: &str) -> Result<TcpListener, Error> {
    let address = listen_address(listen)?;
    TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AddrInUse => Error::InUse { address },
        _ => Error::Listen { address, cause },
    })
}

async fn accept(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
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
                let connection = connection(stream, peer, routes.clone());
                let watched = cut.clone().run_until_cancelled_owned(graceful.watch(connection));
                tokio::spawn(async move {
                    // Broken connections are the client's business.
                    let _ = watched.await;
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
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        routes.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream)), service)
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
