//! Scanning files: the pipeline's stages over records that are simply there, by the events' own
//! time. Nothing is stored, nobody is told.

mod crew;
pub mod import;
pub mod input;

use std::sync::Arc;

use tocsin_alert::{AlertConfig, Alerts};
use tocsin_detect::Detector;
use tocsin_model::{Alert, Finding, Record, field};

use crate::content::Content;
use crate::context::ContextBook;
use crate::exceptions::Exceptions;
use crate::merge::{Merged, Merger};
use crate::offline::crew::{Crew, Read};
use crate::unpack::{line_of, line_place, unpack};

/// A finding with the line of input that completed it.
#[derive(Debug, Clone)]
pub struct LineFinding {
    /// The finding.
    pub finding: Finding,
    /// Index of the input, from 0.
    pub input: u64,
    /// Line in it, from 1.
    pub line: u64,
}

/// Scans records of several inputs in the order of their events' time.
pub struct Scanner {
    crew: Crew,
    detector: Detector,
    alerts: Alerts,
    merger: Merger,
    ready: Vec<Merged>,
    findings: Vec<Finding>,
    keep_findings: bool,
    found: Vec<LineFinding>,
    spare: Vec<Read>,
    seen: Seen,
    expected: Vec<String>,
    exceptions: Arc<Exceptions>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Records taken.
    pub records: u64,
    /// Records that no source understood.
    pub unparsed: u64,
    /// Records that one of the expected sources understood.
    pub expected: u64,
    /// Findings that exceptions hid.
    pub hidden: u64,
}

impl Scanner {
    /// Ready to scan with so many `threads`. With `keep_findings`, findings are kept one by one
    /// instead of becoming alerts.
    ///
    /// # Errors
    /// When the allow-list has an entry that is no address or network.
    pub fn new(
        content: &Content,
        alerts: AlertConfig,
        keep_findings: bool,
        threads: usize,
    ) -> Result<Self, String> {
        let exceptions = Arc::new(Exceptions::without_catalog(alerts.disabled_rules.clone()));
        Ok(Self {
            crew: Crew::new(&content.parser, &content.rules, threads),
            detector: Detector::new(Arc::new(content.rules.clone()), &content.options),
            alerts: Alerts::new(alerts)?,
            merger: Merger::default(),
            ready: Vec::new(),
            findings: Vec::new(),
            keep_findings,
            found: Vec::new(),
            spare: Vec::new(),
            seen: Seen::default(),
            expected: Vec::new(),
            exceptions,
        })
    }

    /// Adds what is known of events beyond their lines.
    pub fn know(&mut self, context: Arc<ContextBook>) {
        self.crew.know(context);
    }

    /// Leaves out what these exceptions hide, and counts it; they know, too, which rules are off.
    pub fn except(&mut self, exceptions: Arc<Exceptions>) {
        self.exceptions = exceptions;
    }

    /// Counts the records that these sources understand.
    pub fn expect(&mut self, sources: Vec<String>) {
        self.expected = sources;
    }

    /// What was read so far.
    pub fn seen(&self) -> Seen {
        Seen { unparsed: self.crew.unparsed(), ..self.seen }
    }

    /// Says that an input is open: other inputs' newer events wait for its older ones.
    pub fn open(&mut self, input: u64) {
        self.merger.set_behind(input, true);
    }

    /// Says that an input is at its end.
    pub fn close(&mut self, input: u64) {
        self.settle();
        self.merger.set_behind(input, false);
        self.detect();
    }

    /// Takes a record. Its stream is the input's index, its offset the line.
    pub fn take(&mut self, record: Record) {
        let Self { crew, merger, spare, seen, expected, .. } = self;
        unpack(record, line_place, |record| {
            crew.take(record, &mut |record, read| {
                bring(record, read, merger, spare, seen, expected);
            });
        });
        self.detect();
    }

    /// Waits for what was taken.
    fn settle(&mut self) {
        let Self { crew, merger, spare, seen, expected, .. } = self;
        crew.drain(&mut |record, read| bring(record, read, merger, spare, seen, expected));
        self.detect();
    }

    /// Whether this input has so much waiting that another should be read first.
    pub fn is_ahead(&self, input: u64) -> bool {
        self.merger.waiting_in(input) > 0
    }

    /// Says that no more events come; windows that are open are decided.
    pub fn finish(&mut self) {
        self.settle();
        self.merger.flush(&mut self.ready);
        self.detect();
        self.detector.finish(&mut self.findings);
        self.sort_out();
    }

    /// Findings so far, taken out (only with `keep_findings`).
    pub fn take_findings(&mut self) -> Vec<LineFinding> {
        std::mem::take(&mut self.found)
    }

    /// Alerts so far, oldest first. Call it once, at the end.
    pub fn take_alerts(&mut self) -> Vec<Alert> {
        let mut alerts = self.alerts.take_changed();
        alerts.sort_by(|left, right| (left.raised, &left.id).cmp(&(right.raised, &right.id)));
        alerts
    }

    fn detect(&mut self) {
        self.merger.ready(&mut self.ready);
        let mut ready = std::mem::take(&mut self.ready);
        for Merged { event, matched, .. } in ready.drain(..) {
            if self.crew.matches() {
                self.detector.process_matched(&event, &matched, &mut self.findings);
            } else {
                self.detector.process(&event, &mut self.findings);
            }
            if !self.findings.is_empty() {
                self.sort_out();
            }
            self.spare.push(Read { event, matched });
        }
        self.ready = ready;
    }

    fn sort_out(&mut self) {
        for finding in self.findings.drain(..) {
            // A rule that is off still finds something, and raises no alert of it.
            if !self.keep_findings && self.exceptions.is_off(&finding.rule) {
                continue;
            }
            if self.exceptions.hides(&finding).is_some() {
                self.seen.hidden += 1;
                continue;
            }
            if self.keep_findings {
                let id = finding.event.id;
                self.found.push(LineFinding {
                    finding,
                    input: id.stream,
                    line: line_of(id.offset),
                });
            } else {
                self.alerts.add(&finding, false);
            }
        }
    }
}

/// Hands an event that was read to the merger; its place is taken by a spare one.
fn bring(
    record: &Record,
    read: &mut Read,
    merger: &mut Merger,
    spare: &mut Vec<Read>,
    seen: &mut Seen,
    expected: &[String],
) {
    let Read { event, matched } = std::mem::replace(read, spare.pop().unwrap_or_default());
    seen.records += 1;
    if !expected.is_empty() {
        let source = event.get_str(field::EVENT_DATASET).unwrap_or("");
        seen.expected += u64::from(expected.iter().any(|name| name == source));
    }
    let merged = Merged { event, matched, ..Merged::default() };
    merger.push(record.position.stream, merged);
}
