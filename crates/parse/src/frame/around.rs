//! What stands around whole lines: lengths, names of containers and of files.

use super::{HOST_BYTES_MAX, Head, is_host};
use crate::time::{self, Clock};
use std::borrow::Cow;

/// Digits of a length before a message, at most (RFC 6587 section 3.4.1).
const LENGTH_DIGITS_MAX: usize = 6;

/// Digits of a process id on Windows, at most.
const PROCESS_DIGITS_MAX: usize = 7;
/// Bytes of `2026-11-21 00:11:50.250`.
const WINDOWS_TIME_BYTES: usize = 23;

/// Leaves out the length of a message that somebody kept when saving a stream: `125 <38>1 …`.
pub(crate) fn without_length(text: &str) -> &str {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text.get(digits..) {
        Some(rest) if (1..=LENGTH_DIGITS_MAX).contains(&digits) && rest.starts_with(" <") => {
            &rest[1..]
        }
        _ => text,
    }
}

/// `2026 Nov 21 00:11:50 (web1) 192.0.2.10->/var/log/auth.log …` and
/// `2026 Nov 21 00:11:50 web1->/var/log/auth.log …`, as the archives of Wazuh and OSSEC have it:
/// the head, the path of the file, the line.
pub(crate) fn archived<'t>(
    text: &'t str,
    clock: &mut Clock<'_>,
) -> Option<(Head<'t>, &'t str, &'t str)> {
    if !text.starts_with('2') || text.as_bytes().get(4) != Some(&b' ') {
        return None;
    }
    let read = time::year_first(text.as_bytes(), clock)?;
    let rest = text.get(read.len..)?.strip_prefix(' ')?;
    let (place, rest) = rest.split_once("->")?;
    let host = match place.strip_prefix('(') {
        Some(named) => named.split_once(") ")?.0,
        None => place,
    };
    let (path, line) = rest.split_once(' ')?;
    if !is_host(host) || path.contains(['"', '(']) {
        return None;
    }
    let head = Head {
        frame: "archive",
        time: Some(read.time),
        host: Some(Cow::Borrowed(host)),
        ..Head::default()
    };
    Some((head, path, line))
}

/// What follows `web-1  | `, which `docker compose logs` writes before each line, or
/// `web.1.x1y2@node    | `, as `docker service logs` does.
pub(crate) fn compose(text: &str) -> Option<&str> {
    let (name, inner) = text.split_once("| ")?;
    let plain = name.trim_end_matches(' ');
    let named = !plain.is_empty()
        && plain.len() < name.len()
        && plain.len() <= HOST_BYTES_MAX
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    named.then_some(inner)
}

/// How messages of sshd begin that tell of clients, and those of its debug levels.
const SSHD_STARTS: [&str; 14] = [
    "Accepted ",
    "Failed ",
    "Invalid user ",
    "Connection ",
    "Disconnected from ",
    "Disconnecting ",
    "Received disconnect from ",
    "User ",
    "Server listening on ",
    "Did not receive identification string",
    "error: maximum authentication attempts",
    "debug1: ",
    "debug2: ",
    "debug3: ",
];

/// `4236 2026-11-21 00:11:50.250 Failed password for …`, as OpenSSH on Windows writes into
/// sshd.log: it names neither host nor program, so the message must be one of sshd's.
pub(super) fn windows_sshd<'t>(
    text: &'t str,
    clock: &mut Clock<'_>,
) -> Option<(Head<'t>, &'t str)> {
    let (pid, rest) = text.split_once(' ')?;
    let number = pid.len() <= PROCESS_DIGITS_MAX && pid.bytes().all(|byte| byte.is_ascii_digit());
    let body = rest.get(WINDOWS_TIME_BYTES..)?.strip_prefix(' ')?;
    if !number || !SSHD_STARTS.iter().any(|start| body.starts_with(start)) {
        return None;
    }
    let read = time::iso(rest.as_bytes(), clock).filter(|read| read.len == WINDOWS_TIME_BYTES)?;
    let head = Head {
        frame: "windows sshd",
        time: Some(read.time),
        tag: Some(Cow::Borrowed("sshd")),
        pid: Some(Cow::Borrowed(pid)),
        ..Head::default()
    };
    Some((head, body))
}

/// `2026-11-21T00:11:50.123456789Z stdout F …`, as CRI runtimes write.
pub(crate) fn cri<'t>(text: &'t str, clock: &mut Clock<'_>) -> Option<(Head<'t>, &'t str)> {
    let read = time::iso(text.as_bytes(), clock)?;
    let rest = text[read.len..].strip_prefix(' ')?;
    let rest = rest.strip_prefix("stdout ").or_else(|| rest.strip_prefix("stderr "))?;
    let (flags, body) = rest.split_once(' ')?;
    let known = flags.split(':').all(|flag| flag == "F" || flag == "P");
    known.then_some((Head { frame: "cri", time: Some(read.time), ..Head::default() }, body))
}
