//! Data directories that released versions wrote are read and written on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp, field};
use tocsin_store::{Embedded, EventStore, Filter, Options, ScanRequest};

/// Directories in `tests/golden`, oldest first.
const VERSIONS: &[&str] = &["v1"];

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

/// Everything stored, by id; as a scan gives it and as `get` gives it.
fn all(store: &Embedded) -> HashMap<String, Json> {
    let mut all = HashMap::new();
    store
        .scan(&ScanRequest::default(), &mut |scanned| {
            for event in scanned.events {
                let json = event.to_json();
                assert_eq!(store.get(event.id).unwrap().as_ref(), Some(&json));
                all.insert(event.id.to_string(), json);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

#[test]
fn what_released_versions_wrote_is_read_and_written_on() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for version in VERSIONS {
        let written = golden.join(version);
        let expected: HashMap<String, Json> = fs::read_to_string(written.join("events.ndjson"))
            .unwrap()
            .lines()
            .map(|line| {
                let event: Json = serde_json::from_str(line).unwrap();
                (event["event"]["id"].as_str().unwrap().to_owned(), event)
            })
            .collect();
        assert!(expected.len() > 20, "{version}");
        let dir = tempfile::tempdir().unwrap();
        copy(&written, dir.path());
        let store = Embedded::open(dir.path(), Options::default()).unwrap();
        assert_eq!(all(&store), expected, "{version}");
        assert!(store.payload().unwrap().is_some());
        let failed = Filter::term("event.outcome", "failure");
        let before = store.count(&failed, None, None).unwrap();

        // The newest partition is written on while its day lasts.
        let mut event = Event::default();
        event.set_original("one more");
        event.id = EventId { stream: 3, offset: 3 };
        event.received = Timestamp::parse_rfc3339("2026-11-21T23:00:00Z").unwrap();
        event.time = event.received;
        event.push_str(field::EVENT_OUTCOME, "failure");
        store.append(std::slice::from_ref(&event)).unwrap();
        store.commit("{}").unwrap();
        assert_eq!(store.stats().unwrap().partitions, 1, "{version}");
        assert_eq!(store.count(&failed, None, None).unwrap(), before + 1);
        let mut expected = expected;
        expected.insert(event.id.to_string(), event.to_json());
        assert_eq!(all(&store), expected, "{version}");
    }
}
