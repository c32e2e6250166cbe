//! Storing files at once: parse → detect → alert → store, as live, without channels.

use std::path::Path;
use std::sync::Arc;

use tocsin_alert::{Alerts, Outcome};
use tocsin_catalog::Catalog;
use tocsin_detect::Detector;
use tocsin_enrich::Enricher;
use tocsin_model::{Event, Finding, Record};
use tocsin_parse::Worker;
use tocsin_store::{Embedded, EventStore};

use crate::config::Config;
use crate::content::Content;
use crate::context::ContextBook;
use crate::epoch::Payload;
use crate::exceptions::{ExceptionBook, Exceptions};
use crate::unpack::{line_place, unpack};

/// Events between two commits.
const COMMIT_EVENTS: usize = 50_000;
/// Events given to the store at once.
const APPEND_EVENTS: usize = 500;

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Events.
    pub events: u64,
    /// Alerts.
    pub alerts: u64,
}

/// Stores records into a data directory.
pub struct Importer {
    worker: Worker,
    enricher: Enricher,
    detector: Detector,
    alerts: Alerts,
    exceptions: Arc<Exceptions>,
    raised: u64,
    catalog: Arc<Catalog>,
    store: Embedded,
    stream: u64,
    waiting: Vec<Event>,
    findings: Vec<Finding>,
    since_commit: usize,
    events: u64,
    payload: String,
}

impl Importer {
    /// Opens the data directory.
    ///
    /// # Errors
    /// When it cannot be used; the message names it.
    pub fn open(content: &Content, config: &Config, data_dir: &Path) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| format!("{}: {error}", data_dir.display());
        std::fs::create_dir_all(data_dir).map_err(|error| text(&error))?;
        let options = tocsin_store::Options {
            writer_bytes_max: config.store.writer_bytes,
            archive: config.store.shelf(data_dir),
            ..tocsin_store::Options::default()
        };
        let store =
            Embedded::open(&data_dir.join("store"), options).map_err(|error| text(&error))?;
        let payload = store.payload().map_err(|error| text(&error))?;
        let payload = payload.unwrap_or_else(|| Payload::default().to_text());
        // Ids must differ from those of earlier imports into the same directory.
        let stored = store.stats().map_err(|error| text(&error))?.documents;
        let catalog = Arc::new(Catalog::open(data_dir).map_err(|error| text(&error))?);
        let disabled = config.alerts.disabled_rules.clone();
        let exceptions = ExceptionBook::open(catalog.clone(), disabled);
        let exceptions = exceptions.map_err(|error| text(&error))?.current();
        Ok(Self {
            worker: content.parser.worker(),
            enricher: ContextBook::open(config).enricher(),
            detector: Detector::new(Arc::new(content.rules.clone()), &content.options),
            alerts: Alerts::new(config.alerts.clone())?,
            exceptions,
            raised: 0,
            catalog,
            store,
            stream: (1 << 63) | (stored << 16),
            waiting: Vec::new(),
            findings: Vec::new(),
            since_commit: 0,
            events: 0,
            payload,
        })
    }

    /// Stores one record.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn take(&mut self, record: Record) -> Result<(), String> {
        let mut result = Ok(());
        unpack(record, line_place, |record| {
            if result.is_ok() {
                result = self.take_one(&record);
            }
        });
        result
    }

    fn take_one(&mut self, record: &Record) -> Result<(), String> {
        let mut event = Event::default();
        self.worker.parse(record, &mut event);
        event.id.stream = self.stream + record.position.stream;
        self.enricher.enrich(&mut event);
        self.detector.process(&event, &mut self.findings);
        self.sort_out();
        self.waiting.push(event);
        self.events += 1;
        if self.waiting.len() >= APPEND_EVENTS {
            self.append()?;
        }
        if self.since_commit >= COMMIT_EVENTS {
            self.commit()?;
        }
        Ok(())
    }

    /// Decides open windows and commits.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn finish(mut self) -> Result<Imported, String> {
        self.detector.finish(&mut self.findings);
        self.sort_out();
        self.append()?;
        self.commit()?;
        Ok(Imported { events: self.events, alerts: self.raised })
    }

    fn sort_out(&mut self) {
        for mut finding in self.findings.drain(..) {
            self.enricher.complete(&mut finding);
            if self.exceptions.is_off(&finding.rule) {
                continue;
            }
            let added = match self.exceptions.hides(&finding) {
                None => self.alerts.add(&finding, true),
                Some(id) => self.alerts.add_hidden(&finding, true, id),
            };
            self.raised += u64::from(matches!(added, Outcome::Raised(_)));
        }
    }

    fn append(&mut self) -> Result<(), String> {
        self.store.append(&self.waiting).map_err(|error| error.to_string())?;
        self.since_commit += self.waiting.len();
        self.waiting.clear();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        let changed = self.alerts.take_changed();
        self.catalog.save(&changed, &[]).map_err(|error| error.to_string())?;
        self.store.commit(&self.payload).map_err(|error| error.to_string())?;
        self.since_commit = 0;
        Ok(())
    }
}
