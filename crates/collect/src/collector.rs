//! [`Collector`]: starts every input and knows what is watched.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::batch::{Checkpoints, Sender};
use crate::config::{CollectConfig, JournaldMode, Start};
use crate::discover::{self, USUAL_LOGS, discover};
use crate::error::Error;
use crate::files::{self, Patterns, Spec};
use crate::journal::{Journal, JournalReader};
use crate::stats::{DropReason, InputStats, Stats};
use crate::{journald, stdin, syslog};

/// Pause before a journal that cannot be read is tried again.
const READ_RETRY: Duration = Duration::from_secs(1);
/// Name that the journal's own problems are shown under.
const JOURNAL_INPUT: &str = "journal";

/// One thing that is watched, for the message at start and the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Name of the input (`file:/var/log/auth.log`, `syslog:udp`).
    pub input: String,
    /// In words: a path, an address.
    pub what: String,
    /// The source or hint its lines are read with; `None`: found line by line.
    pub source: Option<String>,
    /// What is wrong, with the remedy.
    pub problem: Option<String>,
}

/// What is watched, as the inputs report it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    watched: Mutex<BTreeMap<String, Watched>>,
}

impl Board {
    /// Says what an input watches and what is wrong with it now; news of problems are logged.
    pub(crate) fn report(
        &self,
        stats: &InputStats,
        input: &str,
        what: &str,
        problem: Option<String>,
    ) {
        let watched = Watched {
            input: input.to_owned(),
            what: what.to_owned(),
            source: None,
            problem: problem.clone(),
        };
        self.put(watched);
        crate::tell(stats, input, problem);
    }

    /// The same for a file.
    pub(crate) fn report_file(
        &self,
        stats: &Stats,
        path: &Path,
        source: Option<Arc<str>>,
        problem: Option<String>,
    ) {
        let input = files::file_input(path);
        let what = path.display().to_string();
        let source = source.map(|source| source.to_string());
        crate::tell(&stats.input(&input), &input, problem.clone());
        self.put(Watched { input, what, source, problem });
    }

    /// Says that there is no file at a path or pattern yet.
    pub(crate) fn wait_for(&self, path: &Path, source: Option<Arc<str>>) {
        let source = source.map(|source| source.to_string());
        let problem = Some("no such file yet; waiting for it".to_owned());
        let what = path.display().to_string();
        self.put(Watched { input: files::file_input(path), what, source, problem });
    }

    /// Takes back what was wrong with a path, unless a file was found there.
    pub(crate) fn waits_no_more(&self, stats: &Stats, path: &Path) {
        let input = files::file_input(path);
        let mut all = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(&input).is_some_and(|watched| watched.problem.is_some()) {
            all.remove(&input);
            stats.clear_problem(&input);
        }
    }

    fn put(&self, watched: Watched) {
        let mut all = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(watched.input.clone(), watched);
    }
}

/// All inputs of a running Tocsin.
#[derive(Debug)]
pub struct Collector {
    board: Arc<Board>,
    addresses: syslog::Addresses,
    tasks: TaskTracker,
    files: Mutex<Option<JoinHandle<()>>>,
}

impl Collector {
    /// Starts all inputs of `config`. They stop when `shutdown` is cancelled; then all clones of
    /// `sender` are dropped, so that the receiver ends.
    ///
    /// What cannot be watched (a file without permission, a port in use) is a problem of that
    /// input, shown by [`Collector::watching`], and is tried again; it stops nothing else.
    ///
    /// # Errors
    /// When a path pattern is malformed, or the journal cannot be read on.
    pub async fn start(
        config: CollectConfig,
        resume: Checkpoints,
        journal: Arc<Journal>,
        sender: Sender,
        stats: Arc<Stats>,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        Self::start_at(Path::new("/"), config, resume, journal, sender, stats, shutdown).await
    }

    /// Like [`Collector::start`], with the logs to discover under another root than `/`.
    ///
    /// # Errors
    /// As [`Collector::start`].
    pub async fn start_at(
        root: &Path,
        config: CollectConfig,
        resume: Checkpoints,
        journal: Arc<Journal>,
        sender: Sender,
        stats: Arc<Stats>,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        let board = Arc::new(Board::default());
        let tasks = TaskTracker::new();
        let specs = specs(&config, root)?;
        let reader = journal.reader(&resume).await?;
        tasks.spawn(read_journal(reader, sender.clone(), stats.clone(), shutdown.clone()));
        let shared = (board.clone(), stats.clone());
        let limits = &config.limits;
        let addresses = syslog::start(&config, &journal, shared.clone(), &tasks, &shutdown);
        if config.stdin {
            let input = stats.input(stdin::INPUT);
            board.report(&input, stdin::INPUT, "standard input", None);
            let max = limits.line_bytes_max;
            tasks.spawn(stdin::run(io::stdin(), max, journal, input, shutdown.clone()));
        }
        if follows_journald(&config, root) {
            let input = journald::Journald::new(shared.clone(), limits, &resume);
            tasks.spawn(input.run(sender.clone(), shutdown.clone()));
        }
        let limits = config.limits;
        let files = files::start(specs, limits, &resume, sender, shared, shutdown).await?;
        tasks.close();
        Ok(Self { board, addresses, tasks, files: Mutex::new(Some(files)) })
    }

    /// What is watched now, with problems.
    pub fn watching(&self) -> Vec<Watched> {
        let watched = self.board.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.values().cloned().collect()
    }

    /// The address that a listener (`syslog:udp`, `gelf:tcp`, `fluent`) listens on.
    pub fn address(&self, input: &str) -> Option<SocketAddr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).get(input).copied()
    }

    /// The address that syslog over UDP listens on.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.address("syslog:udp")
    }

    /// The address that syslog over TCP listens on.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.address("syslog:tcp")
    }

    /// Waits until every input has stopped; call it after cancelling the shutdown token, while
    /// the receiver is still being emptied (or dropped).
    pub async fn join(&self) {
        self.tasks.wait().await;
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(files) = files {
            // A panic there was logged where it happened.
            let _ = tokio::task::spawn_blocking(|| files.join()).await;
        }
    }
}

/// The files to follow: those configured, then those that machines usually have.
fn specs(config: &CollectConfig, root: &Path) -> Result<Vec<Spec>, Error> {
    let configured = config.files.iter().map(|input| {
        Ok(Spec {
            patterns: Patterns::new(&input.paths, &input.exclude)?,
            source: input.source.as_deref().map(Arc::from),
            start: input.start,
            optional: false,
        })
    });
    let mut specs = configured.collect::<Result<Vec<_>, Error>>()?;
    if config.discover {
        let covered = discover(root).into_iter().filter(|log| log.covered_by.is_some());
        let exclude: Vec<_> = covered.map(|log| escaped(&log.path)).collect();
        for (pattern, source) in USUAL_LOGS {
            let pattern = root.join(pattern).to_string_lossy().into_owned();
            specs.push(Spec {
                patterns: Patterns::new(&[pattern], &exclude)?,
                source: source.map(Arc::from),
                start: Start::Recent,
                optional: true,
            });
        }
    }
    Ok(specs)
}

fn escaped(path: &Path) -> String {
    glob::Pattern::escape(&path.to_string_lossy())
}

fn follows_journald(config: &CollectConfig, root: &Path) -> bool {
    match config.journald.mode {
        JournaldMode::On => true,
        JournaldMode::Off => false,
        JournaldMode::Auto => {
            let not_covered = |log: &discover::Discovered| log.covered_by.is_none();
            config.discover
                && discover(root).iter().filter(|log| log.path.is_dir()).any(not_covered)
        }
    }
}

/// Passes on what the journal holds, until shutdown; the rest is safe where it is.
async fn read_journal(
    mut reader: JournalReader,
    sender: Sender,
    stats: Arc<Stats>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = reader.ready() => {}
            () = shutdown.cancelled() => return,
        }
        let read = tokio::task::spawn_blocking(move || {
            let batch = reader.read();
            (reader, batch)
        });
        let Ok((returned, batch)) = read.await else { return };
        reader = returned;
        let damaged = reader.take_damaged_bytes();
        if damaged > 0 {
            stats.input(JOURNAL_INPUT).dropped(DropReason::JournalDamaged, damaged);
        }
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                let problem = format!("cannot read the journal: {error}; trying again");
                crate::tell(&stats.input(JOURNAL_INPUT), JOURNAL_INPUT, Some(problem));
                tokio::time::sleep(READ_RETRY).await;
                continue;
            }
        };
        if batch.records.is_empty() {
            continue;
        }
        tokio::select! {
            biased;
            sent = sender.send(batch) => if sent.is_err() { return },
            () = shutdown.cancelled() => return,
        }
    }
}
