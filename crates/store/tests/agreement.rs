//! The index and the matcher give the same answer to any filter over any events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use support::Archiving;
use tocsin_model::{Event, EventId, FieldId, Timestamp, Value, field};
use tocsin_store::{
    ANY_TEXT, Bound, Embedded, EventStore, Filter, Matcher, Options, SearchRequest, WordsMode,
};

const EVENTS: usize = 400;
const FILTERS: u32 = 3000;

fn names() -> Vec<&'static str> {
    vec![
        "user.name",
        "url.original",
        "source.ip",
        "source.port",
        "event.start",
        "message",
        "error.message",
        "event.category",
        "labels",
        "acme.x",
        "acme.x.y",
        "acme",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("root".to_owned()),
        Just("Root".to_owned()),
        Just("failed password for root".to_owned()),
        Just("a*b?c\\".to_owned()),
        Just("192.0.2.1".to_owned()),
        Just("::ffff:192.0.2.1".to_owned()),
        Just("2001:db8::1".to_owned()),
        Just("10.0.0.0/8".to_owned()),
        Just("22".to_owned()),
        Just("-3".to_owned()),
        Just("22.0".to_owned()),
        Just("1.5".to_owned()),
        Just("true".to_owned()),
        Just("2026-11-21T00:00:00Z".to_owned()),
        Just("2026-11-21T01:00:00+01:00".to_owned()),
        Just(String::new()),
        "[a-cA-C é.]{0,6}",
        "[ab \u{2}\u{3}]{0,4}",
        Just("Nov 21 00:00:00 root".to_owned()),
        Just("<14>1 2026-11-21T00:00:00.5Z root {\"a\":\"root\"}".to_owned()),
    ]
}

#[derive(Debug, Clone)]
enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
}

impl Scalar {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Int(*number),
            Self::UInt(number) => Value::UInt(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Text(text) => Value::Str(text),
        }
    }
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        1 => Just(Scalar::Null),
        1 => any::<bool>().prop_map(Scalar::Bool),
        2 => prop_oneof![Just(22), Just(-3), Just(i64::MAX), Just(i64::MIN), -5i64..30].prop_map(Scalar::Int),
        1 => Just(Scalar::UInt(u64::MAX)),
        2 => prop_oneof![
            Just(22.0), Just(1.5), Just(f64::NAN), Just(1e300), Just(-0.0), Just(1.844_674_407_370_955_2e19)
        ].prop_map(Scalar::Float),
        6 => text().prop_map(Scalar::Text),
    ]
}

#[derive(Debug, Clone)]
struct Plan {
    line: String,
    message_ends_line: bool,
    time: i64,
    fields: Vec<(usize, Vec<Scalar>)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let line =
        prop_oneof![Just(String::new()), text(), (text(), text()).prop_map(|(a, b)| a + " " + &b)];
    let head = prop_oneof![
        3 => Just(""),
        1 => Just("<14>1 2026-11-21T00:00:00.5Z "),
        1 => Just("Nov 21 00:00:00 "),
        1 => Just("Nov 21 00:00:00 {\"root\":1} "),
    ];
    let object = prop_oneof![
        3 => text().prop_map(|_| String::new()),
        1 => text().prop_map(|value| format!(" {{\"a\":\"{value}\",\"b\":[1,{{\"c\":\"x\"}}]}}")),
    ];
    let line =
        (head, line, object).prop_map(|(head, line, object)| format!("{head}{line}{object}"));
    let fields = proptest::collection::vec(
        (0..names().len(), proptest::collection::vec(scalar(), 1..3)),
        0..5,
    );
    (line, any::<bool>(), 0..5i64, fields).prop_map(|(line, message_ends_line, time, fields)| {
        Plan { line, message_ends_line, time, fields }
    })
}

fn event(number: usize, plan: &Plan) -> Event {
    let mut event = Event::default();
    event.set_original(&plan.line);
    event.id = EventId { stream: 1, offset: number as u64 };
    event.time = Timestamp(1_795_219_200_000_000_000 + plan.time * 1_000_000_001);
    event.received = Timestamp(1_795_219_300_000_000_000 + number as i64 * 777_777);
    if plan.message_ends_line {
        let start = plan.line.find(' ').map_or(0, |at| at + 1);
        event.push_part(field::MESSAGE, start..plan.line.len());
    }
    for (name, values) in &plan.fields {
        let id = FieldId::intern(names()[*name]).unwrap();
        if event.has(id) {
            continue;
        }
        match values.as_slice() {
            [one] => event.push(id, one.value()),
            many => event.push_list(id, many.iter().map(Scalar::value)),
        }
    }
    event
}

fn leaf() -> impl Strategy<Value = Filter> {
    let name = || {
        proptest::sample::select(
            names()
                .into_iter()
                .chain(["@timestamp", "event.ingested", "event.id", "event.original", ANY_TEXT])
                .collect::<Vec<_>>(),
        )
        .prop_map(str::to_owned)
    };
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            text().prop_map(Bound::Included),
            text().prop_map(Bound::Excluded),
        ]
    };
    let pattern = || prop_oneof!["[ab*?r.1oé:\\\\]{0,6}", text().prop_map(|t| format!("*{t}*"))];
    let mode = prop_oneof![Just(WordsMode::Any), Just(WordsMode::All), Just(WordsMode::Phrase)];
    prop_oneof![
        1 => Just(Filter::All),
        4 => (name(), text()).prop_map(|(field, value)| Filter::Term { field, value }),
        2 => (name(), proptest::collection::vec(text(), 0..4))
            .prop_map(|(field, values)| Filter::Terms { field, values }),
        3 => (name(), bound(), bound())
            .prop_map(|(field, lower, upper)| Filter::Range { field, lower, upper }),
        2 => name().prop_map(|field| Filter::Exists { field }),
        2 => (name(), text()).prop_map(|(field, value)| Filter::Prefix { field, value }),
        3 => (name(), pattern()).prop_map(|(field, pattern)| Filter::Wildcard { field, pattern }),
        2 => (name(), "(r?oo|[ab]+|.*|\\d{1,3}|[0-9.]+|é){1,2}")
            .prop_map(|(field, pattern)| Filter::Regex { field, pattern }),
        2 => (name(), proptest::sample::select(vec!["192.0.2.0/24", "::/0", "0.0.0.0/0", "2001:db8::1"]))
            .prop_map(|(field, network)| Filter::Cidr { field, network: network.to_owned() }),
        4 => (proptest::option::of(name()), text(), mode)
            .prop_map(|(field, text, mode)| Filter::Words { field, text, mode }),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn found(store: &Embedded, filter: &Filter) -> Option<BTreeSet<u64>> {
    let request = SearchRequest { filter: filter.clone(), limit: 10_000, ..Default::default() };
    let response = match store.search(&request) {
        Ok(response) => response,
        Err(tocsin_store::StoreError::BadRequest(_)) => return None,
        Err(error) => panic!("{error}"),
    };
    let ids = response
        .hits
        .iter()
        .map(|hit| EventId::parse(hit["event"]["id"].as_str().unwrap()).unwrap().offset);
    Some(ids.collect())
}

#[test]
fn any_filter_means_the_same_in_the_index_and_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), Options::default()).unwrap();
    agree(FILTERS, &store, &store);
}

#[test]
fn any_filter_means_the_same_in_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let store = Archiving::open(dir.path());
    agree(FILTERS / 20, &store, &store.0);
    assert!(store.stats().unwrap().archived_documents > 0);
}

fn agree(filters: u32, store: &dyn EventStore, asked: &Embedded) {
    let config = Config { cases: filters, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let plans =
        proptest::collection::vec(plan(), EVENTS..=EVENTS).new_tree(&mut runner).unwrap().current();
    let events: Vec<Event> =
        plans.iter().enumerate().map(|(number, plan)| event(number, plan)).collect();
    for part in events.chunks(EVENTS / 3) {
        store.append(part).unwrap();
        store.commit(&format!("{}", part[0].id)).unwrap();
    }
    for event in &events {
        assert_eq!(store.get(event.id).unwrap(), Some(event.to_json()));
    }
    let done = runner.run(&filter(), |filter| {
        let expected = Matcher::new(&filter).ok().map(|matcher| {
            let matching = events.iter().filter(|event| matcher.matches(event));
            matching.map(|event| event.id.offset).collect::<BTreeSet<u64>>()
        });
        let got = found(asked, &filter);
        if let (Some(expected), Some(got)) = (&expected, &got)
            && let Some(number) = expected.symmetric_difference(got).next()
        {
            let event = &events[*number as usize];
            let raw: Vec<_> = event.iter().collect();
            let who = if expected.contains(number) { "matcher" } else { "index" };
            return Err(TestCaseError::fail(format!(
                "only the {who}: {raw:?} {:?}",
                event.original()
            )));
        }
        prop_assert_eq!(got, expected);
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}
