//! [`AlertConfig`]: the `alerts:` section of the configuration.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When findings become alerts and when they do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertConfig {
    /// Matches of the same rule and group within this time of the last one join the same alert,
    /// seconds. A rule's own `tocsin.cooldown` wins. Default 600.
    pub cooldown_seconds: u64,
    /// Addresses and networks that never alert, for example `["192.0.2.10", "10.0.0.0/8"]`.
    /// Compared with `source.ip` of the match. Default none.
    pub allow_list: Vec<String>,
    /// Ids or names of rules that never alert; correlations built on them still work. A switch on
    /// the page or by `tocsin rules` goes before it. Default none.
    pub disabled_rules: Vec<String>,
    /// The most alerts held open for joining; the least recently active ones are let go first
    /// (they stay stored, only later matches raise a new one). Default 100000.
    pub open_max: usize,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            cooldown_seconds: 600,
            allow_list: Vec::new(),
            disabled_rules: Vec::new(),
            open_max: 100_000,
        }
    }
}

impl AlertConfig {
    /// The default cooldown.
    pub fn cooldown(&self) -> Duration {
        Duration::from_secs(self.cooldown_seconds)
    }
}

/// The `risk:` section of the configuration: what alerts add up to, by whom they are about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RiskConfig {
    /// Whether an entity (address, user, host) whose risk reaches the threshold raises an alert.
    /// Default true.
    pub enabled: bool,
    /// The score that raises an alert; twice as much makes it critical. A low alert adds 5 points,
    /// a medium one 15, a high one 40, a critical one 80. Default 100.
    pub threshold: f64,
    /// Hours after which points are worth half. Default 24.
    pub half_life_hours: u32,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self { enabled: true, threshold: 100.0, half_life_hours: 24 }
    }
}

impl RiskConfig {
    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// What does not; begins with the key.
    pub fn check(&self) -> Result<(), String> {
        if !self.threshold.is_finite() || self.threshold < 1.0 {
            return Err("risk.threshold: a number of points, at least 1".to_owned());
        }
        if self.half_life_hours == 0 {
            return Err("risk.half_life_hours: at least 1".to_owned());
        }
        Ok(())
    }

    /// After how long points are worth half.
    pub fn half_life(&self) -> Duration {
        Duration::from_secs(u64::from(self.half_life_hours) * 3600)
    }
}
