//! The nouns of Tocsin, in the order data meets them: [`Record`] (bytes from outside) →
//! [`Event`] (flat ECS fields) → [`Finding`] (a rule matched) → [`Alert`] (deduplicated, with a
//! life) → [`Notice`] (one delivery to one channel).
//!
//! In: nothing. Out: types that every other crate shares. Never does I/O, never reads a clock.

pub mod alert;
pub mod csv;
pub mod error;
pub mod event;
pub mod field;
pub mod finding;
pub mod json;
pub mod notice;
pub mod record;
pub mod rule;
pub mod severity;
mod stored;
pub mod time;
pub mod triage;
pub mod value;

pub use alert::{Alert, AlertId, AlertStatus};
pub use error::with_causes;
pub use event::{Event, EventId};
pub use field::FieldId;
pub use finding::{Contribution, Finding, MatchSpan};
pub use notice::{Notice, NoticeKind};
pub use record::{Position, Record};
pub use rule::RuleMeta;
pub use severity::Severity;
pub use time::Timestamp;
pub use triage::{Disposition, Triage};
pub use value::Value;
