//! [`Engine`]: opens the data directory, starts every stage and stops them in order.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tocsin_alert::Alerts;
use tocsin_catalog::Catalog;
use tocsin_collect::{Batch, Collector, Journal, Stats};
use tocsin_detect::Detector;
use tocsin_enrich::Enricher;
use tocsin_model::{EventId, Timestamp};
use tocsin_notify::Notifier;
use tocsin_store::{Embedded, EventStore};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::content::Content;
use crate::context::ContextBook;
use crate::epoch::{Payload, StateDir};
use crate::escalate::escalate;
use crate::exceptions::ExceptionBook;
use crate::handle::{Handle, LIVE_BACKLOG_MAX, Live, Progress};
use crate::intel::{IntelBook, hunt};
use crate::memory::{self, Gatherer, MemoryLog};
use crate::pipeline::{Control, Parts, Pipeline};
use crate::reload::{InForce, Reloader};
use crate::respond;
use crate::retention::{archive_days, retain, trim_packs};
use crate::troubles::Troubles;
use crate::watch::Watch;

/// Batches that may wait between the inputs and the pipeline, of about a megabyte each: what comes
/// faster waits where it is safe, in files, in the journal, or with its sender.
const BATCHES_WAITING_MAX: usize = 8;
/// How far back alerts are looked at to find ids again after a crash.
const ADOPT_SPAN: Duration = Duration::from_secs(2 * 86_400);

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(
        "data directory {path}: {cause}; choose another with server.data_dir or TOCSIN_SERVER_DATA_DIR"
    )]
    DataDir {
        /// Its path.
        path: String,
        /// The reason.
        cause: String,
    },
    /// A stage refuses to start.
    #[error("{0}")]
    Stage(String),
}

/// A running engine.
pub struct Engine {
    handle: Handle,
    shutdown: CancellationToken,
    abandon: CancellationToken,
    pipeline: JoinHandle<()>,
    background: JoinSet<()>,
    reload: mpsc::Sender<()>,
    stop_max: Duration,
}

impl Engine {
    /// Opens everything, restores the state of the last commit and starts.
    ///
    /// # Errors
    /// When the data directory, an address or a channel's configuration cannot be used.
    pub async fn start(mut config: Config, content: Content) -> Result<Self, StartError> {
        let data_dir = config.server.data_dir.clone();
        let unusable =
            |cause: String| StartError::DataDir { path: data_dir.display().to_string(), cause };
        make_private(&data_dir).map_err(|error| unusable(error.to_string()))?;
        make_private(&config.own_rules()).map_err(|error| unusable(error.to_string()))?;
        config.read_own_rules();
        let store_options = tocsin_store::Options {
            writer_bytes_max: config.store.writer_bytes,
            archive: config.store.shelf(&data_dir),
            ..tocsin_store::Options::default()
        };
        let store = Embedded::open(&data_dir.join("store"), store_options)
            .map_err(|error| unusable(error.to_string()))?;
        let store: Arc<dyn EventStore> = Arc::new(store);
        let catalog = Catalog::open(&data_dir).map_err(|error| unusable(error.to_string()))?;
        let catalog = Arc::new(catalog);
        let journal = Journal::open(&data_dir.join("journal"), &config.collect.journal)
            .map_err(|error| unusable(error.to_string()))?;
        let states =
            StateDir::open(data_dir.join("state")).map_err(|error| unusable(error.to_string()))?;
        let notifier = Notifier::new(&config.notify, &data_dir, catalog.clone())
            .map_err(|error| StartError::Stage(error.to_string()))?;
        let mut payload = match store.payload().map_err(|error| unusable(error.to_string()))? {
            Some(text) => Payload::from_text(&text).map_err(unusable)?,
            None => Payload::default(),
        };
        let exceptions = ExceptionBook::open(catalog.clone(), config.alerts.disabled_rules.clone())
            .map_err(|error| unusable(error.to_string()))?;
        let since = watching_since(&catalog).map_err(unusable)?;
        payload.checkpoints.set_watching_since(since);
        let opened = Opened {
            store,
            exceptions: Arc::new(exceptions),
            catalog,
            journal: Arc::new(journal),
            states,
            notifier: Arc::new(notifier),
            payload,
            watching_since: since,
        };
        Self::run(config, content, opened).await
    }

    async fn run(config: Config, content: Content, opened: Opened) -> Result<Self, StartError> {
        let (detector, alerts) = restore_apart(&config, &content, &opened)?;
        let (shutdown, abandon) = (CancellationToken::new(), CancellationToken::new());
        let (sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        let (control, controls) = mpsc::channel(4);
        let (live, _) = broadcast::channel(LIVE_BACKLOG_MAX);
        let inputs = Arc::new(Stats::default());
        inputs.restore_dropped(&opened.payload.dropped);
        let progress = Arc::new(Progress::default());
        let collector = collect(&config, &opened, sender, &inputs, &shutdown).await?;
        let troubles = Arc::new(Troubles::default());
        let mut background = in_background(&config, &opened, &troubles, &shutdown);
        let responder = respond::responder(&config, opened.catalog.clone(), opened.store.clone());
        let responder = Arc::new(responder.map_err(StartError::Stage)?);
        respond::start(&responder, live.subscribe(), &mut background, &shutdown);
        let epoch = opened.payload.epoch;
        let Known { context, intel, enricher, memory, gatherer } =
            known(&config, epoch, &mut background, &shutdown)?;
        let pipeline = Pipeline::new(Parts {
            worker: content.parser.worker(),
            enricher,
            memory: Some(memory),
            gatherer,
            detector,
            alerts,
            exceptions: opened.exceptions.clone(),
            watch: opened.watch(&config, &content, live.clone()),
            catalog: opened.catalog.clone(),
            store: opened.store.clone(),
            journal: opened.journal.clone(),
            notifier: opened.notifier.clone(),
            states: opened.states,
            progress: progress.clone(),
            inputs: inputs.clone(),
            live: live.clone(),
            payload: opened.payload,
            commit_every: Duration::from_millis(config.store.commit_ms.max(10)),
            longest_cooldown: content.longest_cooldown(config.alerts.cooldown()),
            watching_since: opened.watching_since,
            abandon: abandon.clone(),
        })
        .map_err(no_thread)?;
        let pipeline = thread_of(pipeline, batches, controls)?;
        let in_force = Arc::new(ArcSwap::from_pointee(InForce::of(&content)));
        let told = opened.notifier.clone();
        let reload =
            watch_content(&config, &content, &in_force, told, control, &mut background, &shutdown);
        let stop_max = Duration::from_secs(config.server.stop_seconds_max);
        let handle = Handle {
            config: Arc::new(config),
            catalog: opened.catalog,
            exceptions: opened.exceptions,
            context,
            intel,
            hunts: Arc::default(),
            store: opened.store,
            journal: opened.journal,
            notifier: opened.notifier,
            responder,
            collector: Arc::new(collector),
            inputs,
            progress,
            live,
            in_force,
            troubles,
            started: Timestamp::from_system(SystemTime::now()),
        };
        background.spawn(hunt::carry_out(handle.clone(), shutdown.clone()));
        Ok(Self { handle, shutdown, abandon, pipeline, background, reload, stop_max })
    }

    /// What the server needs.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Reads content again; windows of unchanged rules stay.
    pub fn reload(&self) {
        // A full channel means that it is due already.
        let _ = self.reload.try_send(());
    }

    /// Stops collecting, drains and commits what was received, within the configured time; what
    /// is left then is read again at the next start.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let abandon = self.abandon.clone();
        // Leave a part of the time for the channels.
        let patience = self.stop_max.mul_f32(0.8);
        let pipeline = tokio::task::spawn_blocking(move || self.pipeline.join());
        if tokio::time::timeout(patience, pipeline).await.is_err() {
            abandon.cancel();
        }
        let rest = self.stop_max - patience;
        let all = async { while self.background.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(rest, all).await;
    }
}

/// Starts the inputs.
async fn collect(
    config: &Config,
    opened: &Opened,
    sender: mpsc::Sender<Batch>,
    inputs: &Arc<Stats>,
    shutdown: &CancellationToken,
) -> Result<Collector, StartError> {
    Collector::start(
        config.collect.clone(),
        opened.payload.checkpoints.clone(),
        opened.journal.clone(),
        sender,
        inputs.clone(),
        shutdown.clone(),
    )
    .await
    .map_err(|error| StartError::Stage(error.to_string()))
}

/// What is known of events beyond their lines.
struct Known {
    context: Arc<ContextBook>,
    intel: Arc<IntelBook>,
    enricher: Enricher,
    memory: MemoryLog,
    gatherer: Gatherer,
}

/// Reads it, up to an epoch, and keeps it up to date.
fn known(
    config: &Config,
    epoch: u64,
    background: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> Result<Known, StartError> {
    let context = Arc::new(ContextBook::open(config));
    background.spawn(context.clone().watch(shutdown.clone()));
    let intel = Arc::new(IntelBook::open(config, context.shared()));
    background.spawn(intel.clone().run(shutdown.clone()));
    let mut enricher = context.enricher();
    let (memory, gatherer) =
        memory::restore(config, epoch, &mut enricher).map_err(StartError::Stage)?;
    Ok(Known { context, intel, enricher, memory, gatherer })
}

fn thread_of(
    pipeline: Pipeline,
    batches: mpsc::Receiver<Batch>,
    controls: mpsc::Receiver<Control>,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || pipeline.run(&runtime, batches, controls))
        .map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> StartError {
    StartError::Stage(format!("cannot start a thread: {error}"))
}

/// What goes on beside the pipeline.
fn in_background(
    config: &Config,
    opened: &Opened,
    troubles: &Arc<Troubles>,
    shutdown: &CancellationToken,
) -> JoinSet<()> {
    let mut background = JoinSet::new();
    background.spawn(opened.notifier.clone().run(shutdown.clone()));
    background.spawn(opened.exceptions.clone().watch(shutdown.clone()));
    let (catalog, notifier) = (opened.catalog.clone(), opened.notifier.clone());
    background.spawn(escalate(catalog, notifier, shutdown.clone()));
    let retention = config.store.clone();
    background.spawn(retain(opened.store.clone(), retention, troubles.clone(), shutdown.clone()));
    let archive = config.store.archive.after_days;
    background.spawn(archive_days(
        opened.store.clone(),
        archive,
        troubles.clone(),
        shutdown.clone(),
    ));
    let limits = config.store.packs.clone();
    background.spawn(trim_packs(opened.store.clone(), limits, troubles.clone(), shutdown.clone()));
    background
}

/// Starts taking edited content into use; sending on the channel asks for it.
fn watch_content(
    config: &Config,
    content: &Content,
    in_force: &Arc<ArcSwap<InForce>>,
    notifier: Arc<Notifier>,
    control: mpsc::Sender<Control>,
    background: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> mpsc::Sender<()> {
    let (reload, asked) = mpsc::channel(1);
    let reloader = Reloader::new(
        config.content.clone(),
        config.detect.clone(),
        config.alerts.cooldown(),
        content,
        in_force.clone(),
        notifier,
        control,
    );
    background.spawn(reloader.run(asked, shutdown.clone()));
    reload
}

struct Opened {
    store: Arc<dyn EventStore>,
    catalog: Arc<Catalog>,
    exceptions: Arc<ExceptionBook>,
    journal: Arc<Journal>,
    states: StateDir,
    notifier: Arc<Notifier>,
    payload: Payload,
    watching_since: Timestamp,
}

/// Restores on a thread of its own, which takes with it the memory that this needs for a moment.
fn restore_apart(
    config: &Config,
    content: &Content,
    opened: &Opened,
) -> Result<(Detector, Alerts), StartError> {
    let restored =
        std::thread::scope(|scope| scope.spawn(|| restore(config, content, opened)).join());
    restored.unwrap_or_else(|_| {
        Err(StartError::Stage("the state of the last commit cannot be restored".to_owned()))
    })
}

impl Opened {
    /// What Tocsin notices by itself, as far as it is known.
    fn watch(&self, config: &Config, content: &Content, live: broadcast::Sender<Live>) -> Watch {
        let (catalog, store) = (self.catalog.clone(), self.store.clone());
        Watch::new(config, catalog, store, Arc::new(content.rules.clone()), live)
    }
}

/// The detector and the alerts as they were at the last commit; the parser is told what logs had
/// named by then.
fn restore(
    config: &Config,
    content: &Content,
    opened: &Opened,
) -> Result<(Detector, Alerts), StartError> {
    content.parser.know_columns(&opened.payload.columns);
    let rules = Arc::new(content.rules.clone());
    let mut detector = Detector::new(rules, &content.options);
    detector.measure(crate::cost::nanos);
    let mut alerts = Alerts::new(config.alerts.clone()).map_err(StartError::Stage)?;
    if opened.payload.epoch == 0 {
        return Ok((detector, alerts));
    }
    match opened.states.load(opened.payload.epoch) {
        Ok(Some(state)) => {
            let mut find = |ids: &HashSet<EventId>, since| {
                opened.store.events(ids, since).unwrap_or_else(|error| {
                    tracing::warn!("events of open windows: {error}; their alerts tell less");
                    Vec::new()
                })
            };
            let pieces = state.pieces.map_err(|error| error.to_string());
            let restored = pieces.and_then(|pieces| {
                let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
                let restored = detector.restore_pieces(&pieces, &mut find);
                restored.map_err(|error| error.to_string())
            });
            if let Err(error) = restored {
                tracing::warn!("windows of the last commit: {error}; they are forgotten");
            }
            if let Err(error) = alerts.restore(&state.alerts) {
                tracing::warn!("{error}");
            }
        }
        Ok(None) => tracing::warn!("no state of the last commit: open windows are forgotten"),
        Err(error) => {
            tracing::warn!("state of the last commit: {error}; open windows are forgotten")
        }
    }
    let stored = opened.store.stats().ok().and_then(|stats| stats.newest);
    // An event may say that it is of the future.
    let newest = stored.unwrap_or_default().min(Timestamp::from_system(SystemTime::now()));
    let since = newest.minus(ADOPT_SPAN);
    let newer = opened
        .catalog
        .open_alerts_since(since)
        .map_err(|error| StartError::Stage(error.to_string()))?;
    alerts.adopt(newer);
    Ok((detector, alerts))
}

/// When this data directory was first used, remembered at once and for good.
fn watching_since(catalog: &Catalog) -> Result<Timestamp, String> {
    let known = catalog.get_meta("watching_since").map_err(|error| error.to_string())?;
    if let Some(known) = known.as_deref().and_then(Timestamp::parse_rfc3339) {
        return Ok(known);
    }
    let now = Timestamp::from_system(SystemTime::now());
    catalog.set_meta("watching_since", &now.to_string()).map_err(|error| error.to_string())?;
    Ok(now)
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
