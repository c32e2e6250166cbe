//! Questions to archived partitions.
//!
//! Only the columns that a question needs are read. The events that match are asked as a small
//! index in memory, one for each group of rows, so that sorting, paging and aggregates are those
//! of the hot store.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;
use tantivy::directory::RamDirectory;
use tantivy::indexer::SingleSegmentIndexWriter;
use tantivy::{Index, ReloadPolicy, Searcher};
use tocsin_model::{Event, EventId, Timestamp};

use crate::archive::{Group, Opened, Wanted};
use crate::embedded::cold::{Cold, FileAbout};
use crate::embedded::document::Builder;
use crate::embedded::fault::explain;
use crate::embedded::schema::{self, Fields};
use crate::embedded::top::Stop;
use crate::error::Result;
use crate::filter::Filter;
use crate::matcher::Matcher;
use crate::plan::{Node, plan};
use crate::request::{Agg, AggKind, SearchRequest};
use crate::test::{Class, class_of};

/// Rows that are read together.
const BATCH_ROWS: usize = 4096;
/// Memory that a small index starts with, bytes.
const INDEX_BYTES: usize = 15_000_000;

/// Adds what a filter looks at.
fn want(node: &Node, wanted: &mut Wanted) {
    let mut field = |name: &str, class: Class| match class {
        Class::Id | Class::Time | Class::Ingested => {}
        Class::AnyText => {
            wanted.original = true;
            wanted.names.insert("message".to_owned());
        }
        _ => {
            wanted.names.insert(name.to_owned());
        }
    };
    match node {
        Node::All | Node::None | Node::Ids(_) => {}
        Node::Value { field: name, class, .. }
        | Node::Words { field: name, class, .. }
        | Node::Word { field: name, class, .. } => field(name, *class),
        Node::Exists(name) if matches!(name.as_str(), "event.original" | crate::ANY_TEXT) => {
            wanted.original = true;
        }
        Node::Exists(name) => {
            wanted.below.insert(name.clone());
        }
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| want(node, wanted)),
        Node::Not(node) => want(node, wanted),
    }
}

/// What a filter looks at.
pub(super) fn wanted_by(filter: &Filter) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    want(&plan(filter, &class_of)?, &mut wanted);
    Ok(wanted)
}

fn want_aggs(aggs: &BTreeMap<String, Agg>, wanted: &mut Wanted) {
    for agg in aggs.values() {
        match &agg.kind {
            AggKind::DateHistogram { field, .. }
            | AggKind::Terms { field, .. }
            | AggKind::Histogram { field, .. }
            | AggKind::Percentiles { field, .. }
            | AggKind::Cardinality { field }
            | AggKind::Range { field, .. }
            | AggKind::Stats { field }
            | AggKind::ExtendedStats { field } => {
                wanted.names.insert(field.clone());
            }
            // Asked in steps.
            AggKind::Filters { .. }
            | AggKind::Calendar { .. }
            | AggKind::AutoDateHistogram { .. }
            | AggKind::TopHits { .. } => continue,
        }
        want_aggs(&agg.aggs, wanted);
    }
}

/// Rows of a group that match, with the fields that were wanted.
pub(crate) struct Matches {
    pub group: usize,
    pub rows: Vec<u32>,
    pub events: Vec<Event>,
}

/// Goes through the rows of a file that match, group by group.
pub(super) fn each_group(
    opened: &Arc<Opened>,
    matcher: &Matcher,
    wanted: &Wanted,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    stop: &Stop,
    found: &mut dyn FnMut(Matches) -> Result<()>,
) -> Result<Result<(), parquet::errors::ParquetError>> {
    for (number, info) in opened.groups.iter().enumerate().rev() {
        if stop.is_time() {
            break;
        }
        if !info.may_have(from, to) {
            continue;
        }
        let mut group = opened.group(number);
        let mut matches = Matches { group: number, rows: Vec::new(), events: Vec::new() };
        for start in (0..info.rows).step_by(BATCH_ROWS) {
            if stop.is_time() {
                break;
            }
            let count = BATCH_ROWS.min(info.rows - start);
            let events = match group.events(start, count, wanted) {
                Ok(events) => events,
                Err(error) => return Ok(Err(error)),
            };
            for (row, event) in events.into_iter().enumerate() {
                let in_span = from.is_none_or(|from| event.time >= from)
                    && to.is_none_or(|to| event.time < to);
                if in_span && matcher.matches(&event) {
                    matches.rows.push((start + row) as u32);
                    matches.events.push(event);
                }
            }
        }
        if !matches.rows.is_empty() {
            found(matches)?;
        }
    }
    Ok(Ok(()))
}

/// How many events match.
pub(crate) fn count(
    cold: &Cold,
    filter: &Filter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<u64> {
    let (matcher, wanted) = (Matcher::new(filter)?, wanted_by(filter)?);
    let mut total = 0;
    for file in cold.about.files.iter().filter(|file| file.may_have(from, to)) {
        if *filter == Filter::All && file.is_within(from, to) {
            total += file.events;
            continue;
        }
        let opened = cold.open(file)?;
        let mut found = |matches: Matches| {
            total += matches.rows.len() as u64;
            Ok(())
        };
        each_group(&opened, &matcher, &wanted, (from, to), &Stop::default(), &mut found)?
            .map_err(|error| cold.failed(file, &error))?;
    }
    Ok(total)
}

/// Rows of one group, as hits of a search.
pub(crate) struct ColdRows {
    cold: Arc<Cold>,
    file: FileAbout,
    opened: Arc<Opened>,
    group: usize,
    rows: Vec<u32>,
}

impl ColdRows {
    /// The whole event of a document of the small index.
    pub(crate) fn event(&self, doc: u32) -> Result<Json> {
        let row = self.rows.get(doc as usize).copied().unwrap_or_default() as usize;
        let read = self.opened.group(self.group).events(row, 1, &Wanted::all());
        let events = read.map_err(|error| self.cold.failed(&self.file, &error))?;
        Ok(events.first().map_or(Json::Null, Event::to_json))
    }
}

/// Gives each group of rows that match as a small index.
pub(crate) fn search(
    cold: &Arc<Cold>,
    request: &SearchRequest,
    stop: &Stop,
    found: &mut dyn FnMut(Searcher, Arc<ColdRows>) -> Result<()>,
) -> Result<()> {
    let matcher = Matcher::new(&request.filter)?;
    let mut wanted = wanted_by(&request.filter)?;
    want_aggs(&request.aggs, &mut wanted);
    wanted.names.insert(request.sort.field.clone());
    let (from, to) = (request.from, request.to);
    let mut files: Vec<&FileAbout> =
        cold.about.files.iter().filter(|file| file.may_have(from, to)).collect();
    // Newest first, so that a timeout leaves the newest.
    files.sort_by_key(|file| std::cmp::Reverse(file.newest));
    for file in files {
        if stop.is_time() {
            break;
        }
        let opened = cold.open(file)?;
        let mut give = |matches: Matches| {
            let searcher =
                small_index(&matches.events).map_err(|error| explain(&cold.path, &error))?;
            let rows = ColdRows {
                cold: Arc::clone(cold),
                file: file.clone(),
                opened: Arc::clone(&opened),
                group: matches.group,
                rows: matches.rows,
            };
            found(searcher, Arc::new(rows))
        };
        each_group(&opened, &matcher, &wanted, (from, to), stop, &mut give)?
            .map_err(|error| cold.failed(file, &error))?;
    }
    Ok(())
}

/// The columns of some events, in memory; documents are numbered as the events are.
fn small_index(events: &[Event]) -> tantivy::Result<Searcher> {
    let builder = Index::builder()
        .schema(schema::columns_only())
        .tokenizers(schema::tokenizers())
        .fast_field_tokenizers(schema::tokenizers());
    let mut writer: SingleSegmentIndexWriter =
        builder.single_segment_index_writer(RamDirectory::default(), INDEX_BYTES)?;
    let fields = Fields::of(&schema::columns_only());
    let mut documents = fields.map(|fields| Builder::new(fields, HashSet::new()));
    for event in events {
        if let Some(documents) = &mut documents {
            writer.add_document(documents.columns(event))?;
        }
    }
    let mut index = writer.finalize()?;
    schema::prepare(&mut index);
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    Ok(reader.searcher())
}

/// Some events by their ids, whole.
pub(crate) fn pick(cold: &Cold, ids: &HashSet<EventId>) -> Result<Vec<Event>> {
    let mut found = Vec::new();
    for file in &cold.about.files {
        let opened = cold.open(file)?;
        pick_in(&opened, ids, &mut found).map_err(|error| cold.failed(file, &error))?;
        if found.len() >= ids.len() {
            break;
        }
    }
    Ok(found)
}

fn pick_in(
    opened: &Arc<Opened>,
    ids: &HashSet<EventId>,
    found: &mut Vec<Event>,
) -> Result<(), parquet::errors::ParquetError> {
    for (number, info) in opened.groups.iter().enumerate() {
        let mut group: Group = opened.group(number);
        let mut whole: Group = opened.group(number);
        for start in (0..info.rows).step_by(BATCH_ROWS) {
            let count = BATCH_ROWS.min(info.rows - start);
            let all = group.ids(start, count)?;
            for (row, id) in all.into_iter().enumerate() {
                if ids.contains(&id) {
                    found.extend(whole.events(start + row, 1, &Wanted::all())?);
                }
            }
        }
    }
    Ok(())
}

/// One event.
pub(crate) fn get(cold: &Cold, id: EventId) -> Result<Option<Json>> {
    let found = pick(cold, &[id].into())?;
    Ok(found.first().map(Event::to_json))
}
