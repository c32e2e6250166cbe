//! Questions to stored history: searches with aggregates, fields and their values, backtests,
//! and the part of Elasticsearch's API that reads.
//!
//! In: requests. Out: JSON. A search ends when its client leaves. Never writes anything.

pub mod backtests;
pub mod documents;
pub mod elastic;
pub mod export;
pub mod fields;
pub mod search;

use tocsin_store::Cancel;

/// Cancels a search when it is dropped: with the request, when the client leaves.
pub struct Leave(Cancel);

impl Leave {
    /// With what the search is asked to stop by.
    pub fn new() -> (Self, Cancel) {
        let cancel = Cancel::default();
        (Self(cancel.clone()), cancel)
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
