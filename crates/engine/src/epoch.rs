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
use tocsin_detect::Piece;
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
    /// Windows of correlations, or what became of them since the epoch before.
    pub detector: Piece,
    /// Open alerts.
    pub alerts: Vec<u8>,
}

/// What was saved up to an epoch.
#[derive(Debug)]
pub struct Saved {
    /// Windows of correlations: a whole and what followed it, oldest first. An error when a file
    /// cannot be read, is cut off, or one that it follows on is gone.
    pub pieces: io::Result<Vec<Vec<u8>>>,
    /// Open alerts.
    pub alerts: Vec<u8>,
}

/// What is in one file.
struct One {
    /// Whether it follows on the one of the epoch before.
    follows: bool,
    detector: Vec<u8>,
    alerts: Vec<u8>,
}

/// End of the names of states that follow on that of the epoch before.
const FOLLOWING: &str = "-following";

impl StateDir {
    /// The directory, made when absent.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Saves the state of an epoch durably. One that follows on the epoch before needs the state
    /// of that.
    ///
    /// # Errors
    /// When the disk refuses it; nothing of an earlier epoch is touched.
    pub fn save(&self, epoch: u64, state: &State) -> io::Result<()> {
        let path = self.path(epoch, !state.detector.whole);
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&(state.detector.bytes.len() as u64).to_le_bytes())?;
        file.write_all(&state.detector.bytes)?;
        file.write_all(&state.alerts)?;
        file.sync_all()?;
        // Of an attempt at this epoch that did not come to its end.
        match fs::remove_file(self.path(epoch, state.detector.whole)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&temporary, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// The state of an epoch; `None` when there is no file of it.
    ///
    /// # Errors
    /// When its own file cannot be read or is cut off.
    pub fn load(&self, epoch: u64) -> io::Result<Option<Saved>> {
        let Some(last) = self.load_one(epoch)? else { return Ok(None) };
        let before = if last.follows { self.before(epoch) } else { Ok(Vec::new()) };
        let pieces = before.map(|mut pieces| {
            pieces.reverse();
            pieces.push(last.detector);
            pieces
        });
        Ok(Some(Saved { pieces, alerts: last.alerts }))
    }

    /// The windows that those of an epoch follow on, newest first.
    fn before(&self, mut epoch: u64) -> io::Result<Vec<Vec<u8>>> {
        let mut pieces = Vec::new();
        loop {
            let gone = || io::Error::new(io::ErrorKind::InvalidData, "what it follows on is gone");
            epoch = epoch.checked_sub(1).ok_or_else(gone)?;
            let one = self.load_one(epoch)?.ok_or_else(gone)?;
            pieces.push(one.detector);
            if !one.follows {
                return Ok(pieces);
            }
        }
    }

    fn load_one(&self, epoch: u64) -> io::Result<Option<One>> {
        let read = |follows| match fs::read(self.path(epoch, follows)) {
            Ok(bytes) => Ok(Some((follows, bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let Some((follows, bytes)) =
            read(false)?.map_or_else(|| read(true), |one| Ok(Some(one)))?
        else {
            return Ok(None);
        };
        let cut_off = || io::Error::new(io::ErrorKind::InvalidData, "the state file is cut off");
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut_off)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut_off())?;
        let (detector, alerts) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        Ok(Some(One { follows, detector: detector.to_vec(), alerts: alerts.to_vec() }))
    }

    /// Deletes the states of all epochs but `keep`, which follows on none.
    pub fn clean(&self, keep: u64) {
        let keep = self.path(keep, false);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.path() != keep {
                // What stays is deleted with the next whole.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, epoch: u64, follows: bool) -> PathBuf {
        let end = if follows { FOLLOWING } else { "" };
        Path::new(&self.dir).join(format!("epoch-{epoch:016}{end}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(whole: bool, bytes: &[u8]) -> State {
        State { detector: Piece { whole, bytes: bytes.to_vec() }, alerts: bytes.to_vec() }
    }

    #[test]
    fn states_come_back_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let states = StateDir::open(dir.path().join("state")).unwrap();
        let pieces = |epoch| {
            let saved = states.load(epoch).unwrap();
            saved.map(|saved| (saved.pieces.map_err(|error| error.to_string()), saved.alerts))
        };
        let is = |pieces: &[&[u8]], alerts: &[u8]| {
            let pieces = pieces.iter().map(|piece| piece.to_vec()).collect::<Vec<_>>();
            Some((Ok::<_, String>(pieces), alerts.to_vec()))
        };
        states.save(1, &state(true, &[1, 2, 3])).unwrap();
        states.save(2, &state(true, &[4])).unwrap();
        assert_eq!(pieces(1), is(&[&[1, 2, 3]], &[1, 2, 3]));
        states.clean(2);
        assert_eq!(pieces(1), None);
        states.save(3, &state(false, &[5])).unwrap();
        states.save(4, &state(false, &[])).unwrap();
        assert_eq!(pieces(4), is(&[&[4], &[5], &[]], &[]));
        // The fourth did not happen and is done again, after a start and so as a whole.
        states.save(4, &state(true, &[6])).unwrap();
        assert_eq!(pieces(4), is(&[&[6]], &[6]));
        assert_eq!(pieces(3), is(&[&[4], &[5]], &[5]));
        // The other way round, with a refusal between.
        states.save(4, &state(false, &[7])).unwrap();
        states.save(4, &state(false, &[7])).unwrap();
        assert_eq!(pieces(4), is(&[&[4], &[5], &[7]], &[7]));
        // Open alerts are in the last file alone.
        fs::remove_file(states.path(2, false)).unwrap();
        assert_eq!(pieces(4), Some((Err("what it follows on is gone".to_owned()), vec![7])));
        fs::write(states.path(2, false), [9, 0, 0]).unwrap();
        assert_eq!(pieces(4), Some((Err("the state file is cut off".to_owned()), vec![7])));
        fs::write(states.path(0, true), [0; 8]).unwrap();
        assert!(states.load(0).unwrap().unwrap().pieces.is_err());
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
