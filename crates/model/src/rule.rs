//! [`RuleMeta`]: what people and later stages need to know of a rule; how it matches is the
//! business of `detect`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::severity::Severity;

/// The pack of alerts that Tocsin raises by itself: silence of a source, risk of an entity.
pub const OWN_PACK: &str = "tocsin";

/// A rule's descriptive part (Sigma metadata and Tocsin's own `tocsin:` keys).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RuleMeta {
    /// Sigma `id`; derived from pack, file and title when the rule has none.
    pub id: String,
    /// Sigma `name`, the identifier that correlations use.
    pub name: Option<String>,
    /// Sigma `title`: what people read (`rule.name` in ECS).
    pub title: String,
    /// Sigma `description`.
    pub description: String,
    /// Sigma `level`.
    pub severity: Severity,
    /// ATT&CK technique ids from `attack.tNNNN` tags, upper case (`T1110.001`).
    pub techniques: Vec<String>,
    /// ATT&CK tactics from tags, for example `credential-access`.
    pub tactics: Vec<String>,
    /// All Sigma `tags` as written.
    pub tags: Vec<String>,
    /// Sigma `falsepositives`.
    pub false_positives: Vec<String>,
    /// Sigma `references`.
    pub references: Vec<String>,
    /// Pack the rule is in, empty for loose files.
    pub pack: String,
    /// File it was read from.
    pub path: String,
    /// `tocsin.cooldown`: after an alert, matches of the same group within this time of the last
    /// one join it instead of raising another. `None` means the default.
    pub cooldown: Option<Duration>,
    /// `tocsin.reason`: sentence template with `{count}`, `{window}`, `{field.name}`.
    pub reason: Option<String>,
    /// `tocsin.group_by`: fields that tell one attack from another (default: source address, else
    /// user and host); of a correlation those of its group that do (default: all).
    pub group_by: Vec<String>,
    /// `tocsin.alert_as`: rules with the same word here and the same group values share one
    /// alert (two ways of seeing the same attack).
    pub alert_as: Option<String>,
    /// Whether it is a correlation.
    pub correlation: bool,
    /// `tocsin.block`: whether a match keeps somebody out, and whom. `None`: as the configuration
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
}

/// What a rule says about blocking (`tocsin.block`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Its alerts block nobody.
    Never,
    /// Its alerts block whom a field names.
    Whom {
        /// An address field (`source.ip`) or a user field (`user.name`).
        field: String,
        /// For how long; `None`: as the configuration says.
        lasts: Option<Duration>,
    },
}

impl Block {
    /// Fields with the address of somebody.
    pub const ADDRESS_FIELDS: [&str; 5] =
        ["source.ip", "destination.ip", "client.ip", "server.ip", "related.ip"];
    /// Fields with the name of somebody.
    pub const USER_FIELDS: [&str; 3] = ["user.name", "user.target.name", "user.effective.name"];
}
