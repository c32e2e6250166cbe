//! The journal on real and on broken disks.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use proptest::prelude::*;
use tempfile::TempDir;
use tocsin_model::Record;

use super::writer::{Disk, RealDisk, SegmentFile};
use super::*;

const SMALL: JournalLimits = JournalLimits { segment_bytes: 4096, total_bytes_max: 16 << 10 };

fn entry(text: &str) -> JournalEntry {
    JournalEntry {
        input: Arc::from("syslog:tcp"),
        hint: None,
        peer: Some(IpAddr::from([192, 0, 2, 1])),
        received: Timestamp(7),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn entries(range: std::ops::Range<usize>) -> Vec<JournalEntry> {
    range.map(|number| entry(&format!("line {number}"))).collect()
}

/// Everything the journal gives out from where `committed` says, and the checkpoint behind it.
async fn read_all(journal: &Journal, committed: &mut Checkpoints) -> Vec<Record> {
    let mut reader = journal.reader(committed).await.unwrap();
    let mut records = Vec::new();
    loop {
        let batch = reader.read().unwrap();
        if batch.records.is_empty() {
            assert_eq!((reader.lag_bytes(), reader.take_damaged_bytes()), (0, 0));
            return records;
        }
        records.extend(batch.records);
        committed.extend(batch.checkpoints);
    }
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| String::from_utf8_lossy(&record.bytes).into_owned();
    records.iter().map(text).collect()
}

fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

#[tokio::test]
async fn entries_come_back_in_order_with_positions_that_never_repeat() {
    let dir = TempDir::new().unwrap();
    let journal = Arc::new(Journal::open(dir.path(), &SMALL).unwrap());
    let callers = (0..20).map(|number| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(entries(number * 10..number * 10 + 10)).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
    journal.append(Vec::new()).await.unwrap();
    let mut committed = Checkpoints::default();
    let records = read_all(&journal, &mut committed).await;
    assert_eq!(
        texts(&records).into_iter().collect::<BTreeSet<_>>(),
        lines(0..200).into_iter().collect()
    );
    assert!(records.is_sorted_by(|a, b| a.position.next <= b.position.offset));
    assert_eq!(records[0].peer, Some(IpAddr::from([192, 0, 2, 1])));
    assert_eq!((&*records[0].input, records[0].received), ("syslog:tcp", Timestamp(7)));
    // A caller's entries stay together.
    for caller in texts(&records).chunks(10) {
        assert!(caller[0].ends_with('0'), "{caller:?}");
    }
}

#[tokio::test]
async fn reading_resumes_inside_an_append_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    journal.append(entries(0..5)).await.unwrap();
    journal.append(entries(5..8)).await.unwrap();
    let all = read_all(&journal, &mut Checkpoints::default()).await;
    drop(journal);
    for done in 0..all.len() {
        let journal = Journal::open(dir.path(), &SMALL).unwrap();
        let reader = journal.reader(&Checkpoints::default()).await.unwrap();
        let mut committed = Checkpoints::default();
        committed.merge(reader.checkpoint(all[done].position.next));
        let rest = read_all(&journal, &mut committed).await;
        assert_eq!(texts(&rest), lines(done + 1..8));
        let positions = |records: &[Record]| records.iter().map(|r| r.position).collect::<Vec<_>>();
        assert_eq!(positions(&rest), positions(&all[done + 1..]));
    }
}

#[tokio::test]
async fn a_full_journal_refuses_until_entries_are_stored() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    let mut written = 0;
    let full = loop {
        match journal.append(entries(written..written + 10)).await {
            Ok(()) => written += 10,
            Err(error) => break error,
        }
    };
    let JournalError::Full { used, max } = &full else { panic!("{full}") };
    assert!(used <= max && journal.used_bytes() == *used, "{full}");
    let mut committed = Checkpoints::default();
    assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(0..written));
    let state = committed.get(CHECKPOINT_KEY).unwrap();
    journal.release(&Checkpoint { key: "file:1".into(), state: state.into() });
    assert!(journal.append(entries(0..10)).await.is_err());
    journal.release(&Checkpoint { key: CHECKPOINT_KEY.into(), state: state.into() });
    journal.append(entries(written..written + 10)).await.unwrap();
    assert!(journal.used_bytes() < *used);
    assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(written..written + 10));
    // Positions go on after everything was freed and the journal was opened again.
    drop(journal);
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(0..0));
    journal.append(entries(0..1)).await.unwrap();
    assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(0..1));
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Journal::open(&file.join("journal"), &SMALL).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    let _first = Journal::open(dir.path(), &SMALL).unwrap();
    let error = Journal::open(dir.path(), &SMALL).unwrap_err().to_string();
    assert!(error.contains("another process") && error.contains("stop the other"), "{error}");
    let huge = vec![JournalEntry { bytes: Bytes::from(vec![0; APPEND_BYTES_MAX]), ..entry("") }];
    let error = _first.append(huge).await.unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_journal_that_lost_its_end_never_gives_old_positions_to_new_entries() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    journal.append(entries(0..5)).await.unwrap();
    let before = std::fs::read(segment::path(dir.path(), 0)).unwrap();
    journal.append(entries(5..9)).await.unwrap();
    let mut committed = Checkpoints::default();
    let old = read_all(&journal, &mut committed).await;
    drop(journal);
    std::fs::write(segment::path(dir.path(), 0), before).unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    assert_eq!(read_all(&journal, &mut committed).await.len(), 0);
    journal.append(entries(9..11)).await.unwrap();
    let new = read_all(&journal, &mut committed).await;
    assert_eq!(texts(&new), lines(9..11));
    assert!(new[0].position.offset >= old[8].position.next);
    drop(journal);
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    assert_eq!(read_all(&journal, &mut committed).await.len(), 0);
}

#[tokio::test]
async fn a_damaged_segment_costs_only_itself() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    for number in 0..100 {
        journal.append(entries(number..number + 1)).await.unwrap();
    }
    let second = *journal.shared.segments().keys().nth(1).unwrap();
    drop(journal);
    let path = segment::path(dir.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let journal = Journal::open(dir.path(), &SMALL).unwrap();
    let mut reader = journal.reader(&Checkpoints::default()).await.unwrap();
    let mut records = Vec::new();
    loop {
        let batch = reader.read().unwrap();
        if batch.records.is_empty() {
            break;
        }
        records.extend(batch.records);
    }
    assert_eq!(records.last().map(|r| &r.bytes[..]), Some(&b"line 99"[..]));
    assert!(records[0].position.offset >= second);
    assert_eq!(reader.take_damaged_bytes(), second);
}

/// A disk that is full when told so, and may refuse to cut a file off, too.
#[derive(Clone, Default)]
struct Faulty {
    room: Arc<AtomicUsize>,
    cannot_cut: Arc<AtomicBool>,
}

struct FaultyFile(Box<dyn SegmentFile>, Faulty);

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FaultyFile(RealDisk.create(path)?, self.clone())))
    }

    fn reopen(&self, path: &Path, length: u64) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(FaultyFile(RealDisk.reopen(path, length)?, self.clone())))
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.1.room.load(Ordering::SeqCst).min(bytes.len());
        self.1.room.fetch_sub(room, Ordering::SeqCst);
        self.0.write(&bytes[..room])?;
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        match self.1.cannot_cut.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.0.cut(length),
        }
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_accepted_and_the_journal_goes_on_by_itself() {
    for cannot_cut in [false, true] {
        let dir = TempDir::new().unwrap();
        let disk = Faulty::default();
        disk.cannot_cut.store(cannot_cut, Ordering::SeqCst);
        let journal = Journal::open_on(Box::new(disk.clone()), dir.path(), &SMALL).unwrap();
        let shutdown = CancellationToken::new();
        let error = journal.append(entries(0..1)).await.unwrap_err().to_string();
        assert!(error.contains("free space"), "{error}");
        for (number, room) in [(0, 40), (1, 100), (2, 41), (3, 70), (4, 1)] {
            disk.room.store(room, Ordering::SeqCst);
            let mut waited = 0;
            let waiting = |_: &JournalError| {
                waited += 1;
                disk.room.store(1000, Ordering::SeqCst);
            };
            let one = entries(number..number + 1);
            journal.append_waiting(one, &shutdown, waiting).await.unwrap();
            assert!(waited <= 1);
        }
        disk.room.store(0, Ordering::SeqCst);
        shutdown.cancel();
        let stopped = journal.append_waiting(entries(9..10), &shutdown, |_| {}).await;
        assert!(stopped.is_err());
        let mut committed = Checkpoints::default();
        assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(0..5));
        drop(journal);
        let journal = Journal::open(dir.path(), &SMALL).unwrap();
        assert_eq!(texts(&read_all(&journal, &mut Checkpoints::default()).await), lines(0..5));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever a crash leaves behind the last sync: all that was accepted is there, nothing
    /// else, and the journal goes on.
    #[test]
    fn a_torn_tail_is_cut_off(
        blocks in proptest::collection::vec(1usize..5, 1..8),
        cut in 0usize..600,
        garbage in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = TempDir::new().unwrap();
            let limits = JournalLimits::default();
            let journal = Journal::open(dir.path(), &limits).unwrap();
            let mut ends = vec![(0, 0)];
            let mut count = 0;
            for block in blocks {
                journal.append(entries(count..count + block)).await.unwrap();
                count += block;
                ends.push((*journal.shared.durable.borrow(), count));
            }
            drop(journal);
            let path = segment::path(dir.path(), 0);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(bytes.len().saturating_sub(cut).max(32));
            let left = (bytes.len() - 32) as u64;
            bytes.extend(garbage);
            std::fs::write(&path, bytes).unwrap();
            let whole = ends.iter().rfind(|(end, _)| *end <= left).unwrap().1;
            let journal = Journal::open(dir.path(), &limits).unwrap();
            let mut committed = Checkpoints::default();
            let kept = read_all(&journal, &mut committed).await;
            assert_eq!(texts(&kept), lines(0..whole));
            journal.append(entries(count..count + 2)).await.unwrap();
            assert_eq!(texts(&read_all(&journal, &mut committed).await), lines(count..count + 2));
        });
    }
}
