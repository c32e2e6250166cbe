//! A local SMTP and HTTP receiver for trying channels out. In: whatever clients send to its two
//! ports. Out: the messages, in memory ([`Catcher::messages`], `GET /messages`) and as files.
//! Never relays anything.

pub mod caught;
pub mod http;
pub mod mime;
mod serve;
pub mod smtp;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use caught::{CatchBox, Caught, CaughtHttp, CaughtMail};

/// The largest mail or HTTP body taken, in bytes.
pub const CAUGHT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How a [`Catcher`] is set up. The default listens nowhere.
#[derive(Debug, Clone)]
pub struct CatchOptions {
    /// Where SMTP listens; port 0 picks a free one.
    pub smtp: Option<SocketAddr>,
    /// Where HTTP listens; port 0 picks a free one.
    pub http: Option<SocketAddr>,
    /// Where each message is written as a file.
    pub dir: Option<PathBuf>,
    /// HTTP status that requests are answered with.
    pub status: u16,
    /// Reply code that whole mails are answered with: 250, or 4xx/5xx to refuse them.
    pub mail_code: u16,
    /// The only user and password that may log in; `None` takes any login, and none.
    pub login: Option<(String, String)>,
    /// Certificate and key for TLS; STARTTLS is then offered.
    pub tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
    /// Begin with TLS instead of offering STARTTLS.
    pub tls_from_start: bool,
}

impl Default for CatchOptions {
    fn default() -> Self {
        Self {
            smtp: None,
            http: None,
            dir: None,
            status: 200,
            mail_code: 250,
            login: None,
            tls: None,
            tls_from_start: false,
        }
    }
}

impl CatchOptions {
    /// Both receivers on free loopback ports.
    pub fn on_free_ports() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { smtp: Some(any), http: Some(any), ..Self::default() }
    }
}

/// What connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: CatchOptions,
    pub(crate) caught: Arc<CatchBox>,
    pub(crate) status: AtomicU16,
    pub(crate) mail_code: AtomicU16,
}

/// A running receiver; stops when dropped.
#[derive(Debug)]
pub struct Catcher {
    shared: Arc<Shared>,
    smtp: Option<SocketAddr>,
    http: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Catcher {
    /// Binds the ports and starts receiving, on the current Tokio runtime. The error names the
    /// address that could not be had.
    pub async fn start(options: CatchOptions) -> io::Result<Self> {
        let caught = Arc::new(CatchBox::new(options.dir.clone())?);
        let shared = Arc::new(Shared {
            status: AtomicU16::new(options.status),
            mail_code: AtomicU16::new(options.mail_code),
            caught,
            options,
        });
        let mut catcher = Self { shared, smtp: None, http: None, tasks: Vec::new() };
        if let Some(address) = catcher.shared.options.smtp {
            let listener = bind(address).await?;
            catcher.smtp = Some(listener.local_addr()?);
            let serving = serve::smtp(listener, catcher.shared.clone());
            catcher.tasks.push(tokio::spawn(serving));
        }
        if let Some(address) = catcher.shared.options.http {
            let listener = bind(address).await?;
            catcher.http = Some(listener.local_addr()?);
            let serving = serve::http(listener, catcher.shared.clone());
            catcher.tasks.push(tokio::spawn(serving));
        }
        Ok(catcher)
    }

    /// Where SMTP listens.
    pub fn smtp_addr(&self) -> Option<SocketAddr> {
        self.smtp
    }

    /// Where HTTP listens.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The box with the messages.
    pub fn caught(&self) -> &Arc<CatchBox> {
        &self.shared.caught
    }

    /// All messages still in memory, oldest first.
    pub fn messages(&self) -> Vec<Caught> {
        self.shared.caught.all()
    }

    /// Caught mails, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        let mails = self.messages().into_iter().filter_map(|message| match message {
            Caught::Mail(mail) => Some(mail),
            Caught::Http(_) => None,
        });
        mails.collect()
    }

    /// Caught requests, oldest first.
    pub fn requests(&self) -> Vec<CaughtHttp> {
        let requests = self.messages().into_iter().filter_map(|message| match message {
            Caught::Http(request) => Some(request),
            Caught::Mail(_) => None,
        });
        requests.collect()
    }

    /// Answers requests with this HTTP status from now on.
    pub fn set_status(&self, status: u16) {
        self.shared.status.store(status, Ordering::Relaxed);
    }

    /// Answers mails with this SMTP code from now on.
    pub fn set_mail_code(&self, code: u16) {
        self.shared.mail_code.store(code, Ordering::Relaxed);
    }

    /// Waits until `enough` says so of the messages, at most `timeout`; whether it did.
    pub async fn wait_until(
        &self,
        timeout: Duration,
        mut enough: impl FnMut(&[Caught]) -> bool,
    ) -> bool {
        let mut changes = self.shared.caught.watch();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if enough(&self.messages()) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(timeout, waiting).await.is_ok()
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}
