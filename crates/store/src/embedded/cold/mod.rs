//! Archived partitions: what was an index is Parquet files, one for each pack, on a
//! [`Shelf`](crate::Shelf).
//!
//! `archive/` beside the partitions has a directory for each, with `about.json`: which files
//! there are, their digests, spans and fields, so that a start opens none of them. An archived
//! partition appears whole, and its index goes only after every event has been read back from
//! the files; where both are there, after a crash, the index counts.

pub(crate) mod ask;
pub(crate) mod make;
pub(crate) mod merge;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;

use crate::archive::Opened;
use crate::archive::shelf::{Shelf, Source};
use crate::embedded::fault::of_io;
use crate::embedded::partition::PartitionName;
use crate::embedded::seal;
use crate::error::{Result, StoreError};

/// Directory of archived partitions.
pub(crate) const ARCHIVE: &str = "archive";
/// What says which files there are.
const ABOUT: &str = "about.json";
/// Version of it.
const VERSION: u32 = 1;
/// End of the name of an archived partition being made.
const MAKING: &str = ".making";
/// End of the name of one being deleted.
const GONE: &str = ".gone";

/// What is in an archived partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub version: u32,
    pub files: Vec<FileAbout>,
}

/// One file: the events of one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileAbout {
    /// `nginx.parquet`.
    pub name: String,
    /// The pack; `None` for events of none.
    pub pack: Option<String>,
    pub events: u64,
    pub bytes: u64,
    /// Times of the first and last event, nanoseconds.
    pub oldest: i64,
    pub newest: i64,
    pub digest: String,
    /// How many events have each field.
    pub fields: BTreeMap<String, u64>,
}

impl FileAbout {
    /// Whether some event may be from `from` (included) to `to` (not).
    pub(crate) fn may_have(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        from.is_none_or(|from| self.newest >= from.0) && to.is_none_or(|to| self.oldest < to.0)
    }

    /// Whether every event is.
    pub(crate) fn is_within(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        from.is_none_or(|from| self.oldest >= from.0) && to.is_none_or(|to| self.newest < to.0)
    }
}

impl About {
    /// That of a directory.
    fn read(dir: &Path) -> Result<Self> {
        let file = dir.join(ABOUT);
        let bytes = fs::read(&file).map_err(|error| of_io(&file, &error))?;
        let damaged = |reason: String| StoreError::Damaged { path: file.clone(), reason };
        let about: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if about.version > VERSION {
            return Err(damaged("it was written by a newer version".to_owned()));
        }
        Ok(about)
    }

    fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Digests of the files, and of this.
    pub(crate) fn digests(&self) -> BTreeMap<String, String> {
        let files = self.files.iter().map(|file| (file.name.clone(), file.digest.clone()));
        let own = blake3::hash(&self.text()).to_hex().to_string();
        files.chain([(ABOUT.to_owned(), own)]).collect()
    }
}

/// An archived partition.
#[derive(Debug, Clone)]
pub(crate) struct Cold {
    pub name: PartitionName,
    /// Where its [`About`] is.
    pub path: PathBuf,
    pub about: About,
    shelf: Arc<dyn Shelf>,
}

impl Cold {
    fn open_in(path: PathBuf, name: PartitionName, shelf: Arc<dyn Shelf>) -> Result<Self> {
        let about = About::read(&path)?;
        Ok(Self { name, path, about, shelf })
    }

    /// A file of it, with its name on the shelf.
    pub(crate) fn source(&self, file: &FileAbout) -> io::Result<Arc<dyn Source>> {
        self.shelf.open(&shelf_name(self.name, &file.name))
    }

    pub(crate) fn open(&self, file: &FileAbout) -> Result<Arc<Opened>> {
        let source = self.source(file).map_err(|error| self.failed(file, &error))?;
        Opened::open(source).map_err(|error| self.failed(file, &error))
    }

    /// Names the file and sorts the failure.
    pub(crate) fn failed(&self, file: &FileAbout, error: &dyn std::fmt::Display) -> StoreError {
        let path = Path::new(&self.shelf.place()).join(shelf_name(self.name, &file.name));
        StoreError::Failed { path, reason: format!("cannot be read: {error}") }
    }

    pub(crate) fn events(&self) -> u64 {
        self.about.files.iter().map(|file| file.events).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.about.files.iter().map(|file| file.bytes).sum()
    }

    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.about.files.iter().map(|file| Timestamp(file.oldest)).min()
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.about.files.iter().map(|file| Timestamp(file.newest)).max()
    }

    pub(crate) fn may_have(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        self.about.files.iter().any(|file| file.may_have(from, to))
    }

    /// From now on it is none any more; [`remove_gone`] deletes its files.
    pub(crate) fn retire(&self) -> Result<()> {
        let gone = gone_name(&self.path);
        fs::rename(&self.path, &gone).map_err(|error| of_io(&self.path, &error))
    }

    /// What is left without these files.
    pub(crate) fn without(&self, gone: &[FileAbout]) -> Self {
        let kept = self.about.files.iter().filter(|file| !gone.contains(file));
        let about = About { version: VERSION, files: kept.cloned().collect() };
        Self { about, ..self.clone() }
    }

    /// From now on files that `kept` does not have are none any more; seals what is left.
    pub(crate) fn retire_all_but(&self, kept: &Self, dir: &Path) -> Result<()> {
        seal::note_archived(dir, self.name, kept.events(), kept.about.digests())?;
        let gone = |file: &&FileAbout| !kept.about.files.contains(file);
        let gone = self.about.files.iter().filter(gone).cloned().collect();
        self.keep(&kept.about, gone)
    }

    /// Writes down what is left, and before it what is to be deleted.
    fn keep(&self, kept: &About, gone: Vec<FileAbout>) -> Result<()> {
        let there = gone_name(&self.path);
        let noted = fs::create_dir_all(&there)
            .and_then(|()| write_about(&there, &About { version: VERSION, files: gone }))
            .and_then(|()| write_about(&self.path, kept));
        noted.map_err(|error| of_io(&self.path, &error))
    }
}

/// A name for what is to be deleted of a partition, not taken yet.
fn gone_name(path: &Path) -> PathBuf {
    let mut number = 0;
    loop {
        let gone = path.with_extension(format!("{number}{GONE}"));
        if !gone.exists() {
            return gone;
        }
        number += 1;
    }
}

/// Deletes the files of what was retired. What cannot be deleted now stays noted.
pub(crate) fn remove_gone(dir: &Path, shelf: &Arc<dyn Shelf>) -> Result<()> {
    let archive = dir.join(ARCHIVE);
    let Ok(entries) = fs::read_dir(&archive) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(GONE) {
            continue;
        }
        let path = entry.path();
        if let Some(partition) = name.split('.').next().and_then(PartitionName::parse) {
            remove_listed(partition, &path, shelf)?;
        }
        fs::remove_dir_all(&path).map_err(|error| of_io(&path, &error))?;
    }
    Ok(())
}

/// Deletes the files that a directory lists. One that lists none was left by a crash before
/// anything was retired.
fn remove_listed(partition: PartitionName, dir: &Path, shelf: &Arc<dyn Shelf>) -> Result<()> {
    if !dir.join(ABOUT).try_exists().map_err(|error| of_io(dir, &error))? {
        return Ok(());
    }
    for file in About::read(dir)?.files {
        let there = shelf_name(partition, &file.name);
        shelf.remove(&there).map_err(|error| StoreError::Failed {
            path: Path::new(&shelf.place()).join(there),
            reason: format!("cannot be removed: {error}"),
        })?;
    }
    Ok(())
}

/// A file's name on the shelf.
pub(crate) fn shelf_name(partition: PartitionName, file: &str) -> String {
    format!("{}/{file}", partition.directory())
}

/// Writes `about.json` so that it is whole or as before.
fn write_about(dir: &Path, about: &About) -> io::Result<()> {
    let part = dir.join(format!("{ABOUT}.new"));
    let mut file = File::create(&part)?;
    file.write_all(&about.text())?;
    file.sync_all()?;
    fs::rename(&part, dir.join(ABOUT))?;
    File::open(dir)?.sync_all()
}

/// The archived partitions of a store, oldest first.
pub(crate) fn open_all(dir: &Path, shelf: &Arc<dyn Shelf>) -> Result<Vec<Arc<Cold>>> {
    let archive = dir.join(ARCHIVE);
    let entries = match fs::read_dir(&archive) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(of_io(&archive, &error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| of_io(&archive, &error))?;
        if let Some(name) = PartitionName::parse(&entry.file_name().to_string_lossy()) {
            all.push(Arc::new(Cold::open_in(entry.path(), name, Arc::clone(shelf))?));
        }
    }
    all.sort_by_key(|cold| cold.name);
    Ok(all)
}

/// Removes what an interrupted archiving left, and retires files of single packs whose deletion
/// was only sealed. Asks nothing of the shelf, which may be far away.
pub(crate) fn tidy(dir: &Path, shelf: &Arc<dyn Shelf>) -> Result<()> {
    let archive = dir.join(ARCHIVE);
    let Ok(entries) = fs::read_dir(&archive) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(MAKING) {
            fs::remove_dir_all(entry.path()).map_err(|error| of_io(&archive, &error))?;
        }
    }
    let noted = seal::archived(dir)?;
    for cold in open_all(dir, shelf)? {
        let Some(files) = noted.get(&cold.name.directory()) else { continue };
        let known = |file: &FileAbout| files.contains_key(&file.name);
        if cold.about.files.iter().all(known) {
            continue;
        }
        let (files, gone) = cold.about.files.iter().cloned().partition::<Vec<_>, _>(known);
        cold.keep(&About { version: VERSION, files }, gone)?;
    }
    Ok(())
}
