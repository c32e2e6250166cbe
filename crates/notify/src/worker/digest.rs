//! [`Digest`]: everything of a day in one message, at a time of day.

use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use tocsin_model::Timestamp;

use super::{State, Verdict, now};
use crate::error::NotifyError;
use crate::outbox::Due;

/// How long notices are gathered.
pub(super) const SPAN: Duration = Duration::from_secs(86_400);

/// A time of day in a zone.
#[derive(Debug, Clone)]
pub struct Digest {
    at: Time,
    zone: TimeZone,
}

impl Digest {
    /// Reads `08:00` and the name of a zone (without one, the machine's).
    ///
    /// # Errors
    /// When it is no time or no zone.
    pub fn new(at: &str, zone: Option<&str>) -> Result<Self, NotifyError> {
        let wrong = || {
            NotifyError::Config(format!("digest_at: {at:?} is no time of day, write it like 08:00"))
        };
        let (hour, minute) = at.trim().split_once(':').ok_or_else(wrong)?;
        let (hour, minute) = (hour.parse().map_err(|_| wrong())?, minute.parse());
        let minute = minute.map_err(|_| wrong())?;
        let at = Time::new(hour, minute, 0, 0).map_err(|_| wrong())?;
        let zone = match zone {
            Some(name) => TimeZone::get(name)
                .map_err(|error| NotifyError::Config(format!("digest_zone: {error}")))?,
            None => TimeZone::system(),
        };
        Ok(Self { at, zone })
    }

    /// The first digest after a time.
    pub(super) fn after(&self, time: Timestamp) -> Timestamp {
        let next = || -> Option<Timestamp> {
            let stamp = jiff::Timestamp::from_millisecond(time.millis()).ok()?;
            let today = stamp.to_zoned(self.zone.clone()).date();
            for date in [today, today.checked_add(1.day()).ok()?, today.checked_add(2.days()).ok()?]
            {
                let at = date.to_datetime(self.at).to_zoned(self.zone.clone()).ok()?;
                let at = Timestamp::from_millis(at.timestamp().as_millisecond());
                if at > time {
                    return Some(at);
                }
            }
            None
        };
        next().unwrap_or_else(|| time.plus(SPAN))
    }

    /// Whether the digest that a notice is part of is due.
    pub(super) fn is_ready(&self, due: &Due) -> bool {
        self.after(due.created) <= now()
    }

    pub(super) fn verdict(&self, due: &Due, state: &mut State) -> Verdict {
        if !self.is_ready(due) {
            return Verdict::Hold;
        }
        state.held.insert(due.key.clone());
        Verdict::Summarize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_digest_is_at_its_time_of_day() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let digest = Digest::new("08:00", Some("Europe/Berlin")).unwrap();
        for (time, next) in [
            ("2026-11-21T06:59:59Z", "2026-11-21T07:00:00Z"),
            ("2026-11-21T07:00:00Z", "2026-11-22T07:00:00Z"),
            // The night in which clocks go back.
            ("2026-10-24T07:00:00Z", "2026-10-25T07:00:00Z"),
            ("2026-10-24T05:00:00Z", "2026-10-24T06:00:00Z"),
        ] {
            assert_eq!(digest.after(at(time)), at(next), "{time}");
        }
        // What was put in before the last digest goes out, what came since waits for the next.
        let due = |created: Timestamp| Due {
            key: created.to_string(),
            notice: tocsin_model::Notice {
                channel: "ops".to_owned(),
                kind: tocsin_model::NoticeKind::Raised,
                alert: crate::notifier::test_alert(),
            },
            attempts: 0,
            next_try: created,
            created,
            last_error: None,
        };
        let mut state = State::default();
        let old = due(now().minus(SPAN * 2));
        assert!(matches!(digest.verdict(&old, &mut state), Verdict::Summarize));
        assert!(state.held.contains(&old.key));
        assert!(matches!(digest.verdict(&due(now().plus(SPAN)), &mut state), Verdict::Hold));
        for bad in ["8", "25:00", "08:60", "", "noon"] {
            let error = Digest::new(bad, None).unwrap_err().to_string();
            assert!(error.contains("digest_at"), "{bad}: {error}");
        }
        assert!(
            Digest::new("08:00", Some("Mars/Phobos")).unwrap_err().to_string().contains("zone")
        );
    }
}
