//! What a notice says, before any format: in goes an alert, out comes short, cleaned text. All
//! text of an alert is hostile (attackers choose user names and URLs), so control characters and
//! characters that reorder text are made visible here; escaping is each channel's own business.

use tocsin_model::{Alert, Notice, NoticeKind, Severity, Timestamp};

/// The most raw lines a notice shows.
pub const LINES_MAX: usize = 5;
/// The most characters of one raw line.
pub const LINE_CHARS_MAX: usize = 300;
/// The most characters of a title.
pub const TITLE_CHARS_MAX: usize = 160;
/// The most characters of the sentence that says why.
pub const SENTENCE_CHARS_MAX: usize = 600;
/// The most characters of any other value.
pub const VALUE_CHARS_MAX: usize = 200;
/// The most group values, techniques and summary rows shown.
pub const ROWS_MAX: usize = 10;

/// What goes out: one notice, or the summary of many.
#[derive(Debug, Clone)]
pub enum Message {
    /// One alert.
    Alert(Box<AlertView>),
    /// Alerts that the rate limit held back.
    Summary(SummaryView),
}

/// One alert as text.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// Key of the delivery, fit for a header.
    pub key: String,
    /// Why somebody is told.
    pub kind: NoticeKind,
    /// `[high] SSH brute force from 192.0.2.1 on web-1`.
    pub title: String,
    /// Severity.
    pub severity: Severity,
    /// The alert's reason.
    pub sentence: String,
    /// Label and value, in the order they are shown.
    pub facts: Vec<(&'static str, String)>,
    /// The newest raw lines, oldest first.
    pub lines: Vec<String>,
    /// Where the page shows it.
    pub link: Option<String>,
    /// The alert itself, for formats that carry it whole.
    pub alert: Alert,
}

/// Many alerts as text.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryView {
    /// Key of the delivery: a hash of the keys it stands for.
    pub key: String,
    /// `12 more alerts, held back by the rate limit`.
    pub title: String,
    /// How many notices it stands for.
    pub count: u64,
    /// The highest severity among them.
    pub severity: Severity,
    /// Rule, severity and count; the most severe first.
    pub rules: Vec<(String, Severity, u64)>,
    /// Titles of some of the alerts, the most severe first.
    pub titles: Vec<String>,
    /// Ids of the alerts (cut at [`crate::worker::ALERTS_LISTED_MAX`]).
    pub alerts: Vec<String>,
    /// Where the page shows alerts.
    pub link: Option<String>,
}

impl Message {
    /// Key of the delivery: never repeats for different ones, repeats for the same one.
    pub fn key(&self) -> &str {
        match self {
            Self::Alert(view) => &view.key,
            Self::Summary(view) => &view.key,
        }
    }

    /// The title.
    pub fn title(&self) -> &str {
        match self {
            Self::Alert(view) => &view.title,
            Self::Summary(view) => &view.title,
        }
    }

    /// The severity; of a summary the highest.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Alert(view) => view.severity,
            Self::Summary(view) => view.severity,
        }
    }
}

impl AlertView {
    /// What a notice says.
    pub fn new(notice: &Notice, page_url: Option<&str>) -> Self {
        let alert = &notice.alert;
        let key = Notice::key(&alert.id, notice.kind, alert.severity.as_str(), &notice.channel);
        let events = &alert.events[alert.events.len().saturating_sub(LINES_MAX)..];
        let lines = events.iter().filter(|event| !event.line.is_empty());
        Self {
            key: header_safe(&key),
            kind: notice.kind,
            title: title(notice),
            severity: alert.severity,
            sentence: clean(&alert.reason, SENTENCE_CHARS_MAX),
            facts: facts(alert),
            lines: lines.map(|event| clean(&event.line, LINE_CHARS_MAX)).collect(),
            link: page_url
                .map(|base| format!("{}/alerts/{}", base.trim_end_matches('/'), alert.id)),
            alert: alert.clone(),
        }
    }
}

/// `[high] SSH brute force from 192.0.2.1 on web-1`.
pub fn title(notice: &Notice) -> String {
    let alert = &notice.alert;
    let before = match notice.kind {
        NoticeKind::Raised => "",
        NoticeKind::Escalated => "escalated: ",
        NoticeKind::Unacknowledged => "nobody has acknowledged: ",
        NoticeKind::Test => "test: ",
    };
    let mut text = format!("[{}] {before}{}", alert.severity, alert.rule.title);
    let mut has_address = false;
    let host = ["host.name", "host.hostname"];
    for (word, names) in
        [("from", &["source.ip", "source.address"][..]), ("as", &["user.name"]), ("on", &host)]
    {
        let value = names.iter().find_map(|name| alert.field_text(name));
        // The address says who; the user is only named where there is no address.
        if let Some(value) = value.filter(|_| word != "as" || !has_address) {
            has_address |= word == "from";
            text.push_str(&format!(" {word} {value}"));
        }
    }
    clean(&text, TITLE_CHARS_MAX)
}

fn facts(alert: &Alert) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Severity", alert.severity.to_string()),
        ("Rule", clean(&alert.rule.title, VALUE_CHARS_MAX)),
    ];
    let group = alert.group.iter().take(ROWS_MAX);
    let group: Vec<String> = group.map(|(field, value)| format!("{field} = {value}")).collect();
    if !group.is_empty() {
        facts.push(("Group", clean(&group.join(", "), VALUE_CHARS_MAX)));
    }
    facts.extend(context(alert));
    facts.push(("Count", alert.count.to_string()));
    facts.push(("First seen", time_text(alert.first_seen)));
    facts.push(("Last seen", time_text(alert.last_seen)));
    if !alert.rule.techniques.is_empty() {
        let techniques: Vec<&str> =
            alert.rule.techniques.iter().take(ROWS_MAX).map(String::as_str).collect();
        facts.push(("ATT&CK", clean(&techniques.join(", "), VALUE_CHARS_MAX)));
    }
    facts
}

/// What is known beyond the lines: places, owners, indicators.
fn context(alert: &Alert) -> Vec<(&'static str, String)> {
    let text = |name: &str| alert.field_text(name).filter(|text| !text.is_empty());
    let place = |end: &str| {
        let at = |field: &str| text(&format!("{end}.{field}"));
        let country = at("geo.country_name").or_else(|| at("geo.country_iso_code"));
        let mut words: Vec<String> = [at("geo.city_name"), country].into_iter().flatten().collect();
        words.extend(at("as.number").map(|number| match at("as.organization.name") {
            Some(owner) => format!("AS{number} {owner}"),
            None => format!("AS{number}"),
        }));
        (!words.is_empty()).then(|| clean(&words.join(", "), VALUE_CHARS_MAX))
    };
    let asset = |end: &str| {
        let at = |field: &str| text(&format!("{end}.asset.{field}"));
        let words: Vec<String> = [
            at("name"),
            at("criticality").map(|word| format!("{word} criticality")),
            at("owner").map(|owner| format!("owner {owner}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!words.is_empty()).then(|| clean(&words.join(", "), VALUE_CHARS_MAX))
    };
    let indicator = text("threat.indicator.name").map(|name| {
        let provider = text("threat.indicator.provider").unwrap_or_default();
        let about = text("threat.indicator.description").map(|about| format!(": {about}"));
        clean(&format!("{name} ({provider}){}", about.unwrap_or_default()), VALUE_CHARS_MAX)
    });
    let facts = [
        ("Source", place("source")),
        ("Destination", place("destination")),
        ("Indicator", indicator),
        ("Unusual", text("tocsin.baseline.text").map(|text| clean(&text, VALUE_CHARS_MAX))),
        ("Host", asset("host")),
        ("User", asset("user")),
        ("Source is", asset("source")),
        ("Destination is", asset("destination")),
    ];
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

/// `2026-11-21 00:11:50 UTC`.
pub fn time_text(time: Timestamp) -> String {
    let seconds = Timestamp::from_millis(time.millis().div_euclid(1000).saturating_mul(1000));
    seconds.to_string().replace('T', " ").replace('Z', " UTC")
}

/// One line of at most `chars_max` characters: line breaks, control characters and characters
/// that hide or reorder text become visible escapes, spaces at the ends vanish.
pub fn clean(text: &str, chars_max: usize) -> String {
    let text = text.trim();
    let mut out = String::with_capacity(text.len().min(chars_max * 4));
    let mut left = chars_max;
    for (at, c) in text.char_indices() {
        let shown = if is_hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
        let width = shown.chars().count();
        let last = at + c.len_utf8() == text.len();
        // One place is kept for the mark that something was cut.
        if width > left.saturating_sub(usize::from(!last)) {
            out.push('…');
            break;
        }
        left -= width;
        out.push_str(&shown);
    }
    out
}

/// A key that any header can hold: a channel may have a name in any language.
fn header_safe(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b":._-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Escapes character by character and stops before `chars_max` is passed, so that an escape is
/// never cut in two. A character outside the basic plane counts as two, as it does in the
/// languages that services are written in.
pub fn escape_within(text: &str, chars_max: usize, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len().min(chars_max * 4));
    let mut used = 0;
    let mut piece = String::new();
    for c in text.chars() {
        piece.clear();
        escape(c, &mut piece);
        let width = piece.encode_utf16().count();
        if used + width > chars_max.saturating_sub(1) {
            out.push('…');
            break;
        }
        used += width;
        out.push_str(&piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_one_visible_line() {
        let table = [
            ("plain", 10, "plain"),
            ("  a  b ", 10, "a  b"),
            ("a\r\nBcc: x@y", 40, "a\\u{d}\\u{a}Bcc: x@y"),
            ("nul\0esc\u{1b}[31m", 40, "nul\\u{0}esc\\u{1b}[31m"),
            ("evil\u{202e}txt.exe", 40, "evil\\u{202e}txt.exe"),
            ("zero\u{200b}width", 40, "zero\\u{200b}width"),
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("ééééééé", 3, "éé…"),
            ("abcd\n", 4, "abcd"),
            ("abc\nd", 6, "abc…"),
            ("x", 0, "…"),
            ("", 0, ""),
            ("a\u{85}b\u{9b}31m", 40, "a\\u{85}b\\u{9b}31m"),
        ];
        for (text, max, want) in table {
            assert_eq!(clean(text, max), want, "{text:?}");
        }
    }

    #[test]
    fn keys_fit_into_headers() {
        let table =
            [("0f:raised:high:ops", "0f:raised:high:ops"), ("é q\r\n<", "%c3%a9%20q%0d%0a%3c")];
        for (key, want) in table {
            assert_eq!(header_safe(key), want);
        }
    }

    #[test]
    fn escapes_are_never_cut() {
        let double = |c: char, out: &mut String| {
            if c == '<' { out.push_str("&lt;") } else { out.push(c) }
        };
        for (text, max, want) in [
            ("abc", 4, "abc"),
            ("abcd", 4, "abc…"),
            ("a<b", 6, "a&lt;…"),
            ("a<b", 5, "a…"),
            ("😀😀", 4, "😀…"),
            ("", 0, ""),
        ] {
            assert_eq!(escape_within(text, max, double), want, "{text}");
        }
    }

    #[test]
    fn times_are_whole_seconds_in_utc() {
        let time = Timestamp::parse_rfc3339("2026-11-21T00:11:50.095617Z").unwrap();
        assert_eq!(time_text(time), "2026-11-21 00:11:50 UTC");
    }
}
