//! Frames of lines: syslog in its forms, the journal's text forms, container runtimes. What is
//! around a message is a [`Head`], what is inside is the body.

mod around;

use std::borrow::Cow;

use tocsin_model::Timestamp;

pub(crate) use self::around::{archived, compose, cri, without_length};
use crate::time::{self, Clock, Read};

/// Longest program tag, in bytes.
const TAG_BYTES_MAX: usize = 128;
/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 255;
/// Longest id that Solaris writes before a message, in bytes.
const ID_BYTES_MAX: usize = 40;
/// Facilities as they are written beside a message.
const FACILITIES: [&str; 21] = [
    "kern", "user", "mail", "daemon", "auth", "security", "syslog", "lpr", "news", "uucp", "cron",
    "authpriv", "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
/// Longest process id as text, in bytes.
const PID_BYTES_MAX: usize = 128;

/// What a frame says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head<'t> {
    /// Name of the frame.
    pub frame: &'static str,
    pub time: Option<Timestamp>,
    pub host: Option<Cow<'t, str>>,
    /// Program as written.
    pub tag: Option<Cow<'t, str>>,
    pub pid: Option<Cow<'t, str>>,
    pub priority: Option<u8>,
    pub msgid: Option<&'t str>,
    pub structured: Option<&'t str>,
    pub version: Option<&'t str>,
    /// How often the message was repeated.
    pub repeated: Option<u32>,
}

impl Head<'_> {
    /// The program's name: the tag without its directory and without `(module)`.
    pub(crate) fn program(&self) -> Option<&str> {
        let tag = self.tag.as_deref()?;
        let start = if tag.starts_with('/') { tag.rfind('/').map_or(0, |at| at + 1) } else { 0 };
        let name = &tag[start..];
        match name.find('(') {
            Some(at) if at > 0 => Some(&name[..at]),
            _ => Some(name),
        }
    }
}

/// Takes the frame off a line; `None` when it has none.
pub(crate) fn peel<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let first = *text.as_bytes().first()?;
    let (head, body) = match first {
        b'<' => with_priority(text, clock)?,
        b'A'..=b'Z' => bsd(text, clock).or_else(|| weekday(text, clock))?,
        b'0'..=b'9' => {
            if text.starts_with("1 ")
                && let Some(found) = rfc5424(&text[2..], "1", clock)
            {
                found
            } else {
                iso(text, clock)
                    .or_else(|| unix(text))
                    .or_else(|| nxos(text, clock))
                    .or_else(|| other_time(text, clock))
                    .or_else(|| around::windows_sshd(text, clock))?
            }
        }
        b'[' => monotonic(text).or_else(|| bracketed(text, clock))?,
        b'a'..=b'z' => tag_only(text)?,
        _ => return None,
    };
    let (repeated, body) = unrepeat(without_id(body));
    Some((Head { repeated, ..head }, body))
}

/// `<34>…`: RFC 5424 or RFC 3164.
fn with_priority<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let (number, rest) = text[1..].split_once('>')?;
    if number.is_empty() || number.len() > 3 {
        return None;
    }
    let priority: u16 = number.parse().ok()?;
    let priority = u8::try_from(priority).ok().filter(|priority| *priority <= 191)?;
    let version = rest.find(' ').filter(|at| *at <= 2).map(|at| &rest[..at]);
    if let Some(version) = version
        && version.bytes().all(|byte| byte.is_ascii_digit())
        && let Some((head, body)) = rfc5424(&rest[version.len() + 1..], version, clock)
    {
        return Some((Head { priority: Some(priority), ..head }, body));
    }
    let rest = rest.trim_start();
    let inner = bsd(rest, clock)
        .or_else(|| iso(rest, clock))
        .or_else(|| iso_alone(rest, clock))
        .or_else(|| nxos(rest, clock))
        .or_else(|| tag_only(rest));
    let (head, body) = inner.unwrap_or((Head::default(), rest));
    Some((Head { frame: "rfc3164", priority: Some(priority), ..head }, body))
}

/// `TIMESTAMP HOST APP PROCID MSGID SD MSG`, after the version.
fn rfc5424<'t>(
    text: &'t str,
    version: &'t str,
    clock: &mut Clock<'_>,
) -> Option<(Head<'t>, &'t str)> {
    let (time, rest) = text.split_once(' ')?;
    let time = match time {
        "-" => None,
        _ => Some(time::iso(time.as_bytes(), clock).filter(|read| read.len == time.len())?.time),
    };
    let (host, rest) = rest.split_once(' ')?;
    let (app, rest) = rest.split_once(' ')?;
    let (pid, rest) = rest.split_once(' ')?;
    let (msgid, rest) = rest.split_once(' ')?;
    let (structured, body) = structured(rest)?;
    let given = |text: &'t str| (text != "-").then_some(text);
    let head = Head {
        frame: "rfc5424",
        time,
        host: given(host).map(Cow::Borrowed),
        tag: given(app).map(Cow::Borrowed),
        pid: given(pid).map(Cow::Borrowed),
        msgid: given(msgid),
        structured,
        version: Some(version),
        ..Head::default()
    };
    Some((head, body.trim_start_matches([' ', '\u{feff}'])))
}

/// `-` or `[id name="value"]…`, and the message.
fn structured(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some((None, rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let bytes = text.as_bytes();
    let (mut at, mut quoted, mut open) = (0, false, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'[' if !quoted => open = true,
            b']' if !quoted => open = false,
            b' ' if !quoted && !open => break,
            _ if !quoted && !open => return None,
            _ => {}
        }
        at += 1;
    }
    if quoted || open || at == 0 {
        return None;
    }
    let body = text.get(at.min(text.len())..).unwrap_or("");
    Some((text.get(..at), body.strip_prefix(' ').unwrap_or(body)))
}

/// `Nov 21 00:11:50 vm sshd[1]: …` and Cisco's `Nov 21 2026 00:11:50 host : …`.
fn bsd<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::bsd(text.as_bytes(), clock)?;
    let rest = without_facility(&text[read.len..]);
    // Cisco ends the time with a colon and leaves the host out.
    if let Some(body) = rest.strip_prefix(':') {
        let head = Head { frame: "rfc3164", time: Some(read.time), ..Head::default() };
        return Some((head, body.trim_start()));
    }
    let (head, body) = host_and_tag(rest);
    Some((Head { frame: "rfc3164", time: Some(read.time), ..head }, body))
}

/// `2026-11-21T00:11:50.095617+00:00 vm sshd[1]: …`: only with a host and a tag, because many
/// other logs begin with such a time.
fn iso<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::iso(text.as_bytes(), clock)?;
    tagged(text, read, "iso").or_else(|| known_body(text, read))
}

/// Starts of bodies that need no tag to be told from a host.
const KNOWN_STARTS: [&str; 8] = ["%", ": %", "CEF:", "LEEF:", "{", "date=", "1,20", "logver="];

/// ` fw %ASA-6-302013: …`: a host without a tag, before a body that nothing else looks like.
fn known_body<'t>(text: &'t str, read: Read) -> Option<(Head<'t>, &'t str)> {
    let rest = text.get(read.len..)?.strip_prefix(' ')?;
    let head = Head { frame: "iso", time: Some(read.time), ..Head::default() };
    let known = |body: &str| KNOWN_STARTS.iter().any(|start| body.starts_with(start));
    if known(rest) {
        return Some((head, rest.trim_start_matches([':', ' '])));
    }
    let (host, body) = rest.split_once(' ')?;
    let body = body.trim_start_matches(' ');
    if !is_host(host) || !known(body) {
        return None;
    }
    Some((Head { host: Some(Cow::Borrowed(host)), ..head }, body.trim_start_matches([':', ' '])))
}

/// A time after a priority is the message's, whatever follows.
fn iso_alone<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::iso(text.as_bytes(), clock)?;
    let body = text.get(read.len..)?.strip_prefix([' ', ':'])?;
    let head = Head { frame: "rfc3164", time: Some(read.time), ..Head::default() };
    Some((head, body.trim_start()))
}

/// `2026 Nov 21 00:11:50 UTC: %…`, as Cisco's NX-OS writes.
fn nxos<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::year_first(text.as_bytes(), clock)?;
    let rest = &text[read.len..];
    let head = Head { frame: "rfc3164", time: Some(read.time), ..Head::default() };
    if let Some(body) = rest.strip_prefix(':') {
        return Some((head, body.trim_start()));
    }
    let (inner, body) = host_and_tag(rest.strip_prefix(' ')?);
    Some((Head { frame: "rfc3164", time: head.time, ..inner }, body))
}

/// `6/12/2024 10:11:12 vm sshd[1]: …`, `12/Jun/2024:10:11:12 +0000 vm sshd[1]: …`,
/// `20240612T101112Z vm sshd[1]: …`: other logs begin so, too, so a process id must follow.
fn other_time<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let bytes = text.as_bytes();
    let begins = bytes.iter().take(3).any(|byte| *byte == b'/') || bytes.get(8) == Some(&b'T');
    let read = begins.then(|| time::any(bytes, clock)).flatten()?;
    let found = tagged(text, read, "syslog");
    found.filter(|(head, _)| is_number(head.pid.as_deref()))
}

fn is_number(pid: Option<&str>) -> bool {
    pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}

fn weekday<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::weekday(text.as_bytes(), clock)?;
    tagged(text, read, "journal short-full")
}

fn unix(text: &str) -> Option<(Head<'_>, &str)> {
    let read = time::unix(text.as_bytes())?;
    tagged(text, read, "journal short-unix")
}

/// `[2026-11-21 00:11:50] vm sshd[1]: …`, `[Nov 21 00:11:50] vm sshd[1]: …`.
fn bracketed<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let (inside, rest) = text[1..].split_once(']')?;
    let read = time::any(inside.as_bytes(), clock).filter(|read| read.len == inside.len())?;
    let (head, body) = host_and_tag(rest.strip_prefix(' ')?);
    let digits = head.pid.as_deref()?.bytes().all(|byte| byte.is_ascii_digit());
    (digits && head.host.is_some())
        .then_some((Head { frame: "iso", time: Some(read.time), ..head }, body))
}

/// `[ 1234.567] vm sshd[1]: …`.
fn monotonic(text: &str) -> Option<(Head<'_>, &str)> {
    let (uptime, rest) = text[1..].split_once(']')?;
    let uptime = uptime.trim_start();
    let number =
        !uptime.is_empty() && uptime.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !number || !rest.starts_with(' ') {
        return None;
    }
    let (head, body) = host_and_tag(rest);
    (head.tag.is_some() && head.host.is_some())
        .then_some((Head { frame: "journal short-monotonic", ..head }, body))
}

fn tagged<'t>(text: &'t str, read: Read, frame: &'static str) -> Option<(Head<'t>, &'t str)> {
    let rest = &text[read.len..];
    if !rest.starts_with(' ') {
        return None;
    }
    let (head, body) = host_and_tag(rest);
    head.tag.as_ref()?;
    let Some(host) = head.host.as_deref() else {
        // ESXi leaves the host out; a process id tells a program's name from other words.
        let digits = head.pid.as_deref()?.bytes().all(|byte| byte.is_ascii_digit());
        return digits.then_some((Head { frame, time: Some(read.time), ..head }, body));
    };
    // `ip:port` and `user/ip` stand where a host would in logs of network services.
    let colons = host.bytes().filter(|byte| *byte == b':').count();
    if is_level(host) || colons == 1 || host.contains(['/', '@']) {
        return None;
    }
    Some((Head { frame, time: Some(read.time), ..head }, body))
}

/// Words that stand where a host would in logs of applications.
fn is_level(word: &str) -> bool {
    let known = [
        "info", "warn", "warning", "error", "debug", "trace", "fatal", "notice", "critical", "err",
        "severe", "fine", "main", "log", "crit", "alert", "emerg", "stdout", "stderr", "none",
        "panic", "logon",
    ];
    known.iter().any(|level| word.eq_ignore_ascii_case(level))
}

/// `sshd[1]: …` alone, as some tools forward it.
fn tag_only(text: &str) -> Option<(Head<'_>, &str)> {
    let (tag, pid, body) = tag(text)?;
    let pid = pid.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))?;
    let head = Head {
        frame: "tag",
        tag: Some(Cow::Borrowed(tag)),
        pid: Some(Cow::Borrowed(pid)),
        ..Head::default()
    };
    Some((head, body))
}

/// `vm2 sshd[1]: …` after a host: a relay wrote its own name before the sender's.
fn behind_relay<'t>(head: &Head<'_>, rest: &'t str) -> Option<(&'t str, &'t str, &'t str)> {
    head.host.as_ref()?;
    let (host, after) = rest.split_once(' ')?;
    if host.ends_with(':') || !is_host(host) || host.bytes().any(|byte| b":/%".contains(&byte)) {
        return None;
    }
    let (tag, pid, body) = tag(after)?;
    let pid = pid.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((tag, pid, body))
}

/// `sshd: …`: only a word before a colon, which says little by itself.
pub(crate) fn name_only(text: &str) -> Option<(Head<'_>, &str)> {
    let (tag, pid, body) = tag(text)?;
    let head = Head { frame: "tag", tag: Some(Cow::Borrowed(tag)), ..Head::default() };
    pid.is_none().then_some((head, body))
}

/// ` vm sshd[1]: …`: host and tag, either of which may be missing.
fn host_and_tag(text: &str) -> (Head<'_>, &str) {
    let text = text.trim_start_matches(' ');
    let end = text.find(' ').unwrap_or(text.len());
    let first = &text[..end];
    // Only an address stands in brackets; else it is a process id.
    let bare = first.strip_prefix('[').and_then(|first| first.strip_suffix(']'));
    let bare = bare.filter(|bare| bare.contains(['.', ':'])).unwrap_or(first);
    let mut head = Head::default();
    let mut rest = text;
    // A word that ends as a tag does is the tag, and the host is missing.
    if !first.ends_with(':') && is_host(bare) && end < text.len() {
        head.host = Some(Cow::Borrowed(bare));
        rest = text[end..].trim_start_matches(' ');
    }
    // UniFi's devices write their name with model and version, consoles write it twice.
    if let Some(name) = first.strip_suffix(':').filter(|name| is_device(name)) {
        head.host = Some(Cow::Borrowed(name));
        rest = text[end..].trim_start_matches(' ');
    } else if let Some(after) = head.host.as_deref().and_then(|host| rest.strip_prefix(host))
        && let Some(after) = after.strip_prefix("[-]:")
    {
        rest = after.trim_start_matches(' ');
    }
    // AIX: a relay names the sender in words.
    if let Some((sender, after)) =
        rest.strip_prefix("Message forwarded from ").and_then(|rest| rest.split_once(": "))
        && is_host(sender)
    {
        head.host = Some(Cow::Borrowed(sender));
        rest = after;
    }
    if let Some((tag, pid, body)) = behind_relay(&head, rest) {
        head.tag = Some(Cow::Borrowed(tag));
        head.pid = Some(Cow::Borrowed(pid));
        return (head, body);
    }
    if let Some((word, after)) = rest.split_once(' ')
        && is_priority(word.trim_matches(['<', '>', '[', ']']))
    {
        rest = after.trim_start_matches(' ');
    } else if head.host.is_some()
        && let Some(after) = behind_priority(rest)
    {
        rest = after;
    }
    // Cisco and others write a colon of its own between host and message.
    if let Some(body) = rest.strip_prefix(": ") {
        return (head, body.trim_start());
    }
    if let Some((tag, pid, body)) = tag(rest) {
        head.tag = Some(Cow::Borrowed(tag));
        head.pid = pid.map(Cow::Borrowed);
        return (head, body);
    }
    (head, rest)
}

/// `sshd[1]: …`, `sudo: …`: tag, pid and message.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let bytes = text.as_bytes();
    let limit = bytes.len().min(TAG_BYTES_MAX);
    let mut at = 0;
    loop {
        match *bytes[..limit].get(at)? {
            b'[' if at > 0 => break,
            b':' if at > 0 && matches!(bytes.get(at + 1), None | Some(b' ')) => {
                return Some((&text[..at], None, text[at + 1..].trim_start()));
            }
            // Cisco's message code is part of the message.
            b'%' if at == 0 => return None,
            // `polkitd(authority=local)`.
            b'=' if text[..at].contains('(') => at += 1,
            byte if byte <= b' ' || b"=\"{}<>|,;[".contains(&byte) => return None,
            _ => at += 1,
        }
    }
    let (pid, rest) = text[at + 1..].split_once(']')?;
    if pid.len() > PID_BYTES_MAX || pid.contains(' ') {
        return None;
    }
    let body = rest.strip_prefix(':').or_else(|| rest.starts_with(' ').then_some(rest));
    let body = body.or_else(|| rest.is_empty().then_some(rest))?;
    Some((&text[..at], Some(pid).filter(|pid| !pid.is_empty()), body.trim_start()))
}

fn is_host(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= HOST_BYTES_MAX
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:%@/".contains(&byte))
        && !word.starts_with('%')
}

/// `U7PG2,7483c2b9d7c2,v4.3.28.11361`.
fn is_device(name: &str) -> bool {
    name.contains(',')
        && name.len() <= HOST_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",.+-_".contains(&byte))
}

/// Leaves out what Solaris writes before a message: `[ID 800047 auth.info] `.
fn without_id(body: &str) -> &str {
    let inside = body.strip_prefix("[ID ").and_then(|rest| rest.split_once("] "));
    match inside {
        Some((id, rest)) if id.len() <= ID_BYTES_MAX && id.contains('.') => rest,
        _ => body,
    }
}

/// Leaves out what BSD's syslogd writes before the host: ` <auth.info> vm sshd[1]: …`.
fn without_facility(text: &str) -> &str {
    let inside = text.strip_prefix(" <").and_then(|rest| rest.split_once('>'));
    inside.filter(|(word, _)| is_priority(word)).map_or(text, |(_, rest)| rest)
}

/// Whether a word is `facility.severity`, which some write between host and tag; AIX writes
/// `auth|security:info`.
fn is_priority(word: &str) -> bool {
    let Some((facility, severity)) = word.split_once(['.', ':']) else { return false };
    facility.split('|').any(|facility| FACILITIES.contains(&facility)) && is_level(severity)
}

/// What follows `authpriv info `: facility and severity as two words between host and tag.
fn behind_priority(text: &str) -> Option<&str> {
    let (facility, rest) = text.split_once(' ')?;
    let (severity, rest) = rest.split_once(' ')?;
    let rest = rest.trim_start_matches(' ');
    (FACILITIES.contains(&facility) && is_level(severity) && tag(rest).is_some()).then_some(rest)
}

/// `message repeated 3 times: [ … ]` → 3 and what is inside.
fn unrepeat(body: &str) -> (Option<u32>, &str) {
    let inside = || {
        let rest = body.strip_prefix("message repeated ")?;
        let (count, rest) = rest.split_once(" times: [")?;
        let count = count.parse().ok()?;
        let inside = rest.strip_suffix(']').unwrap_or(rest);
        Some((count, inside.trim()))
    };
    inside().map_or((None, body), |(count, inside)| (Some(count), inside))
}
