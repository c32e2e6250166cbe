//! Seals: what tells later that a closed partition is as it was when it was closed.
//!
//! `seals.ndjson` beside the partitions has a line for each that was closed, with the digests of
//! its files, and for each that retention deleted. A line holds the digest of the line before, so
//! that no line can be changed, left out or moved without breaking all after it; the last digest,
//! kept elsewhere, vouches for everything. Partitions are numbered without gaps, so that one that
//! is gone with its line is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;

use crate::archive::shelf::{Directory, Shelf};
use crate::embedded::cold;
use crate::embedded::cold::make::hash;
use crate::embedded::fault::of_io;
use crate::embedded::partition::PartitionName;
use crate::error::{Result, StoreError};
use crate::request::Cancel;

/// Where the seals are.
const SEALS_FILE: &str = "seals.ndjson";
/// Version of a line.
const VERSION: u32 = 1;
/// What a line says of a partition whose events are in the archive.
const ARCHIVED: &str = "archived";
/// What the first line holds as the digest of the one before.
const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Lines are added by one thread at a time.
static ADDING: Mutex<()> = Mutex::new(());

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    version: u32,
    partition: String,
    /// `sealed`, `archived` or `deleted`.
    what: String,
    at: String,
    documents: u64,
    /// Digest of each file.
    files: BTreeMap<String, String>,
    previous: String,
    /// Of the line with this field empty.
    digest: String,
}

impl Seal {
    fn digested(mut self) -> Self {
        self.digest.clear();
        let text = serde_json::to_string(&self).unwrap_or_default();
        self.digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        self
    }
}

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Every partition there is or was, by its directory's name.
    pub partitions: BTreeMap<String, PartitionState>,
    /// Lines of the chain that are not as they were written, with their number from 1.
    pub broken: Vec<String>,
    /// Digest of the last line; `None` when nothing has been sealed yet. Keep it elsewhere.
    pub last: Option<String>,
}

/// The state of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionState {
    /// As it was closed.
    Intact,
    /// In the archive, as it was put there.
    Archived,
    /// Being written, or not sealed yet.
    Open,
    /// Deleted by retention.
    Deleted,
    /// These files are not as they were.
    Changed(Vec<String>),
    /// In the archive, which cannot be read now: this is why. Nothing is known of it.
    Unread(String),
    /// It is gone, and retention did not delete it.
    Missing,
    /// It was closed long ago and has no seal.
    Unsealed,
}

impl Verified {
    /// Whether it is sure that nothing was changed or removed.
    pub fn is_intact(&self) -> bool {
        let fine = |state: &PartitionState| {
            use PartitionState::{Archived, Deleted, Intact, Open};
            matches!(state, Intact | Archived | Open | Deleted)
        };
        self.broken.is_empty() && self.partitions.values().all(fine)
    }
}

/// Seals a partition that is closed, when it has no seal yet.
pub(crate) fn seal(dir: &Path, partition: &Path, documents: u64) -> Result<()> {
    add(dir, &name_of(partition), "sealed", documents, || digests(partition))
}

/// Notes that retention deleted a partition.
pub(crate) fn note_deleted(dir: &Path, name: PartitionName, documents: u64) -> Result<()> {
    add(dir, &name.directory(), "deleted", documents, || Ok(BTreeMap::new()))
}

/// Notes that a partition is in the archive, and which files it has there from now on.
pub(crate) fn note_archived(
    dir: &Path,
    name: PartitionName,
    documents: u64,
    files: BTreeMap<String, String>,
) -> Result<()> {
    if archived(dir)?.get(&name.directory()) == Some(&files) {
        return Ok(());
    }
    add(dir, &name.directory(), ARCHIVED, documents, || Ok(files))
}

/// The files that each archived partition was said to have last.
pub(crate) fn archived(dir: &Path) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let (seals, _) = read(dir)?;
    let archived = seals.into_iter().filter(|seal| seal.what == ARCHIVED);
    Ok(archived.map(|seal| (seal.partition, seal.files)).collect())
}

/// The digests that a partition was sealed with.
pub(crate) fn sealed(dir: &Path, name: PartitionName) -> Result<Option<BTreeMap<String, String>>> {
    let (seals, _) = read(dir)?;
    let own = |seal: &Seal| seal.what == "sealed" && seal.partition == name.directory();
    Ok(seals.into_iter().find(own).map(|seal| seal.files))
}

/// The files of a partition that are not as they were sealed.
pub(crate) fn changed(partition: &Path, sealed: &BTreeMap<String, String>) -> Result<Vec<String>> {
    Ok(match compare(partition, sealed)? {
        PartitionState::Changed(files) => files,
        _ => Vec::new(),
    })
}

fn name_of(partition: &Path) -> String {
    partition.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn add(
    dir: &Path,
    name: &str,
    what: &str,
    documents: u64,
    files: impl FnOnce() -> std::io::Result<BTreeMap<String, String>>,
) -> Result<()> {
    let _adding = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
    let (seals, _) = read(dir)?;
    let again = |seal: &Seal| seal.partition == name && seal.what == what && what != ARCHIVED;
    if seals.iter().any(again) {
        return Ok(());
    }
    let path = dir.join(SEALS_FILE);
    let fail = |error: std::io::Error| of_io(&path, &error);
    let seal = Seal {
        version: VERSION,
        partition: name.to_owned(),
        what: what.to_owned(),
        at: Timestamp::from_system(SystemTime::now()).to_string(),
        documents,
        files: files().map_err(fail)?,
        previous: seals.last().map_or(FIRST.to_owned(), |last| last.digest.clone()),
        digest: String::new(),
    };
    let mut line = serde_json::to_string(&seal.digested()).unwrap_or_default();
    line.push('\n');
    let mut file = File::options().create(true).append(true).open(&path).map_err(fail)?;
    let before = fs::read(&path).map_err(fail)?;
    if whole_lines(&before) < before.len() {
        file.set_len(whole_lines(&before) as u64).map_err(fail)?;
    }
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)
}

/// The lines that can be read, and what is wrong with the others. A torn last line, from a crash
/// while it was written, counts for nothing.
fn read(dir: &Path) -> Result<(Vec<Seal>, Vec<String>)> {
    let path = dir.join(SEALS_FILE);
    let mut text = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((vec![], vec![])),
        Err(error) => return Err(of_io(&path, &error)),
    };
    text.truncate(whole_lines(&text));
    let (mut seals, mut broken) = (Vec::new(), Vec::new());
    for (number, line) in BufReader::new(text.as_slice()).lines().enumerate() {
        let number = number + 1;
        let line = line.map_err(|error| of_io(&path, &error))?;
        match serde_json::from_str::<Seal>(&line) {
            Ok(seal) if seal.version > VERSION => {
                return Err(StoreError::Damaged {
                    path,
                    reason: format!("line {number} was written by a newer version"),
                });
            }
            Ok(seal) => seals.push(seal),
            Err(error) => broken.push(format!("line {number} cannot be read: {error}")),
        }
    }
    Ok((seals, broken))
}

/// Where the last whole line ends.
fn whole_lines(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// Digest of each file that an index consists of; its locks and list of files are not among them.
fn digests(partition: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(partition)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !entry.file_type()?.is_file() {
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut File::open(entry.path())?, &mut hasher)?;
        all.insert(name, hasher.finalize().to_hex().to_string());
    }
    Ok(all)
}

/// Compares what is there with what was sealed; reads only, also while the store is written.
///
/// # Errors
/// When the directory cannot be read.
pub fn verify(dir: &Path) -> Result<Verified> {
    verify_with(dir, &Directory(dir.join(cold::ARCHIVE)))
}

/// The same where the files of the archive are elsewhere.
///
/// # Errors
/// When the directory cannot be read.
pub fn verify_with(dir: &Path, shelf: &dyn Shelf) -> Result<Verified> {
    let (seals, mut broken) = read(dir)?;
    let mut previous = FIRST.to_owned();
    for (place, seal) in seals.iter().enumerate() {
        let number = place + 1;
        if seal.previous != previous {
            broken
                .push(format!("line {number} ({}) does not follow the one before", seal.partition));
        }
        if seal.clone().digested().digest != seal.digest {
            broken.push(format!("line {number} ({}) was changed", seal.partition));
        }
        previous.clone_from(&seal.digest);
    }
    let there = partitions_of(dir)?;
    let mut partitions = BTreeMap::new();
    for seal in &seals {
        let state = match (seal.what.as_str(), there.get(&seal.partition)) {
            ("deleted", _) => PartitionState::Deleted,
            // A crash may have left the index as well.
            (ARCHIVED, _) => compare_archived(dir, shelf, seal),
            (_, None) => PartitionState::Missing,
            (_, Some((_, path))) => compare(path, &seal.files)?,
        };
        partitions.insert(seal.partition.clone(), state);
    }
    let newest = there.values().map(|(name, _)| name.number).max();
    for (directory, (name, _)) in &there {
        let open = Some(name.number) == newest;
        let state = if open { PartitionState::Open } else { PartitionState::Unsealed };
        partitions.entry(directory.clone()).or_insert(state);
    }
    let known: BTreeSet<u64> = partitions
        .keys()
        .filter_map(|directory| PartitionName::parse(directory))
        .map(|name| name.number)
        .collect();
    for number in 1..known.last().copied().unwrap_or(0) {
        if !known.contains(&number) {
            partitions.insert(format!("p{number:06}"), PartitionState::Missing);
        }
    }
    Ok(Verified { partitions, broken, last: seals.last().map(|seal| seal.digest.clone()) })
}

/// The files of an archived partition against the last line about it.
fn compare_archived(dir: &Path, shelf: &dyn Shelf, seal: &Seal) -> PartitionState {
    let about = dir.join(cold::ARCHIVE).join(&seal.partition);
    if !about.is_dir() {
        return PartitionState::Missing;
    }
    let mut changed = Vec::new();
    for (name, digest) in &seal.files {
        let found = if name.ends_with(".json") {
            fs::read(about.join(name)).map(|bytes| blake3::hash(&bytes).to_hex().to_string())
        } else {
            shelf
                .open_itself(&format!("{}/{name}", seal.partition))
                .and_then(|file| hash(&file, &Cancel::default()))
        };
        match found {
            Ok(found) if found == *digest => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return PartitionState::Unread(format!("{name}: {error}"));
            }
            _ => changed.push(name.clone()),
        }
    }
    if changed.is_empty() { PartitionState::Archived } else { PartitionState::Changed(changed) }
}

fn partitions_of(dir: &Path) -> Result<BTreeMap<String, (PartitionName, PathBuf)>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(|error| of_io(dir, &error))? {
        let entry = entry.map_err(|error| of_io(dir, &error))?;
        let directory = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = PartitionName::parse(&directory) {
            all.insert(directory, (name, entry.path()));
        }
    }
    Ok(all)
}

fn compare(path: &Path, sealed: &BTreeMap<String, String>) -> Result<PartitionState> {
    let now = digests(path).map_err(|error| of_io(path, &error))?;
    let changed: Vec<String> = sealed
        .iter()
        .filter(|(name, digest)| now.get(*name) != Some(digest))
        .map(|(name, _)| name.clone())
        .collect();
    Ok(if changed.is_empty() { PartitionState::Intact } else { PartitionState::Changed(changed) })
}
