//! Archived partitions answer as they did, lose nothing in a crash, and are vouched for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::{Archiving, archive_all, hot, small};
use tocsin_model::{Event, EventId, Timestamp, field};
use tocsin_store::{
    Agg, Cancel, Directory, Embedded, EventStore, Filter, Options, PartitionState, ScanRequest,
    SearchRequest, Shelf, Source, conformance, verify, verify_with,
};

const DAY: i64 = 86_400_000_000_000;
const START: i64 = 1_795_219_200_000_000_000;

fn event(number: u64, day: i64, pack: &str) -> Event {
    let mut event = Event::default();
    let line = format!("Failed password for root from 192.0.2.{} port 22", number % 200);
    event.set_original(&line);
    event.id = EventId { stream: 1, offset: number };
    event.time = Timestamp(START + day * DAY + number as i64 * 1_000_001);
    event.received = event.time;
    event.push_str(field::EVENT_MODULE, pack);
    event.push_str(field::SOURCE_IP, &format!("192.0.2.{}", number % 200));
    event.push_int(field::SOURCE_PORT, 22);
    event
}

/// A store with a partition of a hundred events for each of some days.
fn filled(dir: &Path, days: i64, options: Options) -> Embedded {
    let store = Embedded::open(dir, options).unwrap();
    for day in 0..days {
        let packs = ["nginx", "openssh", "../etc"];
        let number = |n: u64| day as u64 * 100 + n;
        let events: Vec<Event> =
            (0..100).map(|n| event(number(n), day, packs[n as usize % 3])).collect();
        store.append(&events).unwrap();
        store.commit(&format!("{day}")).unwrap();
    }
    store
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Everything, in the order of a scan.
fn all(store: &Embedded) -> Vec<String> {
    let mut all = Vec::new();
    let mut last = Timestamp(i64::MIN);
    let scanned = store.scan(&ScanRequest::default(), &mut |scanned| {
        for event in scanned.events {
            assert!(event.time >= last, "oldest first");
            last = event.time;
            all.push(event.to_json().to_string());
        }
        assert_eq!((scanned.done as usize, scanned.total >= scanned.done), (all.len(), true));
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap() as usize, all.len());
    all
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let days = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = days.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap());
    let mut all: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    all.sort();
    all
}

#[test]
fn a_store_that_archives_everything_conforms() {
    let mut dirs = Vec::new();
    let done = conformance::run(&mut || {
        let dir = tempfile::tempdir().unwrap();
        let store = Archiving::open(dir.path());
        dirs.push(dir);
        Box::new(store) as Box<dyn EventStore>
    });
    if let Err(errors) = done {
        panic!("{} failed:\n{}", errors.len(), errors.join("\n"));
    }
}

#[test]
fn archived_days_answer_as_before_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 4, Options::default());
    let before = all(&store);
    let request = SearchRequest {
        filter: Filter::term("source.ip", "192.0.2.7"),
        aggs: [("ports".to_owned(), Agg::terms("source.port", 5))].into(),
        ..SearchRequest::default()
    };
    let hits = store.search(&request).unwrap();
    assert!(!hits.archived);
    assert_eq!(archive_all(&store, dir.path()), 300);
    let check = |store: &Embedded| {
        assert_eq!(all(store), before);
        let found = store.search(&request).unwrap();
        assert!(found.archived && !found.partial);
        assert_eq!((&found.hits, found.total, &found.aggs), (&hits.hits, hits.total, &hits.aggs));
        // The newest day is not archived.
        let from = Some(Timestamp(START + 3 * DAY));
        assert!(!store.search(&SearchRequest { from, ..request.clone() }).unwrap().archived);
        let stats = store.stats().unwrap();
        assert_eq!((stats.documents, stats.archived_documents, stats.partitions), (400, 300, 4));
        assert!(stats.archived_bytes > 0);
    };
    check(&store);
    // A reader beside it, and a new start.
    check(&Embedded::open_to_read(dir.path()).unwrap());
    drop(store);
    check(&Embedded::open(dir.path(), Options::default()).unwrap());
}

#[test]
fn a_crash_between_archiving_and_deleting_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 3, small());
    let before = all(&store);
    drop(store);
    // Closed partitions are sealed.
    let store = Embedded::open(dir.path(), small()).unwrap();
    let saved = tempfile::tempdir().unwrap();
    let (first, second) = (hot(dir.path())[0].clone(), hot(dir.path())[1].clone());
    for partition in [&first, &second] {
        copy(partition, &saved.path().join(partition.file_name().unwrap()));
    }
    archive_all(&store, dir.path());
    drop(store);
    // Killed after the files were there and before the index was deleted.
    copy(saved.path(), dir.path());
    // Killed while files were written, and before they were sealed.
    let making = dir.path().join("archive").join("p000002-2026-11-22.making");
    fs::create_dir_all(&making).unwrap();
    fs::write(making.join("nginx.parquet"), b"PAR1").unwrap();
    let seals = fs::read_to_string(dir.path().join("seals.ndjson")).unwrap();
    let kept: Vec<&str> = seals.lines().collect();
    let (last, kept) = kept.split_last().unwrap();
    assert!(last.contains("archived"));
    fs::write(dir.path().join("seals.ndjson"), kept.join("\n") + "\n").unwrap();

    let store = Embedded::open(dir.path(), small()).unwrap();
    assert!(!making.exists());
    assert_eq!(store.stats().unwrap().archived_documents, 0, "the index counts");
    assert_eq!(all(&store), before);
    assert_eq!(archive_all(&store, dir.path()), 200);
    assert_eq!(all(&store), before);
    drop(store);
    let found = verify(dir.path()).unwrap();
    assert!(found.is_intact(), "{found:?}");
    let archived = |state: &&PartitionState| **state == PartitionState::Archived;
    assert_eq!(found.partitions.values().filter(archived).count(), 2);
}

#[test]
fn archiving_that_fails_or_is_cancelled_leaves_everything() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 3, small()));
    let store = Embedded::open(dir.path(), small()).unwrap();
    let before = all(&store);
    let cancel = Cancel::default();
    cancel.cancel();
    assert_eq!(store.archive_before(Timestamp(i64::MAX), &cancel).unwrap(), 0);
    assert_eq!(store.archive_before(Timestamp(START), &Cancel::default()).unwrap(), 0, "young");
    // Where the archive should be is a file.
    fs::remove_dir_all(dir.path().join("archive")).ok();
    fs::write(dir.path().join("archive"), b"").unwrap();
    let start = std::time::Instant::now();
    let error = loop {
        match store.archive_before(Timestamp(i64::MAX), &Cancel::default()) {
            Err(error) => break error,
            Ok(_) => assert!(start.elapsed() < std::time::Duration::from_secs(60)),
        }
    };
    assert!(error.to_string().contains("archive"), "{error}");
    assert_eq!((all(&store), hot(dir.path()).len()), (before.clone(), 3));
    fs::remove_file(dir.path().join("archive")).unwrap();
    // An index that somebody changed does not become a file that nobody can tell from a true one.
    let changed = fs::read_dir(&hot(dir.path())[0]).unwrap().map(|entry| entry.unwrap().path());
    let store_file = |path: &PathBuf| path.extension().is_some_and(|end| end == "store");
    let mut file = fs::File::options()
        .append(true)
        .open(changed.into_iter().find(store_file).unwrap())
        .unwrap();
    std::io::Write::write_all(&mut file, b"x").unwrap();
    let error = store.archive_before(Timestamp(i64::MAX), &Cancel::default()).unwrap_err();
    assert!(error.to_string().contains("changed since"), "{error}");
    assert_eq!(hot(dir.path()).len(), 3);
}

#[test]
fn retention_reaches_the_archive_and_single_packs() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 5, small());
    archive_all(&store, dir.path());
    let archive = dir.path().join("archive");
    // A file for each pack; a name that is no file name has none.
    assert_eq!(files(&archive).len(), 12);
    let names: Vec<_> =
        files(&archive).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(&names[..3], ["nginx.parquet", "openssh.parquet", "other.parquet"]);
    assert_eq!(store.delete_before(Timestamp(START + DAY)).unwrap(), 100);
    assert_eq!(
        store.trim_pack("nginx", Timestamp(START + 2 * DAY), u64::MAX, &Cancel::default()).unwrap(),
        34
    );
    assert_eq!(
        store.trim_pack("nginx", Timestamp(START + 2 * DAY), u64::MAX, &Cancel::default()).unwrap(),
        0
    );
    assert_eq!(store.trim_pack("openssh", Timestamp(0), 1, &Cancel::default()).unwrap(), 99);
    assert_eq!(store.trim_pack("apache", Timestamp(i64::MAX), 0, &Cancel::default()).unwrap(), 0);
    assert_eq!(files(&archive).len(), 5);
    let (nginx, all) = (Filter::term("event.module", "nginx"), Filter::All);
    assert_eq!(store.count(&all, None, None).unwrap(), 400 - 34 - 99);
    assert_eq!(store.count(&nginx, None, None).unwrap(), 34 * 3);
    let found = verify(dir.path()).unwrap();
    assert!(found.is_intact(), "{found:?}");
    drop(store);
    let store = Embedded::open(dir.path(), small()).unwrap();
    assert_eq!(store.count(&all, None, None).unwrap(), 400 - 34 - 99);
    // By size the oldest go first.
    let bytes = store.stats().unwrap();
    let all_bytes = bytes.disk_bytes + bytes.archived_bytes;
    assert!(store.shrink_to(all_bytes - 1).unwrap() > 0);
    assert!(store.delete_before(Timestamp(i64::MAX)).unwrap() > 0);
    assert_eq!((store.count(&all, None, None).unwrap(), files(&archive).len()), (100, 0));
    assert!(verify(dir.path()).unwrap().is_intact());
}

#[test]
fn changes_in_the_archive_are_found_out() {
    let filled = |days| {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path(), days, small());
        archive_all(&store, dir.path());
        (dir, store)
    };
    let (dir, _store) = filled(3);
    let archive = dir.path().join("archive");
    let victim = files(&archive)[1].clone();
    let day = victim.parent().unwrap().to_owned();
    let original = fs::read(&victim).unwrap();
    let mut bytes = original.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&victim, bytes).unwrap();
    let state = |dir: &Path| verify(dir).unwrap().partitions["p000001-2026-11-21"].clone();
    assert_eq!(state(dir.path()), PartitionState::Changed(vec!["openssh.parquet".to_owned()]));
    fs::write(&victim, original).unwrap();
    assert_eq!(state(dir.path()), PartitionState::Archived);
    // Hiding events by saying that they are of another time.
    let about = fs::read_to_string(day.join("about.json")).unwrap();
    fs::write(day.join("about.json"), about.replace("\"events\":34", "\"events\":33")).unwrap();
    assert_eq!(state(dir.path()), PartitionState::Changed(vec!["about.json".to_owned()]));
    fs::remove_dir_all(day).unwrap();
    assert_eq!(state(dir.path()), PartitionState::Missing);
    assert!(!verify(dir.path()).unwrap().is_intact());
}

#[test]
fn the_archive_may_be_elsewhere() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shelf = Arc::new(Directory(other.path().join("cold")));
    let options = || Options { archive: Some(shelf.clone()), ..small() };
    let store = filled(dir.path(), 3, options());
    let before = all(&store);
    archive_all(&store, dir.path());
    assert_eq!(files(&other.path().join("cold")).len(), 6);
    assert_eq!(files(&dir.path().join("archive")).len(), 0);
    assert_eq!(all(&store), before);
    drop(store);
    let reader = Embedded::open_to_read_with(dir.path(), Some(shelf.clone())).unwrap();
    assert_eq!(all(&reader), before);
    assert!(verify_with(dir.path(), shelf.as_ref()).unwrap().is_intact());
    assert!(!verify(dir.path()).unwrap().is_intact());
    let store = Embedded::open(dir.path(), options()).unwrap();
    // What cannot be reached is an error, not an answer without it.
    fs::rename(other.path().join("cold"), other.path().join("away")).unwrap();
    let error = store.search(&SearchRequest::default()).unwrap_err();
    assert!(error.to_string().contains("cold"), "{error}");
    // But for who asks for it.
    let lenient = SearchRequest { may_miss: true, ..SearchRequest::default() };
    let found = store.search(&lenient).unwrap();
    assert_eq!((found.total, found.partial), (100, true));
    assert!(found.missing.unwrap().contains("cold"));
    fs::rename(other.path().join("away"), other.path().join("cold")).unwrap();
    assert_eq!(store.delete_before(Timestamp(START + DAY)).unwrap(), 100);
    assert_eq!(files(&other.path().join("cold")).len(), 3);
    assert!(verify_with(dir.path(), shelf.as_ref()).unwrap().is_intact());
}

/// A directory that cannot be reached now and then.
#[derive(Debug)]
struct Flaky(Directory, AtomicBool);

impl Flaky {
    fn there(&self) -> io::Result<&Directory> {
        if self.1.load(Ordering::Relaxed) { Err(io::Error::other("away")) } else { Ok(&self.0) }
    }
}

impl Shelf for Flaky {
    fn place(&self) -> String {
        self.0.place()
    }

    fn ready(&self) -> io::Result<()> {
        self.there()?.ready()
    }

    fn put(&self, name: &str, from: &Path, cancel: &Cancel) -> io::Result<()> {
        self.there()?.put(name, from, cancel)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Source>> {
        self.there()?.open(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.there()?.remove(name)
    }
}

#[test]
fn a_pack_beyond_its_limit_takes_its_days_to_the_archive_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 5, small());
    let trim = |pack: &str, before: i64, bytes| {
        store.trim_pack(pack, Timestamp(before), bytes, &Cancel::default()).unwrap()
    };
    let counted =
        |pack: &str| store.count(&Filter::term("event.module", pack), None, None).unwrap();
    assert_eq!(trim("apache", i64::MAX, 0), 0, "a pack without events");
    assert_eq!(trim("nginx", START + DAY / 2, u64::MAX), 34, "the first day is old enough");
    assert_eq!((counted("nginx"), counted("openssh"), hot(dir.path()).len()), (136, 165, 4));
    let archive = dir.path().join("archive");
    assert_eq!(files(&archive).len(), 2, "what is left of that day");
    assert_eq!(trim("nginx", START + DAY / 2, u64::MAX), 0, "no more");
    // Its part of the four days that are left is more than that of two, less than that of five.
    let bytes: u64 = store.stats().unwrap().disk_bytes * 34 / 100;
    assert_eq!(trim("nginx", 0, bytes * 5 / 8), 68, "the oldest two");
    assert_eq!((counted("nginx"), hot(dir.path()).len()), (68, 2));
    // The day that is written stays, whatever its size.
    assert_eq!(trim("nginx", i64::MAX, 0), 34);
    assert_eq!((counted("nginx"), hot(dir.path()).len()), (34, 1));
    let cancelled = Cancel::default();
    cancelled.cancel();
    assert_eq!(store.trim_pack("openssh", Timestamp(i64::MAX), 0, &cancelled).unwrap(), 132);
    let found = verify(dir.path()).unwrap();
    assert!(found.is_intact(), "{found:?}");
    let before = all(&store);
    drop(store);
    let store = Embedded::open(dir.path(), small()).unwrap();
    assert_eq!(all(&store), before);
    assert_eq!(before.len(), 500 - 136 - 132);
}

#[test]
fn what_is_deleted_while_the_archive_is_away_goes_later() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shelf = Arc::new(Flaky(Directory(other.path().to_owned()), AtomicBool::new(false)));
    let options = || Options { archive: Some(shelf.clone()), ..small() };
    let store = filled(dir.path(), 5, options());
    archive_all(&store, dir.path());
    assert_eq!(files(other.path()).len(), 12);
    shelf.1.store(true, Ordering::Relaxed);
    let done = store.archive_before(Timestamp(i64::MAX), &Cancel::default());
    assert_eq!(done.unwrap(), 0, "nothing to do is no failure");
    let away = |done: tocsin_store::Result<u64>| {
        let error = done.unwrap_err().to_string();
        assert!(error.contains("cannot be removed: away"), "{error}");
    };
    away(store.delete_before(Timestamp(START + DAY)));
    away(store.trim_pack("nginx", Timestamp(START + 3 * DAY), u64::MAX, &Cancel::default()));
    let counted = |store: &Embedded| store.stats().unwrap().archived_documents;
    let left = counted(&store);
    assert_eq!(left, 232);
    assert_eq!(files(other.path()).len(), 12, "still there");
    drop(store);
    // A start does not need it.
    let store = Embedded::open(dir.path(), options()).unwrap();
    assert_eq!(counted(&store), left);
    away(store.archive_before(Timestamp(i64::MAX), &Cancel::default()));
    // Who cannot look does not say that anything was changed.
    let verified = verify_with(dir.path(), shelf.as_ref()).unwrap();
    let unread = |state: &&PartitionState| matches!(state, PartitionState::Unread(_));
    assert_eq!(verified.partitions.values().filter(unread).count(), 3);
    assert!(!verified.is_intact());
    shelf.1.store(false, Ordering::Relaxed);
    store.archive_before(Timestamp(i64::MAX), &Cancel::default()).unwrap();
    assert_eq!(files(other.path()).len(), 7);
    assert!(verify_with(dir.path(), shelf.as_ref()).unwrap().is_intact());
}
