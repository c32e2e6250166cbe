//! The web page, embedded in the binary: files that `npm run build` wrote to `ui/dist`, with
//! their packed copies beside them.
//!
//! Every address that is a screen of the page gets `index.html`; a file that is missing gets 404,
//! never `index.html`. In a debug build the files are read from disk.

use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::ApiError;

/// First parts of addresses that are screens of the page, whatever the request accepts.
const SCREENS: [&str; 9] =
    ["", "overview", "alerts", "search", "rules", "entities", "sources", "settings", "index.html"];
/// First parts of addresses that are never screens.
const NOT_SCREENS: [&str; 3] = ["api", "assets", "docs"];
/// Files whose name changes with their content.
const HASHED: &str = "assets/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// What to show while there is no page in the binary.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tocsin</title>\
    <h1>The page is not in this binary</h1><p>Tocsin is running, and its API answers \
    (<a href=\"/docs\">/docs</a>), but the page was not built. In a checkout, run:\
    <pre>cd ui &amp;&amp; npm ci &amp;&amp; npm run build</pre><p>then build and start Tocsin again; \
    <code>cargo xtask demo</code> does all of it.";

#[derive(Embed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Dist;

/// Whether a browser wants to show the answer.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    kinds.any(|kinds| kinds.split(',').any(|kind| kind.trim_start().starts_with("text/html")))
}

/// Says that the answer depends on what the request accepts.
pub fn vary_by_accept(mut response: Response) -> Response {
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    response
}

/// Everything that no route answers: files, and the page's own addresses.
pub async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if !matches!(method, Method::GET | Method::HEAD) {
        let error = if is_screen(path, &headers) {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this address takes GET only")
        } else {
            ApiError::not_found("there is nothing at this address; /docs lists what there is")
        };
        return ([(ALLOW, "GET,HEAD")], error).into_response();
    }
    if is_file_name(path)
        && let Some(file) = Dist::get(path)
    {
        return serve(path, &file, &headers);
    }
    if is_screen(path, &headers) {
        return index(&headers);
    }
    ApiError::not_found("there is nothing at this address; /docs lists what there is")
        .into_response()
}

/// The page itself.
pub fn index(headers: &HeaderMap) -> Response {
    let response = match Dist::get("index.html") {
        Some(file) => serve("index.html", &file, headers),
        None => {
            let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
            (StatusCode::SERVICE_UNAVAILABLE, kind, NOT_BUILT).into_response()
        }
    };
    vary_by_accept(response)
}

fn is_file_name(path: &str) -> bool {
    let packed = path.ends_with(".br") || path.ends_with(".gz");
    !packed && path != "index.html" && path.contains('.') && !path.contains("..")
}

fn is_screen(path: &str, headers: &HeaderMap) -> bool {
    let first = path.split('/').next().unwrap_or("");
    let last = path.rsplit('/').next().unwrap_or("");
    SCREENS.contains(&first)
        || (wants_html(headers) && !NOT_SCREENS.contains(&first) && !last.contains('.'))
}

fn serve(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let (packed, encoding) = packed_copy(path, headers).unzip();
    let hash = file.metadata.sha256_hash();
    let mut tag: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    if let Some(encoding) = encoding {
        tag = format!("{tag}-{encoding}");
    }
    let tag = format!("\"{tag}\"");
    let fresh = headers
        .get(IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let data = packed.as_ref().map_or(&file.data, |packed| &packed.data);
        Response::new(Body::from(data.clone().into_owned()))
    };
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    out.insert(CACHE_CONTROL, if path.starts_with(HASHED) { FOR_EVER } else { ASK_FIRST });
    out.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    if let Some(encoding) = encoding {
        out.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The file's packed copy that the client understands.
fn packed_copy(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, &'static str)> {
    [("br", ".br"), ("gzip", ".gz")].into_iter().find_map(|(encoding, ending)| {
        if !accepts_encoding(headers, encoding) {
            return None;
        }
        Some((Dist::get(&format!("{path}{ending}"))?, encoding))
    })
}

fn accepts_encoding(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").map(str::parse::<f32>);
            matches!(weight, Some(Ok(weight)) if weight <= 0.0)
        });
        named && !refused
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_with_their_weights() {
        let cases = [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, br;q=0", "br", false),
            ("br;q=0.000", "br", false),
            ("GZIP", "gzip", true),
            ("identity", "gzip", false),
            ("", "br", false),
        ];
        for (header, encoding, wanted) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(accepts_encoding(&headers, encoding), wanted, "{header} {encoding}");
        }
    }

    #[test]
    fn screens_are_told_from_files() {
        let mut html = HeaderMap::new();
        html.insert(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        let any = HeaderMap::new();
        let cases = [
            ("", true, true),
            ("overview", true, true),
            ("entities/ip/192.0.2.1", true, true),
            ("something/new", true, false),
            ("assets/missing", false, false),
            ("api/v1/nothing", false, false),
            ("favicon.ico", false, false),
        ];
        for (path, for_browser, for_program) in cases {
            assert_eq!(is_screen(path, &html), for_browser, "{path}");
            assert_eq!(is_screen(path, &any), for_program, "{path}");
        }
    }
}
