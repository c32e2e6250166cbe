//! Looking for indicators in stored history.
//!
//! In: the store and some indicators. Out: alerts of the rules in force that speak of indicators,
//! as they would have been raised had the indicators been known then. Events keep what they were
//! stored with.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tocsin_alert::{AlertConfig, Alerts};
use tocsin_detect::Detector;
use tocsin_enrich::intel::{self, Intel};
use tocsin_model::{Alert, Finding, Timestamp, field};
use tocsin_store::{EventStore, Filter, ScanRequest, Scanned, StoreError};
use tokio_util::sync::CancellationToken;

use super::{IntelBook, Order};
use crate::content::Content;
use crate::exceptions::{ExceptionBook, Exceptions};
use crate::handle::{Handle, Live, now};

/// The most alerts of one hunt; later ones are only counted.
pub const ALERTS_MAX: usize = 1000;
/// Hunts that are remembered.
const KEPT_MAX: usize = 50;
/// What one hunt finds of one attacker is one alert.
const COOLDOWN: Duration = Duration::from_secs(400 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);

/// What a hunt found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Events looked at.
    pub events: u64,
    /// Events that hold one of the indicators.
    pub matched: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Their ids, some of them.
    pub ids: Vec<String>,
}

/// A hunt and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct HuntStatus {
    /// Its number.
    pub id: u64,
    /// What is looked for.
    pub about: String,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it found.
    pub found: Found,
    /// Why it failed.
    pub problem: Option<String>,
}

/// Hunts of this run, the newest last.
#[derive(Debug, Default)]
pub struct Hunts {
    all: Mutex<VecDeque<HuntStatus>>,
    next: AtomicU64,
}

impl Hunts {
    fn lock(&self) -> MutexGuard<'_, VecDeque<HuntStatus>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that are remembered, the newest first.
    pub fn list(&self) -> Vec<HuntStatus> {
        self.lock().iter().rev().cloned().collect()
    }

    fn begin(&self, about: String) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut all = self.lock();
        if all.len() >= KEPT_MAX {
            all.pop_front();
        }
        let found = Found::default();
        all.push_back(HuntStatus { id, about, started: now(), ended: None, found, problem: None });
        id
    }

    fn end(&self, id: u64, result: Result<Found, String>) {
        let mut all = self.lock();
        let Some(hunt) = all.iter_mut().find(|hunt| hunt.id == id) else { return };
        hunt.ended = Some(now());
        match result {
            Ok(found) => hunt.found = found,
            Err(why) => hunt.problem = Some(why),
        }
    }
}

/// Looks for indicators in what is stored since `from`. Beside what was found the alerts, also
/// those that an exception hides now.
///
/// # Errors
/// When the store cannot be read.
pub fn run(
    store: &dyn EventStore,
    intel: &Intel,
    content: &Content,
    alerts: &AlertConfig,
    exceptions: &Exceptions,
    from: Option<Timestamp>,
    cancel: &CancellationToken,
) -> Result<(Found, Vec<Alert>), StoreError> {
    let config = AlertConfig { cooldown_seconds: COOLDOWN.as_secs(), ..alerts.clone() };
    let mut alerts = Alerts::new(config).map_err(StoreError::BadRequest)?;
    let mut detector = Detector::new(Arc::new(content.rules.clone()), &content.options);
    let (mut found, mut findings, mut matches) = (Found::default(), Vec::new(), Vec::new());
    let today = now();
    let scan = ScanRequest { filter: Filter::All, from, to: None };
    found.events = store.scan(&scan, &mut |scanned: Scanned<'_>| {
        for event in scanned.events {
            matches.clear();
            intel.find(event, today, &mut matches);
            let Some(best) = matches.first() else { continue };
            if event.get_str(field::THREAT_INDICATOR_NAME) == Some(best.indicator.value.as_str()) {
                // Told when it happened.
                continue;
            }
            found.matched += 1;
            let mut event = event.clone();
            intel::tell(&mut event, &matches);
            detector.process(&event, &mut findings);
            for finding in findings.drain(..).filter(speaks_of_indicators) {
                if exceptions.is_off(&finding.rule) {
                    continue;
                }
                match exceptions.hides_at(&finding, today) {
                    None => alerts.add(&finding, false),
                    Some(id) => alerts.add_hidden(&finding, false, id),
                };
            }
        }
        match cancel.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let mut raised = alerts.take_changed();
    found.alerts = raised.iter().filter(|alert| is_shown(alert)).count() as u64;
    raised.truncate(ALERTS_MAX);
    let shown = raised.iter().filter(|alert| is_shown(alert));
    found.ids = shown.take(20).map(|alert| alert.id.to_string()).collect();
    Ok((found, raised))
}

/// Whether no exception hides it.
fn is_shown(alert: &Alert) -> bool {
    alert.triage.exception.is_none()
}

/// Whether a rule matched because of an indicator.
fn speaks_of_indicators(finding: &Finding) -> bool {
    let of_indicator = |name: &str| {
        name.starts_with("threat.indicator.")
            || name.starts_with("threat.enrichments.")
            || name.starts_with("tocsin.indicator.")
    };
    !finding.rule.correlation && finding.matches.iter().any(|span| of_indicator(&span.field))
}

/// Carries out orders one after the other, until `shutdown`.
pub(crate) async fn carry_out(handle: Handle, shutdown: CancellationToken) {
    let Some(mut orders) = handle.intel.take_orders() else { return };
    loop {
        let order = tokio::select! {
            () = shutdown.cancelled() => return,
            order = orders.recv() => match order {
                Some(order) => order,
                None => return,
            },
        };
        let (handle, cancel) = (handle.clone(), shutdown.clone());
        // A panic in it is told by the runtime.
        let _ = tokio::task::spawn_blocking(move || hunt(&handle, order, &cancel)).await;
    }
}

fn hunt(handle: &Handle, order: Order, cancel: &CancellationToken) {
    let id = handle.hunts.begin(order.about);
    let result = look(handle, &order.intel, cancel);
    match &result {
        Ok(found) if found.alerts > 0 => {
            tracing::warn!("hunt {id}: {} alerts of stored events", found.alerts);
        }
        Ok(_) => {}
        Err(why) => tracing::error!("hunt {id}: {why}"),
    }
    handle.hunts.end(id, result);
}

fn look(handle: &Handle, intel: &Intel, cancel: &CancellationToken) -> Result<Found, String> {
    let config = &handle.config;
    let content =
        Content::load(&config.content, &config.detect, &crate::content::Choice::default());
    let from = now().minus(DAY * handle.intel.hunt_days().max(1));
    let ran = run(
        &*handle.store,
        intel,
        &content,
        &config.alerts,
        &handle.exceptions.current(),
        Some(from),
        cancel,
    );
    let (found, raised) = ran.map_err(|error| error.to_string())?;
    let mut notices = Vec::new();
    for alert in raised.iter().filter(|alert| is_shown(alert)) {
        notices.extend(handle.notifier.notices(alert, tocsin_model::NoticeKind::Raised, now()));
    }
    let told = |channel: &str| handle.notifier.is_told_by_incident(channel);
    let saved = handle.catalog.save_grouped(&raised, &notices, &told);
    for alert in saved.map_err(|error| error.to_string())?.into_iter().filter(is_shown) {
        // Nobody listening is fine.
        let _ = handle.live.send(Live::Alert(Arc::new(alert)));
    }
    if !notices.is_empty() {
        handle.notifier.notify();
    }
    Ok(found)
}

/// Hunts in a data directory for everything that its feeds warn of, for another process than the
/// one that runs; its alerts notify nobody.
///
/// # Errors
/// When the data directory cannot be read.
pub fn in_dir(config: &crate::Config, days: u32) -> Result<Found, String> {
    let dir = &config.server.data_dir;
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", dir.display());
    let store =
        tocsin_store::Embedded::open_to_read(&dir.join("store")).map_err(|error| text(&error))?;
    let catalog = Arc::new(tocsin_catalog::Catalog::open(dir).map_err(|error| text(&error))?);
    let disabled = config.alerts.disabled_rules.clone();
    let exceptions =
        ExceptionBook::open(catalog.clone(), disabled).map_err(|error| text(&error))?;
    let book = IntelBook::open(config, Arc::default());
    let content =
        Content::load(&config.content, &config.detect, &crate::content::Choice::default());
    let (found, raised) = run(
        &store,
        &book.current(),
        &content,
        &config.alerts,
        &exceptions.current(),
        Some(now().minus(DAY * days.max(1))),
        &CancellationToken::new(),
    )
    .map_err(|error| text(&error))?;
    catalog.save_grouped(&raised, &[], &|_| false).map_err(|error| text(&error))?;
    Ok(found)
}
