//! What is known of the parts of an event beyond its line: where an address is, whose it is,
//! whether somebody warned of it.
//!
//! In: events as the parser made them, and [`Context`] that was read beforehand. Out: the same
//! events with more fields, which rules, the store, alerts and notices see. Pure: no clock, disk
//! or network; whoever loads the context swaps it while events go on.

pub mod assets;
pub mod config;
mod countries;
pub mod geo;
pub mod intel;
pub mod memory;
mod networks;
mod table;

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use tocsin_model::{Event, Finding};

use assets::Assets;
use config::EnrichConfig;
use geo::Geo;
use intel::{Intel, Match};
use memory::Memory;

/// What was read beforehand; replaced as a whole.
#[derive(Debug, Default, Clone)]
pub struct Context {
    /// Places and owners of addresses.
    pub geo: Arc<Geo>,
    /// Hosts, users and networks of one's own.
    pub assets: Arc<Assets>,
    /// What others warn of.
    pub intel: Arc<Intel>,
}

impl Context {
    /// Whether there is nothing to say of any event.
    pub fn is_empty(&self) -> bool {
        self.geo.is_empty() && self.assets.is_empty() && self.intel.is_empty()
    }
}

/// The context in force, shared with whoever replaces it.
pub type Shared = Arc<ArcSwap<Context>>;

/// Adds what is known to events. One per thread.
pub struct Enricher {
    context: Cache<Shared, Arc<Context>>,
    places: geo::Places,
    found: Vec<Match>,
    memory: Option<Memory>,
    geo_on_events: bool,
}

impl Enricher {
    /// An enricher with the context in force, whatever it is at the time.
    pub fn new(context: Shared, config: &EnrichConfig) -> Self {
        Self {
            context: Cache::new(context),
            places: geo::Places::default(),
            found: Vec::new(),
            memory: None,
            geo_on_events: config.geoip.events,
        }
    }

    /// Remembers what was seen, too: for events that come in the order of their time.
    pub fn remember(&mut self, memory: Memory) {
        self.memory = Some(memory);
    }

    /// What is remembered.
    pub fn memory(&mut self) -> Option<&mut Memory> {
        self.memory.as_mut()
    }

    /// Adds to an event what rules and the store shall see.
    pub fn enrich(&mut self, event: &mut Event) {
        let context = self.context.load();
        if !context.is_empty() {
            if self.geo_on_events {
                self.places.add(&context.geo, event);
            }
            context.assets.add(event);
            if !context.intel.is_empty() {
                context.intel.add(event, event.received, &mut self.found);
            }
        }
        if let Some(memory) = &mut self.memory {
            memory.see(event);
        }
    }

    /// Adds to a finding's event what every alert shall show, where events do not have it.
    pub fn complete(&mut self, finding: &mut Finding) {
        if !self.geo_on_events {
            let context = self.context.load();
            self.places.add(&context.geo, &mut finding.event);
        }
    }
}
