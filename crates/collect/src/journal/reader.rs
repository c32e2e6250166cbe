//! Reads the journal back, in order, as far as it is safe on disk.
//!
//! In: segment files. Out: batches of records with positions and the checkpoint behind them.
//! Never reads past the durable offset, never stops at a damaged place for good.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tocsin_model::{Position, Record};

use super::segment::{self, BLOCK_HEADER_BYTES, HEADER_BYTES, Names};
use super::{CHECKPOINT_KEY, ReadState, Shared};
use crate::batch::{Batch, Checkpoint};

/// Most records in one batch.
const BATCH_RECORDS_MAX: usize = 4096;
/// A batch is closed when it holds so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes read from a segment at once.
const READ_BYTES: u64 = 1 << 20;

/// Reads the journal in order.
#[derive(Debug)]
pub struct JournalReader {
    shared: Arc<Shared>,
    /// Where the next block to read from disk starts, at most.
    at: u64,
    /// Entries before this offset were given out before.
    resume: u64,
    segment: Option<(u64, File)>,
    ready: VecDeque<Record>,
    names: Names,
    damaged_bytes: u64,
}

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>, resume: u64) -> Self {
        let at = shared.segments().range(..=resume).next_back().map_or(resume, |(base, _)| *base);
        Self {
            shared,
            at,
            resume,
            segment: None,
            ready: VecDeque::new(),
            names: Names::default(),
            damaged_bytes: 0,
        }
    }

    /// Waits until there is something to read; safe to cancel.
    pub async fn ready(&self) {
        if self.ready.is_empty() {
            let mut durable = self.shared.durable.subscribe();
            // The sender lives in `shared`, so this ends only when there is more.
            let _ = durable.wait_for(|end| *end > self.at).await;
        }
    }

    /// Reads the next batch; empty when there is nothing (more) to read.
    ///
    /// # Errors
    /// When the disk cannot be read; the next call tries again.
    pub fn read(&mut self) -> io::Result<Batch> {
        while self.ready.is_empty() && self.fill()? {}
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES {
            let Some(record) = self.ready.pop_front() else { break };
            bytes += record.bytes.len();
            records.push(record);
        }
        let checkpoints = records.last().map(|last| self.checkpoint(last.position.next));
        Ok(Batch { records, checkpoints: checkpoints.into_iter().collect(), ..Batch::default() })
    }

    /// Bytes that were damaged on disk and left out, since the last call.
    pub fn take_damaged_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.damaged_bytes)
    }

    /// Bytes that are written but not read yet.
    pub fn lag_bytes(&self) -> u64 {
        self.shared.durable.borrow().saturating_sub(self.at)
    }

    pub(super) fn checkpoint(&self, offset: u64) -> Checkpoint {
        let state = ReadState { id: format!("{:016x}", self.shared.id), offset };
        let state = serde_json::to_string(&state).unwrap_or_default();
        Checkpoint { key: CHECKPOINT_KEY.into(), state }
    }

    /// Reads the next blocks into `ready`; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let Some((base, end)) = self.next_segment() else { return Ok(false) };
        let file = self.open(base)?;
        let place = self.at - base + HEADER_BYTES;
        let mut blocks = read_at(&file, place, READ_BYTES.min(end - self.at))?;
        if let Some(length) = segment::block_length(&blocks) {
            let whole = (length + BLOCK_HEADER_BYTES) as u64;
            if whole > blocks.len() as u64 && whole <= end - self.at {
                blocks = read_at(&file, place, whole)?;
            }
        }
        let before = self.at;
        while let Some(payload) = segment::take_block(&mut blocks) {
            self.take(payload);
        }
        if self.at == before {
            tracing::error!(
                path = %segment::path(&self.shared.dir, base).display(),
                bytes = end - self.at,
                "the journal is damaged; going on behind the damaged part"
            );
            self.damaged_bytes += end - self.at;
            self.at = end;
        }
        Ok(true)
    }

    /// The segment to read from, and where its readable part ends.
    fn next_segment(&mut self) -> Option<(u64, u64)> {
        let segments = self.shared.segments();
        if let Some((base, end)) = segments.range(..=self.at).next_back()
            && self.at < *end
        {
            return Some((*base, *end));
        }
        let (base, end) = segments.range(self.at..).find(|(base, end)| end > base)?;
        self.at = *base;
        Some((*base, *end))
    }

    fn open(&mut self, base: u64) -> io::Result<File> {
        match &self.segment {
            Some((open, file)) if *open == base => file.try_clone(),
            _ => {
                let file = File::open(segment::path(&self.shared.dir, base))?;
                self.segment = Some((base, file.try_clone()?));
                Ok(file)
            }
        }
    }

    /// Takes the entries of the block at `at`, and moves behind it.
    fn take(&mut self, mut payload: Bytes) {
        let block_end = self.at + (BLOCK_HEADER_BYTES + payload.len()) as u64;
        let mut offset = self.at + BLOCK_HEADER_BYTES as u64;
        while let Some(entry) = segment::take_entry(&mut payload, &mut self.names) {
            let next = block_end - payload.len() as u64;
            if offset >= self.resume {
                let position = Position { stream: self.shared.id, offset, next };
                self.ready.push_back(Record {
                    input: entry.input,
                    position,
                    received: entry.received,
                    bytes: entry.bytes,
                    hint: entry.hint,
                    peer: entry.peer,
                    path: None,
                });
            }
            offset = next;
        }
        self.damaged_bytes += payload.len() as u64;
        self.at = block_end;
    }
}

fn read_at(file: &File, place: u64, length: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], place + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(Bytes::from(bytes))
}
