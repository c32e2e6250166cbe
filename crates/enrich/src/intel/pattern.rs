//! STIX patterns that name single values: `[ipv4-addr:value = '192.0.2.1']`, several of them with
//! OR. What needs two things at once (AND, FOLLOWEDBY) is no indicator of one of them and is
//! refused.

use super::value::{Kind, normal};

/// The longest pattern that is read, bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// The values that a pattern names.
///
/// # Errors
/// Why it is none that can be looked up.
pub(crate) fn values(pattern: &str) -> Result<Vec<(Kind, String)>, &'static str> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err("the pattern is too long");
    }
    let mut found = Vec::new();
    let mut rest = pattern.trim();
    loop {
        rest = rest.trim_start_matches(['[', '(', ' ', '\n', '\t']);
        if rest.is_empty() {
            break;
        }
        let (object, after) = rest.split_once(':').ok_or("no object in the pattern")?;
        let object = object.trim();
        let end = operator(after).ok_or("a comparison that is not =, IN or ISSUBSET")?;
        let (path, after) = after.split_at(end);
        let (many, after) = comparison(after.trim_start())?;
        let (texts, after) = literals(after.trim_start(), many)?;
        let kind = kind_of(object, path.trim()).ok_or("nothing that is looked for in events")?;
        for text in texts {
            found.push(normal(&text, Some(kind)).ok_or("a value that is none of its kind")?);
        }
        rest = after.trim_start_matches([']', ')', ' ', '\n', '\t']);
        match rest.split_once(char::is_whitespace) {
            _ if rest.is_empty() => break,
            Some(("OR", more)) => rest = more,
            Some(("AND" | "FOLLOWEDBY", _)) => return Err("needs several things at once"),
            // START, STOP, WITHIN, REPEATS: when or how often changes nothing of what.
            _ if rest.starts_with(|c: char| c.is_ascii_uppercase()) => break,
            _ => return Err("a pattern that cannot be read"),
        }
    }
    match found.is_empty() {
        true => Err("no value in the pattern"),
        false => Ok(found),
    }
}

/// Where the path ends.
fn operator(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '=' | '!' | '<' | '>' | ' ' if !quoted => return Some(at),
            ']' if !quoted => return None,
            _ => {}
        }
    }
    None
}

/// What follows the operator, and whether it is a set.
fn comparison(text: &str) -> Result<(bool, &str), &'static str> {
    if let Some(rest) = text.strip_prefix("==").or_else(|| text.strip_prefix('=')) {
        return Ok((false, rest));
    }
    if let Some(rest) = text.strip_prefix("ISSUBSET") {
        return Ok((false, rest));
    }
    if let Some(rest) = text.strip_prefix("IN") {
        return Ok((true, rest));
    }
    Err("a comparison that is not =, IN or ISSUBSET")
}

fn literals(text: &str, many: bool) -> Result<(Vec<String>, &str), &'static str> {
    if !many {
        let (one, rest) = literal(text)?;
        return Ok((vec![one], rest));
    }
    let mut rest = text.strip_prefix('(').ok_or("IN without a list")?;
    let mut all = Vec::new();
    loop {
        let (one, after) = literal(rest.trim_start())?;
        all.push(one);
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok((all, after.strip_prefix(')').ok_or("a list without end")?)),
        }
    }
}

fn literal(text: &str) -> Result<(String, &str), &'static str> {
    let text = text.strip_prefix('\'').ok_or("a value that is no text")?;
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' => return Ok((value, &text[at + 1..])),
            c => value.push(c),
        }
    }
    Err("a text without end")
}

fn kind_of(object: &str, path: &str) -> Option<Kind> {
    match (object, path) {
        ("ipv4-addr" | "ipv6-addr", "value") => Some(Kind::Address),
        ("domain-name", "value") => Some(Kind::Domain),
        ("url", "value") => Some(Kind::Url),
        ("email-addr", "value") => Some(Kind::Email),
        ("email-message", "from_ref.value" | "sender_ref.value") => Some(Kind::Email),
        ("network-traffic", "dst_ref.value" | "src_ref.value") => Some(Kind::Address),
        ("file", path) if path.starts_with("hashes") => Some(Kind::Hash),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_single_values_are_read() {
        let hash = "0123456789abcdef0123456789abcdef";
        let of_hash = format!("[file:hashes.'SHA-256' = '{hash}' OR file:hashes.MD5='{hash}']");
        let table: &[(&str, Result<&[&str], &str>)] = &[
            ("[ipv4-addr:value = '192.0.2.1']", Ok(&["192.0.2.1"])),
            (
                "[ipv4-addr:value='192.0.2.1' OR domain-name:value = 'a.example']",
                Ok(&["192.0.2.1", "a.example"]),
            ),
            ("[url:value = 'http://a.example/it\\'s']", Ok(&["a.example/it's"])),
            ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", Ok(&["198.51.100.0/24"])),
            ("[domain-name:value IN ('a.example', 'b.example')]", Ok(&["a.example", "b.example"])),
            (
                "[ipv4-addr:value = '192.0.2.1'] OR [ipv4-addr:value = '192.0.2.2']",
                Ok(&["192.0.2.1", "192.0.2.2"]),
            ),
            (
                "[domain-name:value = 'a.example'] START t'2026-01-01T00:00:00Z' STOP t'2026-02-01T00:00:00Z'",
                Ok(&["a.example"]),
            ),
            (&of_hash, Ok(&[hash, hash])),
            (
                "[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'a.example']",
                Err("several things"),
            ),
            ("[process:command_line = 'x']", Err("nothing that is looked for")),
            ("[domain-name:value LIKE 'a%']", Err("not =")),
            ("[ipv4-addr:value = 'nobody']", Err("none of its kind")),
            ("[ipv4-addr:value = '192.0.2.1", Err("without end")),
            ("[]", Err("no object")),
            ("", Err("no value")),
        ];
        for (pattern, expected) in table {
            let found = values(pattern);
            match (expected, &found) {
                (Ok(expected), Ok(found)) => {
                    let found: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
                    assert_eq!(&found, expected, "{pattern}");
                }
                (Err(why), Err(said)) => assert!(said.contains(why), "{pattern}: {said}"),
                _ => panic!("{pattern} gave {found:?}"),
            }
        }
    }
}
