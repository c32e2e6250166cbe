//! [`Crew`]: several threads that parse records and match rules, in the order of the records.
//!
//! Records in, [`Read`] events out, first in first out. Matching keeps no state from one record to
//! the next and parsing none but the columns that a record names for those after it: such a one is
//! parsed alone, when all before it are done and before any after it. So which thread does which
//! changes nothing. Threads start when the first batch is full: a few lines need none. A crew of
//! one is the caller's own thread, and leaves matching to the detector. Never correlates.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tocsin_detect::{Matches, RuleSet};
use tocsin_enrich::Enricher;
use tocsin_model::{Event, Record, field};
use tocsin_parse::{Parser, Worker};

use crate::context::ContextBook;

/// Records that go to a thread together.
const BATCH_RECORDS: usize = 64;
/// Records that are read together where one thread does all: their events stay in the cache.
const BATCH_RECORDS_ALONE: usize = 8;
/// Raw bytes after which fewer go together.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that a thread has or is given, at most.
const BATCHES_PER_THREAD: usize = 4;

/// A record's event and the rules that match it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) event: Event,
    pub(super) matched: Vec<u32>,
}

/// Records on their way in, events on their way out.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    reads: Vec<Read>,
    bytes: usize,
    unparsed: u64,
}

/// One thread's tools.
struct Hand {
    worker: Worker,
    enricher: Option<Enricher>,
    matches: Matches,
}

impl Hand {
    fn new(parser: &Parser, rules: &RuleSet, context: Option<&ContextBook>) -> Self {
        let enricher = context.map(ContextBook::enricher);
        Self { worker: parser.worker(), enricher, matches: Matches::new(rules) }
    }

    /// Parses, and finds matches unless the caller does.
    fn work(&mut self, batch: &mut Batch, matching: bool) {
        batch.unparsed = 0;
        batch.reads.resize_with(batch.records.len(), Read::default);
        for (record, read) in batch.records.iter().zip(&mut batch.reads) {
            self.worker.parse(record, &mut read.event);
            batch.unparsed += u64::from(read.event.has(field::TOCSIN_PARSE_ERROR));
            if let Some(enricher) = &mut self.enricher {
                enricher.enrich(&mut read.event);
            }
            read.matched.clear();
            if matching {
                self.matches.find(&read.event, &mut read.matched);
            }
        }
    }
}

/// One thread with its two ends.
struct Thread {
    todo: Option<SyncSender<Batch>>,
    done: Receiver<Batch>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// A thread only goes by a panic: that is the caller's then, so that nothing is left out
    /// in silence.
    fn resume_panic(&mut self) {
        if let Some(Err(panic)) = self.handle.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.todo = None;
        while self.done.recv().is_ok() {}
        if let Some(handle) = self.handle.take() {
            // A thread that panicked has said so.
            let _ = handle.join();
        }
    }
}

/// Threads that parse and match.
pub(super) struct Crew {
    parser: Parser,
    rules: RuleSet,
    context: Option<Arc<ContextBook>>,
    wanted: usize,
    threads: Vec<Thread>,
    /// Works where no thread does.
    own: Hand,
    filling: Batch,
    spare: Vec<Batch>,
    /// Number of the next batch, and of the next that is done.
    given: usize,
    taken: usize,
    unparsed: u64,
}

impl Crew {
    /// A crew of `threads`; of one, the caller's own thread does all.
    pub(super) fn new(parser: &Parser, rules: &RuleSet, threads: usize) -> Self {
        Self {
            parser: parser.clone(),
            rules: rules.clone(),
            context: None,
            wanted: threads,
            threads: Vec::new(),
            own: Hand::new(parser, rules, None),
            filling: Batch::default(),
            spare: Vec::new(),
            given: 0,
            taken: 0,
            unparsed: 0,
        }
    }

    /// Adds what is known of events, from the next one on.
    pub(super) fn know(&mut self, context: Arc<ContextBook>) {
        self.own.enricher = Some(context.enricher());
        self.context = Some(context);
    }

    /// Whether events come with their matches: alone, the detector finds them itself and looks at
    /// each event once.
    pub(super) fn matches(&self) -> bool {
        self.wanted > 1
    }

    /// Records that no source understood, of the events given out.
    pub(super) fn unparsed(&self) -> u64 {
        self.unparsed
    }

    /// Takes a record; `out` is given what is done meanwhile.
    pub(super) fn take(&mut self, record: Record, out: &mut impl FnMut(&Record, &mut Read)) {
        if self.wanted > 1 && self.parser.names_columns(&record.bytes) {
            self.drain(out);
            self.filling.records.push(record);
            self.work_here(out);
            return;
        }
        self.filling.bytes += record.bytes.len();
        self.filling.records.push(record);
        let full = if self.wanted <= 1 { BATCH_RECORDS_ALONE } else { BATCH_RECORDS };
        if self.filling.records.len() < full && self.filling.bytes < BATCH_BYTES {
            return;
        }
        if self.wanted <= 1 || !self.start() {
            self.work_here(out);
            return;
        }
        if self.given - self.taken == self.threads.len() * BATCHES_PER_THREAD {
            self.receive(out);
        }
        let next = self.spare.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.filling, next);
        let place = self.given % self.threads.len();
        let thread = &mut self.threads[place];
        if thread.todo.as_ref().is_none_or(|todo| todo.send(batch).is_err()) {
            thread.resume_panic();
        }
        self.given += 1;
    }

    /// Waits for everything that was taken.
    pub(super) fn drain(&mut self, out: &mut impl FnMut(&Record, &mut Read)) {
        while self.taken < self.given {
            self.receive(out);
        }
        self.work_here(out);
    }

    fn start(&mut self) -> bool {
        while self.threads.len() < self.wanted {
            let (todo, batches) = sync_channel::<Batch>(BATCHES_PER_THREAD);
            let (results, done) = sync_channel(BATCHES_PER_THREAD);
            let mut hand = Hand::new(&self.parser, &self.rules, self.context.as_deref());
            let work = move || {
                while let Ok(mut batch) = batches.recv() {
                    hand.work(&mut batch, true);
                    if results.send(batch).is_err() {
                        return;
                    }
                }
            };
            let name = format!("match-{}", self.threads.len());
            match std::thread::Builder::new().name(name).spawn(work) {
                Ok(handle) => {
                    self.threads.push(Thread { todo: Some(todo), done, handle: Some(handle) });
                }
                // As many as there can be.
                Err(_) => self.wanted = self.threads.len(),
            }
        }
        !self.threads.is_empty()
    }

    fn receive(&mut self, out: &mut impl FnMut(&Record, &mut Read)) {
        let place = self.taken % self.threads.len();
        self.taken += 1;
        match self.threads[place].done.recv() {
            Ok(batch) => self.give(batch, out),
            Err(_) => self.threads[place].resume_panic(),
        }
    }

    fn work_here(&mut self, out: &mut impl FnMut(&Record, &mut Read)) {
        let mut batch = std::mem::take(&mut self.filling);
        self.own.work(&mut batch, self.wanted > 1);
        self.give(batch, out);
        self.filling = self.spare.pop().unwrap_or_default();
    }

    fn give(&mut self, mut batch: Batch, out: &mut impl FnMut(&Record, &mut Read)) {
        self.unparsed += batch.unparsed;
        for (record, read) in batch.records.iter().zip(&mut batch.reads) {
            out(record, read);
        }
        batch.records.clear();
        batch.bytes = 0;
        self.spare.push(batch);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tocsin_model::{Position, Timestamp};

    use super::*;
    use crate::config::{ContentConfig, DetectConfig};
    use crate::content::{Choice, Content, Rules};

    fn content() -> Content {
        let rule = "title: t\nlogsource: { category: any }\n\
                    detection: { s: { n: 7 }, condition: s }\n";
        let mut file = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
        std::io::Write::write_all(&mut file, rule.as_bytes()).unwrap();
        let rules = Rules::Only(vec![file.path().to_owned()]);
        let choice = Choice { rules, route: false };
        Content::load(&ContentConfig::default(), &DetectConfig::default(), &choice)
    }

    /// Offset, time and matches of each event, in the order in which they come back.
    fn work(content: &Content, threads: usize, count: u64) -> Vec<(u64, i64, Vec<u32>)> {
        let mut crew = Crew::new(&content.parser, &content.rules, threads);
        let mut out = Vec::new();
        let mut take = |record: &Record, read: &mut Read| {
            let Read { event, matched } = std::mem::take(read);
            out.push((record.position.offset, event.time.0, matched));
        };
        for offset in 0..count {
            let text =
                format!("{{\"n\":{},\"@timestamp\":{}}}", offset % 10, 1_700_000_000 + offset);
            crew.take(
                Record {
                    input: "file:x".into(),
                    position: Position { stream: 0, offset, next: offset + 1 },
                    received: Timestamp(0),
                    bytes: Bytes::from(text),
                    hint: None,
                    peer: None,
                    path: None,
                },
                &mut take,
            );
        }
        crew.drain(&mut take);
        assert_eq!(crew.unparsed(), 0);
        out
    }

    #[test]
    fn any_number_of_threads_gives_the_same_in_the_same_order() {
        // A part of a batch, just one, and many more than are under way at once.
        let content = content();
        for count in [5, BATCH_RECORDS as u64, 40 * BATCH_RECORDS as u64 + 3] {
            let alone = work(&content, 1, count);
            assert_eq!(alone.len() as u64, count);
            assert!(alone.iter().enumerate().all(|(at, read)| read.0 == at as u64), "{alone:?}");
            for threads in [2, 3, 8] {
                let read = work(&content, threads, count);
                // Alone, the detector finds matches.
                let same = |(one, many): (&(u64, i64, Vec<u32>), &(u64, i64, Vec<u32>))| {
                    (one.0, one.1) == (many.0, many.1)
                        && one.2.is_empty()
                        && many.2.is_empty() == (many.0 % 10 != 7)
                };
                assert_eq!(read.len(), alone.len());
                assert!(alone.iter().zip(&read).all(same), "{threads} threads, {count} records");
            }
        }
    }

    #[test]
    fn columns_hold_for_what_comes_after_them_whatever_the_threads() {
        let content = content();
        let run = |threads: usize| {
            let mut crew = Crew::new(&content.parser, &content.rules, threads);
            let mut out = Vec::new();
            let mut take = |_: &Record, read: &mut Read| {
                let ip = |name| read.event.get_str(name).unwrap_or_default().to_owned();
                out.push((ip(field::SOURCE_ADDRESS), ip(field::DESTINATION_ADDRESS)));
            };
            let mut offset = 0;
            let mut line = |text: &str| {
                let bytes = Bytes::copy_from_slice(text.as_bytes());
                let position = Position { stream: 0, offset, next: offset + 1 };
                offset += 1;
                let path = Some("/site.log".into());
                let (input, received) = ("file:x".into(), Timestamp(0));
                let record =
                    Record { input, position, received, bytes, hint: None, peer: None, path };
                crew.take(record, &mut take);
            };
            for turn in 0..6 {
                let (first, second) =
                    if turn % 2 == 0 { ("c-ip", "s-ip") } else { ("s-ip", "c-ip") };
                line(&format!(
                    "#Fields: date time {first} {second} cs-method cs-uri-stem sc-status"
                ));
                for _ in 0..5 * BATCH_RECORDS {
                    line("2026-11-20 10:00:00 192.0.2.1 198.51.100.9 GET /one 200");
                }
            }
            crew.drain(&mut take);
            out
        };
        let alone = run(1);
        let turns = |place: usize| (place / (5 * BATCH_RECORDS + 1)) % 2;
        for (place, (from, to)) in alone.iter().enumerate() {
            if place % (5 * BATCH_RECORDS + 1) != 0 {
                let (client, server) = if turns(place) == 0 { (from, to) } else { (to, from) };
                assert_eq!((&**client, &**server), ("192.0.2.1", "198.51.100.9"), "line {place}");
            }
        }
        for threads in [2, 4] {
            assert_eq!(run(threads), alone, "{threads} threads");
        }
    }
}
