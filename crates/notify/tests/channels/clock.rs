//! Clocks that were ahead and are set back: what was put off then goes out now.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tocsin_model::{Severity, Timestamp};
use tocsin_simulate::catch::{CatchOptions, Catcher};

use crate::support::{PATIENCE, Running, alert, config};

const DAY: Duration = Duration::from_secs(86_400);

fn days_ahead(days: u32) -> Timestamp {
    Timestamp::from_system(SystemTime::now()).plus(DAY * days)
}

#[tokio::test]
async fn what_was_put_off_by_a_clock_that_was_ahead_goes_out_now() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let limit = json!({"per_group": 0, "per_hour": 2, "summary_seconds": 86_400});
    let url = format!("http://{}/", catcher.http_addr().unwrap());
    let channel = json!({"type": "webhook", "url": url, "rate_limit": limit});
    let config = config(json!({"channels": {"ops": channel}}));
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High), alert(1, Severity::High)]);
    running.until_delivered(2).await;
    let held: Vec<_> = (2..5).map(|number| alert(number, Severity::High)).collect();
    running.submit(&held);
    let put_off = || running.outbox.items("ops").iter().filter(|item| item.next_try.0 > 0).count();
    running.outbox.until("held", || put_off() == 3).await;
    let move_to = |time: Timestamp| {
        for item in running.outbox.items("ops") {
            running.outbox.catalog.outbox_postpone(&item.key, time).unwrap();
        }
    };

    // As far ahead as a summary may be: not due.
    move_to(days_ahead(1));
    running.submit(&[alert(5, Severity::High)]);
    running.outbox.until("held too", || running.stats().held == 4).await;
    assert_eq!(running.counts()[1], 2);

    // Further ahead than anything is put off to: due, in one summary with the limit still full.
    move_to(days_ahead(400));
    running.notifier.notify();
    assert!(catcher.wait_until(PATIENCE, |requests| requests.len() == 3).await);
    running.until_delivered(6).await;
    let last = catcher.requests().pop().unwrap().body;
    assert_eq!((&last["kind"], &last["summary"]["count"]), (&json!("summary"), &json!(4)));
}
