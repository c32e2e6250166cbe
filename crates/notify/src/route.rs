//! [`Route`]: which alerts a channel is told of, beside its least severity: a condition on the
//! alert, and hours of the week.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use tocsin_model::{Alert, Timestamp};
use tocsin_search::{Context, parse_in};
use tocsin_store::Matcher;

use crate::config::RouteConfig;
use crate::error::NotifyError;

/// Minutes of a day and of a week.
const DAY: i32 = 24 * 60;
const WEEK: i32 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A route, compiled.
#[derive(Debug)]
pub(crate) struct Route {
    condition: Option<Matcher>,
    /// Minutes of the week, from and up to; empty is always.
    hours: Vec<(i32, i32)>,
    zone: TimeZone,
}

impl Route {
    /// # Errors
    /// What is wrong with the condition, the hours or the zone.
    pub(crate) fn new(config: &RouteConfig) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(format!("route: {why}"));
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let condition = config.when.as_deref().filter(|when| !when.trim().is_empty());
        let condition = condition
            .map(|text| {
                let filter = parse_in(text, Context { now, fields: None })
                    .map_err(|error| wrong(format!("when: {error}")))?;
                Matcher::new(&filter).map_err(|error| wrong(format!("when: {error}")))
            })
            .transpose()?;
        let mut hours = Vec::new();
        for text in &config.hours {
            span(text, &mut hours).ok_or_else(|| {
                wrong(format!(
                    "hours: {text:?} is none, write mon-fri 08:00-18:00, sat,sun or 22:00-06:00"
                ))
            })?;
        }
        let zone = match &config.zone {
            Some(name) => TimeZone::get(name).map_err(|error| wrong(format!("zone: {error}")))?,
            None => TimeZone::system(),
        };
        Ok(Self { condition, hours, zone })
    }

    /// Whether the channel is told of an alert at a time.
    pub(crate) fn takes(&self, alert: &Alert, now: Timestamp) -> bool {
        self.is_open(now)
            && self.condition.as_ref().is_none_or(|matcher| matcher.matches(&alert.to_event()))
    }

    fn is_open(&self, now: Timestamp) -> bool {
        if self.hours.is_empty() {
            return true;
        }
        let Ok(stamp) = jiff::Timestamp::from_millisecond(now.millis()) else { return true };
        let local = stamp.to_zoned(self.zone.clone());
        let day = i32::from(local.weekday().since(Weekday::Monday));
        let minute = day * DAY + i32::from(local.hour()) * 60 + i32::from(local.minute());
        // A span that goes over midnight of Sunday goes on on Monday.
        self.hours.iter().any(|(from, to)| {
            (*from..*to).contains(&minute) || (*from..*to).contains(&(minute + WEEK))
        })
    }
}

/// Reads `mon-fri 08:00-18:00`, `sat,sun`, `22:00-06:00`.
fn span(text: &str, spans: &mut Vec<(i32, i32)>) -> Option<()> {
    let text = text.trim().to_ascii_lowercase();
    let mut parts = text.split_whitespace();
    let first = parts.next()?;
    let (days, hours) = match parts.next() {
        Some(hours) => (Some(first), Some(hours)),
        None if first.contains(':') => (None, Some(first)),
        None => (Some(first), None),
    };
    if parts.next().is_some() {
        return None;
    }
    let (from, to) = match hours {
        Some(hours) => {
            let (from, to) = hours.split_once('-')?;
            (minute(from)?, minute(to)?)
        }
        None => (0, DAY),
    };
    let to = if to <= from { to + DAY } else { to };
    for day in days.map_or_else(|| Some((0..7).collect()), days_of)? {
        spans.push((day * DAY + from, day * DAY + to));
    }
    Some(())
}

fn days_of(text: &str) -> Option<Vec<i32>> {
    let day = |text: &str| DAYS.iter().position(|day| *day == text).map(|at| at as i32);
    let mut days = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => days.push(day(part)?),
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                let to = if to < from { to + 7 } else { to };
                days.extend((from..=to).map(|day| day % 7));
            }
        }
    }
    Some(days)
}

fn minute(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?);
    let fits = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    fits.then(|| i32::from(hour) * 60 + i32::from(minute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::test_alert;

    fn route(when: &str, hours: &[&str]) -> Result<Route, NotifyError> {
        Route::new(&RouteConfig {
            when: Some(when.to_owned()),
            hours: hours.iter().map(|text| (*text).to_owned()).collect(),
            zone: Some("Europe/Berlin".to_owned()),
            each: None,
        })
    }

    #[test]
    fn hours_are_of_the_zone_and_may_go_over_midnight() {
        // 2026-11-21 is a Saturday; Berlin is an hour ahead of UTC then.
        let table = [
            ("mon-fri 08:00-18:00", "2026-11-20T07:00:00Z", true),
            ("mon-fri 08:00-18:00", "2026-11-20T06:59:00Z", false),
            ("mon-fri 08:00-18:00", "2026-11-20T17:00:00Z", false),
            ("mon-fri 08:00-18:00", "2026-11-21T09:00:00Z", false),
            ("sat,sun", "2026-11-21T09:00:00Z", true),
            ("sat,sun", "2026-11-22T23:00:00Z", false),
            ("22:00-06:00", "2026-11-21T22:00:00Z", true),
            ("22:00-06:00", "2026-11-21T05:00:00Z", false),
            ("sun 22:00-06:00", "2026-11-23T04:59:00Z", true),
            ("sun 22:00-06:00", "2026-11-22T04:59:00Z", false),
            ("fri-mon 00:00-24:00", "2026-11-22T12:00:00Z", true),
            ("fri-mon 00:00-24:00", "2026-11-24T12:00:00Z", false),
        ];
        for (hours, time, open) in table {
            let time = Timestamp::parse_rfc3339(time).unwrap();
            assert_eq!(route("", &[hours]).unwrap().is_open(time), open, "{hours} at {time}");
        }
    }

    #[test]
    fn conditions_are_on_the_alert() {
        let mut alert = test_alert();
        alert.fields.push(("host.name".to_owned(), "db-1".into()));
        for (when, takes) in [
            ("host.name: db-*", true),
            ("host.name: web-*", false),
            ("rule.name: \"Test notice\" and event.severity < 50", true),
            ("", true),
        ] {
            assert_eq!(route(when, &[]).unwrap().takes(&alert, alert.raised), takes, "{when}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (when, hours, part) in [
            ("host.name: (", "", "route: when: "),
            ("hots.name: x", "", "host.name"),
            ("", "monday", "hours: \"monday\" is none"),
            ("", "mon 8-18", "hours"),
            ("", "25:00-26:00", "hours"),
            ("", "mon 08:00-18:00 x", "hours"),
        ] {
            let hours: Vec<&str> =
                Some(hours).filter(|hours| !hours.is_empty()).into_iter().collect();
            let error = route(when, &hours).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let zone = RouteConfig { zone: Some("Mars/Base".to_owned()), ..RouteConfig::default() };
        assert!(Route::new(&zone).unwrap_err().to_string().starts_with("route: zone: "));
    }
}
