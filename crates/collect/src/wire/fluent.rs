//! Fluent's forward protocol, version 1: what Fluentd and Fluent Bit send each other.
//!
//! In: whole messages. Out: events, and the chunk that is to be acknowledged. The handshake with
//! a shared key is computed here; its randomness comes from outside.

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha512};
use std::io::Read;

use super::Taken;
use super::msgpack::{Broken, Reader, Value, event_time};
use super::object::{ObjectWriter, time};
use crate::config::IngestLimits;

/// Longest tag that is kept, in bytes.
const TAG_BYTES_MAX: usize = 1024;

/// A message of a sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its events.
    pub taken: Taken,
    /// What the sender wants to have acknowledged.
    pub chunk: Option<Bytes>,
}

/// Reads one whole message in any of the three modes.
///
/// # Errors
/// When it is none.
pub fn decode(bytes: &[u8], limits: &IngestLimits) -> Result<Message, Broken> {
    let mut reader = Reader::new(bytes);
    let count = match reader.value()? {
        Value::Array(count @ 2..=5) => count,
        // Nothing, sent to keep the connection open.
        Value::Nil => return Ok(Message::default()),
        _ => return Err(Broken),
    };
    let Value::Text(tag) = reader.value()? else { return Err(Broken) };
    let tag = String::from_utf8_lossy(tag.get(..TAG_BYTES_MAX).unwrap_or(tag)).into_owned();
    // The option stands last and says how to read what stands before.
    let body = reader.clone();
    let passed = match reader.clone().value()? {
        Value::Array(_) | Value::Binary(_) | Value::Text(_) if !is_time(&reader) => 1,
        _ => 2,
    };
    for _ in 0..passed {
        reader.skip()?;
    }
    let options = if count > passed + 1 { options(&mut reader)? } else { Options::default() };
    let mut message = Message { chunk: options.chunk.clone(), ..Message::default() };
    let mut entries = body;
    if passed == 2 {
        entry(&mut entries, &tag, limits, &mut message.taken)?;
        return Ok(message);
    }
    match entries.value()? {
        Value::Array(count) => {
            for _ in 0..count {
                pair(&mut entries, &tag, limits, &mut message.taken)?;
            }
        }
        Value::Binary(packed) | Value::Text(packed) => {
            let unpacked = if options.gzip { Some(unpack(packed, limits)?) } else { None };
            let mut entries = Reader::new(unpacked.as_deref().unwrap_or(packed));
            while !entries.rest().is_empty() {
                pair(&mut entries, &tag, limits, &mut message.taken)?;
            }
        }
        _ => return Err(Broken),
    }
    Ok(message)
}

/// Whether a list of two is a time with metadata and not a list of events.
fn is_time(reader: &Reader<'_>) -> bool {
    let mut ahead = reader.clone();
    matches!(ahead.value(), Ok(Value::Array(2)))
        && matches!(ahead.value(), Ok(Value::Number(_) | Value::Float(_) | Value::Extension(..)))
}

#[derive(Default)]
struct Options {
    chunk: Option<Bytes>,
    gzip: bool,
}

fn options(reader: &mut Reader<'_>) -> Result<Options, Broken> {
    let mut options = Options::default();
    let Value::Map(count) = reader.value()? else { return Ok(options) };
    for _ in 0..count {
        let key = reader.key()?;
        let mut value = reader.clone();
        reader.skip()?;
        match (key.as_str(), value.value()?) {
            ("chunk", Value::Text(chunk) | Value::Binary(chunk)) => {
                options.chunk = Some(Bytes::copy_from_slice(chunk));
            }
            ("compressed", Value::Text(b"gzip")) => options.gzip = true,
            ("compressed", Value::Text(b"text")) => {}
            ("compressed", _) => return Err(Broken),
            _ => {}
        }
    }
    Ok(options)
}

fn unpack(packed: &[u8], limits: &IngestLimits) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    let max = limits.body_bytes_max;
    let read = MultiGzDecoder::new(packed).take(max as u64 + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() > max { Err(Broken) } else { Ok(bytes) }
}

/// A time and a record in a list.
fn pair(
    reader: &mut Reader<'_>,
    tag: &str,
    limits: &IngestLimits,
    taken: &mut Taken,
) -> Result<(), Broken> {
    match reader.value()? {
        Value::Array(2) => entry(reader, tag, limits, taken),
        _ => Err(Broken),
    }
}

/// A time and a record.
fn entry(
    reader: &mut Reader<'_>,
    tag: &str,
    limits: &IngestLimits,
    taken: &mut Taken,
) -> Result<(), Broken> {
    let at = read_time(reader)?;
    let Value::Map(count) = reader.value()? else { return Err(Broken) };
    let mut out = ObjectWriter::new();
    let mut timed = false;
    for _ in 0..count {
        let key = reader.key()?;
        timed |= matches!(key.as_str(), "@timestamp" | "timestamp" | "time");
        let mut value = String::new();
        reader.json(&mut value)?;
        out.raw(&key, &value);
    }
    if let Some(at) = at.filter(|_| !timed) {
        out.text("@timestamp", &time(at));
    }
    out.text("fluent.tag", tag);
    match count {
        0 => taken.refuse("the record is empty".into()),
        _ => taken.push(out.finish(), limits),
    }
    Ok(())
}

/// Seconds, Fluent's own form with nanoseconds, or one of these with metadata.
fn read_time(reader: &mut Reader<'_>) -> Result<Option<i64>, Broken> {
    Ok(match reader.value()? {
        Value::Number(seconds) => {
            i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000_000))
        }
        Value::Float(seconds) => super::nanos_of_seconds(&seconds.to_string()),
        Value::Extension(0, bytes) => event_time(bytes),
        Value::Array(2) => {
            let mut time = reader.clone();
            reader.skip()?;
            reader.skip()?;
            match time.value()? {
                Value::Extension(0, bytes) => event_time(bytes),
                Value::Number(seconds) => {
                    i64::try_from(seconds).ok().and_then(|at| at.checked_mul(1_000_000_000))
                }
                _ => None,
            }
        }
        _ => None,
    })
}

/// Says that a chunk is safe.
pub fn ack(chunk: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81];
    text(b"ack", &mut out);
    text(chunk, &mut out);
    out
}

/// The first message of a server that wants a shared key.
pub fn helo(nonce: &[u8]) -> Vec<u8> {
    let mut out = vec![0x92];
    text(b"HELO", &mut out);
    out.push(0x83);
    text(b"nonce", &mut out);
    text(nonce, &mut out);
    text(b"auth", &mut out);
    text(b"", &mut out);
    text(b"keepalive", &mut out);
    out.push(0xc3);
    out
}

/// Whether a client's answer proves that it knows the key, and what it is told.
///
/// # Errors
/// When it is no such answer.
pub fn pong(ping: &[u8], nonce: &[u8], key: &str, host: &str) -> Result<(bool, Vec<u8>), Broken> {
    let mut reader = Reader::new(ping);
    let Value::Array(6) = reader.value()? else { return Err(Broken) };
    let mut part = || match reader.value()? {
        Value::Text(text) | Value::Binary(text) => Ok(text),
        _ => Err(Broken),
    };
    let (word, client, salt, proof) = (part()?, part()?, part()?, part()?);
    if word != b"PING" {
        return Err(Broken);
    }
    let expected = digest(&[salt, client, nonce, key.as_bytes()]);
    // Hashes of both are compared, so that time tells nothing.
    let good = blake3::hash(expected.as_bytes()) == blake3::hash(proof);
    let mut out = vec![0x95];
    text(b"PONG", &mut out);
    out.push(if good { 0xc3 } else { 0xc2 });
    text(if good { b"" } else { b"shared_key mismatch" }, &mut out);
    text(host.as_bytes(), &mut out);
    let proof =
        if good { digest(&[salt, host.as_bytes(), nonce, key.as_bytes()]) } else { String::new() };
    text(proof.as_bytes(), &mut out);
    Ok((good, out))
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha512::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    // Nothing that is written here is longer than 16 bits can say.
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    match u8::try_from(bytes.len()) {
        Ok(length @ 0..32) => out.push(0xa0 | length),
        Ok(length) => out.extend([0xd9, length]),
        Err(_) => {
            out.push(0xda);
            out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    const RECORD: &[u8] = b"\x81\xa7message\xa4line";
    const TIME: &[u8] = b"\xce\x69\x1f\xaf\xc6";

    fn show(bytes: &[u8]) -> Result<(Vec<String>, Option<String>), Broken> {
        let message = decode(bytes, &IngestLimits::default())?;
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((message.taken.events.iter().map(text).collect(), message.chunk.as_ref().map(text)))
    }

    #[test]
    fn every_mode_gives_events_and_the_chunk_to_acknowledge() {
        let line =
            r#"{"message":"line","@timestamp":"2025-11-21T00:18:14Z","fluent.tag":"t"}"#.to_owned();
        let chunk = b"\x82\xa5chunk\xa2c1\xa4size\x01";
        let entry = [b"\x92", TIME, RECORD].concat();
        let with_meta = [b"\x92\x92", TIME, b"\x80", RECORD].concat();
        let twice = [&entry[..], &with_meta].concat();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&twice).unwrap();
        let gzip = gzip.finish().unwrap();
        let binary = |bytes: &[u8]| [&[0xc4, bytes.len() as u8], bytes].concat();
        let cases = [
            ([b"\x93\xa1t", TIME, RECORD].concat(), 1, None),
            ([b"\x94\xa1t", TIME, RECORD, chunk].concat(), 1, Some("c1")),
            ([b"\x92\xa1t\x92", &twice[..]].concat(), 2, None),
            ([b"\x93\xa1t\x92", &twice[..], chunk].concat(), 2, Some("c1")),
            ([b"\x92\xa1t", &binary(&twice)[..]].concat(), 2, None),
            ([b"\x93\xa1t", &binary(&twice)[..], chunk].concat(), 2, Some("c1")),
            ([b"\x93\xa1t", &binary(&gzip)[..], b"\x81\xaacompressed\xa4gzip"].concat(), 2, None),
            (b"\xc0".to_vec(), 0, None),
        ];
        for (bytes, count, chunk) in cases {
            let expected = (vec![line.clone(); count], chunk.map(str::to_owned));
            assert_eq!(show(&bytes), Ok(expected), "{bytes:x?}");
        }
        for wrong in [&b"\x91\xa1t"[..], b"\x92\x01\x90", b"\x93\xa1t\x01\x02", b"\xa1t"] {
            assert_eq!(show(wrong), Err(Broken), "{wrong:x?}");
        }
        assert_eq!(ack(b"c1"), b"\x81\xa3ack\xa2c1");
    }

    #[test]
    fn only_who_knows_the_key_is_let_in() {
        let ping = |key: &str| {
            let proof = digest(&[b"salt", b"client", b"nonce", key.as_bytes()]);
            let mut out = vec![0x96];
            for part in ["PING", "client", "salt", &proof, "", ""] {
                text(part.as_bytes(), &mut out);
            }
            out
        };
        let (good, answer) = pong(&ping("key"), b"nonce", "key", "server").unwrap();
        assert!(good && answer.starts_with(b"\x95\xa4PONG\xc3\xa0\xa6server"));
        assert!(!pong(&ping("other"), b"nonce", "key", "server").unwrap().0);
        assert!(!pong(&ping("key"), b"other", "key", "server").unwrap().0);
        assert!(pong(b"\x92\xa4PING\xa1x", b"nonce", "key", "server").is_err());
        assert!(helo(b"nonce").starts_with(b"\x92\xa4HELO\x83\xa5nonce\xa5nonce"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            head in 0x90_u8..0x96,
        ) {
            let _ = show(&bytes);
            let _ = show(&[&[head, 0xa1, b't'], &bytes[..]].concat());
            let _ = pong(&[&[0x96], &bytes[..]].concat(), b"n", "k", "h");
        }
    }
}
