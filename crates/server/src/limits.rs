//! Every limit of the HTTP side, by name and with its unit. What an ingest body may hold is
//! configuration (`collect.ingest`).

use std::time::Duration;

/// Connections served at the same time; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 512;
/// A request's head must be complete within this time.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head (line and headers).
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A client that sends a body is given up after so long without a byte of it.
pub const BODY_IDLE_MAX: Duration = Duration::from_secs(10);
/// A client that takes nothing of an answer or a stream is given up after so long.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Requests worked on at the same time, streams and ingest apart; further ones are refused.
pub const REQUESTS_MAX: usize = 128;
/// A request is answered within this time.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// A search stops after this time with what it has.
pub const SEARCH_TIME_MAX: Duration = Duration::from_secs(10);
/// Streams of live messages open at the same time.
pub const STREAMS_MAX: usize = 64;
/// Messages a stream's reader may be behind before it misses some.
pub const STREAM_BACKLOG_MAX: usize = 256;
/// Time between two ticks of a stream.
pub const TICK_EVERY: Duration = Duration::from_secs(1);
/// Ingest requests worked on at the same time; further ones are told to come back.
pub const INGEST_REQUESTS_MAX: usize = 64;
/// Memory that bodies of ingest requests may take together as they arrive, KiB; one body may go
/// beyond it, further ones wait.
pub const INGEST_MEMORY_KIB_MAX: u32 = 128 * 1024;
/// Memory that a body takes at first, bytes; then it doubles.
pub const BODY_BYTES_FIRST: usize = 64 * 1024;
/// How long an ingest request waits for memory before it is told to come back.
pub const INGEST_WAIT_MAX: Duration = Duration::from_secs(10);
/// What is still read of a body that is too large, so that the sender gets to see the answer,
/// bytes.
pub const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For how long it is read.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(3);
/// A client that is refused for now is asked to wait this long, seconds.
pub const RETRY_AFTER_S: u32 = 2;
/// How long an overview is given again before it is computed anew.
pub const OVERVIEW_CACHE_TIME: Duration = Duration::from_secs(1);
/// How long a status is.
pub const STATUS_CACHE_TIME: Duration = Duration::from_millis(200);
/// Time that open requests get to finish when the server stops.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// Alerts of one page.
pub const ALERTS_MAX: usize = 1000;
/// Silent sources that the status names.
pub const SILENT_LISTED_MAX: usize = 20;
/// Exports that are written at the same time.
pub const EXPORTS_MAX: usize = 4;
/// Columns that an export may be asked for.
pub const EXPORT_FIELDS_MAX: usize = 500;
/// Events of one page.
pub const EVENTS_MAX: usize = 1000;
/// Rows of a page when the request does not say.
pub const PAGE_DEFAULT: usize = 50;
/// Bytes of a query (`q`).
pub const QUERY_BYTES_MAX: usize = 8192;
/// How far back a zstd body may look, as a power of two of bytes: what it takes to unpack it.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Calls of one HTTP/2 connection at the same time.
pub const HTTP2_STREAMS_MAX: u32 = 64;
/// Bytes of the headers of a call.
pub const HTTP2_HEAD_BYTES_MAX: u32 = 16 * 1024;
/// Calls that a client may take back before they are looked at; then its connection ends.
pub const HTTP2_RESETS_MAX: usize = 32;
/// A quiet HTTP/2 connection is asked so often whether it is still there.
pub const HTTP2_ASK_EVERY: Duration = Duration::from_secs(60);
/// Bytes of a change of alerts.
pub const TRIAGE_BODY_BYTES_MAX: usize = 64 * 1024;
/// Changes of many alerts that can still be taken back.
pub const UNDOS_MAX: usize = 16;
/// Alerts of one such change; a larger one cannot be taken back at once.
pub const UNDO_ALERTS_MAX: usize = 100_000;
/// For how long it can be.
pub const UNDO_TIME_MAX: Duration = Duration::from_secs(600);
