//! Names of fields of Windows events in JSON, as Sigma has them: what `evtx` tools and
//! Winlogbeat wrap around them is left out.

/// Prefixes of fields that are known by their last part alone.
const WRAPPERS: &[&str] = &[
    "Event.EventData.",
    "winlog.event_data.",
    "winlog.user_data.",
    "Event.System.",
    "body.event_data.",
    "event_data.",
    "EventData.",
];

/// Names that shippers write with a small first letter, beside those of Windows.
const SMALL: &[(&str, &str)] = &[
    ("providerName", "Provider_Name"),
    ("eventID", "EventID"),
    ("systemTime", "TimeCreated_SystemTime"),
    ("eventRecordID", "EventRecordID"),
];

/// A name under `win.system` or `win.eventdata`, with the capital letter Windows gives it.
fn capital(name: &str) -> String {
    if let Some((_, known)) = SMALL.iter().find(|(small, _)| *small == name) {
        return (*known).to_owned();
    }
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Paths of the collector of OpenTelemetry.
const OTEL: &[(&str, &str)] = &[
    ("body.channel", "Channel"),
    ("body.computer", "Computer"),
    ("body.event_id.id", "EventID"),
    ("body.provider.name", "Provider_Name"),
    ("body.system_time", "TimeCreated_SystemTime"),
    ("body.record_id", "EventRecordID"),
];

/// The flat name for a path; `None` when it is no Windows field.
pub(super) fn flat_name(path: &str) -> Option<String> {
    if let Some((_, known)) = OTEL.iter().find(|(long, _)| *long == path) {
        return Some((*known).to_owned());
    }
    let path = path.strip_prefix("data.").filter(|path| path.starts_with("win.")).unwrap_or(path);
    let small = path.strip_prefix("win.system.").or_else(|| path.strip_prefix("win.eventdata."));
    if let Some(small) = small.filter(|small| !small.is_empty()) {
        return Some(capital(small));
    }
    let inner = WRAPPERS.iter().find_map(|wrapper| path.strip_prefix(wrapper));
    let inner = match inner {
        Some(inner) => inner,
        // The element inside has a name of its own that says nothing.
        None => path.strip_prefix("Event.UserData.")?.split_once('.')?.1,
    };
    let inner = inner.strip_prefix("Data.").unwrap_or(inner);
    let inner = inner.strip_suffix(".#text").unwrap_or(inner);
    let flat = inner.replace(".#attributes.", "_").replace(".@", "_").replace(' ', "");
    (!flat.is_empty()).then_some(flat)
}

#[cfg(test)]
mod tests {
    #[test]
    fn wrapped_names() {
        let table = [
            ("Event.EventData.Image", Some("Image")),
            ("Event.EventData.Source Name", Some("SourceName")),
            ("Event.System.EventID", Some("EventID")),
            ("Event.System.EventID.#text", Some("EventID")),
            ("Event.System.Provider.#attributes.Name", Some("Provider_Name")),
            ("Event.UserData.LogFileCleared.SubjectUserName", Some("SubjectUserName")),
            ("Event.UserData.LogFileCleared", None),
            ("winlog.event_data.TargetUserName", Some("TargetUserName")),
            ("winlog.channel", None),
            ("win.system.eventID", Some("EventID")),
            ("win.eventdata.targetUserName", Some("TargetUserName")),
            ("data.win.eventdata.ipAddress", Some("IpAddress")),
            ("data.user", None),
            ("body.event_data.IpAddress", Some("IpAddress")),
            ("body.event_id.id", Some("EventID")),
            ("Event.Other", None),
        ];
        for (path, expected) in table {
            assert_eq!(super::flat_name(path).as_deref(), expected, "{path}");
        }
    }
}
