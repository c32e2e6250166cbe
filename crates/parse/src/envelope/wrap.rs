//! JSON objects that only wrap events, as cloud services deliver them: a list of records, or one
//! event beside a few words about its delivery. Gives the event in it; never copies.

use serde::Deserialize;
use serde_json::value::RawValue;
use tocsin_model::{Event, FieldId};

use crate::flatten::Flattener;

/// How an object begins whose first key holds a list of events.
const LISTS: &[&str] = &["{\"Records\":", "{\"records\":", "{\"value\":", "{\"items\":"];
/// Key that EventBridge writes beside the event in `detail`.
const BRIDGE: &str = "detail-type";
/// What Kubernetes calls a list of audit events, in `kind`.
const EVENT_LIST: &str = "EventList";

/// The keys that hold events.
#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(borrow, alias = "Records", alias = "records", alias = "value", alias = "items")]
    list: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// The event that the object just flattened wraps, and how many there are. Of a list, the first:
/// a line is one event, and who has more splits the list before.
pub(crate) fn unwrapped<'t>(
    text: &'t str,
    names: &Flattener,
    event: &Event,
) -> Option<(&'t str, usize)> {
    let has = |name: &str| FieldId::intern(name).filter(|id| names.saw(*id));
    let listed = LISTS.iter().any(|start| text.starts_with(start))
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
