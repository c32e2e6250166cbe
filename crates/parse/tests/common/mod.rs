//! What the tests of single lines share.

#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; each file uses some")]

use std::path::Path;
use std::sync::LazyLock;

use tocsin_model::{Event, FieldId, Position, Record, Timestamp};
use tocsin_parse::{Explained, Options, Parser};

/// The sources in `content/`, with default options.
pub static PARSER: LazyLock<Parser> = LazyLock::new(|| parser(Options::default()));

/// The sources in `content/`.
pub fn parser(options: Options) -> Parser {
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let (packs, _) = tocsin_content::read_dir(&content);
    Parser::load(&packs, options).0
}

/// A line and what is known of it.
pub struct Case<'c> {
    pub line: &'c [u8],
    pub hint: Option<&'c str>,
    pub path: Option<&'c str>,
    pub received: &'c str,
}

impl<'c> Case<'c> {
    pub fn of(line: &'c str) -> Self {
        Self { line: line.as_bytes(), hint: None, path: None, received: "2026-11-21T12:00:00Z" }
    }

    pub fn parse(&self, parser: &Parser) -> (Event, Explained) {
        let record = Record {
            input: "test".into(),
            position: Position { stream: 7, offset: 9, next: 10 },
            received: Timestamp::parse_rfc3339(self.received).unwrap(),
            bytes: self.line.to_vec().into(),
            hint: self.hint.map(Into::into),
            peer: Some("::ffff:203.0.113.1".parse().unwrap()),
            path: self.path.map(Into::into),
        };
        let mut event = Event::default();
        let explained = parser.worker().parse_explained(&record, &mut event);
        assert_eq!(event.id.to_string(), "00000000000000070000000000000009");
        (event, explained)
    }
}

/// What a field holds, as text: `a,b` for a list, empty when absent, `@timestamp` for the time.
pub fn shown(event: &Event, name: &str) -> String {
    if name == "@timestamp" {
        return event.time.to_string();
    }
    let mut all = Vec::new();
    if let Some(value) = FieldId::lookup(name).and_then(|id| event.get(id)) {
        value.for_each_scalar(|one| all.extend(one.to_text().map(|text| text.into_owned())));
    }
    all.join(",")
}
