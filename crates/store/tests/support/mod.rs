//! A store that archives whatever is closed.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, not all of them used by each"
)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp};
use tocsin_store::{
    Cancel, Embedded, EventStore, FieldInfo, Filter, Options, Result, ScanRequest, ScanSink,
    SearchRequest, SearchResponse, StoreStats,
};

/// Options under which every commit closes a partition.
pub fn small() -> Options {
    Options { partition_documents_max: 1, ..Options::default() }
}

/// Directories of partitions that are not in the archive.
pub fn hot(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = names.filter(|path| path.join("meta.json").is_file()).collect();
    all.sort();
    all
}

/// Archives all partitions but the newest; how many events.
pub fn archive_all(store: &Embedded, dir: &Path) -> u64 {
    let (start, mut moved) = (Instant::now(), 0);
    loop {
        // Partitions are sealed on a thread of their own.
        moved += store.archive_before(Timestamp(i64::MAX), &Cancel::default()).unwrap();
        if hot(dir).len() <= 1 {
            return moved;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", hot(dir));
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Archives after each commit.
pub struct Archiving(pub Embedded, pub PathBuf);

impl Archiving {
    pub fn open(dir: &Path) -> Self {
        Self(Embedded::open(dir, small()).unwrap(), dir.to_path_buf())
    }
}

impl EventStore for Archiving {
    fn append_each(&self, events: &mut dyn Iterator<Item = &Event>) -> Result<()> {
        self.0.append_each(events)
    }

    fn commit(&self, payload: &str) -> Result<()> {
        self.0.commit(payload)?;
        archive_all(&self.0, &self.1);
        Ok(())
    }

    fn payload(&self) -> Result<Option<String>> {
        self.0.payload()
    }

    fn get(&self, id: EventId) -> Result<Option<Json>> {
        self.0.get(id)
    }

    fn events(&self, ids: &HashSet<EventId>, since: Timestamp) -> Result<Vec<Event>> {
        self.0.events(ids, since)
    }

    fn search(&self, request: &SearchRequest) -> Result<SearchResponse> {
        self.0.search(request)
    }

    fn scan(&self, request: &ScanRequest, sink: &mut ScanSink<'_>) -> Result<u64> {
        self.0.scan(request, sink)
    }

    fn count(
        &self,
        filter: &Filter,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64> {
        self.0.count(filter, from, to)
    }

    fn fields(&self) -> Result<Vec<FieldInfo>> {
        self.0.fields()
    }

    fn stats(&self) -> Result<StoreStats> {
        self.0.stats()
    }

    fn delete_before(&self, time: Timestamp) -> Result<u64> {
        self.0.delete_before(time)
    }

    fn shrink_to(&self, bytes_max: u64) -> Result<u64> {
        self.0.shrink_to(bytes_max)
    }
}
