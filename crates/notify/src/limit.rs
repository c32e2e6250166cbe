//! [`Limiter`]: how many notices a channel sends one by one. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tocsin_model::{Alert, Timestamp};

use crate::config::RateLimit;

const HOUR: Duration = Duration::from_secs(3600);
/// Groups remembered; when there are more, those with nothing in their window are forgotten, and
/// then the one that was longest silent.
const GROUPS_MAX: usize = 4096;

/// The sends of one channel within its windows.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: RateLimit,
    groups: HashMap<String, VecDeque<Timestamp>>,
    hour: VecDeque<Timestamp>,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, groups: HashMap::new(), hour: VecDeque::new() }
    }

    /// Whether a notice of this alert may go out by itself now. Counts nothing yet.
    pub(crate) fn allows(&mut self, alert: &Alert, now: Timestamp) -> bool {
        forget(&mut self.hour, now, HOUR);
        if self.limit.per_hour > 0 && self.hour.len() >= self.limit.per_hour as usize {
            return false;
        }
        let window = Duration::from_secs(self.limit.per_group_seconds);
        match self.groups.get_mut(&group_key(alert)) {
            Some(sent) if self.limit.per_group > 0 => {
                forget(sent, now, window);
                sent.len() < self.limit.per_group as usize
            }
            _ => true,
        }
    }

    /// A notice of this alert has gone out.
    pub(crate) fn sent(&mut self, alert: &Alert, now: Timestamp) {
        if self.limit.per_hour > 0 {
            self.hour.push_back(now);
        }
        if self.limit.per_group == 0 {
            return;
        }
        if self.groups.len() >= GROUPS_MAX {
            let window = Duration::from_secs(self.limit.per_group_seconds);
            self.groups.retain(|_, sent| {
                forget(sent, now, window);
                !sent.is_empty()
            });
        }
        if self.groups.len() >= GROUPS_MAX {
            let silent = self.groups.iter().min_by_key(|(_, sent)| sent.back().copied());
            if let Some(silent) = silent.map(|(key, _)| key.clone()) {
                self.groups.remove(&silent);
            }
        }
        self.groups.entry(group_key(alert)).or_default().push_back(now);
    }
}

/// Keeps what lies within the window. What is later than now was noted by a clock that was ahead:
/// it would count until the clock is there again.
fn forget(sent: &mut VecDeque<Timestamp>, now: Timestamp, window: Duration) {
    sent.retain(|&time| time <= now && now.since(time) < window);
}

fn group_key(alert: &Alert) -> String {
    let mut key = alert.rule.alert_as.as_deref().unwrap_or(&alert.rule.id).to_owned();
    for (field, value) in &alert.group {
        key.push('\0');
        key.push_str(field);
        key.push('\0');
        key.push_str(value);
    }
    key
}

#[cfg(test)]
mod tests {
    use tocsin_model::AlertId;

    use super::*;
    use crate::notifier::test_alert;

    fn alert(group: &str) -> Alert {
        Alert {
            id: AlertId(group.to_owned()),
            group: vec![("source.ip".to_owned(), group.to_owned())],
            ..test_alert()
        }
    }

    #[test]
    fn windows_slide() {
        let limit =
            RateLimit { per_group: 2, per_group_seconds: 60, per_hour: 3, summary_seconds: 1 };
        let mut limiter = Limiter::new(limit);
        // Second, group, whether it goes out.
        let table = [
            (0, "a", true),
            (10, "a", true),
            (20, "a", false),
            (20, "b", true),
            (30, "c", false),
            (61, "a", false),
            (3600, "a", true),
            (3601, "a", false),
            (3611, "a", true),
            (3620, "a", false),
            (3620, "b", true),
            (3621, "c", false),
        ];
        for (second, group, want) in table {
            let (alert, now) = (alert(group), Timestamp::from_millis(second * 1000));
            assert_eq!(limiter.allows(&alert, now), want, "{group} at {second}");
            if want {
                limiter.sent(&alert, now);
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let limit =
            RateLimit { per_group: 1, per_group_seconds: 60, per_hour: 2, summary_seconds: 1 };
        let mut limiter = Limiter::new(limit);
        let day = 86_400;
        // Second, group, whether it goes out.
        let table = [
            (day, "a", true),
            (day, "b", true),
            (day, "c", false),
            (0, "a", true),
            (1, "a", false),
            (1, "b", true),
            (2, "c", false),
        ];
        for (second, group, want) in table {
            let (alert, now) = (alert(group), Timestamp::from_millis(second * 1000));
            assert_eq!(limiter.allows(&alert, now), want, "{group} at {second}");
            if want {
                limiter.sent(&alert, now);
            }
        }
    }

    #[test]
    fn zero_means_no_limit_and_memory_is_bounded() {
        let limit =
            RateLimit { per_group: 1, per_group_seconds: 60, per_hour: 0, summary_seconds: 1 };
        let mut limiter = Limiter::new(limit);
        for at in 0..GROUPS_MAX + 5 {
            let now = Timestamp(at as i64);
            let alert = alert(&at.to_string());
            assert!(limiter.allows(&alert, now));
            limiter.sent(&alert, now);
            assert!(!limiter.allows(&alert, now));
        }
        assert!(limiter.groups.len() <= GROUPS_MAX);
        assert!(limiter.hour.is_empty());
        let none = RateLimit { per_group: 0, ..limit };
        let mut limiter = Limiter::new(none);
        for _ in 0..10 {
            assert!(limiter.allows(&alert("a"), Timestamp(0)));
            limiter.sent(&alert("a"), Timestamp(0));
        }
        assert!(limiter.groups.is_empty());
    }
}
