//! Attacks on a web site.

use std::net::Ipv4Addr;

use super::Script;
use crate::traffic::item::Draft;
use crate::traffic::lines::request;
use crate::traffic::place::{BROWSERS, SEARCHES, WEB_HOSTS};
use crate::traffic::random::Random;

/// What a scanner calls itself.
const SCANNER: &str = "Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)";

/// SQL put where a number or a word belongs, and the answer to it.
const INJECTIONS: &[(&str, u16)] = &[
    ("/products?id=1%27", 500),
    ("/products?id=1%27%20AND%20%271%27=%271", 200),
    ("/products?id=1%27%20AND%20%271%27=%272", 404),
    ("/products?id=1+ORDER+BY+5--+-", 200),
    ("/products?id=1+ORDER+BY+6--+-", 500),
    ("/products?id=-1+UNION+ALL+SELECT+NULL,NULL,NULL,NULL,NULL--+-", 200),
    ("/products?id=-1+UNION+SELECT+1,table_name,3,4,5+FROM+information_schema.tables--+-", 200),
    ("/products?id=-1+UNION+SELECT+1,email,password,4,5+FROM+customers--+-", 200),
    ("/products?id=1%3B%20WAITFOR%20DELAY%20%270:0:5%27--", 500),
];

/// Ways out of a site's directory.
const TRAVERSALS: &[(&str, u16)] = &[
    ("/download?file=../../../../etc/passwd", 400),
    ("/download?file=..%2f..%2f..%2f..%2fetc%2fpasswd", 400),
    ("/download?file=..%252f..%252f..%252f..%252fetc%252fpasswd", 404),
    ("/download?file=....//....//....//etc/passwd", 404),
    ("/static/..%c0%af..%c0%af..%c0%afetc/passwd", 404),
    ("/download?file=..%2f..%2f..%2f..%2fproc%2fself%2fenviron", 400),
];

/// What scanners look for: secrets (refused) …
const REFUSED: &[&str] =
    &["/.env", "/.git/config", "/admin/", "/server-status", "/.htpasswd", "/phpmyadmin/"];

/// … and leftovers (not there).
const MISSING: &[&str] = &[
    "/backup.zip",
    "/backup.tar.gz",
    "/db.sql",
    "/dump.sql",
    "/old/",
    "/test/",
    "/dev/",
    "/staging/",
    "/phpinfo.php",
    "/info.php",
    "/setup.php",
    "/install/",
    "/upload/",
    "/shell.php",
    "/xmlrpc.php",
    "/wp-login.php",
    "/owa/",
    "/vpn/",
    "/webdav/",
    "/cgi-bin/test.cgi",
    "/invoker/",
    "/axis2/",
    "/jmx/",
    "/status/full",
    "/web.zip",
];

pub(super) fn sql_injection(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    play(script, source, random, INJECTIONS, 150);
}

pub(super) fn path_traversal(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    play(script, source, random, TRAVERSALS, 200);
}

fn play(
    script: &mut Script,
    source: Ipv4Addr,
    random: &mut Random,
    targets: &[(&str, u16)],
    millis: u64,
) {
    let (host, agent) = (random.pick(WEB_HOSTS), random.pick(BROWSERS));
    for (target, status) in targets {
        let size = random.between(300, 9_000);
        let request = request(source, ("GET", target), (*status, size), agent);
        script.after(millis, Draft::web(host, request));
    }
}

pub(super) fn scanner(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let host = random.pick(WEB_HOSTS);
    let missing = MISSING.iter().map(|path| (*path, 404));
    for (path, status) in REFUSED.iter().map(|path| (*path, 403)).chain(missing) {
        let request = request(source, ("GET", path), (status, 146), SCANNER);
        script.after(random.between(30, 80).into(), Draft::web(host, request));
    }
}

pub(super) fn request_flood(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let (host, agent) = (random.pick(WEB_HOSTS), random.pick(BROWSERS));
    for _ in 0..90 {
        let target = format!("/search?q={}&n={}", random.pick(SEARCHES), random.between(1, 99_999));
        let answer = if random.percent(20) { (503, 190) } else { (200, 8_100) };
        script.after(8, Draft::web(host, request(source, ("GET", &target), answer, agent)));
    }
}
