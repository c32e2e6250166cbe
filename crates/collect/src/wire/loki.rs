//! Loki's push: streams of lines with labels, as JSON or protobuf.
//!
//! In: the body, unpacked. Out: for each line an object with the line as its message. Labels that
//! say where the line comes from are given their ECS names, the others stay labels.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::object::{ObjectWriter, quote, time};
use super::protobuf::{Field, Fields};
use super::{Taken, nanos_of_seconds};
use crate::config::IngestLimits;

/// Labels that mean an ECS field.
const KNOWN: &[(&str, &str)] = &[
    ("host", "host.name"),
    ("hostname", "host.name"),
    ("nodename", "host.name"),
    ("node_name", "host.name"),
    ("host_name", "host.name"),
    ("filename", "log.file.path"),
    ("path", "log.file.path"),
    ("__path__", "log.file.path"),
    ("log_file_path", "log.file.path"),
    ("syslog_identifier", "program"),
    ("program", "program"),
    ("app_name", "program"),
    ("service_name", "service.name"),
    ("service", "service.name"),
    ("app", "service.name"),
    ("container", "container.name"),
    ("container_name", "container.name"),
    ("level", "log.level"),
    ("detected_level", "log.level"),
    ("severity", "log.level"),
    ("trace_id", "trace.id"),
    ("traceID", "trace.id"),
];
/// Longest text of labels that is read, in bytes.
const LABELS_BYTES_MAX: usize = 64 << 10;

/// Labels of a stream or a line.
type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Reads the JSON form.
///
/// # Errors
/// When the body as a whole is none.
pub fn decode_json(body: &[u8], limits: &IngestLimits) -> Result<Taken, String> {
    let text = String::from_utf8_lossy(body);
    let push: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let streams = push.get("streams").and_then(Json::as_array).ok_or("streams must be a list")?;
    let mut taken = Taken::default();
    for stream in streams {
        let mut labels = pairs(stream.get("stream"));
        let old = stream.get("labels").and_then(Json::as_str);
        labels.extend(old.map(read_labels).unwrap_or_default());
        let values = stream.get("values").and_then(Json::as_array).into_iter().flatten();
        for value in values {
            let (at, line) = (value.get(0), value.get(1).and_then(Json::as_str));
            let Some(line) = line else {
                taken.refuse("a value must be [\"nanoseconds\", \"line\"]".into());
                continue;
            };
            let at = at.and_then(|at| at.as_str().map_or_else(|| at.as_i64(), |t| t.parse().ok()));
            write(at, line, &labels, &pairs(value.get(2)), limits, &mut taken);
        }
        // The form before 2019.
        for entry in stream.get("entries").and_then(Json::as_array).into_iter().flatten() {
            let Some(line) = entry.get("line").and_then(Json::as_str) else {
                taken.refuse("an entry must have a line".into());
                continue;
            };
            let at = entry.get("ts").and_then(Json::as_str);
            let parse = |at: &str| tocsin_model::Timestamp::parse_rfc3339(at).map(|time| time.0);
            let at = at.and_then(|at| parse(at).or_else(|| nanos_of_seconds(at)));
            write(at, line, &labels, &[], limits, &mut taken);
        }
    }
    Ok(taken)
}

/// Texts of an object.
fn pairs(object: Option<&Json>) -> Labels<'_> {
    let members = object.and_then(Json::as_object).into_iter().flatten();
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.map(|(key, value)| (Cow::Borrowed(key.as_str()), Cow::Owned(text(value)))).collect()
}

/// Reads the protobuf form (`logproto.PushRequest`), unpacked.
///
/// # Errors
/// When the body is none.
pub fn decode_protobuf(body: &[u8], limits: &IngestLimits) -> Result<Taken, String> {
    let mut taken = Taken::default();
    let broken = |_| "the body is no push request of Loki".to_owned();
    for field in Fields::new(body) {
        if let (1, Field::Bytes(stream)) = field.map_err(broken)? {
            read_stream(stream, limits, &mut taken).map_err(broken)?;
        }
    }
    Ok(taken)
}

fn read_stream(
    stream: &[u8],
    limits: &IngestLimits,
    taken: &mut Taken,
) -> Result<(), super::protobuf::Broken> {
    let mut labels = String::new();
    for field in Fields::new(stream) {
        if let (1, Field::Bytes(text)) = field? {
            labels = String::from_utf8_lossy(text).into_owned();
        }
    }
    let labels = read_labels(&labels);
    for field in Fields::new(stream) {
        let (2, Field::Bytes(entry)) = field? else { continue };
        let (mut at, mut line, mut more) = (None, Cow::Borrowed(""), Labels::new());
        for field in Fields::new(entry) {
            match field? {
                (1, Field::Bytes(time)) => at = read_time(time)?,
                (2, Field::Bytes(text)) => line = String::from_utf8_lossy(text),
                (3, Field::Bytes(pair)) => more.push(read_pair(pair)?),
                _ => {}
            }
        }
        write(at, &line, &labels, &more, limits, taken);
    }
    Ok(())
}

/// Seconds and nanoseconds of a protobuf timestamp.
fn read_time(bytes: &[u8]) -> Result<Option<i64>, super::protobuf::Broken> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Number(value)) => seconds = value as i64,
            (2, Field::Number(value)) => nanos = value as i64,
            _ => {}
        }
    }
    Ok(seconds.checked_mul(1_000_000_000).and_then(|time| time.checked_add(nanos)))
}

fn read_pair(bytes: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), super::protobuf::Broken> {
    let (mut name, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""));
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Bytes(text)) => name = String::from_utf8_lossy(text),
            (2, Field::Bytes(text)) => value = String::from_utf8_lossy(text),
            _ => {}
        }
    }
    Ok((name, value))
}

/// Reads `{job="x", host="y"}`; what does not fit ends it.
fn read_labels(text: &str) -> Labels<'static> {
    let mut labels = Labels::new();
    let Some(mut rest) = text.trim().strip_prefix('{') else { return labels };
    if rest.len() > LABELS_BYTES_MAX {
        return labels;
    }
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ']).to_owned();
        let mut values = serde_json::Deserializer::from_str(after.trim_start()).into_iter();
        let Some(Ok(value)) = values.next() else { break };
        let at = values.byte_offset();
        let value: String = value;
        rest = after.trim_start().get(at..).unwrap_or_default();
        labels.push((Cow::Owned(name), Cow::Owned(value)));
    }
    labels
}

fn write(
    at: Option<i64>,
    line: &str,
    labels: &[(Cow<'_, str>, Cow<'_, str>)],
    more: &[(Cow<'_, str>, Cow<'_, str>)],
    limits: &IngestLimits,
    taken: &mut Taken,
) {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return taken.refuse("the line is empty".into());
    }
    let mut out = ObjectWriter::new();
    if let Some(at) = at {
        out.text("@timestamp", &time(at));
    }
    out.text("message", line);
    let mut written: Vec<&str> = Vec::new();
    let mut others = String::new();
    for (name, value) in more.iter().chain(labels) {
        let field = KNOWN.iter().find(|(label, _)| label == name).map(|(_, field)| *field);
        match field {
            Some(field) if !written.contains(&field) => {
                out.text(field, value);
                written.push(field);
            }
            _ => {
                others.push(if others.is_empty() { '{' } else { ',' });
                quote(name, &mut others);
                others.push(':');
                quote(value, &mut others);
            }
        }
    }
    if !others.is_empty() {
        others.push('}');
        out.raw("labels", &others);
    }
    taken.push(out.finish(), limits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::protobuf::Writer;
    use super::*;

    fn show(taken: &Taken) -> Vec<String> {
        taken.events.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
    }

    #[test]
    fn both_forms_give_the_same_events() {
        let limits = IngestLimits::default();
        let json = r#"{"streams":[{"stream":{"job":"auth","host":"gate","filename":"/var/log/auth.log"},
            "values":[["1763683910000000000","line \"one\"\n",{"trace_id":"ab"}],["x",7],["1"," "]]}]}"#;
        let taken = decode_json(json.as_bytes(), &limits).unwrap();
        let expected = [
            r#"{"@timestamp":"2025-11-21T00:11:50Z","message":"line \"one\"","trace.id":"ab","host.name":"gate","log.file.path":"/var/log/auth.log","labels":{"job":"auth"}}"#,
        ];
        assert_eq!(show(&taken), expected);
        assert_eq!(taken.refused, 2);
        let pair = Writer::default().put(1, "trace_id").put(2, "ab").bytes;
        let at = Writer::default().number(1, 1_763_683_910).bytes;
        let entry = Writer::default().put(1, at).put(2, "line \"one\"\n").put(3, pair).bytes;
        let labels = r#"{job="auth", host="gate",filename="/var/log/auth.log"}"#;
        let stream = Writer::default().put(1, labels).put(2, entry).number(3, 99).bytes;
        let body = Writer::default().put(1, stream).bytes;
        assert_eq!(show(&decode_protobuf(&body, &limits).unwrap()), expected);
        let old = r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2025-11-21T00:11:50Z","line":"x"}]}]}"#;
        let old = decode_json(old.as_bytes(), &limits).unwrap();
        assert_eq!(
            show(&old),
            [r#"{"@timestamp":"2025-11-21T00:11:50Z","message":"x","labels":{"a":"b"}}"#]
        );
        assert!(decode_json(b"{}", &limits).is_err());
        assert!(decode_protobuf(b"\x0a\xff", &limits).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            labels in r#"[{}=", a-z\\]{0,30}"#,
        ) {
            let limits = IngestLimits::default();
            let _ = decode_protobuf(&bytes, &limits);
            let _ = decode_json(&bytes, &limits);
            read_labels(&labels);
        }
    }
}
