//! What changes partitions as a whole: to the archive, and away. And what is known of all of them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tocsin_model::Timestamp;

use crate::embedded::cold::make::{self, Made};
use crate::embedded::cold::{Cold, FileAbout, remove_gone};
use crate::embedded::partition::{Partition, day_of};
use crate::embedded::schema::{current_fields, kind_word, schema};
use crate::embedded::{Embedded, Parts, fault, seal, search};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::request::{Cancel, FieldInfo, StoreStats};

/// Fields of all partitions, by name.
pub(super) fn fields(parts: &Parts) -> Result<Vec<FieldInfo>> {
    let mut all: BTreeMap<String, FieldInfo> = BTreeMap::new();
    let mut add = |name: String, kind, events| {
        let info = all.entry(name.clone()).or_insert(FieldInfo { name, kind, documents: 0 });
        info.documents += events;
        info.kind = kind;
    };
    if let Some(fields) = current_fields() {
        let schema = schema();
        let files = parts.cold.iter().flat_map(|cold| &cold.about.files);
        for (name, events) in files.flat_map(|file| &file.fields) {
            add(name.clone(), kind_word(&schema, fields, name), *events);
        }
    }
    for partition in parts.hot.iter() {
        let names = partition.names().map_err(|e| fault::explain(&partition.path, &e))?;
        for (name, events) in names {
            let kind = partition.kind_word(&name);
            add(name, kind, events);
        }
    }
    Ok(all.into_values().collect())
}

/// Size and span of all partitions.
pub(super) fn stats(parts: &Parts) -> Result<StoreStats> {
    if let Some(newest) = parts.hot.last() {
        newest.reload_if_merged().map_err(|e| fault::explain(&newest.path, &e))?;
    }
    let partitions = (parts.hot.len() + parts.cold.len()) as u64;
    let mut stats = StoreStats { partitions, ..StoreStats::default() };
    for partition in parts.hot.iter() {
        let span = partition.span();
        stats.documents += span.documents;
        stats.segments += span.segments;
        stats.disk_bytes += partition.disk_bytes();
        stats.oldest = [stats.oldest, span.oldest].into_iter().flatten().min();
        stats.newest = [stats.newest, span.newest].into_iter().flatten().max();
    }
    for cold in parts.cold.iter() {
        stats.documents += cold.events();
        stats.archived_documents += cold.events();
        stats.archived_bytes += cold.bytes();
        stats.oldest = [stats.oldest, cold.oldest()].into_iter().flatten().min();
        stats.newest = [stats.newest, cold.newest()].into_iter().flatten().max();
    }
    Ok(stats)
}

/// What a pack has in a partition that is not archived: the room by its part of the events.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    events: u64,
    bytes: u64,
    /// All of them are beyond its age.
    is_old: bool,
}

impl Embedded {
    /// Deletes partitions, asked for oldest first with the time of their newest event and their
    /// size; the number of events in them. The one that is written stays, and the one that holds
    /// the last payload.
    pub(super) fn delete(
        &self,
        goes: &mut dyn FnMut(Option<Timestamp>, u64) -> bool,
    ) -> Result<u64> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        // The writer's lock keeps the list of partitions from changing meanwhile.
        let writer = self.writer()?;
        let mut parts = self.parts();
        let all = parts.cold.iter().map(Arc::clone);
        let (old_cold, cold): (Vec<_>, Vec<_>) =
            all.partition(|cold: &Arc<Cold>| goes(cold.newest(), cold.bytes()));
        let all = parts.hot.iter().map(Arc::clone);
        let (old, hot): (Vec<_>, Vec<_>) = all.partition(|partition: &Arc<Partition>| {
            !writer.needs(partition) && goes(partition.span().newest, partition.disk_bytes())
        });
        if old.is_empty() && old_cold.is_empty() {
            return Ok(0);
        }
        (parts.hot, parts.cold) = (Arc::new(hot), Arc::new(cold));
        self.set_parts(parts);
        drop(writer);
        let mut deleted = 0;
        for cold in old_cold {
            deleted += cold.events();
            seal::note_deleted(&self.dir, cold.name, cold.events())?;
            cold.retire()?;
        }
        for partition in old {
            let documents = partition.span().documents;
            deleted += documents;
            seal::note_deleted(&self.dir, partition.name, documents)?;
            partition.remove(&self.dir)?;
        }
        remove_gone(&self.dir, &self.shelf)?;
        Ok(deleted)
    }

    /// Moves closed partitions of the days before `time` to the archive.
    pub(super) fn archive(&self, time: Timestamp, cancel: &Cancel) -> Result<u64> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        remove_gone(&self.dir, &self.shelf)?;
        // Once at the start, so that a shelf that cannot be used is told of before it is needed,
        // and again before there is work for it.
        let mut is_seen = !self.shelf_was_ready.load(Ordering::Relaxed);
        if is_seen {
            self.see_shelf()?;
        }
        let mut moved = 0;
        for partition in self.parts().hot.iter() {
            if cancel.is_cancelled() {
                break;
            }
            let documents = partition.span().documents;
            if partition.name.day >= day_of(time)
                || documents == 0
                || self.writer()?.needs(partition)
            {
                continue;
            }
            if !is_seen {
                self.see_shelf()?;
                is_seen = true;
            }
            if self.archive_one(partition, cancel)?.is_some() {
                moved += documents;
            }
        }
        Ok(moved)
    }

    /// Moves a closed partition to the archive; `None` when it is not as it was sealed, or
    /// somebody cancelled.
    fn archive_one(
        &self,
        partition: &Arc<Partition>,
        cancel: &Cancel,
    ) -> Result<Option<Arc<Cold>>> {
        let begin = std::time::Instant::now();
        let cold = match make::make(&self.dir, partition, &self.shelf, cancel)? {
            Made::Archived(cold) => Arc::new(*cold),
            Made::NotSealed | Made::Cancelled => return Ok(None),
        };
        tracing::info!(
            partition = %partition.name.directory(), events = partition.span().documents,
            bytes = cold.bytes(), before = partition.disk_bytes(),
            seconds = begin.elapsed().as_secs(), "archived"
        );
        self.exchange(partition, Arc::clone(&cold))?;
        Ok(Some(cold))
    }

    /// Writing a day's files takes long; whether they can be put anywhere is seen before.
    fn see_shelf(&self) -> Result<()> {
        let ready = self.shelf.ready();
        self.shelf_was_ready.store(ready.is_ok(), Ordering::Relaxed);
        ready.map_err(|error| StoreError::Failed {
            path: self.shelf.place().into(),
            reason: format!("the archive cannot be used: {error}"),
        })
    }

    /// From now on the archive is asked; what the partition was goes.
    fn exchange(&self, partition: &Arc<Partition>, cold: Arc<Cold>) -> Result<()> {
        let writer = self.writer()?;
        let mut parts = self.parts();
        let kept = parts.hot.iter().filter(|other| other.name != partition.name);
        let hot = kept.map(Arc::clone).collect();
        let mut all = parts.cold.to_vec();
        all.push(cold);
        all.sort_by_key(|cold| cold.name);
        (parts.hot, parts.cold) = (Arc::new(hot), Arc::new(all));
        self.set_parts(parts);
        drop(writer);
        partition.remove(&self.dir)
    }

    /// Deletes the events of a pack that are beyond its limits, the oldest days first. A closed
    /// day that is not archived is archived first: only there a pack has files of its own.
    pub(super) fn trim(
        &self,
        pack: &str,
        before: Timestamp,
        bytes_max: u64,
        cancel: &Cancel,
    ) -> Result<u64> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = self.parts();
        let own = |file: &&FileAbout| file.pack.as_deref() == Some(pack);
        let files = parts.cold.iter().flat_map(|cold| cold.about.files.iter().filter(own));
        let archived = files.map(|file| file.bytes).sum::<u64>();
        let mut shares = Vec::with_capacity(parts.hot.len());
        for partition in parts.hot.iter() {
            shares.push(self.share(partition, pack, before)?);
        }
        let all = archived + shares.iter().map(|share| share.bytes).sum::<u64>();
        let mut beyond = all.saturating_sub(bytes_max);
        let mut deleted = 0;
        for cold in parts.cold.iter() {
            let goes = |file: &&FileAbout| own(file) && (file.newest < before.0 || beyond > 0);
            let gone: Vec<FileAbout> = cold.about.files.iter().filter(goes).cloned().collect();
            beyond = beyond.saturating_sub(gone.iter().map(|file| file.bytes).sum());
            deleted += self.take_out(cold, &gone)?;
        }
        for (partition, share) in parts.hot.iter().zip(shares) {
            let goes = share.events > 0 && (share.is_old || beyond > 0);
            if !goes || cancel.is_cancelled() || self.writer()?.needs(partition) {
                continue;
            }
            self.see_shelf()?;
            let Some(cold) = self.archive_one(partition, cancel)? else { continue };
            beyond = beyond.saturating_sub(share.bytes);
            let gone: Vec<FileAbout> = cold.about.files.iter().filter(own).cloned().collect();
            deleted += self.take_out(&cold, &gone)?;
        }
        remove_gone(&self.dir, &self.shelf)?;
        Ok(deleted)
    }

    /// What a pack has in a partition that is not archived.
    fn share(&self, partition: &Arc<Partition>, pack: &str, before: Timestamp) -> Result<Share> {
        let parts = std::slice::from_ref(partition);
        let filter = Filter::term("event.module", pack);
        let events = search::count(parts, &filter, None, None)?;
        if events == 0 {
            return Ok(Share::default());
        }
        let is_old = search::count(parts, &filter, Some(before), None)? == 0;
        let all = u128::from(partition.span().documents.max(1));
        let bytes = u128::from(partition.disk_bytes()) * u128::from(events) / all;
        Ok(Share { events, bytes: u64::try_from(bytes).unwrap_or(u64::MAX), is_old })
    }

    /// Deletes files of an archived partition; the number of events in them.
    fn take_out(&self, cold: &Arc<Cold>, gone: &[FileAbout]) -> Result<u64> {
        if gone.is_empty() {
            return Ok(0);
        }
        let kept = Arc::new(cold.without(gone));
        // Who asks from now on does not look for them any more.
        self.replace(cold, Arc::clone(&kept));
        cold.retire_all_but(&kept, &self.dir)?;
        Ok(gone.iter().map(|file| file.events).sum())
    }

    /// Asks another one instead of an archived partition.
    fn replace(&self, old: &Cold, new: Arc<Cold>) {
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let kept = parts.cold.iter().filter(|cold| cold.name != old.name).map(Arc::clone);
        let mut all: Vec<Arc<Cold>> = kept.chain([new]).collect();
        all.sort_by_key(|cold| cold.name);
        parts.cold = Arc::new(all);
    }
}
