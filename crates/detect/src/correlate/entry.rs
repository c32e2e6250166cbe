//! [`Entry`]: a match in the window of a group.

use std::sync::Arc;

use tocsin_model::finding::CONTRIBUTION_LINE_BYTES_MAX;
use tocsin_model::{Contribution, Event, EventId, RuleMeta};

/// The values that tell one group from another, and the values that are counted.
pub(crate) type Key = Box<[Box<str>]>;

/// A match of a rule, or a hit of an inner correlation, in the window of a group.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Event time, nanoseconds.
    pub(crate) time: i64,
    /// Which of the correlation's rules matched; none for what only clears the group.
    pub(crate) bits: u64,
    /// Whether it clears the group.
    pub(crate) reset: bool,
    /// What is counted, for correlations that look at values.
    pub(crate) value: Key,
    /// What outer correlations want.
    pub(crate) carry: Box<[Option<Box<str>>]>,
    /// The event; of a hit the one that completed it.
    pub(crate) event: Arc<Event>,
    /// The rule that matched.
    pub(crate) rule: Arc<RuleMeta>,
    /// Events behind a hit.
    pub(crate) evidence: Option<Arc<[Contribution]>>,
    /// How findings show it, once one did.
    pub(crate) shown: Option<Box<Contribution>>,
    /// Whether the window that ends here has been found to hold.
    pub(crate) fired: bool,
}

impl Entry {
    /// Order in a group: by time, then the same for any order of arrival. An event that counts
    /// and clears counts first.
    pub(crate) fn order(&self) -> (i64, EventId, bool, u64) {
        (self.time, self.event.id, self.reset, self.bits)
    }

    /// Rough size in memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        let values: usize = self.value.iter().map(|value| value.len() + 16).sum();
        let carried: usize = self.carry.iter().flatten().map(|value| value.len() + 16).sum();
        let evidence: usize =
            self.evidence.iter().flat_map(|list| list.iter()).map(|one| one.line.len() + 64).sum();
        // The event is shared with other entries; its raw line is the most of it.
        size_of::<Self>() + values + carried + evidence + self.event.original().len() * 2 + 256
    }
    /// How findings show it.
    pub(crate) fn shown(&mut self) -> Contribution {
        let (event, rule) = (&self.event, &self.rule);
        let make = || {
            let line = event.original();
            let end = line.floor_char_boundary(CONTRIBUTION_LINE_BYTES_MAX);
            Box::new(Contribution {
                event_id: event.id,
                time: event.time,
                rule_id: rule.id.as_str().into(),
                line: line[..end].into(),
            })
        };
        (**self.shown.get_or_insert_with(make)).clone()
    }
}
