//! [`IntelBook`]: feeds of indicators, fetched when they are due and kept on disk.
//!
//! In: feeds as the configuration names them, indicators that people add. Out: the
//! [`tocsin_enrich::intel::Intel`] that events are looked up in, and orders to look for what is
//! new in stored history ([`hunt`]). A fetch that fails or brings garbage is told and counted;
//! what was there before stays in force, also over a restart.

mod feed;
pub mod hunt;
mod shelf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tocsin_enrich::config::{FeedConfig, IntelConfig};
use tocsin_enrich::intel::{Builder, Index, normal};
use tocsin_enrich::{Context, Shared};
use tocsin_model::{Event, FieldId, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use shelf::Shelf;

pub use tocsin_enrich::intel::{Indicator, Intel, Kind, Match};

/// Name of the feed of what people add.
pub const OWN: &str = "own";
/// The most indicators that people may add.
pub const OWN_MAX: usize = 100_000;
/// How often it is looked which feeds are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a fetch that failed, the next one comes after this at the latest.
const RETRY_AFTER: Duration = Duration::from_secs(900);
/// Orders to hunt that may wait.
const HUNTS_WAITING_MAX: usize = 64;

/// How a feed is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// Its form.
    pub format: String,
    /// Where it comes from, without secrets.
    pub source: String,
    /// Indicators in force.
    pub indicators: usize,
    /// How many of each kind.
    pub by_kind: BTreeMap<String, usize>,
    /// Memory that they take, bytes.
    pub bytes: usize,
    /// When it was fetched last with success.
    pub fetched: Option<Timestamp>,
    /// Fetches since the start, and how many of them failed.
    pub fetches: u64,
    /// Of those, failed.
    pub failures: u64,
    /// Things in it that are no indicator, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Why the last fetch failed.
    pub problem: Option<String>,
}

struct Feed {
    config: Option<FeedConfig>,
    index: Arc<Index>,
    status: FeedStatus,
    due: Instant,
    fetching: bool,
    stamp: Option<SystemTime>,
}

/// What is to be looked for in history.
pub struct Order {
    /// Only these indicators.
    pub intel: Intel,
    /// Why, for people.
    pub about: String,
}

/// The feeds, kept up to date.
pub struct IntelBook {
    config: IntelConfig,
    shelf: Shelf,
    context: Shared,
    feeds: Mutex<BTreeMap<String, Feed>>,
    orders: mpsc::Sender<Order>,
    waiting: Mutex<Option<mpsc::Receiver<Order>>>,
    wake: Notify,
}

/// Where indicators are kept.
fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("intel")
}

impl IntelBook {
    /// With what is kept on disk, put into `context`.
    pub fn open(config: &Config, context: Shared) -> Self {
        let (orders, waiting) = mpsc::channel(HUNTS_WAITING_MAX);
        let book = Self {
            config: config.intel.clone(),
            shelf: Shelf::new(dir(&config.server.data_dir)),
            context,
            feeds: Mutex::default(),
            orders,
            waiting: Mutex::new(Some(waiting)),
            wake: Notify::new(),
        };
        book.load();
        book
    }

    fn feeds(&self) -> MutexGuard<'_, BTreeMap<String, Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is kept.
    fn load(&self) {
        let now = Instant::now();
        let mut feeds = BTreeMap::new();
        let named =
            self.config.feeds.iter().map(|(name, feed)| (name.as_str(), Some(feed.clone())));
        for (name, config) in named.chain([(OWN, None)]) {
            let (index, mut status) = match self.shelf.read(name) {
                Ok(Some((index, status))) => (index, status),
                Ok(None) => (Index::default(), FeedStatus::default()),
                Err(why) => {
                    tracing::error!("indicators of {name}: {why}; they are fetched anew");
                    (Index::default(), FeedStatus { problem: Some(why), ..FeedStatus::default() })
                }
            };
            status.name = name.to_owned();
            (status.fetches, status.failures) = (0, 0);
            status.format = match &config {
                Some(config) => format!("{:?}", config.format).to_lowercase(),
                None => "own".to_owned(),
            };
            status.source = config.as_ref().map(feed::shown).unwrap_or_default();
            let every = config.as_ref().map_or(Duration::ZERO, every);
            let age = status.fetched.map(|at| crate::handle::now().since(at));
            let wait = age.map_or(Duration::ZERO, |age| every.saturating_sub(age));
            let stamp = self.shelf.stamp(name);
            let index = Arc::new(index);
            let feed = Feed { config, index, status, due: now + wait, fetching: false, stamp };
            feeds.insert(name.to_owned(), feed);
        }
        *self.feeds() = feeds;
        self.put_in_force();
    }

    fn put_in_force(&self) {
        let feeds = self.feeds();
        let of = |(name, feed): (&String, &Feed)| {
            (!feed.index.is_empty()).then(|| (Arc::from(name.as_str()), feed.index.clone()))
        };
        let intel = Arc::new(Intel::new(feeds.iter().filter_map(of).collect()));
        self.context.rcu(|before| Context { intel: intel.clone(), ..(**before).clone() });
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Intel> {
        self.context.load().intel.clone()
    }

    /// How all feeds are doing.
    pub fn status(&self) -> Vec<FeedStatus> {
        let feeds = self.feeds();
        let shown = |feed: &Feed| {
            let mut status = feed.status.clone();
            status.indicators = feed.index.len();
            status.bytes = feed.index.bytes();
            let kinds = feed.index.by_kind().filter(|(_, count)| *count > 0);
            status.by_kind = kinds.map(|(kind, count)| (kind.as_str().to_owned(), count)).collect();
            status
        };
        feeds.values().map(shown).collect()
    }

    /// Fetches a feed soon, though it is not due; whether there is one of the name.
    pub fn fetch_soon(&self, name: &str) -> bool {
        let mut feeds = self.feeds();
        let Some(feed) = feeds.get_mut(name).filter(|feed| feed.config.is_some()) else {
            return false;
        };
        feed.due = Instant::now();
        self.wake.notify_one();
        true
    }

    /// The orders to hunt, for whoever carries them out; `None` the second time.
    pub fn take_orders(&self) -> Option<mpsc::Receiver<Order>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Orders a hunt; `false` when too many wait.
    pub fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Days of history that are hunted through.
    pub fn hunt_days(&self) -> u32 {
        self.config.hunt_days
    }

    /// Keeps the feeds up to date, until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            self.take_own();
            for (name, config) in self.due() {
                let book = self.clone();
                // Each by itself: one that hangs holds up no other.
                let fetching = shutdown.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = fetching.cancelled() => {}
                        () = book.fetch(&name, &config) => {}
                    }
                });
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn due(&self) -> Vec<(String, FeedConfig)> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (name, feed) in self.feeds().iter_mut() {
            let Some(config) = feed.config.clone() else { continue };
            if feed.due <= now && !feed.fetching {
                feed.fetching = true;
                due.push((name.clone(), config));
            }
        }
        due
    }

    /// Fetches one feed and puts it in force.
    pub async fn fetch(self: &Arc<Self>, name: &str, config: &FeedConfig) {
        let got = feed::get(config).await;
        let (book, name, config) = (self.clone(), name.to_owned(), config.clone());
        let done = tokio::task::spawn_blocking(move || {
            let read = got.and_then(|texts| feed::read(&texts, &config));
            book.fetched(&name, &config, read);
        });
        // A panic in it is told by the runtime.
        let _ = done.await;
    }

    fn fetched(&self, name: &str, config: &FeedConfig, read: Result<feed::Read, String>) {
        let kept = read.and_then(|read| {
            let status = FeedStatus {
                fetched: Some(crate::handle::now()),
                refused: read.refused.clone(),
                ..FeedStatus::default()
            };
            self.shelf.write(name, &read.index, &status)?;
            Ok((read, status))
        });
        let mut feeds = self.feeds();
        let Some(feed) = feeds.get_mut(name) else { return };
        feed.fetching = false;
        feed.status.fetches += 1;
        match kept {
            Ok((read, status)) => {
                let before = std::mem::replace(&mut feed.index, Arc::new(read.index));
                let now = feed.index.clone();
                feed.status.fetched = status.fetched;
                feed.status.refused = status.refused;
                feed.status.problem = None;
                feed.due = Instant::now() + every(config);
                drop(feeds);
                tracing::info!("indicators of {name}: {} in force", now.len());
                self.put_in_force();
                self.hunt_new(name, &before, &now);
            }
            Err(why) => {
                tracing::error!("indicators of {name}: {why}; those known stay in force");
                feed.status.failures += 1;
                feed.status.problem = Some(why);
                feed.due = Instant::now() + every(config).min(RETRY_AFTER);
            }
        }
    }

    /// Has what is new looked for in history.
    fn hunt_new(&self, name: &str, before: &Index, now: &Index) {
        if self.config.hunt_days == 0 {
            return;
        }
        let mut builder = Builder::default();
        now.iter().filter(|one| !before.contains(one)).for_each(|one| {
            builder.add(&one);
        });
        let new = builder.finish();
        if new.is_empty() {
            return;
        }
        let about = format!("{} new in {name}", new.len());
        let intel = Intel::new(vec![(Arc::from(name), Arc::new(new))]);
        if !self.order(Order { intel, about }) {
            tracing::warn!("indicators of {name}: too many hunts wait, this one is left out");
        }
    }

    /// Takes over what was added by another process.
    fn take_own(&self) {
        let stamp = self.shelf.stamp(OWN);
        if self.feeds().get(OWN).is_none_or(|own| own.stamp == stamp) {
            return;
        }
        let read = self.shelf.read(OWN);
        let mut feeds = self.feeds();
        let Some(own) = feeds.get_mut(OWN) else { return };
        own.stamp = stamp;
        match read {
            Ok(read) => {
                let index = read.map(|(index, _)| index).unwrap_or_default();
                let before = std::mem::replace(&mut own.index, Arc::new(index));
                let now = own.index.clone();
                own.status.problem = None;
                drop(feeds);
                self.put_in_force();
                self.hunt_new(OWN, &before, &now);
            }
            Err(why) => own.status.problem = Some(why),
        }
    }

    /// Adds indicators of one's own; how many are new. They are in force within a second.
    ///
    /// # Errors
    /// When there are too many or they cannot be kept.
    pub fn add(&self, indicators: &[Indicator]) -> Result<usize, String> {
        self.change_own(|all| {
            let before = all.len();
            for one in indicators {
                all.retain(|known| (known.kind, &known.value) != (one.kind, &one.value));
                all.push(one.clone());
            }
            all.len() - before
        })
    }

    /// Takes indicators of one's own back; how many there were.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn remove(&self, value: &str) -> Result<usize, String> {
        let Some((kind, value)) = normal(value, None) else {
            return Err(format!("{value:?} is no indicator"));
        };
        self.change_own(|all| {
            let before = all.len();
            all.retain(|known| (known.kind, &known.value) != (kind, &value));
            before - all.len()
        })
    }

    fn change_own(
        &self,
        change: impl FnOnce(&mut Vec<Indicator>) -> usize,
    ) -> Result<usize, String> {
        let known = self.shelf.read(OWN)?;
        let mut all: Vec<Indicator> =
            known.map(|(index, _)| index.iter().collect()).unwrap_or_default();
        let changed = change(&mut all);
        if all.len() > OWN_MAX {
            return Err(format!(
                "more than {OWN_MAX} indicators of one's own; make a feed of them"
            ));
        }
        let mut builder = Builder::default();
        all.iter().for_each(|one| {
            builder.add(one);
        });
        let status = FeedStatus { fetched: Some(crate::handle::now()), ..FeedStatus::default() };
        self.shelf.write(OWN, &builder.finish(), &status)?;
        self.take_own();
        Ok(changed)
    }
}

fn every(config: &FeedConfig) -> Duration {
    Duration::try_from_secs_f64(config.every_hours * 3600.0).unwrap_or(Duration::from_secs(86_400))
}

/// What is wrong with the configuration of feeds: its place and why.
pub fn faults(config: &IntelConfig) -> Vec<(Vec<String>, String)> {
    let mut faults = Vec::new();
    for (name, feed) in &config.feeds {
        let mut fault = |key: &str, why: String| {
            let path = ["feeds", name, key].into_iter().map(str::to_owned);
            faults.push((path.collect(), format!("feed {name}: {why}")));
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name == OWN || name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
            fault("", "a feed is named with letters, digits, - and _, and not `own`".to_owned());
        }
        match (&feed.url, &feed.file) {
            (Some(url), None) if url.starts_with("http://") || url.starts_with("https://") => {}
            (Some(_), None) => fault("url", "url must begin with http:// or https://".to_owned()),
            (None, Some(_)) => {}
            _ => fault("url", "needs either a url or a file".to_owned()),
        }
        if !(0.0..=8760.0).contains(&feed.every_hours) || feed.every_hours < 0.001 {
            fault("every_hours", "every_hours is from 0.001 to 8760".to_owned());
        }
        if feed.confidence > 100 {
            fault("confidence", "confidence is from 0 to 100".to_owned());
        }
    }
    faults
}

/// An indicator as people give it.
///
/// # Errors
/// When it is none, or its confidence makes no sense.
pub fn given(
    value: &str,
    kind: Option<Kind>,
    confidence: u8,
    expires_days: Option<u32>,
    about: &str,
) -> Result<Indicator, String> {
    let Some((kind, value)) = normal(value, kind) else {
        return Err(format!(
            "{value:?} is no address, network, domain, URL, hash or e-mail address"
        ));
    };
    if confidence > 100 {
        return Err("confidence is from 0 to 100".to_owned());
    }
    let days = |days: u32| crate::handle::now().plus(Duration::from_secs(86_400) * days);
    Ok(Indicator {
        kind,
        value,
        confidence,
        expires: expires_days.map(days),
        about: about.to_owned(),
    })
}

/// The indicators that an event with a value would match.
///
/// # Errors
/// When the value is of no kind that there is.
pub fn found_in(intel: &Intel, value: &str) -> Result<Vec<Match>, String> {
    let Some((kind, normal)) = normal(value, None) else {
        return Err(format!("{value:?} is no address, domain, URL, hash or e-mail address"));
    };
    let (field, text) = match kind {
        Kind::Address => ("source.ip", normal),
        Kind::Network => return Err("give an address of the network".to_owned()),
        Kind::Domain => ("dns.question.name", normal),
        Kind::Url => ("url.full", format!("http://{normal}")),
        Kind::Hash => ("related.hash", normal),
        Kind::Email => ("user.email", normal),
    };
    let mut event = Event::default();
    if let Some(id) = FieldId::intern(field) {
        event.push_str(id, &text);
    }
    let mut found = Vec::new();
    intel.find(&event, crate::handle::now(), &mut found);
    Ok(found)
}

/// Reads indicators of a file's text in some form; also how many things in it were refused.
///
/// # Errors
/// When the form is none, or nothing in the text is an indicator.
pub fn read_file(text: &str, format: &str) -> Result<(Vec<Indicator>, u64), String> {
    let format = serde_json::from_value(serde_json::Value::String(format.to_owned()))
        .map_err(|_| format!("{format:?} is none of plain, csv, json, misp, stix"))?;
    let config = FeedConfig { format, ..FeedConfig::default() };
    let read = feed::read(&[text.to_owned()], &config)?;
    Ok((read.index.iter().collect(), read.refused.values().sum()))
}
