//! Rules that would block everybody.
//!
//! In: compiled rules. Out: those that block (`tocsin.block`) and match what anybody does all day:
//! an ordinary request for a page, a login that worked, a connection that was let through. They
//! are kept from blocking, and that is said.

use std::sync::Arc;

use tocsin_content::Diagnostic;
use tocsin_model::rule::Block;
use tocsin_model::{Event, FieldId, RuleMeta, Value};

use crate::compile::Compiled;
use crate::matcher::Matcher;

/// What harmless people do: what it is, the line, and its fields.
type Harmless = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const HARMLESS: [Harmless; 3] = [
    (
        "an ordinary request for a page",
        "198.51.100.1 - - [23/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\"",
        &[
            ("event.dataset", "nginx.access"),
            ("event.module", "nginx"),
            ("event.category", "[web]"),
            ("event.type", "[access]"),
            ("event.outcome", "success"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "#200"),
            ("url.original", "/"),
            ("url.path", "/"),
            ("user_agent.original", "Mozilla/5.0"),
        ],
    ),
    (
        "a login that worked",
        "Nov 23 10:00:00 web-1 sshd[7]: Accepted publickey for alice from 198.51.100.1 port 50000 ssh2",
        &[
            ("event.dataset", "openssh.sshd"),
            ("event.module", "openssh"),
            ("event.category", "[authentication]"),
            ("event.type", "[start]"),
            ("event.action", "ssh_login"),
            ("event.outcome", "success"),
            ("process.name", "sshd"),
            ("user.name", "alice"),
            ("host.name", "web-1"),
        ],
    ),
    (
        "a connection that was let through",
        "Nov 23 10:00:00 web-1 kernel: ACCEPT IN=eth0 SRC=198.51.100.1 DST=203.0.113.1 PROTO=TCP SPT=50000 DPT=443",
        &[
            ("event.dataset", "linux.firewall"),
            ("event.module", "linux"),
            ("event.category", "[network]"),
            ("event.type", "[allowed]"),
            ("destination.ip", "203.0.113.1"),
            ("destination.port", "#443"),
            ("network.transport", "tcp"),
            ("host.name", "web-1"),
        ],
    ),
];

fn event(line: &str, fields: &[(&str, &str)]) -> Event {
    let mut event = Event::default();
    event.set_original(line);
    let all = fields.iter().copied().chain([("source.ip", "198.51.100.1")]);
    for (name, text) in all {
        let Some(id) = FieldId::intern(name) else { continue };
        let list = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let number = text.strip_prefix('#').and_then(|text| text.parse().ok());
        match (list, number) {
            (Some(item), _) => event.push_list(id, [Value::Str(item)]),
            (_, Some(number)) => event.push_int(id, number),
            _ => event.push_str(id, text),
        }
    }
    event
}

/// Keeps rules that would block everybody from blocking; says which.
pub(crate) fn keep_from_blocking(compiled: Compiled) -> (Compiled, Vec<Diagnostic>) {
    let blocks = |meta: &RuleMeta| matches!(meta.block, Some(Block::Whom { .. }));
    if !compiled.rules.iter().any(|rule| blocks(&rule.meta)) {
        return (compiled, Vec::new());
    }
    let compiled = Arc::new(compiled);
    let mut matched: Vec<(usize, &str)> = Vec::new();
    let mut matcher = Matcher::new(Arc::clone(&compiled));
    for (what, line, fields) in HARMLESS {
        let mut numbers = Vec::new();
        matcher.run(&event(line, fields), &mut numbers);
        matched.extend(numbers.into_iter().map(|number| (number as usize, what)));
    }
    drop(matcher);
    // Nobody else has it: the matcher is gone.
    let mut compiled = match Arc::try_unwrap(compiled) {
        Ok(compiled) => compiled,
        Err(_) => return (Compiled::default(), Vec::new()),
    };
    let mut diagnostics = Vec::new();
    for (number, what) in matched {
        let Some(rule) = compiled.rules.get_mut(number).filter(|rule| blocks(&rule.meta)) else {
            continue;
        };
        let meta = Arc::make_mut(&mut rule.meta);
        meta.block = Some(Block::Never);
        let message = format!(
            "rule {:?} would block everybody: it matches {what}; narrow it, count it with a \
             correlation, or leave tocsin.block away (it alerts, and blocks nobody)",
            meta.title
        );
        diagnostics.push(Diagnostic::error(&meta.path, 1, 1, message));
        let id = meta.id.clone();
        for other in compiled.metas.iter_mut().filter(|other| other.id == id) {
            Arc::make_mut(other).block = Some(Block::Never);
        }
    }
    (compiled, diagnostics)
}
