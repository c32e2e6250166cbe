//! Records that hold several events → one record for each, as if they had come so.
//!
//! In: records in order. Out: the same and, in the place of a batch (CloudTrail's `Records`, a
//! page of an API, a JSON array), its events, each with a place of its own. Never copies bytes.

use tocsin_model::{Position, Record};
use tocsin_parse::events_in;

/// Bits of an offline offset that are the line; those above count the events in it.
const LINE_BITS: u32 = 40;

/// Gives `out` the record or, in order, those in it. `place` makes an offset of the record's own
/// and the number of the event in it.
pub(crate) fn unpack(record: Record, place: fn(u64, u64) -> u64, mut out: impl FnMut(Record)) {
    let Some(events) = events_in(&record.bytes) else { return out(record) };
    for (number, range) in (0..).zip(events) {
        let position =
            Position { offset: place(record.position.offset, number), ..record.position };
        out(Record { bytes: record.bytes.slice(range), position, ..record.clone() });
    }
}

/// Places in a stream of bytes: an event is longer than a byte, so these are free.
pub(crate) fn byte_place(offset: u64, number: u64) -> u64 {
    offset + number
}

/// Places in a file of lines.
pub(crate) fn line_place(line: u64, number: u64) -> u64 {
    line | (number << LINE_BITS)
}

/// The line of such a place.
pub(crate) fn line_of(place: u64) -> u64 {
    place & ((1 << LINE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tocsin_model::Timestamp;

    use super::*;

    fn unpacked(bytes: &'static str, place: fn(u64, u64) -> u64) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let record = Record {
            input: "file:x".into(),
            position: Position { stream: 1, offset: 1000, next: 2000 },
            received: Timestamp(0),
            bytes: Bytes::from_static(bytes.as_bytes()),
            hint: None,
            peer: None,
            path: None,
        };
        unpack(record, place, |record| {
            let text = String::from_utf8(record.bytes.to_vec()).unwrap();
            found.push((record.position.offset, text));
        });
        found
    }

    #[test]
    fn each_event_has_its_own_place() {
        let batch = r#"{"Records":[{"a":1},{"b":2}]}"#;
        let two = |first, second| vec![(first, r#"{"a":1}"#.into()), (second, r#"{"b":2}"#.into())];
        assert_eq!(unpacked(batch, byte_place), two(1000, 1001));
        assert_eq!(unpacked(batch, line_place), two(1000, 1000 + (1 << 40)));
        assert_eq!(line_of(1000 + (1 << 40)), 1000);
        assert_eq!(unpacked("a line", byte_place), [(1000, "a line".to_owned())]);
    }
}
