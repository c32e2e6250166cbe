//! Finding some events by their ids at once: what a restart asks for.

use std::collections::HashSet;
use std::sync::Arc;

use tantivy::{DateTime, SegmentReader};
use tocsin_model::{Event, EventId, Timestamp};

use crate::embedded::fault::explain;
use crate::embedded::partition::{Partition, day_of};
use crate::embedded::scan::{Held, Opened, Place};
use crate::embedded::schema::{OFFSET, STREAM, TIMESTAMP};
use crate::error::Result;

/// Events that are read and kept together before the next are looked for.
const CHUNK_EVENTS: usize = 4096;

/// The events of these ids that are there. Those in partitions that were closed a day before
/// `since` are not looked for.
pub(crate) fn pick(
    partitions: &[Arc<Partition>],
    ids: &HashSet<EventId>,
    since: Timestamp,
) -> Result<Vec<Event>> {
    let first_day = first_day(since);
    let offsets: HashSet<u64> = ids.iter().map(|id| id.offset).collect();
    let mut found = Vec::with_capacity(ids.len());
    for partition in partitions.iter().rev() {
        if found.len() >= ids.len() || partition.name.day < first_day {
            break;
        }
        // Mapped by itself, so that what is read once does not stay in memory. Where files were
        // merged away meanwhile, the open ones are there still.
        let own = Partition::open(partition.path.clone(), partition.name).ok();
        let partition = own.as_ref().unwrap_or(partition);
        let held = [Held { partition, searcher: partition.searcher() }];
        let mut places: Vec<Place> = Vec::new();
        for (number, segment) in held[0].searcher.segment_readers().iter().enumerate() {
            places_in(segment, number as u32, ids, &offsets, &mut places)
                .map_err(|error| explain(&partition.path, &error))?;
        }
        let mut opened = Opened::new(&held);
        for chunk in places.chunks(CHUNK_EVENTS) {
            found.extend(opened.read(chunk)?);
        }
    }
    Ok(found)
}

/// The day of the first partition that may have events that arrived after `since`.
pub(crate) fn first_day(since: Timestamp) -> i64 {
    // An epoch that runs over midnight is in the partition of the day that it began on.
    day_of(since).saturating_sub(1)
}

fn places_in(
    segment: &SegmentReader,
    number: u32,
    ids: &HashSet<EventId>,
    offsets: &HashSet<u64>,
    places: &mut Vec<Place>,
) -> tantivy::Result<()> {
    let columns = segment.fast_fields();
    let (stream, offset) = (columns.u64(STREAM)?, columns.u64(OFFSET)?);
    let times = columns.date(TIMESTAMP)?;
    for doc in segment.doc_ids_alive() {
        let Some(offset) = offset.first(doc).filter(|offset| offsets.contains(offset)) else {
            continue;
        };
        let id = EventId { stream: stream.first(doc).unwrap_or(0), offset };
        if ids.contains(&id) {
            let time = times.first(doc).map_or(0, DateTime::into_timestamp_nanos);
            places.push((time, number, doc));
        }
    }
    Ok(())
}
