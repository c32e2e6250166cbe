//! Fuzzing of everything that reads lines: each source's samples, mutated, cut, joined and put
//! into other frames, go through the parser as they are (`lines`) and as that source (`bodies`).
//! What breaks (a panic, a line that is not kept, an address that is none, a slow input) is
//! written down.
//!
//! `cargo xtask fuzz lines bodies [--seconds N] [--seed N]`, or with files: these only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a development tool")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tocsin_content::FileKind;
use tocsin_model::{Event, Position, Record, Timestamp, field};
use tocsin_parse::{Options, Parser, Worker};

/// The targets.
const NAMES: [&str; 2] = ["lines", "bodies"];
/// One input that takes longer than this for each of its kilobytes is a finding.
const SLOW_PER_KIB: Duration = Duration::from_millis(50);
/// How often a slow input is tried again.
const REPEATS: u32 = 5;
/// The longest input, in bytes.
const INPUT_BYTES_MAX: usize = 32 * 1024;
/// What is put around bodies.
const FRAMES: [&str; 8] = [
    "<34>1 2026-11-21T00:12:00Z vm app 1 - - ",
    "<34>Nov 21 00:12:00 vm app[1]: ",
    "Nov 21 00:12:00 vm app[1]: message repeated 2 times: [ ",
    "2026-11-21T00:12:00+00:00 vm app: ",
    "2026-11-21T00:12:00.1Z stdout F ",
    "{\"message\":\"",
    "{\"log\":\"",
    "Nov 21 00:12:00 relay vm app[1]: ",
];
/// Pieces that mean something somewhere.
const PIECES: [&[u8]; 20] = [
    b"\"",
    b"\\",
    b"=",
    b"[",
    b"]",
    b"{",
    b"}",
    b"|",
    b",",
    b": ",
    b" from ",
    b"\x1d",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"::ffff:192.0.2.1",
    b"%{",
    b"\\u",
    b"\t",
    b"\n",
];

/// A sample and the source that reads it.
struct Seed {
    source: String,
    line: Vec<u8>,
}

fn main() -> ExitCode {
    let (mut targets, mut files) = (Vec::new(), Vec::new());
    let (mut seconds, mut seed, mut out) = (60, 1, PathBuf::from("target/fuzz-found"));
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_default();
        match arg.as_str() {
            "--seconds" => seconds = value().parse().unwrap_or(60),
            "--seed" => seed = value().parse().unwrap_or(1),
            "--out" => out = PathBuf::from(value()),
            name if NAMES.contains(&name) => targets.push(name.to_owned()),
            path => files.push(PathBuf::from(path)),
        }
    }
    if targets.is_empty() {
        targets = NAMES.map(str::to_owned).to_vec();
    }
    std::panic::set_hook(Box::new(|_| {}));
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let (packs, _) = tocsin_content::read_dir(&content);
    let (parser, _) = Parser::load(&packs, Options::default());
    let mut seeds = Vec::new();
    for pack in &packs {
        for file in pack.of_kind(FileKind::Sample).filter(|file| file.inner.ends_with(".log")) {
            let name = file.inner.split('/').nth(1).unwrap_or("");
            let lines = file.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let source = format!("{}.{name}", pack.name);
            seeds.extend(lines.map(|line| Seed { source: source.clone(), line: line.to_vec() }));
        }
    }
    let mut clean = true;
    for target in &targets {
        let given = (!files.is_empty()).then_some(&files);
        clean &= match given {
            Some(files) => replay(&parser, target, files),
            None => fuzz(&parser, target, &seeds, (seconds, seed), &out),
        };
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(parser: &Parser, target: &str, files: &[PathBuf]) -> bool {
    let mut worker = parser.worker();
    files.iter().all(|path| {
        let bytes = std::fs::read(path).unwrap();
        let found = problem(&mut worker, &bytes, None);
        println!("{target}: {}: {}", path.display(), found.as_deref().unwrap_or("fine"));
        found.is_none()
    })
}

fn fuzz(
    parser: &Parser,
    target: &str,
    seeds: &[Seed],
    (seconds, seed): (u64, u64),
    out: &Path,
) -> bool {
    let mut random = Random(seed);
    let mut worker = parser.worker();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tried = 0u64;
    while Instant::now() < end {
        let seed = &seeds[random.below(seeds.len())];
        let mut bytes = seed.line.clone();
        for _ in 0..=random.below(6) {
            mutate(&mut bytes, seeds, &mut random);
        }
        bytes.truncate(INPUT_BYTES_MAX);
        tried += 1;
        let hint = (target == "bodies").then_some(seed.source.as_str());
        if let Some(what) = problem(&mut worker, &bytes, hint) {
            std::fs::create_dir_all(out).unwrap();
            let path = out.join(format!("{target}-{tried}"));
            std::fs::write(&path, &bytes).unwrap();
            println!("{target}: {what}; source {}, input in {}", seed.source, path.display());
            return false;
        }
    }
    println!("{target}: {tried} inputs, nothing found");
    true
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Seed], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(..at)),
        2 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
        3 => {
            let piece = PIECES[random.below(PIECES.len())].repeat(1 + random.below(400));
            drop(bytes.splice(at..at, piece));
        }
        4 => {
            let other = &seeds[random.below(seeds.len())].line;
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len())..]);
        }
        5 => drop(bytes.splice(0..0, FRAMES[random.below(FRAMES.len())].bytes())),
        6 if at < bytes.len() => bytes[at] = random.below(256) as u8,
        _ => {
            let end = (at + random.below(40)).min(bytes.len());
            let piece = bytes[at..end].repeat(1 + random.below(50));
            drop(bytes.splice(at..at, piece));
        }
    }
}

/// What is wrong with how a line is read.
fn problem(worker: &mut Worker, bytes: &[u8], hint: Option<&str>) -> Option<String> {
    let record = Record {
        input: "fuzz".into(),
        position: Position { stream: 1, offset: 2, next: 3 },
        received: Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap(),
        bytes: bytes.to_vec().into(),
        hint: hint.map(Into::into),
        peer: None,
        path: None,
    };
    let mut event = Event::default();
    let begun = Instant::now();
    if catch_unwind(AssertUnwindSafe(|| worker.parse(&record, &mut event))).is_err() {
        return Some("a panic".to_owned());
    }
    let mut took = begun.elapsed();
    let slow = SLOW_PER_KIB * (1 + bytes.len() as u32 / 1024);
    for _ in 0..REPEATS {
        if took <= slow {
            break;
        }
        // Others may have had the processor.
        let begun = Instant::now();
        worker.parse(&record, &mut event);
        took = took.min(begun.elapsed());
    }
    if took > slow {
        return Some(format!("slow: {took:?} for {} bytes", bytes.len()));
    }
    if !event.has(field::EVENT_DATASET) {
        return Some("no dataset".to_owned());
    }
    for id in [field::SOURCE_IP, field::DESTINATION_IP] {
        if let Some(ip) = event.get_str(id)
            && ip.parse::<std::net::IpAddr>().is_err()
        {
            return Some(format!("{} is {ip:?}", id.name()));
        }
    }
    serde_json::to_string(&event.to_json()).is_err().then(|| "no JSON".to_owned())
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}
