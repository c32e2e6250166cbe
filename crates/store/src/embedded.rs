//! [`Embedded`]: the backend on Tantivy, in one directory.

use std::path::Path;

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp};

use crate::EventStore;
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::request::{FieldInfo, SearchRequest, SearchResponse, StoreStats};

/// How an [`Embedded`] store behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for events not yet committed, bytes; default 64 MB, at least 15 MB a thread.
    pub writer_bytes_max: usize,
    /// Indexing threads; default 2, or 1 on a machine with one core.
    pub writer_threads: usize,
    /// A partition takes no more events than this; default 20 million.
    pub partition_documents_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            writer_bytes_max: 64 * 1024 * 1024,
            writer_threads: cores.min(2),
            partition_documents_max: 20_000_000,
        }
    }
}

/// Events in one directory, indexed with Tantivy.
pub struct Embedded {}

impl Embedded {
    /// Opens the store in `dir`, making the directory when it is not there.
    pub fn open(dir: &Path, _options: Options) -> Result<Self> {
        Err(StoreError::BadRequest(format!("{}: not built yet", dir.display())))
    }
}

impl EventStore for Embedded {
    fn append(&self, _events: &[Event]) -> Result<()> {
        Ok(())
    }

    fn commit(&self, _payload: &str) -> Result<()> {
        Ok(())
    }

    fn payload(&self) -> Result<Option<String>> {
        Ok(None)
    }

    fn get(&self, _id: EventId) -> Result<Option<Json>> {
        Ok(None)
    }

    fn search(&self, _request: &SearchRequest) -> Result<SearchResponse> {
        Ok(SearchResponse::default())
    }

    fn count(&self, _: &Filter, _: Option<Timestamp>, _: Option<Timestamp>) -> Result<u64> {
        Ok(0)
    }

    fn fields(&self) -> Result<Vec<FieldInfo>> {
        Ok(Vec::new())
    }

    fn stats(&self) -> Result<StoreStats> {
        Ok(StoreStats::default())
    }

    fn delete_before(&self, _time: Timestamp) -> Result<u64> {
        Ok(0)
    }
}
