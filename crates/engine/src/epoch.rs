//! Epochs: what makes a restart exact.
//!
//! An epoch is everything between two commits. Its end is saved in this order: alerts and notices
//! to the catalog (repeatable: ids are derived, counts absolute), the state of detection and
//! alerts to a file of its own (events in windows by their ids: they are stored), then the events with the input positions, the ledgers and the
//! epoch's number in one index commit. A crash before that commit repeats the epoch from its
//! start and comes to the same alerts; a crash after it goes on from its end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tocsin_collect::{Checkpoints, Dropped};
use tocsin_parse::NamedColumns;

use crate::handle::Ledger;

const VERSION: u32 = 1;

/// What an index commit carries beside its events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// Format.
    pub version: u32,
    /// Number of the epoch that ends with this commit.
    pub epoch: u64,
    /// Positions of the inputs.
    pub checkpoints: Checkpoints,
    /// Ledger by input.
    pub ledgers: BTreeMap<String, Ledger>,
    /// What was dropped, by input and reason.
    #[serde(default)]
    pub dropped: Dropped,
    /// Offsets up to which streams are done beyond their checkpoints: the epoch ended in the
    /// middle of a batch, which is read again as a whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub done: BTreeMap<u64, u64>,
    /// Columns that logs have named, for what follows in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<NamedColumns>,
}

impl Payload {
    /// As text for the commit.
    pub fn to_text(&self) -> String {
        serde_json::to_string(&Self { version: VERSION, ..self.clone() }).unwrap_or_default()
    }

    /// Reads a commit's payload back.
    ///
    /// # Errors
    /// When it is of a version that this program does not know, or no payload.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let payload: Self = serde_json::from_str(text)
            .map_err(|error| format!("positions in the store cannot be read: {error}"))?;
        if payload.version != VERSION {
            return Err(format!(
                "positions in the store have version {}, this program knows {VERSION}: \
                 use a newer tocsin",
                payload.version
            ));
        }
        Ok(payload)
    }
}

/// The state of detection and alerts at the end of an epoch, in a directory of files.
#[derive(Debug, Clone)]
pub struct StateDir {
    dir: PathBuf,
}

/// Both states as their owners wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Windows of correlations.
    pub detector: Vec<u8>,
    /// Open alerts.
    pub alerts: Vec<u8>,
}

impl StateDir {
    /// The directory, made when absent.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Saves the state of an epoch durably.
    ///
    /// # Errors
    /// When the disk refuses it; nothing of an earlier epoch is touched.
    pub fn save(&self, epoch: u64, state: &State) -> io::Result<()> {
        let path = self.path(epoch);
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&(state.detector.len() as u64).to_le_bytes())?;
        file.write_all(&state.detector)?;
        file.write_all(&state.alerts)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// The state of an epoch; `None` when there is no file of it.
    ///
    /// # Errors
    /// When the file cannot be read or is cut off.
    pub fn load(&self, epoch: u64) -> io::Result<Option<State>> {
        let bytes = match fs::read(self.path(epoch)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let cut_off = || io::Error::new(io::ErrorKind::InvalidData, "the state file is cut off");
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut_off)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut_off())?;
        let (detector, alerts) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        Ok(Some(State { detector: detector.to_vec(), alerts: alerts.to_vec() }))
    }

    /// Deletes the states of all epochs but `keep`.
    pub fn clean(&self, keep: u64) {
        let keep = self.path(keep);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.path() != keep {
                // What stays is deleted at the next epoch.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, epoch: u64) -> PathBuf {
        Path::new(&self.dir).join(format!("epoch-{epoch:016}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(dir.path().join("state")).unwrap();
        let state = State { detector: vec![1, 2, 3], alerts: b"{}".to_vec() };
        states.save(1, &state).unwrap();
        states.save(2, &State::default()).unwrap();
        assert_eq!(states.load(1).unwrap(), Some(state));
        states.clean(2);
        assert_eq!(states.load(1).unwrap(), None);
        assert_eq!(states.load(2).unwrap(), Some(State::default()));
        fs::write(states.path(2), [9, 0, 0]).unwrap();
        assert!(states.load(2).is_err());
    }

    #[test]
    fn payloads_of_other_versions_are_refused() {
        let payload = Payload { epoch: 7, ..Payload::default() };
        assert_eq!(Payload::from_text(&payload.to_text()).unwrap().epoch, 7);
        let other = payload.to_text().replace("\"version\":1", "\"version\":9");
        assert!(Payload::from_text(&other).unwrap_err().contains("version 9"));
        assert!(Payload::from_text("x").is_err());
    }
}
