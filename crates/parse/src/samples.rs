//! Samples beside source definitions: each line of `samples/x.log` must give the event that
//! stands at its place in `samples/x.event.json`, found without a hint.

use bytes::Bytes;
use serde_json::{Map, Value as Json};
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile};
use tocsin_model::{Event, Position, Record, Timestamp};

use crate::{Options, Parser};

/// When samples are received: gives the year of times that have none.
pub const SAMPLES_RECEIVED: &str = "2026-11-21T12:00:00Z";
/// Fields that are not part of an expected event, because they say nothing about the parser.
const LEFT_OUT: &[(&str, &str)] = &[
    ("event", "original"),
    ("event", "id"),
    ("event", "ingested"),
    ("event", "module"),
    ("tocsin", "input"),
    ("log", "file"),
];

/// What [`check_samples`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleReport {
    /// Sample files read.
    pub files: usize,
    /// Lines parsed.
    pub lines: usize,
    /// Sources that have no sample.
    pub without: Vec<String>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses the samples of all packs and compares with the events expected. Mistakes in the
/// definitions themselves are reported too.
pub fn check_samples(packs: &[Pack]) -> SampleReport {
    let (parser, diagnostics) = Parser::load(packs, Options::default());
    let mut report = SampleReport { diagnostics, ..SampleReport::default() };
    for source in parser.sources() {
        let Some(pack) = packs.iter().find(|pack| pack.name == source.pack) else { continue };
        let folder = source.name.split_once('.').map_or("", |(_, name)| name);
        let start = format!("sources/{folder}/samples/");
        let logs = pack
            .of_kind(FileKind::Sample)
            .filter(|file| file.inner.starts_with(&start) && file.inner.ends_with(".log"));
        let before = report.files;
        for log in logs {
            report.files += 1;
            check(&parser, pack, log, &source.name, &mut report);
        }
        if report.files == before {
            report.without.push(source.name.clone());
        }
    }
    report
}

fn check(parser: &Parser, pack: &Pack, log: &PackFile, source: &str, report: &mut SampleReport) {
    let error = |line: usize, message: String| {
        Diagnostic::error(&log.path, u32::try_from(line).unwrap_or(u32::MAX), 0, message)
    };
    let name = log.inner.trim_end_matches(".log");
    let name = format!("{name}.event.json");
    let expected = pack.of_kind(FileKind::Sample).find(|file| file.inner == name);
    let Some(expected) = expected else {
        let message = format!("no {name} with the events expected beside it");
        report.diagnostics.push(error(0, message));
        return;
    };
    let expected: Vec<Json> = match serde_json::from_slice(&expected.bytes) {
        Ok(expected) => expected,
        Err(problem) => {
            let message = format!("not a JSON array of events: {problem}");
            report.diagnostics.push(Diagnostic::error(&expected.path, 0, 0, message));
            return;
        }
    };
    let got = sample_events(parser, source, &log.bytes);
    report.lines += got.len();
    if got.len() != expected.len() {
        let message = format!("{} lines, but {} events expected", got.len(), expected.len());
        report.diagnostics.push(error(0, message));
    }
    for (number, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let dataset = got.pointer("/event/dataset").and_then(Json::as_str).unwrap_or("");
        if dataset != source {
            let message = format!("read by {dataset}, not by {source}");
            report.diagnostics.push(error(number + 1, message));
        }
        let mut differences = Vec::new();
        differ("", got, expected, &mut differences);
        for difference in differences {
            report.diagnostics.push(error(number + 1, difference));
        }
    }
}

/// The events of a sample file as they are compared: parsed without a hint, as if read from the
/// source's usual path, without identity and raw line.
pub fn sample_events(parser: &Parser, source: &str, log: &[u8]) -> Vec<Json> {
    let mut worker = parser.worker();
    let mut event = Event::default();
    let path = parser.source(source).and_then(|source| source.paths.first());
    let path = path.map(|path| std::sync::Arc::from(path.as_str()));
    let received = Timestamp::parse_rfc3339(SAMPLES_RECEIVED).unwrap_or_default();
    let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut events = Vec::new();
    for (number, line) in lines.enumerate() {
        let offset = number as u64 + 1;
        let record = Record {
            input: "sample".into(),
            position: Position { stream: 0, offset, next: offset + 1 },
            received,
            bytes: Bytes::copy_from_slice(line),
            hint: None,
            peer: None,
            path: path.clone(),
        };
        worker.parse(&record, &mut event);
        let mut json = event.to_json();
        if let Json::Object(root) = &mut json {
            leave_out(root);
        }
        events.push(json);
    }
    events
}

fn leave_out(root: &mut Map<String, Json>) {
    for (parent, member) in LEFT_OUT {
        if let Some(Json::Object(inner)) = root.get_mut(*parent) {
            inner.shift_remove(*member);
            if inner.is_empty() {
                root.shift_remove(*parent);
            }
        }
    }
}

/// Names each value that differs, with its dotted path.
fn differ(path: &str, got: &Json, expected: &Json, differences: &mut Vec<String>) {
    if let (Json::Object(got), Json::Object(expected)) = (got, expected) {
        let mut keys: Vec<&String> = got.keys().chain(expected.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match (got.get(key), expected.get(key)) {
                (Some(got), Some(expected)) => differ(&inner, got, expected, differences),
                (Some(got), None) => differences.push(format!("{inner}: {got} is not expected")),
                (None, expected) => {
                    let expected = expected.cloned().unwrap_or_default();
                    differences.push(format!("{inner}: {expected} is expected, but absent"));
                }
            }
        }
        return;
    }
    if got != expected {
        differences.push(format!("{path}: {got}, but {expected} is expected"));
    }
}
