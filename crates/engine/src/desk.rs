//! [`Desk`]: what people do with alerts, on a data directory that may be in use: for the command
//! line.
//!
//! In: queries and changes. Out: alerts, incidents, noise, risk, sources. Changes are in the
//! catalog at once; pages that are open show them when they ask again.

use std::path::Path;
use std::time::{Duration, SystemTime};

pub use tocsin_catalog::{Activity, AlertChange, AlertPage, AlertQuery, Incident, Noise};
use tocsin_catalog::{Catalog, Result};
pub use tocsin_catalog::{CatalogError, TimelineLine};
use tocsin_model::{Alert, AlertStatus, Timestamp};

use crate::config::Config;
use crate::watch::{self, EntityKind, Risk, Sending};

/// Alerts of a data directory.
pub struct Desk<'a> {
    catalog: Catalog,
    config: &'a Config,
}

impl<'a> Desk<'a> {
    /// Those of the data directory that `config` names.
    ///
    /// # Errors
    /// When there is no catalog that can be used.
    pub fn open(config: &'a Config) -> Result<Self> {
        Self::open_dir(config, &config.server.data_dir)
    }

    fn open_dir(config: &'a Config, dir: &Path) -> Result<Self> {
        Ok(Self { catalog: Catalog::open(dir)?, config })
    }

    /// A page of alerts.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn alerts(&self, query: &AlertQuery) -> Result<AlertPage> {
        self.catalog.alerts(query)
    }

    /// The alert whose id begins so, when there is just one, with what people did to it.
    ///
    /// # Errors
    /// When there is none or several, or the catalog cannot be read.
    pub fn alert(&self, id: &str) -> Result<(Alert, Vec<Activity>)> {
        let id = self.catalog.alert_id(id)?;
        let unknown = || CatalogError::BadRequest(format!("no alert has the id {id}"));
        let alert = self.catalog.alert(&id)?.ok_or_else(unknown)?;
        let activity = self.catalog.activity(&id)?;
        Ok((alert, activity))
    }

    /// Changes an alert; its id may be cut short as of [`Desk::alert`].
    ///
    /// # Errors
    /// When there is no such alert, or the change makes no sense.
    pub fn change(&self, id: &str, change: &AlertChange, who: &str) -> Result<Alert> {
        let id = self.catalog.alert_id(id)?;
        let changed = self.catalog.change_alert(&id, change, who, None)?;
        changed.ok_or_else(|| CatalogError::BadRequest(format!("no alert has the id {id}")))
    }

    /// Incidents, the one seen last first, and how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn incidents(&self, open: bool, limit: usize) -> Result<(Vec<Incident>, u64)> {
        let states = [AlertStatus::New, AlertStatus::Acknowledged];
        let status_in = if open { states.to_vec() } else { Vec::new() };
        let query = AlertQuery { status_in, ..AlertQuery::default() };
        self.catalog.incidents(&query, 0, limit)
    }

    /// An incident with its timeline; `None` when there is none with this number.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn incident(&self, number: u64) -> Result<Option<(Incident, Vec<TimelineLine>)>> {
        let Some(incident) = self.catalog.incident(number)? else { return Ok(None) };
        Ok(Some((incident, self.catalog.timeline(number)?)))
    }

    /// How noisy rules were in the last `days`.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn noise(&self, days: u32) -> Result<Vec<Noise>> {
        self.catalog.noise(now().minus(Duration::from_secs(86_400) * days))
    }

    /// Switches a rule on or off, by its id.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn switch_rule(&self, rule_id: &str, enabled: bool, who: &str) -> Result<()> {
        self.catalog.switch_rule(rule_id, Some(enabled), who)
    }

    /// Entities by their risk, and how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn risks(&self, kind: Option<EntityKind>, limit: usize) -> Result<(Vec<Risk>, u64)> {
        watch::risks(&self.catalog, &self.config.risk, kind, now(), limit)
    }

    /// The risk of one entity with what it is made of.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn risk(&self, kind: EntityKind, entity: &str) -> Result<Option<Risk>> {
        watch::risk_of(&self.catalog, &self.config.risk, kind, entity, now())
    }

    /// Sources that send, and those that should.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn sources(&self) -> Result<Vec<Sending>> {
        watch::sending(&self.catalog)
    }

    /// Asks for a source to be forgotten; how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn forget(&self, dataset: &str, host: &str) -> Result<u64> {
        watch::forget(&self.catalog, dataset, host)
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
