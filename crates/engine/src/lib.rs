//! The wiring: the one place that knows every stage.
//!
//! ```text
//! collect ─► parse ─► enrich ─► detect ─► alert ─► notify
//!                           └───────────────────────► store
//! ```
//!
//! [`pipeline`] runs it live, [`offline`] over files; both use the same stages, so what a scan
//! finds is what the server would have found. [`Engine`] starts and stops it all. Knows nothing
//! of HTTP: the server gets a [`Handle`].

pub mod backtest;
pub mod backup;
pub mod bucket;
mod commit;
pub mod config;
pub mod content;
pub mod context;
pub mod cost;
pub mod dashboards;
pub mod desk;
pub mod doubt;
mod epoch;
mod escalate;
pub mod exceptions;
pub mod export;
mod fetch;
pub mod geoip;
pub mod handle;
pub mod intel;
mod memory;
pub mod merge;
pub mod offline;
mod pipeline;
mod rate;
pub mod reload;
pub mod respond;
mod retention;
mod room;
mod start;
pub mod troubles;
mod under_way;
mod unpack;
pub mod watch;

pub use config::Config;
pub use content::Content;
pub use handle::{Handle, Live};
pub use start::{Engine, StartError};
pub use tocsin_notify::tls_client;
