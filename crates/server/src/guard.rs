//! Who may talk to the server, and what the browser is told to forbid.
//!
//! Whatever accounts there are, it answers only requests addressed to a name it knows (a hostile
//! page can make its own name point to 127.0.0.1), and nothing changes on the word of another
//! site's page.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// What pages of this server may do.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types ui";

/// Headers of every answer.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    ),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names that requests may be addressed to, beside `localhost` and loopback addresses.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    listen: Option<IpAddr>,
    names: Vec<String>,
}

impl Hosts {
    /// The configured names and the address that is listened on.
    pub fn new(listen: Option<SocketAddr>, allowed: &[String]) -> Self {
        let names = allowed.iter().map(|name| plain(name)).collect();
        Self { listen: listen.map(|address| address.ip()), names }
    }

    fn allow(&self, host: &str) -> bool {
        let host = plain(host);
        if let Ok(address) = host.parse::<IpAddr>() {
            // Names can be made to point here, addresses cannot.
            return address.is_loopback()
                || self.listen.is_some_and(|own| own == address || own.is_unspecified())
                || self.names.contains(&host);
        }
        host == "localhost" || self.names.contains(&host)
    }
}

/// Lower case, without the brackets of IPv6 and the dot at the end.
fn plain(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.to_owned(),
        None => host,
    }
}

/// Adds the headers that every answer has.
pub async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &HEADERS {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    // What says nothing of its age is of this moment.
    let age = response.headers_mut().entry(CACHE_CONTROL);
    age.or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses requests that are addressed to somebody else or sent by another site's page.
pub async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let checked = addressed_to(&request).and_then(|authority| {
        if !hosts.allow(authority.host()) {
            return Err(ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                format!(
                    "this server does not answer to the name {:?}; add it to server.allowed_hosts if it is yours",
                    authority.host()
                ),
            ));
        }
        check_site(request.method(), request.headers(), &authority)
    });
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The name that the request is addressed to.
fn addressed_to(request: &Request) -> Result<Authority, ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(ApiError::bad_request("more than one host header"));
    }
    let host = host.map(|host| {
        host.to_str()
            .ok()
            .and_then(|host| host.parse::<Authority>().ok())
            .filter(|host| !host.as_str().contains('@'))
            .ok_or_else(|| ApiError::bad_request("the host header is not a name and port"))
    });
    match (request.uri().authority(), host.transpose()?) {
        (None, Some(host)) => Ok(host),
        (Some(target), None) => Ok(target.clone()),
        (Some(target), Some(host)) if *target == host => Ok(host),
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("the request's target and its host header differ"))
        }
        (None, None) => Err(ApiError::bad_request("the host header is missing")),
    }
}

/// Requests that change something must not come from another site's page.
fn check_site(method: &Method, headers: &HeaderMap, host: &Authority) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let refuse = |what: &str| {
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!("refused: {what}; only this server's own pages and programs may send this"),
        ))
    };
    if let Some(origin) = headers.get(ORIGIN) {
        let same = origin.to_str().ok().and_then(|origin| {
            let origin = origin.strip_prefix("http://").or(origin.strip_prefix("https://"))?;
            Some(origin.eq_ignore_ascii_case(host.as_str()))
        });
        if same != Some(true) {
            return refuse("the origin is another site");
        }
    }
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => refuse("sec-fetch-site says another site sent it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_answered() {
        let listen = "127.0.0.2:7514".parse().ok();
        let hosts = Hosts::new(listen, &["Logs.Example.org".to_owned(), "192.0.2.7".to_owned()]);
        let cases = [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("logs.example.org", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("0.0.0.0", false),
            ("", false),
        ];
        for (host, allowed) in cases {
            assert_eq!(hosts.allow(host), allowed, "{host}");
        }
    }
}
