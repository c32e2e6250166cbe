//! A collector on a temporary directory, with an engine that stores what it is told to.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tocsin_collect::{
    Batch, Checkpoints, CollectConfig, Collector, FileInput, Journal, JournaldConfig, JournaldMode,
    Start, Stats, SyslogConfig,
};
use tocsin_model::Record;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A machine: its logs, and what Tocsin stored of them.
pub struct Machine {
    pub dir: TempDir,
    pub config: CollectConfig,
    /// Checkpoints of the last commit.
    pub committed: Checkpoints,
    /// Records by id (stream and offset), as a store keeps them: one id is stored once.
    pub stored: BTreeMap<(u64, u64), String>,
    /// What of it was committed.
    pub safe: BTreeMap<(u64, u64), String>,
    /// Every record in the order it arrived first: whether historical, and its text.
    pub arrived: Vec<(bool, String)>,
    pub stats: Arc<Stats>,
}

/// A running collector.
pub struct Run {
    pub collector: Collector,
    pub journal: Arc<Journal>,
    pub batches: mpsc::Receiver<Batch>,
    pub shutdown: CancellationToken,
    /// Checkpoints of everything received.
    pub reached: Checkpoints,
    /// Ids of the records received since the start.
    received: Vec<(u64, u64)>,
}

/// A configuration that touches nothing of the real machine.
pub fn nothing() -> CollectConfig {
    CollectConfig {
        discover: false,
        syslog: SyslogConfig { udp: None, tcp: None, tls: None },
        journald: JournaldConfig { mode: JournaldMode::Off },
        ..CollectConfig::default()
    }
}

impl Machine {
    pub fn new(config: CollectConfig) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            config,
            committed: Checkpoints::default(),
            stored: BTreeMap::new(),
            safe: BTreeMap::new(),
            arrived: Vec::new(),
            stats: Arc::new(Stats::default()),
        }
    }

    /// Follows `patterns` (relative to the machine's log directory).
    pub fn following(patterns: &[&str], start: Start) -> Self {
        let mut machine = Self::new(nothing());
        let path = |pattern: &&str| machine.path(pattern).to_str().unwrap().to_owned();
        let paths = patterns.iter().map(path).collect();
        fs::create_dir_all(machine.path("")).unwrap();
        let source = Some("auth".to_owned());
        machine.config.files.push(FileInput { paths, source, start, ..FileInput::default() });
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("log").join(name)
    }

    /// Appends to a log in one write.
    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Rotates by copying and truncating.
    pub fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        File::options().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    /// Compresses as `gzip` does: the file's time stays.
    pub fn gzip(&self, name: &str) {
        let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        let file = File::create(self.path(&format!("{name}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(name)).unwrap()).unwrap();
        encoder.finish().unwrap().set_modified(modified).unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    pub async fn start(&self) -> Run {
        let journal = Journal::open(&self.dir.path().join("journal"), &self.config.journal);
        let journal = Arc::new(journal.unwrap());
        let (sender, batches) = mpsc::channel(2);
        let shutdown = CancellationToken::new();
        let root = self.dir.path().join("root");
        let collector = Collector::start_at(
            &root,
            self.config.clone(),
            self.committed.clone(),
            journal.clone(),
            sender,
            self.stats.clone(),
            shutdown.clone(),
        );
        let collector = collector.await.unwrap();
        let reached = self.committed.clone();
        Run { collector, journal, batches, shutdown, reached, received: Vec::new() }
    }

    /// Stores a record; the same id must always be the same text.
    fn store(&mut self, record: &Record, historical: bool) -> (u64, u64) {
        let text = String::from_utf8_lossy(&record.bytes).into_owned();
        let id = (record.position.stream, record.position.offset);
        match self.stored.get(&id) {
            Some(known) => assert_eq!(*known, text, "two records with one id"),
            None => {
                self.arrived.push((historical, text.clone()));
                self.stored.insert(id, text);
            }
        }
        id
    }

    /// Receives until so many different records are stored.
    pub async fn receive(&mut self, run: &mut Run, count: usize) {
        while self.stored.len() < count {
            let batch = tokio::time::timeout(PATIENCE, run.batches.recv()).await;
            let Ok(batch) = batch else {
                let shown = &self.arrived[self.arrived.len().saturating_sub(20)..];
                panic!("{} of {count} records after {PATIENCE:?}: {shown:?}", self.stored.len());
            };
            let batch = batch.expect("the collector runs");
            let stored = batch.records.iter().map(|record| self.store(record, batch.historical));
            run.received.extend(stored);
            run.reached.extend(batch.checkpoints);
        }
    }

    /// Stores all that this run received; a restart goes on behind it.
    pub fn commit(&mut self, run: &Run) {
        self.committed = run.reached.clone();
        let received = run.received.iter().filter_map(|id| self.stored.get_key_value(id));
        self.safe.extend(received.map(|(id, text)| (*id, text.clone())));
        for (key, state) in self.committed.iter() {
            let (key, state) = (key.to_owned(), state.to_owned());
            run.journal.release(&tocsin_collect::Checkpoint { key, state });
        }
    }

    /// Ends the run like `kill -9`: what was not committed is forgotten.
    pub async fn kill(&mut self, run: Run) {
        run.shutdown.cancel();
        drop(run.batches);
        run.collector.join().await;
    }

    /// Forgets what was not committed, as a store does. Without this, ids must be the same again.
    pub fn forget_uncommitted(&mut self) {
        self.stored = self.safe.clone();
    }

    /// Nothing more arrives, and what arrived is exactly `expected`, each line once.
    pub async fn expect_exactly(&mut self, mut run: Run, expected: &[String]) {
        self.receive(&mut run, expected.len()).await;
        run.shutdown.cancel();
        while let Some(batch) = run.batches.recv().await {
            batch.records.iter().for_each(|record| {
                self.store(record, batch.historical);
            });
            run.reached.extend(batch.checkpoints);
        }
        run.collector.join().await;
        let mut texts: Vec<_> = self.stored.values().cloned().collect();
        let mut expected = expected.to_vec();
        texts.sort();
        expected.sort();
        let odd = texts.iter().zip(&expected).find(|(is, should)| is != should);
        assert_eq!((texts.len(), odd), (expected.len(), None));
        self.committed = run.reached.clone();
    }

    pub fn texts(&self) -> Vec<&str> {
        self.arrived.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Lines `line <from>` to `line <to - 1>`, as a log holds them.
pub fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|number| format!("line {number}\n")).collect()
}

/// The texts of these lines.
pub fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}
