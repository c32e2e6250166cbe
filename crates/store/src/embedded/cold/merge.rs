//! Going through hot and archived events together, oldest first.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use tocsin_model::{Event, Timestamp};

use crate::archive::{Group, Opened, Wanted};
use crate::embedded::cold::ask::{self, wanted_by};
use crate::embedded::cold::{Cold, FileAbout};
use crate::embedded::partition::Partition;
use crate::embedded::{scan, search};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::matcher::Matcher;
use crate::scan::{ScanRequest, ScanSink, Scanned};

/// Rows of a file that are read together.
const BATCH_ROWS: usize = 2048;
/// Events that are given together.
const CHUNK_EVENTS: usize = 4096;

/// Gives every event that matches to `sink`; how many.
pub(crate) fn scan(
    hot: &[Arc<Partition>],
    cold: &[Arc<Cold>],
    request: &ScanRequest,
    sink: &mut ScanSink<'_>,
) -> Result<u64> {
    let (from, to) = (request.from, request.to);
    let mut total = 0;
    let mut sources: Vec<Source<'_>> = Vec::new();
    for cold in cold.iter().filter(|cold| cold.may_have(from, to)) {
        total += ask::count(cold, &request.filter, from, to)?;
        let files = cold.about.files.iter().filter(|file| file.may_have(from, to));
        for file in files {
            let stream = Stream::new(cold, file, request)?;
            sources.push(Source {
                head: Timestamp(file.oldest),
                kind: Kind::Cold(Box::new(stream)),
                events: VecDeque::new(),
            });
        }
    }
    if sources.is_empty() {
        return scan::scan(hot, request, sink);
    }
    total += search::count(hot, &request.filter, from, to)?;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(2);
        scope.spawn(move || {
            let done = scan::scan(hot, request, &mut |scanned| match sender
                .send(Ok(scanned.events.to_vec()))
            {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            });
            if let Err(error) = done {
                // Nobody waiting is fine.
                let _ = sender.send(Err(error));
            }
        });
        let oldest = hot.iter().filter_map(|partition| partition.span().oldest).min();
        if let Some(head) = oldest {
            sources.push(Source { head, kind: Kind::Hot(receiver), events: VecDeque::new() });
        }
        Merging { sources, out: Vec::new(), done: 0, total }.run(sink)
    })
}

struct Merging<'a> {
    sources: Vec<Source<'a>>,
    out: Vec<Event>,
    done: u64,
    total: u64,
}

/// Where events come from, in order.
struct Source<'a> {
    /// No event to come is older.
    head: Timestamp,
    kind: Kind<'a>,
    events: VecDeque<Event>,
}

enum Kind<'a> {
    Hot(Receiver<Result<Vec<Event>>>),
    Cold(Box<Stream<'a>>),
}

impl Source<'_> {
    /// Makes sure that there are events; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        while self.events.is_empty() {
            let more = match &mut self.kind {
                Kind::Hot(receiver) => receiver.recv().ok().transpose()?,
                Kind::Cold(stream) => stream.next()?,
            };
            match more {
                Some(events) => self.events.extend(events),
                None => return Ok(false),
            }
        }
        self.head = self.events.front().map_or(self.head, |event| event.time);
        Ok(true)
    }
}

impl Merging<'_> {
    fn run(mut self, sink: &mut ScanSink<'_>) -> Result<u64> {
        while let Some(first) = self.oldest() {
            // What has not been opened yet may begin later than was thought.
            if self.sources[first].events.is_empty() {
                if !self.sources[first].fill()? {
                    self.sources.swap_remove(first);
                }
                continue;
            }
            let others = self.sources.iter().enumerate().filter(|(place, _)| *place != first);
            let until = others.map(|(_, source)| source.head).min();
            let source = &mut self.sources[first];
            while let Some(event) = source.events.front()
                && until.is_none_or(|until| event.time <= until)
            {
                self.out.extend(source.events.pop_front());
            }
            if let Some(event) = source.events.front() {
                source.head = event.time;
            }
            if self.out.len() >= CHUNK_EVENTS && self.give(sink).is_break() {
                return Ok(self.done);
            }
        }
        let _ = self.give(sink);
        Ok(self.done)
    }

    fn oldest(&self) -> Option<usize> {
        let heads = self.sources.iter().enumerate();
        // Of two of one time the one whose events are there.
        heads.min_by_key(|(_, source)| (source.head, source.events.is_empty())).map(|(at, _)| at)
    }

    fn give(&mut self, sink: &mut ScanSink<'_>) -> ControlFlow<()> {
        if self.out.is_empty() {
            return ControlFlow::Continue(());
        }
        self.done += self.out.len() as u64;
        let events = std::mem::take(&mut self.out);
        sink(Scanned { events: &events, done: self.done, total: self.total })
    }
}

/// The events of an archived file that match, in order.
pub(super) struct Stream<'a> {
    cold: &'a Cold,
    file: &'a FileAbout,
    matcher: Matcher,
    wanted: Wanted,
    /// Nothing has to be looked at before the whole event.
    everything: bool,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    opened: Option<Arc<Opened>>,
    /// Groups being read: for looking, and whole.
    open: Option<(Group, Group)>,
    group: usize,
    row: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(cold: &'a Cold, file: &'a FileAbout, request: &ScanRequest) -> Result<Self> {
        Ok(Self {
            cold,
            file,
            matcher: Matcher::new(&request.filter)?,
            wanted: wanted_by(&request.filter)?,
            everything: request.filter == Filter::All && file.is_within(request.from, request.to),
            from: request.from,
            to: request.to,
            opened: None,
            open: None,
            group: 0,
            row: 0,
        })
    }

    /// Some more; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Event>>> {
        let opened = match &self.opened {
            Some(opened) => Arc::clone(opened),
            None => Arc::clone(self.opened.insert(self.cold.open(self.file)?)),
        };
        let Some(info) = opened.groups.get(self.group) else {
            self.open = None;
            return Ok(None);
        };
        if self.row >= info.rows || !info.may_have(self.from, self.to) {
            (self.group, self.row, self.open) = (self.group + 1, 0, None);
            return Ok(Some(Vec::new()));
        }
        let count = BATCH_ROWS.min(info.rows - self.row);
        let read = self.read(&opened, count).map_err(|error| self.broken(&error))?;
        self.row += count;
        Ok(Some(read))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> StoreError {
        self.cold.failed(self.file, error)
    }

    fn read(
        &mut self,
        opened: &Arc<Opened>,
        count: usize,
    ) -> Result<Vec<Event>, parquet::errors::ParquetError> {
        let number = self.group;
        let (looking, whole) =
            self.open.get_or_insert_with(|| (opened.group(number), opened.group(number)));
        if self.everything {
            return whole.events(self.row, count, &Wanted::all());
        }
        let (from, to) = (self.from, self.to);
        let matches = |event: &Event| {
            from.is_none_or(|from| event.time >= from)
                && to.is_none_or(|to| event.time < to)
                && self.matcher.matches(event)
        };
        let seen = looking.events(self.row, count, &self.wanted)?;
        let found: Vec<bool> = seen.iter().map(matches).collect();
        if !found.contains(&true) {
            return Ok(Vec::new());
        }
        let events = whole.events(self.row, count, &Wanted::all())?;
        Ok(events
            .into_iter()
            .zip(found)
            .filter_map(|(event, found)| found.then_some(event))
            .collect())
    }
}
