//! [`QueryError`]: what is wrong with a query, and where.

use std::ops::Range;

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .start + 1)]
pub struct QueryError {
    /// Start of the wrong part, byte offset into the query, at the start of a character.
    pub start: usize,
    /// Its end.
    pub end: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl QueryError {
    pub(crate) fn new(place: Range<usize>, message: impl Into<String>) -> Self {
        Self { start: place.start, end: place.end, message: message.into() }
    }
}
