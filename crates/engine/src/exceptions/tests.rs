//! What exceptions hide, live and in a dry run, and what is refused.

use tocsin_catalog::AlertChange;
use tocsin_model::{Event, EventId, Severity, field};

use super::*;

fn rule(id: &str, pack: &str) -> Arc<RuleMeta> {
    Arc::new(RuleMeta {
        id: id.to_owned(),
        title: format!("Rule {id}"),
        pack: pack.to_owned(),
        severity: Severity::High,
        ..RuleMeta::default()
    })
}

fn finding(rule: &Arc<RuleMeta>, address: &str, user: &str, offset: u64) -> Finding {
    let mut event = Event::default();
    event.set_original(&format!("login of {user} from {address} refused by the Gateway"));
    (event.time, event.received) = (now(), now().plus(Duration::from_secs(1)));
    event.id = EventId { stream: 1, offset };
    event.set_str(field::SOURCE_IP, address);
    event.set_str(field::USER_NAME, user);
    Finding {
        rule: rule.clone(),
        time: event.time,
        group: Vec::new(),
        event,
        contributions: Vec::new(),
        count: 1.0,
        event_count: 1,
        window: None,
        matches: Vec::new(),
    }
}

struct Fixture {
    _dir: tempfile::TempDir,
    book: ExceptionBook,
    rules: Vec<Arc<RuleMeta>>,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let book = ExceptionBook::open_dir(dir.path(), Vec::new()).unwrap();
    Fixture { _dir: dir, book, rules: vec![rule("a", "web"), rule("b", "linux")] }
}

fn wish(condition: &str) -> Wish {
    Wish {
        condition: Some(condition.to_owned()),
        reason: "our scanner".to_owned(),
        owner: "ana".to_owned(),
        ..Wish::default()
    }
}

#[test]
fn conditions_see_what_alerts_show() {
    let Fixture { book, rules, .. } = fixture();
    let about = |rule: &str, wish: Wish| Wish { rule: Some(rule.to_owned()), ..wish };
    let of_pack = Wish { pack: Some("linux".to_owned()), ..wish("user.name: root") };
    let allow = |what: &str, value: &str| Wish {
        condition: None,
        allow: Some((what.to_owned(), value.to_owned())),
        ..wish("")
    };
    // Exception, and whether it hides: rule a of root from 192.0.2.1; rule b of it; rule a of
    // backup from 2001:db8::7.
    let table = [
        (wish("source.ip: 192.0.2.0/24"), [true, true, false]),
        (about("Rule a", wish("source.ip: 192.0.2.0/24")), [true, false, false]),
        (of_pack, [false, true, false]),
        (wish("refused and gateway"), [true, true, true]),
        (wish("event.severity >= 70 and not user.name: root"), [false, false, true]),
        (wish("rule.name: \"Rule b\""), [false, true, false]),
        (allow("address", "192.0.2.1"), [true, true, false]),
        (allow("network", "2001:db8::/32"), [false, false, true]),
        (allow("user", "backup"), [false, false, true]),
        (allow("host", "web-1"), [false, false, false]),
    ];
    for (wish, expected) in table {
        let wanted = book.read(&wish, &rules).unwrap();
        let saved = book.add(&wanted, true, "ana").unwrap();
        let findings = [
            finding(&rules[0], "192.0.2.1", "root", 1),
            finding(&rules[1], "192.0.2.1", "root", 2),
            finding(&rules[0], "2001:db8::7", "backup", 3),
        ];
        let hidden = findings.each_ref().map(|finding| book.current().hides(finding).is_some());
        assert_eq!(hidden, expected, "{wanted:?}");
        assert_eq!(book.current().hides(&findings[0]).unwrap_or(saved.id), saved.id);
        book.remove(saved.id, "ana").unwrap().unwrap();
        assert!(findings.iter().all(|finding| book.current().hides(finding).is_none()));
    }
}

#[test]
fn what_was_received_before_or_after_its_time_is_not_hidden() {
    let Fixture { book, rules, .. } = fixture();
    let wanted = book.read(&Wish { expires: Some("2h".to_owned()), ..wish("*") }, &rules).unwrap();
    book.add(&wanted, true, "ana").unwrap();
    let mut finding = finding(&rules[0], "192.0.2.1", "root", 1);
    assert!(book.current().hides(&finding).is_some());
    finding.event.received = now().minus(Duration::from_secs(60));
    assert!(book.current().hides(&finding).is_none());
    finding.event.received = now().plus(Duration::from_secs(3 * 3600));
    assert!(book.current().hides(&finding).is_none());
}

#[test]
fn a_dry_run_counts_and_one_that_hides_too_much_is_to_be_confirmed() {
    let Fixture { book, rules, .. } = fixture();
    let mut alerts = tocsin_alert::Alerts::new(tocsin_alert::AlertConfig::default()).unwrap();
    for host in 0..20 {
        let rule = &rules[usize::from(host >= 12)];
        alerts.add(&finding(rule, &format!("192.0.2.{host}"), "root", host), false);
    }
    let stored = book.catalog.save(&alerts.take_changed(), &[]).unwrap();
    let closed =
        AlertChange { disposition: Some(Disposition::TruePositive), ..AlertChange::default() };
    let is_first = |alert: &&Alert| alert.field_text("source.ip").unwrap() == "192.0.2.0";
    let first = stored.iter().find(is_first).unwrap();
    book.catalog.change_alert(&first.id, &closed, "ana", None).unwrap();

    let some = book.read(&wish("source.ip: 192.0.2.0/29"), &rules).unwrap();
    let preview = book.preview(&some).unwrap();
    assert_eq!((preview.alerts, preview.hidden, preview.true_positives), (20, 8, 1));
    assert_eq!((preview.needs_confirmation, preview.samples.len()), (false, SAMPLES_MAX));
    let by_rule: Vec<_> = preview.rules.iter().map(|rule| (rule.alerts, rule.hidden)).collect();
    assert_eq!(by_rule, [(12, 8), (8, 0)]);
    book.add(&some, false, "ana").unwrap();

    let much = book.read(&wish("source.ip: 192.0.2.0/28"), &rules).unwrap();
    let Err(ExceptionError::Confirm(preview)) = book.add(&much, false, "ana") else {
        panic!("not asked")
    };
    let because = preview.because.unwrap();
    assert!(because.contains("12 of 12 alerts of \"Rule a\""), "{because}");
    assert!(because.contains("1 of them true positives"), "{because}");
    // All is always too much, also where nothing has been seen yet.
    let every = Wish { rule: Some("b".to_owned()), ..wish("*") };
    let every = book.read(&every, &rules).unwrap();
    assert!(book.preview(&every).unwrap().needs_confirmation);
    assert_eq!(book.list(false).unwrap().len(), 1);
    book.add(&much, true, "ana").unwrap();
    assert_eq!(book.list(false).unwrap().len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let Fixture { book, rules, .. } = fixture();
    let table = [
        (wish("source.ip: (1.2.3.4"), "condition: "),
        (wish("source.ip: 10.0.0.0/99"), "condition"),
        (wish("soruce.ip: 10.0.0.1"), "source.ip"),
        (wish("  "), "condition is missing"),
        (Wish { condition: None, ..wish("") }, "give condition or allow"),
        (Wish { rule: Some("Rule z".to_owned()), ..wish("*") }, "no rule in force"),
        (Wish { pack: Some("webb".to_owned()), ..wish("*") }, "pack \"webb\""),
        (Wish { expires: Some("yesterday".to_owned()), ..wish("*") }, "write 30d"),
        (Wish { expires: Some("2020-01-01T00:00:00Z".to_owned()), ..wish("*") }, "no time to come"),
    ];
    for (wish, part) in table {
        let error = book.read(&wish, &rules).unwrap_err().to_string();
        assert!(error.contains(part), "{wish:?}: {error}");
    }
    for (what, value) in [("address", "10.0.0.0/99"), ("user", " "), ("domain", "x")] {
        let allow = Some((what.to_owned(), value.to_owned()));
        let error = book.read(&Wish { condition: None, allow, ..wish("") }, &rules).unwrap_err();
        assert!(error.to_string().starts_with("allow: "), "{error}");
    }
    for (wish, part) in [
        (Wish { reason: " ".to_owned(), ..wish("user.name: x") }, "reason is missing"),
        (Wish { owner: String::new(), ..wish("user.name: x") }, "owner is missing"),
        (Wish { owner: "a,b".to_owned(), ..wish("user.name: x") }, "without commas"),
    ] {
        let wanted = book.read(&wish, &rules).unwrap();
        let error = book.add(&wanted, false, "ana").unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
