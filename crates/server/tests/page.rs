//! The web page and the page of the API, whether `ui/dist` was built or not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write;
use std::path::Path;

use common::Rig;

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

fn dist() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/dist")
}

#[tokio::test]
async fn screens_get_the_page_and_programs_get_json() {
    let rig = Rig::new().await;
    let built = dist().join("index.html").is_file();
    let status = if built { 200 } else { 503 };
    for path in ["/", "/overview", "/alerts", "/alerts/0123", "/rules", "/something/else"] {
        let answer = rig.ask("GET", path, &[HTML], b"").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{path}");
        let vary: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "vary").collect();
        assert!(vary.iter().any(|(_, value)| value == "accept"), "{path}: {vary:?}");
        if !built {
            assert!(answer.text().contains("npm run build"), "{path}");
        }
    }
    let alerts = rig.get("/alerts").await;
    assert_eq!((alerts.status, &alerts.json()["total"]), (200, &0.into()));
    for (path, headers) in [("/assets/x.js", [HTML]), ("/favicon.missing", [HTML])] {
        let answer = rig.ask("GET", path, &headers, b"").await;
        assert_eq!(answer.status, 404, "{path}");
        answer.failure();
    }
    // Resources are JSON whatever a browser asks for.
    assert!(rig.ask("GET", "/status", &[HTML], b"").await.json()["version"].is_string());
    rig.stop().await;
}

#[tokio::test]
async fn files_are_sent_packed_and_kept_by_browsers() {
    let index = dist().join("index.html");
    if !index.is_file() {
        // Past the harness, which keeps what a passing test prints to itself.
        let _ =
            writeln!(std::io::stdout(), "skipped: the page is not built (npm run build in ui/)");
        return;
    }
    let rig = Rig::new().await;
    let page = rig.ask("GET", "/", &[HTML], b"").await;
    assert_eq!(page.body, std::fs::read(&index).unwrap());
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let tag = page.header("etag").unwrap().to_owned();
    let again = rig.ask("GET", "/", &[HTML, ("If-None-Match", &tag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let files = std::fs::read_dir(dist().join("assets")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let script = names.into_iter().find(|name| name.ends_with(".js")).unwrap();
    for (accepts, encoding, ending) in
        [("br, gzip", Some("br"), ".br"), ("gzip", Some("gzip"), ".gz"), ("identity", None, "")]
    {
        let target = format!("/assets/{script}");
        let answer = rig.ask("GET", &target, &[("Accept-Encoding", accepts)], b"").await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepts}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        let wanted = std::fs::read(dist().join(format!("assets/{script}{ending}"))).unwrap();
        assert!(answer.body == wanted, "{accepts}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_page_of_the_api_needs_nothing_inline_and_nothing_from_elsewhere() {
    let rig = Rig::new().await;
    let page = rig.get("/docs").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    for forbidden in ["<style", "style=", "onclick", "http:", "https:", "//"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for part in html.split("<script").skip(1) {
        assert!(part.contains("src=\"/docs/docs.js\"></script>"), "{part}");
    }
    let script = rig.get("/docs/docs.js").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(!script.text().contains("innerHTML"));
    assert_eq!(
        rig.get("/docs/docs.css").await.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    rig.stop().await;
}
