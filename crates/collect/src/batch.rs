//! What leaves this crate: [`Batch`]es of records, with the [`Checkpoint`]s to commit with them.
//!
//! The contract: store a batch's events and its checkpoints in one commit, in the order of the
//! channel, and give the committed [`Checkpoints`] back at the next start. Then nothing is read
//! twice and nothing is skipped, wherever the process was killed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tocsin_model::{Record, Timestamp};

/// Key of a checkpoint that is of no stream.
const WATCHING_SINCE: &str = "watching-since";

/// The bounded channel that all inputs write to.
pub type Sender = tokio::sync::mpsc::Sender<Batch>;

/// Records of one input, in order.
///
/// `records` may be empty: then only the checkpoints matter (a file was seen for the first time,
/// or it is gone), and they should be committed soon.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The records, in the order they were read.
    pub records: Vec<Record>,
    /// How far the streams of these records are read after this batch.
    pub checkpoints: Vec<Checkpoint>,
    /// True when these records were already there when their input was first seen: they tell of
    /// the past, and an alert about them must notify nobody.
    pub historical: bool,
    /// Which sequence the records belong to, for ordering several by time: records of one lane
    /// come in order. `None`: nothing is said.
    pub lane: Option<u64>,
    /// True when more of the lane is there already: newer events of other lanes should wait.
    pub behind: bool,
}

/// How far one stream was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Name of the stream, unique over all inputs.
    pub key: String,
    /// JSON that only the input understands; empty means: forget this key.
    pub state: String,
}

/// The newest checkpoint of every stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checkpoints {
    states: HashMap<String, String>,
}

impl Checkpoints {
    /// Takes over `newer`: replaces the state of its key, or forgets the key when empty.
    pub fn merge(&mut self, newer: Checkpoint) {
        if newer.state.is_empty() {
            self.states.remove(&newer.key);
        } else {
            self.states.insert(newer.key, newer.state);
        }
    }

    /// The state stored under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.states.get(key).map(String::as_str)
    }

    /// Says when Tocsin first watched this machine: what is younger is never history.
    pub fn set_watching_since(&mut self, since: Timestamp) {
        let state = since.0.to_string();
        self.merge(Checkpoint { key: WATCHING_SINCE.to_owned(), state });
    }

    /// When Tocsin first watched this machine, where that was said.
    pub fn watching_since(&self) -> Option<SystemTime> {
        let nanos: u64 = self.get(WATCHING_SINCE)?.parse().ok()?;
        Some(UNIX_EPOCH + Duration::from_nanos(nanos))
    }

    /// All keys and states, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.states.iter().map(|(key, state)| (key.as_str(), state.as_str()))
    }

    /// Number of streams.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// True when nothing was ever checkpointed.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// As JSON (one object), for storing.
    pub fn to_json(&self) -> String {
        // A map of strings to strings always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`Checkpoints::to_json`].
    ///
    /// # Errors
    /// When `text` is not a JSON object of strings.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// How far lanes are ahead of each other, told by the engine: an input whose events wait for
/// older ones of another need not read on. What keeps memory bounded while history is merged.
#[derive(Debug, Default)]
pub struct Pace {
    waiting: Mutex<HashMap<u64, usize>>,
}

impl Pace {
    /// Events of one lane that may wait before it is read no further.
    pub const WAITING_MAX: usize = 8192;

    /// Sets how many events wait, by lane; lanes that are not named have none.
    pub fn set(&self, lanes: impl Iterator<Item = (u64, usize)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.clear();
        waiting.extend(lanes);
    }

    /// Whether a lane should not be read on for now.
    pub fn is_ahead(&self, lane: u64) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&lane).is_some_and(|waiting| *waiting >= Self::WAITING_MAX)
    }
}

impl Extend<Checkpoint> for Checkpoints {
    fn extend<T: IntoIterator<Item = Checkpoint>>(&mut self, newer: T) {
        newer.into_iter().for_each(|checkpoint| self.merge(checkpoint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_states_replace_and_empty_ones_forget() {
        let mut all = Checkpoints::default();
        let set = |key: &str, state: &str| Checkpoint { key: key.into(), state: state.into() };
        all.extend([set("a", "1"), set("b", "1"), set("a", "2"), set("b", "")]);
        assert_eq!(all.get("a"), Some("2"));
        assert_eq!((all.len(), all.get("b")), (1, None));
        assert_eq!(Checkpoints::from_json(&all.to_json()).unwrap(), all);
        assert!(Checkpoints::from_json("[]").is_err());
    }
}
