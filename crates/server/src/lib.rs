//! The only crate that knows HTTP and wire JSON.
//!
//! In: a running engine's [`Handle`](tocsin_engine::Handle). Out: the API under `/api/v1` (with
//! its description at `/api/openapi.json` and `/docs`), `/metrics`, live messages, and the web
//! page. Events also come in as Elasticsearch, Splunk, Loki and OTLP take them, on listeners of
//! their own if configured. One file a resource. Never touches a stage except through the handle,
//! never holds up the pipeline, writes no file but rules saved on the page, and shows things on
//! loopback addresses only.

mod app;
mod senders;
mod serve;

// What every request passes.
mod accounts;
mod body;
mod error;
mod guard;
mod limit;
mod limits;
mod memory;
mod origin;
mod patient;
mod request_id;

// Reading and answering.
mod query;

// Resources.
mod alerts;
mod bans;
mod dashboards;
mod events;
mod exceptions;
mod history;
mod incidents;
mod ingest;
mod intel;
mod known;
mod metrics;
mod notices;
mod overview;
mod rules;
mod searches;
mod sources;
mod status;
mod stream;
mod triage;
mod watch;

// What shippers speak.
mod elastic;
mod loki;
mod otlp;
mod splunk;

// Pages.
mod context;
mod docs;
mod page;

pub use app::document;
pub use guard::CONTENT_SECURITY_POLICY;
pub use serve::{Error, Server, listen_address, serve};
