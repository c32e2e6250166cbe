//! What a sender should know about a record that is taken all the same.
//!
//! In: a record, before it enters the pipeline. Out: what in it was probably meant otherwise: a
//! time or an address that is none, a time that cannot be, a format that the line does not have.
//! Reads records as the pipeline will, keeps nothing, refuses nothing.

use std::net::IpAddr;
use std::time::Duration;

use tocsin_content::yaml::nearest;
use tocsin_model::field::{self, FieldKind};
use tocsin_model::{Event, FieldId, Record, Timestamp, Value};
use tocsin_parse::Worker;

pub use tocsin_parse::Parser;

/// How far ahead of the clock a time may be before it is doubted.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);
/// Times before this one, 2000-01-01T00:00:00Z, are doubted.
const EARLIEST: Timestamp = Timestamp(946_684_800_000_000_000);
/// How much of a value is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Something that was probably meant otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The field as the sender wrote it, when it is about one.
    pub field: Option<String>,
    /// What is wrong with it and what becomes of the event.
    pub message: String,
}

/// Doubts records, with the buffers of one thread.
pub struct Doubter {
    worker: Worker,
    event: Event,
}

impl Doubter {
    /// With the sources in force.
    pub fn new(parser: &Parser) -> Self {
        Self { worker: parser.worker(), event: Event::default() }
    }

    /// What is doubtful about a record.
    pub fn doubts(&mut self, record: &Record) -> Vec<Doubt> {
        self.worker.parse(record, &mut self.event);
        let mut found = Vec::new();
        let hint = record.hint.as_deref().filter(|_| !record.bytes.starts_with(b"{"));
        if let Some(hint) = hint
            && let Some(why) = self.event.get_str(field::TOCSIN_PARSE_ERROR)
        {
            let message = format!("not read as {hint:?}: {why}; it is kept as it stands");
            found.push(Doubt { field: Some("raw".to_owned()), message });
        }
        found.extend(self.time());
        let mut addresses = self.worker.doubts().addresses.clone();
        // Those that came as ECS are taken as they stand.
        let ips = self.event.iter().filter(|(id, value)| {
            id.spec().is_some_and(|spec| spec.kind == FieldKind::Ip)
                && matches!(value, Value::Str(text) if text.parse::<IpAddr>().is_err())
        });
        addresses.extend(ips.map(|(id, _)| id));
        addresses.dedup();
        let kept = addresses.into_iter().filter_map(|id| Some((id, self.shown(id)?)));
        let removed = self.worker.doubts().no_addresses.iter();
        let removed = removed.filter_map(|(id, text)| Some((*id, shown(text)?)));
        found.extend(kept.chain(removed).filter_map(|(id, value)| address(id, &value)));
        found
    }

    fn time(&self) -> Option<Doubt> {
        let (known, from) = (self.worker.doubts().timed, self.worker.doubts().time);
        let (time, received) = (self.event.time, self.event.received);
        let message = if !known {
            let value = self.shown(from?)?;
            format!(
                "{value:?} is no time that is understood, such as {received} or seconds since 1970; the time of receipt is used"
            )
        } else if time > received.plus(AHEAD_MAX) {
            format!("{time} is more than a day ahead of the clock here; the event is kept with it")
        } else if time < EARLIEST {
            format!("{time} is before the year 2000; the event is kept with it")
        } else {
            return None;
        };
        Some(Doubt { field: from.map(|id| id.name().to_owned()), message })
    }

    /// The start of a field's text; `None` when there is none.
    fn shown(&self, id: FieldId) -> Option<String> {
        let text = match self.event.get(id)? {
            Value::Str(text) => text.to_owned(),
            other => other.to_text()?.into_owned(),
        };
        shown(&text)
    }
}

/// The start of a text; `None` when there is none.
fn shown(text: &str) -> Option<String> {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    Some(shown).filter(|shown| !shown.trim().is_empty())
}

/// What is doubtful about a field that should hold an address.
fn address(id: FieldId, value: &str) -> Option<Doubt> {
    let name = id.name();
    let vague = matches!(value.to_ascii_lowercase().as_str(), "unknown" | "none" | "null");
    // Fields that may hold a host's name hold one, when it is not an address by its digits.
    let host = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !value.contains(char::is_whitespace);
    if vague || (host && !is_ip_name(name)) {
        return None;
    }
    let message = format!(
        "{value:?} is no IP address; the event is kept, but rules that look at addresses do not see this one"
    );
    Some(Doubt { field: Some(name.to_owned()), message })
}

/// Whether a field's name promises an IP address: `src_ip`, `clientIp`, `source.ip`, `ip`.
fn is_ip_name(name: &str) -> bool {
    let known = ["srcip", "dstip", "destip", "clientip", "remoteip"];
    let head = name.strip_suffix("ip").or(name.strip_suffix("Ip")).or(name.strip_suffix("IP"));
    head.is_some_and(|head| {
        head.is_empty()
            || head.ends_with(['_', '.', '-'])
            || !name.ends_with("ip")
            || known.iter().any(|known| name.ends_with(known))
    })
}

/// Why a sender's `format` cannot be followed, when nothing is known by it. `listed` says that
/// the known ones were named before.
///
/// # Errors
/// With the reason, for the sender.
pub fn known_format(parser: &Parser, format: &str, listed: bool) -> Result<(), String> {
    if parser.knows(format) {
        return Ok(());
    }
    let hints = parser.hints();
    let sources = || parser.sources().iter().map(|source| source.name.as_str());
    let mut message = format!("unknown format {format:?}");
    if let Some(near) = nearest(format, hints.iter().copied().chain(sources())) {
        message.push_str(&format!(", did you mean {near:?}?"));
    }
    if listed {
        message.push_str("; the known ones are named above");
    } else {
        let join = |words: Vec<&str>| words.join(", ");
        message.push_str(&format!(
            "; known are the hints {} and the sources {}",
            join(hints.into_iter().collect()),
            join(sources().collect()),
        ));
    }
    Err(message)
}
