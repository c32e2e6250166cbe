//! [`Watch`]: what Tocsin notices by itself: sources that fall silent, and entities whose alerts
//! add up.
//!
//! In: events as they are detected, alerts as they are saved, the clock. Out: findings of its own
//! rules, which become alerts like any other; alerts about silence closed when it ends. What it
//! knows is in the catalog. Never stops the pipeline: what the catalog or the store refuse is
//! logged and tried again.

mod risk;
mod silence;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_alert::{RiskConfig, SilenceConfig};
use tocsin_catalog::Catalog;
use tocsin_detect::RuleSet;
use tocsin_model::rule::OWN_PACK;
use tocsin_model::{Alert, Event, Finding, RuleMeta, Severity, Timestamp};
use tocsin_store::EventStore;
use tokio::sync::broadcast;

use crate::config::Config;
use crate::handle::Live;

pub use risk::{EntityKind, RISK_RULE, Risk, RiskPart, risk_of, risks};
pub use silence::{SILENCE_RULE, Sending, forget, sending};
pub use tocsin_alert::silence::Condition;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what is known is saved.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What is watched.
pub struct Watch {
    silence: silence::Silence,
    risk: risk::Watched,
    catalog: Arc<Catalog>,
    looked: Instant,
    saved: Instant,
}

impl Watch {
    /// With what the catalog knows.
    pub fn new(
        config: &Config,
        catalog: Arc<Catalog>,
        store: Arc<dyn EventStore>,
        rules: Arc<RuleSet>,
        live: broadcast::Sender<Live>,
    ) -> Self {
        Self::of(config.silence.clone(), config.risk.clone(), catalog, store, rules, live)
    }

    fn of(
        silence: SilenceConfig,
        risk: RiskConfig,
        catalog: Arc<Catalog>,
        store: Arc<dyn EventStore>,
        rules: Arc<RuleSet>,
        live: broadcast::Sender<Live>,
    ) -> Self {
        let now = Instant::now();
        Self {
            silence: silence::Silence::open(silence, catalog.clone(), store, rules, live),
            risk: risk::Watched::new(risk),
            catalog,
            looked: now,
            saved: now,
        }
    }

    /// Takes other rules, for what silence makes blind.
    pub(crate) fn replace_rules(&mut self, rules: Arc<RuleSet>) {
        self.silence.rules = rules;
    }

    /// The longest time after which something joins one of its alerts.
    pub(crate) fn longest_cooldown(&self) -> Duration {
        self.risk.config.half_life()
    }

    /// Takes note of an event; one from before Tocsin watched tells nothing of now.
    pub(crate) fn heard(&mut self, event: &Event, historical: bool) {
        if !historical {
            self.silence.heard(event);
        }
    }

    /// Takes note of alerts that were saved.
    pub(crate) fn saved(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            self.silence.saved(alert);
            self.risk.saved(alert);
        }
    }

    /// What is to be told by now goes to `findings`; whether there is any.
    pub(crate) fn look(&mut self, now: Timestamp, findings: &mut Vec<Finding>) -> bool {
        let before = findings.len();
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.silence.look(now, findings);
            self.risk.look(&self.catalog, now, findings);
        }
        if self.saved.elapsed() >= SAVE_EVERY {
            self.saved = Instant::now();
            self.silence.forget();
            self.save();
            self.risk.forget(&self.catalog, now);
        }
        findings.len() > before
    }

    /// Saves what is known.
    pub(crate) fn save(&mut self) {
        self.silence.save();
    }
}

/// A rule of Tocsin's own, whose sentence is said as it is.
fn own_rule(
    id: &str,
    title: &str,
    description: &str,
    severity: Severity,
    reason: &str,
) -> RuleMeta {
    RuleMeta {
        id: id.to_owned(),
        name: Some(id.replace('-', "_")),
        title: title.to_owned(),
        description: description.to_owned(),
        severity,
        pack: OWN_PACK.to_owned(),
        reason: Some(reason.replace('{', "{{")),
        ..RuleMeta::default()
    }
}

#[cfg(test)]
mod tests;
