//! [`MemoryLog`]: what was seen and how often it usually is, on disk, exact to the epoch.
//!
//! Pieces of what changed are appended before the commit of their epoch; a start takes those of
//! epochs that happened and cuts off the rest. When the pieces have grown, the whole takes their
//! place, right after a commit, when it is of an epoch that has happened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tocsin_enrich::Enricher;
use tocsin_enrich::memory::Memory;

use crate::config::Config;

/// The log is written anew when it is this much longer than the whole, and no earlier than this.
const GROWN_TIMES: u64 = 4;
const GROWN_BYTES_MIN: u64 = 1024 * 1024;
/// The longest piece that is believed, bytes.
const PIECE_BYTES_MAX: u32 = 512 * 1024 * 1024;
/// Length, epoch and checksum in front of each piece.
const HEAD_BYTES: usize = 16;
const FILE: &str = "memory.log";

/// The log of a data directory.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    path: PathBuf,
    file: File,
    /// What is there and belongs to epochs that happened.
    len: u64,
    /// Length right after it was last written anew.
    whole: u64,
    /// Whether the whole is wanted with the next epoch.
    grown: Arc<AtomicBool>,
}

/// Gathers what was learned, where events are.
pub(crate) struct Gatherer {
    grown: Arc<AtomicBool>,
}

/// What goes with the end of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    piece: Option<Vec<u8>>,
    whole: Option<Vec<u8>>,
}

impl Gatherer {
    /// What was learned since the last time, and all of it when that is wanted. Once an epoch.
    pub(crate) fn gather(&self, enricher: &mut Enricher) -> Gathered {
        let Some(memory) = enricher.memory() else { return Gathered::default() };
        let piece = memory.take_changes();
        let whole = self.grown.swap(false, Ordering::Relaxed).then(|| memory.snapshot());
        Gathered { piece, whole }
    }
}

/// Gives the enricher what is remembered up to an epoch, and the log for what comes.
///
/// # Errors
/// When the file cannot be used.
pub(crate) fn restore(
    config: &Config,
    epoch: u64,
    enricher: &mut Enricher,
) -> Result<(MemoryLog, Gatherer), String> {
    let dir = config.server.data_dir.join("memory");
    let path = dir.join(FILE);
    let text = |error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&dir).map_err(text)?;
    let mut memory = Memory::new(&config.first_seen, &config.baselines);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(text)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(text)?;
    let mut len = 0;
    let mut whole = None;
    while let Some((of, piece, end)) = piece_at(&bytes, len) {
        if of > epoch {
            break;
        }
        if let Err(error) = memory.apply(piece) {
            tracing::warn!(
                "{}: {error}; what was learned after it is learned anew",
                path.display()
            );
            break;
        }
        len = end;
        whole.get_or_insert(end as u64);
    }
    file.set_len(len as u64).map_err(text)?;
    enricher.remember(memory);
    let whole = whole.unwrap_or(0);
    let grown = Arc::new(AtomicBool::new(false));
    let gatherer = Gatherer { grown: grown.clone() };
    Ok((MemoryLog { path, file, len: len as u64, whole, grown }, gatherer))
}

/// The piece that begins at a place: its epoch, its bytes, where it ends.
fn piece_at(bytes: &[u8], at: usize) -> Option<(u64, &[u8], usize)> {
    let rest = bytes.get(at..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let length = u32::from_le_bytes(*length);
    let piece = rest.get(..length as usize)?;
    let is_whole = length <= PIECE_BYTES_MAX && crc32fast::hash(piece) == u32::from_le_bytes(*sum);
    is_whole.then(|| (u64::from_le_bytes(*epoch), piece, at + HEAD_BYTES + piece.len()))
}

fn head(epoch: u64, piece: &[u8]) -> io::Result<Vec<u8>> {
    let length =
        u32::try_from(piece.len()).map_err(|_| io::Error::other("too much to remember"))?;
    let mut head = length.to_le_bytes().to_vec();
    head.extend(crc32fast::hash(piece).to_le_bytes());
    head.extend(epoch.to_le_bytes());
    Ok(head)
}

impl MemoryLog {
    /// Writes what was gathered; may be repeated until the epoch has happened.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn save(&mut self, epoch: u64, gathered: &Gathered) -> io::Result<()> {
        let Some(piece) = &gathered.piece else { return Ok(()) };
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(&head(epoch, piece)?)?;
        self.file.write_all(piece)?;
        self.file.sync_data()
    }

    /// The epoch has happened: what was written stays. Writes the log anew when it has grown and
    /// the whole came with the epoch.
    pub(crate) fn settle(&mut self, epoch: u64, gathered: &Gathered) {
        if let Some(piece) = &gathered.piece {
            self.len += (HEAD_BYTES + piece.len()) as u64;
        }
        if let Some(whole) = &gathered.whole
            && let Err(error) = self.renew(epoch, whole)
        {
            // It goes on growing, and is tried again when it has.
            tracing::warn!("{}: {error}", self.path.display());
            self.whole = self.len;
        }
        if self.len >= GROWN_BYTES_MIN.max(self.whole.saturating_mul(GROWN_TIMES)) {
            self.grown.store(true, Ordering::Relaxed);
        }
    }

    fn renew(&mut self, epoch: u64, whole: &[u8]) -> io::Result<()> {
        let part = self.path.with_extension("new");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&part)?;
        file.write_all(&head(epoch, whole)?)?;
        file.write_all(whole)?;
        file.sync_all()?;
        fs::rename(&part, &self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        self.file = file;
        self.len = (HEAD_BYTES + whole.len()) as u64;
        self.whole = self.len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tocsin_model::{Event, Timestamp, field};

    use super::*;

    fn login(enricher: &mut Enricher, day: i64, user: &str) {
        let mut event = Event::default();
        event.time = Timestamp::from_millis((1_790_000_000 + day * 86_400) * 1000);
        event.received = event.time;
        event.push_str(field::EVENT_CATEGORY, "authentication");
        event.push_str(field::EVENT_OUTCOME, "success");
        event.push_str(field::USER_NAME, user);
        event.push_str(field::HOST_NAME, "web");
        enricher.enrich(&mut event);
    }

    fn facts(enricher: &mut Enricher) -> usize {
        enricher.memory().unwrap().counts().facts
    }

    #[test]
    fn only_epochs_that_happened_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = dir.path().to_owned();
        let open = |epoch| {
            let mut enricher = Enricher::new(Arc::default(), &config.enrich());
            let (log, gatherer) = restore(&config, epoch, &mut enricher).unwrap();
            (enricher, log, gatherer)
        };
        let (mut enricher, mut log, gatherer) = open(0);
        let mut known = vec![0];
        for epoch in 1..=3 {
            login(&mut enricher, epoch as i64, &format!("user{epoch}"));
            let gathered = gatherer.gather(&mut enricher);
            // A disk that refused it the first time.
            log.save(epoch, &gathered).unwrap();
            log.save(epoch, &gathered).unwrap();
            known.push(facts(&mut enricher));
            if epoch < 3 {
                log.settle(epoch, &gathered);
            }
        }
        // The third was written and did not happen.
        let (mut again, mut log, gatherer) = open(2);
        assert_eq!(facts(&mut again), known[2]);
        assert!(known[3] > known[2] && known[2] > known[1]);
        // It is repeated, and the log written anew.
        login(&mut again, 3, "user3");
        log.grown.store(true, Ordering::Relaxed);
        let gathered = gatherer.gather(&mut again);
        assert!(gathered.whole.is_some());
        log.save(3, &gathered).unwrap();
        log.settle(3, &gathered);
        let (mut again, _, _) = open(3);
        assert_eq!(facts(&mut again), known[3]);
        // Torn at any place, what is before it counts.
        let path = dir.path().join("memory").join(FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(facts(&mut open(3).0), 0);
    }
}
