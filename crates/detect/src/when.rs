//! Times inside events: text in, the date and time as written out, without regard to its zone
//! (Sigma's time modifiers are not meant to convert).

use jiff::civil::DateTime;

/// Reads `2024-07-10T03:45:00Z`, `2024-07-10 03:45:00.123+02:00`, `2024-07-10`. `None` when the
/// text is no such time.
pub(crate) fn parse_civil(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let zone = text.get(10..).and_then(|rest| rest.find(['Z', 'z', '+', '-', '[']));
    let local = match zone {
        Some(at) => text[..10 + at].trim_end(),
        None => text,
    };
    if !local.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    local.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_written() {
        let table = [
            ("2024-07-10T03:45:00Z", Some("2024-07-10T03:45:00")),
            ("2024-07-10T03:45:00+09:00", Some("2024-07-10T03:45:00")),
            ("2024-07-10T03:45:00-09:00[Asia/Tokyo]", Some("2024-07-10T03:45:00")),
            ("2025-12-25 14:30:27.352", Some("2025-12-25T14:30:27.352")),
            ("2024-07-10", Some("2024-07-10T00:00:00")),
            ("garbage", None),
            ("", None),
            ("2024-13-10T00:00:00", None),
            ("1720583100", None),
        ];
        for (text, expected) in table {
            let got = parse_civil(text).map(|time| time.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
