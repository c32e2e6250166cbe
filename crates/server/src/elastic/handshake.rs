//! What shippers ask before they send: version, licence, health, templates, policies.
//!
//! What they ask for is there, and what they want to install is installed, as far as they can
//! tell; nothing of it is kept, because events need no template here.

use axum::Json;
use axum::http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json_, json};

/// The version that is claimed; clients refuse older servers, and newer ones than themselves.
pub const VERSION: &str = "8.17.0";
/// First parts of addresses at the root that belong to Elasticsearch.
pub const FIRST_PARTS: &[&str] = &[
    "_license",
    "_xpack",
    "_cluster",
    "_cat",
    "_nodes",
    "_ingest",
    "_index_template",
    "_component_template",
    "_template",
    "_ilm",
    "_data_stream",
    "_alias",
    "_security",
];
/// Clients of Elasticsearch by the start of their name. Where one asks for `/`, it wants to know
/// whom it talks to.
const CLIENTS: &[&str] = &[
    "elastic",
    "filebeat",
    "winlogbeat",
    "auditbeat",
    "packetbeat",
    "metricbeat",
    "heartbeat",
    "journalbeat",
    "logstash",
    "manticore",
    "fluent",
    "vector",
    "go-elasticsearch",
    "rsyslog",
];

/// Whether a request at the root comes from a client of Elasticsearch.
pub fn is_client(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let accepts = text(ACCEPT).unwrap_or_default().to_ascii_lowercase();
    let name = text(USER_AGENT).unwrap_or_default().to_ascii_lowercase();
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    if accepts.contains("text/html") {
        return false;
    }
    accepts.starts_with("application/json")
        || accepts.contains("vnd.elasticsearch")
        || kind.contains("vnd.elasticsearch")
        || CLIENTS.iter().any(|client| name.starts_with(client))
}

/// `GET /`.
pub fn about() -> Response {
    let mut response = Json(json!({
        "name": "tocsin",
        "cluster_name": "tocsin",
        "cluster_uuid": "dG9jc2luLXRvY3Npbi10b2",
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2024-12-11T12:08:05.663969764Z",
            "build_snapshot": false,
            "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0"
        },
        "tagline": "You Know, for Search"
    }))
    .into_response();
    response.headers_mut().insert(super::PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

/// The answer to everything but documents.
pub fn answer(method: &Method, path: &[&str]) -> Response {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let asks = *method == Method::GET;
    match path {
        [] if reads => about(),
        ["_license", ..] if asks => Json(license()).into_response(),
        ["_xpack", ..] if asks => Json(xpack()).into_response(),
        ["_cluster", "health", ..] if reads => Json(health()).into_response(),
        ["_cluster", "settings"] if asks => {
            Json(json!({"persistent": {}, "transient": {}})).into_response()
        }
        ["_cat", "health"] if reads => {
            "0 00:00:00 tocsin green 1 1 0 0 0 0 0 0 - 100.0%\n".into_response()
        }
        ["_cat", ..] if reads => "".into_response(),
        ["_nodes", ..] if asks => Json(nodes()).into_response(),
        ["_security", ..] => {
            Json(json!({"username": "tocsin", "roles": ["superuser"]})).into_response()
        }
        ["_ilm", "status"] if asks => Json(json!({"operation_mode": "RUNNING"})).into_response(),
        ["_ilm", "policy", name] if asks => {
            Json(json!({*name: {"version": 1, "policy": {"phases": {}}}})).into_response()
        }
        ["_index_template", name] if asks => Json(json!({"index_templates": [
            {"name": name, "index_template": {"index_patterns": [name], "data_stream": {}}}
        ]}))
        .into_response(),
        ["_data_stream", name] if asks => {
            Json(json!({"data_streams": [{"name": name, "status": "GREEN"}]})).into_response()
        }
        ["_template" | "_component_template", name] if asks => {
            Json(json!({*name: {"index_patterns": [name]}})).into_response()
        }
        ["_ingest", "pipeline", name] if asks => {
            Json(json!({*name: {"processors": []}})).into_response()
        }
        ["_alias", name] | [_, "_alias", name] if asks => {
            Json(json!({*name: {"aliases": {*name: {"is_write_index": true}}}})).into_response()
        }
        // Whatever is looked for is there.
        _ if *method == Method::HEAD => StatusCode::OK.into_response(),
        [first] if asks && FIRST_PARTS.contains(first) => Json(json!({})).into_response(),
        [] | [_, "_search" | "_count", ..] | ["_search" | "_msearch", ..] => cannot(path),
        _ if asks => cannot(path),
        // Whatever is to be installed is not needed.
        _ => Json(json!({"acknowledged": true, "shards_acknowledged": true})).into_response(),
    }
}

fn cannot(path: &[&str]) -> Response {
    let reason = format!("there is no /{}: events can be sent here, not asked for", path.join("/"));
    let error = json!({"type": "resource_not_found_exception", "reason": reason});
    let body = json!({"error": error, "status": 404});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

fn license() -> Json_ {
    json!({"license": {
        "status": "active", "uid": "746f6373-696e-4000-8000-746f6373696e", "type": "basic",
        "issue_date": "2024-01-01T00:00:00.000Z", "issue_date_in_millis": 1_704_067_200_000_i64,
        "max_nodes": 1000, "max_resource_units": null, "issued_to": "tocsin", "issuer": "tocsin",
        "start_date_in_millis": -1
    }})
}

fn xpack() -> Json_ {
    let on = json!({"available": true, "enabled": true});
    json!({
        "build": {"hash": "0", "date": "2024-12-11T12:08:05.663969764Z"},
        "license": {"uid": "746f6373-696e-4000-8000-746f6373696e", "type": "basic", "mode": "basic", "status": "active"},
        "features": {"ilm": on, "data_streams": on, "security": {"available": true, "enabled": false}},
        "tagline": "You know, for X"
    })
}

fn health() -> Json_ {
    json!({
        "cluster_name": "tocsin", "status": "green", "timed_out": false, "number_of_nodes": 1,
        "number_of_data_nodes": 1, "active_primary_shards": 1, "active_shards": 1,
        "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
        "delayed_unassigned_shards": 0, "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0, "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0
    })
}

/// One node without an address, so that nobody goes elsewhere.
fn nodes() -> Json_ {
    json!({
        "_nodes": {"total": 1, "successful": 1, "failed": 0}, "cluster_name": "tocsin",
        "nodes": {"tocsin": {"name": "tocsin", "version": VERSION, "roles": ["data", "ingest"]}}
    })
}
