//! What every backend must do, as tables: [`run`] it with a way to open an empty store.
//!
//! Each check says in its error what was asked, what was expected and what came.

mod corpus;
mod filters;
mod results;
mod steps;

pub use corpus::corpus;

use serde_json::Value as Json;

use crate::EventStore;

/// Opens an empty store.
pub type Open<'a> = &'a mut dyn FnMut() -> Box<dyn EventStore>;

/// Runs all checks; the errors of those that fail.
pub fn run(open: Open<'_>) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    let mut check = |name: &str, done: Result<(), String>| {
        if let Err(error) = done {
            errors.push(format!("{name}: {error}"));
        }
    };
    let store = open();
    check("empty", results::empty(store.as_ref()));
    check("commit", results::commit(store.as_ref()));
    let store = open();
    if let Err(error) = fill(store.as_ref()) {
        return Err(vec![format!("filling the store: {error}")]);
    }
    for (name, done) in filters::all(store.as_ref()) {
        check(&name, done);
    }
    check("read back", results::read_back(store.as_ref()));
    check("sorting", results::sorting(store.as_ref()));
    check("paging", results::paging(store.as_ref()));
    check("scanning", results::scanning(store.as_ref()));
    check("aggregates", results::aggregates(store.as_ref()));
    check("evaluator", results::evaluator(store.as_ref()));
    check("aggregates in steps", steps::steps(store.as_ref()));
    check("bad requests", results::bad_requests(store.as_ref()));
    check("fields", results::fields(store.as_ref()));
    check("retention", results::retention(store.as_ref()));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// In several commits, so that a backend has several parts to put together.
fn fill(store: &dyn EventStore) -> crate::Result<()> {
    for (round, events) in corpus().chunks(5).enumerate() {
        store.append(events)?;
        store.commit(&format!("{{\"round\":{round}}}"))?;
    }
    Ok(())
}

/// The corpus number of a hit.
fn number(hit: &Json) -> u64 {
    let id = hit["event"]["id"].as_str().and_then(tocsin_model::EventId::parse);
    id.map_or(u64::MAX, |id| id.offset)
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {got:?}"))
}

fn told<T>(what: &str, result: crate::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}
