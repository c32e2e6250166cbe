//! OTLP's JSON encoding.

use serde_json::Value as Json;

use super::super::Taken;
use super::value::{any_value_of_json, key_value_of_json};
use super::{Attributes, LogRecord};
use crate::config::IngestLimits;

pub(super) fn decode(body: &[u8], limits: &IngestLimits) -> Result<Taken, String> {
    let text = String::from_utf8_lossy(body);
    let request: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let request = request.as_object().ok_or("an export request must be an object")?;
    let mut taken = Taken::default();
    let logs = request.get("resourceLogs").or(request.get("resource_logs"));
    for logs in list(logs) {
        let resource = attributes(logs.get("resource").and_then(|about| about.get("attributes")));
        for scope in list(member(logs, "scopeLogs", "scope_logs")) {
            let name = scope.get("scope").and_then(|about| about.get("name"));
            let name = name.and_then(Json::as_str).unwrap_or_default();
            for record in list(member(scope, "logRecords", "log_records")) {
                log_record(record).write(&resource, name, limits, &mut taken);
            }
        }
    }
    Ok(taken)
}

fn list(value: Option<&Json>) -> impl Iterator<Item = &Json> {
    value.and_then(Json::as_array).into_iter().flatten()
}

/// A member by its name, or by that of the protobuf definition, which readers have to take too.
fn member<'j>(value: &'j Json, name: &str, other: &str) -> Option<&'j Json> {
    value.get(name).or_else(|| value.get(other))
}

fn attributes(value: Option<&Json>) -> Attributes {
    list(value).filter_map(|pair| key_value_of_json(pair, 0)).collect()
}

fn log_record(record: &Json) -> LogRecord {
    let number = |name: &str, other: &str| {
        let value = member(record, name, other)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let text = |name: &str, other: &str| {
        let value = member(record, name, other).and_then(Json::as_str);
        value.unwrap_or_default().to_owned()
    };
    LogRecord {
        at: number("timeUnixNano", "time_unix_nano").unwrap_or(0),
        observed: number("observedTimeUnixNano", "observed_time_unix_nano").unwrap_or(0),
        severity: number("severityNumber", "severity_number").unwrap_or(0),
        severity_text: text("severityText", "severity_text"),
        body: record.get("body").map_or(Json::Null, |body| any_value_of_json(body, 0)),
        attributes: attributes(record.get("attributes")),
        trace: text("traceId", "trace_id"),
        span: text("spanId", "span_id"),
        event_name: text("eventName", "event_name"),
    }
}
