//! Response: Alert → an address is blocked or a user disabled, for a while.
//!
//! In: alerts that were raised, wishes of people. Out: bans, first in the catalog, then in a
//! firewall, lifted on time whatever happens to this process. Never blocks what the guard rails
//! protect, and by default blocks nothing at all: it says what it would have blocked.

mod config;
mod firewall;
mod guard;
mod network;
mod responder;
mod user;
mod webhook;
mod wish;

pub use config::{BanRoute, FirewallKind, Mode, RespondConfig, WebhookConfig};
pub use firewall::{Firewall, FirewallError};
pub use guard::{Guard, Refusal};
pub use network::Network;
pub use responder::Responder;
pub use wish::{More, Protects, RespondError, Routes, SparesUser, Surroundings, Wish};
