//! Follows log files: new lines, new files, rotation by renaming and by truncating.
//!
//! In: path patterns, checkpoints. Out: batches of lines with checkpoints. One thread does it
//! all: it sleeps until a directory changes, and looks by itself every second. Never reads a
//! line twice or skips one over restarts, never blocks on anything but the channel to the engine.

mod follow;
mod identity;
mod paths;
mod rotation;
mod tail;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Checkpoint, Checkpoints, Sender};
use crate::collector::Board;
use crate::config::{Limits, Start};
use crate::error::Error;
use crate::stats::Stats;

pub(crate) use follow::file_input;
pub(crate) use paths::Patterns;
pub use paths::check_pattern;
use tail::{FileState, KEY_PREFIX, Tail, Turn};
use watch::DirWatch;

/// How often the files are looked at without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the patterns are expanded without a notification, and with all directories watched.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// The patterns are not expanded more often than this, however many files come and go.
const SCAN_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// After a notification, changes are gathered for so long.
const GATHER: Duration = Duration::from_millis(10);

/// Files to follow alike.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) patterns: Patterns,
    pub(crate) source: Option<Arc<str>>,
    pub(crate) start: Start,
    /// True when it was found, not configured: nothing is wrong when there is no such file.
    pub(crate) optional: bool,
}

/// Everything the follower works with.
struct Follower {
    specs: Vec<Spec>,
    limits: Limits,
    out: Out,
    board: Arc<Board>,
    stats: Arc<Stats>,
    /// The newest state of every file, by checkpoint key.
    known: BTreeMap<String, FileState>,
    tails: Vec<Tail>,
    next_number: u64,
    /// Files that are looked at and left out, by id.
    left_out: HashSet<identity::FileId>,
    /// Paths and patterns where nothing was found in the last scan.
    waiting: BTreeSet<PathBuf>,
    /// Checkpoints to send before the next records.
    outgoing: Vec<Checkpoint>,
    watch: DirWatch,
    first_scan: bool,
    /// When Tocsin first watched this machine, where that is known.
    watching_since: Option<SystemTime>,
    started: SystemTime,
}

/// The way to the engine.
struct Out {
    sender: Sender,
    shutdown: CancellationToken,
    runtime: tokio::runtime::Handle,
}

impl Out {
    /// True when Tocsin is stopping.
    fn is_closed(&self) -> bool {
        self.shutdown.is_cancelled() || self.sender.is_closed()
    }

    /// Waits for room; false when Tocsin is stopping.
    fn send(&self, batch: Batch) -> bool {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                sent = self.sender.send(batch) => sent.is_ok(),
                () = self.shutdown.cancelled() => false,
            }
        })
    }
}

/// Starts following; returns once every file that is there now was looked at.
pub(crate) async fn start(
    specs: Vec<Spec>,
    limits: Limits,
    resume: &Checkpoints,
    sender: Sender,
    (board, stats): (Arc<Board>, Arc<Stats>),
    shutdown: CancellationToken,
) -> Result<std::thread::JoinHandle<()>, Error> {
    let (wake, woken) = sync_channel(1);
    let states = resume.iter().filter(|(key, _)| key.starts_with(KEY_PREFIX));
    let known = states.filter_map(|(key, state)| {
        let state = serde_json::from_str(state);
        let state =
            state.inspect_err(|error| tracing::warn!(key, "unreadable checkpoint: {error}"));
        Some((key.to_owned(), state.ok()?))
    });
    let follower = Follower {
        specs,
        limits,
        out: Out { sender, shutdown: shutdown.clone(), runtime: tokio::runtime::Handle::current() },
        board,
        stats,
        known: known.collect(),
        tails: Vec::new(),
        next_number: 0,
        left_out: HashSet::new(),
        waiting: BTreeSet::new(),
        outgoing: Vec::new(),
        watch: DirWatch::new(wake.clone()),
        first_scan: true,
        watching_since: resume.watching_since(),
        started: SystemTime::now(),
    };
    tokio::spawn(wake_at_end(shutdown, wake));
    let (ready, looked) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("files".into())
        .spawn(move || follower.run(&woken, ready))
        .map_err(|cause| Error::Thread { what: "following files", cause })?;
    // The thread drops `ready` only after the first look.
    let _ = looked.await;
    Ok(thread)
}

async fn wake_at_end(shutdown: CancellationToken, wake: SyncSender<()>) {
    shutdown.cancelled().await;
    let _ = wake.try_send(());
}

impl Follower {
    fn run(mut self, woken: &Receiver<()>, ready: oneshot::Sender<()>) {
        self.scan();
        self.first_scan = false;
        let _ = ready.send(());
        if !self.announce() {
            return;
        }
        let mut scanned = Instant::now();
        let mut renamed = false;
        while !self.out.is_closed() {
            renamed |= self.watch.take_renamed();
            let interval = if self.watch.is_complete() { SCAN_INTERVAL } else { POLL_INTERVAL };
            let since = scanned.elapsed();
            if since >= interval || (renamed && since >= SCAN_INTERVAL_MIN) {
                renamed = false;
                self.scan();
                scanned = Instant::now();
            }
            match self.read_all() {
                None => return,
                Some(true) => {}
                Some(false) => {
                    let wait = if renamed { SCAN_INTERVAL_MIN } else { POLL_INTERVAL };
                    if woken.recv_timeout(wait).is_ok() {
                        std::thread::sleep(GATHER);
                    }
                }
            }
        }
    }

    /// Tells which files have something to read already, before the first of it: their events
    /// are then put in order. False when Tocsin is stopping.
    fn announce(&mut self) -> bool {
        for tail in &mut self.tails {
            tail.told_behind = tail.is_behind();
            let lane = Some(tail.lane);
            if tail.told_behind && !self.out.send(Batch { lane, behind: true, ..Batch::default() })
            {
                return false;
            }
        }
        true
    }

    /// One turn for each file that may be read; true when one had something. `None` when Tocsin
    /// is stopping.
    fn read_all(&mut self) -> Option<bool> {
        let mut progress = false;
        let mut index = 0;
        if !self.send_outgoing() {
            return None;
        }
        while index < self.tails.len() {
            if self.stats.pace.is_ahead(self.tails[index].lane) {
                // Soon, when others have caught up.
                std::thread::sleep(GATHER);
                progress = true;
                index += 1;
                continue;
            }
            if !self.may_read(index) {
                index += 1;
                continue;
            }
            let tail = &mut self.tails[index];
            match tail.turn(SystemTime::now()) {
                Ok(Turn::Read(batch)) => {
                    progress = true;
                    self.send(index, batch)?;
                    index += 1;
                }
                Ok(Turn::Quiet) => {
                    self.caught_up(index)?;
                    index += 1;
                }
                Ok(Turn::Ended(batch)) => {
                    progress = true;
                    self.send(index, batch)?;
                    self.caught_up(index)?;
                    let tail = self.tails.remove(index);
                    self.ended(&tail);
                }
                Ok(Turn::Replaced) => {
                    progress = true;
                    self.caught_up(index)?;
                    self.replaced(index)?;
                }
                Err(error) => {
                    let (path, ends) = (tail.path.clone(), tail.is_gzip());
                    self.problem(&path, None, &error);
                    // What cannot be read must not hold up what can.
                    self.caught_up(index)?;
                    if ends {
                        self.tails.remove(index);
                    } else {
                        index += 1;
                    }
                }
            }
        }
        Some(progress)
    }

    /// Whether what comes before the tail was read; its first turn stores its state.
    fn may_read(&mut self, index: usize) -> bool {
        let after = std::mem::take(&mut self.tails[index].after);
        if after.is_empty() {
            return true;
        }
        let pending =
            |number: &u64| self.tails.iter().any(|tail| tail.number == *number && !tail.drained);
        let after: Vec<_> = after.into_iter().filter(pending).collect();
        let may = after.is_empty();
        let tail = &mut self.tails[index];
        tail.after = after;
        if may && !tail.stored {
            tail.stored = true;
            self.known.insert(tail.state.key(), tail.state.clone());
            self.outgoing.push(tail.state.checkpoint());
        }
        may && self.send_outgoing()
    }

    /// Tells that a file which was behind is read to its end.
    fn caught_up(&mut self, index: usize) -> Option<()> {
        if !self.tails[index].told_behind || self.is_followed(index) {
            return Some(());
        }
        let tail = &mut self.tails[index];
        tail.told_behind = false;
        self.out.send(Batch { lane: Some(tail.lane), ..Batch::default() }).then_some(())
    }

    /// Whether a newer part of the same log is still to be read.
    fn is_followed(&self, index: usize) -> bool {
        let tail = &self.tails[index];
        self.tails
            .iter()
            .any(|other| other.lane == tail.lane && other.number != tail.number && !other.drained)
    }

    fn send(&mut self, index: usize, mut batch: Batch) -> Option<()> {
        if batch.checkpoints.is_empty() {
            return Some(());
        }
        let behind = self.tails[index].is_behind() || self.is_followed(index);
        let tail = &mut self.tails[index];
        tail.told_behind = behind;
        batch.lane = Some(tail.lane);
        batch.behind = behind;
        self.known.insert(tail.state.key(), tail.state.clone());
        // In this order: an older state must not come after a newer one.
        (self.send_outgoing() && self.out.send(batch)).then_some(())
    }

    fn send_outgoing(&mut self) -> bool {
        if self.outgoing.is_empty() {
            return true;
        }
        let checkpoints = std::mem::take(&mut self.outgoing);
        self.out.send(Batch { checkpoints, ..Batch::default() })
    }
}
