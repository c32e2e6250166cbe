//! The events that the checks ask about.

use tocsin_model::{Event, EventId, FieldId, Timestamp, Value, field};

/// 2026-11-21T00:00:00Z.
const START: i64 = 1_795_219_200_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Makes the event of this number; its time is so many seconds after the start.
fn event(number: u64, seconds: i64, line: &str) -> Event {
    let mut event = Event::default();
    event.set_original(line);
    event.id = EventId { stream: 7, offset: number };
    event.time = Timestamp(START + seconds * SECOND);
    event.received = Timestamp(START + 100 * SECOND + number as i64 * 1_234_567);
    event
}

/// The events, numbered from 0 in `event.id`'s offset.
pub fn corpus() -> Vec<Event> {
    let mut all = logins();
    all.extend(web());
    all.extend(odd());
    all
}

fn logins() -> Vec<Event> {
    let mut all = Vec::new();
    for (user, address, port, outcome) in [
        ("root", "192.0.2.1", 22, "failure"),
        ("Root", "192.0.2.2", 2222, "failure"),
        ("alice", "2001:db8::1", 22, "success"),
        ("bob", "::ffff:198.51.100.7", 65535, "failure"),
        ("rooter", "10.1.2.3", 0, "unknown"),
    ] {
        let word = if outcome == "success" { "Accepted" } else { "Failed" };
        let message = format!("{word} password for {user} from {address} port {port} ssh2");
        let line = format!("Nov 21 00:00:01 vm sshd[42]: {message}");
        let number = all.len() as u64;
        let mut event = event(number, number as i64 * 10, &line);
        event.push_part(field::MESSAGE, line.len() - message.len()..line.len());
        event.push_str(field::USER_NAME, user);
        event.push_str(field::SOURCE_IP, address);
        event.push_str(field::SOURCE_ADDRESS, address);
        event.push_int(field::SOURCE_PORT, port);
        event.push_str(field::EVENT_OUTCOME, outcome);
        event.push_list(field::EVENT_CATEGORY, [Value::Str("authentication")]);
        event.push_list(field::EVENT_TYPE, [Value::Str("start"), Value::Str("info")]);
        event.push_str(field::PROCESS_NAME, "sshd");
        all.push(event);
    }
    all
}

fn web() -> Vec<Event> {
    let mut all = Vec::new();
    for (path, query, status, bytes) in [
        ("/index.html", "", 200, 512),
        ("/admin/login.php", "user=a*b", 401, 128),
        ("/search", "q=1' OR '1'='1", 500, 0),
        ("/Ünïcode/путь", "", 404, 99_999_999_999),
    ] {
        let number = 5 + all.len() as u64;
        let line = format!("192.0.2.9 - - \"GET {path}?{query} HTTP/1.1\" {status} {bytes}");
        // Two share a time.
        let mut event = event(number, 60 + (number as i64 / 2) * 10, &line);
        event.push_str(field::URL_PATH, path);
        if !query.is_empty() {
            event.push_str(field::URL_QUERY, query);
        }
        event.push_int(field::HTTP_RESPONSE_STATUS_CODE, status);
        event.push_int(field::HTTP_RESPONSE_BODY_BYTES, bytes);
        event.push_str(field::SOURCE_IP, "192.0.2.9");
        event.push_list(field::EVENT_CATEGORY, [Value::Str("web")]);
        all.push(event);
    }
    all
}

fn id(name: &str) -> FieldId {
    FieldId::intern(name).unwrap_or(field::LABELS)
}

/// Unknown fields, wrong kinds, nulls, lists, no raw line.
fn odd() -> Vec<Event> {
    let mut nine = event(9, 200, "");
    nine.push_str(field::MESSAGE, "no raw line, only a message");
    nine.push_str(id("acme.text"), "Blue");
    nine.push_int(id("acme.number"), 42);
    nine.push(id("acme.float"), Value::Float(1.5));
    nine.push(id("acme.flag"), Value::Bool(true));
    nine.push(id("acme.big"), Value::UInt(u64::MAX));
    nine.push(id("acme.nothing"), Value::Null);
    nine.push_list(id("acme.none"), []);

    let mut ten = event(10, 201, "{\"message\":\"in the middle\",\"n\":\"42\"}");
    ten.push_str(field::MESSAGE, "in the middle");
    ten.push_str(id("acme.number"), "42");
    ten.push_list(id("acme.text"), [Value::Str("red"), Value::Str("green")]);
    ten.push_int(id("acme.float"), -3);
    ten.push_str(id("acme.address"), "10.9.8.7");

    let mut eleven = event(11, 202, "values that do not fit their fields");
    eleven.push_str(field::SOURCE_PORT, "ssh");
    eleven.push_str(field::SOURCE_IP, "not-an-address");
    eleven.push(field::USER_NAME, Value::Int(1000));
    eleven.push(field::PROCESS_PID, Value::Float(17.0));
    eleven.push_str(field::DESTINATION_PORT, "443");
    eleven.push(field::PROCESS_TITLE, Value::Null);
    eleven.push_str(field::EVENT_START, "2026-11-21T00:00:00.5+01:00");

    let mut twelve = event(12, 203, "addresses in lists");
    twelve.push_list(field::RELATED_IP, [Value::Str("192.0.2.1"), Value::Str("fe80::1")]);
    twelve.push_list(field::TAGS, [Value::Null, Value::Str(""), Value::Str("x y")]);
    twelve.push_str(field::PROCESS_COMMAND_LINE, "powershell -enc QQBB\\path\\*");

    let mut thirteen = event(13, 203, "one\u{2} \u{3}two\u{3}");
    thirteen.push_str(field::MESSAGE, "\u{3}two\u{3}");
    thirteen.push_str(id("acme.name with space"), "v");
    thirteen.push_str(id("acme.back\\slash"), "w");
    thirteen.push_str(id(".dot."), "d");
    vec![nine, ten, eleven, twelve, thirteen]
}
