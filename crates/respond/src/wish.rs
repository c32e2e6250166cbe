//! What the responder is asked, and why it may say no.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tocsin_catalog::CatalogError;
use tocsin_model::{Alert, Timestamp};

use crate::guard::Refusal;

/// Looks for reasons outside of this crate not to block an address: allow-lists, good logins.
/// Gets the address and when the attack began, and may block its thread.
pub type Protects = dyn Fn(IpAddr, Timestamp) -> Result<Option<Refusal>, String> + Send + Sync;

/// Alerts for [`Responder::run`].
#[derive(Debug, Clone)]
pub enum More {
    /// One was raised or changed.
    Alert(Arc<Alert>),
    /// Some may have been missed.
    Missed,
}

/// A ban that a person wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Whom.
    pub address: IpAddr,
    /// For how long; `None`: as a rule would.
    pub lasts: Option<Duration>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// The alert that it is about.
    pub alert_id: Option<String>,
    /// Block it although somebody logged in well from there.
    pub despite_login: bool,
}

/// Why a wish is not granted.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// A guard rail.
    #[error("{address} is not blocked: {why}")]
    Refused {
        /// Whom.
        address: IpAddr,
        /// Why not.
        why: Refusal,
    },
    /// Something about it makes no sense.
    #[error("{0}")]
    Bad(String),
    /// The firewall could not.
    #[error("{0}")]
    Firewall(String),
    /// The catalog refused.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
}
