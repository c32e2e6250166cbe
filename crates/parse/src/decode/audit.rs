//! Records of the Linux audit system: `type=… msg=audit(time:serial): k=v k="v" msg='k=v …'`.
//!
//! Values that the kernel writes in hexadecimal because they hold odd bytes are decoded, system
//! calls get their name, the enriched part after byte 0x1D is read too.

use super::{Raw, syscalls};

/// Fields whose bare value may be hexadecimal text.
const ENCODED: &[&str] = &[
    "comm",
    "exe",
    "cwd",
    "name",
    "proctitle",
    "cmd",
    "acct",
    "path",
    "file",
    "dir",
    "key",
    "data",
    "vm",
    "img-ctx",
    "new-disk",
    "old-disk",
    "grp",
    "sw",
    "root_dir",
];
/// What parts the fields.
const BETWEEN: [char; 5] = [' ', '\u{1d}', '\n', '\t', '\r'];
/// The most arguments put together to a command line.
const ARGS_MAX: usize = 256;

/// Takes a record apart.
pub(crate) fn audit(text: &str, raw: &mut Raw<'_, '_>) {
    let mut record = Record::default();
    pairs(text, 0, raw, &mut record);
    if !record.args.is_empty() {
        raw.text("cmdline", &record.args.join(" "));
    }
    if !record.named
        && let (Some(arch), Some(number)) = (&record.arch, record.syscall)
        && let Some(name) = syscalls::name(arch, number)
    {
        raw.text("SYSCALL", name);
    }
}

/// What must be known of a record to read its later fields.
#[derive(Default)]
struct Record {
    execve: bool,
    args: Vec<String>,
    arch: Option<String>,
    syscall: Option<u32>,
    /// Whether the enriched part names the system call.
    named: bool,
}

fn pairs(text: &str, depth: usize, raw: &mut Raw<'_, '_>, record: &mut Record) {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(BETWEEN);
        let Some(at) = rest.find(['=', ' ', '\u{1d}']) else { return };
        let key = rest[..at].trim_start_matches('(');
        if !rest[at..].starts_with('=') {
            // The journal leaves `type=` out, the kernel writes `audit(…)` alone.
            if let Some(inside) = key.strip_prefix("audit(") {
                rest = stamp(&rest[at - inside.len()..], raw);
                continue;
            }
            if key == "avc:" {
                let verdict = rest[at..].trim_start().split(' ').next().unwrap_or("");
                raw.text("avc", verdict);
            }
            if rest.len() == text.len() && depth == 0 && is_type(key) {
                one("type", key, false, raw, record);
            }
            rest = &rest[at..];
            continue;
        }
        let value = &rest[at + 1..];
        if let Some(inside) = value.strip_prefix("audit(") {
            rest = stamp(inside, raw);
            continue;
        }
        if let Some(inside) = value.strip_prefix('\'') {
            let end = inside.find('\'').unwrap_or(inside.len());
            if key == "msg" && depth == 0 {
                pairs(&inside[..end], depth + 1, raw, record);
            } else {
                raw.text(key, &inside[..end]);
            }
            rest = inside.get(end + 1..).unwrap_or("");
            continue;
        }
        if let Some(inside) = value.strip_prefix('"') {
            let end = inside.find('"').unwrap_or(inside.len());
            one(key, &inside[..end], true, raw, record);
            rest = inside.get(end + 1..).unwrap_or("");
            continue;
        }
        let end = value.find(BETWEEN).unwrap_or(value.len());
        one(key, &value[..end], false, raw, record);
        rest = &value[end..];
    }
}

/// `1364481363.243:24287): `: time and serial number; what follows.
fn stamp<'t>(inside: &'t str, raw: &mut Raw<'_, '_>) -> &'t str {
    let Some((stamp, rest)) = inside.split_once(')') else { return "" };
    let (time, serial) = stamp.split_once(':').unwrap_or((stamp, ""));
    raw.sink.time(time, true);
    raw.text("auditd.serial", serial);
    rest.strip_prefix(':').unwrap_or(rest)
}

/// Names of the types that the kernel writes as numbers.
const TYPES: &[(&str, &str)] = &[
    ("1006", "LOGIN"),
    ("1100", "USER_AUTH"),
    ("1101", "USER_ACCT"),
    ("1103", "CRED_ACQ"),
    ("1104", "CRED_DISP"),
    ("1105", "USER_START"),
    ("1106", "USER_END"),
    ("1107", "USER_AVC"),
    ("1110", "CRED_REFR"),
    ("1112", "USER_LOGIN"),
    ("1123", "USER_CMD"),
    ("1130", "SERVICE_START"),
    ("1131", "SERVICE_STOP"),
    ("1300", "SYSCALL"),
    ("1302", "PATH"),
    ("1305", "CONFIG_CHANGE"),
    ("1306", "SOCKADDR"),
    ("1307", "CWD"),
    ("1309", "EXECVE"),
    ("1325", "NETFILTER_CFG"),
    ("1326", "SECCOMP"),
    ("1327", "PROCTITLE"),
    ("1334", "BPF"),
    ("1400", "AVC"),
    ("1701", "ANOM_ABEND"),
    ("1700", "ANOM_PROMISCUOUS"),
];

/// The name of a type that may be a number.
fn type_name(value: &str) -> &str {
    TYPES.iter().find(|(number, _)| *number == value).map_or(value, |(_, name)| name)
}

/// Whether a word is a record's type, as in `USER_LOGIN`.
fn is_type(word: &str) -> bool {
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || b"_12".contains(&byte))
}

fn one(key: &str, value: &str, quoted: bool, raw: &mut Raw<'_, '_>, record: &mut Record) {
    let value = if quoted { value } else { value.trim_end_matches(',') };
    // Old records put what a program says in brackets.
    let value = if quoted || value.contains('(') { value } else { value.trim_end_matches(')') };
    if value.is_empty() || value == "(null)" || value == "(none)" || value == "?" || key.is_empty()
    {
        return;
    }
    let value = if key == "type" { type_name(value) } else { value };
    match key {
        "type" => record.execve = value == "EXECVE",
        "arch" => record.arch = Some(value.to_owned()),
        "syscall" => record.syscall = value.parse().ok(),
        "SYSCALL" => record.named = true,
        _ => {}
    }
    let argument = record.execve && is_argument(key);
    if !quoted
        && (argument || ENCODED.contains(&key))
        && let Some(plain) = decoded(value)
    {
        raw.text(key, &plain);
        if argument && record.args.len() < ARGS_MAX {
            record.args.push(plain);
        }
        return;
    }
    raw.text(key, value);
    if argument && record.args.len() < ARGS_MAX {
        record.args.push(value.to_owned());
    }
}

/// `a0`, `a1`, …
fn is_argument(key: &str) -> bool {
    key.strip_prefix('a').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Hexadecimal text as text; NUL and 0x01, which part arguments and keys, as blanks.
fn decoded(value: &str) -> Option<String> {
    let digits = value.as_bytes();
    if digits.len() < 2 || !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        let byte = (high * 16 + low) as u8;
        bytes.push(if byte <= 1 { b' ' } else { byte });
    }
    let text = crate::text::text_of(&bytes).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
