//! Alerts → notices → delivered.
//!
//! In: alerts that were raised or got worse, and the `notify:` section of the configuration. Out:
//! deliveries to channels, each once as far as a receiver allows: a notice waits in the durable
//! outbox until its channel has answered. Never holds anybody up: every channel has a worker of
//! its own.

mod backoff;
pub mod channel;
pub mod config;
pub mod error;
mod escalation;
mod limit;
mod notifier;
pub mod outbox;
mod route;
pub mod secret;
pub mod services;
pub mod template;
mod trial;
pub mod view;
pub mod worker;

pub use channel::tls_client;
pub use config::{ChannelConfig, NotifyConfig};
pub use error::NotifyError;
pub use notifier::Notifier;
pub use outbox::Outbox;
pub use services::Services;
pub use trial::{escalation_fault, faults, try_out};
pub use worker::ChannelStats;

/// Name of the channel that is always there: the alert log in the data directory.
pub const LOG_CHANNEL: &str = "log";
