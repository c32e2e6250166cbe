//! Times as people write them: points, and ranges for the time picker.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use tocsin_model::Timestamp;

/// From (included) and to (not included), either open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// Reads a range:
///
/// - `15m`, `24h`, `7d`, `2w`, `last 15m`: the last so much; `all` or nothing: everything
/// - `2026-11-21`, `2026-11`, `2026-11-21T10`: that day, month, hour (UTC)
/// - `2026-11-21T10:00:00Z`, `now-1h`: since then
/// - `A..B` (or `A/B` with two times): from A up to B, either may be empty
pub fn parse_time_range(text: &str, now: Timestamp) -> Result<TimeRange, String> {
    let text = text.trim();
    if text.is_empty() || text == "all" {
        return Ok(TimeRange::default());
    }
    let bad = |part: &str| {
        format!(
            "{part:?} is no time; write 15m, 24h, 7d, 2026-11-21, 2026-11-21T10:00:00Z, now-1h, \
             or two of them with .. between"
        )
    };
    if let Some(span) = parse_span(text.strip_prefix("last ").unwrap_or(text)) {
        return Ok(TimeRange { from: add(now, &span, -1), to: None });
    }
    if let Some((from, to)) = split(text, now) {
        let side = |part: &str| match part.trim() {
            "" => Ok(None),
            part => parse_instant(part, now).map(Some).ok_or_else(|| bad(part)),
        };
        let from = side(from)?.map(|(start, _)| start);
        // Up to and with a day, but up to an instant.
        let to = side(to)?.map(|(start, end)| if end.0 == start.0 + 1 { start } else { end });
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(format!("the range {text:?} ends before it starts"));
        }
        return Ok(TimeRange { from, to });
    }
    let (start, end) = parse_instant(text, now).ok_or_else(|| bad(text))?;
    let whole = end.0 > start.0 + 1;
    Ok(TimeRange { from: Some(start), to: whole.then_some(end) })
}

/// Both sides, where the text has two.
fn split(text: &str, now: Timestamp) -> Option<(&str, &str)> {
    if let Some(sides) = text.split_once("..") {
        return Some(sides);
    }
    // A slash may be rounding (`now/d`) instead.
    let mut slashes = text.match_indices('/').map(|(at, _)| (&text[..at], &text[at + 1..]));
    slashes
        .find(|(from, to)| parse_instant(from, now).is_some() && parse_instant(to, now).is_some())
}

/// A number and a unit of date math.
struct Span {
    count: i64,
    unit: char,
}

fn parse_span(text: &str) -> Option<Span> {
    let unit = text.chars().last()?;
    let count = text.get(..text.len() - unit.len_utf8())?;
    if !count.bytes().all(|b| b.is_ascii_digit()) || !"smhHdwMy".contains(unit) {
        return None;
    }
    Some(Span { count: count.parse().ok()?, unit })
}

fn add(time: Timestamp, span: &Span, sign: i64) -> Option<Timestamp> {
    let count = span.count.checked_mul(sign)?;
    let start = zoned(time)?;
    let none = jiff::Span::new();
    let span = match span.unit {
        's' => none.try_seconds(count),
        'm' => none.try_minutes(count),
        'h' | 'H' => none.try_hours(count),
        'd' => none.try_days(count),
        'w' => none.try_weeks(count),
        'M' => none.try_months(count),
        _ => none.try_years(count),
    };
    let moved = start.checked_add(span.ok()?);
    stamp(&moved.ok()?)
}

fn zoned(time: Timestamp) -> Option<Zoned> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.0)).ok()?;
    Some(time.to_zoned(TimeZone::UTC))
}

fn stamp(time: &Zoned) -> Option<Timestamp> {
    i64::try_from(time.timestamp().as_nanosecond()).ok().map(Timestamp)
}

/// Reads a point in time as the span it covers: an instant covers a nanosecond, `2026-11-21` a
/// day. Also date math: `now`, `now-15m`, `now-1d/d`.
pub(crate) fn parse_instant(text: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    if let Some(math) = text.strip_prefix("now") {
        return parse_math(math, now);
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Some((time, Timestamp(time.0.checked_add(1)?)));
    }
    parse_partial(text)
}

/// `-15m`, `-1d/d`, … after `now`.
fn parse_math(math: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let mut time = now;
    let mut rest = math;
    while !rest.is_empty() {
        let sign = match rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            '/' => {
                let mut chars = rest[1..].chars();
                let unit = chars.next().filter(|_| chars.next().is_none())?;
                let start = round(time, unit)?;
                let end = add(start, &Span { count: 1, unit }, 1)?;
                return Some((start, end));
            }
            _ => return None,
        };
        let end = rest[1..].find(['+', '-', '/']).map_or(rest.len(), |at| at + 1);
        time = add(time, &parse_span(&rest[1..end])?, sign)?;
        rest = &rest[end..];
    }
    Some((time, Timestamp(time.0.checked_add(1)?)))
}

/// The start of the second, minute, … that the time is in.
fn round(time: Timestamp, unit: char) -> Option<Timestamp> {
    let zoned = zoned(time)?;
    let date = zoned.date();
    let at = zoned.time();
    let start = match unit {
        's' => date.at(at.hour(), at.minute(), at.second(), 0),
        'm' => date.at(at.hour(), at.minute(), 0, 0),
        'h' | 'H' => date.at(at.hour(), 0, 0, 0),
        'd' => date.at(0, 0, 0, 0),
        'w' => {
            let back = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(back.days()).ok()?.at(0, 0, 0, 0)
        }
        'M' => date.first_of_month().at(0, 0, 0, 0),
        'y' => date.first_of_year().at(0, 0, 0, 0),
        _ => return None,
    };
    utc(start)
}

fn utc(time: civil::DateTime) -> Option<Timestamp> {
    stamp(&time.to_zoned(TimeZone::UTC).ok()?)
}

/// `2026`, `2026-11`, `2026-11-21`, with `T10`, `T10:30`, `T10:30:05`, `T10:30:05.5`; UTC.
fn parse_partial(text: &str) -> Option<(Timestamp, Timestamp)> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time.strip_suffix('Z').unwrap_or(time))),
        None => (text, None),
    };
    let mut numbers = date.split('-');
    let year = digits(numbers.next()?, 4)?;
    let month = numbers.next().map(|month| digits(month, 2));
    let day = numbers.next().map(|day| digits(day, 2));
    if numbers.next().is_some() {
        return None;
    }
    let (month, day) = (flatten(month)?, flatten(day)?);
    let start = civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month.unwrap_or(1)).ok()?,
        i8::try_from(day.unwrap_or(1)).ok()?,
    )
    .ok()?
    .at(0, 0, 0, 0);
    let unit = match (time, month, day) {
        (Some(time), _, Some(_)) => return parse_clock(start, time),
        (Some(_), ..) => return None,
        (None, None, _) => 'y',
        (None, Some(_), None) => 'M',
        (None, Some(_), Some(_)) => 'd',
    };
    let start = utc(start)?;
    Some((start, add(start, &Span { count: 1, unit }, 1)?))
}

/// `None` stays `None`; a failed reading fails.
#[allow(clippy::option_option)]
fn flatten(number: Option<Option<i64>>) -> Option<Option<i64>> {
    match number {
        None => Some(None),
        Some(Some(number)) => Some(Some(number)),
        Some(None) => None,
    }
}

fn parse_clock(day: civil::DateTime, time: &str) -> Option<(Timestamp, Timestamp)> {
    let parts: Vec<&str> = time.split(':').collect();
    let hour = i8::try_from(digits(parts.first()?, 2)?).ok()?;
    let minute = match parts.get(1) {
        Some(part) => i8::try_from(digits(part, 2)?).ok()?,
        None => 0,
    };
    let (second, fraction) = match parts.get(2) {
        Some(part) => match part.split_once('.') {
            Some((second, fraction)) => (second, Some(fraction)),
            None => (*part, None),
        },
        None => ("00", None),
    };
    let second = i8::try_from(digits(second, 2)?).ok()?;
    let nanos = match fraction {
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            let number: i32 = format!("{fraction:0<9}").parse().ok()?;
            fraction.bytes().all(|b| b.is_ascii_digit()).then_some(number)?
        }
        Some(_) => return None,
        None => 0,
    };
    let at = civil::Time::new(hour, minute, second, nanos).ok()?;
    let start = utc(day.date().to_datetime(at))?;
    let end = match (parts.len(), fraction) {
        (1, _) => add(start, &Span { count: 1, unit: 'h' }, 1)?,
        (2, _) => add(start, &Span { count: 1, unit: 'm' }, 1)?,
        (3, None) => add(start, &Span { count: 1, unit: 's' }, 1)?,
        (3, Some(_)) => Timestamp(start.0.checked_add(1)?),
        _ => return None,
    };
    Some((start, end))
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
