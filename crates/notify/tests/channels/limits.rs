//! Least severity, rate limits, and the summary of what was held back.

use serde_json::{Value as Json, json};
use tocsin_model::{NoticeKind, Severity};
use tocsin_simulate::catch::{CatchOptions, Catcher};

use crate::support::http::{RudeServer, answer};
use crate::support::{PATIENCE, Running, alert, one_channel, tally};

async fn catcher() -> Catcher {
    Catcher::start(CatchOptions::on_free_ports()).await.unwrap()
}

fn limited(url: &str, limit: &Json) -> tocsin_notify::NotifyConfig {
    one_channel(json!({"type": "webhook", "url": url, "rate_limit": limit}))
}

fn url(catcher: &Catcher) -> String {
    format!("http://{}/", catcher.http_addr().unwrap())
}

/// Ids of alerts that were told of by themselves, and in summaries; the counts of the summaries.
fn told(bodies: &[Json]) -> (Vec<String>, Vec<String>, Vec<u64>) {
    let (mut single, mut summed, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for body in bodies {
        if body["kind"] == "summary" {
            let ids = body["summary"]["alerts"].as_array().unwrap();
            summed.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
            counts.push(body["summary"]["count"].as_u64().unwrap());
        } else {
            single.push(body["alert"]["tocsin"]["alert"]["id"].as_str().unwrap().to_owned());
        }
    }
    (single, summed, counts)
}

fn bodies(catcher: &Catcher) -> Vec<Json> {
    catcher.requests().into_iter().map(|request| request.body).collect()
}

#[tokio::test]
async fn each_channel_hears_from_its_least_severity_on() {
    let levels = ["informational", "low", "medium", "high", "critical"];
    let channel = |level: &str| json!({"type": "stdout", "min_severity": level});
    let channels: serde_json::Map<String, Json> =
        levels.iter().map(|level| ((*level).to_owned(), channel(level))).collect();
    let config = crate::support::config(json!({ "channels": channels }));
    let dir = tempfile::tempdir().unwrap();
    let outbox = crate::support::WatchedOutbox::open(dir.path());
    let notifier = tocsin_notify::Notifier::new(&config, dir.path(), outbox).unwrap();
    for (number, severity) in Severity::ALL.into_iter().enumerate() {
        for kind in [NoticeKind::Raised, NoticeKind::Escalated] {
            let alert = alert(0, severity);
            let notices = notifier.notices(&alert, kind, crate::support::at(0));
            let told: Vec<&str> = notices.iter().map(|notice| notice.channel.as_str()).collect();
            let mut want: Vec<&str> = levels[..=number].to_vec();
            want.push("log");
            want.sort_unstable();
            assert_eq!(told, want, "{severity}");
        }
    }
}

#[tokio::test]
async fn what_is_over_the_limit_goes_out_in_one_summary() {
    let catcher = catcher().await;
    let limit = json!({"per_group": 0, "per_hour": 2, "summary_seconds": 1});
    let running = Running::start(&limited(&url(&catcher), &limit));
    let mut alerts: Vec<_> = (0..7).map(|number| alert(number, Severity::Medium)).collect();
    alerts[5].severity = Severity::Critical;
    alerts[5].rule.title = "Malware <!here>".to_owned();
    running.submit(&alerts);
    running.until_delivered(7).await;

    let (single, summed, counts) = told(&bodies(&catcher));
    assert_eq!(single.len(), 2);
    assert_eq!(counts.iter().sum::<u64>(), 5);
    let all = tally(single.iter().chain(&summed));
    assert_eq!((all.len(), all.values().max()), (7, Some(&1)), "each alert once");
    let stats = running.stats();
    assert_eq!((stats.delivered, stats.held, stats.failed), (7, 5, 0));
    // Nearly always they are one summary; when a second began in between, two.
    let bodies = bodies(&catcher);
    let worst = bodies.iter().find(|body| body["severity"] == "critical").unwrap();
    let count = worst["summary"]["count"].as_u64().unwrap();
    let noun = if count == 1 { "alert" } else { "alerts" };
    assert_eq!(worst["title"], format!("{count} more {noun}, held back by the rate limit"));
    assert_eq!(worst["summary"]["rules"][0]["rule"], "Malware <!here>");
    assert_eq!(worst["summary"]["rules"][0]["severity"], "critical");
    assert!(worst["alert"].is_null());
}

#[tokio::test]
async fn one_group_does_not_use_up_the_others_share() {
    let catcher = catcher().await;
    let limit = json!({"per_group": 1, "per_group_seconds": 3600, "summary_seconds": 1});
    let running = Running::start(&limited(&url(&catcher), &limit));
    let mut alerts = Vec::new();
    for number in 0..3 {
        for again in 0..3u32 {
            let mut alert = alert(number, Severity::High);
            alert.id = tocsin_model::AlertId::derive("r", &alert.group, &again.to_string());
            alerts.push(alert);
        }
    }
    running.submit(&alerts);
    running.until_delivered(9).await;
    let (single, summed, _) = told(&bodies(&catcher));
    assert_eq!((single.len(), summed.len()), (3, 6));
    let firsts: Vec<&str> = alerts.iter().step_by(3).map(|alert| alert.id.0.as_str()).collect();
    assert_eq!(single, firsts, "the first of each group");
}

#[tokio::test]
async fn a_flood_becomes_one_summary_however_large() {
    let catcher = catcher().await;
    let limit = json!({"per_group": 0, "per_hour": 1, "summary_seconds": 2});
    let dir = tempfile::tempdir().unwrap();
    let outbox = crate::support::WatchedOutbox::open(dir.path());
    let config = limited(&url(&catcher), &limit);
    let running = Running::start_on(dir, outbox, &config);
    let alerts: Vec<_> = (0..1700).map(|number| alert(number, Severity::Low)).collect();
    running.submit(&alerts);
    running.until_delivered(1700).await;
    let (single, summed, counts) = told(&bodies(&catcher));
    assert_eq!(single.len(), 1);
    assert_eq!(counts.iter().sum::<u64>(), 1699);
    assert!(counts.len() <= 2, "{counts:?}");
    assert!(summed.len() <= counts.len() * tocsin_notify::worker::ALERTS_LISTED_MAX);
}

#[tokio::test]
async fn a_summary_that_failed_comes_again_as_it_was() {
    let catcher = catcher().await;
    let limit = json!({"per_group": 0, "per_hour": 1, "summary_seconds": 1});
    let running = Running::start(&limited(&url(&catcher), &limit));
    running.submit(&[alert(0, Severity::High)]);
    running.until_delivered(1).await;
    catcher.set_status(500);
    let alerts: Vec<_> = (1..4).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    let refused = || catcher.requests().iter().filter(|request| request.status == 500).count();
    assert!(catcher.wait_until(PATIENCE, |_| refused() >= 2).await);
    running.submit(&[alert(4, Severity::High)]);
    assert!(catcher.wait_until(PATIENCE, |_| refused() >= 4).await);
    catcher.set_status(200);
    running.until_delivered(5).await;

    let requests = catcher.requests();
    let keys = |status: u16| {
        let of = requests.iter().filter(|request| request.status == status);
        tally(of.map(|request| request.header("webhook-id").to_owned()))
    };
    let (good, bad) = (keys(200), keys(500));
    assert!(good.values().all(|count| *count == 1), "{good:?}");
    let first = bad.keys().next().unwrap();
    assert!(good.contains_key(first), "the same key again: {bad:?} {good:?}");
    let (single, summed, _) = told(
        &requests
            .iter()
            .filter(|request| request.status == 200)
            .map(|request| request.body.clone())
            .collect::<Vec<_>>(),
    );
    let all = tally(single.iter().chain(&summed));
    assert_eq!((all.len(), all.values().max()), (5, Some(&1)), "each alert once: {all:?}");
}

#[tokio::test]
async fn what_is_held_survives_a_restart() {
    let catcher = catcher().await;
    let slow = json!({"per_group": 0, "per_hour": 1, "summary_seconds": 86400});
    let running = Running::start(&limited(&url(&catcher), &slow));
    let alerts: Vec<_> = (0..4).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    running.until_delivered(1).await;
    running.outbox.until("held", || running.stats().held == 3).await;
    let held = || running.outbox.items("ops").iter().filter(|item| item.next_try.0 > 0).count();
    running.outbox.until("written down", || held() == 3).await;
    let items = running.outbox.items("ops");
    let dues = tally(items.iter().filter(|item| item.next_try.0 > 0).map(|item| item.next_try));
    assert_eq!(dues.len(), 1, "all at once: {dues:?}");
    let (dir, outbox) = running.stop().await;

    // The span is over.
    for item in outbox.items("ops") {
        outbox.catalog.outbox_postpone(&item.key, tocsin_model::Timestamp(1)).unwrap();
    }
    let quick = json!({"per_group": 0, "per_hour": 1, "summary_seconds": 0});
    let running = Running::start_on(dir, outbox, &limited(&url(&catcher), &quick));
    running.until_delivered(4).await;
    let (single, summed, counts) = told(&bodies(&catcher));
    assert_eq!((single.len(), counts.iter().sum::<u64>()), (2, 2));
    let all = tally(single.iter().chain(&summed));
    assert_eq!((all.len(), all.values().max()), (4, Some(&1)), "{all:?}");
}

#[tokio::test]
async fn limits_of_any_size_are_survived() {
    let huge = 36_028_797_018_963_968u64;
    for limit in [
        json!({"per_group": 1, "per_group_seconds": huge, "per_hour": 1, "summary_seconds": huge}),
        json!({"per_group": 1, "per_group_seconds": u64::MAX, "per_hour": u32::MAX,
               "summary_seconds": u64::MAX}),
        json!({"per_group": 0, "per_group_seconds": 0, "per_hour": 0, "summary_seconds": 0}),
    ] {
        let server = RudeServer::start(vec![answer("200 OK", "", "")]).await;
        let mut config = limited(&server.url(), &limit);
        config.retry_ms_max = u64::MAX;
        config.give_up_hours = u64::MAX;
        let Some(tocsin_notify::ChannelConfig::Webhook(channel)) = config.channels.get_mut("ops")
        else {
            panic!("a webhook")
        };
        channel.timeout_seconds = u64::MAX;
        let running = Running::start(&config);
        let mut again = alert(0, Severity::High);
        again.id.0.push('2');
        running.submit(&[alert(0, Severity::High), again]);
        running
            .outbox
            .until("settled", || {
                let [_, delivered, dead] = running.counts();
                dead == 0 && (delivered == 2 || running.stats().held == 1 && delivered == 1)
            })
            .await;
    }
}
