//! Collect: bytes from outside become [`tocsin_model::Record`]s.
//!
//! In: files that grow, syslog over UDP and TCP, journald, stdin, and batches that the HTTP
//! server hands over. Out: [`Batch`]es on one bounded channel, each with the [`Checkpoint`]s that
//! say how far its streams were read. Inputs that can be read again (files, journald) resume from
//! a checkpoint; those that cannot (UDP, TCP, HTTP, stdin) go through the [`Journal`] first.
//!
//! Never parses a record, never changes its bytes beyond the line end, and never drops one
//! without counting it by reason in [`Stats`].

pub mod batch;
pub mod collector;
pub mod config;
pub mod discover;
pub mod error;
pub mod frame;
pub mod ingest;
pub mod journal;
pub mod lines;
pub mod stats;

pub use batch::{Batch, Checkpoint, Checkpoints, Sender};
pub use collector::{Collector, Watched};
pub use config::{
    CollectConfig, FileInput, IngestLimits, JournalLimits, JournaldConfig, JournaldMode, Limits,
    Start, SyslogConfig,
};
pub use discover::{Discovered, discover};
pub use error::Error;
pub use ingest::{IngestBody, IngestEntry, Refused, decode_ingest};
pub use journal::{Journal, JournalEntry, JournalError};
pub use lines::{Line, LineSplitter, read_lines};
pub use stats::{DropReason, InputSnapshot, InputStats, Stats};
