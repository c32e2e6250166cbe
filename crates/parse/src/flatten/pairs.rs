//! Windows events whose data came as a list of names and values, as tools that turn XML into JSON
//! write it: `"Data":[{"@Name":"TargetUserName","#text":"bob"}, …]`. In: the text just flattened.
//! Out: a field for each pair. Rare, so the text is read once more.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value as Json;
use tocsin_model::{Event, FieldId, Value};

use super::Flattener;

/// Where the list stands.
const PLACES: &[&str] =
    &["/Event/EventData/Data", "/EventData/Data", "/event_data/Data", "/winlog/event_data/Data"];
/// Keys of the name in a pair.
const NAMES: &[&str] = &["@Name", "Name"];
/// Keys of the value in a pair.
const VALUES: &[&str] = &["#text", "text", "content", "Value", "_", "$t", "$"];
/// The most pairs that are taken.
const PAIRS_MAX: usize = 256;

static NAME_FIELDS: LazyLock<Vec<FieldId>> =
    LazyLock::new(|| NAMES.iter().filter_map(|name| FieldId::intern(name)).collect());

/// Adds the pairs of the text that `names` flattened into `event`.
pub(crate) fn spread(text: &str, names: &mut Flattener, event: &mut Event) {
    let listed = |id: &FieldId| names.saw(*id) && matches!(event.get(*id), Some(Value::List(_)));
    if !NAME_FIELDS.iter().any(listed) {
        return;
    }
    let Ok(json) = serde_json::from_str::<Json>(text.trim_end()) else { return };
    let list = PLACES.iter().find_map(|place| json.pointer(place)?.as_array());
    if list.is_some() {
        // Without each other they say nothing.
        for id in ["@Name", "#text"].into_iter().filter_map(FieldId::intern) {
            event.remove(id);
        }
    }
    for pair in list.into_iter().flatten().take(PAIRS_MAX) {
        let text = |keys: &[&str]| keys.iter().find_map(|key| text_of(pair.get(key)?));
        let (Some(name), Some(value)) = (text(NAMES), text(VALUES)) else { continue };
        // Sigma has the names without blanks.
        let name = name.replace(' ', "");
        if let Some(field) = names.admit_key(event, super::ROOT, &name, usize::MAX) {
            event.push_str(field, &value);
        }
    }
}

/// Text, also where whoever wrote it took the text for a number.
fn text_of(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(is) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tocsin_model::Event;

    use crate::flatten::Flattener;
    use crate::options::Limits;

    #[test]
    fn pairs_become_fields() {
        let cases = [
            (
                r##"{"Event":{"System":{"EventID":"4625"},"EventData":{"Data":[{"@Name":"TargetUserName","#text":"bob"},{"@Name":"Status"},{"@Name":"IpAddress","#text":"192.0.2.7"}]}}}"##,
                [
                    ("TargetUserName", Some("bob")),
                    ("Status", None),
                    ("IpAddress", Some("192.0.2.7")),
                ],
            ),
            (
                r#"{"EventData":{"Data":[{"Name":"Target User","content":"bob"},{"Name":"Status","content":"0x0"}]}}"#,
                [("TargetUser", Some("bob")), ("Status", Some("0x0")), ("IpAddress", None)],
            ),
            (
                r##"{"Event":{"EventData":{"Data":[{"@Name":"Status","#text":3},{"@Name":"IpAddress","#text":null}]}}}"##,
                [("TargetUserName", None), ("Status", Some("3")), ("IpAddress", None)],
            ),
            (
                r#"{"Name":["a","b"],"Data":[{"Name":"Status","content":"x"}]}"#,
                [("TargetUser", None), ("Status", None), ("IpAddress", None)],
            ),
        ];
        for (text, expected) in cases {
            let mut names = Flattener::new(Limits::default());
            let mut event = Event::default();
            names.flatten(text, None, &mut event).unwrap();
            super::spread(text, &mut names, &mut event);
            for (name, value) in expected {
                let id = tocsin_model::FieldId::intern(name).unwrap();
                assert_eq!(event.get_str(id), value, "{name} in {text}");
            }
        }
    }
}
