//! Whatever the bytes: no panic, one event, the line kept, and time that grows with the line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
use tocsin_model::{Event, Position, Record, Timestamp, field};
use tocsin_parse::{Flattener, Limits, Options, Parser, flatten_json};

static PARSER: LazyLock<Parser> = LazyLock::new(|| {
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let (packs, _) = tocsin_content::read_dir(&content);
    Parser::load(&packs, Options::default()).0
});

fn parse(bytes: &[u8], hint: Option<&str>) -> Event {
    let record = Record {
        input: "test".into(),
        position: Position { stream: 1, offset: 2, next: 3 },
        received: Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap(),
        bytes: bytes.to_vec().into(),
        hint: hint.map(Into::into),
        peer: None,
        path: None,
    };
    let mut event = Event::default();
    PARSER.worker().parse(&record, &mut event);
    event
}

fn check(bytes: &[u8], hint: Option<&str>) {
    let event = parse(bytes, hint);
    assert!(event.has(field::EVENT_DATASET));
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert_eq!(event.original(), text.trim_end_matches(['\n', '\r', '\0']));
    }
    for (_, value) in event.iter() {
        let _ = value.to_json();
    }
    for id in [field::SOURCE_IP, field::DESTINATION_IP] {
        if let Some(ip) = event.get_str(id) {
            assert!(ip.parse::<std::net::IpAddr>().is_ok(), "{ip}");
        }
    }
}

/// The processor's time that a line takes: others may have the processor meanwhile.
fn time_of(line: &str) -> Duration {
    let spent = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let begun = spent();
    check(line.as_bytes(), None);
    spent() - begun
}

/// Beginnings that lead deep into the parsers.
const STARTS: &[&str] = &[
    "",
    "<34>",
    "<34>1 ",
    "<34>1 2026-11-21T00:11:50Z vm sshd 1 - ",
    "<34>1 2026-11-21T00:11:50Z vm a 1 - [x y=\"",
    "Nov 21 00:11:50 vm sshd[1]: ",
    "Nov 21 00:11:50 vm sshd[1]: Failed password for ",
    "Nov 21 00:11:50 vm sudo: a : ",
    "Nov 21 00:11:50 vm kernel: [1.0] [UFW BLOCK] IN=eth0 SRC=",
    "Nov 21 00:11:50 vm sshd[1]: message repeated 3 times: [ ",
    "Nov 21 2026 00:11:50: %ASA-6-302013: ",
    "192.0.2.1 - - [21/Nov/2026:00:13:56 +0000] \"",
    "2026/11/21 00:13:56 [error] 1#1: ",
    "[Sat Nov 21 00:11:50.1 2026] [auth_basic:error] [pid 1:tid 2] ",
    "{",
    "{\"message\":\"",
    "{\"MESSAGE\":[1,",
    "{\"log\":\"",
    "type=SYSCALL msg=audit(1.0:1): ",
    "2026-11-21T00:11:50Z stdout F ",
    "CEF:0|a|b|1|2|",
    "LEEF:2.0|a|b|1|2|",
    "<Event xmlns='x'><System>",
    "2026-11-21 00:11:50 192.0.2.1 ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_one_event(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes, None);
    }

    #[test]
    fn any_text_after_a_start(start in 0..STARTS.len(), rest in ".{0,120}", hint in 0..4usize) {
        let hint = [None, Some("auth"), Some("web"), Some("json")][hint];
        check(format!("{}{rest}", STARTS[start]).as_bytes(), hint);
    }

    #[test]
    fn log_like_text(start in 0..STARTS.len(), rest in r#"[ :=\[\]"'\\{}0-9a-fx.|,;<>/%-]{0,160}"#) {
        check(format!("{}{rest}", STARTS[start]).as_bytes(), None);
    }

    #[test]
    fn flattened_json_holds_what_serde_reads(text in r#"\{("[a-c.]{1,3}":("[^"\\]{0,5}"|-?[0-9]{1,20}|true|null|\[1,"x"\]),?){0,6}\}"#) {
        let mut event = Event::default();
        let mut flattener = Flattener::new(Limits::default());
        let ours = flatten_json(&text, None, &mut event, &mut flattener);
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        if let Ok(members) = theirs {
            ours.unwrap();
            prop_assert_eq!(members.len(), event.len());
        }
    }
}

#[test]
fn long_lines_take_time_in_proportion() {
    let fillers = [
        " ", "a", "\"", "\\", "=", "a=", "[", "{", "{\"a\":", " from ", "\" ", "1.", ": ", "'",
        "|", "<", "{\"a\":[", ",", "\\\"", "Failed ", "&", "=x", "a=b ", "<a>", "'a=",
    ];
    let parse_size = |start: &str, filler: &str, size: usize| {
        let mut line = start.to_owned();
        while line.len() < size {
            line.push_str(filler);
        }
        time_of(&line)
    };
    for start in STARTS {
        for filler in fillers {
            let took = parse_size(start, filler, 100_000);
            assert!(took.as_millis() < 2_000, "{start:?} and {filler:?}: {took:?}");
        }
    }
}

/// Every source: lines it knows, cut anywhere and gone on with what its patterns look for.
#[test]
fn known_lines_made_long_take_time_in_proportion() {
    const SIZE: usize = 60_000;
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let fillers = [" ", "a", "\"", ",", "=", " from ", ": ", "1.", "a=b ", "[", "'", "|", "/", "<"];
    let mut number = 0;
    for pack in tocsin_content::read_dir(&content).0 {
        for file in pack.files.iter().filter(|file| file.inner.ends_with(".log")) {
            for line in file.text().lines().filter(|line| line.len() < 4096).take(12) {
                number += 1;
                let filler = fillers[number % fillers.len()];
                let cut = line.floor_char_boundary(line.len() * (1 + number % 4) / 4);
                let mut long = line[..cut].to_owned();
                while long.len() < SIZE {
                    long.push_str(filler);
                }
                let took = time_of(&long);
                assert!(
                    took.as_millis() < 2_000,
                    "{}: {filler:?} after {line}: {took:?}",
                    file.path
                );
            }
        }
    }
    assert!(number > 200, "{number}");
}

#[test]
fn a_line_over_the_limit_is_kept_but_not_parsed() {
    let event = parse(&vec![b'x'; 2 * 1024 * 1024], None);
    assert_eq!(event.original().len(), 2 * 1024 * 1024);
    assert_eq!(event.get_str(field::EVENT_DATASET), Some("unparsed"));
    assert_eq!(event.get_str(field::TOCSIN_PARSE_ERROR), Some("the line is longer than the limit"));
}
