//! [`Limiter`]: how many notices a channel sends one by one. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tocsin_model::{Alert, Timestamp};

use crate::config::RateLimit;

const HOUR: Duration = Duration::from_secs(3600);
/// Groups remembered; when there are more, those with nothing in their window are forgotten.
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
        self.groups.entry(group_key(alert)).or_default().push_back(now);
    }
}

fn forget(sent: &mut VecDeque<Timestamp>, now: Timestamp, window: Duration) {
    while sent.front().is_some_and(|&time| now.since(time) >= window) {
        sent.pop_front();
    }
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
