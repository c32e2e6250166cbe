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
    /// Ids or names of rules that never alert; correlations built on them still work. Default
    /// none.
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
