//! JSON that only wraps events, as cloud services deliver them: a list of records, or one event
//! beside a few words about its delivery. In: a line. Out: where in it the events are. Never
//! copies.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use tocsin_model::{Event, FieldId};

use crate::flatten::Flattener;
use crate::text::offset_in;

/// How an object begins that may hold a list of events: those of CloudTrail and event hubs, of
/// APIs that give pages (Microsoft Graph, Google's reports), Kubernetes' audit webhook,
/// CloudWatch's subscriptions. Blanks between the parts do not matter.
const LISTS: &[&[u8]] = &[
    b"{\"Records\":",
    b"{\"records\":",
    b"{\"value\":",
    b"{\"items\":",
    b"{\"@odata.context\":",
    b"{\"kind\":\"EventList\"",
    b"{\"kind\":\"admin#reports",
    b"{\"kind\":\"reports#activities",
    b"{\"messageType\":\"DATA_MESSAGE\"",
];
/// Key that EventBridge writes beside the event in `detail`.
const BRIDGE: &str = "detail-type";
/// What Kubernetes calls a list of audit events, in `kind`.
const EVENT_LIST: &str = "EventList";
/// Lists in lists, at most.
const DEPTH_MAX: usize = 2;

/// The keys that hold events.
#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(
        borrow,
        alias = "Records",
        alias = "records",
        alias = "value",
        alias = "items",
        alias = "logEvents"
    )]
    list: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// Where in a record the several events are that it holds: the objects of a list, or of one that
/// an object wraps. `None` when it is one event, as almost always.
pub fn events_in(record: &[u8]) -> Option<Vec<Range<usize>>> {
    let start = record.trim_ascii_start();
    if !starts_list(start) {
        return None;
    }
    let text = std::str::from_utf8(record).ok()?;
    let mut found = Vec::new();
    list(text.trim(), text, 0, &mut found);
    (found.len() > 1).then_some(found)
}

/// Whether something begins as a list of objects does, or as an object that wraps one.
fn starts_list(text: &[u8]) -> bool {
    match text.first() {
        Some(b'[') => text[1..].trim_ascii_start().first() == Some(&b'{'),
        Some(b'{') => LISTS.iter().any(|start| starts_with(text, start)),
        _ => false,
    }
}

/// Whether `text` begins with `start` but for blanks between tokens.
fn starts_with(text: &[u8], start: &[u8]) -> bool {
    let mut text = text.iter().peekable();
    for wanted in start {
        if matches!(wanted, b'"' | b':' | b'{') {
            while text.next_if(|byte| byte.is_ascii_whitespace()).is_some() {}
        }
        if text.next() != Some(wanted) {
            return false;
        }
    }
    true
}

fn list(text: &str, whole: &str, depth: usize, found: &mut Vec<Range<usize>>) {
    let items: Option<Vec<&RawValue>> = if text.starts_with('[') {
        serde_json::from_str(text).ok()
    } else {
        let wrapper: Option<Wrapper<'_>> = serde_json::from_str(text).ok();
        wrapper.and_then(|wrapper| serde_json::from_str(wrapper.list?.get()).ok())
    };
    let Some(items) = items.filter(|items| items.iter().all(|item| item.get().starts_with('{')))
    else {
        // Not only events: better one that is whole.
        return found.push(range_in(text, whole));
    };
    for item in items {
        let item = item.get();
        if depth + 1 < DEPTH_MAX && starts_list(item.as_bytes()) {
            list(item, whole, depth + 1, found);
        } else {
            found.push(range_in(item, whole));
        }
    }
}

fn range_in(part: &str, whole: &str) -> Range<usize> {
    let start = offset_in(part, whole).unwrap_or_default();
    start..start + part.len()
}

/// The event that the object just flattened wraps, and how many there are. Of a list, the first:
/// who wants them all asks [`events_in`] before.
pub(crate) fn unwrapped<'t>(
    text: &'t str,
    names: &Flattener,
    event: &Event,
) -> Option<(&'t str, usize)> {
    let has = |name: &str| FieldId::intern(name).filter(|id| names.saw(*id));
    let listed = LISTS.iter().any(|start| starts_with(text.as_bytes(), start))
        || has("kind").is_some_and(|kind| event.get_str(kind) == Some(EVENT_LIST));
    if !listed && has(BRIDGE).is_none() {
        return None;
    }
    let wrapper: Wrapper<'t> = serde_json::from_str(text.trim_end()).ok()?;
    if let Some(list) = wrapper.list {
        let items: Vec<&'t RawValue> = serde_json::from_str(list.get()).ok()?;
        let first = items.first()?.get();
        return first.starts_with('{').then_some((first, items.len()));
    }
    let detail = wrapper.detail?.get();
    detail.starts_with('{').then_some((detail, 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(record: &str) -> Vec<&str> {
        let ranges = events_in(record.as_bytes()).unwrap_or_default();
        ranges.into_iter().map(|range| &record[range]).collect()
    }

    #[test]
    fn events_of_a_batch_are_found() {
        let cases: &[(&str, &[&str])] = &[
            (r#"{"Records":[{"a":1},{"b":[{"c":2}]}]}"#, &[r#"{"a":1}"#, r#"{"b":[{"c":2}]}"#]),
            ("  { \"records\" : [ {\"a\":1} ,\n{\"b\":2} ] }\n", &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"[{"a":1},{"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (
                r#"[{"records":[{"a":1},{"b":2}]},{"c":3}]"#,
                &[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#],
            ),
            (r#"{"kind":"EventList","items":[{"a":1},{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"{"@odata.context":"x","value":[{"a":1},{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (
                r#"{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{"id":"1"},{"id":"2"}]}"#,
                &[r#"{"id":"1"}"#, r#"{"id":"2"}"#],
            ),
            // One event, no events, not only events, not whole.
            (r#"{"Records":[{"a":1}]}"#, &[]),
            (r#"{"Records":[]}"#, &[]),
            (r#"{"value":[1,2]}"#, &[]),
            (r#"[{"a":1},7]"#, &[]),
            (r#"{"Records":[{"a":1},{"b":2}"#, &[]),
            (r#"{"kind":"Event","items":[{"a":1},{"b":2}]}"#, &[]),
            ("[error] [client 192.0.2.1] {", &[]),
            (r#"{"recordsets":[{"a":1},{"b":2}]}"#, &[]),
        ];
        for (record, expected) in cases {
            assert_eq!(found(record), *expected, "{record}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_ranges_in_order_or_nothing(
            start in prop::sample::select(LISTS), bytes in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            let record = [start, &bytes[..]].concat();
            let ranges = events_in(&record).unwrap_or_default();
            prop_assert!(ranges.iter().all(|range| range.end <= record.len() && !range.is_empty()));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }

        #[test]
        fn what_is_put_into_a_list_comes_out(items in prop::collection::vec("[a-z\\[\\]{}\"]{0,12}", 2..9)) {
            let items: Vec<String> =
                items.iter().map(|text| serde_json::json!({ "t": text }).to_string()).collect();
            let record = format!("{{\"Records\": [{}]}}", items.join(" , "));
            prop_assert_eq!(found(&record), items);
        }
    }
}
