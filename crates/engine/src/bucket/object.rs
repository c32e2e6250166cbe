//! [`Object`]: one file of a bucket, open to be read in pieces.

use std::io;

use bytes::{Bytes, BytesMut};
use tocsin_store::Source;

use super::{About, Bucket, PIECE_BYTES, PIECES_IN_MEMORY};

/// An open file.
pub(super) struct Object {
    bucket: Bucket,
    key: String,
    about: About,
    /// Names key and content for the cache.
    name: String,
    /// Whether copies of pieces will do.
    copies: bool,
}

impl Object {
    pub(super) fn new(bucket: Bucket, key: String, about: About, copies: bool) -> Self {
        let whole = format!("{}\n{key}\n{}", bucket.0.wire.address(), about.tag);
        let name = super::cache::name_of(&whole);
        Self { bucket, key, about, name, copies }
    }

    fn get(&self, start: u64, end: u64) -> io::Result<Bytes> {
        let got = self.bucket.0.wire.get(&self.key, Some(&self.about.tag), start..end);
        got.inspect_err(|_| self.bucket.forget(&self.key))
    }

    /// A piece by its number.
    fn piece(&self, number: u64) -> io::Result<Bytes> {
        let inner = &self.bucket.0;
        let recent = || inner.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        {
            let mut recent = recent();
            let found = recent.iter().position(|(name, of, _)| *of == number && *name == self.name);
            if let Some(found) = found.and_then(|place| recent.remove(place)) {
                let bytes = found.2.clone();
                recent.push_back(found);
                return Ok(bytes);
            }
        }
        let start = number * PIECE_BYTES;
        let end = (start + PIECE_BYTES).min(self.about.bytes);
        let len = (end - start) as usize;
        let copy = inner.cache.as_ref().and_then(|cache| cache.get(&self.name, number, len));
        let bytes = match copy {
            Some(bytes) => bytes,
            None => {
                let bytes = self.get(start, end)?;
                if let Some(cache) = &inner.cache {
                    cache.put(&self.name, number, &bytes);
                }
                bytes
            }
        };
        let mut recent = recent();
        if recent.len() >= PIECES_IN_MEMORY {
            recent.pop_front();
        }
        recent.push_back((self.name.clone(), number, bytes.clone()));
        Ok(bytes)
    }
}

impl Source for Object {
    fn bytes(&self) -> u64 {
        self.about.bytes
    }

    fn read(&self, start: u64, len: usize) -> io::Result<Bytes> {
        // A damaged file may ask for anything.
        let end = start.checked_add(len as u64).filter(|end| *end <= self.about.bytes);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if len == 0 {
            return Ok(Bytes::new());
        }
        if !self.copies {
            return self.get(start, end);
        }
        let (first, last) = (start / PIECE_BYTES, (end - 1) / PIECE_BYTES);
        let mut all = BytesMut::new();
        for number in first..=last {
            let piece = self.piece(number)?;
            let begins = number * PIECE_BYTES;
            let from = start.saturating_sub(begins) as usize;
            let to = (end - begins).min(piece.len() as u64) as usize;
            let wanted = piece.get(from..to).map(|_| piece.slice(from..to));
            let wanted = wanted.ok_or(io::ErrorKind::UnexpectedEof)?;
            if first == last {
                return Ok(wanted);
            }
            all.extend_from_slice(&wanted);
        }
        Ok(all.freeze())
    }
}
