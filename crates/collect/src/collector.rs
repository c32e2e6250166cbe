//! [`Collector`]: starts every input and knows what is watched.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::batch::{Checkpoints, Sender};
use crate::config::CollectConfig;
use crate::error::Error;
use crate::journal::{Journal, JournalError};
use crate::stats::Stats;

/// One thing that is watched, for the message at start and the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Name of the input (`file:/var/log/auth.log`, `syslog:udp`).
    pub input: String,
    /// In words: a path, an address.
    pub what: String,
    /// The source or hint its lines are read with; `None`: found line by line.
    pub source: Option<String>,
    /// What is wrong, with the remedy.
    pub problem: Option<String>,
}

/// All inputs of a running Tocsin.
#[derive(Debug)]
pub struct Collector {
    _private: (),
}

impl Collector {
    /// Starts all inputs of `config`. They stop when `shutdown` is cancelled; then all clones of
    /// `sender` are dropped, so that the receiver ends.
    ///
    /// # Errors
    /// When a listener cannot be opened or a path pattern is malformed.
    pub async fn start(
        _config: CollectConfig,
        _resume: Checkpoints,
        _journal: Arc<Journal>,
        _sender: Sender,
        _stats: Arc<Stats>,
        _shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        Err(Error::Journal(JournalError::Closed))
    }

    /// What is watched now, with problems.
    pub fn watching(&self) -> Vec<Watched> {
        Vec::new()
    }

    /// The address that syslog over UDP listens on.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// The address that syslog over TCP listens on.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Waits until every input has stopped; call it after cancelling the shutdown token, while
    /// the receiver is still being emptied.
    pub async fn join(self) {}
}
