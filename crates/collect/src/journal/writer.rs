//! The journal's writer: one thread that owns the files.
//!
//! In: blocks to append, offsets that are stored elsewhere. Out: answers once blocks are synced,
//! the durable offset. Never answers before the disk did, never leaves half a block before the
//! durable offset.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::segment::{self, HEADER_BYTES, Header};
use super::{Command, JournalError, Shared};
use crate::config::JournalLimits;

/// Most bytes that are synced together.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Smallest segment, in bytes.
const SEGMENT_BYTES_MIN: u64 = 4096;
/// A journal has at least so many segments' worth of room, so that it can free the oldest.
const SEGMENTS_MIN: u64 = 4;

type Reply = oneshot::Sender<Result<(), JournalError>>;

/// What the writer needs of a disk; tests put a broken one in its place.
pub(super) trait Disk: Send {
    /// Creates an empty file in place of any that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
    /// Opens a file to write on at `length`, cutting off what is behind.
    fn reopen(&self, path: &Path, length: u64) -> io::Result<Box<dyn SegmentFile>>;
}

/// What the writer needs of a file.
pub(super) trait SegmentFile: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn reopen(&self, path: &Path, length: u64) -> io::Result<Box<dyn SegmentFile>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.cut(length)?;
        Ok(Box::new(file))
    }
}

impl SegmentFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

pub(super) struct Writer {
    disk: Box<dyn Disk>,
    segment_bytes: u64,
    total_bytes_max: u64,
    shared: Arc<Shared>,
    /// The segment that is written to; `None` when the next append must start one.
    active: Option<(u64, Box<dyn SegmentFile>)>,
    /// Held as long as this process uses the directory.
    _lock: File,
}

/// How long a directory may still be held, by a Tocsin that is stopping or a program that it is
/// just starting.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(1);
/// How often it is tried meanwhile.
const LOCK_TRY_EVERY: Duration = Duration::from_millis(20);

/// Takes the lock of the directory.
fn take(lock: &File) -> io::Result<()> {
    let end = Instant::now() + LOCK_WAIT_MAX;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::Error(cause)) => return Err(cause),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(LOCK_TRY_EVERY);
            }
            Err(fs::TryLockError::WouldBlock) => {
                let message = "another process uses this directory";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
            }
        }
    }
}

impl Writer {
    pub(super) fn open(
        disk: Box<dyn Disk>,
        dir: &Path,
        limits: &JournalLimits,
    ) -> Result<Self, JournalError> {
        let failed = |cause: io::Error| JournalError::disk(dir, &cause);
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        take(&lock).map_err(failed)?;
        let found = find_segments(dir)?;
        let id = found.id.unwrap_or_else(|| new_id(dir));
        let end = found.segments.last_key_value().map_or(0, |(_, end)| *end);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            id,
            durable: watch::Sender::new(end),
            released: AtomicU64::new(0),
            segments: Mutex::new(found.segments),
        });
        let segment_bytes =
            limits.segment_bytes.min(limits.total_bytes_max / SEGMENTS_MIN).max(SEGMENT_BYTES_MIN);
        let total_bytes_max = limits.total_bytes_max.max(segment_bytes * SEGMENTS_MIN);
        let mut writer =
            Self { disk, segment_bytes, total_bytes_max, shared, active: None, _lock: lock };
        match writer.reopen_last() {
            // Without space the journal still gives out what it holds, and waits for space.
            Err(cause) if cause.kind() != io::ErrorKind::StorageFull => Err(failed(cause)),
            _ => Ok(writer),
        }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Append { block, reply } => {
                        bytes += block.len();
                        group.push((block, reply));
                    }
                    Command::SkipTo { offset, reply } => {
                        self.append(std::mem::take(&mut group));
                        let _ = reply.send(self.skip_to(offset));
                    }
                    Command::Release => {}
                }
                next = if bytes < GROUP_BYTES_MAX { commands.try_recv().ok() } else { None };
            }
            self.free();
            self.append(group);
        }
    }

    /// Writes a group of blocks with one sync and answers each caller.
    fn append(&mut self, group: Vec<(Bytes, Reply)>) {
        let mut taken = Vec::with_capacity(group.len());
        let mut bytes = Vec::new();
        for (block, reply) in group {
            match self.make_room(bytes.len() + block.len()) {
                Ok(()) => {
                    bytes.extend_from_slice(&block);
                    taken.push(reply);
                }
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        if taken.is_empty() {
            return;
        }
        let result =
            self.write(&bytes).map_err(|cause| JournalError::disk(&self.shared.dir, &cause));
        for reply in taken {
            let _ = reply.send(result.clone());
        }
    }

    /// Checks the limit on the whole journal.
    fn make_room(&mut self, bytes: usize) -> Result<(), JournalError> {
        let max = self.total_bytes_max;
        let used = |writer: &Self| segment::used_bytes(&writer.shared.segments());
        // The first block always fits into an empty journal, however small that is.
        let fits = |used: u64| used + bytes as u64 <= max || used <= HEADER_BYTES;
        if !fits(used(self)) && self.everything_is_released() {
            // Even the segment in use holds only what is stored already.
            if self.start_segment(self.end()).is_ok() {
                self.free();
            }
        }
        let used = used(self);
        if fits(used) { Ok(()) } else { Err(JournalError::Full { used, max }) }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.end();
        let full = match &self.active {
            Some((base, _)) => end > *base && end - base + bytes.len() as u64 > self.segment_bytes,
            None => true,
        };
        if full {
            self.start_segment(end)?;
        }
        let Some((base, file)) = &mut self.active else { return Ok(()) };
        let base = *base;
        if let Err(error) = file.write(bytes).and_then(|()| file.sync()) {
            // What of it reached the disk is unknown: it must not be found there later.
            let cut = file.cut(end - base + HEADER_BYTES).and_then(|()| file.sync());
            if cut.is_err() {
                self.active = None;
            }
            return Err(error);
        }
        let end = end + bytes.len() as u64;
        self.shared.segments().insert(base, end);
        self.shared.durable.send_replace(end);
        Ok(())
    }

    /// Where the next block goes.
    fn end(&self) -> u64 {
        *self.shared.durable.borrow()
    }

    fn everything_is_released(&self) -> bool {
        self.shared.released.load(Ordering::Relaxed) >= self.end()
    }

    fn start_segment(&mut self, base: u64) -> io::Result<()> {
        if matches!(&self.active, Some((active, _)) if *active == base) {
            return Ok(());
        }
        let path = segment::path(&self.shared.dir, base);
        let mut file = self.disk.create(&path)?;
        file.write(&segment::encode_header(self.shared.id, base))?;
        file.sync()?;
        File::open(&self.shared.dir)?.sync_all()?;
        self.shared.segments().insert(base, base);
        self.active = Some((base, file));
        Ok(())
    }

    fn reopen_last(&mut self) -> io::Result<()> {
        let last = self.shared.segments().last_key_value().map(|(base, end)| (*base, *end));
        let Some((base, end)) = last else { return self.start_segment(0) };
        let path = segment::path(&self.shared.dir, base);
        let mut file = self.disk.reopen(&path, end - base + HEADER_BYTES)?;
        file.sync()?;
        self.active = Some((base, file));
        Ok(())
    }

    fn skip_to(&mut self, offset: u64) -> Result<(), JournalError> {
        if offset <= self.end() {
            return Ok(());
        }
        tracing::warn!(
            from = self.end(),
            to = offset,
            "the journal ends before what is already stored: the disk lost data; going on behind it"
        );
        self.start_segment(offset).map_err(|cause| JournalError::disk(&self.shared.dir, &cause))?;
        self.shared.durable.send_replace(offset);
        Ok(())
    }

    /// Deletes the segments whose entries are all stored.
    fn free(&mut self) {
        let released = self.shared.released.load(Ordering::Relaxed);
        let active = self.active.as_ref().map(|(base, _)| *base);
        let mut segments = self.shared.segments();
        // The last segment stays: it remembers where the journal goes on.
        let last = segments.last_key_value().map(|(base, _)| *base);
        segments.retain(|base, end| {
            let done = *end <= released && Some(*base) != active && Some(*base) != last;
            // A file that cannot be deleted now is tried again with the next release.
            !(done && fs::remove_file(segment::path(&self.shared.dir, *base)).is_ok())
        });
    }
}

struct Found {
    id: Option<u64>,
    segments: BTreeMap<u64, u64>,
}

/// Finds the segments in `dir` and how much of each is whole.
fn find_segments(dir: &Path) -> Result<Found, JournalError> {
    let failed = |cause: io::Error| JournalError::disk(dir, &cause);
    let mut bases = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        bases.extend(segment::base_of(&entry.map_err(failed)?.path()));
    }
    bases.sort_unstable();
    let mut found = Found { id: None, segments: BTreeMap::new() };
    let mut next_base = None;
    for base in bases.into_iter().rev() {
        let path = segment::path(dir, base);
        let failed = |cause: io::Error| JournalError::disk(&path, &cause);
        let length = fs::metadata(&path).map_err(failed)?.len();
        let mut header = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(HEADER_BYTES).read_to_end(&mut header).map_err(failed)?;
        match segment::decode_header(&header, base) {
            Header::Good(id) if found.id.is_none_or(|known| known == id) => found.id = Some(id),
            Header::OtherVersion(version) => return Err(other_version(&path, version)),
            _ => {
                set_aside(&path, length).map_err(failed)?;
                continue;
            }
        }
        let end = match next_base {
            // Behind this segment a new one was started: what exceeds it was never accepted.
            Some(next) => (base + length - HEADER_BYTES).min(next),
            None => base + whole_bytes(&path, length).map_err(failed)?,
        };
        found.segments.insert(base, end);
        next_base = Some(base);
    }
    Ok(found)
}

/// How much of the last segment is whole: a crash may have left half a block at its end.
fn whole_bytes(path: &Path, length: u64) -> io::Result<u64> {
    let mut blocks = fs::read(path)?;
    let blocks = Bytes::from(blocks.split_off(blocks.len().min(HEADER_BYTES as usize)));
    let whole = segment::whole_bytes(blocks);
    let torn = length.saturating_sub(HEADER_BYTES + whole);
    if torn > 0 {
        tracing::info!(path = %path.display(), torn, "cut off the journal's unfinished end");
    }
    Ok(whole)
}

/// Removes a segment that was never completely begun; keeps any other for the user to look at.
fn set_aside(path: &Path, length: u64) -> io::Result<()> {
    if length <= HEADER_BYTES {
        return fs::remove_file(path);
    }
    let aside = path.with_extension("damaged");
    tracing::error!(path = %aside.display(), "set aside a journal file that is not readable");
    fs::rename(path, aside)
}

fn other_version(path: &Path, version: char) -> JournalError {
    JournalError::Disk {
        path: path.display().to_string(),
        cause: format!("written in version {version} of the format"),
        remedy: "start the Tocsin that wrote it, or move the file away",
    }
}

/// An identity that no other journal has: the time it was made, and where.
fn new_id(dir: &Path) -> u64 {
    let mut hash = blake3::Hasher::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    hash.update(&now.as_nanos().to_le_bytes());
    hash.update(&std::process::id().to_le_bytes());
    hash.update(dir.as_os_str().as_encoded_bytes());
    let mut id = [0; 8];
    hash.finalize_xof().fill(&mut id);
    u64::from_le_bytes(id)
}
