//! Rhythms over simulated weeks: no false alarm, and silence told in time.

use super::config::like;
use super::*;

const DAY: u64 = 86_400;
/// A Monday, midnight UTC.
const MONDAY: i64 = 1_795_392_000;

fn at(second: u64) -> Timestamp {
    Timestamp((MONDAY + second as i64) * 1_000_000_000)
}

/// A small generator of random numbers, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

fn hear(rhythms: &mut Rhythms, dataset: &str, host: &str, second: u64) {
    let event = EventId { stream: 1, offset: second };
    let received = at(second);
    rhythms.heard(&Heard { dataset, host, input: "syslog", received, event });
}

/// When each kind of source sends, for so many seconds.
fn times(kind: usize, dice: &mut Dice, until: u64) -> Vec<u64> {
    let mut times = Vec::new();
    let mut now = 0.0;
    while (now as u64) < until {
        let (hour, day) = ((now as u64 / 3600) % 24, (now as u64 / DAY) % 7);
        now += match kind {
            // A busy server; a quiet one; cron every hour; a job a day.
            0 => dice.exponential(60.0),
            1 => dice.exponential(1800.0),
            2 => 3600.0 + dice.unit(),
            3 => DAY as f64 + 60.0 * dice.unit(),
            // An office: busy from 8 to 18 on five days, hardly anything else.
            4 if day < 5 && (8..18).contains(&hour) => dice.exponential(30.0),
            4 => dice.exponential(4.0 * 3600.0),
            // A shop: much more by day than by night.
            _ if (7..23).contains(&hour) => dice.exponential(60.0),
            _ => dice.exponential(900.0),
        };
        times.push(now as u64);
    }
    times
}

/// Plays the times of sources; what fell silent, and when.
fn play(rhythms: &mut Rhythms, all: &[Vec<u64>], until: u64) -> Vec<(u64, Fell)> {
    let mut fell = Vec::new();
    let mut places = vec![0; all.len()];
    for second in (0..until).step_by(60) {
        fell.extend(rhythms.look(at(second)).into_iter().map(|one| (second, one)));
        for (number, times) in all.iter().enumerate() {
            while times.get(places[number]).is_some_and(|time| *time < second + 60) {
                let host = format!("host-{number}");
                hear(rhythms, "linux.syslog", &host, times[places[number]]);
                places[number] += 1;
            }
        }
    }
    fell
}

#[test]
fn sixty_days_of_thirty_sources_raise_hardly_a_false_alarm_and_outages_are_seen() {
    let (days, sources, mut dice) = (60, 30, Dice(0x9e37_79b9_7f4a_7c15));
    let mut all: Vec<Vec<u64>> =
        (0..sources).map(|number| times(number % 6, &mut dice, days * DAY)).collect();
    let outage = 50 * DAY + 10 * 3600;
    // The first six fall silent on the fiftieth day (a Tuesday), at ten in the morning, for good.
    for times in all.iter_mut().take(6) {
        times.retain(|time| *time < outage);
    }
    let mut rhythms = Rhythms::new(SilenceConfig::default(), 0, Vec::new());
    let fell = play(&mut rhythms, &all, days * DAY);
    let (mut delays, mut wrong) = (vec![None; 6], 0);
    for (second, one) in &fell {
        let number: usize = one.source.host["host-".len()..].parse().unwrap();
        match number < 6 && *second > outage {
            true => delays[number] = Some(second - outage),
            false => wrong += 1,
        }
    }
    println!("{wrong} false alarms of {sources} sources in {days} days; delays {delays:?} s");
    let labels: Vec<(u64, String)> =
        fell.iter().map(|(second, one)| (second / DAY, one.source.label())).collect();
    assert!(wrong <= 2, "{labels:?}");
    let limits = [3600, 24 * 3600, 4 * 3600, 4 * DAY, 7 * 3600, 3600];
    for (number, (delay, limit)) in delays.iter().zip(limits).enumerate() {
        assert!(delay.is_some_and(|delay| delay <= limit), "kind {number}: {delay:?}");
    }
}

fn learned() -> Rhythms {
    let mut rhythms = Rhythms::new(SilenceConfig::default(), 0, Vec::new());
    let every_minute: Vec<u64> = (0..8 * DAY).step_by(60).collect();
    assert_eq!(play(&mut rhythms, &[every_minute], 8 * DAY), []);
    rhythms
}

#[test]
fn silence_is_told_once_and_ends_by_itself() {
    let mut rhythms = learned();
    let mut told = Vec::new();
    for second in (8 * DAY..9 * DAY).step_by(30) {
        told.extend(rhythms.look(at(second)).into_iter().map(|fell| (second - 8 * DAY, fell)));
    }
    assert_eq!(told.len(), 1);
    let (second, fell) = &told[0];
    assert!((860..1020).contains(second), "{second}");
    assert_eq!(fell.source.label(), "linux.syslog of host-0");
    assert_eq!(fell.usual_seconds, Some(60));
    let alert = AlertId("a1".into());
    rhythms.told("linux.syslog", "host-0", "syslog", &alert);
    hear(&mut rhythms, "linux.syslog", "host-0", 9 * DAY);
    let back = rhythms.take_back();
    assert_eq!((back.len(), back[0].alert.clone()), (1, Some(alert)));
    assert!(back[0].silent_seconds > 80_000);
    // The outage was no rhythm: the next one is told just as soon.
    let again: Vec<u64> = (9 * DAY..9 * DAY + 3000)
        .step_by(30)
        .flat_map(|second| rhythms.look(at(second)))
        .map(|fell| fell.silent_seconds)
        .collect();
    assert!(again.len() == 1 && again[0] < 1020, "{again:?}");
    // Unless somebody says that it was.
    hear(&mut rhythms, "linux.syslog", "host-0", 9 * DAY + 3000);
    let back = rhythms.take_back();
    rhythms.forgive(&back[0]);
    hear(&mut rhythms, "linux.syslog", "host-0", 9 * DAY + 3000);
    let after = (9 * DAY + 3000..9 * DAY + 5000).step_by(30);
    assert_eq!(after.flat_map(|second| rhythms.look(at(second))).count(), 0);
}

#[test]
fn time_that_nobody_watched_counts_for_nothing() {
    let mut rhythms = learned();
    // The machine sleeps for two days; then Tocsin is stopped for two, and started again.
    assert_eq!(rhythms.look(at(10 * DAY)), []);
    let (watched, changed) = rhythms.take_changed();
    let text = serde_json::to_string(&changed[0].source).unwrap();
    let known: Source = serde_json::from_str(&text).unwrap();
    assert_eq!(known, Source { due: None, ..changed[0].source.clone() });
    let mut rhythms = Rhythms::new(SilenceConfig::default(), watched, vec![known]);
    for second in (12 * DAY..12 * DAY + 700).step_by(30) {
        assert_eq!(rhythms.look(at(second)), []);
    }
    hear(&mut rhythms, "linux.syslog", "host-0", 12 * DAY + 700);
    let told = (12 * DAY + 700..12 * DAY + 4000).step_by(30);
    assert_eq!(told.flat_map(|second| rhythms.look(at(second))).count(), 1);
    // The pause while nobody watched was not learned.
    let (_, changed) = rhythms.take_changed();
    assert_eq!(changed[0].condition, Condition::Silent);
    assert!(changed[0].usual_seconds < 900, "{}", changed[0].usual_seconds);
}

#[test]
fn nothing_is_told_while_learning_and_of_what_is_ignored() {
    let config = SilenceConfig { ignore: vec!["*@lap*".into()], ..SilenceConfig::default() };
    let mut rhythms = Rhythms::new(config, 0, Vec::new());
    for second in (0..20 * DAY).step_by(60) {
        assert_eq!(rhythms.look(at(second)), [], "{second}");
        if second < 9 * DAY {
            hear(&mut rhythms, "linux.syslog", "laptop", second);
        }
        if second < 6 * DAY {
            hear(&mut rhythms, "linux.syslog", "new", second);
        }
    }
    let (_, mut changed) = rhythms.take_changed();
    changed.sort_by(|a, b| a.source.host.cmp(&b.source.host));
    let conditions: Vec<Condition> = changed.iter().map(|one| one.condition).collect();
    assert_eq!(conditions, [Condition::Ignored, Condition::Learning]);
    assert!(rhythms.forget("linux.syslog", "new", ""));
    assert!(!rhythms.forget("linux.syslog", "new", ""));
}

#[test]
fn what_is_expected_must_come_though_nothing_was_learned() {
    let expect = |source: &str, host: &str| Expected {
        source: source.into(),
        host: host.into(),
        seconds: 600,
    };
    let config = SilenceConfig {
        expect: vec![expect("openssh.sshd", "web-1"), expect("nginx.*", "*")],
        ..SilenceConfig::default()
    };
    let mut rhythms = Rhythms::new(config, 0, Vec::new());
    hear(&mut rhythms, "nginx.access", "web-2", 0);
    let told: Vec<(u64, String)> = (0..DAY)
        .step_by(30)
        .flat_map(|second| rhythms.look(at(second)).into_iter().map(move |one| (second, one)))
        .map(|(second, one)| (second, one.source.label()))
        .collect();
    assert_eq!(
        told,
        [(630, "openssh.sshd of web-1".to_owned()), (630, "nginx.access of web-2".to_owned())]
    );
}

#[test]
fn patterns() {
    let table = [
        ("nginx.access", "nginx.access", true),
        ("nginx.*", "nginx.access", true),
        ("*", "", true),
        ("*.access", "nginx.access", true),
        ("a*a", "a", false),
        ("n*x*s", "nginx.access", true),
        ("n*y*s", "nginx.access", false),
        ("nginx", "nginx.access", false),
    ];
    for (pattern, text, expected) in table {
        assert_eq!(like(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
    let table = [
        (SilenceConfig { seconds_min: 5, ..Default::default() }, "silence.seconds_min"),
        (SilenceConfig { factor: 0, ..Default::default() }, "silence.factor"),
        (
            SilenceConfig { expect: vec![Expected::default()], ..Default::default() },
            "silence.expect[0].source",
        ),
    ];
    for (config, key) in table {
        assert!(config.check().unwrap_err().starts_with(key), "{key}");
    }
}
