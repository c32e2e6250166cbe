//! What the caller decides: the zone for times that name none, and the limits.

use jiff::tz::TimeZone;

/// Bytes of one line that are parsed; a longer line is kept whole but not parsed.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Fields of one event; what is over is counted as dropped (the raw line still holds it).
pub const FIELDS_MAX: usize = 2048;
/// Nesting of JSON and of frames in frames.
pub const NESTING_MAX: usize = 64;
/// Elements of one list.
pub const LIST_ITEMS_MAX: usize = 4096;

/// Limits on one record. All are counted when they bite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line that is parsed, default [`LINE_BYTES_MAX`].
    pub line_bytes: usize,
    /// Fields of an event, default [`FIELDS_MAX`].
    pub fields: usize,
    /// Nesting of JSON, default [`NESTING_MAX`].
    pub nesting: usize,
    /// Elements of a list, default [`LIST_ITEMS_MAX`].
    pub list_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: LINE_BYTES_MAX,
            fields: FIELDS_MAX,
            nesting: NESTING_MAX,
            list_items: LIST_ITEMS_MAX,
        }
    }
}

/// Options of a [`crate::Parser`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Zone of times that do not say theirs; the machine's own, as the caller finds it.
    pub zone: TimeZone,
    /// Limits.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, limits: Limits::default() }
    }
}
