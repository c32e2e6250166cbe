//! Reads a mail for people: headers unfolded and decoded, text and HTML parts decoded. In: the
//! raw mail. Out: what a mail program would show. Never fails: what is broken is shown as it is.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// How deep multiparts may nest.
const DEPTH_MAX: usize = 8;

/// A mail as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadMail {
    /// Headers in order, unfolded, encoded words decoded.
    pub headers: Vec<(String, String)>,
    /// First `text/plain` part.
    pub text: String,
    /// First `text/html` part.
    pub html: String,
}

impl ReadMail {
    /// Reads a raw mail.
    pub fn read(raw: &[u8]) -> Self {
        let (head, body) = split_head(raw);
        let mut mail = Self { headers: headers(head), ..Self::default() };
        let (kind, encoding) = kind_and_encoding(&mail.headers);
        mail.part(&kind, &encoding, body, 0);
        mail
    }

    /// The first header of that name, any case; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        find(&self.headers, name)
    }

    fn part(&mut self, kind: &str, encoding: &str, body: &[u8], depth: usize) {
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("multipart/") && depth < DEPTH_MAX {
            let Some(boundary) = parameter(kind, "boundary") else { return };
            for part in parts(body, &boundary) {
                let (head, inner) = split_head(part);
                let (kind, encoding) = kind_and_encoding(&headers(head));
                self.part(&kind, &encoding, inner, depth + 1);
            }
            return;
        }
        let slot = if lower.starts_with("text/html") {
            &mut self.html
        } else if lower.is_empty() || lower.starts_with("text/plain") {
            &mut self.text
        } else {
            return;
        };
        if slot.is_empty() {
            *slot = String::from_utf8_lossy(&decode_body(encoding, body)).replace("\r\n", "\n");
        }
    }
}

fn find<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    headers
        .iter()
        .find(|(have, _)| have.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value.as_str())
}

fn kind_and_encoding(headers: &[(String, String)]) -> (String, String) {
    let encoding = find(headers, "content-transfer-encoding").trim().to_ascii_lowercase();
    (find(headers, "content-type").trim().to_owned(), encoding)
}

fn split_head(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < raw.len() {
        let end =
            raw[at..].iter().position(|&byte| byte == b'\n').map_or(raw.len(), |n| at + n + 1);
        if matches!(&raw[at..end], b"\n" | b"\r\n") {
            return (&raw[..at], &raw[end..]);
        }
        at = end;
    }
    (raw, &[])
}

fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), found.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    found.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
        }
    }
    for (_, value) in &mut found {
        *value = decode_words(value);
    }
    found
}

fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|part| {
        let (have, value) = part.split_once('=')?;
        have.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let marker = format!("--{boundary}");
    let mut found = Vec::new();
    let (mut at, mut start) = (0, None);
    while at < body.len() {
        let end =
            body[at..].iter().position(|&byte| byte == b'\n').map_or(body.len(), |n| at + n + 1);
        let line = String::from_utf8_lossy(&body[at..end]);
        let line = line.trim_end();
        let closes = line.strip_prefix(marker.as_str()) == Some("--");
        if line == marker || closes {
            if let Some(start) = start.replace(end) {
                let part: &[u8] = &body[start..at];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                found.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if closes {
                break;
            }
        }
        at = end;
    }
    found
}

fn decode_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "base64" => {
            let packed: Vec<u8> =
                body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            LENIENT.decode(packed).unwrap_or_else(|_| body.to_vec())
        }
        "quoted-printable" => quoted_printable(body, false),
        _ => body.to_vec(),
    }
}

fn quoted_printable(body: &[u8], underscore_is_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'=' => match (tail, hex_pair(tail)) {
                (_, Some(decoded)) => {
                    out.push(decoded);
                    rest = &tail[2..];
                }
                ([b'\r', b'\n', after @ ..] | [b'\n', after @ ..], None) => rest = after,
                _ => out.push(b'='),
            },
            b'_' if underscore_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    out
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let high = (*bytes.first()? as char).to_digit(16)?;
    let low = (*bytes.get(1)? as char).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// Decodes RFC 2047 encoded words; spaces between two of them vanish.
fn decode_words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, tail) = rest.split_at(start);
        let Some((word, after)) = encoded_word(tail) else {
            out.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&word);
        rest = after;
        after_word = true;
    }
    out.push_str(rest);
    out
}

fn encoded_word(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix("=?")?;
    let (_charset, inner) = inner.split_once('?')?;
    let (encoding, inner) = inner.split_once('?')?;
    let (payload, after) = inner.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => LENIENT.decode(payload).ok()?,
        "Q" | "q" => quoted_printable(payload.as_bytes(), true),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_mail_programs_write() {
        let raw = b"Subject: =?utf-8?b?w5xi?= =?utf-8?q?er_alles?= ok\r\nX-Long: a\r\n b\r\n\
            Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\npreamble\r\n--b1\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\
            \r\n\r\nf=C3=BCnf =\r\nmal\r\n--b1\r\nContent-Type: text/html\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+\r\neDwvYj4=\r\n--b1--\r\nepilogue";
        let mail = ReadMail::read(raw);
        assert_eq!(mail.header("subject"), "Über alles ok");
        assert_eq!(mail.header("X-LONG"), "a b");
        assert_eq!(mail.text, "fünf mal");
        assert_eq!(mail.html, "<b>x</b>");
    }

    #[test]
    fn broken_mails_are_shown_as_they_are() {
        for (raw, subject, text) in [
            (&b""[..], "", ""),
            (b"no headers at all", "", ""),
            (b"Subject: =?utf-8?x?a?= =?\r\n\r\nbody", "=?utf-8?x?a?= =?", "body"),
            (b"Content-Transfer-Encoding: base64\n\n!!!", "", "!!!"),
            (b"Content-Transfer-Encoding: quoted-printable\n\na=zz=", "", "a=zz="),
            (b"Content-Type: multipart/mixed\n\nx", "", ""),
        ] {
            let mail = ReadMail::read(raw);
            assert_eq!((mail.header("subject"), mail.text.as_str()), (subject, text));
        }
    }
}
