//! Times in Elasticsearch's words: `format`s and `time_zone`s. Text in, times out, and back.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use tocsin_model::Timestamp;

use crate::time::parse_instant;

/// Formats that mean what is read and written anyway.
const USUAL: [&str; 10] = [
    "date_optional_time",
    "strict_date_optional_time",
    "strict_date_optional_time_nanos",
    "date_time",
    "strict_date_time",
    "iso8601",
    "basic_date_time",
    "strict_date",
    "date",
    "strict_date_time_no_millis",
];

/// A day, nanoseconds.
const DAY: i64 = 86_400_000_000_000;

/// A time zone of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// An IANA name, or an offset (`+01:00`).
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let utc = ["UTC", "utc", "Z", "z", "+00:00", "+0000", "-00:00", "Etc/UTC", "GMT"];
        if utc.contains(&name) {
            return Ok(Self::utc());
        }
        tocsin_store::time_zone(name).map(Self).ok_or_else(|| {
            format!(
                "{name:?} is no time zone; use a name like Europe/Berlin, or an offset like +01:00"
            )
        })
    }

    pub(crate) fn is_utc(&self) -> bool {
        self.0 == TimeZone::UTC
    }

    /// Seconds that the clock on the wall is ahead of UTC.
    pub(crate) fn offset(&self, at: Timestamp) -> i64 {
        let instant = jiff::Timestamp::from_nanosecond(i128::from(at.0));
        instant.map_or(0, |instant| i64::from(self.0.to_offset(instant).seconds()))
    }

    /// What the clock on the wall shows, as if it were UTC.
    fn wall(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add(self.offset(at).saturating_mul(1_000_000_000)))
    }

    /// When the clock on the wall shows this.
    fn unwall(&self, wall: Timestamp) -> Option<Timestamp> {
        let shown = jiff::Timestamp::from_nanosecond(i128::from(wall.0)).ok()?;
        let shown = shown.to_zoned(TimeZone::UTC).datetime();
        stamp(shown, &self.0)
    }
}

fn stamp(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let instant = at.to_zoned(zone.clone()).ok()?.timestamp();
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

/// Reads a time; start and end of what it stands for.
pub(crate) fn read(
    text: &str,
    formats: Option<&str>,
    zone: &Zone,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let whole = |time: Timestamp| Some((time, Timestamp(time.0.checked_add(1)?)));
    for format in formats.into_iter().flat_map(|formats| formats.split("||")) {
        let found = match format {
            "epoch_millis" => text.parse().ok().map(Timestamp::from_millis).and_then(whole),
            "epoch_second" => {
                let millis = text.parse::<i64>().ok().and_then(|s| s.checked_mul(1000));
                millis.map(Timestamp::from_millis).and_then(whole)
            }
            usual if USUAL.contains(&usual) => None,
            pattern => by_pattern(text, pattern, zone),
        };
        if found.is_some() {
            return found;
        }
    }
    // `2026-11-21||+1d/d`.
    let text = text.replacen("||", "", 1);
    if zone.is_utc() || Timestamp::parse_rfc3339(&text).is_some() {
        return parse_instant(&text, now);
    }
    let (start, end) = parse_instant(&text, zone.wall(now))?;
    Some((zone.unwall(start)?, zone.unwall(end)?))
}

/// Whether a format can be read and written.
pub(crate) fn is_known(formats: &str) -> bool {
    formats.split("||").all(|format| {
        USUAL.contains(&format)
            || matches!(format, "epoch_millis" | "epoch_second")
            || pieces(format).is_some()
    })
}

/// A piece of a pattern: a letter so many times, or text.
enum Piece {
    Letter(char, usize),
    Text(String),
}

/// The pieces of a pattern as Java's `DateTimeFormatter` has it; `None` for what is not known.
fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut all = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            let text: String = chars.by_ref().take_while(|c| *c != '\'').collect();
            all.push(Piece::Text(if text.is_empty() { "'".to_owned() } else { text }));
        } else if c.is_ascii_alphabetic() {
            let mut count = 1;
            while chars.next_if_eq(&c).is_some() {
                count += 1;
            }
            let known = match c {
                'y' | 'u' => matches!(count, 2 | 4),
                'M' => count <= 4,
                'd' | 'H' | 'm' | 's' => count <= 2,
                'S' => count <= 9,
                'E' => count <= 4,
                'X' | 'Z' => count <= 5,
                _ => false,
            };
            if !known {
                return None;
            }
            all.push(Piece::Letter(c, count));
        } else {
            all.push(Piece::Text(c.to_string()));
        }
    }
    Some(all)
}

/// The parts of a time that a pattern reads.
struct Parts {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    nanos: i32,
    /// The smallest unit there is, nanoseconds.
    unit: i64,
}

impl Parts {
    /// Takes the number of a letter that stands so many times.
    fn take(&mut self, letter: char, count: usize, number: i32) -> Option<()> {
        let (part, unit) = match letter {
            'y' | 'u' => {
                self.year = if count == 2 { 2000 + number } else { number };
                return Some(());
            }
            'M' if count <= 2 => (&mut self.month, 31 * DAY),
            'd' => (&mut self.day, DAY),
            'H' => (&mut self.hour, DAY / 24),
            'm' => (&mut self.minute, 60_000_000_000),
            's' => (&mut self.second, 1_000_000_000),
            'S' => {
                self.nanos = number.checked_mul(10_i32.pow(9 - u32::try_from(count).ok()?))?;
                self.unit = 1;
                return Some(());
            }
            _ => return None,
        };
        *part = number;
        self.unit = self.unit.min(unit);
        Some(())
    }

    fn civil(&self) -> Option<DateTime> {
        let small = |number: i32| i8::try_from(number).ok();
        let year = i16::try_from(self.year).ok()?;
        let date = Date::new(year, small(self.month)?, small(self.day)?).ok()?;
        let (hour, minute) = (small(self.hour)?, small(self.minute)?);
        Some(date.to_datetime(Time::new(hour, minute, small(self.second)?, self.nanos).ok()?))
    }
}

/// Reads by a pattern; the end is that of the smallest unit there is.
fn by_pattern(text: &str, pattern: &str, zone: &Zone) -> Option<(Timestamp, Timestamp)> {
    let mut rest = text;
    let (year, month, day, unit) = (1970, 1, 1, 366 * DAY);
    let mut parts = Parts { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0, unit };
    let mut own = None;
    for piece in pieces(pattern)? {
        let (letter, count) = match piece {
            Piece::Text(text) => {
                rest = rest.strip_prefix(text.as_str())?;
                continue;
            }
            Piece::Letter(letter, count) => (letter, count),
        };
        if matches!(letter, 'X' | 'Z') {
            own = Some(Zone::parse(rest).ok()?);
            rest = "";
            continue;
        }
        let least = if letter == 'S' { count } else { count.min(2) };
        let most = if matches!(letter, 'y' | 'u' | 'S') { count } else { 2 };
        let end = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if end < least {
            return None;
        }
        let (digits, after) = rest.split_at(end);
        parts.take(letter, count, digits.parse().ok()?)?;
        rest = after;
    }
    let start = stamp(parts.civil().filter(|_| rest.is_empty())?, &own.as_ref().unwrap_or(zone).0)?;
    Some((start, Timestamp(start.0.checked_add(parts.unit)?)))
}

/// Writes a time.
pub(crate) fn write(time: Timestamp, formats: Option<&str>, zone: &Zone) -> String {
    let format = formats.and_then(|formats| formats.split("||").next()).unwrap_or_default();
    match format {
        "epoch_millis" => return time.millis().to_string(),
        "epoch_second" => return time.millis().div_euclid(1000).to_string(),
        _ => {}
    }
    let Ok(instant) = jiff::Timestamp::from_nanosecond(i128::from(time.0)) else {
        return time.to_string();
    };
    let local = instant.to_zoned(zone.0.clone());
    let offset = local.offset().seconds();
    let known = if USUAL.contains(&format) || format.is_empty() { None } else { pieces(format) };
    let Some(pieces) = known else {
        let date_only = matches!(format, "date" | "strict_date");
        return match (date_only, zone.is_utc()) {
            (true, _) => local.date().to_string(),
            (false, true) => time.to_string(),
            (false, false) => format!("{}{}", local.datetime(), offset_text(offset, true)),
        };
    };
    let mut out = String::new();
    for piece in pieces {
        let (letter, count) = match piece {
            Piece::Text(text) => {
                out.push_str(&text);
                continue;
            }
            Piece::Letter(letter, count) => (letter, count),
        };
        let padded = |number: i64| format!("{number:0count$}");
        out.push_str(&match letter {
            'y' | 'u' if count == 2 => padded(i64::from(local.year()) % 100),
            'y' | 'u' => padded(local.year().into()),
            'M' if count > 2 => local.strftime(if count == 3 { "%b" } else { "%B" }).to_string(),
            'M' => padded(local.month().into()),
            'd' => padded(local.day().into()),
            'H' => padded(local.hour().into()),
            'm' => padded(local.minute().into()),
            's' => padded(local.second().into()),
            'S' => format!("{:09}", local.subsec_nanosecond())[..count].to_owned(),
            'E' => local.strftime(if count == 4 { "%A" } else { "%a" }).to_string(),
            'X' if offset == 0 => "Z".to_owned(),
            _ => offset_text(offset, letter == 'X' && count == 3),
        });
    }
    out
}

fn offset_text(seconds: i32, colon: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let between = if colon { ":" } else { "" };
    format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_and_written() {
        let time = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let now = time("2026-11-21T12:34:56Z");
        let cases = [
            ("1795219200000", "epoch_millis", "UTC", "2026-11-21T00:00:00Z"),
            ("1795219200", "epoch_second", "UTC", "2026-11-21T00:00:00Z"),
            ("21/11/2026", "dd/MM/yyyy||yyyy", "UTC", "2026-11-21T00:00:00Z"),
            ("2026", "dd/MM/yyyy||yyyy", "UTC", "2026-01-01T00:00:00Z"),
            ("2026-11-21 08:05:01", "yyyy-MM-dd HH:mm:ss", "+01:00", "2026-11-21T07:05:01Z"),
            ("2026-11-21", "strict_date_optional_time", "Europe/Berlin", "2026-11-20T23:00:00Z"),
            ("now/d", "", "Asia/Tokyo", "2026-11-20T15:00:00Z"),
            ("now-1h", "", "Asia/Tokyo", "2026-11-21T11:34:56Z"),
            ("2026-11-21T10:00:00Z", "", "Asia/Tokyo", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00", "", "-0330", "2026-11-21T13:30:00Z"),
            (
                "2026-11-21T10:00:00.250+02:00",
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "UTC",
                "2026-11-21T08:00:00.25Z",
            ),
        ];
        for (text, format, zone, expected) in cases {
            let format = Some(format).filter(|format| !format.is_empty());
            assert!(format.is_none_or(is_known), "{format:?}");
            let read = read(text, format, &Zone::parse(zone).unwrap(), now);
            assert_eq!(
                read.map(|(start, _)| start.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        assert!(Zone::parse("Mars/Olympus").is_err() && !is_known("qqqq") && is_known("yyyy-MM"));
        assert_eq!(read("21.11.26", Some("dd/MM/yy"), &Zone::utc(), now), None);

        let written = [
            ("yyyy-MM-dd", "UTC", "2026-11-21"),
            ("dd MMM yyyy HH:mm", "Europe/Berlin", "21 Nov 2026 13:34"),
            ("epoch_second", "UTC", "1795264496"),
            ("", "UTC", "2026-11-21T12:34:56Z"),
            ("", "+05:30", "2026-11-21T18:04:56+05:30"),
            ("EEE HH:mm:ss.SSS Z", "UTC", "Sat 12:34:56.000 +0000"),
        ];
        for (format, zone, expected) in written {
            let format = Some(format).filter(|format| !format.is_empty());
            assert_eq!(write(now, format, &Zone::parse(zone).unwrap()), expected, "{format:?}");
        }
    }
}
