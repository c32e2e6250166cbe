//! Hours of ordinary life with planted anomalies, and what the baselines make of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use tocsin_enrich::config::{BaselineConfig, FirstSeenConfig};
use tocsin_enrich::memory::Memory;
use tocsin_model::{Event, Timestamp, field};

/// A Monday, hours since 1970.
const START_HOUR: i64 = 497_280;
/// Only what comes after this is judged, days.
pub const LEARNING_DAYS: i64 = 7;

/// How it went.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outcome {
    /// Hours of hosts that were judged.
    pub hours: u64,
    /// Planted anomalies, and how many of them were told in their hour.
    pub planted: u64,
    pub found: u64,
    /// Ordinary hours that were told.
    pub false_alarms: u64,
    /// Hosts and days.
    pub host_days: u64,
    /// What was told first, for people.
    pub sample: String,
}

impl Outcome {
    /// False alarms for each host and week.
    pub fn per_host_week(&self) -> f64 {
        self.false_alarms as f64 * 7.0 / self.host_days.max(1) as f64
    }
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Near enough to a normal one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    /// A count around a mean that scatters more than chance alone, as life does.
    fn count(&mut self, mean: f64, scatter: f64) -> u32 {
        let mean = mean * (scatter * self.normal()).exp();
        (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32
    }
}

/// What kind of host it is: how the hours differ.
fn usual(kind: usize, hour: i64, day: i64) -> f64 {
    let weekend = (day % 7) >= 5;
    let office = (8..18).contains(&hour);
    match kind % 5 {
        // An office server.
        0 => {
            if weekend {
                3.0
            } else if office {
                45.0
            } else {
                5.0
            }
        }
        // A shop: evenings, more at weekends.
        1 => {
            (20.0 + 30.0 * f64::from(u8::from((17..23).contains(&hour))))
                * if weekend { 1.5 } else { 1.0 }
        }
        // Always the same: scanners of the internet.
        2 => 120.0,
        // A job every night.
        3 => {
            if hour == 2 {
                300.0
            } else {
                2.0
            }
        }
        // Hardly ever anything.
        _ => 0.4,
    }
}

/// So many hosts for so many days, with an anomaly every so many hours.
pub fn run(hosts: usize, days: i64, planted_every: f64, seed: u64) -> Outcome {
    let baselines =
        BaselineConfig { learning_days: LEARNING_DAYS as f64, ..BaselineConfig::default() };
    let mut memory = Memory::new(&FirstSeenConfig::default(), &baselines);
    let mut random = Random(seed | 1);
    let mut outcome = Outcome::default();
    for day in 0..days {
        for hour in 0..24 {
            for host in 0..hosts {
                // Each grows or shrinks by a third within two months.
                let trend = 1.0 + (host as f64 % 3.0 - 1.0) * 0.33 * day as f64 / 60.0;
                let mean = usual(host, hour, day) * trend;
                let mut count = random.count(mean, 0.15);
                let judged = day >= LEARNING_DAYS;
                let planted = judged && random.next() < 1.0 / planted_every;
                if planted {
                    // From five times the usual up to a flood, and never fewer than sixty.
                    let times = 5.0 + 25.0 * random.next();
                    count = ((mean * times) as u32).max(60 + (240.0 * random.next()) as u32);
                }
                let told = live(&mut memory, host, START_HOUR + day * 24 + hour, count);
                if judged {
                    outcome.hours += 1;
                    outcome.planted += u64::from(planted);
                    outcome.found += u64::from(planted && told.is_some());
                    outcome.false_alarms += u64::from(!planted && told.is_some());
                    if let Some(text) = told.filter(|_| outcome.sample.is_empty()) {
                        outcome.sample = text;
                    }
                }
            }
        }
        outcome.host_days += if day >= LEARNING_DAYS { hosts as u64 } else { 0 };
    }
    outcome
}

/// An hour of a host: failed logins. What was told first.
fn live(memory: &mut Memory, host: usize, hour: i64, count: u32) -> Option<String> {
    let mut told = None;
    let name = format!("host{host}");
    for number in 0..i64::from(count) {
        let mut event = Event::default();
        event.time =
            Timestamp::from_millis((hour * 3600 + number * 3600 / i64::from(count)) * 1000);
        event.received = event.time;
        event.push_str(field::EVENT_CATEGORY, "authentication");
        event.push_str(field::EVENT_OUTCOME, "failure");
        event.push_str(field::HOST_NAME, &name);
        memory.see(&mut event);
        if told.is_none() {
            told = event.get_str(field::TOCSIN_BASELINE_TEXT).map(str::to_owned);
        }
    }
    told
}
