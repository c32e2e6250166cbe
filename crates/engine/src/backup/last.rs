//! [`Last`]: how the last backup went, in a file of the data directory, so that the running server
//! can tell of one that failed. Whoever makes one holds the file locked.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;

/// The file, in the data directory.
const FILE: &str = "last_backup.json";
/// What directories begin with that hold links while a backup is made.
pub(super) const STAGED: &str = ".backup-";

/// How the last backup went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When it began.
    pub at: Timestamp,
    /// The file that it is in.
    pub file: String,
    /// Bytes before packing.
    #[serde(default)]
    pub bytes: u64,
    /// Why there is none.
    #[serde(default)]
    pub error: Option<String>,
}

/// How the last backup of a data directory went; `None` when there was none, or one is under way.
pub fn last(data: &Path) -> Option<Last> {
    let mut file = File::open(data.join(FILE)).ok()?;
    if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// A backup under way.
pub(super) struct UnderWay {
    file: Option<File>,
    last: Last,
}

impl UnderWay {
    /// Notes that one begins, and clears away what one left that was cut short.
    pub(super) fn begin(data: &Path, target: &Path) -> Result<Self, String> {
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let file = target.display().to_string();
        let error = Some("was cut short".to_owned());
        let last = Last { at: now, file, bytes: 0, error };
        // Where nothing can be written, the backup itself will say so.
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(data.join(FILE))
            .ok();
        if let Some(file) = &file
            && matches!(file.try_lock(), Err(TryLockError::WouldBlock))
        {
            return Err(format!("{}: another backup is under way", data.display()));
        }
        for left in staged(data) {
            // Links: what they point to stays.
            let _ = fs::remove_dir_all(left);
        }
        let mut under_way = Self { file, last };
        under_way.write();
        Ok(under_way)
    }

    /// Notes how it ended.
    pub(super) fn end<T>(mut self, done: &Result<T, String>, bytes: u64) {
        self.last.error = done.as_ref().err().cloned();
        self.last.bytes = bytes;
        self.write();
    }

    fn write(&mut self) {
        let Some(file) = &mut self.file else { return };
        let text = serde_json::to_string(&self.last).unwrap_or_default();
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        if let Err(error) = written {
            tracing::warn!("how the backup goes cannot be noted: {error}");
        }
    }
}

fn staged(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGED));
    named.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_noted_until_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let (data, target) = (dir.path(), Path::new("/backups/one.tar.zst"));
        assert_eq!(last(data), None);
        fs::create_dir(data.join(".backup-1")).unwrap();
        let first = UnderWay::begin(data, target).unwrap();
        assert!(!data.join(".backup-1").exists(), "what was cut short is cleared away");
        assert_eq!(last(data), None, "under way");
        assert!(UnderWay::begin(data, target).is_err_and(|why| why.contains("under way")));
        drop(first);
        let error = |last: Option<Last>| last.and_then(|last| last.error).unwrap_or_default();
        assert_eq!(error(last(data)), "was cut short");
        UnderWay::begin(data, target).unwrap().end(&Err::<(), _>("disk full".to_owned()), 0);
        assert_eq!(error(last(data)), "disk full");
        UnderWay::begin(data, target).unwrap().end(&Ok::<_, String>(()), 7);
        let last = last(data).unwrap();
        assert_eq!((last.error, last.bytes, last.file.as_str()), (None, 7, "/backups/one.tar.zst"));
    }
}
