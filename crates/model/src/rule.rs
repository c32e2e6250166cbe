//! [`RuleMeta`]: what people and later stages need to know of a rule; how it matches is the
//! business of `detect`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::severity::Severity;

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
}
