//! JSON objects that are only the frame of a message: what rsyslog, journald, container runtimes
//! and shippers write around a line.

pub(crate) mod wrap;

use std::borrow::Cow;

use tocsin_model::{Event, FieldId, Value, field};

use crate::flatten::Flattener;
use crate::frame::Head;
use crate::text::text_of;
use crate::time::{self, Clock};

/// Keys that hold the message.
const MESSAGE: &[&str] = &[
    "message",
    "MESSAGE",
    "msg",
    "log",
    "@message",
    "line",
    "raw",
    "event.original",
    "AuditData",
    "_raw",
    "Message",
    "short_message",
    "textPayload",
    "jsonPayload.message",
    "jsonPayload.MESSAGE",
];
/// Keys that hold the program.
const PROGRAM: &[&str] = &[
    "program",
    "ident",
    "appname",
    "app_name",
    "app-name",
    "programname",
    "SYSLOG_IDENTIFIER",
    "syslogtag",
    "PROGRAM",
    "log.syslog.appname",
    "process.name",
    "_COMM",
    "syslog_program",
    "syslog.appname",
    "journald.process.name",
    "_application_name",
    "application_name",
];
/// Keys that hold the host.
const HOST: &[&str] = &[
    "host",
    "hostname",
    "_HOSTNAME",
    "HOST",
    "host.hostname",
    "host.name",
    "log.syslog.hostname",
    "fromhost",
    "syslog_hostname",
    "source_host",
    "syslog.hostname",
];
/// Keys that hold the process id.
const PID: &[&str] = &[
    "pid",
    "procid",
    "SYSLOG_PID",
    "_PID",
    "PID",
    "process.pid",
    "log.syslog.procid",
    "syslog_pid",
    "syslog.procid",
];
/// Keys that hold the time.
const TIME: &[&str] = &[
    "timestamp",
    "@timestamp",
    "time",
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
    "ts",
    "timereported",
    "date",
    "DATE",
    "datetime",
    "syslog_timestamp",
    "timegenerated",
];
/// Keys that hold the priority.
const PRIORITY: &[&str] = &["pri", "log.syslog.priority", "syslog.priority"];
/// Keys that hold the facility's name.
const FACILITY: &[&str] =
    &["facility", "syslogfacility-text", "log.syslog.facility.name", "syslog_facility"];
/// Facilities (RFC 5424 section 6.2.1) that only programs about logins write to.
const FACILITIES_AUTH: &[&str] = &["auth", "authpriv", "security"];
/// Keys that only the journal writes.
const JOURNAL: &[&str] =
    &["__REALTIME_TIMESTAMP", "__CURSOR", "_HOSTNAME", "_TRANSPORT", "SYSLOG_IDENTIFIER", "_PID"];

/// The keys, as fields.
#[derive(Debug)]
pub(crate) struct Keys {
    message: Vec<FieldId>,
    program: Vec<FieldId>,
    host: Vec<FieldId>,
    pid: Vec<FieldId>,
    time: Vec<FieldId>,
    priority: Vec<FieldId>,
    facility: Vec<FieldId>,
    journal: Vec<FieldId>,
    path: Vec<FieldId>,
    source: FieldId,
    /// Splunk's: the message, and what tells that it is one.
    hec: Option<(FieldId, FieldId)>,
    /// How many records came in one line, of which the first is read.
    pub(crate) records: Option<FieldId>,
}

/// Which kind of envelope an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A journal entry.
    Journal,
    /// A syslog message in JSON: it names the program.
    Syslog,
    /// Something around a line that may or may not be known.
    Line,
}

impl Default for Keys {
    fn default() -> Self {
        let ids = |names: &[&str]| names.iter().filter_map(|name| FieldId::intern(name)).collect();
        Self {
            message: ids(MESSAGE),
            program: ids(PROGRAM),
            host: ids(HOST),
            pid: ids(PID),
            time: ids(TIME),
            priority: ids(PRIORITY),
            facility: ids(FACILITY),
            journal: ids(JOURNAL),
            path: ids(&["log.file.path", "filename", "file", "path", "source"]),
            source: FieldId::intern("source").unwrap_or(field::LOG_FILE_PATH),
            hec: FieldId::intern("event").zip(FieldId::intern("sourcetype")),
            records: FieldId::intern("tocsin.records"),
        }
    }
}

impl Keys {
    /// The kind of envelope the object just flattened is, and the message in it.
    pub(crate) fn kind(&self, names: &Flattener, event: &Event) -> Option<(Kind, FieldId)> {
        let of_splunk =
            || self.hec.filter(|ids| names.saw(ids.0) && names.saw(ids.1)).map(|ids| ids.0);
        let message = self.message.iter().find(|id| names.saw(**id)).copied();
        let message = message.or_else(of_splunk)?;
        if message.name() == "MESSAGE" && self.journal.iter().any(|id| names.saw(*id)) {
            return Some((Kind::Journal, message));
        }
        if !matches!(event.get(message)?, Value::Str(_)) {
            return None;
        }
        let program = self.program.iter().any(|id| names.saw(*id) && event.get_str(*id).is_some());
        Some((if program { Kind::Syslog } else { Kind::Line }, message))
    }

    /// The message. The journal writes bytes that are no text as a list of numbers.
    pub(crate) fn message(&self, event: &Event, id: FieldId) -> String {
        match event.get(id) {
            Some(Value::Str(text)) => text.trim_end_matches(['\n', '\r', '\0']).to_owned(),
            Some(Value::List(list)) => {
                let byte = |value: Value<'_>| match value {
                    Value::Int(number) => u8::try_from(number).ok(),
                    _ => None,
                };
                let bytes: Vec<u8> = list.iter().filter_map(byte).collect();
                text_of(&bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    /// What the envelope says about the message.
    pub(crate) fn head(&self, kind: Kind, event: &Event, clock: &mut Clock<'_>) -> Head<'static> {
        let text = |ids: &[FieldId]| {
            let value = ids.iter().find_map(|id| event.get(*id)?.to_text());
            value
                .filter(|text| !text.is_empty() && text != "-")
                .map(|text| Cow::Owned(text.into_owned()))
        };
        let time = self.time.iter().find_map(|id| {
            let text = event.get(*id)?.to_text()?;
            time::any(text.as_bytes(), clock).map(|read| read.time)
        });
        let (tag, pid) = tag_and_pid(text(&self.program), text(&self.pid));
        Head {
            frame: match kind {
                Kind::Journal => "journal json",
                Kind::Syslog => "syslog json",
                Kind::Line => "json",
            },
            time,
            host: text(&self.host),
            tag,
            pid,
            priority: text(&self.priority)
                .and_then(|text| text.parse().ok())
                .filter(|priority| *priority <= 191),
            ..Head::default()
        }
    }

    /// The hint that the envelope of a line without a program gives: its facility.
    pub(crate) fn hint(&self, event: &Event) -> Option<&'static str> {
        let facility = self.facility.iter().find_map(|id| event.get_str(*id))?;
        FACILITIES_AUTH.contains(&facility).then_some("auth")
    }

    /// The path of the file the shipper read, or what its `source` says it is.
    pub(crate) fn path<'e>(&self, event: &'e Event) -> Option<&'e str> {
        let paths = self.path.iter().filter_map(|id| event.get_str(*id));
        paths.into_iter().find(|path| path.starts_with('/')).or_else(|| event.get_str(self.source))
    }

    /// Whether a field belongs to the envelope itself.
    pub(crate) fn own(&self, kind: Kind, id: FieldId) -> bool {
        let of = |ids: &[FieldId]| ids.contains(&id);
        let message = of(&self.message) || self.hec.is_some_and(|ids| ids.0 == id);
        let known = message || of(&self.host) || of(&self.time);
        match kind {
            Kind::Journal => {
                known
                    || id.name().starts_with('_')
                    || of(&self.program)
                    || of(&self.pid)
                    || id.name().starts_with("SYSLOG_")
                    || id.name() == "PRIORITY"
            }
            Kind::Syslog => known || of(&self.program) || of(&self.pid) || of(&self.priority),
            Kind::Line => message,
        }
    }
}

/// `sshd[1]:` in one key → `sshd` and `1`.
fn tag_and_pid(
    tag: Option<Cow<'static, str>>,
    pid: Option<Cow<'static, str>>,
) -> (Option<Cow<'static, str>>, Option<Cow<'static, str>>) {
    let Some(tag) = tag else { return (None, pid) };
    let plain = tag.trim_end_matches([':', ' ']);
    if let Some((name, rest)) = plain.split_once('[')
        && let Some(inside) = rest.strip_suffix(']')
    {
        return (Some(Cow::Owned(name.to_owned())), pid.or(Some(Cow::Owned(inside.to_owned()))));
    }
    (Some(Cow::Owned(plain.to_owned())), pid)
}
