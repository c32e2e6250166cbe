//! [`Record`]: bytes as they came from outside, with where they came from.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::Timestamp;

/// Where a record sits in a stream that can be read again (a file, the journal).
///
/// The pair (`stream`, `offset`) never repeats, so event ids are derived from it. Within a stream
/// offsets grow in the order in which records come, also after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Identity of the stream: a hash of the input's name and what makes its content distinct
    /// (for a file device, inode and generation).
    pub stream: u64,
    /// Where the record starts, bytes from the start of the stream (for offline scans: line
    /// number, counted from 1).
    pub offset: u64,
    /// Where the next record starts; what a checkpoint stores once this record is safe.
    pub next: u64,
}

/// One log record as received: a line, a datagram, one element of a batch.
#[derive(Debug, Clone)]
pub struct Record {
    /// Name of the input as configured or found, for example `file:/var/log/auth.log`.
    pub input: Arc<str>,
    /// Position in the input's stream.
    pub position: Position,
    /// When Tocsin received it.
    pub received: Timestamp,
    /// The bytes without the line end. May be any bytes at all.
    pub bytes: Bytes,
    /// Name of the source definition to use (`openssh.sshd`) or a sender's hint (`auth`,
    /// `nginx`, `json`, …); `None` means find it by the bytes.
    pub hint: Option<Arc<str>>,
    /// Address of the sender, for network inputs.
    pub peer: Option<IpAddr>,
    /// Path of the file, for file inputs.
    pub path: Option<Arc<str>>,
}
