//! What was caught: kept in memory for tests and `GET /messages`, and as files where asked.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value as Json, json};
use tocsin_model::Timestamp;
use tokio::sync::watch;

use super::http::HttpRequest;
use super::mime::ReadMail;
use super::smtp::Envelope;

/// How many messages stay in memory; older ones are forgotten (files stay).
pub const CAUGHT_KEPT_MAX: usize = 1000;

/// One caught mail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaughtMail {
    /// `mail-0001`, counted from 1.
    pub name: String,
    /// When it arrived.
    pub at: Timestamp,
    /// `MAIL FROM` address.
    pub from: String,
    /// `RCPT TO` addresses.
    pub to: Vec<String>,
    /// Name that logged in, if any.
    pub login: Option<String>,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// Decoded subject.
    pub subject: String,
    /// Decoded headers in order.
    pub headers: Vec<(String, String)>,
    /// Decoded text part.
    pub text: String,
    /// Decoded HTML part.
    pub html: String,
    /// The mail as it came.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl CaughtMail {
    /// The first header of that name, any case; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_str())
    }
}

/// One caught HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaughtHttp {
    /// `http-0001`, counted from 1.
    pub name: String,
    /// When it arrived.
    pub at: Timestamp,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, names as written.
    pub headers: Vec<(String, String)>,
    /// Body: JSON where it is JSON, else text.
    pub body: Json,
    /// Status it was answered with.
    pub status: u16,
    /// The body as it came.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl CaughtHttp {
    /// The first header of that name, any case; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_str())
    }
}

/// A caught message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Caught {
    /// By mail.
    Mail(CaughtMail),
    /// By HTTP.
    Http(CaughtHttp),
}

impl Caught {
    /// `mail-0001` or `http-0001`.
    pub fn name(&self) -> &str {
        match self {
            Self::Mail(mail) => &mail.name,
            Self::Http(request) => &request.name,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<Caught>,
    mails: u64,
    requests: u64,
}

/// Where caught messages go.
#[derive(Debug)]
pub struct CatchBox {
    dir: Option<PathBuf>,
    inner: Mutex<Inner>,
    total: watch::Sender<u64>,
}

impl CatchBox {
    /// An empty box; with `dir` (made if missing) each message is also written there, numbered
    /// on from what is there.
    pub fn new(dir: Option<PathBuf>) -> io::Result<Self> {
        let mut inner = Inner::default();
        if let Some(dir) = &dir {
            std::fs::create_dir_all(dir)?;
            inner.mails = highest(dir, "mail-", ".eml")?;
            inner.requests = highest(dir, "http-", ".json")?;
        }
        Ok(Self { dir, inner: Mutex::new(inner), total: watch::Sender::new(0) })
    }

    /// All that is still in memory, oldest first.
    pub fn all(&self) -> Vec<Caught> {
        self.lock().kept.iter().cloned().collect()
    }

    /// Forgets what is in memory; files stay.
    pub fn clear(&self) {
        self.lock().kept.clear();
    }

    /// Changes with every message.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.total.subscribe()
    }

    /// Keeps a mail; its name.
    pub fn add_mail(&self, envelope: Envelope) -> io::Result<String> {
        let read = ReadMail::read(&envelope.data);
        let mut inner = self.lock();
        let name = format!("mail-{:04}", inner.mails + 1);
        self.write(&format!("{name}.eml"), &envelope.data)?;
        inner.mails += 1;
        let mail = CaughtMail {
            name: name.clone(),
            at: now(),
            from: envelope.from,
            to: envelope.to,
            login: envelope.login,
            encrypted: envelope.encrypted,
            subject: read.header("subject").to_owned(),
            headers: read.headers,
            text: read.text,
            html: read.html,
            raw: envelope.data,
        };
        self.keep(&mut inner, Caught::Mail(mail));
        Ok(name)
    }

    /// Keeps a request; its name.
    pub fn add_http(&self, request: HttpRequest, status: u16) -> io::Result<String> {
        let body = serde_json::from_slice(&request.body)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&request.body)));
        let mut inner = self.lock();
        let name = format!("http-{:04}", inner.requests + 1);
        let caught = Caught::Http(CaughtHttp {
            name: name.clone(),
            at: now(),
            method: request.method,
            path: request.path,
            headers: request.headers,
            body,
            status,
            raw: request.body,
        });
        let mut file = serde_json::to_vec_pretty(&caught)?;
        file.push(b'\n');
        self.write(&format!("{name}.json"), &file)?;
        inner.requests += 1;
        self.keep(&mut inner, caught);
        Ok(name)
    }

    fn keep(&self, inner: &mut Inner, caught: Caught) {
        if inner.kept.len() >= CAUGHT_KEPT_MAX {
            inner.kept.pop_front();
        }
        inner.kept.push_back(caught);
        self.total.send_modify(|total| *total += 1);
    }

    /// Writes beside and renames, so that nobody sees half a file.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let unfinished = dir.join(format!(".{name}.part"));
        std::fs::write(&unfinished, bytes)?;
        std::fs::rename(&unfinished, dir.join(name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

fn highest(dir: &Path, prefix: &str, suffix: &str) -> io::Result<u64> {
    let mut highest = 0;
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(suffix));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            highest = highest.max(number);
        }
    }
    Ok(highest)
}
