//! Reads one file: from where it was read to last, line by line, as it grows.
//!
//! In: an open file and its [`FileState`]. Out: records with positions, and the state behind
//! them. Never passes on a line that has no end yet, never reads on in a file whose beginning
//! has changed: that is [`Turn::Replaced`], for the caller to sort out.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use tocsin_model::{Position, Record, Timestamp};

use super::identity::{self, FileId, HEAD_BYTES, Head};
use crate::batch::{Batch, Checkpoint};
use crate::lines::{CHUNK_BYTES, Line, LineSplitter};
use crate::stats::{DropReason, InputStats};

/// A file that was rotated away and not written for so long is read to its end and let go.
pub const LEAVE_AFTER: Duration = Duration::from_secs(60);

/// How far a file was read: what its checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Where the file was followed (not where it was rotated to).
    pub path: String,
    /// Which file it is.
    pub id: FileId,
    /// How often its content was replaced while its id stayed.
    pub generation: u32,
    /// How the content begins.
    pub head: Head,
    /// The stream id of its records; `None` before the first line is complete.
    pub stream: Option<u64>,
    /// Where the next line starts.
    pub offset: u64,
    /// Lines that end before this offset were there when the file was first seen.
    pub history_end: u64,
    /// What was written to the path before this time is read, or known to be left to read;
    /// nanoseconds since 1970.
    pub seen: i64,
    /// True when nothing of it is left to read: it holds what was read from another file, or
    /// cannot grow.
    pub read_out: bool,
}

impl FileState {
    /// The state of a file that was never read.
    pub fn new(path: &Path, id: FileId, now: Timestamp) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            id,
            generation: 0,
            head: Head::default(),
            stream: None,
            offset: 0,
            history_end: 0,
            seen: now.0,
            read_out: false,
        }
    }

    /// The key of its checkpoint.
    pub fn key(&self) -> String {
        key(self.id)
    }

    /// As a checkpoint.
    pub fn checkpoint(&self) -> Checkpoint {
        // A struct of texts and numbers always serializes.
        Checkpoint { key: self.key(), state: serde_json::to_string(self).unwrap_or_default() }
    }

    /// The state of new content in the same file.
    pub fn next_generation(&self, now: Timestamp) -> Self {
        let generation = self.generation + 1;
        Self { generation, ..Self::new(Path::new(&self.path), self.id, now) }
    }
}

/// Checkpoint keys of files start so.
pub const KEY_PREFIX: &str = "file:";

/// The checkpoint key of a file.
pub fn key(id: FileId) -> String {
    format!("{KEY_PREFIX}{}:{}:{}", id.dev, id.inode, id.born)
}

/// What a file's records carry besides their bytes.
#[derive(Debug, Clone)]
pub struct Labels {
    /// Name of the input.
    pub input: Arc<str>,
    /// Path as followed.
    pub path: Arc<str>,
    /// Source or hint.
    pub hint: Option<Arc<str>>,
}

#[derive(Debug)]
enum Content {
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
}

/// One file being read.
#[derive(Debug)]
pub struct Tail {
    /// Number of this tail; never given twice.
    pub number: u64,
    /// Where the file is followed.
    pub path: PathBuf,
    /// The file that is read: another than the state's when its content is read from a copy.
    pub file_id: FileId,
    /// How far it was read.
    pub state: FileState,
    /// Tails that must be read to their end before this one starts.
    pub after: Vec<u64>,
    /// True when its state was stored since it was opened.
    pub stored: bool,
    /// True when nothing more than its end is expected: it was rotated away or deleted.
    pub leaving: bool,
    /// True when it was opened as an older part of the file at `path`.
    pub older: bool,
    /// How long it must not have been written before it is let go.
    pub leave_after: Duration,
    /// True when all that is there was read at least once.
    pub drained: bool,
    /// Lane of its events: its own number, or that of the older parts of the same log.
    pub lane: u64,
    /// Whether the engine was last told that more is there.
    pub told_behind: bool,
    content: Content,
    splitter: LineSplitter,
    record_bytes_max: usize,
    labels: Labels,
    stats: Arc<InputStats>,
    /// How the content begins, as last seen.
    head: Vec<u8>,
    /// True when there was nothing in the file yet when its older parts were looked for.
    began_empty: bool,
    /// Size and time of the last look that found nothing new.
    quiet: Option<(u64, SystemTime)>,
}

/// What one turn of reading gave.
#[derive(Debug)]
pub enum Turn {
    /// Something was read; the batch may hold no complete line yet.
    Read(Batch),
    /// Nothing new.
    Quiet,
    /// The content is not the one that was read before.
    Replaced,
    /// The file is read to its end for good; the batch may hold its last line.
    Ended(Batch),
}

impl Tail {
    /// Reads `file` from where `state` says.
    pub fn new(
        number: u64,
        path: &Path,
        file: File,
        gzip: bool,
        state: FileState,
        line_bytes_max: usize,
        (labels, stats): (Labels, Arc<InputStats>),
    ) -> io::Result<Self> {
        let file_id = FileId::from(&file.metadata()?);
        let content = if gzip {
            let mut decoder = Box::new(MultiGzDecoder::new(file));
            io::copy(&mut decoder.by_ref().take(state.offset), &mut io::sink())?;
            Content::Gzip(decoder)
        } else {
            Content::Plain(file)
        };
        let splitter = LineSplitter::new(state.offset, line_bytes_max);
        Ok(Self {
            number,
            path: path.to_owned(),
            file_id,
            state,
            after: Vec::new(),
            stored: false,
            leaving: gzip,
            older: false,
            leave_after: LEAVE_AFTER,
            drained: false,
            told_behind: false,
            lane: number,
            content,
            splitter,
            record_bytes_max: line_bytes_max,
            labels,
            stats,
            head: Vec::new(),
            began_empty: false,
            quiet: None,
        })
    }

    /// Says that the file was empty and last written at `modified` when its older parts were
    /// looked for.
    pub fn was_empty(&mut self, modified: SystemTime) {
        self.quiet = Some((0, modified));
        self.began_empty = true;
    }

    /// How the content began when it was last looked at.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Looks how the content begins now, if it is still the same.
    pub fn look_at_head(&mut self) {
        let Content::Plain(file) = &self.content else { return };
        if let Ok(head) = identity::read_head(file)
            && self.state.head.matches(&head)
        {
            self.state.head.grow(&head);
        }
    }

    /// True when it is compressed: it does not grow.
    pub fn is_gzip(&self) -> bool {
        matches!(self.content, Content::Gzip(_))
    }

    /// True when no name leads to the file any more.
    pub fn is_deleted(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        match &self.content {
            Content::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            Content::Gzip(_) => false,
        }
    }

    /// Reads the next part.
    ///
    /// # Errors
    /// When the disk or the compression is broken; the next turn tries again.
    pub fn turn(&mut self, now: SystemTime) -> io::Result<Turn> {
        let room = match self.state.history_end.checked_sub(self.splitter.position()) {
            // What was there at first sight and what came later never share a batch.
            Some(history) if history > 0 => {
                usize::try_from(history).unwrap_or(usize::MAX).min(CHUNK_BYTES)
            }
            _ => CHUNK_BYTES,
        };
        match &mut self.content {
            Content::Gzip(decoder) => {
                let mut chunk = Vec::new();
                decoder.by_ref().take(room as u64).read_to_end(&mut chunk)?;
                if self.head.is_empty() {
                    self.head = chunk[..chunk.len().min(HEAD_BYTES)].to_vec();
                }
                Ok(if chunk.is_empty() {
                    Turn::Ended(self.finish(now))
                } else {
                    Turn::Read(self.take(&Bytes::from(chunk), now))
                })
            }
            Content::Plain(_) => self.plain_turn(room, now),
        }
    }

    fn plain_turn(&mut self, room: usize, now: SystemTime) -> io::Result<Turn> {
        let Content::Plain(file) = &self.content else { return Ok(Turn::Quiet) };
        let metadata = file.metadata()?;
        let (size, modified) = (metadata.len(), metadata.modified()?);
        let position = self.splitter.position();
        self.stats.set_lag_bytes(size.saturating_sub(position));
        if self.quiet == Some((size, modified)) {
            return Ok(self.rest_or_quiet(modified, now));
        }
        let mut chunk =
            vec![0; room.min(usize::try_from(size.saturating_sub(position)).unwrap_or(room))];
        let read = read_at(file, &mut chunk, position)?;
        chunk.truncate(read);
        // Looked at after reading: what was read belongs to this beginning.
        let head = identity::read_head(file)?;
        // A file that was empty may have been written and truncated more than once before we
        // looked: older parts would have that.
        let first_content = self.began_empty && !self.leaving;
        if size < position || !self.state.head.matches(&head) || first_content {
            return Ok(Turn::Replaced);
        }
        self.state.head.grow(&head);
        self.head = head;
        if chunk.is_empty() {
            self.quiet = Some((size, modified));
            return Ok(self.rest_or_quiet(modified, now));
        }
        self.quiet = None;
        Ok(Turn::Read(self.take(&Bytes::from(chunk), now)))
    }

    fn rest_or_quiet(&mut self, modified: SystemTime, now: SystemTime) -> Turn {
        self.drained = true;
        let unwritten = now.duration_since(modified).unwrap_or_default();
        if self.leaving && unwritten >= self.leave_after {
            Turn::Ended(self.finish(now))
        } else {
            Turn::Quiet
        }
    }

    /// Whether more is there now than was read, as far as is known.
    pub fn is_behind(&self) -> bool {
        match &self.content {
            Content::Gzip(_) => !self.drained,
            Content::Plain(file) => {
                file.metadata().is_ok_and(|metadata| metadata.len() > self.splitter.position())
            }
        }
    }

    /// What is left when no more will come: a last line without an end.
    pub fn finish(&mut self, now: SystemTime) -> Batch {
        self.drained = true;
        self.stats.set_lag_bytes(0);
        let last = self.splitter.finish();
        self.batch(last.into_iter().collect(), now)
    }

    fn take(&mut self, chunk: &Bytes, now: SystemTime) -> Batch {
        let mut lines = Vec::new();
        self.splitter.push(chunk, &mut lines);
        self.batch(lines, now)
    }

    fn batch(&mut self, lines: Vec<Line>, now: SystemTime) -> Batch {
        let lines = crate::multiline::join(lines, self.record_bytes_max);
        let Some(last) = lines.last() else { return Batch::default() };
        let received = Timestamp::from_system(now);
        let next = last.next;
        let stream = *self.state.stream.get_or_insert_with(|| {
            identity::stream(self.state.id, self.state.generation, &self.head)
        });
        let mut batch = Batch { historical: next <= self.state.history_end, ..Batch::default() };
        let mut bytes = 0;
        for mut line in lines {
            self.stats.dropped(DropReason::Oversize, u64::from(line.cut));
            skip_hole(&mut line.bytes);
            if line.bytes.is_empty() {
                continue;
            }
            bytes += line.bytes.len() as u64;
            batch.records.push(Record {
                input: self.labels.input.clone(),
                position: Position { stream, offset: line.start, next: line.next },
                received,
                bytes: line.bytes,
                hint: self.labels.hint.clone(),
                peer: None,
                path: Some(self.labels.path.clone()),
            });
        }
        self.stats.received(batch.records.len() as u64, bytes, received);
        self.state.offset = next;
        if !self.older {
            self.state.seen = received.0;
        }
        batch.checkpoints.push(self.state.checkpoint());
        batch
    }
}

/// A program that writes on at its old place after its log was truncated leaves a hole, which
/// reads as NULs before the line.
fn skip_hole(line: &mut Bytes) {
    if line.first() == Some(&0) {
        let hole = line.iter().take_while(|byte| **byte == 0).count();
        drop(line.split_to(hole));
    }
}

fn read_at(file: &File, chunk: &mut [u8], position: u64) -> io::Result<usize> {
    loop {
        match file.read_at(chunk, position) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
