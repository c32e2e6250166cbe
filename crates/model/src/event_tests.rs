//! Events are made, changed and shown.

use super::*;

#[test]
fn parts_of_the_line_and_copies_read_back() {
    let mut event = Event::default();
    event.set_original("Failed password for root");
    event.push_part(field::USER_NAME, 20..24);
    event.push_str(field::SOURCE_IP, "192.0.2.1");
    event.push_int(field::SOURCE_PORT, 22);
    event.push_list(field::RELATED_IP, [Value::Str("a"), Value::Int(2)]);
    assert_eq!(event.get_str(field::USER_NAME), Some("root"));
    assert_eq!(event.get_str(field::SOURCE_IP), Some("192.0.2.1"));
    event.set_str(field::SOURCE_IP, "::1");
    assert_eq!(event.get_str(field::SOURCE_IP), Some("::1"));
    assert_eq!(event.len(), 4);
    let json = event.to_json();
    assert_eq!(json["user"]["name"], "root");
    assert_eq!(json["related"]["ip"], serde_json::json!(["a", 2]));
    assert_eq!(json["event"]["original"], "Failed password for root");
    let copy = event.clone();
    event.clear();
    assert!(event.is_empty());
    assert_eq!(copy.get_str(field::USER_NAME), Some("root"));
}

#[test]
fn a_value_that_is_also_a_parent_moves_aside() {
    let mut event = Event::default();
    event.push_str(FieldId::intern("user").unwrap(), "root");
    event.push_str(field::USER_NAME, "root");
    event.push_str(field::SOURCE_IP, "192.0.2.1");
    event.push_str(FieldId::intern("source").unwrap(), "app");
    let json = event.to_json();
    assert_eq!(json["user"], serde_json::json!({"value": "root", "name": "root"}));
    assert_eq!(json["source"], serde_json::json!({"ip": "192.0.2.1", "value": "app"}));
}

#[test]
fn lists_of_other_fields_hold_each_text_once() {
    let mut event = Event::default();
    event.push_str(field::SOURCE_IP, "192.0.2.1");
    event.push_str(field::DESTINATION_IP, "192.0.2.1");
    event.push_list(field::HOST_IP, [Value::Str("::1"), Value::Str("192.0.2.1")]);
    let all = [field::SOURCE_IP, field::DESTINATION_IP, field::HOST_IP];
    event.push_list_of(field::RELATED_IP, &all);
    event.push_list_of(field::RELATED_USER, &[field::USER_NAME]);
    assert!(event.push_copy(field::SOURCE_IP, field::CLIENT_IP));
    assert_eq!(event.to_json()["related"], serde_json::json!({"ip": ["192.0.2.1", "::1"]}));
    event.remove_range(0..3);
    assert_eq!(event.get_str(field::CLIENT_IP), Some("192.0.2.1"));
    assert_eq!(event.len(), 2);
}

#[test]
fn a_part_that_cuts_a_character_is_refused() {
    let mut event = Event::default();
    event.set_original("é");
    event.push_part(field::USER_NAME, 0..1);
    event.push_part(field::USER_NAME, 0..9);
    assert!(event.is_empty());
}

#[test]
fn ids_read_back() {
    let id = EventId { stream: 7, offset: u64::MAX };
    assert_eq!(EventId::parse(&id.to_string()), Some(id));
    assert_eq!(EventId::parse("x"), None);
}
