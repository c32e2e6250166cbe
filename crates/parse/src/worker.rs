//! [`Worker`]: one thread's parser, with its buffers.

use std::sync::Arc;

use tocsin_model::{Event, EventId, FieldId, Record, Value, field};

use crate::flatten::{Dropped, Flattener};
use crate::frame::Head;
use crate::grok::Slots;
use crate::parser::{Compiled, Parser};
use crate::pass::{Found, Pass};
use crate::route::{Candidate, Memories};
use crate::source::lazy::LazyPlan;
use crate::source::plan::TEMPS_MAX;
use crate::source::run::Buffers;
use crate::source::sink::{Sink, ip_of};
use crate::text::text_of;
use crate::time::ZoneMemory;

/// What a worker has counted since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records parsed.
    pub records: u64,
    /// Records that no source understood.
    pub unparsed: u64,
    /// Records of a known source whose message none of its patterns fits.
    pub unfitting: u64,
    /// Records longer than the limit, kept but not parsed.
    pub lines_over_limit: u64,
    /// Fields dropped because the event had too many.
    pub fields_over_limit: u64,
    /// Fields dropped because the process has numbered too many names.
    pub names_over_limit: u64,
    /// Values dropped because they were nested too deep.
    pub nesting_over_limit: u64,
    /// List elements dropped because the list was too long.
    pub items_over_limit: u64,
    /// Patterns given up because the line took too many steps.
    pub steps_over_limit: u64,
    /// Records by source, by index of [`crate::Parser::sources`].
    pub by_source: Vec<u64>,
}

/// Which frame and source read a record, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// The frames, outermost first, for example `rfc3164`; empty for a bare line.
    pub frame: String,
    /// The source, for example `openssh.sshd`; `unparsed` when there is none.
    pub source: String,
    /// Why this source.
    pub why: String,
}

/// What a sender should know about a record that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Whether the event has a time of its own.
    pub timed: bool,
    /// The field that gave the time or, without one, the first that should have and could not.
    pub time: Option<FieldId>,
    /// Fields that a source reads as an address and that hold none.
    pub addresses: Vec<FieldId>,
    /// Fields of addresses that were taken off because they held none, with what they held.
    pub no_addresses: Vec<(FieldId, String)>,
    /// Whether a source knew the message, not only where it came from.
    pub understood: bool,
}

/// What changes from record to record.
#[derive(Debug)]
pub(crate) struct State {
    pub names: Flattener,
    pub buffers: Buffers,
    pub temps: Vec<String>,
    pub zone: ZoneMemory,
    /// A second event, for envelopes.
    pub spare: Event,
    pub candidates: Vec<Candidate>,
    pub memories: Memories,
    pub slots: Slots,
    /// The frames taken off the last record.
    pub frames: Vec<&'static str>,
    pub doubts: Doubts,
    pub counters: Counters,
}

/// Parses records, with the buffers and memory of one thread.
#[derive(Debug)]
pub struct Worker {
    compiled: Arc<Compiled>,
    state: State,
    repeated: FieldId,
    raw: FieldId,
}

impl Worker {
    pub(crate) fn new(compiled: Arc<Compiled>) -> Self {
        let counters =
            Counters { by_source: vec![0; compiled.sources.len()], ..Counters::default() };
        let state = State {
            names: Flattener::new(compiled.options.limits),
            buffers: Buffers::default(),
            temps: vec![String::new(); TEMPS_MAX],
            zone: ZoneMemory::default(),
            spare: Event::default(),
            candidates: Vec::new(),
            memories: Memories::default(),
            slots: Slots::default(),
            frames: Vec::new(),
            doubts: Doubts::default(),
            counters,
        };
        let repeated = FieldId::intern("tocsin.repeated").unwrap_or(field::EVENT_SEQUENCE);
        let raw = FieldId::intern("raw").unwrap_or(field::EVENT_SEQUENCE);
        Self { compiled, state, repeated, raw }
    }

    /// The parser it is of.
    pub fn parser(&self) -> Parser {
        Parser::of(&self.compiled)
    }

    /// Parses a record into `event`, whose former content is forgotten.
    pub fn parse(&mut self, record: &Record, event: &mut Event) {
        self.read(record, event);
    }

    /// Like [`Worker::parse`], and says what was recognised.
    pub fn parse_explained(&mut self, record: &Record, event: &mut Event) -> Explained {
        let found = self.read(record, event);
        let source = found.and_then(|found| self.compiled.sources.get(usize::from(found.source)));
        let error = event.get_str(field::TOCSIN_PARSE_ERROR).unwrap_or("");
        Explained {
            frame: self.state.frames.join(" > "),
            source: source.map_or_else(|| "unparsed".to_owned(), |source| source.name.clone()),
            why: found.map_or_else(|| error.to_owned(), |found| found.why.to_owned()),
        }
    }

    /// What is doubtful about the last record.
    pub fn doubts(&self) -> &Doubts {
        &self.state.doubts
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let Dropped { fields, names, nesting, items } = self.state.names.dropped();
        Counters {
            fields_over_limit: fields,
            names_over_limit: names,
            nesting_over_limit: nesting,
            items_over_limit: items,
            ..self.state.counters.clone()
        }
    }

    fn read(&mut self, record: &Record, event: &mut Event) -> Option<Found> {
        let text = text_of(&record.bytes);
        event.clear();
        event.id = EventId { stream: record.position.stream, offset: record.position.offset };
        event.received = record.received;
        event.time = record.received;
        event.set_original(&text);
        self.state.counters.records += 1;
        let hint = record.hint.as_deref().and_then(|hint| self.compiled.hints.get(hint));
        let path = record.path.as_deref().unwrap_or(&record.input);
        let mut pass = Pass::new(&self.compiled, &mut self.state, hint, path, &text);
        let mut found = None;
        if text.len() > self.compiled.options.limits.line_bytes {
            pass.state.counters.lines_over_limit += 1;
            pass.error = Some("the line is longer than the limit");
        } else {
            found = pass.line(text.trim_start_matches('\u{feff}'), event, 0);
        }
        let (error, repeated) = (pass.error, pass.repeated);
        pass.state.doubts.understood = found.is_some_and(|found| found.fits);
        pass.state.doubts.timed = event.time != event.received;
        match found {
            Some(found) => {
                self.known(&found, repeated, event);
                if found.rest || record.hint.is_some() {
                    only_addresses(event, &mut self.state.doubts.no_addresses);
                }
                // In a frame, the line is what came in the frame.
                if self.state.frames.is_empty() {
                    self.raw_line(&found, event);
                }
            }
            None => self.unparsed(&text, error, event),
        }
        self.finish(record, event);
        found
    }

    fn known(&mut self, found: &Found, repeated: Option<u32>, event: &mut Event) {
        let source = usize::from(found.source);
        if let Some(count) = self.state.counters.by_source.get_mut(source) {
            *count += 1;
        }
        self.state.counters.unfitting += u64::from(!found.fits);
        // An event that comes as ECS already says itself what it is.
        let named = found.rest && event.has(field::EVENT_DATASET);
        if let Some(plan) = self.compiled.plans.get(source).filter(|_| !named).map(LazyPlan::get) {
            event.set_str(field::EVENT_DATASET, &plan.dataset);
            event.set_str(field::EVENT_MODULE, &plan.module);
        }
        if let Some(repeated) = repeated {
            let repeated = i64::from(repeated);
            if let Some(Value::Int(attempts)) = event.get(field::TOCSIN_ATTEMPTS) {
                event.set(field::TOCSIN_ATTEMPTS, Value::Int(attempts.saturating_mul(repeated)));
            }
            event.set(self.repeated, Value::Int(repeated));
        }
    }

    /// A sender of JSON that names the line the event was made from has the last word on what
    /// `event.original` is.
    fn raw_line(&mut self, found: &Found, event: &mut Event) {
        if !found.rest || !self.state.names.saw(self.raw) {
            return;
        }
        let Some(raw) = event.get_str(self.raw).filter(|raw| !raw.is_empty()) else { return };
        let copy = &mut self.state.spare;
        copy.clear();
        (copy.id, copy.time, copy.received) = (event.id, event.time, event.received);
        copy.set_original(raw);
        for (id, value) in event.iter().filter(|(id, _)| *id != self.raw) {
            copy.push(id, value);
        }
        std::mem::swap(copy, event);
    }

    fn unparsed(&mut self, text: &str, error: Option<&'static str>, event: &mut Event) {
        self.state.counters.unparsed += 1;
        event.set_str(field::EVENT_DATASET, "unparsed");
        event.set_str(field::TOCSIN_PARSE_ERROR, error.unwrap_or("no source knows this line"));
        if !event.has(field::MESSAGE) {
            event.push_part(field::MESSAGE, 0..text.len());
        }
    }

    /// What every event has, whatever read it.
    fn finish(&mut self, record: &Record, event: &mut Event) {
        event.set_str(field::TOCSIN_INPUT, &record.input);
        if let Some(path) = &record.path {
            event.set_str(field::LOG_FILE_PATH, path);
        }
        if let Some(peer) = record.peer {
            event.set_str(field::LOG_SOURCE_ADDRESS, &peer.to_canonical().to_string());
        }
        believe(event);
        related(event);
    }
}

/// Fields that hold an address or nothing, also where the sender names them itself.
const ADDRESSES: [FieldId; 4] =
    [field::SOURCE_IP, field::DESTINATION_IP, field::CLIENT_IP, field::SERVER_IP];

/// Removes what is no address from the fields of addresses, which go to `removed`, and writes
/// addresses as all others.
pub(crate) fn only_addresses(event: &mut Event, removed: &mut Vec<(FieldId, String)>) {
    for id in ADDRESSES {
        let Some(text) = event.get_str(id) else { continue };
        match ip_of(text).map(|ip| ip.to_string()) {
            None => {
                removed.push((id, text.to_owned()));
                event.remove(id);
            }
            Some(ip) if ip != text => event.set_str(id, &ip),
            Some(_) => {}
        }
    }
}

/// The most attempts that one event may stand for: content comes from outside.
const ATTEMPTS_MAX: i64 = 10_000;

/// Keeps the number of attempts within what can be.
fn believe(event: &mut Event) {
    let attempts = match event.get(field::TOCSIN_ATTEMPTS) {
        None | Some(Value::Int(0..=ATTEMPTS_MAX)) => return,
        Some(Value::Int(attempts)) => attempts.clamp(0, ATTEMPTS_MAX),
        Some(_) => 1,
    };
    event.set(field::TOCSIN_ATTEMPTS, Value::Int(attempts));
}

/// Which list of related things a field belongs to.
const RELATED: &[(FieldId, usize)] = &[
    (field::SOURCE_IP, 0),
    (field::DESTINATION_IP, 0),
    (field::CLIENT_IP, 0),
    (field::SERVER_IP, 0),
    (field::SOURCE_NAT_IP, 0),
    (field::DESTINATION_NAT_IP, 0),
    (field::HOST_IP, 0),
    (field::NETWORK_FORWARDED_IP, 0),
    (field::DNS_RESOLVED_IP, 0),
    (field::USER_NAME, 1),
    (field::USER_TARGET_NAME, 1),
    (field::USER_EFFECTIVE_NAME, 1),
    (field::SOURCE_USER_NAME, 1),
    (field::DESTINATION_USER_NAME, 1),
    (field::HOST_NAME, 2),
    (field::SOURCE_DOMAIN, 2),
    (field::DESTINATION_DOMAIN, 2),
    (field::URL_DOMAIN, 2),
    (field::DNS_QUESTION_NAME, 2),
];
const LISTS: [FieldId; 3] = [field::RELATED_IP, field::RELATED_USER, field::RELATED_HOSTS];
/// The most fields that go into one list.
const RELATED_MAX: usize = 9;

/// Adds `related.ip`, `related.user` and `related.hosts`.
fn related(event: &mut Event) {
    let mut members = [[field::TIMESTAMP; RELATED_MAX]; 3];
    let mut counts = [0; 3];
    for (id, _) in event.iter() {
        if let Some((_, list)) = RELATED.iter().find(|(known, _)| *known == id)
            && counts[*list] < RELATED_MAX
        {
            members[*list][counts[*list]] = id;
            counts[*list] += 1;
        }
    }
    for (list, id) in LISTS.into_iter().enumerate() {
        if counts[list] > 0 && !event.has(id) {
            event.push_list_of(id, &members[list][..counts[list]]);
        }
    }
}

/// Names of syslog facilities, by code.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// Names of syslog severities, by code.
const SEVERITIES: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/// Writes what a frame says.
pub(crate) fn write_head(head: &Head<'_>, sink: &mut Sink<'_>) {
    if let Some(time) = head.time {
        sink.event.time = time;
        sink.timed = true;
    }
    if let Some(host) = head.host.as_deref() {
        sink.text(field::HOST_HOSTNAME, host);
        sink.text(field::HOST_NAME, host);
    }
    if let Some(tag) = head.tag.as_deref() {
        sink.text(field::LOG_SYSLOG_APPNAME, tag);
        sink.text(field::PROCESS_NAME, head.program().unwrap_or(tag));
    }
    if let Some(pid) = head.pid.as_deref() {
        match pid.parse::<i64>() {
            Ok(number) => sink.event.set(field::PROCESS_PID, Value::Int(number)),
            Err(_) => sink.text(field::LOG_SYSLOG_PROCID, pid),
        }
    }
    if let Some(msgid) = head.msgid {
        sink.text(field::LOG_SYSLOG_MSGID, msgid);
    }
    if let Some(structured) = head.structured {
        sink.text(field::LOG_SYSLOG_STRUCTURED_DATA, structured);
    }
    if let Some(version) = head.version {
        sink.text(field::LOG_SYSLOG_VERSION, version);
    }
    if let Some(priority) = head.priority {
        let (facility, severity) = (priority >> 3, priority & 7);
        sink.event.set(field::LOG_SYSLOG_PRIORITY, Value::Int(i64::from(priority)));
        sink.event.set(field::LOG_SYSLOG_FACILITY_CODE, Value::Int(i64::from(facility)));
        sink.event.set(field::LOG_SYSLOG_SEVERITY_CODE, Value::Int(i64::from(severity)));
        if let Some(name) = FACILITIES.get(usize::from(facility)) {
            sink.event.set_str(field::LOG_SYSLOG_FACILITY_NAME, name);
        }
        if let Some(name) = SEVERITIES.get(usize::from(severity)) {
            sink.event.set_str(field::LOG_SYSLOG_SEVERITY_NAME, name);
        }
    }
}
