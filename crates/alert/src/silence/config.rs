//! [`SilenceConfig`]: which silence matters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Source;

/// The `silence:` section of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SilenceConfig {
    /// Whether a source that stops sending raises an alert. Default true.
    pub enabled: bool,
    /// Days that the rhythm of a source is learned before its silence alerts. Default 7.
    pub learn_days: u32,
    /// How many times as long as its longest usual pause a source may be silent. Default 3.
    pub factor: u32,
    /// No silence shorter than this alerts, seconds; at least 60. Default 900.
    pub seconds_min: u64,
    /// Sources that must send, whatever they did before. Default none.
    pub expect: Vec<Expected>,
    /// Sources whose silence does not matter: `dataset` or `dataset@host`, with `*` for anything
    /// (`nginx.*`, `*@laptop-*`). Default none.
    pub ignore: Vec<String>,
}

/// A source that must send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its `event.dataset`; `*` stands for anything.
    pub source: String,
    /// Its host; `*` stands for anything. Default `*`.
    #[serde(default = "any")]
    pub host: String,
    /// The longest silence, seconds. One that is named without `*` must begin to send within
    /// that time of Tocsin's start.
    pub seconds: u64,
}

fn any() -> String {
    "*".to_owned()
}

impl Default for SilenceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            learn_days: 7,
            factor: 3,
            seconds_min: 900,
            expect: Vec::new(),
            ignore: Vec::new(),
        }
    }
}

impl SilenceConfig {
    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// What does not; begins with the key.
    pub fn check(&self) -> Result<(), String> {
        if self.seconds_min < 60 {
            return Err("silence.seconds_min: a minute (60) is the least".to_owned());
        }
        if self.factor == 0 {
            return Err("silence.factor: at least 1".to_owned());
        }
        for (place, expected) in self.expect.iter().enumerate() {
            if expected.source.trim().is_empty() {
                return Err(format!("silence.expect[{place}].source: name a dataset, or *"));
            }
            if expected.seconds < 2 {
                return Err(format!("silence.expect[{place}].seconds: 2 is the least"));
            }
        }
        Ok(())
    }

    pub(super) fn expected(&self, source: &Source) -> Option<u64> {
        let fits =
            |one: &&Expected| like(&one.source, &source.dataset) && like(&one.host, &source.host);
        self.expect.iter().filter(fits).map(|one| one.seconds).min()
    }

    pub(super) fn ignores(&self, source: &Source) -> bool {
        self.ignore.iter().any(|pattern| {
            let (dataset, host) = pattern.split_once('@').unwrap_or((pattern, "*"));
            like(dataset, &source.dataset) && like(host, &source.host)
        })
    }
}

/// Whether `text` is like a pattern with `*` for anything.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or("");
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.len() >= tail.len() && text.ends_with(tail)
}
