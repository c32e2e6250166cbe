//! [`Escalation`]: who is told when nobody acknowledges an alert.
//!
//! In: alerts of the last time that are not closed. Out: notices that are due. An incident of which
//! somebody has acknowledged, closed or taken an alert is in good hands. Pure: saving the same
//! notices again changes nothing, so nothing is remembered here.

use std::collections::HashSet;
use std::time::Duration;

use tocsin_model::{Alert, AlertStatus, Notice, NoticeKind, Severity, Timestamp};
use tocsin_search::{Context, parse_in};
use tocsin_store::Matcher;

use crate::config::EscalationStep;
use crate::error::NotifyError;

/// After a step is due it is taken for so long; older alerts are nobody's emergency any more.
const LATE_MAX: Duration = Duration::from_secs(3600);
/// The longest wait of a step, minutes.
const AFTER_MINUTES_MAX: u32 = 7 * 24 * 60;

struct Step {
    after: Duration,
    channel: String,
    least: Severity,
    condition: Option<Matcher>,
}

/// The steps, the first first.
pub(crate) struct Escalation {
    steps: Vec<Step>,
}

impl Escalation {
    /// # Errors
    /// Names the step that makes no sense.
    pub(crate) fn new(steps: &[EscalationStep], known: &[&str]) -> Result<Self, NotifyError> {
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let mut read = Vec::new();
        let mut told = HashSet::new();
        for (place, step) in steps.iter().enumerate() {
            let wrong = |why: String| NotifyError::Config(format!("escalation[{place}]: {why}"));
            let channel = step.channel.clone();
            if !known.contains(&channel.as_str()) {
                let known = known.join(", ");
                return Err(wrong(format!("there is no channel {channel:?}, there are: {known}")));
            }
            if !told.insert(channel.clone()) {
                return Err(wrong(format!("channel {channel} stands in two steps")));
            }
            if step.after_minutes > AFTER_MINUTES_MAX {
                return Err(wrong(format!("after_minutes: at most {AFTER_MINUTES_MAX}")));
            }
            let condition = step.when.as_deref().filter(|when| !when.trim().is_empty());
            let condition = condition
                .map(|text| {
                    let filter = parse_in(text, Context { now, fields: None })
                        .map_err(|error| wrong(format!("when: {error}")))?;
                    Matcher::new(&filter).map_err(|error| wrong(format!("when: {error}")))
                })
                .transpose()?;
            let after = Duration::from_secs(u64::from(step.after_minutes) * 60);
            read.push(Step { after, channel, least: step.min_severity.into(), condition });
        }
        Ok(Self { steps: read })
    }

    /// How far back alerts matter; `None` without steps.
    pub(crate) fn span(&self) -> Option<Duration> {
        self.steps.iter().map(|step| step.after + LATE_MAX).max()
    }

    /// The notices that are due.
    pub(crate) fn due(&self, alerts: &[Alert], now: Timestamp) -> Vec<Notice> {
        let in_hands =
            |alert: &&Alert| alert.status != AlertStatus::New || alert.triage.owner.is_some();
        let seen: HashSet<u64> =
            alerts.iter().filter(in_hands).filter_map(|alert| alert.triage.incident).collect();
        let waits = |alert: &&Alert| {
            let seen = alert.triage.incident.is_some_and(|incident| seen.contains(&incident));
            !in_hands(alert) && !seen && !alert.historical && alert.triage.exception.is_none()
        };
        let waiting: Vec<&Alert> = alerts.iter().filter(waits).collect();
        let mut notices = Vec::new();
        for step in &self.steps {
            // One notice for an incident: of its first alert that takes this step.
            let mut told: HashSet<u64> = HashSet::new();
            let mut of_step: Vec<&&Alert> =
                waiting.iter().filter(|alert| step.takes(alert, now)).collect();
            of_step.sort_by(|a, b| (a.raised, &a.id).cmp(&(b.raised, &b.id)));
            for alert in of_step {
                if alert.triage.incident.is_none_or(|incident| told.insert(incident)) {
                    notices.push(Notice {
                        channel: step.channel.clone(),
                        kind: NoticeKind::Unacknowledged,
                        alert: (**alert).clone(),
                    });
                }
            }
        }
        notices
    }
}

impl Step {
    fn takes(&self, alert: &Alert, now: Timestamp) -> bool {
        let due = alert.raised.plus(self.after);
        due <= now
            && now <= due.plus(LATE_MAX)
            && alert.severity >= self.least
            && self.condition.as_ref().is_none_or(|matcher| matcher.matches(&alert.to_event()))
    }
}
