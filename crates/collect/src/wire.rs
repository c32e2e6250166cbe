//! What shippers send, read: Elasticsearch bulk bodies, Splunk HEC, Loki, OTLP, GELF, Lumberjack,
//! Fluent forward.
//!
//! In: bytes as sent. Out: [`Taken`], the bytes of one record for each event: the JSON object that
//! the parser reads as if it came from a file, so a line inside it is understood as the line it
//! is. Never touches a socket, never panics, never takes more than linear time.

pub mod elastic;
pub mod fluent;
pub mod gelf;
pub mod loki;
pub mod lumberjack;
pub mod msgpack;
mod object;
pub mod otlp;
pub mod protobuf;
pub mod splunk;

use bytes::Bytes;

use crate::config::IngestLimits;
use crate::ingest::REFUSED_SHOWN_MAX;

/// The events of one request or frame, with those that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The events, each the bytes of one record, in the order sent.
    pub events: Vec<Bytes>,
    /// Why events were refused: the first [`REFUSED_SHOWN_MAX`].
    pub reasons: Vec<String>,
    /// How many were refused.
    pub refused: usize,
}

impl Taken {
    /// Takes an event, unless it is over a limit.
    fn push(&mut self, event: String, limits: &IngestLimits) {
        let (events_max, bytes_max) = (limits.events_max, limits.event_bytes_max);
        if self.events.len() >= events_max {
            self.refuse(format!("over {events_max} events in one request; send smaller batches"));
        } else if event.len() > bytes_max {
            self.refuse(format!("the event has {} bytes, more than {bytes_max}", event.len()));
        } else {
            self.events.push(Bytes::from(event));
        }
    }

    fn refuse(&mut self, reason: String) {
        self.refused += 1;
        if self.reasons.len() < REFUSED_SHOWN_MAX {
            self.reasons.push(reason);
        }
    }
}

/// The time that a decimal number of seconds since 1970 means, in nanoseconds. Numbers too large
/// for seconds are milliseconds, microseconds or nanoseconds.
fn nanos_of_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        let value: f64 = text.parse().ok()?;
        // Up to the year 2286; a float has no more than microseconds of it anyway.
        return (0.0..1e10).contains(&value).then(|| (value * 1e6) as i64 * 1000);
    }
    let whole: i64 = whole.parse().ok()?;
    let unit = match whole {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1000,
        _ => return Some(whole),
    };
    let part: i64 = format!("{part:0<9}").get(..9)?.parse().ok()?;
    whole.checked_mul(unit)?.checked_add(part / (1_000_000_000 / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_in_every_unit() {
        let table = [
            ("1763683910", Some(1_763_683_910_000_000_000)),
            ("1763683910.25", Some(1_763_683_910_250_000_000)),
            ("1763683910.1234567891", Some(1_763_683_910_123_456_789)),
            ("1763683910250", Some(1_763_683_910_250_000_000)),
            ("1763683910250.5", Some(1_763_683_910_250_500_000)),
            ("1763683910250001", Some(1_763_683_910_250_001_000)),
            ("1763683910250000001", Some(1_763_683_910_250_000_001)),
            ("1.76368391e9", Some(1_763_683_910_000_000_000)),
            ("-5", None),
            ("", None),
            (".5", Some(500_000_000)),
            ("99999999999999999999", None),
            ("nan", None),
            ("1e300", None),
        ];
        for (text, expected) in table {
            assert_eq!(nanos_of_seconds(text), expected, "{text}");
        }
    }
}
