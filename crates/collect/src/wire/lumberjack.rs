//! Lumberjack version 2, which Beats and Logstash speak.
//!
//! In: chunks of bytes of a connection. Out: windows and events, each with its number, which is
//! acknowledged once the event is safe. Never holds more than one frame of the greatest length,
//! packed and unpacked.

use std::io::Read;

use bytes::{Buf, Bytes, BytesMut};
use flate2::read::ZlibDecoder;

use super::object::{Members, ObjectWriter};
use crate::config::IngestLimits;

/// Bytes of a frame before its content: version, kind, and one or two numbers.
const SHORT_HEAD_BYTES: usize = 6;
const EVENT_HEAD_BYTES: usize = 10;
/// What Beats tell their output about an event; it is nothing of the event.
const METADATA: &str = "@metadata";

/// What is in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// So many events come before an acknowledgement is waited for.
    Window(u32),
    /// An event, and its number; `None` when it is no JSON object or too long.
    Event(u32, Option<Bytes>),
}

/// The connection speaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not lumberjack version 2, or a frame over the limit")]
pub struct Broken;

/// Splits one connection's bytes into frames.
#[derive(Debug)]
pub struct Decoder {
    limits: IngestLimits,
    held: BytesMut,
    /// Bytes to come of an event that is too long.
    skip: usize,
}

impl Decoder {
    /// For a new connection.
    pub fn new(limits: &IngestLimits) -> Self {
        Self { limits: limits.clone(), held: BytesMut::new(), skip: 0 }
    }

    /// Takes the next bytes and appends the frames that they complete.
    ///
    /// # Errors
    /// When they are none: the connection is of no use then.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Frame>) -> Result<(), Broken> {
        let skipped = self.skip.min(chunk.len());
        self.skip -= skipped;
        self.held.extend_from_slice(&chunk[skipped..]);
        while let Some(length) = self.frame_length()? {
            let frame = self.held.split_to(length);
            match frame[1] {
                b'C' => {
                    let unpacked = unpack(&frame[SHORT_HEAD_BYTES..], &self.limits)?;
                    self.inner(&unpacked, out)?;
                }
                _ => out.push(read_frame(&frame)),
            }
        }
        self.skip_long(out)?;
        Ok(())
    }

    /// The length of the frame that `held` begins with, when all of it is there.
    fn frame_length(&self) -> Result<Option<usize>, Broken> {
        let Some(length) = length_of(&self.held)? else { return Ok(None) };
        if self.held[1] == b'C' && length > self.limits.body_bytes_max {
            return Err(Broken);
        }
        Ok((length <= self.held.len() && !self.is_long(length)).then_some(length))
    }

    fn is_long(&self, length: usize) -> bool {
        self.held.get(1) == Some(&b'J') && length > self.limits.event_bytes_max + EVENT_HEAD_BYTES
    }

    /// Passes over an event that is too long, as far as it is there.
    fn skip_long(&mut self, out: &mut Vec<Frame>) -> Result<(), Broken> {
        let Some(length) = length_of(&self.held)?.filter(|length| self.is_long(*length)) else {
            return Ok(());
        };
        out.push(Frame::Event(number(&self.held, 2), None));
        let there = length.min(self.held.len());
        self.held.advance(there);
        self.skip = length - there;
        if self.held.is_empty() { Ok(()) } else { self.push(&[], out) }
    }

    /// Frames that came packed.
    fn inner(&self, mut bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let length = length_of(bytes)?.filter(|length| *length <= bytes.len());
            let (frame, rest) = bytes.split_at(length.ok_or(Broken)?);
            if frame[1] == b'C' {
                return Err(Broken);
            }
            let frame = match read_frame(frame) {
                Frame::Event(at, _) if frame.len() > self.limits.event_bytes_max => {
                    Frame::Event(at, None)
                }
                frame => frame,
            };
            out.push(frame);
            bytes = rest;
        }
        Ok(())
    }
}

/// The length of the frame that bytes begin with; `None` when too little of it is there to say.
fn length_of(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    if bytes.first().is_some_and(|version| *version != b'2') {
        return Err(Broken);
    }
    let Some(kind) = bytes.get(1) else { return Ok(None) };
    let size = |at: usize| usize::try_from(number(bytes, at)).map_err(|_| Broken);
    let length = match kind {
        b'W' => SHORT_HEAD_BYTES,
        b'C' if bytes.len() >= SHORT_HEAD_BYTES => SHORT_HEAD_BYTES.saturating_add(size(2)?),
        b'J' if bytes.len() >= EVENT_HEAD_BYTES => EVENT_HEAD_BYTES.saturating_add(size(6)?),
        b'C' | b'J' => return Ok(None),
        _ => return Err(Broken),
    };
    Ok(Some(length))
}

/// The number at a place; 0 when it is not there.
fn number(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

/// Reads a whole frame that is not packed.
fn read_frame(frame: &[u8]) -> Frame {
    match frame.get(1) {
        Some(b'J') => Frame::Event(number(frame, 2), event(&frame[EVENT_HEAD_BYTES..])),
        _ => Frame::Window(number(frame, 2)),
    }
}

fn event(json: &[u8]) -> Option<Bytes> {
    let text = String::from_utf8_lossy(json);
    let members = Members::of(&text).filter(|members| !members.0.is_empty())?;
    if !members.0.iter().any(|(key, _)| key == METADATA) {
        return Some(Bytes::copy_from_slice(text.trim().as_bytes()));
    }
    let mut out = ObjectWriter::new();
    for (key, value) in members.0.iter().filter(|(key, _)| key != METADATA) {
        out.raw(key, value.get());
    }
    Some(Bytes::from(out.finish()))
}

fn unpack(packed: &[u8], limits: &IngestLimits) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    let max = limits.body_bytes_max;
    let read = ZlibDecoder::new(packed).take(max as u64 + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() > max { Err(Broken) } else { Ok(bytes) }
}

/// The acknowledgement of everything up to an event; of 0, that we are still busy.
pub fn ack(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [b'2', b'A', a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;

    fn json(number: u32, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap();
        [b"2J", &number.to_be_bytes()[..], &length.to_be_bytes(), text.as_bytes()].concat()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(bytes).unwrap();
        let bytes = zlib.finish().unwrap();
        [b"2C", &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    }

    fn decode(chunks: &[&[u8]]) -> Result<Vec<String>, Broken> {
        let limits =
            IngestLimits { body_bytes_max: 200, event_bytes_max: 20, ..IngestLimits::default() };
        let (mut decoder, mut frames) = (Decoder::new(&limits), Vec::new());
        for chunk in chunks {
            decoder.push(chunk, &mut frames)?;
        }
        let show = |frame: &Frame| match frame {
            Frame::Window(size) => format!("window {size}"),
            Frame::Event(at, None) => format!("{at} -"),
            Frame::Event(at, Some(bytes)) => format!("{at} {}", String::from_utf8_lossy(bytes)),
        };
        Ok(frames.iter().map(show).collect())
    }

    #[test]
    fn frames_are_read_packed_or_not_wherever_they_are_split() {
        let events = [
            json(1, r#"{"a":1}"#),
            json(2, r#"{"@metadata":{"x":1},"b":2}"#),
            json(3, "[]"),
            json(4, r#"{"a":4}"#),
        ]
        .concat();
        let window = b"2W\0\0\0\x04".to_vec();
        let plain = [&window[..], &events].concat();
        let expected = ["window 4", r#"1 {"a":1}"#, "2 -", "3 -", r#"4 {"a":4}"#];
        let bytes: Vec<&[u8]> = plain.chunks(1).collect();
        assert_eq!(decode(&[&plain]).unwrap(), expected);
        assert_eq!(decode(&bytes).unwrap(), expected);
        assert_eq!(decode(&[&[&window[..], &packed(&events)].concat()]).unwrap(), expected);
        let short = json(7, r#"{"@metadata":1,"b":2}"#.replace("\"@metadata\":1,", "").as_str());
        assert_eq!(decode(&[&short]).unwrap(), [r#"7 {"b":2}"#]);
        for wrong in [&b"1W\0\0\0\x01"[..], b"GET / HTTP/1.1", b"2C\xff\xff\xff\xff", b"2X"] {
            assert_eq!(decode(&[wrong]), Err(Broken));
        }
        assert_eq!(decode(&[&packed(&packed(b"x"))]), Err(Broken));
        assert_eq!(decode(&[&packed(&vec![b'2'; 300])]), Err(Broken));
        assert_eq!(ack(258), *b"2A\0\0\x01\x02");
    }

    proptest! {
        #[test]
        fn split_points_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b"2W\0\0\0\x01".to_vec()),
                (0..3_u32, "[{}\"a:1]{0,30}").prop_map(|(at, text)| json(at, &text)),
                "[{}\"a:1]{0,9}".prop_map(|text| packed(&json(1, &text))),
                proptest::collection::vec(any::<u8>(), 0..3),
            ], 0..6),
            cut in 0_usize..150,
        ) {
            let bytes = bytes.concat();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(decode(&[first, second]), decode(&[&bytes]));
        }
    }
}
