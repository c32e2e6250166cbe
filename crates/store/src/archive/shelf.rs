//! [`Shelf`]: where archived files are. A directory here, a bucket elsewhere; whoever reads and
//! writes archives does not know.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::request::Cancel;

/// A place for files that are written once and never changed. Names are relative, such as
/// `p000001-2026-11-21/nginx.parquet`.
pub trait Shelf: Send + Sync + std::fmt::Debug {
    /// What people call it.
    fn place(&self) -> String;

    /// Sees whether files can be kept and read now, without waiting long.
    ///
    /// # Errors
    /// When they cannot; the reason names the remedy.
    fn ready(&self) -> io::Result<()> {
        Ok(())
    }

    /// Keeps a copy of the file under the name; durable when this returns. What had the name is
    /// replaced. Ends early when somebody cancels.
    ///
    /// # Errors
    /// When it cannot be written, or somebody cancelled.
    fn put(&self, name: &str, from: &Path, cancel: &Cancel) -> io::Result<()>;

    /// Opens a file.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Source>>;

    /// The same for who wants to know whether the file is what was put there: no copy of it that
    /// somebody keeps elsewhere will do.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    fn open_itself(&self, name: &str) -> io::Result<Arc<dyn Source>> {
        self.open(name)
    }

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An open file.
pub trait Source: Send + Sync {
    /// Bytes in it.
    fn bytes(&self) -> u64;

    /// These bytes of it.
    ///
    /// # Errors
    /// When they cannot be read, or there are not as many.
    fn read(&self, start: u64, len: usize) -> io::Result<Bytes>;
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory(pub PathBuf);

impl Shelf for Directory {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn put(&self, name: &str, from: &Path, _cancel: &Cancel) -> io::Result<()> {
        let target = self.0.join(name);
        let dir = target.parent().unwrap_or(&self.0);
        fs::create_dir_all(dir)?;
        let part = target.with_extension("part");
        fs::copy(from, &part)?;
        File::open(&part)?.sync_all()?;
        fs::rename(&part, &target)?;
        File::open(dir)?.sync_all()?;
        File::open(&self.0)?.sync_all()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Source>> {
        let file = File::open(self.0.join(name))?;
        let bytes = file.metadata()?.len();
        Ok(Arc::new(LocalFile { file, bytes }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(dir) = path.parent() {
            // Stays while there is something in it.
            let _ = fs::remove_dir(dir);
        }
        Ok(())
    }
}

struct LocalFile {
    file: File,
    bytes: u64,
}

impl Source for LocalFile {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&self, start: u64, len: usize) -> io::Result<Bytes> {
        // A damaged file may ask for anything.
        if start.checked_add(len as u64).is_none_or(|end| end > self.bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}
