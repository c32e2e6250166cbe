//! [`Shelf`]: indicators on disk, a file for each feed, replaced as a whole.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tocsin_enrich::intel::{Builder, Index, Indicator};

use super::FeedStatus;

const VERSION: u32 = 1;
/// How hard the files are packed.
const ZSTD_LEVEL: i32 = 3;

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    status: FeedStatus,
}

/// The files.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.zst"))
    }

    /// When a feed's file was last replaced.
    pub(super) fn stamp(&self, name: &str) -> Option<SystemTime> {
        fs::metadata(self.path(name)).and_then(|about| about.modified()).ok()
    }

    /// What is kept of a feed; `None` when nothing is.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(super) fn read(&self, name: &str) -> Result<Option<(Index, FeedStatus)>, String> {
        let path = self.path(name);
        let shown = path.display();
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let wrong = |why: &dyn std::fmt::Display| format!("{shown}: {why}");
        let packed = zstd::Decoder::new(file).map_err(|error| wrong(&error))?;
        let mut lines = BufReader::new(packed).lines();
        let head = lines.next().ok_or_else(|| wrong(&"empty"))?.map_err(|error| wrong(&error))?;
        let head: Head = serde_json::from_str(&head).map_err(|error| wrong(&error))?;
        if head.version != VERSION {
            let why = format!("version {} is not {VERSION}: use a newer tocsin", head.version);
            return Err(wrong(&why));
        }
        let mut builder = Builder::default();
        for line in lines {
            let line = line.map_err(|error| wrong(&error))?;
            let one: Indicator = serde_json::from_str(&line).map_err(|error| wrong(&error))?;
            builder.add(&one);
        }
        Ok(Some((builder.finish(), head.status)))
    }

    /// Keeps a feed.
    ///
    /// # Errors
    /// When the disk refuses it; what was kept before stays.
    pub(super) fn write(
        &self,
        name: &str,
        index: &Index,
        status: &FeedStatus,
    ) -> Result<(), String> {
        let path = self.path(name);
        let part = path.with_extension("part");
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.dir)?;
            let packed = zstd::Encoder::new(fs::File::create(&part)?, ZSTD_LEVEL)?;
            let mut out = BufWriter::new(packed);
            serde_json::to_writer(&mut out, &Head { version: VERSION, status: status.clone() })?;
            out.write_all(b"\n")?;
            for one in index.iter() {
                serde_json::to_writer(&mut out, &one)?;
                out.write_all(b"\n")?;
            }
            let packed = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            packed.finish()?.sync_all()?;
            fs::rename(&part, &path)
        };
        write().map_err(|error| format!("{}: {error}", path.display()))
    }
}
