//! The alert log: one whole line for each alert, once, whatever happens to file and disk.

use std::fs;
use std::io::Write;
use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value as Json, json};
use tocsin_model::{NoticeKind, Severity};

use crate::support::{Running, alert, config, tally};

/// The log of these tests is the channel `ops`, whose outbox is easier to ask for.
fn ops(path: Option<&std::path::Path>) -> tocsin_notify::NotifyConfig {
    let mut channel = json!({"type": "log"});
    if let Some(path) = path {
        channel["path"] = json!(path);
    }
    config(json!({"channels": {"ops": channel}}))
}

fn ids(path: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    lines.map(|line| line["tocsin"]["alert"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_alert_is_one_line_of_ecs_also_when_it_gets_worse() {
    let running = Running::start(&ops(None));
    let mut alerts: Vec<_> = (0..3).map(|number| alert(number, Severity::Informational)).collect();
    alerts[1].reason = "line one\nline two\r\n\0\u{2028}".to_owned();
    running.submit(&alerts);
    running.submit_as(&alerts, NoticeKind::Escalated);
    // The least severity of an ordinary log is low.
    alerts.iter_mut().for_each(|alert| alert.severity = Severity::Low);
    running.submit_as(&alerts, NoticeKind::Escalated);
    running.submit(&[alert(7, Severity::High)]);
    running.until_delivered(4).await;
    assert_eq!(ids(&running.dir.path().join("ops.ndjson")), [alert(7, Severity::High).id.0]);
    let whole = || running.log_lines().len() == 4;
    running.outbox.until("the alert log has all", whole).await;
    let lines = running.log_lines();
    let (logged, mut want) = (&lines[1], alerts[1].to_json());
    want["event"]["severity"] = logged["event"]["severity"].clone();
    want["tocsin"]["alert"]["severity"] = json!("informational");
    assert_eq!(*logged, want);
}

#[tokio::test]
async fn a_line_whose_delivery_was_not_recorded_is_not_written_again() {
    let running = Running::start(&ops(None));
    running.outbox.delivered_faults.store(1_000_000, SeqCst);
    let alerts: Vec<_> = (0..600).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    let path = running.dir.path().join("ops.ndjson");
    let first_batch = async {
        while fs::read_to_string(&path).unwrap().lines().count() < 100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, first_batch).await.unwrap();
    let (dir, outbox) = running.stop().await;
    assert_eq!(outbox.catalog.outbox_counts().unwrap().delivered, 0);
    outbox.delivered_faults.store(0, SeqCst);
    let running = Running::start_on(dir, outbox, &ops(None));
    running.until_delivered(600).await;
    let written = tally(ids(&path));
    assert_eq!((written.len(), written.values().max()), (600, Some(&1)));
}

#[tokio::test]
async fn a_torn_last_line_is_mended() {
    let whole = alert(0, Severity::High).to_json().to_string();
    let torn = alert(1, Severity::High).to_json().to_string();
    for cut in [1, 20, torn.len() - 1, torn.len()] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ops.ndjson");
        fs::write(&path, format!("{whole}\n{}", &torn[..cut])).unwrap();
        let outbox = crate::support::WatchedOutbox::open(dir.path());
        let running = Running::start_on(dir, outbox, &ops(None));
        let alerts = [alert(0, Severity::High), alert(1, Severity::High)];
        running.submit(&alerts);
        running.until_delivered(2).await;
        assert_eq!(ids(&path), [alerts[0].id.0.clone(), alerts[1].id.0.clone()], "cut at {cut}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}\n{torn}\n"));
    }
}

#[tokio::test]
async fn strange_content_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ops.ndjson");
    let strange = b"\xff\xfe not json\n\n[1]\n{\"tocsin\":5}\n\0\n".to_vec();
    fs::write(&path, &strange).unwrap();
    let outbox = crate::support::WatchedOutbox::open(dir.path());
    let running = Running::start_on(dir, outbox, &ops(None));
    running.submit(&[alert(0, Severity::High)]);
    running.until_delivered(1).await;
    // Somebody else writes half a line while this runs.
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"half\":").unwrap();
    running.submit(&[alert(1, Severity::High)]);
    running.until_delivered(2).await;
    let bytes = fs::read(&path).unwrap();
    let one = format!("{}\n", alert(0, Severity::High).to_json());
    let two = format!("{}\n", alert(1, Severity::High).to_json());
    let want = [&strange, one.as_bytes(), b"{\"half\":\n", two.as_bytes()].concat();
    assert_eq!(bytes, want);
}

#[tokio::test]
async fn the_file_may_be_moved_and_emptied_at_any_time() {
    let running = Running::start(&ops(None));
    let path = running.dir.path().join("ops.ndjson");
    running.submit(&[alert(0, Severity::High)]);
    running.until_delivered(1).await;
    fs::rename(&path, running.dir.path().join("ops.ndjson.1")).unwrap();
    running.submit(&[alert(1, Severity::High)]);
    running.until_delivered(2).await;
    assert_eq!(ids(&path), [alert(1, Severity::High).id.0]);
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    running.submit(&[alert(2, Severity::High), alert(0, Severity::High)]);
    running.until_delivered(3).await;
    assert_eq!(ids(&path), [alert(2, Severity::High).id.0]);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again_and_seen() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mount");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("alerts.ndjson");
    let running = Running::start(&ops(Some(&path)));
    // The folder is gone, then the file's name is taken by a folder, then all is well.
    fs::remove_dir_all(&folder).unwrap();
    let alerts: Vec<_> = (0..5).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    let item = running.until_failed().await;
    let error = item.last_error.unwrap();
    assert!(error.contains("alerts.ndjson: No such file"), "{error}");
    let problem = running.stats().problem.unwrap();
    assert!(problem.contains("No such file"), "{problem}");

    fs::create_dir_all(&path).unwrap();
    let is_folder = || {
        let items = running.outbox.items("ops");
        items[0].last_error.as_ref().is_some_and(|error| error.contains("not a regular file"))
    };
    running.outbox.until("the other reason", is_folder).await;
    fs::remove_dir(&path).unwrap();
    running.until_delivered(5).await;
    assert_eq!(ids(&path).len(), 5);
    assert_eq!(running.stats().problem, None);
    assert_eq!(running.log_lines().len(), 5, "the other log did not mind");
}
