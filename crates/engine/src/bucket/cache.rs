//! [`Cache`]: copies of pieces that were read from a bucket, on the local disk within a limit.
//!
//! Each copy is a file that ends with its digest, so that a torn or changed one is none. The least
//! recently read go first. A cache that cannot be written keeps nothing, and nobody minds.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;
/// When there is too much, so much of the limit stays, percent.
const KEPT_PERCENT: u64 = 90;

/// Copies of pieces.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    bytes_max: u64,
    /// Bytes in it, once they were counted.
    used: Mutex<Option<u64>>,
}

/// A short name for something long.
pub(super) fn name_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Cache {
    pub(super) fn new(dir: PathBuf, bytes_max: u64) -> Self {
        Self { dir, bytes_max, used: Mutex::new(None) }
    }

    fn path(&self, name: &str, number: u64) -> PathBuf {
        self.dir.join(format!("{name}-{number}"))
    }

    /// A copy of this length.
    pub(super) fn get(&self, name: &str, number: u64, len: usize) -> Option<Bytes> {
        let path = self.path(name, number);
        let bytes = Bytes::from(fs::read(&path).ok()?);
        let good = bytes.len() == len + DIGEST_BYTES
            && Sha256::digest(&bytes[..len]).as_slice() == &bytes[len..];
        if !good {
            // Written anew in a moment.
            let _ = fs::remove_file(&path);
            return None;
        }
        // Who reads for somebody else may not be allowed to say so.
        let now = FileTimes::new().set_modified(SystemTime::now());
        let _ = File::options().write(true).open(&path).and_then(|file| file.set_times(now));
        Some(bytes.slice(..len))
    }

    /// Keeps a copy.
    pub(super) fn put(&self, name: &str, number: u64, bytes: &Bytes) {
        if let Err(error) = self.try_put(name, number, bytes) {
            tracing::debug!(dir = %self.dir.display(), %error, "a copy is not kept");
        }
    }

    fn try_put(&self, name: &str, number: u64, bytes: &Bytes) -> io::Result<()> {
        // Only beside data that is there.
        if !self.dir.is_dir() {
            fs::create_dir(&self.dir)?;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let size = (bytes.len() + DIGEST_BYTES) as u64;
        let now = match *used {
            Some(now) => now,
            None => list(&self.dir)?.iter().map(|copy| copy.bytes).sum(),
        };
        *used = Some(now);
        if now + size > self.bytes_max {
            *used = Some(self.shrink(size)?);
        }
        let path = self.path(name, number);
        let part = self.dir.join(format!("{name}-{number}.part{}", std::process::id()));
        let mut file = File::create(&part)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.write_all(&Sha256::digest(bytes)))
            .and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            // Left over at worst, and the first to go then.
            let _ = fs::remove_file(&part);
        }
        written?;
        *used = used.map(|used| used + size);
        Ok(())
    }

    /// Makes room for so many bytes; how many are left.
    fn shrink(&self, size: u64) -> io::Result<u64> {
        let mut copies = list(&self.dir)?;
        copies.sort_by_key(|copy| copy.read);
        let mut left: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let kept = (self.bytes_max / 100 * KEPT_PERCENT).saturating_sub(size);
        for copy in copies {
            if left <= kept {
                break;
            }
            fs::remove_file(&copy.path)?;
            left -= copy.bytes;
        }
        Ok(left)
    }
}

/// A file of the cache.
struct Copied {
    path: PathBuf,
    bytes: u64,
    read: SystemTime,
}

fn list(dir: &Path) -> io::Result<Vec<Copied>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // Another process may have made room meanwhile.
        let Ok(about) = entry.metadata() else { continue };
        let read = about.modified()?;
        all.push(Copied { path: entry.path(), bytes: about.len(), read });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_stays_within_its_limit_and_gives_back_what_it_got() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("copies");
        let cache = Cache::new(place.clone(), 10_000);
        let piece = |number: u64| Bytes::from(vec![number as u8; 900]);
        for number in 0..40 {
            cache.put("a", number, &piece(number));
            let bytes: u64 = list(&place).unwrap().iter().map(|copy| copy.bytes).sum();
            assert!(bytes <= 10_000, "{bytes} after {number}");
        }
        assert_eq!(cache.get("a", 39, 900), Some(piece(39)));
        assert_eq!((cache.get("a", 0, 900), cache.get("b", 39, 900)), (None, None));
        // A start counts what is there.
        let again = Cache::new(place.clone(), 10_000);
        (40..60).for_each(|number| again.put("a", number, &piece(number)));
        assert!(list(&place).unwrap().len() <= 10);
    }

    #[test]
    fn a_copy_that_was_torn_or_changed_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("copies"), 10_000);
        let path = dir.path().join("copies/a-1");
        for spoil in [&b""[..], b"short", &[7; 132]] {
            cache.put("a", 1, &Bytes::from(vec![1; 100]));
            assert!(cache.get("a", 1, 100).is_some());
            fs::write(&path, spoil).unwrap();
            assert_eq!(cache.get("a", 1, 100), None);
            assert!(!path.exists());
        }
        // Nothing beside data that is not there.
        let away = Cache::new(dir.path().join("no/copies"), 10_000);
        away.put("a", 1, &Bytes::from_static(b"x"));
        assert_eq!(away.get("a", 1, 1), None);
    }
}
