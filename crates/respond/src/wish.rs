//! What the responder is asked, and why it may say no.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tocsin_catalog::{CatalogError, Target};
use tocsin_model::rule::Block;
use tocsin_model::{Alert, Timestamp};

use crate::guard::Refusal;

/// Looks for reasons outside of this crate not to block an address: allow-lists, good logins.
/// Gets the address and when the attack began, and may block its thread.
pub type Protects = dyn Fn(IpAddr, Timestamp) -> Result<Option<Refusal>, String> + Send + Sync;

/// Says whether a user is on an allow-list, and which; may block its thread.
pub type SparesUser = dyn Fn(&str) -> Result<Option<Refusal>, String> + Send + Sync;

/// The first of [`crate::RespondConfig::routes`] whose condition an alert fits.
pub type Routes = dyn Fn(&Alert) -> Option<usize> + Send + Sync;

/// What the responder asks the rest of Tocsin.
#[derive(Clone)]
pub struct Surroundings {
    /// Why an address is not blocked.
    pub protects: Arc<Protects>,
    /// Why a user is not disabled.
    pub spares: Arc<SparesUser>,
    /// Which route an alert takes.
    pub routes: Arc<Routes>,
}

impl Surroundings {
    /// Nobody is protected and no route leads anywhere: for tests.
    pub fn none() -> Self {
        Self {
            protects: Arc::new(|_, _| Ok(None)),
            spares: Arc::new(|_| Ok(None)),
            routes: Arc::new(|_| None),
        }
    }
}

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
    pub target: Target,
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
    #[error("{target} is not blocked: {why}")]
    Refused {
        /// Whom.
        target: Target,
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

/// Whom a field of an alert names.
pub(crate) fn target(alert: &Alert, field: &str) -> Option<Target> {
    let text = alert.field_text(field)?;
    if Block::USER_FIELDS.contains(&field) {
        return Some(Target::User(text.trim().to_owned())).filter(|_| !text.trim().is_empty());
    }
    Some(canonical(&Target::Address(text.parse().ok()?)))
}

/// One way to write each address.
pub(crate) fn canonical(target: &Target) -> Target {
    match target {
        Target::Address(address) => Target::Address(address.to_canonical()),
        user @ Target::User(_) => user.clone(),
    }
}
