//! OTLP logs, as protobuf and as JSON.
//!
//! In: an export request, unpacked. Out: an event for each log record: its body as the message
//! (or, where it is a map, as fields), attributes of the record, its scope and its resource under
//! their own names, which are those of ECS or near them.

mod json;
mod value;

use serde_json::{Map, Value as Json};

use super::Taken;
use super::object::time;
use super::protobuf::{Broken, Field, Fields, Writer};
use crate::config::IngestLimits;

use self::value::{any_value, key_value};

/// Attributes that ECS names otherwise.
const RENAMED: &[(&str, &str)] = &[
    ("client.address", "source.address"),
    ("client.port", "source.port"),
    ("exception.type", "error.type"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stack_trace"),
    ("process.executable.path", "process.executable"),
    ("process.executable.name", "process.name"),
    ("enduser.id", "user.name"),
    ("host.ip.address", "host.ip"),
];
/// Names of severities, by number divided by four.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// Attributes in the order they were sent.
pub(crate) type Attributes = Vec<(String, Json)>;

/// One log record, whatever the encoding.
#[derive(Debug, Default)]
pub(crate) struct LogRecord {
    at: u64,
    observed: u64,
    severity: u64,
    severity_text: String,
    body: Json,
    attributes: Attributes,
    trace: String,
    span: String,
    event_name: String,
}

/// Reads a protobuf `ExportLogsServiceRequest`.
///
/// # Errors
/// When the body is none.
pub fn decode_protobuf(body: &[u8], limits: &IngestLimits) -> Result<Taken, String> {
    let mut taken = Taken::default();
    let broken = |_| "the body is no export request for logs".to_owned();
    for field in Fields::new(body) {
        if let (1, Field::Bytes(logs)) = field.map_err(broken)? {
            resource_logs(logs, limits, &mut taken).map_err(broken)?;
        }
    }
    Ok(taken)
}

/// Reads a JSON `ExportLogsServiceRequest`.
///
/// # Errors
/// When the body is none.
pub fn decode_json(body: &[u8], limits: &IngestLimits) -> Result<Taken, String> {
    json::decode(body, limits)
}

/// The protobuf answer: empty, or how many were refused and why.
pub fn response(refused: usize, reason: &str) -> Vec<u8> {
    if refused == 0 {
        return Vec::new();
    }
    let partial = Writer::default().number(1, refused as u64).put(2, reason).bytes;
    Writer::default().put(1, partial).bytes
}

/// A protobuf `google.rpc.Status`, as failures over HTTP are told.
pub fn status(code: u32, message: &str) -> Vec<u8> {
    Writer::default().number(1, u64::from(code)).put(2, message).bytes
}

fn resource_logs(logs: &[u8], limits: &IngestLimits, taken: &mut Taken) -> Result<(), Broken> {
    let mut resource = Attributes::new();
    for field in Fields::new(logs) {
        if let (1, Field::Bytes(bytes)) = field? {
            for field in Fields::new(bytes) {
                if let (1, Field::Bytes(pair)) = field? {
                    resource.push(key_value(pair, 0)?);
                }
            }
        }
    }
    for field in Fields::new(logs) {
        // Before 1.0, scopes were called instrumentation libraries.
        let (2 | 1000, Field::Bytes(scope)) = field? else { continue };
        let mut name = String::new();
        for field in Fields::new(scope) {
            if let (1, Field::Bytes(about)) = field? {
                for field in Fields::new(about) {
                    if let (1, Field::Bytes(text)) = field? {
                        name = String::from_utf8_lossy(text).into_owned();
                    }
                }
            }
        }
        for field in Fields::new(scope) {
            if let (2, Field::Bytes(bytes)) = field? {
                log_record(bytes)?.write(&resource, &name, limits, taken);
            }
        }
    }
    Ok(())
}

fn log_record(bytes: &[u8]) -> Result<LogRecord, Broken> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut record = LogRecord::default();
    for field in Fields::new(bytes) {
        match field? {
            (1, Field::Fixed64(at)) => record.at = at,
            (2, Field::Number(number)) => record.severity = number,
            (3, Field::Bytes(bytes)) => record.severity_text = text(bytes),
            (5, Field::Bytes(bytes)) => record.body = any_value(bytes, 0)?,
            (6, Field::Bytes(pair)) => record.attributes.push(key_value(pair, 0)?),
            (9, Field::Bytes(id)) => record.trace = value::hex(id),
            (10, Field::Bytes(id)) => record.span = value::hex(id),
            (11, Field::Fixed64(at)) => record.observed = at,
            (12, Field::Bytes(bytes)) => record.event_name = text(bytes),
            _ => {}
        }
    }
    Ok(record)
}

impl LogRecord {
    fn write(self, resource: &Attributes, scope: &str, limits: &IngestLimits, taken: &mut Taken) {
        let mut out = Map::new();
        let at = if self.at == 0 { self.observed } else { self.at };
        if let Some(at) = i64::try_from(at).ok().filter(|at| *at > 0) {
            out.insert("@timestamp".to_owned(), time(at).into());
        }
        let mut attributes = self.attributes;
        let mut body = self.body;
        // A receiver of syslog gives the whole line as the body and its parts beside it.
        let find = |name: &str| attributes.iter().position(|(key, _)| key == name);
        if let (true, Some(place)) = (find("appname").is_some(), find("message")) {
            body = attributes.swap_remove(place).1;
        }
        match body {
            Json::Null => {}
            Json::Object(members) => {
                members.into_iter().for_each(|(key, value)| add(&mut out, key, value));
            }
            Json::String(line) => {
                add(&mut out, "message".into(), line.trim_end_matches(['\r', '\n']).into());
            }
            other => add(&mut out, "message".into(), other.to_string().into()),
        }
        attributes.into_iter().for_each(|(key, value)| add(&mut out, key, value));
        for (key, value) in resource {
            add(&mut out, key.clone(), value.clone());
        }
        let level = LEVELS.get((self.severity.saturating_sub(1) / 4) as usize);
        let level = level.filter(|_| self.severity > 0).map(|level| (*level).to_owned());
        let texts = [
            ("log.level", Some(self.severity_text).filter(|t| !t.is_empty()).or(level)),
            ("trace.id", Some(self.trace)),
            ("span.id", Some(self.span)),
            ("event.action", Some(self.event_name)),
            ("log.logger", Some(scope.to_owned())),
        ];
        for (key, value) in texts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                add(&mut out, key.to_owned(), value.into());
            }
        }
        if out.keys().all(|key| key == "@timestamp") {
            return taken.refuse("the log record has neither body nor attributes".into());
        }
        taken.push(Json::Object(out).to_string(), limits);
    }
}

/// Adds a member under its ECS name unless it is there.
fn add(out: &mut Map<String, Json>, key: String, value: Json) {
    let renamed = RENAMED.iter().find(|(name, _)| *name == key).map(|(_, ecs)| (*ecs).to_owned());
    let key = renamed.unwrap_or(key);
    if !key.is_empty() && !value.is_null() && !out.contains_key(&key) {
        out.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(taken: &Taken) -> Vec<String> {
        taken.events.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
    }

    fn text(text: &str) -> Vec<u8> {
        Writer::default().put(1, text).bytes
    }

    fn pair(key: &str, value: Vec<u8>) -> Vec<u8> {
        Writer::default().put(1, key).put(2, value).bytes
    }

    fn request(records: &[Vec<u8>]) -> Vec<u8> {
        let resource = Writer::default().put(1, pair("host.name", text("gate"))).bytes;
        let mut scope = Writer::default().put(1, text("lib"));
        for record in records {
            scope = scope.put(2, record);
        }
        let logs = Writer::default().put(1, resource).put(2, scope.bytes).bytes;
        Writer::default().put(1, logs).bytes
    }

    #[test]
    fn both_encodings_give_the_same_events() {
        let limits = IngestLimits::default();
        let record = Writer::default()
            .fixed64(1, 1_763_683_910_000_000_000)
            .number(2, 17)
            .put(5, text("Failed password\n"))
            .put(6, pair("client.address", text("192.0.2.1")))
            .put(6, pair("n", Writer::default().number(3, -5_i64 as u64).bytes))
            .put(9, [0xab, 0x01])
            .bytes;
        let map = pair("user.name", text("bob"));
        let map = Writer::default().put(6, Writer::default().put(1, map).bytes).bytes;
        let second = Writer::default().fixed64(11, 1_763_683_910_000_000_000).put(5, map).bytes;
        let body = request(&[record, second, Vec::new()]);
        let expected = [
            r#"{"@timestamp":"2025-11-21T00:11:50Z","message":"Failed password","source.address":"192.0.2.1","n":-5,"host.name":"gate","log.level":"error","trace.id":"ab01","log.logger":"lib"}"#,
            r#"{"@timestamp":"2025-11-21T00:11:50Z","user.name":"bob","host.name":"gate","log.logger":"lib"}"#,
            r#"{"host.name":"gate","log.logger":"lib"}"#,
        ];
        assert_eq!(show(&decode_protobuf(&body, &limits).unwrap()), expected);
        let json = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"gate"}}]},
            "scopeLogs":[{"scope":{"name":"lib"},"logRecords":[
            {"timeUnixNano":"1763683910000000000","severityNumber":17,"body":{"stringValue":"Failed password\n"},"traceId":"ab01",
             "attributes":[{"key":"client.address","value":{"stringValue":"192.0.2.1"}},{"key":"n","value":{"intValue":"-5"}}]},
            {"observedTimeUnixNano":1763683910000000000,"body":{"kvlistValue":{"values":[{"key":"user.name","value":{"stringValue":"bob"}}]}}},
            {}]}]}]}"#;
        assert_eq!(show(&decode_json(json.as_bytes(), &limits).unwrap()), expected);
        let syslog = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"<38>Nov 21 00:11:50 vm sshd[1]: x"},
            "attributes":[{"key":"appname","value":{"stringValue":"sshd"}},{"key":"message","value":{"stringValue":"x"}}]},{}]}]}]}"#;
        let taken = decode_json(syslog.as_bytes(), &limits).unwrap();
        assert_eq!(show(&taken), [r#"{"message":"x","appname":"sshd"}"#]);
        assert_eq!(taken.refused, 1);
        assert!(decode_json(b"[]", &limits).is_err() && decode_protobuf(b"\x0a", &limits).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let limits = IngestLimits::default();
            let _ = decode_protobuf(&bytes, &limits);
            let _ = decode_protobuf(&request(&[bytes.clone(), Writer::default().put(5, &bytes).bytes]), &limits);
            let _ = decode_json(&bytes, &limits);
        }
    }
}
