//! The sentence that says why an alert was raised, from the rule's `tocsin.reason` template or a
//! general one.

use std::time::Duration;

use tocsin_model::{Alert, Timestamp};

/// The longest value put into a sentence, characters.
const VALUE_CHARS_MAX: usize = 200;

/// Renders the sentence. Placeholders: `{count}`, `{window}`, `{severity}`, `{title}`, and any
/// carried or group field (`{source.ip}`); one that has no value says `unknown`. `{{` is `{`.
pub fn render(alert: &Alert, window: Option<(Timestamp, Timestamp)>) -> String {
    match &alert.rule.reason {
        Some(template) => fill(template, alert, window),
        None => general(alert, window),
    }
}

fn fill(template: &str, alert: &Alert, window: Option<(Timestamp, Timestamp)>) -> String {
    let mut sentence = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        sentence.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            sentence.push('{');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}') else {
            sentence.push('{');
            break;
        };
        sentence.push_str(&value(&rest[..close], alert, window));
        rest = &rest[close + 1..];
    }
    sentence.push_str(rest);
    sentence
}

fn value(name: &str, alert: &Alert, window: Option<(Timestamp, Timestamp)>) -> String {
    match name {
        "count" => alert.count.to_string(),
        "window" => words(span(alert, window)),
        "severity" => alert.severity.to_string(),
        "title" => alert.rule.title.clone(),
        _ => alert
            .field_text(name)
            .filter(|text| !text.is_empty())
            .map_or_else(|| "unknown".to_owned(), |text| shorten(&text)),
    }
}

fn general(alert: &Alert, window: Option<(Timestamp, Timestamp)>) -> String {
    let mut sentence = alert.rule.title.clone();
    if alert.rule.correlation {
        let took = words(span(alert, window));
        sentence.push_str(&format!(": {} events in {took}", alert.count));
    } else if alert.count > 1 {
        sentence.push_str(&format!(", {} times", alert.count));
    }
    let who: Vec<String> = if alert.group.is_empty() {
        ["source.ip", "user.name", "host.name"]
            .iter()
            .filter_map(|name| Some(format!("{name} {}", shorten(&alert.field_text(name)?))))
            .collect()
    } else {
        alert.group.iter().map(|(name, value)| format!("{name} {}", shorten(value))).collect()
    };
    if !who.is_empty() {
        sentence.push_str(" (");
        sentence.push_str(&who.join(", "));
        sentence.push(')');
    }
    let first_match = alert.matches.iter().find(|span| span.start < span.end);
    if let Some(matched) = first_match.filter(|_| !alert.rule.correlation) {
        let part = matched.value.get(matched.start as usize..matched.end as usize);
        if let Some(part) = part {
            let place = if matched.field.is_empty() { "the line" } else { &matched.field };
            sentence.push_str(&format!(": {place} has {:?}", shorten(part)));
        }
    }
    sentence
}

fn span(alert: &Alert, window: Option<(Timestamp, Timestamp)>) -> Duration {
    let (first, last) = window.unwrap_or((alert.first_seen, alert.last_seen));
    last.max(alert.last_seen).since(first.min(alert.first_seen))
}

/// A duration for people: `8 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`.
fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let pair = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {unit}")
        } else {
            format!("{big} {unit} {small} {small_unit}")
        }
    };
    match seconds {
        0 => "under 1 s".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_for_people() {
        let table = [
            (0, "under 1 s"),
            (8, "8 s"),
            (60, "1 min"),
            (125, "2 min 5 s"),
            (12_000, "3 h 20 min"),
            (187_200, "2 d 4 h"),
        ];
        for (seconds, expected) in table {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }
}
