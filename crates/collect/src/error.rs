//! [`Error`]: why collecting cannot start. Problems of a single file or connection are not
//! errors; they are shown by `Collector::watching` and counted in `Stats`.

use std::net::SocketAddr;

/// Why collecting cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener's address is taken or not ours.
    #[error("cannot listen for {what} on {address}: {cause}; {remedy}")]
    Listen {
        /// `syslog over UDP`, ….
        what: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        cause: std::io::Error,
        /// What to do about it.
        remedy: String,
    },
    /// A path pattern in the configuration is malformed.
    #[error("cannot use the path pattern {pattern:?}: {reason}")]
    Pattern {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal's disk.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// A background thread could not be started.
    #[error("cannot start a thread for {what}: {cause}")]
    Thread {
        /// What the thread is for.
        what: &'static str,
        /// The system's reason.
        cause: std::io::Error,
    },
}
