//! Findings → alerts: one attack is one alert.
//!
//! In: [`tocsin_model::Finding`]s in the order `detect` gives them. Out: what became of each
//! ([`Outcome`]) and the alerts that changed ([`Alerts::take_changed`]). Pure: no clock, no disk,
//! no network; the same findings give the same alerts with the same ids.

pub mod alerts;
pub mod allow;
mod carry;
pub mod config;
mod reason;
pub mod silence;

pub use alerts::{Alerts, Counters, Outcome, SnapshotError, draft};
pub use allow::AllowList;
pub use config::{AlertConfig, RiskConfig};
pub use silence::SilenceConfig;
