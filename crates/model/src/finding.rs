//! [`Finding`]: a rule matched these events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventId};
use crate::rule::RuleMeta;
use crate::time::Timestamp;

/// The most contributing events a finding names; later ones are only counted.
pub const CONTRIBUTIONS_MAX: usize = 64;

/// A rule matched. Not yet an alert: no deduplication has happened.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<RuleMeta>,
    /// Time of the event that completed the match (for window-end decisions: the window's end).
    pub time: Timestamp,
    /// Correlations: group-by field (or alias) and value as text, in the rule's order. Empty for
    /// plain rules.
    pub group: Vec<(String, String)>,
    /// The event that completed the match, whole.
    pub event: Event,
    /// Events that contributed, oldest first, at most [`CONTRIBUTIONS_MAX`].
    pub contributions: Vec<Contribution>,
    /// What was counted: events, distinct values, sum, …; 1 for plain rules.
    pub count: f64,
    /// How many events contributed in all.
    pub event_count: u64,
    /// First and last time of the window, for correlations.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Which selections and values matched, in the completing event.
    pub matches: Vec<MatchSpan>,
}

/// One contributing event, small enough to keep many of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The event (32 hexadecimal digits in JSON).
    #[serde(with = "event_id_text")]
    pub event_id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// Id of the rule that it matched.
    pub rule_id: Arc<str>,
    /// The raw line, cut at [`CONTRIBUTION_LINE_BYTES_MAX`].
    pub line: Arc<str>,
}

/// The most bytes of a raw line that a contribution keeps.
pub const CONTRIBUTION_LINE_BYTES_MAX: usize = 2048;

/// A value of the event that satisfied part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchSpan {
    /// Search identifier of the rule (`selection`).
    pub selection: String,
    /// Field of the event; empty for keyword matches in the raw line.
    pub field: String,
    /// The whole value.
    pub value: String,
    /// Matched part, byte offsets into `value`, start included, end not.
    pub start: u32,
    /// End of the matched part.
    pub end: u32,
}

mod event_id_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::EventId;

    pub fn serialize<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventId, D::Error> {
        let text = String::deserialize(deserializer)?;
        EventId::parse(&text).ok_or_else(|| serde::de::Error::custom("not an event id"))
    }
}
