//! Aggregates by time: intervals of the clock and of the calendar, in time zones.

use std::time::Duration;

use jiff::tz::Offset;
use serde_json::Value as Json;
use tocsin_model::Timestamp;
use tocsin_store::{AggKind, Bound, Every, Filter};

use crate::elastic::aggs::{Reader, field};
use crate::elastic::dates::{self, Zone};
use crate::elastic::render::{Keys, Shape};
use crate::elastic::{ElasticError, Result};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// `date_histogram`.
pub(crate) fn date_histogram(
    reader: &Reader<'_>,
    options: &Json,
    path: &str,
) -> Result<(AggKind, Shape)> {
    let wrong = |message: String| ElasticError::new(path, message);
    let text = |key: &str| options.get(key).and_then(Json::as_str);
    let (interval, of_calendar) = match (text("fixed_interval"), text("calendar_interval")) {
        (Some(fixed), None) => (fixed, false),
        (None, Some(calendar)) => (calendar, true),
        (None, None) => match text("interval") {
            Some(either) => (either, calendar_unit(either).is_some()),
            None => {
                let message = "needs fixed_interval (\"30m\") or calendar_interval (\"1M\")";
                return Err(wrong(message.to_owned()));
            }
        },
        _ => return Err(wrong("has both fixed_interval and calendar_interval".to_owned())),
    };
    let name = text("time_zone").unwrap_or("UTC");
    let zone = Zone::parse(name).map_err(wrong)?;
    let mut keys = Keys { trims: reader.trims, zone: zone.clone(), ..Keys::of(options)? };
    // An offset moves the starts of buckets, which is what a zone does.
    let (name, zone) = match text("offset").map(signed).transpose().map_err(wrong)? {
        None | Some(0) => (name.to_owned(), zone),
        Some(seconds) if zone.is_utc() && seconds.unsigned_abs() < DAY && seconds % 60 == 0 => {
            let name = offset_name(-seconds);
            let moved = Zone::parse(&name).map_err(wrong)?;
            (name, moved)
        }
        Some(_) => {
            let message = "offset must be whole minutes, less than a day, and without a time_zone";
            return Err(wrong(message.to_owned()));
        }
    };
    keys.trims = reader.trims;
    let place = Place { field: field(options, path)?, name, zone, now: reader.now };
    let kind = if of_calendar { place.calendar(interval) } else { place.fixed(interval) };
    Ok((kind.map_err(wrong)?, Shape::Histogram(keys)))
}

/// What is counted, and by whose clock.
struct Place {
    field: String,
    /// As the zone is called.
    name: String,
    zone: Zone,
    now: Timestamp,
}

impl Place {
    fn every(&self, every: Every) -> AggKind {
        AggKind::Calendar { field: self.field.clone(), every, zone: self.name.clone() }
    }

    fn seconds(&self, seconds: u64) -> AggKind {
        let interval = Duration::from_secs(seconds);
        AggKind::DateHistogram { field: self.field.clone(), interval }
    }

    fn calendar(&self, interval: &str) -> std::result::Result<AggKind, String> {
        Ok(match calendar_unit(interval) {
            Some(Unit::Minute) => self.seconds(60),
            Some(Unit::Hour) => self.hours(1),
            Some(Unit::Of(Every::Day)) if self.zone.is_utc() => self.seconds(DAY),
            Some(Unit::Of(every)) => self.every(every),
            None => {
                return Err(format!(
                    "{interval:?} is no unit of the calendar; use minute, hour, day, week, \
                     month, quarter or year (one of them), or fixed_interval"
                ));
            }
        })
    }

    fn fixed(&self, text: &str) -> std::result::Result<AggKind, String> {
        let Some(interval) = fixed_interval(text) else {
            return Err(format!(
                "{text:?} is no fixed interval; use 500ms, 30s, 1m, 3h, 1d (months and the like \
                 are a calendar_interval)"
            ));
        };
        let seconds = interval.as_secs();
        let whole = interval.subsec_nanos() == 0;
        let offset = self.zone.offset(self.now).unsigned_abs();
        // As many fit into what the clock is ahead, so that it does not matter.
        let fits = seconds < HOUR && (!whole || offset.is_multiple_of(seconds.max(1)));
        if self.zone.is_utc() || fits {
            return Ok(AggKind::DateHistogram { field: self.field.clone(), interval });
        }
        match seconds {
            DAY if whole => Ok(self.every(Every::Day)),
            _ if whole && seconds.is_multiple_of(HOUR) => Ok(self.hours(seconds / HOUR)),
            _ => Err("this interval is not known in a time_zone; use whole hours".to_owned()),
        }
    }

    fn hours(&self, count: u64) -> AggKind {
        let same = count == 1 && self.zone.offset(self.now) % HOUR as i64 == 0;
        if same || self.zone.is_utc() {
            return self.seconds(count * HOUR);
        }
        self.every(Every::Hours(u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

enum Unit {
    Minute,
    Hour,
    Of(Every),
}

fn calendar_unit(text: &str) -> Option<Unit> {
    Some(match text {
        "minute" | "1m" => Unit::Minute,
        "hour" | "1h" => Unit::Hour,
        "day" | "1d" => Unit::Of(Every::Day),
        "week" | "1w" => Unit::Of(Every::Week),
        "month" | "1M" => Unit::Of(Every::Month),
        "quarter" | "1q" => Unit::Of(Every::Quarter),
        "year" | "1y" => Unit::Of(Every::Year),
        _ => return None,
    })
}

fn fixed_interval(text: &str) -> Option<Duration> {
    if text == "second" {
        return Some(Duration::from_secs(1));
    }
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    Some(Duration::from_millis(count.checked_mul(millis)?)).filter(|interval| !interval.is_zero())
}

/// `+6h`, `-30m`, in seconds.
fn signed(text: &str) -> std::result::Result<i64, String> {
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1, rest),
        Some(("+", rest)) => (1, rest),
        _ => (1, text),
    };
    if rest.chars().all(|c| c == '0' || c.is_ascii_alphabetic()) && rest.starts_with('0') {
        return Ok(0);
    }
    let span = fixed_interval(rest).ok_or_else(|| format!("{text:?} is no offset; use +6h"))?;
    Ok(sign * i64::try_from(span.as_secs()).unwrap_or(i64::MAX / 2))
}

fn offset_name(seconds: i64) -> String {
    let offset = i32::try_from(seconds).ok().and_then(|seconds| Offset::from_seconds(seconds).ok());
    let seconds = offset.unwrap_or(Offset::UTC).seconds();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `date_range`: a filter for each range.
pub(crate) fn date_ranges(
    reader: &Reader<'_>,
    options: &Json,
    path: &str,
) -> Result<(AggKind, Shape)> {
    let wrong = |message: String| ElasticError::new(path, message);
    let Some(list) = options.get("ranges").and_then(Json::as_array) else {
        return Err(wrong("needs ranges".to_owned()));
    };
    let field = field(options, path)?;
    let format = options.get("format").and_then(Json::as_str);
    let zone = options.get("time_zone").and_then(Json::as_str).unwrap_or("UTC");
    let zone = Zone::parse(zone).map_err(wrong)?;
    let (mut filters, mut ends) = (Vec::new(), Vec::new());
    for range in list {
        let end = |key: &str| match range.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Number(number)) => {
                Ok(number.as_f64().map(|millis| Timestamp::from_millis(millis as i64)))
            }
            Some(value) => {
                let text = value.as_str().unwrap_or_default();
                let time = dates::read(text, format, &zone, reader.now);
                time.map(|(start, _)| Some(start))
                    .ok_or_else(|| wrong(format!("{value} is no time")))
            }
        };
        let (from, to) = (end("from")?, end("to")?);
        let lower = from.map_or(Bound::Unbounded, |from| Bound::Included(from.to_string()));
        let upper = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.to_string()));
        let filter = match (&lower, &upper) {
            (Bound::Unbounded, Bound::Unbounded) => Filter::exists(field.as_str()),
            _ => Filter::Range { field: field.clone(), lower, upper },
        };
        let show = |time: Option<Timestamp>| {
            time.map_or("*".to_owned(), |time| dates::write(time, format, &zone))
        };
        let name = range.get("key").and_then(Json::as_str).map(str::to_owned);
        filters.push((name.unwrap_or_else(|| format!("{}-{}", show(from), show(to))), filter));
        ends.push((from.map(|from| (from, show(Some(from)))), to.map(|to| (to, show(Some(to))))));
    }
    let keyed = options.get("keyed").and_then(Json::as_bool).unwrap_or(false);
    Ok((AggKind::Filters { filters }, Shape::Dates { keyed, ends }))
}
