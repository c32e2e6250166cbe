//! One partition: an index in a directory of its own, and what is known of it without asking.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tantivy::columnar::ColumnIndex;
use tantivy::directory::MmapDirectory;
use tantivy::index::SegmentId;
use tantivy::indexer::IndexWriterOptions;
use tantivy::schema::{Document, Value as _};
use tantivy::{
    DateTime, DocAddress, DocId, Index, IndexReader, IndexWriter, ReloadPolicy, Searcher,
    SegmentReader, TantivyDocument, TantivyError,
};
use tocsin_model::field::DICTIONARY;
use tocsin_model::{EventId, Timestamp};

use crate::embedded::Options;
use crate::embedded::fault::explain;
use crate::embedded::merging::Tiers;
use crate::embedded::schema::{self, Fields, INGESTED, OFFSET, STREAM, TIMESTAMP};
use crate::embedded::source::{self, Head};
use crate::error::{Result, StoreError};

/// Blocks of stored events that a reader keeps uncompressed, per segment.
const STORED_BLOCKS_CACHED: usize = 4;

/// Number and day of a partition, as in the name of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionName {
    pub number: u64,
    /// Day of arrival, days since 1970 UTC.
    pub day: i64,
}

impl PartitionName {
    /// The directory's name: `p000001-2026-11-21`.
    pub(crate) fn directory(self) -> String {
        let start = Timestamp(self.day.saturating_mul(DAY_NANOS)).to_string();
        format!("p{:06}-{}", self.number, start.split('T').next().unwrap_or("0"))
    }

    /// Reads a directory's name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (number, day) = name.strip_prefix('p')?.split_once('-')?;
        let start = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"))?;
        Some(Self { number: number.parse().ok()?, day: day_of(start) })
    }
}

/// Nanoseconds of a day.
const DAY_NANOS: i64 = 86_400_000_000_000;

/// The day that a time is in, days since 1970 UTC.
pub(crate) fn day_of(time: Timestamp) -> i64 {
    time.0.div_euclid(DAY_NANOS)
}

/// What is stored with each commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Counts the commits of the store; tells whether a commit that failed was made after all.
    pub commit: u64,
    /// What the caller gave.
    pub payload: String,
}

/// What can be said of the events of a partition without a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub documents: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    pub segments: u64,
}

/// An opened partition.
pub(crate) struct Partition {
    pub name: PartitionName,
    pub path: PathBuf,
    pub fields: Fields,
    index: Index,
    reader: IndexReader,
    span: RwLock<Span>,
    /// Names of the fields of each segment, once somebody has asked.
    names: Mutex<HashMap<SegmentId, Vec<(String, u64)>>>,
    /// Deleted by retention.
    pub gone: AtomicBool,
}

impl Partition {
    /// Makes an empty partition. It appears under its name only when it is whole.
    pub(crate) fn create(dir: &Path, name: PartitionName) -> Result<Arc<Self>> {
        let path = dir.join(name.directory());
        let making = dir.join(format!("{}{MAKING}", name.directory()));
        let made = (|| {
            fs::create_dir_all(&making)?;
            let index = Index::builder()
                .schema(schema::schema())
                .settings(schema::settings())
                .tokenizers(schema::tokenizers())
                .fast_field_tokenizers(schema::tokenizers())
                .create_in_dir(&making)?;
            drop(index);
            fs::rename(&making, &path)?;
            fs::File::open(dir)?.sync_all()?;
            Ok::<_, TantivyError>(())
        })();
        if let Err(error) = made {
            // Left over at worst until the next start, which removes it.
            let _ = fs::remove_dir_all(&making);
            return Err(explain(dir, &error));
        }
        Self::open(path, name)
    }

    /// Opens a partition.
    pub(crate) fn open(path: PathBuf, name: PartitionName) -> Result<Arc<Self>> {
        let damaged = |error: TantivyError| StoreError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        };
        let directory = MmapDirectory::open(&path).map_err(|error| damaged(error.into()))?;
        let mut index = Index::open(directory).map_err(damaged)?;
        schema::prepare(&mut index);
        let fields = Fields::of(&index.schema()).ok_or_else(|| StoreError::Damaged {
            path: path.clone(),
            reason: "its schema lacks fields that every version has".to_owned(),
        })?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(STORED_BLOCKS_CACHED)
            .try_into()
            .map_err(damaged)?;
        let span = RwLock::default();
        let (names, gone) = (Mutex::default(), AtomicBool::new(false));
        let partition = Self { name, fields, index, reader, span, names, gone, path: path.clone() };
        partition.refresh_span().map_err(damaged)?;
        Ok(Arc::new(partition))
    }

    /// Opens the index for writing.
    pub(crate) fn writer<D: Document>(&self, options: &Options) -> Result<IndexWriter<D>> {
        let threads = options.writer_threads.max(1);
        let per_thread = (options.writer_bytes_max / threads).max(WRITER_BYTES_MIN);
        let writer = self
            .index
            .writer_with_options(
                IndexWriterOptions::builder()
                    .num_worker_threads(threads)
                    .memory_budget_per_thread(per_thread)
                    .num_merge_threads(1)
                    .build(),
            )
            .map_err(|error| explain(&self.path, &error))?;
        writer.set_merge_policy(Box::new(Tiers));
        Ok(writer)
    }

    /// The payload of the last commit, as it is on disk.
    pub(crate) fn payload(&self) -> Result<Option<Payload>> {
        let meta = self.index.load_metas().map_err(|error| explain(&self.path, &error))?;
        let Some(text) = meta.payload else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| StoreError::Damaged {
            path: self.path.clone(),
            reason: format!("the positions in its last commit cannot be read: {error}"),
        })
    }

    /// Makes the last commit visible.
    pub(crate) fn reload(&self) -> tantivy::Result<()> {
        self.reader.reload()?;
        self.refresh_span()
    }

    /// Lets go of segments that have been merged since the last commit, so that their files can
    /// be deleted.
    pub(crate) fn reload_if_merged(&self) -> tantivy::Result<()> {
        let on_disk: HashSet<SegmentId> =
            self.index.searchable_segment_ids()?.into_iter().collect();
        let searcher = self.searcher();
        let held = searcher.segment_readers();
        if held.len() == on_disk.len() && held.iter().all(|s| on_disk.contains(&s.segment_id())) {
            return Ok(());
        }
        self.reload()
    }

    /// The events as they are now; stays the same while others are written.
    pub(crate) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    pub(crate) fn span(&self) -> Span {
        *self.span.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh_span(&self) -> tantivy::Result<()> {
        let searcher = self.searcher();
        let mut span = Span { documents: searcher.num_docs(), ..Span::default() };
        for segment in searcher.segment_readers() {
            span.segments += 1;
            let Some(times) = segment.fast_fields().column_opt::<DateTime>(TIMESTAMP)? else {
                continue;
            };
            let low = Timestamp(times.min_value().into_timestamp_nanos());
            let high = Timestamp(times.max_value().into_timestamp_nanos());
            span.oldest = Some(span.oldest.map_or(low, |time| time.min(low)));
            span.newest = Some(span.newest.map_or(high, |time| time.max(high)));
        }
        *self.span.write().unwrap_or_else(PoisonError::into_inner) = span;
        Ok(())
    }

    /// Whether some event may be from `from` (included) to `to` (not).
    pub(crate) fn may_have(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        let span = self.span();
        let (Some(oldest), Some(newest)) = (span.oldest, span.newest) else { return false };
        from.is_none_or(|from| newest >= from) && to.is_none_or(|to| oldest < to)
    }

    /// A stored event.
    pub(crate) fn event(&self, searcher: &Searcher, address: DocAddress) -> Result<Json> {
        let fail = |error: TantivyError| explain(&self.path, &error);
        let document: TantivyDocument = searcher.doc(address).map_err(fail)?;
        let head = head(searcher.segment_reader(address.segment_ord), address.doc_id);
        let head = head.map_err(fail)?;
        let bytes = document.get_first(self.fields.source).and_then(|value| value.as_bytes());
        let event =
            head.zip(bytes).and_then(|(head, bytes)| source::decode(head, bytes, &self.fields));
        event.ok_or_else(|| StoreError::Damaged {
            path: self.path.clone(),
            reason: "a stored event cannot be read".to_owned(),
        })
    }

    /// Names of the fields that events have, each with the number of events.
    pub(crate) fn names(&self) -> tantivy::Result<Vec<(String, u64)>> {
        let searcher = self.searcher();
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        let mut still = HashMap::new();
        for segment in searcher.segment_readers() {
            // Segments never change.
            let names = match known.remove(&segment.segment_id()) {
                Some(names) => names,
                None => self.names_of_segment(segment)?,
            };
            all.extend_from_slice(&names);
            still.insert(segment.segment_id(), names);
        }
        *known = still;
        Ok(all)
    }

    fn names_of_segment(&self, segment: &SegmentReader) -> tantivy::Result<Vec<(String, u64)>> {
        let mut names = self.names_of_columns(segment)?;
        let index = segment.inverted_index(self.fields.names)?;
        let mut stream = index.terms().stream()?;
        while stream.advance() {
            let name = String::from_utf8_lossy(stream.key()).into_owned();
            names.push((name, u64::from(stream.value().doc_freq)));
        }
        Ok(names)
    }

    fn names_of_columns(&self, segment: &SegmentReader) -> tantivy::Result<Vec<(String, u64)>> {
        let mut names = Vec::new();
        for name in self.fields.columns().filter(|name| ![TIMESTAMP, INGESTED].contains(name)) {
            let mut documents = 0;
            for column in segment.fast_fields().dynamic_column_handles(name)? {
                let index = column.open()?.into_column_index();
                documents += match &index {
                    ColumnIndex::Empty { .. } => 0,
                    ColumnIndex::Full => segment.max_doc(),
                    ColumnIndex::Optional(index) => index.num_non_nulls(),
                    ColumnIndex::Multivalued(_) => {
                        (0..segment.max_doc()).filter(|doc| index.has_value(*doc)).count() as u32
                    }
                };
            }
            if documents > 0 {
                names.push((name.to_owned(), u64::from(documents)));
            }
        }
        Ok(names)
    }

    /// The kind of a field, for people.
    pub(crate) fn kind_word(&self, name: &str) -> &'static str {
        schema::kind_word(&self.index.schema(), &self.fields, name)
    }

    /// Names outside the dictionary that the index has.
    pub(crate) fn dynamic_names(&self) -> Result<HashSet<String>> {
        let names = self.names().map_err(|error| explain(&self.path, &error))?;
        let known: HashSet<&str> = DICTIONARY.iter().map(|spec| spec.name).collect();
        let unknown = names.into_iter().map(|(name, _)| name);
        let taken = |name: &String| !known.contains(name.as_str()) && name != "event.original";
        Ok(unknown.filter(taken).collect())
    }

    /// Bytes of the files that the visible events are in.
    pub(crate) fn disk_bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
    }

    /// Deletes the files; searches under way keep theirs.
    pub(crate) fn remove(&self, dir: &Path) -> Result<()> {
        let fail = |error: std::io::Error| explain(dir, &TantivyError::from(error));
        self.gone.store(true, Ordering::Relaxed);
        let trash = dir.join(format!("{}{GONE}", self.name.directory()));
        fs::rename(&self.path, &trash).map_err(fail)?;
        fs::remove_dir_all(&trash).map_err(fail)
    }
}

/// Identity and times of a document.
fn head(segment: &SegmentReader, doc: DocId) -> tantivy::Result<Option<Head>> {
    let columns = segment.fast_fields();
    let time = |name| {
        let time = columns.date(name)?.first(doc);
        Ok::<_, TantivyError>(time.map(|time| Timestamp(time.into_timestamp_nanos())))
    };
    let (stream, offset) = (columns.u64(STREAM)?.first(doc), columns.u64(OFFSET)?.first(doc));
    let id = stream.zip(offset).map(|(stream, offset)| EventId { stream, offset });
    let times = time(TIMESTAMP)?.zip(time(INGESTED)?);
    Ok(id.zip(times).map(|(id, (time, received))| Head { id, time, received }))
}

/// Least memory per indexing thread, bytes; Tantivy takes no less.
const WRITER_BYTES_MIN: usize = 15_000_000;
/// End of the name of a partition being made.
const MAKING: &str = ".making";
/// End of the name of a partition being deleted.
const GONE: &str = ".gone";

/// Removes what an interrupted creation or deletion left.
pub(crate) fn remove_leftovers(dir: &Path) -> Result<()> {
    let fail = |error: std::io::Error| explain(dir, &TantivyError::from(error));
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(MAKING) || name.ends_with(GONE) {
            fs::remove_dir_all(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

/// Opens the partitions of a directory, oldest first.
pub(crate) fn open_all(dir: &Path) -> Result<Vec<Arc<Partition>>> {
    reopen_all(dir, &[])
}

/// Opens the partitions of a directory, oldest first; those that are open are brought up to date.
pub(crate) fn reopen_all(dir: &Path, open: &[Arc<Partition>]) -> Result<Vec<Arc<Partition>>> {
    let fail = |error: std::io::Error| explain(dir, &TantivyError::from(error));
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let file_name = entry.file_name();
        if let Some(parsed) = PartitionName::parse(&file_name.to_string_lossy()) {
            names.push((parsed, entry.path()));
        }
    }
    names.sort();
    let mut all = Vec::with_capacity(names.len());
    for (name, path) in names {
        match open.iter().find(|partition| partition.name == name) {
            Some(partition) => {
                partition.reload().map_err(|error| explain(&path, &error))?;
                all.push(Arc::clone(partition));
            }
            None => all.push(Partition::open(path, name)?),
        }
    }
    Ok(all)
}
