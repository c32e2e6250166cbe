//! Tells files apart: by device and inode, and by how their content begins.
//!
//! In: open files. Out: [`FileId`], [`Head`], the stream id that positions carry. Never reads
//! more than the first bytes of a file.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// So many bytes at the start of a file tell its content apart from another's.
pub const HEAD_BYTES: usize = 1024;

/// Which file this is on this machine, as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId {
    /// The device's number; may change when the machine restarts.
    pub dev: u64,
    /// The file's number on its device; may be given to another file once this one is deleted.
    pub inode: u64,
    /// When it was made, nanoseconds since 1970, so that the next file with its number is another
    /// one; 0 where the file system does not know.
    pub born: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        let born = metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
        let born = u64::try_from(born.unwrap_or_default().as_nanos()).unwrap_or_default();
        Self { dev: metadata.dev(), inode: metadata.ino(), born }
    }
}

/// Fingerprint of how a file begins. Grows with the file up to [`HEAD_BYTES`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many bytes it covers.
    pub length: usize,
    /// Their hash.
    hash: String,
}

impl Head {
    /// The fingerprint of a file that begins with `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let length = bytes.len().min(HEAD_BYTES);
        let hash = blake3::hash(&bytes[..length]).to_hex();
        Self { length, hash: hash[..32].to_owned() }
    }

    /// Takes over how the same file begins now.
    pub fn grow(&mut self, bytes: &[u8]) {
        if self.length < bytes.len().min(HEAD_BYTES) {
            *self = Self::of(bytes);
        }
    }

    /// True when a file that begins with `bytes` may be the same one, grown.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.length == 0
            || bytes.get(..self.length).is_some_and(|bytes| Self::of(bytes).hash == self.hash)
    }

    /// True when a file that begins with `bytes` holds the same content: something is known
    /// about this one, and the other has it all.
    pub fn is_copied_in(&self, bytes: &[u8]) -> bool {
        self.length > 0 && self.matches(bytes)
    }
}

/// How `file` begins, at most [`HEAD_BYTES`].
pub fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut read = 0;
    while read < head.len() {
        match file.read_at(&mut head[read..], read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(read);
    Ok(head)
}

/// How the content of the gzip file `file` begins, at most [`HEAD_BYTES`].
pub fn read_gzip_head(mut file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    flate2::read::MultiGzDecoder::new(file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

/// The stream id of the content that begins with `head`, the `generation`th in this file.
///
/// Of the content it takes only the first line, which no longer changes once it is complete, so
/// that the same file gives the same ids again when a crash came before the first checkpoint.
pub fn stream(id: FileId, generation: u32, head: &[u8]) -> u64 {
    let line = memchr::memchr(b'\n', head).map_or(head, |newline| &head[..=newline]);
    let mut hash = blake3::Hasher::new();
    hash.update(b"file");
    hash.update(&id.dev.to_le_bytes());
    hash.update(&id.inode.to_le_bytes());
    hash.update(&id.born.to_le_bytes());
    hash.update(&generation.to_le_bytes());
    hash.update(line);
    let mut stream = [0; 8];
    hash.finalize_xof().fill(&mut stream);
    u64::from_le_bytes(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_fits_what_grew_from_it() {
        let long = vec![b'x'; HEAD_BYTES + 1];
        for (head, bytes, fits) in [
            (&b""[..], &b"anything"[..], true),
            (b"one\n", b"one\n", true),
            (b"one\n", b"one\ntwo\n", true),
            (b"one\n", b"one", false),
            (b"one\n", b"two\ntwo\n", false),
            (&long, &long[..HEAD_BYTES], true),
            (&long, &long[..HEAD_BYTES - 1], false),
        ] {
            assert_eq!(Head::of(head).matches(bytes), fits, "{head:?} {bytes:?}");
        }
    }

    #[test]
    fn a_stream_depends_on_file_generation_and_first_line_only() {
        let id = FileId { dev: 1, inode: 2, born: 3 };
        let first = stream(id, 0, b"one\n");
        assert_eq!(first, stream(id, 0, b"one\ntwo\n"));
        assert_ne!(first, stream(id, 0, b"two\n"));
        assert_ne!(first, stream(id, 1, b"one\n"));
        assert_ne!(first, stream(FileId { inode: 3, ..id }, 0, b"one\n"));
        assert_ne!(first, stream(FileId { born: 4, ..id }, 0, b"one\n"));
    }
}
