//! [`Writer`]: the one place that changes anything. Events → documents → commits of the newest
//! partition.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tantivy::IndexWriter;
use tantivy::indexer::UserOperation;
use tocsin_model::{Event, Timestamp, field};

use crate::embedded::Options;
use crate::embedded::document::Builder;
use crate::embedded::fault::{explain, of_io};
use crate::embedded::gather::{Batch, Gatherer};
use crate::embedded::partition::{Partition, PartitionName, Payload, day_of};
use crate::embedded::queue::{Queue, Queued, enqueue};
use crate::embedded::seal;
use crate::error::Result;

/// The most bytes of stored events that wait for an indexing thread, some 10,000 of them; the
/// documents they belong to take many times as much memory.
const QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// What is written, and what the last commit said.
pub(crate) struct Writer {
    dir: PathBuf,
    options: Options,
    /// The newest partition.
    newest: Option<Arc<Partition>>,
    /// Open while there is something to write; `None` after a failure.
    open: Option<Open>,
    /// Documents appended since the last commit.
    pending: u64,
    last: Payload,
    /// The partition that holds the last payload.
    last_in: Option<PartitionName>,
    unindexed: u64,
}

struct Open {
    index: IndexWriter<Queued>,
    builder: Builder,
    gathered: Gatherer,
    queue: Arc<Queue>,
}

impl Open {
    /// Gives documents to an indexing thread.
    fn hand_over(&mut self, batch: Batch) -> tantivy::Result<()> {
        if batch.documents.is_empty() {
            return Ok(());
        }
        let queued = enqueue(&self.queue, batch.documents, batch.bytes);
        self.index.run(queued.into_iter().map(UserOperation::Add)).map(|_| ())
    }
}

impl Writer {
    pub(crate) fn new(
        dir: PathBuf,
        options: Options,
        partitions: &[Arc<Partition>],
    ) -> Result<Self> {
        let mut last = None;
        for partition in partitions.iter().rev() {
            if let Some(payload) = partition.payload()? {
                last = Some((payload, partition.name));
                break;
            }
        }
        let last_in = last.as_ref().map(|(_, name)| *name);
        let last = last.map_or(Payload { commit: 0, payload: String::new() }, |(last, _)| last);
        let newest = partitions.last().cloned();
        Ok(Self { dir, options, newest, open: None, pending: 0, last, last_in, unindexed: 0 })
    }

    /// The payload of the last commit.
    pub(crate) fn payload(&self) -> Option<String> {
        (self.last.commit > 0).then(|| self.last.payload.clone())
    }

    /// Whether the partition is being written or holds the last payload.
    pub(crate) fn needs(&self, partition: &Partition) -> bool {
        let newest = self.newest.as_ref().map(|newest| newest.name);
        newest == Some(partition.name) || self.last_in == Some(partition.name)
    }

    /// Values that were not indexed since the last call.
    pub(crate) fn take_unindexed(&mut self) -> u64 {
        if let Some(open) = &mut self.open {
            self.unindexed += std::mem::take(&mut open.builder.unindexed);
        }
        std::mem::take(&mut self.unindexed)
    }

    /// Makes sure that the newest partition is the right one for an event that arrives, and gives
    /// it back when it is a new one. Between two commits it stays the same.
    pub(crate) fn partition_for(&mut self, event: &Event) -> Result<Option<Arc<Partition>>> {
        let day = day_of(event.received);
        let number = match &self.newest {
            Some(_) if self.pending > 0 => return Ok(None),
            Some(newest) if newest.name.day >= day && !self.is_full(newest) => return Ok(None),
            Some(newest) => newest.name.number + 1,
            None => 1,
        };
        let day = day.max(self.newest.as_ref().map_or(day, |newest| newest.name.day));
        self.roll(PartitionName { number, day }).map(Some)
    }

    /// The same for a payload that comes before any event.
    pub(crate) fn partition_for_payload(&mut self) -> Result<Option<Arc<Partition>>> {
        if self.newest.is_some() {
            return Ok(None);
        }
        let day = day_of(Timestamp::from_system(std::time::SystemTime::now()));
        self.roll(PartitionName { number: 1, day }).map(Some)
    }

    fn is_full(&self, partition: &Partition) -> bool {
        partition.span().documents >= self.options.partition_documents_max
    }

    fn roll(&mut self, name: PartitionName) -> Result<Arc<Partition>> {
        let made = Partition::create(&self.dir, name)?;
        if let Some(open) = self.open.take() {
            close(self.dir.clone(), open.index, self.newest.take());
        }
        self.newest = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Gives events to the index. On failure everything since the last commit is forgotten.
    pub(crate) fn append(&mut self, events: &mut dyn Iterator<Item = &Event>) -> Result<()> {
        let done = self.try_append(events);
        if done.is_err() {
            self.forget();
        }
        done
    }

    fn try_append(&mut self, events: &mut dyn Iterator<Item = &Event>) -> Result<()> {
        let mut taken = 0;
        let done = self.take_events(events, &mut taken);
        self.pending += taken;
        done
    }

    fn take_events(
        &mut self,
        events: &mut dyn Iterator<Item = &Event>,
        taken: &mut u64,
    ) -> Result<()> {
        let path = self.newest.as_ref().map_or(self.dir.clone(), |newest| newest.path.clone());
        let Some(open) = self.opened()? else { return Ok(()) };
        for event in events {
            *taken += 1;
            let document = open.builder.document(event);
            let kind = event.get_str(field::EVENT_DATASET).unwrap_or_default();
            if let Some(batch) = open.gathered.add(kind, document, open.builder.bytes()) {
                open.hand_over(batch).map_err(|error| explain(&path, &error))?;
            }
        }
        Ok(())
    }

    fn opened(&mut self) -> Result<Option<&mut Open>> {
        if self.open.is_none()
            && let Some(newest) = &self.newest
        {
            let index = newest.writer(&self.options)?;
            let builder = Builder::new(newest.fields.clone(), newest.dynamic_names()?);
            let queue = Queue::new(QUEUE_BYTES_MAX);
            let gathered = Gatherer::default();
            self.open = Some(Open { index, builder, gathered, queue });
        }
        Ok(self.open.as_mut())
    }

    /// Commits what was appended, with the payload. On failure everything since the last commit
    /// is forgotten.
    pub(crate) fn commit(&mut self, payload: &str) -> Result<()> {
        if self.pending == 0 && self.last.commit > 0 && self.last.payload == payload {
            return Ok(());
        }
        let next = Payload { commit: self.last.commit + 1, payload: payload.to_owned() };
        if let Err(error) = self.try_commit(&next) {
            self.forget();
            // The failure may have come after the commit was on disk.
            let on_disk = self.newest.as_ref().and_then(|newest| newest.payload().ok()).flatten();
            if on_disk.as_ref() != Some(&next) {
                return Err(error);
            }
            tracing::warn!(%error, "a commit reported a failure but is on disk");
        }
        self.pending = 0;
        self.last = next;
        self.last_in = self.newest.as_ref().map(|newest| newest.name);
        if let Some(newest) = &self.newest
            && let Err(error) = newest.reload()
        {
            tracing::warn!(path = %newest.path.display(), %error,
                "new events are stored but not visible yet");
        }
        Ok(())
    }

    fn try_commit(&mut self, next: &Payload) -> Result<()> {
        let path = self.newest.as_ref().map_or(self.dir.clone(), |newest| newest.path.clone());
        let text = serde_json::to_string(next)
            .map_err(|error| crate::StoreError::BadRequest(format!("payload: {error}")))?;
        let Some(open) = self.opened()? else { return Ok(()) };
        let rest = open.gathered.rest();
        let committed = open.hand_over(rest).and_then(|()| {
            let mut commit = open.index.prepare_commit()?;
            commit.set_payload(&text);
            commit.commit()
        });
        committed.map_err(|error| explain(&path, &error))?;
        File::open(&path).and_then(|dir| dir.sync_all()).map_err(|error| of_io(&path, &error))
    }

    /// Waits until the merges under way have ended. What is not committed is forgotten.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.pending = 0;
        let (Some(open), Some(newest)) = (self.open.take(), &self.newest) else { return Ok(()) };
        self.unindexed += open.builder.unindexed;
        let settled = open.index.wait_merging_threads().and_then(|()| newest.reload());
        settled.map_err(|error| explain(&newest.path, &error))
    }

    /// Forgets everything since the last commit.
    pub(crate) fn forget(&mut self) {
        self.take_unindexed_of_open();
        self.open = None;
        self.pending = 0;
    }

    fn take_unindexed_of_open(&mut self) {
        if let Some(open) = &mut self.open {
            self.unindexed += std::mem::take(&mut open.builder.unindexed);
        }
    }
}

/// Seals partitions that were closed without: by a crash, or by an earlier version. On a thread
/// of its own.
pub(crate) fn seal_older(dir: PathBuf, partitions: &[Arc<Partition>]) {
    let Some((_, older)) = partitions.split_last() else { return };
    let older = older.to_vec();
    let done = std::thread::Builder::new().name("store-seal".to_owned()).spawn(move || {
        older.iter().for_each(|partition| seal_closed(&dir, partition));
    });
    if let Err(error) = done {
        tracing::warn!(%error, "cannot start a thread to seal partitions");
    }
}

fn seal_closed(dir: &std::path::Path, partition: &Partition) {
    if partition.gone.load(std::sync::atomic::Ordering::Relaxed) {
        return;
    }
    if let Err(error) = seal::seal(dir, &partition.path, partition.span().documents) {
        tracing::warn!(path = %partition.path.display(), %error, "cannot seal a closed partition");
    }
}

/// Lets the merges of a closed partition end and seals it, on a thread of its own.
fn close(dir: PathBuf, index: IndexWriter<Queued>, partition: Option<Arc<Partition>>) {
    let done = std::thread::Builder::new().name("store-close".to_owned()).spawn(move || {
        let Some(partition) = partition else { return };
        let closed = index.wait_merging_threads().and_then(|()| partition.reload());
        if let Err(error) = closed
            && !partition.gone.load(std::sync::atomic::Ordering::Relaxed)
        {
            tracing::warn!(path = %partition.path.display(), %error, "cannot merge old segments");
        }
        seal_closed(&dir, &partition);
    });
    if let Err(error) = done {
        tracing::warn!(%error, "cannot start a thread to merge old segments");
    }
}
