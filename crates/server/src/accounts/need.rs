//! What a request needs: nothing, or a role. Pure. What is not named here needs most.

use axum::http::Method;

use super::Role;

/// Parts of the page, which is the same for everybody and shows nothing by itself.
const PAGE: [&str; 6] = ["/", "/boot.js", "/favicon.svg", "/licences.txt", "/overview", "/health"];
/// Screens with something below them.
const SCREENS: [&str; 6] = ["/assets", "/search", "/rules", "/entities", "/sources", "/settings"];
/// Calls of Elasticsearch's API that only read, whatever their method.
const READS: [&str; 6] = ["_search", "_count", "_msearch", "_field_caps", "_pit", "_mget"];
/// Reading on, and being done with it: nothing is kept of either.
const READS_ON: [&str; 2] = ["/_search/scroll", "/_pit"];

/// What a request needs; `html` when it asks for the page.
pub fn need(method: &Method, path: &str, html: bool) -> Option<Role> {
    let safe = method.is_safe();
    if let Some(resource) = path.strip_prefix("/api/v1/") {
        return of_api(method, resource);
    }
    let below = |screen: &str| {
        path.strip_prefix(screen).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if safe && (PAGE.contains(&path) || SCREENS.iter().any(|screen| below(screen))) {
        return None;
    }
    // A resource for programs, a screen for browsers.
    if safe && html && below("/alerts") {
        return None;
    }
    let reads = READS.contains(&path.rsplit('/').next().unwrap_or(""));
    if READS_ON.contains(&path) && matches!(*method, Method::POST | Method::DELETE) {
        return Some(Role::Viewer);
    }
    Some(if safe || (reads && *method == Method::POST) { Role::Viewer } else { Role::Admin })
}

/// Whether a change goes into the audit log: all but what people change for themselves alone.
pub fn is_noted(path: &str, needed: Option<Role>) -> bool {
    // Everybody may keep searches, and others see those that are shared.
    let seen = path.starts_with("/api/v1/searches");
    seen || needed.is_some_and(|role| role >= Role::Analyst)
}

fn of_api(method: &Method, resource: &str) -> Option<Role> {
    let safe = method.is_safe();
    let first = resource.split('/').next().unwrap_or("");
    match first {
        "health" if safe => None,
        "me" | "setup" | "session" => None,
        "password" => Some(Role::Viewer),
        "users" | "tokens" | "sessions" | "audit" => Some(Role::Admin),
        _ if safe => Some(Role::Viewer),
        // Everybody keeps searches of their own; sharing one is refused by the route.
        "search" | "searches" => Some(Role::Viewer),
        _ if ["rules/draft", "rules/check", "sources/parse"].contains(&resource) => {
            Some(Role::Viewer)
        }
        "alerts" | "exceptions" | "rules" | "backtests" | "bans" | "notices" | "silence"
        | "intel" => Some(Role::Analyst),
        _ => Some(Role::Admin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_needs_its_role() {
        use Role::{Admin, Analyst, Viewer};
        let table = [
            ("GET", "/", None),
            ("GET", "/assets/index.js", None),
            ("GET", "/settings/users", None),
            ("GET", "/searching", Some(Viewer)),
            ("POST", "/search", Some(Admin)),
            ("GET", "/alerts", Some(Viewer)),
            ("GET", "/status", Some(Viewer)),
            ("GET", "/metrics", Some(Viewer)),
            ("GET", "/docs", Some(Viewer)),
            ("GET", "/api/openapi.json", Some(Viewer)),
            ("GET", "/api/v1/health", None),
            ("GET", "/api/v1/me", None),
            ("POST", "/api/v1/session", None),
            ("GET", "/api/v1/alerts", Some(Viewer)),
            ("PATCH", "/api/v1/alerts/1", Some(Analyst)),
            ("POST", "/api/v1/search", Some(Viewer)),
            ("POST", "/api/v1/rules", Some(Analyst)),
            ("POST", "/api/v1/rules/check", Some(Viewer)),
            ("DELETE", "/api/v1/rules/check", Some(Viewer)),
            ("DELETE", "/api/v1/rules/1", Some(Analyst)),
            ("PATCH", "/api/v1/rules/1", Some(Analyst)),
            ("GET", "/api/v1/rules/foresight", Some(Viewer)),
            ("POST", "/api/v1/searches", Some(Viewer)),
            ("POST", "/api/v1/notices/retry", Some(Analyst)),
            ("POST", "/api/v1/silence/forget", Some(Analyst)),
            ("GET", "/api/v1/risk/user/root", Some(Viewer)),
            ("POST", "/api/v1/channels/ops/test", Some(Admin)),
            ("GET", "/api/v1/users", Some(Admin)),
            ("GET", "/api/v1/audit", Some(Admin)),
            ("POST", "/api/v1/password", Some(Viewer)),
            ("POST", "/api/v1/something-new", Some(Admin)),
            ("POST", "/logs-tocsin/_search", Some(Viewer)),
            ("DELETE", "/logs-tocsin/_search", Some(Admin)),
            ("POST", "/_search/scroll", Some(Viewer)),
            ("DELETE", "/_search/scroll", Some(Viewer)),
            ("PUT", "/_search/scroll", Some(Admin)),
            ("POST", "/logs-tocsin/_pit", Some(Viewer)),
            ("DELETE", "/_pit", Some(Viewer)),
            ("DELETE", "/logs-tocsin/_pit", Some(Admin)),
            ("PUT", "/logs-tocsin", Some(Admin)),
        ];
        for (method, path, expected) in table {
            assert_eq!(need(&method.parse().unwrap(), path, false), expected, "{method} {path}");
        }
        assert_eq!(need(&Method::GET, "/alerts/1", true), None, "the page");
        assert_eq!(need(&Method::GET, "/api/v1/alerts/1", true), Some(Viewer), "not the page");
        assert_eq!(need(&Method::GET, "/_search", true), Some(Viewer), "not the page");
    }
}
