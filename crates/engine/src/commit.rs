//! [`Committer`]: the end of an epoch, on a thread of its own, so that detection goes on with the
//! next epoch while the last one is saved.
//!
//! In: the events of an epoch as they are detected, then its state and payload. Out: one commit of
//! the store for each epoch, in order. Events of the next epoch wait until the commit before is on
//! disk, so a commit never holds anything of a later epoch. One commit is under way at most: who
//! ends the next epoch waits. When the disk refuses, it tries again, and with it all who wait.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};
use std::time::{Duration, Instant};

use tocsin_catalog::Catalog;
use tocsin_collect::{Checkpoint, Journal};
use tocsin_model::Event;
use tocsin_store::EventStore;
use tokio_util::sync::CancellationToken;

use crate::epoch::{Payload, State, StateDir};
use crate::handle::{Ledger, Progress};
use crate::memory::{Gathered, MemoryLog};

/// Bundles of events that may wait for a commit: more than an epoch has.
const ORDERS_WAITING_MAX: usize = 256;
/// Pause before what was refused is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What the thread works with.
pub(crate) struct Keeper {
    pub store: Arc<dyn EventStore>,
    pub catalog: Arc<Catalog>,
    pub states: StateDir,
    /// What was learned.
    pub memory: Option<MemoryLog>,
    pub journal: Arc<Journal>,
    pub progress: Arc<Progress>,
    /// Cancelled when the drain takes too long.
    pub abandon: CancellationToken,
}

/// The end of an epoch.
pub(crate) struct End {
    pub payload: Payload,
    pub state: State,
    pub memory: Gathered,
    pub ledgers: BTreeMap<String, Ledger>,
}

enum Order {
    Events(Vec<Arc<Event>>),
    End(Box<End>),
}

/// Hands epochs to the thread that saves them.
pub(crate) struct Committer {
    orders: SyncSender<Order>,
    done: Receiver<Duration>,
    under_way: bool,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no more of them.
    pub(crate) fn start(keeper: Keeper) -> std::io::Result<Self> {
        let (orders, taken) = sync_channel(ORDERS_WAITING_MAX);
        let (told, done) = channel();
        let work = move || {
            let mut working = Working { keeper, epoch: Vec::new(), appended: 0 };
            while let Ok(order) = taken.recv() {
                match order {
                    Order::Events(events) => working.take(events),
                    Order::End(end) => match working.commit(&end) {
                        // Nobody waiting is fine.
                        ControlFlow::Continue(took) => drop(told.send(took)),
                        ControlFlow::Break(()) => return,
                    },
                }
            }
        };
        std::thread::Builder::new().name("commit".to_owned()).spawn(work)?;
        Ok(Self { orders, done, under_way: false })
    }

    /// Gives events of the epoch that is going on. `Break` when saving was given up.
    pub(crate) fn events(&self, events: Vec<Arc<Event>>) -> ControlFlow<()> {
        self.order(Order::Events(events))
    }

    /// Ends the epoch; waits until the one before is saved, and gives how long that took.
    pub(crate) fn end(&mut self, end: End) -> ControlFlow<(), Option<Duration>> {
        let took = self.wait()?;
        self.order(Order::End(Box::new(end)))?;
        self.under_way = true;
        ControlFlow::Continue(took)
    }

    fn order(&self, order: Order) -> ControlFlow<()> {
        match self.orders.send(order) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Waits for the commit under way, and gives how long it took.
    pub(crate) fn wait(&mut self) -> ControlFlow<(), Option<Duration>> {
        if !std::mem::take(&mut self.under_way) {
            return ControlFlow::Continue(None);
        }
        match self.done.recv() {
            Ok(took) => ControlFlow::Continue(Some(took)),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Whether a commit is under way; how long the one that just ended took.
    pub(crate) fn look(&mut self) -> (bool, Option<Duration>) {
        match self.done.try_recv() {
            Ok(took) => {
                self.under_way = false;
                (false, Some(took))
            }
            Err(TryRecvError::Empty) => (self.under_way, None),
            // Whoever ends the epoch is told.
            Err(TryRecvError::Disconnected) => (false, None),
        }
    }
}

/// The thread's own.
struct Working {
    keeper: Keeper,
    /// Events of the epoch; kept until the commit, so that a refused one can be repeated.
    epoch: Vec<Arc<Event>>,
    appended: usize,
}

impl Working {
    /// Gives the store what has come, so that it indexes ahead of the commit. A refusal is dealt
    /// with at the commit.
    fn take(&mut self, events: Vec<Arc<Event>>) {
        self.epoch.extend(events);
        let mut new = self.epoch[self.appended..].iter().map(AsRef::as_ref);
        self.appended = match self.keeper.store.append_each(&mut new) {
            Ok(()) => self.epoch.len(),
            Err(_) => 0,
        };
    }

    fn commit(&mut self, end: &End) -> ControlFlow<(), Duration> {
        let start = Instant::now();
        let Keeper { store, catalog, states, memory, journal, progress, abandon } =
            &mut self.keeper;
        let mut appended = std::mem::take(&mut self.appended);
        let epoch = &self.epoch;
        let text = end.payload.to_text();
        until_done("events cannot be stored", progress, abandon, &mut || {
            catalog.sync().map_err(|error| error.to_string())?;
            let saved = states.save(end.payload.epoch, &end.state);
            saved.map_err(|error| error.to_string())?;
            if let Some(memory) = memory.as_mut() {
                let saved = memory.save(end.payload.epoch, &end.memory);
                saved.map_err(|error| error.to_string())?;
            }
            // A refusal below makes the store forget what was appended ahead, one above does not.
            let rest = &epoch[std::mem::take(&mut appended)..];
            let appended = store.append_each(&mut rest.iter().map(AsRef::as_ref));
            appended.map_err(|error| error.to_string())?;
            store.commit(&text).map_err(|error| error.to_string())
        })?;
        if end.state.detector.whole {
            states.clean(end.payload.epoch);
        }
        if let Some(memory) = memory {
            memory.settle(end.payload.epoch, &end.memory);
        }
        for (key, state) in end.payload.checkpoints.iter() {
            journal.release(&Checkpoint { key: key.to_owned(), state: state.to_owned() });
        }
        progress.stored.fetch_add(epoch.len() as u64, Ordering::Relaxed);
        progress.set_ledgers(&end.ledgers);
        self.epoch.clear();
        ControlFlow::Continue(start.elapsed())
    }
}

/// Tries until it works or the stop cannot wait any longer. Who waits for this takes nothing from
/// the inputs, so those that can wait do.
pub(crate) fn until_done(
    what: &str,
    progress: &Progress,
    abandon: &CancellationToken,
    attempt: &mut dyn FnMut() -> Result<(), String>,
) -> ControlFlow<()> {
    let mut told = false;
    loop {
        match attempt() {
            Ok(()) => {
                if told {
                    tracing::info!("{what}: solved, going on");
                    progress.set_problem(None);
                }
                return ControlFlow::Continue(());
            }
            Err(error) => {
                if !told {
                    tracing::error!("{what}: {error}; collection waits, trying again");
                    told = true;
                }
                progress.set_problem(Some(format!("{what}: {error}")));
            }
        }
        if abandon.is_cancelled() {
            tracing::error!("{what}: stopping without it, it is read again at the next start");
            return ControlFlow::Break(());
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}
