//! Dead endpoints, recovery and restarts: everything arrives, once, and nobody waits for it.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::json;
use tocsin_model::Severity;
use tocsin_simulate::catch::{CatchOptions, Catcher, Caught};

use crate::support::http::{Manner, RudeServer, answer};
use crate::support::{PATIENCE, Running, alert, one_channel, tally};

fn webhook(address: SocketAddr) -> tocsin_notify::NotifyConfig {
    one_channel(json!({"type": "webhook", "url": format!("http://{address}/hook")}))
}

/// An address where nobody listens.
async fn dead_address() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn catcher() -> Catcher {
    Catcher::start(CatchOptions::on_free_ports()).await.unwrap()
}

/// `webhook-id` of the requests that were answered with this status.
fn ids(catcher: &Catcher, status: u16) -> Vec<String> {
    let requests = catcher.requests().into_iter().filter(|request| request.status == status);
    requests.map(|request| request.header("webhook-id").to_owned()).collect()
}

#[tokio::test]
async fn a_refused_notice_is_tried_again_under_the_same_key_and_arrives_once() {
    let catcher = catcher().await;
    catcher.set_status(503);
    let running = Running::start(&webhook(catcher.http_addr().unwrap()));
    let alerts: Vec<_> = (0..3).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    assert!(catcher.wait_until(PATIENCE, |caught| caught.len() >= 5).await);
    running.until_failed().await;
    let problem = running.stats().problem.unwrap();
    assert!(problem.starts_with("503 Service Unavailable"), "{problem}");

    catcher.set_status(200);
    running.until_delivered(3).await;
    let arrived = tally(ids(&catcher, 200));
    assert_eq!(arrived.len(), 3);
    assert!(arrived.values().all(|count| *count == 1), "{arrived:?}");
    assert!(ids(&catcher, 503).iter().all(|id| arrived.contains_key(id)), "same keys");
    for request in catcher.requests() {
        assert_eq!(request.header("idempotency-key"), request.header("webhook-id"));
        assert_eq!(request.body["key"], request.header("webhook-id"));
    }
    let stats = running.stats();
    assert_eq!((stats.delivered, stats.dead, stats.problem), (3, 0, None));
    assert!(stats.failed >= 5);
    assert_eq!(running.log_lines().len(), 3, "the alert log does not wait for other channels");
}

#[tokio::test]
async fn a_service_that_comes_up_later_gets_everything_once() {
    let address = dead_address().await;
    let running = Running::start(&webhook(address));
    let alerts: Vec<_> = (0..20).map(|number| alert(number, Severity::Low)).collect();
    running.submit(&alerts);
    let item = running.until_failed().await;
    assert!(item.last_error.unwrap().contains("refused"));
    let options = CatchOptions { http: Some(address), ..CatchOptions::default() };
    let catcher = Catcher::start(options).await.unwrap();
    running.until_delivered(20).await;
    let arrived = tally(ids(&catcher, 200));
    assert_eq!((arrived.len(), catcher.requests().len()), (20, 20));
}

#[tokio::test]
async fn a_hanging_service_delays_neither_alerts_nor_other_channels_nor_the_stop() {
    let hanging = RudeServer::start(vec![Manner::SayAndHang(Vec::new())]).await;
    let catcher = catcher().await;
    let config = crate::support::config(json!({"channels": {
        "ops": {"type": "webhook", "url": hanging.url(), "timeout_seconds": 500},
        "fine": {"type": "webhook", "url": format!("http://{}/", catcher.http_addr().unwrap()),
                 "rate_limit": {"per_hour": 0}},
    }}));
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High)]);
    hanging.until_asked().await;

    // All on this one thread: nothing here may wait for the delivery under way.
    for number in 1..100 {
        running.submit(&[alert(number, Severity::High)]);
    }
    assert!(catcher.wait_until(PATIENCE, |caught| caught.len() == 100).await);
    assert_eq!(running.counts(), [100, 0, 0]);

    let begin = Instant::now();
    let under_way = hanging.requests();
    let (dir, outbox) = running.stop().await;
    // Who waited for it would wait 500 s.
    assert!(begin.elapsed() < PATIENCE);

    // What was under way is sent again, under the same key.
    let good = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let mut config = webhook(good.http_addr().unwrap());
    let Some(tocsin_notify::ChannelConfig::Webhook(channel)) = config.channels.get_mut("ops")
    else {
        panic!("a webhook")
    };
    channel.rate_limit.per_hour = 0;
    let running = Running::start_on(dir, outbox, &config);
    running.until_delivered(100).await;
    let arrived = tally(ids(&good, 200));
    assert_eq!((arrived.len(), good.requests().len()), (100, 100));
    assert_eq!(under_way.len(), 1);
    let repeated = arrived.keys().filter(|id| under_way[0].contains(id.as_str())).count();
    assert_eq!(repeated, 1);
}

#[tokio::test]
async fn a_restart_delivers_what_waits_and_nothing_twice() {
    let catcher = catcher().await;
    let good = webhook(catcher.http_addr().unwrap());
    let dead = webhook(dead_address().await);
    let alerts: Vec<_> = (0..9).map(|number| alert(number, Severity::Medium)).collect();

    let running = Running::start(&good);
    running.submit(&alerts[..3]);
    running.until_delivered(3).await;
    let running = running.restart(&dead).await;
    running.submit(&alerts[3..6]);
    running.until_failed().await;
    let running = running.restart(&good).await;
    // Saved again, as a replay does.
    running.submit(&alerts);
    running.until_delivered(9).await;
    let running = running.restart(&good).await;
    running.submit(&alerts);
    running.submit(&[alert(9, Severity::Medium)]);
    running.until_delivered(10).await;

    let arrived = tally(ids(&catcher, 200));
    assert_eq!((arrived.len(), catcher.requests().len()), (10, 10), "{arrived:?}");
    let (dir, outbox) = running.stop().await;
    let text = std::fs::read_to_string(dir.path().join("alerts.ndjson")).unwrap();
    assert_eq!(text.lines().count(), 10);
    assert_eq!(outbox.items("ops").len(), 10);
}

#[tokio::test]
async fn a_delivery_under_way_at_the_stop_may_finish() {
    // The answer's head comes only when the stop has begun.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = Running::start(&webhook(listener.local_addr().unwrap()));
    running.submit(&[alert(0, Severity::High)]);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.readable().await.unwrap();
    let stopping = tokio::spawn(running.stop());
    tokio::task::yield_now().await;
    let Manner::Say(bytes) = answer("200 OK", "", "") else { panic!("an answer") };
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
    let (_dir, outbox) = stopping.await.unwrap();
    let item = outbox.items("ops").remove(0);
    assert_eq!(item.state, tocsin_catalog::OutboxState::Delivered);
}

#[tokio::test]
async fn an_outbox_that_cannot_be_told_causes_no_second_delivery() {
    use std::sync::atomic::Ordering::SeqCst;
    let catcher = catcher().await;
    let running = Running::start(&webhook(catcher.http_addr().unwrap()));
    running.outbox.due_faults.store(3, SeqCst);
    running.outbox.delivered_faults.store(6, SeqCst);
    let alerts: Vec<_> = (0..5).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    running.until_delivered(5).await;
    assert_eq!(running.outbox.delivered_faults.load(SeqCst), 0);
    let arrived = tally(ids(&catcher, 200));
    assert_eq!((arrived.len(), catcher.requests().len()), (5, 5), "{arrived:?}");
    assert_eq!(running.log_lines().len(), 5);
}

#[tokio::test]
async fn notices_of_removed_channels_are_given_up_visibly() {
    let running = Running::start(&webhook(dead_address().await));
    let alerts: Vec<_> = (0..1200).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    running.until_failed().await;
    let running = running.restart(&crate::support::config(json!({}))).await;
    running.outbox.until("given up", || running.counts() == [0, 0, 1200]).await;
    let item = running.outbox.items("ops").remove(0);
    assert!(item.last_error.unwrap().contains("no longer in the configuration"));
}

#[tokio::test]
async fn age_ends_the_patience_but_only_after_a_try() {
    let address = dead_address().await;
    let mut config = webhook(address);
    config.give_up_hours = 0;
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High)]);
    running.outbox.until("given up", || running.counts() == [0, 0, 1]).await;
    let item = running.outbox.items("ops").remove(0);
    let error = item.last_error.unwrap();
    assert!(error.starts_with("given up by age; last: ") && error.contains("refused"), "{error}");
    assert_eq!(item.attempts, 2, "one try, one burial");
}

#[tokio::test]
async fn historical_alerts_notify_nobody() {
    let catcher = catcher().await;
    let running = Running::start(&webhook(catcher.http_addr().unwrap()));
    let mut old: Vec<_> = (0..4).map(|number| alert(number, Severity::Critical)).collect();
    old.iter_mut().for_each(|alert| alert.historical = true);
    running.submit(&old);
    running.submit_as(&old, tocsin_model::NoticeKind::Escalated);
    running.submit(&[alert(9, Severity::Critical)]);
    running.until_delivered(1).await;
    assert_eq!(running.counts(), [0, 1, 0]);
    let bodies: Vec<_> = catcher.messages();
    let [Caught::Http(only)] = bodies.as_slice() else { panic!("one request: {bodies:?}") };
    assert_eq!(only.body["alert"]["tocsin"]["alert"]["historical"], false);
    let log = || running.log_lines().len() == 5;
    running.outbox.until("all are logged", log).await;
}
