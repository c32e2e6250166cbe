//! One record's way: frames off, source found, body read.

mod outer;

use tocsin_model::{Event, Value, field};

use self::outer::{begin_again, keep_head, without_cookie};
use crate::envelope::{Kind, wrap::unwrapped};
use crate::flatten::pairs;
use crate::frame::{self, Head};
use crate::parser::{Compiled, Hint};
use crate::route::Look;
use crate::source::definition::Rest;
use crate::source::lazy::LazyPlan;
use crate::source::run::{Ran, Run};
use crate::source::sink::Sink;
use crate::text::offset_in;
use crate::time::Clock;
use crate::worker::{State, only_addresses, write_head};

/// How many frames may stand in each other.
const FRAMES_MAX: usize = 4;

/// Which source read a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub source: u16,
    pub why: &'static str,
    /// Whether it is only the source of what no other reads.
    pub rest: bool,
    /// Whether the body fitted a message.
    pub fits: bool,
}

/// One record on its way.
pub(crate) struct Pass<'p> {
    compiled: &'p Compiled,
    pub state: &'p mut State,
    hint: Option<&'p Hint>,
    path: &'p str,
    origin: &'p str,
    /// Why it could not be read.
    pub error: Option<&'static str>,
    pub repeated: Option<u32>,
    timed: bool,
}

impl<'p> Pass<'p> {
    pub(crate) fn new(
        compiled: &'p Compiled,
        state: &'p mut State,
        hint: Option<&'p Hint>,
        path: &'p str,
        origin: &'p str,
    ) -> Self {
        state.frames.clear();
        (state.doubts.timed, state.doubts.time) = (false, None);
        state.doubts.addresses.clear();
        state.doubts.no_addresses.clear();
        Self { compiled, state, hint, path, origin, error: None, repeated: None, timed: false }
    }

    /// Reads a line, or what stood in a frame.
    pub(crate) fn line(&mut self, text: &str, event: &mut Event, depth: usize) -> Option<Found> {
        if depth > FRAMES_MAX {
            self.error = Some("too many frames in each other");
            return None;
        }
        let text = frame::without_length(text);
        let json = without_cookie(text.trim_start());
        if json.starts_with('{')
            && let Some(found) = self.json(json, event, depth)
        {
            return Some(found);
        }
        let received = event.received;
        let zone = &self.compiled.options.zone;
        let mut clock = Clock { received, zone, last: &mut self.state.zone };
        if let Some((head, path, body)) = frame::archived(text, &mut clock) {
            self.head(&head, event);
            let mut inner = self.inside(path, self.hint);
            let found = inner.whole_line(body, event, depth);
            let (timed, repeated, error) = (inner.timed, inner.repeated, inner.error);
            (self.timed, self.repeated) = (timed, self.repeated.or(repeated));
            self.error = self.error.or(error);
            return found;
        }
        if let Some((head, body)) = frame::peel(text, &mut clock) {
            return self.framed(&head, body, event, depth);
        }
        if let Some((head, body)) = frame::cri(text, &mut clock) {
            self.head(&head, event);
            return self.whole_line(body, event, depth);
        }
        self.bare(text, event).or_else(|| {
            let inner = frame::compose(text)?;
            self.line(inner, event, depth + 1)
        })
    }

    /// Reads a line that stood whole in a frame of its own: as one, or else as the body of the
    /// frame.
    fn whole_line(&mut self, body: &str, event: &mut Event, depth: usize) -> Option<Found> {
        let found = self.line(body, event, depth + 1);
        found.or_else(|| self.framed(&Head::default(), body, event, FRAMES_MAX))
    }

    /// The same record, where what stands around it says more about it.
    fn inside<'i>(&'i mut self, path: &'i str, hint: Option<&'i Hint>) -> Pass<'i> {
        Pass {
            compiled: self.compiled,
            state: &mut *self.state,
            hint,
            path,
            origin: self.origin,
            error: None,
            repeated: None,
            timed: self.timed,
        }
    }

    /// Reads a body whose frame was taken off.
    fn framed(
        &mut self,
        head: &Head<'_>,
        body: &str,
        event: &mut Event,
        depth: usize,
    ) -> Option<Found> {
        self.head(head, event);
        self.repeated = self.repeated.or(head.repeated);
        let body = body.trim_end();
        let json = without_cookie(body);
        if json.starts_with('{')
            && depth < FRAMES_MAX
            && let Some(found) = self.json(json, event, depth + 1)
        {
            if found.rest {
                keep_head(head, event);
            }
            return Some(found);
        }
        let look = Look {
            program: head.program(),
            tag: head.tag.as_deref(),
            body,
            framed: true,
            path: self.path,
            hint: self.hint,
        };
        let found = self.routed(&look, event).or_else(|| {
            let nested = head.tag.is_none() && depth < FRAMES_MAX;
            if nested { self.nested(body, event, depth) } else { None }
        });
        let found = found.or_else(|| self.named(body, event, false));
        let found = found.or_else(|| {
            let route = self.compiled.router.rest(Rest::Syslog, &look)?;
            let ran = self.run(route.source, body, event, false, false);
            let why = "a syslog line that no other source reads";
            Some(Found { source: route.source, why, rest: true, fits: ran.fits })
        });
        if found.is_some() && !event.has(field::MESSAGE) {
            self.message(body, event);
        }
        found
    }

    /// A whole syslog line as the message of another, as relays write it.
    fn nested(&mut self, body: &str, event: &mut Event, depth: usize) -> Option<Found> {
        let zone = &self.compiled.options.zone;
        let mut clock = Clock { received: event.received, zone, last: &mut self.state.zone };
        let (head, inner) = frame::peel(body, &mut clock)?;
        head.tag.as_ref()?;
        self.framed(&head, inner, event, depth + 1)
    }

    /// Takes the time from the start of a line that nobody knows.
    fn time_alone(&mut self, text: &str, event: &mut Event) {
        let text = text.trim_start_matches(['[', ' ', '"', '\'', '(']);
        let mut sink = sink(
            self.compiled,
            self.origin,
            &mut self.state.temps,
            &mut self.state.zone,
            event,
            self.timed,
        );
        self.timed = sink.time(text, false);
    }

    /// Reads a line that stands in no frame.
    fn bare(&mut self, text: &str, event: &mut Event) -> Option<Found> {
        let look = Look {
            program: None,
            tag: None,
            body: text,
            framed: false,
            path: self.path,
            hint: self.hint,
        };
        let found = self.routed(&look, event).or_else(|| self.named(text, event, true));
        let found = found.or_else(|| self.hinted(text, event));
        if found.is_some() {
            return found;
        }
        if let Some((head, body)) = frame::name_only(text)
            && head.program().is_some_and(|name| self.compiled.router.knows_program(name))
        {
            return self.framed(&head, body, event, FRAMES_MAX);
        }
        self.time_alone(text, event);
        None
    }

    fn routed(&mut self, look: &Look<'_>, event: &mut Event) -> Option<Found> {
        let compiled = self.compiled;
        let mut candidates = std::mem::take(&mut self.state.candidates);
        compiled.router.candidates(look, &mut self.state.memories, &mut candidates);
        let mut found = None;
        for candidate in &candidates {
            let Some(route) = compiled.router.takes(*candidate, look, &mut self.state.slots) else {
                continue;
            };
            let ran = self.run(route.source, look.body, event, false, route.fits);
            if ran.fits || !route.fits {
                let why = if look.program.is_some() {
                    "the program and the text"
                } else {
                    "the form of the line"
                };
                found = Some(Found { source: route.source, why, rest: false, fits: ran.fits });
                break;
            }
        }
        self.state.candidates = candidates;
        found
    }

    /// Reads a text as the one source that was asked for by name.
    fn named(&mut self, text: &str, event: &mut Event, must_fit: bool) -> Option<Found> {
        let source = self.hint?.named?;
        let ran = self.run(source, text, event, false, must_fit);
        if !ran.fits && must_fit {
            self.error = Some("the line does not fit the source that was asked for");
            return None;
        }
        Some(Found { source, why: "asked for by name", rest: false, fits: ran.fits })
    }

    /// Reads a bare text as the first of the hinted sources that it fits.
    fn hinted(&mut self, text: &str, event: &mut Event) -> Option<Found> {
        let hint = self.hint.filter(|hint| hint.named.is_none())?;
        for (number, _) in hint.allowed.iter().enumerate().filter(|(_, allowed)| **allowed) {
            let source = number as u16;
            let ran = self.run(source, text, event, false, true);
            if ran.fits {
                return Some(Found {
                    source,
                    why: "the hint and the text",
                    rest: false,
                    fits: true,
                });
            }
        }
        self.error = Some("no source of the hint knows this line");
        None
    }

    /// Reads a JSON object; `None` when it is none, or nobody reads JSON.
    fn json(&mut self, text: &str, event: &mut Event, depth: usize) -> Option<Found> {
        let before = event.len();
        if self.state.names.flatten(text, offset_in(text, self.origin), event).is_err() {
            self.error = Some("broken json");
            return None;
        }
        pairs::spread(text, &mut self.state.names, event);
        let look = Look {
            program: None,
            tag: None,
            body: text,
            framed: depth > 0,
            path: self.path,
            hint: self.hint,
        };
        let router = &self.compiled.router;
        let State { names, candidates, .. } = &mut *self.state;
        if let Some(route) = router.by_keys(names, event, &look, candidates) {
            let source = route.source;
            self.run(source, text, event, true, false);
            return Some(Found {
                source,
                why: "the keys of the JSON object",
                rest: false,
                fits: true,
            });
        }
        if let Some((inner, count)) = unwrapped(text, &self.state.names, event)
            && depth < FRAMES_MAX
        {
            event.remove_range(before..usize::MAX);
            self.state.frames.push("json");
            let found = self.json(inner, event, depth + 1);
            if let Some(records) = self.compiled.keys.records.filter(|_| count > 1) {
                event.set(records, Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
            }
            return found;
        }
        if let Some(found) = self.envelope(text, before, event, depth) {
            return Some(found);
        }
        if let Some(source) = self.hint.and_then(|hint| hint.named) {
            self.run(source, text, event, true, false);
            return Some(Found { source, why: "asked for by name", rest: false, fits: true });
        }
        // A hint narrows the choice of sources, but JSON stays JSON.
        let look = Look { hint: None, ..look };
        let source = router.rest(Rest::Json, &look)?.source;
        self.run(source, text, event, true, false);
        Some(Found { source, why: "a JSON object", rest: true, fits: true })
    }

    /// Reads the message in a JSON object that is only its frame.
    fn envelope(
        &mut self,
        text: &str,
        before: usize,
        event: &mut Event,
        depth: usize,
    ) -> Option<Found> {
        let keys = &self.compiled.keys;
        let (kind, id) = keys.kind(&self.state.names, event)?;
        let mut message = keys.message(event, id);
        if kind == Kind::Line && message.starts_with(' ') {
            // What followed the tag, as rsyslog hands it on.
            message.remove(0);
        }
        let zone = &self.compiled.options.zone;
        let mut clock = Clock { received: event.received, zone, last: &mut self.state.zone };
        let head = keys.head(kind, event, &mut clock);
        let of_facility = keys.hint(event).and_then(|hint| self.compiled.hints.get(hint));
        let hint = self.hint.or(of_facility.filter(|_| kind == Kind::Line));
        if kind == Kind::Line && !self.may_be_line(&message, hint, event) {
            return None;
        }
        let stamp = self.state.names.stamp();
        let mut outer = std::mem::take(&mut self.state.spare);
        std::mem::swap(&mut outer, event);
        begin_again(event, &outer, before);
        // A message without a year is as old as its envelope.
        let received = event.received;
        event.received = head.time.map_or(received, |time| time.min(received));
        let path = keys.path(&outer).unwrap_or(self.path);
        if kind == Kind::Line {
            self.state.frames.push(head.frame);
        }
        let mut inner = self.inside(path, hint);
        let found = match kind {
            // What only a rest source reads says less than the envelope, unless it is JSON too.
            Kind::Line => inner
                .line(&message, event, depth + 1)
                .filter(|found| !found.rest || message.trim_start().starts_with('{')),
            _ => inner.framed(&head, message.trim_start(), event, depth + 1),
        };
        let (inner_timed, repeated) = (inner.timed, inner.repeated);
        event.received = received;
        if found.is_some() {
            (self.timed, self.repeated) = (inner_timed, self.repeated.or(repeated));
            self.complete(kind, &head, &outer, before, event);
        } else {
            std::mem::swap(&mut outer, event);
            self.state.frames.pop();
            if self.state.names.stamp() != stamp {
                event.remove_range(before..usize::MAX);
                let _ = self.state.names.flatten(text, offset_in(text, self.origin), event);
            }
        }
        self.state.spare = outer;
        found
    }

    /// Whether the message of a JSON object could be a line of its own, told at little cost.
    fn may_be_line(&mut self, message: &str, hint: Option<&Hint>, event: &Event) -> bool {
        if message.len() < 8 {
            return false;
        }
        let zone = &self.compiled.options.zone;
        let mut clock = Clock { received: event.received, zone, last: &mut self.state.zone };
        if message.starts_with('{') || frame::peel(message, &mut clock).is_some() {
            return true;
        }
        let look =
            Look { program: None, tag: None, body: message, framed: false, path: self.path, hint };
        let State { memories, candidates, .. } = &mut *self.state;
        self.compiled.router.candidates(&look, memories, candidates);
        !self.state.candidates.is_empty()
    }

    /// Adds to the event of a message what its JSON envelope says more.
    fn complete(
        &mut self,
        kind: Kind,
        head: &Head<'_>,
        outer: &Event,
        before: usize,
        event: &mut Event,
    ) {
        if !self.timed
            && let Some(time) = head.time
        {
            event.time = time;
        }
        if let (Kind::Line, Some(host)) = (kind, head.host.as_deref())
            && !event.has(field::HOST_NAME)
        {
            event.push_str(field::HOST_HOSTNAME, host);
            event.push_str(field::HOST_NAME, host);
        }
        for (id, value) in outer.iter().skip(before) {
            if !self.compiled.keys.own(kind, id) && !event.has(id) {
                event.push(id, value);
            }
        }
        only_addresses(event, &mut self.state.doubts.no_addresses);
    }

    fn head(&mut self, head: &Head<'_>, event: &mut Event) {
        if !head.frame.is_empty() {
            self.state.frames.push(head.frame);
        }
        let mut sink = sink(
            self.compiled,
            self.origin,
            &mut self.state.temps,
            &mut self.state.zone,
            event,
            self.timed,
        );
        write_head(head, &mut sink);
        self.timed = sink.timed;
    }

    fn message(&mut self, body: &str, event: &mut Event) {
        sink(
            self.compiled,
            self.origin,
            &mut self.state.temps,
            &mut self.state.zone,
            event,
            self.timed,
        )
        .text(field::MESSAGE, body);
    }

    fn run(
        &mut self,
        source: u16,
        body: &str,
        event: &mut Event,
        flattened: bool,
        must_fit: bool,
    ) -> Ran {
        let Some(plan) = self.compiled.plans.get(usize::from(source)).map(LazyPlan::get) else {
            return Ran::default();
        };
        let State { names, buffers, temps, zone, doubts, counters, .. } = &mut *self.state;
        let mut sink = sink(self.compiled, self.origin, temps, zone, event, self.timed);
        let mut run = Run {
            plan,
            header: self.compiled.headers.of(source, self.path),
            sink: &mut sink,
            names,
            buffers,
            doubts,
            ran: Ran::default(),
            must_fit,
            captured: false,
            named: false,
        };
        let ran = run.body(body, flattened);
        self.timed = sink.timed;
        counters.steps_over_limit += ran.given_up;
        ran
    }
}

fn sink<'a>(
    compiled: &'a Compiled,
    origin: &'a str,
    temps: &'a mut [String],
    zone_memory: &'a mut crate::time::ZoneMemory,
    event: &'a mut Event,
    timed: bool,
) -> Sink<'a> {
    Sink { event, origin, zone: &compiled.options.zone, zone_memory, temps, timed }
}
