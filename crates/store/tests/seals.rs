//! Whoever changes or removes stored events is found out, with the spot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tocsin_model::{Event, EventId, Timestamp};
use tocsin_store::{Embedded, EventStore, Options, PartitionState, Verified, verify};

const DAY: i64 = 86_400_000_000_000;
const START: i64 = 1_795_219_200_000_000_000;

fn event(number: u64, day: i64) -> Event {
    let mut event = Event::default();
    event.set_original("Failed password for root from 192.0.2.1 port 22");
    event.id = EventId { stream: 1, offset: number };
    event.time = Timestamp(START + day * DAY);
    event.received = event.time;
    event
}

/// A store with a partition for each of some days.
fn filled(dir: &Path, days: i64) -> Embedded {
    let store = Embedded::open(dir, Options::default()).unwrap();
    for day in 0..days {
        let events: Vec<Event> = (0..50).map(|n| event(day as u64 * 50 + n, day)).collect();
        store.append(&events).unwrap();
        store.commit(&format!("{day}")).unwrap();
    }
    store
}

/// Waits until all partitions but the newest are sealed.
fn sealed(dir: &Path) -> Verified {
    let start = Instant::now();
    loop {
        let found = verify(dir).unwrap();
        if found.partitions.values().all(|state| *state != PartitionState::Unsealed) {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{found:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn states(found: &Verified) -> Vec<&PartitionState> {
    found.partitions.values().collect()
}

fn largest_file(partition: &Path) -> PathBuf {
    let files = fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|end| end == "store"));
    segments.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn what_is_untouched_is_intact_also_after_retention_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 4);
    let found = sealed(dir.path());
    assert!(found.is_intact(), "{found:?}");
    use PartitionState::{Deleted, Intact, Open};
    assert_eq!(states(&found), [&Intact, &Intact, &Intact, &Open]);
    let last = found.last.unwrap();
    assert_eq!(store.delete_before(Timestamp(START + DAY)).unwrap(), 50);
    drop(store);
    // A store that was closed before its partitions were sealed seals them when it is opened.
    let seals = dir.path().join("seals.ndjson");
    let text = fs::read_to_string(&seals).unwrap();
    // A line that a crash tore counts for nothing, and the next one does not stand behind it.
    fs::write(&seals, format!("{}{}", text, "{\"version\":1,\"par")).unwrap();
    let _store = Embedded::open(dir.path(), Options::default()).unwrap();
    let found = sealed(dir.path());
    assert_eq!(states(&found), [&Deleted, &Intact, &Intact, &Open]);
    assert!(found.is_intact() && text.contains(&last), "{found:?}");
    assert_ne!(found.last, Some(last));
    let text = fs::read_to_string(&seals).unwrap();
    fs::write(&seals, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    assert!(!verify(dir.path()).unwrap().is_intact());
}

#[test]
fn what_was_changed_or_removed_is_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 4));
    let good = sealed(dir.path());
    assert!(good.is_intact(), "{good:?}");
    let names: Vec<String> = good.partitions.keys().cloned().collect();
    let seals = dir.path().join("seals.ndjson");
    let chain = fs::read_to_string(&seals).unwrap();

    let file = largest_file(&dir.path().join(&names[1]));
    let whole = fs::read(&file).unwrap();
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    fs::write(&file, other).unwrap();
    let found = verify(dir.path()).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(found.partitions[&names[1]], PartitionState::Changed(vec![name]));
    fs::write(&file, whole).unwrap();
    assert!(verify(dir.path()).unwrap().is_intact());

    // A line that is changed, left out or moved.
    let lines: Vec<&str> = chain.lines().collect();
    let bad_chains = [
        chain.replace("\"documents\":50", "\"documents\":49"),
        format!("{}\n{}\n", lines[0], lines[2]),
        format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]),
        format!("{}\nnonsense\n{}\n", lines[0], lines[1]),
    ];
    for bad in bad_chains {
        fs::write(&seals, &bad).unwrap();
        let found = verify(dir.path()).unwrap();
        assert!(!found.is_intact(), "{bad}");
    }

    // A partition that is gone, also with its line.
    fs::write(&seals, &chain).unwrap();
    fs::rename(dir.path().join(&names[2]), dir.path().join("elsewhere")).unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!(found.partitions[&names[2]], PartitionState::Missing);
    fs::write(&seals, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!(found.partitions["p000003"], PartitionState::Missing);
}
