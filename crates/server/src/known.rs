//! [`Known`]: content with its files, as it is in force, and what of it is alive.
//!
//! In: the engine's handle. Out: packs, rule files and compiled rules, read again when others came
//! into force; for each rule whether events of its log source are stored. Never changes anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tocsin_engine::Handle;
use tocsin_engine::content::{Choice, Content, RuleSource};
use tocsin_engine::reload::InForce;
use tocsin_model::{Event, Timestamp};
use tocsin_store::{Agg, Filter, SearchRequest};

use crate::error::ApiError;
use crate::history::documents::event_of;
use crate::limits::SEARCH_TIME_MAX;
use crate::query::now;

/// How long it is believed which log sources there are.
const ALIVE_TIME: Duration = Duration::from_secs(60);
/// How far back events show that a log source is there.
pub const ALIVE_DAYS: i64 = 7;
/// Datasets that are looked at.
const DATASETS_MAX: usize = 200;
/// Events of each that are looked at.
const SAMPLES: usize = 20;

/// What is known of content.
#[derive(Default)]
pub struct Known {
    content: Mutex<Option<(Arc<InForce>, Arc<Content>)>>,
    alive: Mutex<Option<(Instant, Arc<InForce>, Arc<Alive>)>>,
}

/// By rule: its log source, and whether that is there.
pub type Alive = BTreeMap<String, RuleSource>;

impl Known {
    /// Content as it is in force. Blocks on disk when others came into force.
    pub fn content(&self, handle: &Handle) -> Arc<Content> {
        let in_force = handle.in_force.load_full();
        let mut held = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, content)) = held.as_ref()
            && Arc::ptr_eq(of, &in_force)
        {
            return content.clone();
        }
        let config = &handle.config;
        let content = Content::load(&config.content, &config.detect, &Choice::default());
        let content = Arc::new(content);
        *held = Some((in_force, content.clone()));
        content
    }

    /// Which rules have something to read. Blocks on the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alive(&self, handle: &Handle) -> Result<Arc<Alive>, ApiError> {
        let content = self.content(handle);
        let in_force = handle.in_force.load_full();
        let mut held = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, of, alive)) = held.as_ref()
            && Arc::ptr_eq(of, &in_force)
            && at.elapsed() < ALIVE_TIME
        {
            return Ok(alive.clone());
        }
        let events = samples(handle)?;
        let sources = content.log_sources(&events);
        let alive: Alive = sources.into_iter().map(|one| (one.rule_id.clone(), one)).collect();
        let alive = Arc::new(alive);
        // As long as nothing is there, somebody waits for the first.
        if !events.is_empty() {
            *held = Some((Instant::now(), in_force, alive.clone()));
        }
        Ok(alive)
    }
}

/// Some events of every dataset of the last days.
fn samples(handle: &Handle) -> Result<Vec<Event>, ApiError> {
    let from = Some(Timestamp(now().0 - ALIVE_DAYS * 86_400 * 1_000_000_000));
    let request = SearchRequest {
        from,
        limit: 0,
        aggs: [("datasets".to_owned(), Agg::terms("event.dataset".to_owned(), DATASETS_MAX))]
            .into(),
        timeout: Some(SEARCH_TIME_MAX),
        ..SearchRequest::default()
    };
    let found = handle.store.search(&request)?;
    let buckets = found.aggs.get("datasets").map(|agg| agg.buckets()).unwrap_or_default();
    let mut events = Vec::new();
    for name in buckets.iter().filter_map(|bucket| bucket.key.as_str()) {
        let request = SearchRequest {
            filter: Filter::term("event.dataset", name),
            from,
            limit: SAMPLES,
            timeout: Some(SEARCH_TIME_MAX),
            ..SearchRequest::default()
        };
        events.extend(handle.store.search(&request)?.hits.iter().map(event_of));
    }
    Ok(events)
}
