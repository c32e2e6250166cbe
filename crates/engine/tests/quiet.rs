//! How many notices a quiet set of machines causes in a day, with nothing configured: twenty hosts
//! with cron, sudo, package updates, logins and mistyped passwords, of which one is reached by ssh
//! from the internet and two are web servers, with the crawlers and scanners that come with it.
//!
//! `cargo test -p tocsin-engine --test quiet -- --nocapture` prints the figures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tocsin_alert::{AlertConfig, Alerts, Outcome};
use tocsin_catalog::Catalog;
use tocsin_detect::Detector;
use tocsin_engine::Config;
use tocsin_engine::content::{Choice, Content};
use tocsin_model::{AlertId, Event, NoticeKind, Position, Record, Timestamp};
use tocsin_notify::{Notifier, NotifyConfig};

/// What people are to be bothered with at most.
const NOTICES_A_DAY_MAX: usize = 5;
const HOSTS: usize = 20;
/// A Monday, midnight UTC.
const MONDAY: i64 = 1_795_392_000;
const DAY: u64 = 86_400;

/// A small generator of random numbers, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }

    /// An address of somebody on the internet.
    fn stranger(&mut self) -> String {
        let net = [45, 61, 80, 91, 103, 141, 178, 185][self.below(8) as usize];
        format!("{net}.{}.{}.{}", self.below(250), self.below(250), 1 + self.below(250))
    }
}

/// Lines with the second of the day at which they come.
#[derive(Default)]
struct Log(Vec<(u64, &'static str, String)>);

impl Log {
    /// A line of syslog.
    fn line(&mut self, second: u64, host: &str, text: &str) {
        let (hour, minute, rest) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let day = 23 + second / DAY;
        let line = format!("Nov {day} {hour:02}:{minute:02}:{rest:02} {host} {text}");
        self.0.push((second, "syslog", line));
    }

    /// A request to a web server.
    fn request(&mut self, second: u64, from: &str, request: &str, status: u16, agent: &str) {
        let (hour, minute, rest) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let day = 23 + second / DAY;
        let line = format!(
            "{from} - - [{day}/Nov/2026:{hour:02}:{minute:02}:{rest:02} +0000] \"{request} HTTP/1.1\" \
             {status} {} \"-\" \"{agent}\"",
            200 + second % 9000
        );
        self.0.push((second, "web", line));
    }
}

/// What every machine does all day.
fn housekeeping(log: &mut Log, dice: &mut Dice, host: &str, start: u64) {
    for second in (17..DAY).step_by(300).map(|second| start + second) {
        let pid = 1000 + dice.below(30_000);
        let session = "pam_unix(cron:session): session";
        log.line(
            second,
            host,
            &format!("CRON[{pid}]: {session} opened for user root(uid=0) by (uid=0)"),
        );
        log.line(second, host, &format!("CRON[{pid}]: (root) CMD (/usr/lib/sysstat/sa1 1 1)"));
        log.line(second + 1, host, &format!("CRON[{pid}]: {session} closed for user root"));
    }
    let update = start + 6 * 3600 + dice.below(3600);
    for text in [
        "systemd[1]: Starting apt-daily-upgrade.service - Daily apt upgrade and clean activities...",
        "systemd[1]: Reloading.",
        "systemd[1]: Stopping ssh.service - OpenBSD Secure Shell server...",
        "sshd[612]: Received signal 15; terminating.",
        "systemd[1]: Starting ssh.service - OpenBSD Secure Shell server...",
        "sshd[7721]: Server listening on 0.0.0.0 port 22.",
        "systemd[1]: apt-daily-upgrade.service: Deactivated successfully.",
        "kernel: [81234.123] TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.",
        "systemd-timesyncd[401]: Contacted time server 192.0.2.123:123 (ntp.example.net).",
    ] {
        log.line(update + dice.below(120), host, text);
    }
    for _ in 0..40 {
        let second = start + dice.below(DAY);
        log.line(second, host, "systemd[1]: Finished logrotate.service - Rotate log files.");
    }
}

/// Administrators at work, from the office, by key and now and then by a mistyped password.
fn people(log: &mut Log, dice: &mut Dice, host: &str, start: u64) {
    for _ in 0..8 {
        let second = start + 8 * 3600 + dice.below(9 * 3600);
        let (user, from) =
            (dice.of(&["ana", "ben", "eva"]), format!("10.1.0.{}", 10 + dice.below(3)));
        let (pid, port) = (2000 + dice.below(20_000), 40_000 + dice.below(20_000));
        let mut at = second;
        // One login in six begins with a mistyped password or two.
        for _ in 0..[0, 0, 0, 0, 1, 2][dice.below(6) as usize] {
            let failed =
                format!("sshd[{pid}]: Failed password for {user} from {from} port {port} ssh2");
            log.line(at, host, "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.1.0.10");
            log.line(at + 1, host, &failed);
            at += 6;
        }
        let how = dice.of(&["publickey", "publickey", "password"]);
        log.line(
            at,
            host,
            &format!("sshd[{pid}]: Accepted {how} for {user} from {from} port {port} ssh2"),
        );
        log.line(at, host, &format!("sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)"));
        for step in 1..=dice.below(4) {
            let command = dice.of(&[
                "/usr/bin/apt update",
                "/usr/bin/systemctl restart nginx",
                "/usr/bin/journalctl -u ssh",
                "/usr/bin/tail -f /var/log/syslog",
                "/usr/bin/docker ps",
            ]);
            let when = at + step * 60;
            log.line(when, host, &format!("sudo:      {user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}"));
            log.line(when, host, &format!("sudo: pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)"));
            log.line(when + 3, host, "sudo: pam_unix(sudo:session): session closed for user root");
        }
        log.line(
            at + 900,
            host,
            &format!("sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}"),
        );
    }
    // Somebody mistypes the password of sudo.
    if dice.below(5) == 0 {
        let second = start + 9 * 3600 + dice.below(8 * 3600);
        log.line(second, host, "sudo: pam_unix(sudo:auth): authentication failure; logname=ana uid=1000 euid=0 tty=/dev/pts/0 ruser=ana rhost=  user=ana");
    }
}

/// What knocks at a sshd that the internet reaches: many who try once or twice, few who go on.
fn knocking(log: &mut Log, dice: &mut Dice, host: &str, start: u64) {
    for number in 0..120 {
        let (from, second) = (dice.stranger(), start + dice.below(DAY - 7200));
        let tries = if number < 2 { 25 } else { 1 + dice.below(3) };
        for attempt in 0..tries {
            let (at, pid) = (second + attempt * (5 + dice.below(20)), 3000 + dice.below(20_000));
            let user = dice.of(&["admin", "ubuntu", "test", "oracle", "git", "pi"]);
            let port = 30_000 + dice.below(30_000);
            log.line(
                at,
                host,
                &format!("sshd[{pid}]: Invalid user {user} from {from} port {port}"),
            );
            log.line(at + 1, host, &format!("sshd[{pid}]: Failed password for invalid user {user} from {from} port {port} ssh2"));
            log.line(at + 1, host, &format!("sshd[{pid}]: Connection closed by invalid user {user} {from} port {port} [preauth]"));
        }
    }
    for _ in 0..60 {
        let (from, second, pid) =
            (dice.stranger(), start + dice.below(DAY), 3000 + dice.below(20_000));
        let text = dice.of(&[
            "Did not receive identification string from",
            "Connection closed by",
            "banner exchange: Connection from",
        ]);
        log.line(second, host, &format!("sshd[{pid}]: {text} {from} port 5{pid}"));
    }
}

/// Visitors, crawlers, and those who look for what others forgot.
fn web(log: &mut Log, dice: &mut Dice, start: u64) {
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let bots = [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    ];
    for _ in 0..1500 {
        let (from, second) = (dice.stranger(), start + dice.below(DAY - 60));
        for page in 0..1 + dice.below(5) {
            let path =
                dice.of(&["/", "/shop/", "/shop/item?id=17", "/about", "/app.css", "/logo.png"]);
            log.request(second + page * 3, &from, &format!("GET {path}"), 200, browser);
        }
    }
    for (number, bot) in bots.iter().enumerate() {
        for _ in 0..600 {
            let second = start + dice.below(DAY);
            let from = format!("66.249.6{number}.{}", 1 + dice.below(3));
            let (path, status) =
                [("/robots.txt", 200), ("/shop/item?id=3", 200), ("/old", 301), ("/gone", 404)]
                    [dice.below(4) as usize];
            log.request(second, &from, &format!("GET {path}"), status, bot);
        }
    }
    for number in 0..40 {
        let (from, second) = (dice.stranger(), start + dice.below(DAY - 600));
        let probes = if number == 0 { 40 } else { 1 + dice.below(4) };
        for probe in 0..probes {
            let path = dice.of(&[
                "/wp-login.php",
                "/.env",
                "/phpmyadmin/",
                "/.git/config",
                "/xmlrpc.php",
                "/actuator/health",
            ]);
            log.request(
                second + probe * 2,
                &from,
                &format!("GET {path}"),
                404,
                "Go-http-client/1.1",
            );
        }
    }
    // People of the shop log in and mistype.
    for _ in 0..30 {
        let (from, second) = (dice.stranger(), start + dice.below(DAY));
        log.request(second, &from, "POST /login", 401, browser);
        log.request(second + 9, &from, "POST /login", 302, browser);
    }
}

fn traffic(days: u64) -> Vec<(u64, &'static str, String)> {
    let (mut log, mut dice) = (Log::default(), Dice(0x9e37_79b9_7f4a_7c15));
    for start in (0..days).map(|day| day * DAY) {
        for number in 0..HOSTS {
            let host = match number {
                0 => "bastion".to_owned(),
                1 | 2 => format!("web-{number}"),
                _ => format!("srv-{number}"),
            };
            housekeeping(&mut log, &mut dice, &host, start);
            people(&mut log, &mut dice, &host, start);
        }
        knocking(&mut log, &mut dice, "bastion", start);
        web(&mut log, &mut dice, start);
    }
    log.0.sort_by_key(|(second, ..)| *second);
    log.0
}

struct Told {
    alerts: BTreeMap<String, usize>,
    /// By day: what people are told.
    notices: Vec<Vec<String>>,
}

/// Runs lines through the stages as they are used live, with the time they happen at.
fn run(lines: &[(u64, &'static str, String)], days: u64) -> Told {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let channel = r#"{"channels": {"people": {"type": "ntfy", "target": "ops"}}}"#;
    let notify: NotifyConfig = serde_json::from_str(channel).unwrap();
    let notifier = Notifier::new(&notify, dir.path(), catalog.clone()).unwrap();
    let mut config = Config::default();
    config.detect.zone = Some("UTC".into());
    let content = Content::load(&config.content, &config.detect, &Choice::default());
    let mut worker = content.parser.worker();
    let mut detector = Detector::new(Arc::new(content.rules.clone()), &content.options);
    let mut alerts = Alerts::new(AlertConfig::default()).unwrap();
    let mut told = Told { alerts: BTreeMap::new(), notices: vec![Vec::new(); days as usize] };
    let (mut findings, mut event) = (Vec::new(), Event::default());
    for (number, (second, input, line)) in lines.iter().enumerate() {
        let now = Timestamp((MONDAY + *second as i64) * 1_000_000_000);
        let record = Record {
            input: (*input).into(),
            position: Position { stream: 1, offset: number as u64, next: number as u64 + 1 },
            received: now,
            bytes: Bytes::copy_from_slice(line.as_bytes()),
            hint: None,
            peer: None,
            path: None,
        };
        worker.parse(&record, &mut event);
        event.time = now;
        detector.process(&event, &mut findings);
        let mut raised: Vec<(AlertId, NoticeKind)> = Vec::new();
        for finding in findings.drain(..) {
            match alerts.add(&finding, false) {
                Outcome::Raised(id) => {
                    *told.alerts.entry(finding.rule.title.clone()).or_default() += 1;
                    raised.push((id, NoticeKind::Raised));
                }
                Outcome::Escalated(id) => raised.push((id, NoticeKind::Escalated)),
                _ => {}
            }
        }
        if raised.is_empty() {
            continue;
        }
        let changed = alerts.take_changed();
        let due = raised.iter().filter_map(|(id, kind)| {
            let alert = changed.iter().find(|alert| alert.id == *id)?;
            Some(notifier.notices(alert, *kind, now))
        });
        let due: Vec<_> = due.flatten().filter(|notice| notice.channel == "people").collect();
        let before = waiting(&catalog);
        let by_incident = |channel: &str| notifier.is_told_by_incident(channel);
        catalog.save_grouped(&changed, &due, &by_incident).unwrap();
        for title in waiting(&catalog).into_iter().skip(before.len()) {
            told.notices[(*second / DAY) as usize].push(title);
        }
    }
    told
}

/// What waits for people, oldest first.
fn waiting(catalog: &Catalog) -> Vec<String> {
    let all = catalog.outbox_due_of("people", Timestamp(i64::MAX), 10_000).unwrap();
    all.iter()
        .map(|item| {
            let alert = &item.notice.alert;
            format!("[{}] {}: {}", alert.severity, alert.rule.title, alert.reason)
        })
        .collect()
}

#[test]
fn a_quiet_set_of_twenty_hosts_causes_five_notices_a_day_at_most() {
    let days = 2;
    let lines = traffic(days);
    let told = run(&lines, days);
    println!("{} lines of {HOSTS} hosts in {days} days", lines.len());
    for (rule, count) in &told.alerts {
        println!("{count:>6} alerts: {rule}");
    }
    for (day, notices) in told.notices.iter().enumerate() {
        println!("day {}: {} notices", day + 1, notices.len());
        for notice in notices {
            println!("       {notice}");
        }
        assert!(notices.len() <= NOTICES_A_DAY_MAX, "{notices:#?}");
    }
    // It is quiet, not blind.
    assert!(told.notices.iter().all(|notices| !notices.is_empty()));
}
