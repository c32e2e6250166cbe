//! A closed partition → files, read back and compared before they count.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tantivy::query::EnableScoring;
use tantivy::{DocSet, TERMINATED};
use tocsin_model::field::DICTIONARY;
use tocsin_model::{Event, FieldId};

use crate::archive::shelf::{Directory, Shelf, Source};
use crate::archive::{Opened, RowWriter, Rows, Wanted, digest};
use crate::embedded::cold::{
    ARCHIVE, About, Cold, FileAbout, MAKING, VERSION, shelf_name, write_about,
};
use crate::embedded::fault::{explain, of_io};
use crate::embedded::partition::Partition;
use crate::embedded::search::query_of;
use crate::embedded::{scan, seal};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::request::{Agg, Cancel, SearchRequest};
use crate::scan::ScanRequest;

/// The field that names the pack of an event.
const PACK: &str = "event.module";
/// The name of the file with the events of no pack.
const OTHER: &str = "other";
/// The most packs that have a file of their own; the events of more go to [`OTHER`].
const PACKS_MAX: usize = 200;
/// Rows that are read together when a file is compared.
const BATCH_ROWS: usize = 4096;
/// Bytes that are hashed together.
const HASHED_BYTES: usize = 4 * 1024 * 1024;

/// Why a partition is not archived now.
pub(crate) enum Made {
    /// It is.
    Archived(Box<Cold>),
    /// Somebody asked to stop.
    Cancelled,
    /// It is not sealed yet.
    NotSealed,
}

/// Writes the events of a sealed partition to the shelf, and its seal. Changes nothing of the
/// partition itself.
pub(crate) fn make(
    dir: &Path,
    partition: &Arc<Partition>,
    shelf: &Arc<dyn Shelf>,
    cancel: &Cancel,
) -> Result<Made> {
    let Some(sealed) = seal::sealed(dir, partition.name)? else { return Ok(Made::NotSealed) };
    let changed = seal::changed(&partition.path, &sealed)?;
    if !changed.is_empty() {
        return Err(StoreError::Damaged {
            path: partition.path.clone(),
            reason: format!("it was changed since it was sealed ({})", changed.join(", ")),
        });
    }
    let archive = dir.join(ARCHIVE);
    let name = partition.name.directory();
    let making = archive.join(format!("{name}{MAKING}"));
    let done = write_all(partition, &making, cancel).and_then(|about| match about {
        None => Ok(None),
        Some(about) => put_all(dir, partition, shelf, &making, about, cancel).map(Some),
    });
    match done {
        Ok(Some(cold)) => Ok(Made::Archived(Box::new(cold))),
        other => {
            // What stays is removed at the next start.
            let _ = fs::remove_dir_all(&making);
            if cancel.is_cancelled() { Ok(Made::Cancelled) } else { other.map(|_| Made::Cancelled) }
        }
    }
}

/// Writes a file for each pack.
fn write_all(partition: &Arc<Partition>, making: &Path, cancel: &Cancel) -> Result<Option<About>> {
    let fail = |error: std::io::Error| of_io(making, &error);
    let _ = fs::remove_dir_all(making);
    fs::create_dir_all(making).map_err(fail)?;
    let mut files = Vec::new();
    for (pack, filter) in packs(partition)? {
        let written = write(partition, making, pack, &filter, cancel)?;
        let Some(file) = written else { return Ok(None) };
        if file.events > 0 {
            files.push(file);
        } else {
            fs::remove_file(making.join(&file.name)).map_err(fail)?;
        }
    }
    let (events, documents) =
        (files.iter().map(|file| file.events).sum::<u64>(), partition.span().documents);
    if events != documents {
        return Err(wrong(partition, &format!("{events} of {documents} events were written")));
    }
    if FieldId::is_full() {
        return Err(wrong(partition, "this process knows too many names of fields"));
    }
    Ok(Some(About { version: VERSION, files }))
}

fn wrong(partition: &Partition, reason: &str) -> StoreError {
    StoreError::Failed {
        path: partition.path.clone(),
        reason: format!("not archived: {reason}; it stays as it is"),
    }
}

/// The packs of a partition, with the filter for the events of each.
fn packs(partition: &Arc<Partition>) -> Result<Vec<(Option<String>, Filter)>> {
    let request = SearchRequest {
        limit: 0,
        aggs: [("packs".to_owned(), Agg::terms(PACK, PACKS_MAX))].into(),
        ..SearchRequest::default()
    };
    let found = crate::embedded::search::search(std::slice::from_ref(partition), &[], &request)?;
    let buckets = found.aggs.get("packs").map(|packs| packs.buckets()).unwrap_or_default();
    let names: BTreeSet<&str> = buckets
        .iter()
        .filter_map(|bucket| bucket.key.as_str())
        .filter(|name| is_file_name(name) && *name != OTHER)
        .collect();
    let mut all = Vec::new();
    // An event of several packs goes to the first.
    let mut before: Vec<String> = Vec::new();
    for name in names {
        let others = Filter::Terms { field: PACK.to_owned(), values: before.clone() };
        let filter = Filter::term(PACK, name).and(Filter::Not(Box::new(others)));
        all.push((Some(name.to_owned()), filter));
        before.push(name.to_owned());
    }
    let named = Filter::Terms { field: PACK.to_owned(), values: before };
    all.push((None, Filter::Not(Box::new(named))));
    Ok(all)
}

fn is_file_name(name: &str) -> bool {
    let fine =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fine)
}

/// Writes the events of one pack, and reads them back.
fn write(
    partition: &Arc<Partition>,
    making: &Path,
    pack: Option<String>,
    filter: &Filter,
    cancel: &Cancel,
) -> Result<Option<FileAbout>> {
    let name = format!("{}.parquet", pack.as_deref().unwrap_or(OTHER));
    let path = making.join(&name);
    let failed = |error: &dyn std::fmt::Display| wrong(partition, &format!("{name}: {error}"));
    let known = columns_of(partition, filter)?;
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file = file.map_err(|error| of_io(making, &error))?;
    let has = |name: &str| known.contains(name);
    let mut writer = RowWriter::new(file, &has, Rows::Exact).map_err(|error| failed(&error))?;
    let mut expected = blake3::Hasher::new();
    let mut refused = None;
    let request = ScanRequest { filter: filter.clone(), ..ScanRequest::default() };
    let mut begin = Instant::now();
    scan::scan(std::slice::from_ref(partition), &request, &mut |scanned| {
        for event in scanned.events {
            digest(&mut expected, event);
            if let Err(error) = writer.add(event) {
                refused = Some(error);
                return ControlFlow::Break(());
            }
        }
        // Half of the time belongs to others.
        std::thread::sleep(begin.elapsed());
        begin = Instant::now();
        match cancel.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if let Some(error) = refused {
        return Err(failed(&error));
    }
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let (written, file) = writer.finish_told().map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| of_io(making, &error))?;
    let source = Directory(making.to_path_buf()).open(&name).map_err(|error| failed(&error))?;
    let digest = hash(&source, cancel).map_err(|error| failed(&error))?;
    let bytes = source.bytes();
    let events = written.events;
    let read = read_back(source, events, cancel).map_err(|error| failed(&error))?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    if read != expected.finalize() {
        return Err(failed(&"it does not read back as it was"));
    }
    let (oldest, newest) = written.span.unwrap_or_default();
    let (oldest, newest) = (oldest.0, newest.0);
    let fields = written.fields;
    Ok(Some(FileAbout { name, pack, events, bytes, oldest, newest, digest, fields }))
}

/// The fields of the dictionary that the events of a pack have.
fn columns_of(partition: &Partition, filter: &Filter) -> Result<BTreeSet<String>> {
    let fail = |error: tantivy::TantivyError| explain(&partition.path, &error);
    let there: BTreeSet<String> =
        partition.names().map_err(fail)?.into_iter().map(|(name, _)| name).collect();
    let searcher = partition.searcher();
    let mut known = BTreeSet::new();
    for spec in DICTIONARY.iter().filter(|spec| there.contains(spec.name)) {
        let both = filter.clone().and(Filter::exists(spec.name));
        let query = query_of(partition, &both, None, None)?;
        let weight =
            query.weight(EnableScoring::disabled_from_searcher(&searcher)).map_err(fail)?;
        for segment in searcher.segment_readers() {
            if weight.scorer(segment, 1.0).map_err(fail)?.doc() != TERMINATED {
                known.insert(spec.name.to_owned());
                break;
            }
        }
    }
    Ok(known)
}

/// The digest of the events of a file, as they are read.
fn read_back(
    source: Arc<dyn Source>,
    events: u64,
    cancel: &Cancel,
) -> Result<blake3::Hash, parquet::errors::ParquetError> {
    let opened = Opened::open(source)?;
    let (mut hasher, mut read) = (blake3::Hasher::new(), 0);
    for (number, info) in opened.groups.iter().enumerate() {
        let mut group = opened.group(number);
        for start in (0..info.rows).step_by(BATCH_ROWS) {
            let begin = Instant::now();
            let batch = group.events(start, BATCH_ROWS.min(info.rows - start), &Wanted::all())?;
            read += batch.len() as u64;
            batch.iter().for_each(|event: &Event| digest(&mut hasher, event));
            std::thread::sleep(begin.elapsed());
            if cancel.is_cancelled() {
                return Ok(hasher.finalize());
            }
        }
    }
    if read != events {
        return Err(parquet::errors::ParquetError::General(format!("{read} of {events} events")));
    }
    Ok(hasher.finalize())
}

/// Digest of a file.
pub(crate) fn hash(source: &Arc<dyn Source>, cancel: &Cancel) -> std::io::Result<String> {
    let (mut hasher, mut at) = (blake3::Hasher::new(), 0);
    while at < source.bytes() {
        if cancel.is_cancelled() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let len = (source.bytes() - at).min(HASHED_BYTES as u64);
        hasher.update(&source.read(at, len as usize)?);
        at += len;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Puts the files where they belong and seals them.
fn put_all(
    dir: &Path,
    partition: &Partition,
    shelf: &Arc<dyn Shelf>,
    making: &Path,
    about: About,
    cancel: &Cancel,
) -> Result<Cold> {
    let (name, archive) = (partition.name, dir.join(ARCHIVE));
    let path = archive.join(name.directory());
    let fail = |error: std::io::Error| of_io(&archive, &error);
    // Files of an archiving that a crash ended before it counted.
    if path.is_dir() {
        fs::remove_dir_all(&path).map_err(fail)?;
    }
    if shelf.place() == archive.display().to_string() {
        File::open(making).and_then(|dir| dir.sync_all()).map_err(fail)?;
    } else {
        for file in &about.files {
            let local = making.join(&file.name);
            let there = shelf_name(name, &file.name);
            let put = shelf.put(&there, &local, cancel);
            let put = put.and_then(|()| hash(&shelf.open_itself(&there)?, cancel));
            let digest = put.map_err(|error| {
                wrong(partition, &format!("{}: {there}: {error}", shelf.place()))
            })?;
            if digest != file.digest {
                let reason = format!("{}: {there} is not what was put there", shelf.place());
                return Err(wrong(partition, &reason));
            }
            fs::remove_file(&local).map_err(fail)?;
        }
    }
    write_about(making, &about).map_err(fail)?;
    fs::rename(making, &path).map_err(fail)?;
    File::open(&archive).and_then(|dir| dir.sync_all()).map_err(fail)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(fail)?;
    let events = partition.span().documents;
    seal::note_archived(dir, name, events, about.digests())?;
    Ok(Cold { name, path, about, shelf: Arc::clone(shelf) })
}
