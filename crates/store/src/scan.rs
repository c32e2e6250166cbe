//! [`ScanRequest`]: all events that match, one after the other, oldest first. What backtests,
//! archives and exports read; a search answers pages instead.

use std::ops::ControlFlow;

use tocsin_model::{Event, Timestamp};

use crate::filter::Filter;

/// Which events to go through.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRequest {
    /// Which events.
    pub filter: Filter,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl Default for ScanRequest {
    fn default() -> Self {
        Self { filter: Filter::All, from: None, to: None }
    }
}

/// Some events of a scan, and how far it is.
#[derive(Debug, Clone, Copy)]
pub struct Scanned<'a> {
    /// The next events by time.
    pub events: &'a [Event],
    /// Events given so far, these included.
    pub done: u64,
    /// Events that matched when the scan began.
    pub total: u64,
}

/// What a scan gives its events to; `Break` ends it.
pub type ScanSink<'a> = dyn FnMut(Scanned<'_>) -> ControlFlow<()> + 'a;
