//! Who may do what: accounts, sessions, tokens.
//!
//! In: requests. Out: the same requests with a name on them ([`Who`]), or refusals; entries of the
//! audit log. As long as there is no account and only this machine can reach the server, everybody
//! may do everything. Passwords, session ids and tokens are kept as hashes only and never logged.

pub mod door;
pub mod manage;
mod need;
pub mod oidc;
pub mod secrets;
pub mod session;
mod throttle;

use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tocsin_engine::Handle;
use tokio::sync::Semaphore;

use crate::error::ApiError;
use throttle::Throttle;

/// How long the token for the first account is good.
const SETUP_TIME_MAX: Duration = Duration::from_secs(3600);
/// File of that token, inside the data directory.
const SETUP_FILE: &str = "setup-token";
/// Passwords worked on at the same time: each takes memory on purpose.
const PASSWORDS_AT_ONCE: usize = 2;

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Works on alerts, rules, exceptions.
    Analyst,
    /// Makes accounts and tokens.
    Admin,
}

impl Role {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Viewer, Self::Analyst, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| format!("unknown role {word:?}, use viewer, analyst or admin"))
    }
}

/// What a token may do.
pub fn scope_role(scope: &str) -> Option<Role> {
    match scope {
        "read" => Some(Role::Viewer),
        "write" => Some(Role::Analyst),
        "admin" => Some(Role::Admin),
        // Only sends events.
        _ => None,
    }
}

/// Scopes that a token may have.
pub const SCOPES: [&str; 4] = ["read", "write", "admin", "ingest"];

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The account, or `token NAME`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Hash of the session, when it is one.
    pub session: Option<String>,
}

tokio::task_local! {
    static NAME: Option<String>;
}

/// The name of who sent the request that is being worked on; `said` where nobody signs in.
pub fn doer(said: Option<String>) -> Option<String> {
    NAME.try_with(Clone::clone).ok().flatten().or(said)
}

/// State of accounts in one server.
pub struct Accounts {
    /// Other machines reach the server.
    required: bool,
    any: AtomicBool,
    setup: Mutex<Option<(String, Instant)>>,
    setup_file: PathBuf,
    throttle: Throttle,
    oidc: Option<oidc::Oidc>,
    passwords: Semaphore,
    /// The server speaks TLS, so cookies may be kept to it.
    tls: bool,
    /// Told when somebody's rights end: sessions, users, tokens.
    changed: tokio::sync::watch::Sender<()>,
}

impl Accounts {
    /// Of an engine; without accounts a token for the first one is made.
    pub fn new(handle: &Handle, required: bool) -> Self {
        let any = handle.catalog.users().is_ok_and(|users| !users.is_empty());
        let accounts = Self {
            required,
            any: AtomicBool::new(any),
            setup: Mutex::new(None),
            setup_file: handle.config.server.data_dir.join(SETUP_FILE),
            throttle: Throttle::default(),
            oidc: oidc::Oidc::new(&handle.config.server.oidc),
            passwords: Semaphore::new(PASSWORDS_AT_ONCE),
            tls: required,
            changed: tokio::sync::watch::Sender::default(),
        };
        if !any && let Err(error) = accounts.offer_setup() {
            tracing::warn!("{}: {error}", accounts.setup_file.display());
        }
        accounts
    }

    /// Cuts what is open for long, so that whoever still may has to ask anew.
    fn cut_streams(&self) {
        self.changed.send_replace(());
    }

    /// Ends when somebody's rights have ended.
    pub fn rights_end(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changed = self.changed.subscribe();
        async move {
            let _ = changed.changed().await;
        }
    }

    /// Whether one has to sign in.
    pub fn active(&self) -> bool {
        self.required || self.any()
    }

    /// Whether there is an account.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Makes a token for the first account and writes it down for who may read the data directory.
    fn offer_setup(&self) -> std::io::Result<()> {
        let token =
            secrets::random().map_err(|error| std::io::Error::other(error.message().to_owned()))?;
        let _ = std::fs::remove_file(&self.setup_file);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.setup_file)?;
        writeln!(file, "{token}")?;
        let path = self.setup_file.display();
        if self.required {
            tracing::info!(
                "no account yet: make the first one on the page with the token {token} (also in {path}; good for an hour)"
            );
        } else {
            tracing::info!(
                "no accounts: everybody on this machine may do everything; {path} has the token to make the first one"
            );
        }
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = Some((token, Instant::now()));
        Ok(())
    }

    /// Whether a text is the token for the first account.
    fn setup_fits(&self, said: &str) -> Result<bool, ApiError> {
        let held = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((token, made)) = held.as_ref() else { return Ok(false) };
        if made.elapsed() > SETUP_TIME_MAX {
            return Err(ApiError::bad_request(
                "the token is older than an hour; start Tocsin again for another one",
            ));
        }
        Ok(secrets::hash(said.trim()) == secrets::hash(token))
    }

    /// The first account is there.
    fn begun(&self) {
        self.any.store(true, Ordering::Release);
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_file(&self.setup_file);
    }

    /// Name of the session's cookie.
    fn cookie(&self) -> &'static str {
        if self.tls { "__Host-tocsin" } else { "tocsin" }
    }
}
