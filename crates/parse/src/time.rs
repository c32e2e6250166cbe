//! Times as logs write them → [`Timestamp`]. A year or zone that is not written comes from
//! [`Clock`]: the time of arrival and the zone of the source.

mod cursor;

use cursor::{Cursor, Zone};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tocsin_model::Timestamp;

const SECOND: i64 = 1_000_000_000;
/// A time without a year that would be further in the future than this, seconds, is last
/// year's: clocks run ahead a little, logs do not.
const AHEAD_SECONDS_MAX: i64 = 2 * 86_400;

/// What fills in what a log does not write.
pub(crate) struct Clock<'z> {
    /// Time of arrival: gives the year.
    pub received: Timestamp,
    /// Gives the zone.
    pub zone: &'z TimeZone,
    /// The last answers.
    pub last: &'z mut ZoneMemory,
}

/// The last answers about a zone: logs come in order, so they are mostly the next ones too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ZoneMemory {
    /// Quarter of an hour since the epoch as a civil time, offset seconds.
    offset: (i64, i64),
    /// Quarter of an hour of arrival, year.
    year: (i64, i64),
}

impl Default for ZoneMemory {
    fn default() -> Self {
        Self { offset: (i64::MIN, 0), year: (i64::MIN, 1970) }
    }
}

/// Offsets change on quarters of an hour at the finest.
const QUARTER_SECONDS: i64 = 900;

/// A time read from the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// The time.
    pub time: Timestamp,
    /// Bytes read.
    pub len: usize,
}

/// A civil time without zone.
#[derive(Debug, Clone, Copy)]
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    seconds: i64,
    nanos: i64,
}

impl Civil {
    fn epoch_seconds(&self) -> Option<i64> {
        let valid = (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= days_in_month(self.year, self.month)
            && (1677..=2261).contains(&self.year);
        valid.then(|| days_from_civil(self.year, self.month, self.day) * 86_400 + self.seconds)
    }
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Clock<'_> {
    /// The year of the time of arrival, in the zone.
    fn year(&mut self) -> i64 {
        let quarter = self.received.0.div_euclid(QUARTER_SECONDS * SECOND);
        if self.last.year.0 != quarter {
            let nanos = i128::from(self.received.0);
            let year = jiff::Timestamp::from_nanosecond(nanos)
                .map_or(1970, |time| i64::from(time.to_zoned(self.zone.clone()).year()));
            self.last.year = (quarter, year);
        }
        self.last.year.1
    }

    fn at(&mut self, civil: &Civil, zone: Zone) -> Option<Timestamp> {
        let seconds = civil.epoch_seconds()?;
        let offset = match zone {
            Zone::Offset(offset) => offset,
            Zone::Unknown => self.offset(seconds),
        };
        Some(Timestamp((seconds - offset).checked_mul(SECOND)?.checked_add(civil.nanos)?))
    }

    /// Seconds east of UTC at a civil time of the zone.
    fn offset(&mut self, civil_seconds: i64) -> i64 {
        let quarter = civil_seconds.div_euclid(QUARTER_SECONDS);
        if self.last.offset.0 != quarter {
            self.last.offset = (quarter, self.look_up(civil_seconds));
        }
        self.last.offset.1
    }

    fn look_up(&self, civil_seconds: i64) -> i64 {
        let Ok(as_utc) = jiff::Timestamp::from_second(civil_seconds) else { return 0 };
        let civil: DateTime = TimeZone::UTC.to_datetime(as_utc);
        let Ok(actual) = self.zone.to_ambiguous_timestamp(civil).compatible() else { return 0 };
        civil_seconds - actual.as_second()
    }

    /// Adds the year that is not written: the one that puts the time last before arrival.
    fn without_year(&mut self, civil: &Civil, zone: Zone) -> Option<Timestamp> {
        let year = self.year();
        let latest = self.received.0.saturating_add(AHEAD_SECONDS_MAX * SECOND);
        // Feb 29 may need up to eight years back; January logs of December one year on.
        (0..=8)
            .map(|back| year + 1 - back)
            .filter_map(|year| self.at(&Civil { year, ..*civil }, zone))
            .find(|time| time.0 <= latest)
    }
}

/// `2026-11-21T00:11:50.095617+00:00`, also with a blank for the `T`, `/` or `.` between the
/// parts of the date, `,` before the fraction, no seconds' fraction, no zone.
pub(crate) fn iso(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let year = cursor.digits(4)?;
    let between = cursor.take_any(b"-/.")?;
    let month = cursor.digits(2)? as u32;
    cursor.take(between)?;
    let day = cursor.digits(2)? as u32;
    cursor.take_any(b"T t_")?;
    // MariaDB sets an hour of one digit off with a second blank.
    let _ = cursor.take(b' ');
    let (seconds, nanos) = cursor.clock()?;
    let zone = cursor.zone();
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, zone)?;
    Some(Read { time, len: cursor.at })
}

/// `Nov 21 00:11:50`, also with a fraction, with the year before or after the time
/// (`Nov 21 2026 00:11:50`, `Nov 21 00:11:50 2026`).
pub(crate) fn bsd(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let month = cursor.month()?;
    cursor.take(b' ')?;
    let day = cursor.day()?;
    let _ = cursor.take(b',');
    cursor.take(b' ')?;
    let year_first = cursor.bytes.get(cursor.at + 4) == Some(&b' ');
    let mut year = None;
    if year_first {
        year = Some(cursor.digits(4)?);
        cursor.take(b' ')?;
    }
    let (seconds, nanos) = cursor.clock()?;
    let seconds = cursor.half_day(seconds);
    if year.is_none() {
        year = trailing_year(&mut cursor);
    }
    let zone = cursor.zone();
    let civil = Civil { year: year.unwrap_or(0), month, day, seconds, nanos };
    let time = match year {
        Some(_) => clock.at(&civil, zone)?,
        None => clock.without_year(&civil, zone)?,
    };
    Some(Read { time, len: cursor.at })
}

/// A year after the time, as `ctime` writes it: only when nothing that could be a host follows
/// without a blank.
fn trailing_year(cursor: &mut Cursor<'_>) -> Option<i64> {
    let start = cursor.at;
    let year = cursor.take(b' ').and_then(|()| cursor.digits(4));
    let ends = !matches!(cursor.peek(), b'.' | b'-' | b'_' | b':')
        && !cursor.peek().is_ascii_alphanumeric();
    match year {
        Some(year) if ends && (1970..=2261).contains(&year) => Some(year),
        _ => {
            cursor.at = start;
            None
        }
    }
}

/// `Sat Nov 21 00:11:50 2026` and `Sat 2026-11-21 00:11:50 UTC`, `Sat, 21 Nov 2026 00:11:50 +0000`.
pub(crate) fn weekday(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let day = text.get(..3)?;
    let known: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if !known.contains(&day) {
        return None;
    }
    let skip = if text.get(3) == Some(&b',') { 5 } else { 4 };
    let rest = text.get(skip..)?;
    let read = bsd(rest, clock).or_else(|| iso(rest, clock)).or_else(|| clf(rest, clock))?;
    Some(Read { len: read.len + skip, ..read })
}

/// `21/Nov/2026:00:13:56 +0000`, also with blanks or dashes for the slashes
/// (`21 Nov 2026 00:13:56`), and without a year (`21 Nov 00:13:56`).
pub(crate) fn clf(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let day = cursor.digits(2).or_else(|| cursor.digits(1))? as u32;
    let between = cursor.take_any(b"/ -")?;
    let month = cursor.month()?;
    cursor.take(between)?;
    if between == b' ' && cursor.bytes.get(cursor.at + 2) == Some(&b':') {
        let (seconds, nanos) = cursor.clock()?;
        let time =
            clock.without_year(&Civil { year: 0, month, day, seconds, nanos }, Zone::Unknown)?;
        return Some(Read { time, len: cursor.at });
    }
    let year = cursor.digits(4)?;
    let _ = cursor.take(b',');
    cursor.take_any(b": ")?;
    let (seconds, nanos) = cursor.clock()?;
    let seconds = cursor.half_day(seconds);
    let zone = cursor.zone();
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, zone)?;
    Some(Read { time, len: cursor.at })
}

/// `11/21/2026 00:11:50` and `11/21/2026 12:11:50 AM`, month first; `21/11/2026:00:11:50` is not.
pub(crate) fn us(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let month = cursor.digits(2).or_else(|| cursor.digits(1))? as u32;
    cursor.take(b'/')?;
    let day = cursor.digits(2).or_else(|| cursor.digits(1))? as u32;
    if cursor.take(b'-').is_some() {
        // Snort leaves the year out: `11/21-00:11:50`.
        let (seconds, nanos) = cursor.clock()?;
        let civil = Civil { year: 0, month, day, seconds, nanos };
        let time = clock.without_year(&civil, Zone::Unknown)?;
        return Some(Read { time, len: cursor.at });
    }
    cursor.take(b'/')?;
    let year = match cursor.digits(4) {
        Some(year) => year,
        None => 2000 + cursor.digits(2)?,
    };
    let comma = cursor.take(b',').is_some();
    // Proxmox writes `21/11/2026:00:11:50`, day first.
    let (month, day) = match cursor.take(b':') {
        Some(()) => (day, month),
        None => cursor.take_any(b" -T").map(|_| (month, day))?,
    };
    let short = cursor.bytes.get(cursor.at + 1) == Some(&b':');
    let (seconds, nanos) = cursor.clock()?;
    let before = cursor.at;
    let seconds = cursor.half_day(seconds);
    // An hour of one digit is one of twelve; IIS, which writes a comma, counts to 24.
    if short && !comma && cursor.at == before {
        return None;
    }
    let zone = cursor.zone();
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, zone)?;
    Some(Read { time, len: cursor.at })
}

/// `20261121T001150Z` and `20261121 00:11:50`.
fn compact(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let year = cursor.digits(4)?;
    let month = cursor.digits(2)? as u32;
    let day = cursor.digits(2)? as u32;
    cursor.take_any(b"T -")?;
    let start = cursor.at;
    let (seconds, nanos) = match cursor.clock() {
        Some(clock) => clock,
        None => {
            cursor.at = start;
            let (hour, minute, second) = (cursor.digits(2)?, cursor.digits(2)?, cursor.digits(2)?);
            (hour * 3600 + minute * 60 + second, cursor.fraction())
        }
    };
    let zone = cursor.zone();
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, zone)?;
    Some(Read { time, len: cursor.at })
}

/// `261121 00:11:50`, as old MySQL writes.
fn short_year(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let year = 2000 + cursor.digits(2)?;
    let month = cursor.digits(2)? as u32;
    let day = cursor.digits(2)? as u32;
    cursor.take(b' ')?;
    let _ = cursor.take(b' ');
    let (seconds, nanos) = cursor.clock()?;
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, Zone::Unknown)?;
    Some(Read { time, len: cursor.at })
}

/// `2026 Nov 21 00:11:50.123 UTC`, as Cisco's NX-OS writes.
pub(crate) fn year_first(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let year = cursor.digits(4)?;
    cursor.take(b' ')?;
    let month = cursor.month()?;
    cursor.take(b' ')?;
    let day = cursor.day()?;
    cursor.take(b' ')?;
    let (seconds, nanos) = cursor.clock()?;
    let zone = cursor.zone();
    let time = clock.at(&Civil { year, month, day, seconds, nanos }, zone)?;
    Some(Read { time, len: cursor.at })
}

/// Seconds, milliseconds, microseconds or nanoseconds since the epoch, told by their size, with
/// an optional fraction.
pub(crate) fn unix(text: &[u8]) -> Option<Read> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number: i64 = std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()?;
    let mut cursor = Cursor { bytes: text, at: digits };
    let time = match digits {
        9 | 10 => number.checked_mul(SECOND)?.checked_add(cursor.fraction())?,
        12 | 13 => number.checked_mul(1_000_000)?.checked_add(cursor.fraction() / 1000)?,
        15 | 16 => number.checked_mul(1000)?,
        18 | 19 => number,
        _ => return None,
    };
    Some(Read { time: Timestamp(time), len: cursor.at })
}

/// Any of the forms above, told by its first bytes.
pub(crate) fn any(text: &[u8], clock: &mut Clock<'_>) -> Option<Read> {
    let first = *text.first()?;
    if first.is_ascii_alphabetic() {
        return bsd(text, clock).or_else(|| weekday(text, clock));
    }
    if !first.is_ascii_digit() {
        return None;
    }
    match text.get(1..5).unwrap_or(&[]) {
        [b'/' | b' ' | b'-', ..] | [_, b'/' | b' ' | b'-', ..] => {
            clf(text, clock).or_else(|| us(text, clock))
        }
        [_, _, _, b'-' | b'.' | b'/'] => iso(text, clock).or_else(|| unix(text)),
        [_, _, _, b' '] => year_first(text, clock),
        [_, _, _, _] if text.get(6) == Some(&b' ') => short_year(text, clock),
        _ => compact(text, clock).or_else(|| unix(text)),
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
