//! [`Bucket`]: the archive's files in a bucket of anything that speaks S3.
//!
//! In: files that were written; questions for pieces of them. Out: objects; pieces, from a copy on
//! the local disk where there is one ([`cache`]). Requests are signed addresses, which no message
//! shows. A bucket that cannot be reached is left alone for a while, so that questions fail at
//! once instead of waiting one after the other. Never decides what is archived or deleted.

mod cache;
mod object;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rusty_s3::S3Action;
use rusty_s3::actions::{CreateMultipartUpload, CreateMultipartUploadResponse};
use tocsin_store::{Cancel, Shelf, Source};

use crate::config::S3Config;
use cache::Cache;
use object::Object;
use wire::Wire;

/// Bytes of a piece: what is read together, kept together and counted together.
const PIECE_BYTES: u64 = 1024 * 1024;
/// Pieces that are kept in memory.
const PIECES_IN_MEMORY: usize = 16;
/// Files up to this size are sent in one request, larger ones in parts of it, bytes.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Files whose size and version are remembered.
const KNOWN_MAX: usize = 20_000;
/// How long a request may take that moves next to nothing.
const SHORT_MAX: Duration = Duration::from_secs(30);
/// How long a part may take to be sent.
const PART_MAX: Duration = Duration::from_secs(600);
/// The object that is written and read to see whether the bucket can be used.
const PROBE: &str = "tocsin-was-here";

/// Files in a bucket.
#[derive(Clone)]
pub struct Bucket(Arc<Inner>);

struct Inner {
    wire: Wire,
    prefix: String,
    cache: Option<Cache>,
    known: Mutex<HashMap<String, About>>,
    recent: Mutex<VecDeque<(String, u64, Bytes)>>,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct About {
    bytes: u64,
    /// Names its content: another one has another.
    tag: String,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.place()).finish()
    }
}

impl Bucket {
    /// A bucket; pieces that were read are kept in `cache`. Nothing is asked yet.
    pub fn new(config: &S3Config, cache: &Path) -> Self {
        let keeps = config.cache_bytes > 0;
        Self(Arc::new(Inner {
            wire: Wire::new(config),
            prefix: config.prefix.trim_matches('/').to_owned(),
            cache: keeps.then(|| Cache::new(cache.to_owned(), config.cache_bytes)),
            known: Mutex::default(),
            recent: Mutex::default(),
        }))
    }

    fn key(&self, name: &str) -> String {
        if self.0.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.0.prefix) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, About>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Size and version of an object, asked for once.
    fn about(&self, key: &str) -> io::Result<About> {
        if let Some(about) = self.known().get(key) {
            return Ok(about.clone());
        }
        let answer = self.0.wire.ask(SHORT_MAX, |bucket, credentials| {
            bucket.head_object(Some(credentials), key).sign(wire::SIGNED_FOR)
        })?;
        let (Some(bytes), Some(tag)) = (answer.bytes, answer.tag) else {
            return Err(io::Error::other(format!("{key}: the bucket does not say its size")));
        };
        let about = About { bytes, tag };
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key.to_owned(), about.clone());
        Ok(about)
    }

    fn forget(&self, key: &str) {
        self.known().remove(key);
    }

    fn send(&self, key: &str, body: Bytes) -> io::Result<()> {
        self.0.wire.send(PART_MAX, body, |bucket, credentials| {
            bucket.put_object(Some(credentials), key).sign(wire::SIGNED_FOR)
        })?;
        Ok(())
    }

    /// Sends a large file in parts; what was sent goes again when one of them fails.
    fn send_parts(&self, key: &str, file: File, bytes: u64, cancel: &Cancel) -> io::Result<()> {
        let begun = self.0.wire.send(SHORT_MAX, Bytes::new(), |bucket, credentials| {
            bucket.create_multipart_upload(Some(credentials), key).sign(wire::SIGNED_FOR)
        })?;
        let begun: CreateMultipartUploadResponse =
            CreateMultipartUpload::parse_response(&begun.body).map_err(|error| {
                io::Error::other(format!("{key}: an answer without sense: {error}"))
            })?;
        let id = begun.upload_id();
        let sent = self.send_each((key, id), file, bytes, cancel);
        if sent.is_err() {
            // What stays of it is cleared by the bucket's own rules.
            let _ = self.0.wire.delete(|bucket, credentials| {
                bucket.abort_multipart_upload(Some(credentials), key, id).sign(wire::SIGNED_FOR)
            });
        }
        sent
    }

    fn send_each(
        &self,
        (key, id): (&str, &str),
        mut file: File,
        bytes: u64,
        cancel: &Cancel,
    ) -> io::Result<()> {
        let (mut tags, mut left, mut number) = (Vec::new(), bytes, 1);
        while left > 0 {
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let body = read_part(&mut file, left.min(PART_BYTES))?;
            left -= body.len() as u64;
            let answer = self.0.wire.send(PART_MAX, body, |bucket, credentials| {
                let part = bucket.upload_part(Some(credentials), key, number, id);
                part.sign(wire::SIGNED_FOR)
            })?;
            let tag = answer.tag.ok_or_else(|| io::Error::other("a part got no ETag"))?;
            tags.push(tag);
            number += 1;
        }
        self.0.wire.complete(key, id, &tags)
    }
}

fn read_part(file: &mut File, bytes: u64) -> io::Result<Bytes> {
    let mut part = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact(&mut part)?;
    Ok(part.into())
}

impl Shelf for Bucket {
    fn place(&self) -> String {
        self.0.wire.place(&self.0.prefix)
    }

    fn ready(&self) -> io::Result<()> {
        let (key, text) =
            (self.key(PROBE), Bytes::from_static(b"written by tocsin to see if it can\n"));
        self.send(&key, text.clone())?;
        let read = self.0.wire.get(&key, None, 0..text.len() as u64)?;
        if read == text {
            Ok(())
        } else {
            Err(io::Error::other("what was put there reads otherwise"))
        }
    }

    fn put(&self, name: &str, from: &Path, cancel: &Cancel) -> io::Result<()> {
        let key = self.key(name);
        self.forget(&key);
        let mut file = File::open(from)?;
        let bytes = file.metadata()?.len();
        if bytes <= PART_BYTES {
            self.send(&key, read_part(&mut file, bytes)?)
        } else {
            self.send_parts(&key, file, bytes, cancel)
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Source>> {
        let key = self.key(name);
        let about = self.about(&key)?;
        Ok(Arc::new(Object::new(self.clone(), key, about, true)))
    }

    fn open_itself(&self, name: &str) -> io::Result<Arc<dyn Source>> {
        let key = self.key(name);
        self.forget(&key);
        let about = self.about(&key)?;
        Ok(Arc::new(Object::new(self.clone(), key, about, false)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let key = self.key(name);
        self.forget(&key);
        self.0.wire.delete(|bucket, credentials| {
            bucket.delete_object(Some(credentials), &key).sign(wire::SIGNED_FOR)
        })
    }
}
