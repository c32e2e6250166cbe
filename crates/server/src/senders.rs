//! Listeners for senders beside the page's: HTTP for other machines, and gRPC.
//!
//! In: their addresses in the configuration. Out: open listeners with what they answer. One that
//! other machines reach needs tokens; none shows anything of what Tocsin knows.

use std::net::SocketAddr;

use axum::Router;
use tocsin_collect::tls::server_config;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::app::{Shared, grpc_router, senders_router};
use crate::guard::Hosts;
use crate::serve::{Error, Wire};

/// One open listener.
pub struct Door {
    /// What it is for.
    pub what: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The socket.
    pub listener: TcpListener,
    /// What it answers.
    pub routes: Router,
    /// How it is spoken to.
    pub wire: Wire,
}

/// Opens those that are configured.
///
/// # Errors
/// When one cannot be opened, or is open to other machines without tokens.
pub async fn open(app: &Shared, hosts: Hosts) -> Result<Vec<Door>, Error> {
    let collect = &app.handle.config.collect;
    let mut doors = Vec::new();
    if let Some(address) = collect.http.listen {
        let hosts = app.senders.is_empty().then_some(hosts);
        let routes = senders_router(app.clone(), hosts);
        let key = "collect.http.listen";
        let wire = wire(app, collect.http.tls, false)?;
        doors.push(door(app, ("senders over HTTP", key), address, routes, wire).await?);
    }
    if let Some(address) = collect.otlp.grpc {
        let routes = grpc_router(app.clone());
        let wire = wire(app, collect.otlp.tls, true)?;
        doors
            .push(door(app, ("OTLP over gRPC", "collect.otlp.grpc"), address, routes, wire).await?);
    }
    Ok(doors)
}

fn wire(app: &Shared, tls: bool, http2: bool) -> Result<Wire, Error> {
    if !tls {
        return Ok(Wire { tls: None, http2 });
    }
    let config = &app.handle.config;
    let protocol = if http2 { "h2" } else { "http/1.1" };
    let dir = config.server.data_dir.join("tls");
    let server = server_config(&config.collect.tls, &dir, &[protocol])?;
    Ok(Wire { tls: Some(TlsAcceptor::from(server)), http2 })
}

async fn door(
    app: &Shared,
    (what, key): (&'static str, &'static str),
    address: SocketAddr,
    routes: Router,
    wire: Wire,
) -> Result<Door, Error> {
    if app.senders.is_empty() && !address.ip().to_canonical().is_loopback() {
        return Err(Error::NeedsSenders { key, address });
    }
    let listener = TcpListener::bind(address).await;
    let opened = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = opened.map_err(|cause| Error::Senders { key, address, cause })?;
    Ok(Door { what, address, listener, routes, wire })
}
