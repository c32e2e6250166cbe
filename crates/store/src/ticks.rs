//! [`Ticks`]: where days, weeks, months, quarters and years of a place begin. Times in, starts of
//! buckets out. Knows time zones; never looks at the clock.

use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use tocsin_model::Timestamp;

use crate::error::{Result, StoreError};
use crate::request::Every;

/// The most hours of one bucket.
const HOURS_MAX: u32 = 24 * 366;

/// The time zone of this name: of IANA's, or an offset (`+01:00`).
pub fn time_zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "Z" | "z" | "utc" | "UTC") {
        return Some(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        let (sign, rest) = name.split_at(1);
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let plain = rest.chars().all(|c| c.is_ascii_digit() || c == ':');
        let (hours, minutes) = match digits.len() {
            1 | 2 => (digits.as_str(), "0"),
            4 => digits.split_at(2),
            _ => return None,
        };
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = (hours * 60 + minutes) * 60 * if sign == "-" { -1 } else { 1 };
        let offset = jiff::tz::Offset::from_seconds(seconds).ok().filter(|_| plain)?;
        return Some(TimeZone::fixed(offset));
    }
    TimeZone::get(name).ok()
}

/// Starts of buckets of one width in one time zone.
pub(crate) struct Ticks {
    every: Every,
    zone: TimeZone,
}

impl Ticks {
    pub(crate) fn new(every: Every, name: &str) -> Result<Self> {
        let bad = |reason: String| Err(StoreError::BadRequest(reason));
        if let Every::Hours(hours) = every
            && !(1..=HOURS_MAX).contains(&hours)
        {
            return bad(format!("an interval must be from 1 to {HOURS_MAX} hours"));
        }
        match time_zone(name) {
            Some(zone) => Ok(Self { every, zone }),
            None => bad(format!(
                "{name:?} is no time zone; use a name like Europe/Berlin, or an offset like +01:00"
            )),
        }
    }

    /// The start of the bucket that a time is in.
    pub(crate) fn floor(&self, time: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_nanosecond(i128::from(time.0)).ok()?;
        let local = instant.to_zoned(self.zone.clone());
        let date = local.date();
        let start = match self.every {
            Every::Hours(hours) => return self.hours(&local, i64::from(hours)),
            Every::Day => date,
            Every::Week => {
                let back = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_sub(back.days()).ok()?
            }
            Every::Month => date.first_of_month(),
            Every::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok()?,
            Every::Year => date.first_of_year(),
        };
        stamp(&start.to_zoned(self.zone.clone()).ok()?)
    }

    /// Hours as the clock on the wall counts them.
    fn hours(&self, local: &Zoned, hours: i64) -> Option<Timestamp> {
        let epoch = civil::date(1970, 1, 1).at(0, 0, 0, 0);
        let since = local.datetime().duration_since(epoch).as_hours_floor();
        let start = epoch.checked_add((since.div_euclid(hours) * hours).hours()).ok()?;
        stamp(&start.to_zoned(self.zone.clone()).ok()?)
    }

    /// The start of the bucket after the one that starts here.
    pub(crate) fn next(&self, start: Timestamp) -> Option<Timestamp> {
        let hour = 3_600_000_000_000_i64;
        // A time that is surely in the next bucket, or still in this one where the clock was put
        // back; then some hours on.
        let mut at = start.0.checked_add(match self.every {
            Every::Hours(hours) => i64::from(hours) * hour,
            Every::Day => 24 * hour,
            Every::Week => 7 * 24 * hour,
            Every::Month => 31 * 24 * hour,
            Every::Quarter => 92 * 24 * hour,
            Every::Year => 366 * 24 * hour,
        })?;
        for _ in 0..4 {
            let next = self.floor(Timestamp(at))?;
            if next > start {
                return Some(next);
            }
            at = at.checked_add(hour)?;
        }
        None
    }

    /// The starts of all buckets from the one with `first` to the one with `last`, and the end of
    /// the last; refused where there are more than so many.
    pub(crate) fn between(
        &self,
        first: Timestamp,
        last: Timestamp,
        at_most: usize,
    ) -> Result<Vec<Timestamp>> {
        let bad = |reason: &str| Err(StoreError::BadRequest(reason.to_owned()));
        let Some(mut start) = self.floor(first) else {
            return bad("a time is out of what a calendar knows");
        };
        let mut all = vec![start];
        while start <= last {
            if all.len() > at_most {
                return bad(&format!(
                    "the histogram would have more than {at_most} buckets of the calendar; use a \
                     longer interval or a shorter span"
                ));
            }
            match self.next(start) {
                Some(next) => start = next,
                None => return bad("a time is out of what a calendar knows"),
            }
            all.push(start);
        }
        Ok(all)
    }
}

fn stamp(time: &Zoned) -> Option<Timestamp> {
    i64::try_from(time.timestamp().as_nanosecond()).ok().map(Timestamp)
}

/// Whole hours, rounded down.
trait FloorHours {
    fn as_hours_floor(&self) -> i64;
}

impl FloorHours for jiff::SignedDuration {
    fn as_hours_floor(&self) -> i64 {
        let nanos: i128 = self.as_nanos();
        i64::try_from(nanos.div_euclid(3_600_000_000_000)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_where_the_calendar_of_the_place_says() {
        let cases = [
            (Every::Day, "UTC", "2026-11-21T23:30:00Z", "2026-11-21T00:00:00Z"),
            (Every::Day, "Europe/Berlin", "2026-11-21T23:30:00Z", "2026-11-21T23:00:00Z"),
            // The day on which the clock is put back has 25 hours.
            (Every::Day, "Europe/Berlin", "2026-10-25T22:59:00Z", "2026-10-24T22:00:00Z"),
            (Every::Day, "+05:30", "2026-11-21T18:31:00Z", "2026-11-21T18:30:00Z"),
            (Every::Day, "-0800", "2026-11-21T07:59:00Z", "2026-11-20T08:00:00Z"),
            (Every::Week, "UTC", "2026-11-22T10:00:00Z", "2026-11-16T00:00:00Z"),
            (Every::Month, "Europe/Berlin", "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z"),
            (Every::Quarter, "UTC", "2026-11-21T10:00:00Z", "2026-10-01T00:00:00Z"),
            (Every::Year, "America/New_York", "2027-01-01T04:00:00Z", "2026-01-01T05:00:00Z"),
            (Every::Hours(3), "Asia/Kolkata", "2026-11-21T00:00:00Z", "2026-11-20T21:30:00Z"),
        ];
        for (every, zone, time, expected) in cases {
            let ticks = Ticks::new(every, zone).unwrap();
            let floor = ticks.floor(Timestamp::parse_rfc3339(time).unwrap()).unwrap();
            assert_eq!(floor.to_string(), expected, "{every:?} {zone} {time}");
        }
        for zone in ["Mars/Olympus", "+1:2:3", "+99:00", "", "+é1"] {
            assert!(Ticks::new(Every::Day, zone).is_err(), "{zone}");
        }
    }

    #[test]
    fn starts_follow_each_other_without_holes() {
        let time = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        for zone in ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Cairo"]
        {
            for every in [Every::Hours(1), Every::Hours(5), Every::Day, Every::Week] {
                let ticks = Ticks::new(every, zone).unwrap();
                let (first, last) = (time("2026-03-20T10:00:00Z"), time("2026-04-28T10:00:00Z"));
                let all = ticks.between(first, last, 2000).unwrap();
                assert!(all[0] <= first && all[all.len() - 1] > last);
                for pair in all.windows(2) {
                    assert!(pair[0] < pair[1]);
                    assert_eq!(ticks.floor(pair[0]), Some(pair[0]), "{zone} {every:?}");
                    let end = Timestamp(pair[1].0 - 1);
                    assert_eq!(ticks.floor(end), Some(pair[0]), "{zone} {every:?}");
                }
            }
        }
        let years = Ticks::new(Every::Year, "UTC").unwrap();
        assert_eq!(
            years.between(Timestamp(0), time("2026-01-01T00:00:00Z"), 100).unwrap().len(),
            58
        );
        assert!(years.between(Timestamp(0), time("2026-01-01T00:00:00Z"), 10).is_err());
        assert!(years.between(Timestamp(i64::MIN), Timestamp(i64::MAX), 1000).is_err());
    }
}
