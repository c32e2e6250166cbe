//! What is fuzzed: bytes in; nothing, or what is wrong, out. A panic is always wrong, and so is
//! an event that is no JSON object, or a stream that means something else in other pieces.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use bytes::Bytes;
use tocsin_collect::frame::FrameDecoder;
use tocsin_collect::wire::gelf::Chunks;
use tocsin_collect::wire::msgpack::{Reader, Skimmer};
use tocsin_collect::wire::protobuf::Writer;
use tocsin_collect::wire::splunk::About;
use tocsin_collect::wire::{Taken, elastic, fluent, gelf, loki, lumberjack, otlp, splunk};
use tocsin_collect::{IngestLimits, decode_ingest};

/// A target.
pub type Run = fn(&[u8]) -> Result<(), String>;

/// The names of all targets.
pub const NAMES: &[&str] =
    &["ingest", "bulk", "hec", "loki", "otlp", "gelf", "lumberjack", "fluent", "msgpack", "frames"];

/// Seeds and function of a target.
pub fn target(name: &str) -> (Vec<Vec<u8>>, Run) {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match name {
        "ingest" => (texts(INGEST), ingest),
        "bulk" => (texts(BULK), bulk),
        "hec" => (texts(HEC), hec),
        "loki" => (loki_seeds(), loki_push),
        "otlp" => (otlp_seeds(), otlp_logs),
        "gelf" => (gelf_seeds(), gelf_messages),
        "lumberjack" => (lumberjack_seeds(), lumberjack_frames),
        "fluent" => (fluent_seeds(), fluent_message),
        "msgpack" => (fluent_seeds(), msgpack),
        _ => (texts(FRAMES), frames),
    }
}

const INGEST: &[&str] =
    &[r#"{"events":[{"format":"auth","raw":"x"},"y",{"a":1}]}"#, "{\"a\":1}\n[2]\nline"];
const BULK: &[&str] = &[
    "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"a\":1}\n{\"delete\":{}}\n{\"create\":null}\n{}\n",
];
const HEC: &[&str] = &[
    r#"{"time":"1763683910.25","host":"h","source":"/x","event":{"a":1},"fields":{"b":[2]}}{"event":"line"}"#,
    r#"[{"event":"a","sourcetype":"x","index":"main"}]"#,
];
const FRAMES: &[&str] = &["7 <34>one<35>two\n12 <36>a\nb", "<34>x\r\n\0"];

fn limits() -> IngestLimits {
    IngestLimits { body_bytes_max: 1 << 16, events_max: 100, event_bytes_max: 4096 }
}

/// Every event is one JSON object within the limit.
fn sound(taken: &Taken) -> Result<(), String> {
    for event in &taken.events {
        object(event)?;
    }
    Ok(())
}

fn object(event: &Bytes) -> Result<(), String> {
    match serde_json::from_slice::<serde_json::Value>(event) {
        Ok(serde_json::Value::Object(members)) if !members.is_empty() => Ok(()),
        // Deeper, or a larger number, than readers take; the parser keeps it as text.
        Err(error)
            if ["recursion limit", "number out of range"]
                .iter()
                .any(|known| error.to_string().contains(known)) =>
        {
            Ok(())
        }
        _ => Err("an event is no object".to_owned()),
    }
}

fn ingest(input: &[u8]) -> Result<(), String> {
    for kind in ["application/json", "", "text/plain"] {
        decode_ingest(Some(kind), input, &limits(), &|_| Ok(()));
    }
    Ok(())
}

fn bulk(input: &[u8]) -> Result<(), String> {
    let items = elastic::decode_bulk(input, None, &limits()).unwrap_or_default();
    items.iter().filter_map(|item| item.document.as_ref().ok()).try_for_each(object)
}

fn hec(input: &[u8]) -> Result<(), String> {
    sound(&splunk::decode_events(input, &About::default(), &limits()).0)?;
    sound(&splunk::decode_raw(input, &About::default(), &limits()))
}

fn loki_push(input: &[u8]) -> Result<(), String> {
    sound(&loki::decode_json(input, &limits()).unwrap_or_default())?;
    sound(&loki::decode_protobuf(input, &limits()).unwrap_or_default())
}

fn otlp_logs(input: &[u8]) -> Result<(), String> {
    sound(&otlp::decode_json(input, &limits()).unwrap_or_default())?;
    sound(&otlp::decode_protobuf(input, &limits()).unwrap_or_default())
}

fn gelf_messages(input: &[u8]) -> Result<(), String> {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (mut chunks, now) = (Chunks::default(), Instant::now());
    for datagram in input.split(|byte| *byte == b'\n').chain([input]) {
        if let Some(message) = chunks.push(datagram, peer, now)
            && let Ok(event) = gelf::decode(&message, 4096)
        {
            object(&event)?;
        }
    }
    Ok(())
}

fn lumberjack_frames(input: &[u8]) -> Result<(), String> {
    let decode = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (lumberjack::Decoder::new(&limits()), Vec::new());
        let broken = pieces.iter().any(|piece| decoder.push(piece, &mut out).is_err());
        (out, broken)
    };
    let (first, second) = input.split_at(input.len() / 2);
    let whole = decode(&[input]);
    if decode(&[first, second]) != whole {
        return Err("split: the pieces mean something else".to_owned());
    }
    for frame in &whole.0 {
        if let lumberjack::Frame::Event(_, Some(event)) = frame {
            object(event)?;
        }
    }
    Ok(())
}

fn fluent_message(input: &[u8]) -> Result<(), String> {
    sound(&fluent::decode(input, &limits()).unwrap_or_default().taken)?;
    let _ = fluent::pong(input, b"nonce", "key", "host");
    Ok(())
}

fn msgpack(input: &[u8]) -> Result<(), String> {
    let (mut text, mut reader) = (String::new(), Reader::new(input));
    let read = reader.json(&mut text).is_ok();
    let end = Skimmer::default().end(input).ok().flatten();
    if read != end.is_some() || (read && end != Some(input.len() - reader.rest().len())) {
        return Err("end: reading and skimming differ".to_owned());
    }
    let mut skimmer = Skimmer::default();
    let pieces = (0..=input.len()).step_by(7).chain([input.len()]);
    let in_pieces = pieces.map(|end| skimmer.end(&input[..end])).find(|end| *end != Ok(None));
    if in_pieces.and_then(Result::ok).flatten() != end {
        return Err("pieces: skimming in pieces differs".to_owned());
    }
    Ok(())
}

fn frames(input: &[u8]) -> Result<(), String> {
    let decode = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (FrameDecoder::new(4096), Vec::new());
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        out.extend(decoder.finish());
        out
    };
    let (first, second) = input.split_at(input.len() / 2);
    match decode(&[first, second]) == decode(&[input]) {
        true => Ok(()),
        false => Err("split: the pieces mean something else".to_owned()),
    }
}

fn loki_seeds() -> Vec<Vec<u8>> {
    let json = r#"{"streams":[{"stream":{"job":"x"},"values":[["1","line",{"a":"b"}]]}]}"#;
    let pair = Writer::default().put(1, "a").put(2, "b").bytes;
    let at = Writer::default().number(1, 5).number(2, 7).bytes;
    let entry = Writer::default().put(1, at).put(2, "line").put(3, pair).bytes;
    let stream = Writer::default().put(1, r#"{job="x"}"#).put(2, entry).bytes;
    vec![json.as_bytes().to_vec(), Writer::default().put(1, stream).bytes]
}

fn otlp_seeds() -> Vec<Vec<u8>> {
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}}]}]}]}"#;
    let text = Writer::default().put(1, "line").bytes;
    let pair = Writer::default().put(1, "key").put(2, &text).bytes;
    let map = Writer::default().put(6, Writer::default().put(1, &pair).bytes).bytes;
    let record = Writer::default().fixed64(1, 1).number(2, 9).put(5, map).put(6, &pair).bytes;
    let scope = Writer::default().put(2, record).bytes;
    let logs = Writer::default().put(1, Writer::default().put(1, pair).bytes).put(2, scope).bytes;
    vec![json.as_bytes().to_vec(), Writer::default().put(1, logs).bytes]
}

fn gelf_seeds() -> Vec<Vec<u8>> {
    let json =
        r#"{"version":"1.1","host":"h","short_message":"x","level":3,"timestamp":1.5,"_a":1}"#;
    let chunks = b"\x1e\x0faaaaaaaa\x00\x02{\"short_\n\x1e\x0faaaaaaaa\x01\x02message\":\"x\"}";
    vec![json.as_bytes().to_vec(), chunks.to_vec()]
}

fn lumberjack_seeds() -> Vec<Vec<u8>> {
    let plain = b"2W\0\0\0\x022J\0\0\0\x01\0\0\0\x07{\"a\":1}2J\0\0\0\x02\0\0\0\x02{}".to_vec();
    // The same, stored in zlib without packing it.
    let length = (plain.len() as u16).to_le_bytes();
    let mut stored = [b"\x78\x01\x01", &length[..], &length.map(|byte| !byte), &plain].concat();
    let sum = plain.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    stored.extend((sum.1 << 16 | sum.0).to_be_bytes());
    let packed = [b"2C", &(stored.len() as u32).to_be_bytes()[..], &stored].concat();
    vec![plain, packed]
}

fn fluent_seeds() -> Vec<Vec<u8>> {
    let entry = b"\x92\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02\x81\xa3log\xa4line";
    let list = [b"\x93\xa1t\x91", &entry[..], b"\x81\xa5chunk\xa1c"].concat();
    let packed = [b"\x92\xa1t\xc4", &[entry.len() as u8][..], entry].concat();
    let single = b"\x93\xa1t\x05\x82\xa1a\x92\x01\xcb\x3f\xf0\0\0\0\0\0\0\xa1b\xc0".to_vec();
    let ping = b"\x96\xa4PING\xa1c\xa1s\xa1p\xa0\xa0".to_vec();
    vec![list, packed, single, ping]
}
