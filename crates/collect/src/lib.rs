//! Collect: bytes from outside become [`tocsin_model::Record`]s.
//!
//! In: files that grow, syslog, GELF, Lumberjack and Fluent over the network, journald, stdin,
//! and batches that the HTTP server hands over. Out: [`Batch`]es on one bounded channel, each with the [`Checkpoint`]s that
//! say how far its streams were read. Inputs that can be read again (files, journald) resume from
//! a checkpoint; those that cannot (network, stdin) go through the [`Journal`] first.
//!
//! Never parses a record, never changes its bytes beyond the line end, and never drops one
//! without counting it by reason in [`Stats`].

pub mod batch;
pub mod collector;
pub mod config;
pub mod discover;
pub mod error;
pub mod faults;
pub mod frame;
pub mod ingest;
pub mod journal;
pub mod lines;
mod multiline;
pub mod senders;
pub mod stats;
pub mod tls;
pub mod wire;

mod files;
mod journald;
mod network;
mod stdin;
mod syslog;

pub use batch::{Batch, Checkpoint, Checkpoints, Pace, Sender};
pub use collector::{Collector, Watched};
pub use config::{
    CollectConfig, FileInput, FluentConfig, GelfConfig, HttpConfig, IngestLimits, JournalLimits,
    JournaldConfig, JournaldMode, Limits, LumberjackConfig, OtlpConfig, Start, SyslogConfig,
    TlsConfig,
};
pub use discover::{Discovered, discover};
pub use error::Error;
pub use faults::faults;
pub use files::check_pattern;
pub use ingest::{IngestBody, IngestEntry, KnownFormat, Refused, Warning, decode_ingest};
pub use journal::{Journal, JournalEntry, JournalError};
pub use lines::{Line, LineSplitter, read_lines};
pub use senders::{KnownSender, SenderConfig, Senders, Token};
pub use stats::{DropReason, Dropped, InputSnapshot, InputStats, Stats};

use std::sync::Arc;

use tocsin_model::Timestamp;
use tokio_util::sync::CancellationToken;

/// Number of entries, their bytes, and when the newest arrived.
fn tally(entries: &[JournalEntry]) -> (u64, u64, Timestamp) {
    let bytes = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
    let last = entries.iter().map(|entry| entry.received).max().unwrap_or_default();
    (entries.len() as u64, bytes, last)
}

/// Shows a problem of an input, or that it is solved; says so in the log when that is news.
fn tell(stats: &InputStats, input: &str, problem: Option<String>) {
    let solved = problem.is_none();
    let text = problem.clone().unwrap_or_default();
    if stats.set_problem(problem) {
        match solved {
            true => tracing::info!(input, "solved, going on"),
            false => tracing::warn!(input, "{text}"),
        }
    }
}

/// Writes entries of a sender that can wait to the journal, and counts them once they are safe;
/// whether they are.
async fn accept(
    journal: &Arc<Journal>,
    entries: Vec<JournalEntry>,
    stats: &InputStats,
    shutdown: &CancellationToken,
) -> bool {
    let Some(input) = entries.first().map(|entry| entry.input.clone()) else { return true };
    let (count, bytes, last) = tally(&entries);
    let waiting =
        |error: &JournalError| tell(stats, &input, Some(format!("senders must wait: {error}")));
    match journal.append_waiting(entries, shutdown, waiting).await {
        Ok(()) => {
            stats.received(count, bytes, last);
            tell(stats, &input, None);
            true
        }
        Err(error) => {
            tracing::warn!(%input, count, "dropped: {error}");
            stats.dropped(DropReason::JournalFull, count);
            false
        }
    }
}
