//! GELF: one JSON object a message, over UDP also in chunks and packed.
//!
//! In: datagrams and messages. Out: events with the names that the parser knows: the text as the
//! message, additional fields without their underscore.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::value::RawValue;

use super::nanos_of_seconds;
use super::object::{Members, ObjectWriter, time};

/// What a chunk begins with.
const CHUNK: [u8; 2] = [0x1e, 0x0f];
/// Bytes before a chunk's data: that, the message's id, number and count.
const CHUNK_HEAD_BYTES: usize = 12;
/// Most chunks of one message, by the specification.
const CHUNKS_MAX: u8 = 128;
/// A message that is not complete after so long is given up, by the specification.
const INCOMPLETE_MAX: Duration = Duration::from_secs(5);
/// Most messages that may be incomplete at the same time; the oldest is given up for a new one.
const INCOMPLETE_MESSAGES_MAX: usize = 1024;
/// Most bytes of incomplete messages.
const INCOMPLETE_BYTES_MAX: usize = 16 << 20;
/// Names of syslog severities, by number.
const LEVELS: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no GELF.
    #[error("not a GELF message")]
    Format,
    /// It is longer than allowed, as sent or unpacked.
    #[error("longer than the limit")]
    TooLong,
}

/// Reads one message: plain, or packed with gzip or zlib. The event, as the bytes of a record.
///
/// # Errors
/// When it is none, or longer than `max` bytes.
pub fn decode(message: &[u8], max: usize) -> Result<Bytes, Wrong> {
    let unpacked = match message {
        [0x1f, 0x8b, ..] => Some(unpack(GzDecoder::new(message), max)?),
        [first, _, ..] if first & 0x0f == 8 && *first >= 0x18 && *first <= 0x78 => {
            Some(unpack(ZlibDecoder::new(message), max)?)
        }
        _ => None,
    };
    let message = unpacked.as_deref().unwrap_or(message);
    if message.len() > max {
        return Err(Wrong::TooLong);
    }
    let text = String::from_utf8_lossy(message);
    convert(text.trim_matches(['\0', '\n', '\r', ' ']))
}

fn unpack(reader: impl Read, max: usize) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::new();
    let read = reader.take(max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| Wrong::Format)?;
    if bytes.len() > max { Err(Wrong::TooLong) } else { Ok(bytes) }
}

fn convert(json: &str) -> Result<Bytes, Wrong> {
    let members = Members::of(json).ok_or(Wrong::Format)?;
    let find = |name: &str| members.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let text = |value: Option<&RawValue>| {
        value.and_then(|value| serde_json::from_str::<String>(value.get()).ok())
    };
    let short = text(find("short_message")).or_else(|| text(find("message")));
    let full = text(find("full_message"));
    let line = match (&short, &full) {
        (Some(short), _) if !short.trim().is_empty() => short,
        (_, Some(full)) => full,
        _ => return Err(Wrong::Format),
    };
    let mut out = ObjectWriter::new();
    let at = find("timestamp").and_then(|at| nanos_of_seconds(at.get().trim_matches('"')));
    if let Some(at) = at {
        out.text("@timestamp", &time(at));
    }
    out.text("message", line.trim_end_matches(['\r', '\n']));
    for (key, value) in &members.0 {
        let value = value.get();
        match key.as_ref() {
            "version" | "short_message" | "message" | "timestamp" | "_id" => {}
            "host" => out.raw("host.name", value),
            "full_message" if full.as_ref() == Some(line) => {}
            "full_message" => out.raw("gelf.full_message", value),
            "level" => level(value, &mut out),
            "facility" => out.raw("log.syslog.facility.name", value),
            "file" => out.raw("log.origin.file.name", value),
            "line" => out.raw("log.origin.file.line", value),
            key => {
                let name = key.strip_prefix('_').unwrap_or(key);
                let taken = ["message", "@timestamp", "host.name", "log.level"].contains(&name);
                out.raw(if taken || name.is_empty() { key } else { name }, value);
            }
        }
    }
    Ok(Bytes::from(out.finish()))
}

fn level(value: &str, out: &mut ObjectWriter) {
    let number = value.trim_matches('"').parse::<usize>().ok();
    match number.and_then(|number| LEVELS.get(number)) {
        Some(name) => {
            out.raw("log.syslog.severity.code", value.trim_matches('"'));
            out.text("log.level", name);
        }
        None => out.raw("log.level", value),
    }
}

/// Puts messages together that come in chunks.
#[derive(Debug, Default)]
pub struct Chunks {
    incomplete: HashMap<(IpAddr, [u8; 8]), Incomplete>,
    bytes: usize,
    given_up: u64,
    invalid: u64,
}

#[derive(Debug)]
struct Incomplete {
    since: Instant,
    parts: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
}

impl Chunks {
    /// Takes a datagram; gives the message that is complete with it.
    pub fn push(&mut self, datagram: &[u8], peer: IpAddr, now: Instant) -> Option<Bytes> {
        if !datagram.starts_with(&CHUNK) {
            return Some(Bytes::copy_from_slice(datagram));
        }
        let Some((head, data)) = datagram.split_at_checked(CHUNK_HEAD_BYTES) else {
            self.invalid += 1;
            return None;
        };
        let mut id = [0; 8];
        id.copy_from_slice(&head[2..10]);
        let (number, count) = (usize::from(head[10]), head[11]);
        if count == 0 || count > CHUNKS_MAX || number >= usize::from(count) {
            self.invalid += 1;
            return None;
        }
        let key = (peer, id);
        let count = usize::from(count);
        if !self.incomplete.contains_key(&key) {
            self.make_room(now);
        }
        let new = || Incomplete { since: now, parts: vec![None; count], missing: count, bytes: 0 };
        let message = self.incomplete.entry(key).or_insert_with(new);
        let Some(part) = message.parts.get_mut(number).filter(|part| part.is_none()) else {
            // Networks may send a datagram twice.
            self.invalid += u64::from(message.parts.len() != count);
            return None;
        };
        *part = Some(Bytes::copy_from_slice(data));
        message.missing -= 1;
        message.bytes += data.len();
        self.bytes += data.len();
        if message.missing > 0 {
            return None;
        }
        let done = self.incomplete.remove(&key)?;
        self.bytes -= done.bytes;
        let mut whole = Vec::with_capacity(done.bytes);
        done.parts.iter().flatten().for_each(|part| whole.extend_from_slice(part));
        Some(Bytes::from(whole))
    }

    /// Gives up messages that are incomplete for too long.
    pub fn expire(&mut self, now: Instant) {
        let late = |message: &Incomplete| now.duration_since(message.since) > INCOMPLETE_MAX;
        let (mut bytes, mut count) = (0, 0);
        self.incomplete.retain(|_, message| {
            let late = late(message);
            (bytes, count) = (bytes + usize::from(late) * message.bytes, count + u64::from(late));
            !late
        });
        self.bytes -= bytes;
        self.given_up += count;
    }

    fn make_room(&mut self, now: Instant) {
        let full = |all: &Self| {
            all.incomplete.len() >= INCOMPLETE_MESSAGES_MAX || all.bytes >= INCOMPLETE_BYTES_MAX
        };
        if !full(self) {
            return;
        }
        self.expire(now);
        if full(self) {
            // Whoever fills it loses all of it: nothing is looked through for each datagram.
            self.given_up += self.incomplete.len() as u64;
            self.incomplete.clear();
            self.bytes = 0;
        }
    }

    /// Messages given up since the last call.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// Chunks that were none since the last call.
    pub fn take_invalid(&mut self) -> u64 {
        std::mem::take(&mut self.invalid)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn messages_become_events() {
        let table: &[(&str, Result<&str, Wrong>)] = &[
            (
                r#"{"version":"1.1","host":"gate","short_message":"Failed","full_message":"Failed\nmore","timestamp":1763683910.25,"level":4,"_program":"sshd","_pid":7,"_id":"x"}"#,
                Ok(
                    r#"{"@timestamp":"2025-11-21T00:11:50.25Z","message":"Failed","host.name":"gate","gelf.full_message":"Failed\nmore","log.syslog.severity.code":4,"log.level":"warning","program":"sshd","pid":7}"#,
                ),
            ),
            (
                r#"{"host":"h","full_message":"only","level":"odd","_message":"m","facility":"app","line":3}"#,
                Ok(
                    r#"{"message":"only","host.name":"h","log.level":"odd","_message":"m","log.syslog.facility.name":"app","log.origin.file.line":3}"#,
                ),
            ),
            ("{\"short_message\":\"x\"}\0", Ok(r#"{"message":"x"}"#)),
            (r#"{"host":"h"}"#, Err(Wrong::Format)),
            ("line", Err(Wrong::Format)),
            ("", Err(Wrong::Format)),
        ];
        for (message, expected) in table {
            let message = message.as_bytes();
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(message).unwrap();
            let packed = [0, 1, 6, 9].map(|level| {
                let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(level));
                zlib.write_all(message).unwrap();
                zlib.finish().unwrap()
            });
            let forms = packed.into_iter().chain([gzip.finish().unwrap(), message.to_vec()]);
            for form in forms {
                let decoded = decode(&form, 1000);
                let decoded = decoded.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
                assert_eq!(decoded.as_deref().map_err(|wrong| *wrong), *expected);
            }
        }
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(decode(&bomb.finish().unwrap(), 1000), Err(Wrong::TooLong));
    }

    fn chunk(id: u8, number: u8, count: u8, data: &[u8]) -> Vec<u8> {
        [&CHUNK[..], &[id; 8], &[number, count], data].concat()
    }

    #[test]
    fn chunks_are_put_together_in_any_order_and_given_up_in_time() {
        let now = Instant::now();
        let mut chunks = Chunks::default();
        assert_eq!(chunks.push(b"{}", PEER, now).as_deref(), Some(&b"{}"[..]));
        assert_eq!(chunks.push(&chunk(1, 1, 2, b"b"), PEER, now), None);
        assert_eq!(chunks.push(&chunk(2, 0, 2, b"x"), PEER, now), None);
        assert_eq!(chunks.push(&chunk(1, 1, 2, b"b"), PEER, now), None, "the same again");
        assert_eq!(chunks.push(&chunk(1, 0, 2, b"a"), PEER, now).as_deref(), Some(&b"ab"[..]));
        assert_eq!(chunks.push(&chunk(3, 0, 1, b""), PEER, now).as_deref(), Some(&b""[..]));
        for odd in
            [&chunk(4, 2, 2, b"")[..], &chunk(4, 0, 0, b""), &chunk(4, 0, 200, b""), b"\x1e\x0f"]
        {
            assert_eq!(chunks.push(odd, PEER, now), None);
        }
        assert_eq!((chunks.take_invalid(), chunks.take_given_up()), (4, 0));
        chunks.expire(now + INCOMPLETE_MAX * 2);
        assert_eq!((chunks.take_given_up(), chunks.bytes), (1, 0));
        for number in 0..=INCOMPLETE_MESSAGES_MAX {
            let head = [&CHUNK[..], &(number as u64).to_le_bytes(), &[0, 2]].concat();
            chunks.push(&head, PEER, now);
        }
        assert_eq!(chunks.take_given_up(), INCOMPLETE_MESSAGES_MAX as u64);
    }

    proptest! {
        #[test]
        fn any_datagrams_are_taken(
            datagrams in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..14), 0..20),
        ) {
            let mut chunks = Chunks::default();
            for datagram in datagrams {
                let datagram = [&CHUNK[..], &datagram].concat();
                if let Some(message) = chunks.push(&datagram, PEER, Instant::now()) {
                    let _ = decode(&message, 100);
                }
            }
            let held: usize = chunks.incomplete.values().map(|message| message.bytes).sum();
            prop_assert_eq!(held, chunks.bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes, 100);
        }
    }
}
