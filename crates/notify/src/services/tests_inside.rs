//! Tests inside services' files: a message of ours, settings, and the request that has to come out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tocsin_content::{FileKind, Pack};
use tocsin_model::{Alert, Contribution, EventId, Notice, NoticeKind, Severity, Timestamp};

use super::{Definition, read};
use crate::channel::prepare;
use crate::notifier::test_alert;
use crate::secret::Secret;
use crate::view::{AlertView, Message, SummaryView};

/// A test as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTest {
    /// For people.
    name: String,
    /// What is told.
    #[serde(default)]
    message: Told,
    /// What the channel gives.
    #[serde(default)]
    given: BTreeMap<String, String>,
    /// What has to come out.
    request: Expected,
}

/// The messages that tests can send.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    /// Five failed logins from 192.0.2.1 on web-1, severity high.
    #[default]
    Alert,
    /// The same, got worse.
    Escalated,
    /// Two more alerts, held back by the rate limit.
    Summary,
}

/// A request, as far as a test says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    /// The whole address.
    url: Option<String>,
    /// Headers, each with its value.
    headers: BTreeMap<String, String>,
    /// The body: keys that are not said may hold anything.
    body: Json,
}

/// How a test went.
#[derive(Debug, Clone)]
pub struct TestResult {
    /// The file.
    pub path: String,
    /// The service.
    pub service: String,
    /// The test.
    pub name: String,
    /// What went wrong, if anything.
    pub failure: Option<String>,
}

/// Runs the tests of every service of these packs. What cannot be read has been told by
/// [`super::Services::load`].
pub fn run_tests(packs: &[Pack]) -> Vec<TestResult> {
    let mut results = Vec::new();
    for file in packs.iter().flat_map(|pack| pack.of_kind(FileKind::Channel)) {
        let Ok((service, definition)) = read(file) else { continue };
        for test in &definition.tests {
            results.push(TestResult {
                path: file.path.clone(),
                service: service.clone(),
                name: test.name.clone(),
                failure: run(&service, &definition, test).err(),
            });
        }
    }
    results
}

fn run(service: &str, definition: &Definition, test: &ServiceTest) -> Result<(), String> {
    let given = |key: &str| test.given.get(key).map(Secret::new);
    if let Some(odd) = test.given.keys().find(|key| !super::GIVEN.contains(&key.as_str())) {
        return Err(format!("given: {odd:?} is nothing that a channel gives"));
    }
    let target = test.given.get("target").cloned();
    let request = prepare("ops", service, definition, given("url"), given("token"), target)
        .map_err(|error| error.to_string())?;
    if let Some(wanted) = &test.request.url
        && request.url.as_str() != wanted
    {
        return Err(format!("the address is {}, not {wanted}", request.url));
    }
    for (name, wanted) in &test.request.headers {
        let is = request.headers.get(name.as_str()).and_then(|value| value.to_str().ok());
        if is != Some(wanted.as_str()) {
            return Err(format!("header {name} is {is:?}, not {wanted:?}"));
        }
    }
    let body = request.template.render(&message(test.message))?;
    definition.write(&body)?;
    match differs(&test.request.body, &body, "body") {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}

/// Where a value is not as expected. Of objects only the keys that are expected count.
fn differs(wanted: &Json, is: &Json, at: &str) -> Option<String> {
    match (wanted, is) {
        (Json::Null, _) => None,
        (Json::Object(wanted), Json::Object(is)) => wanted.iter().find_map(|(key, wanted)| {
            let at = format!("{at}.{key}");
            match is.get(key) {
                Some(is) => differs(wanted, is, &at),
                None => Some(format!("{at} is missing")),
            }
        }),
        (Json::Array(wanted), Json::Array(is)) if wanted.len() == is.len() => {
            let mut pairs = wanted.iter().zip(is).enumerate();
            pairs.find_map(|(place, (wanted, is))| differs(wanted, is, &format!("{at}[{place}]")))
        }
        (wanted, is) if wanted == is => None,
        (wanted, is) => Some(format!("{at} is {is}, not {wanted}")),
    }
}

/// What is told; nothing of it ever changes.
fn message(told: Told) -> Message {
    let kind = match told {
        Told::Alert => NoticeKind::Raised,
        Told::Escalated => NoticeKind::Escalated,
        Told::Summary => return Message::Summary(summary()),
    };
    let notice = Notice { channel: "ops".to_owned(), kind, alert: alert() };
    Message::Alert(Box::new(AlertView::new(&notice, Some("https://tocsin.example"))))
}

fn summary() -> SummaryView {
    SummaryView {
        key: "summary".to_owned(),
        title: "2 more alerts".to_owned(),
        count: 2,
        severity: Severity::High,
        rules: vec![("Port scan".to_owned(), Severity::High, 2)],
        titles: vec!["[high] Port scan from 192.0.2.1".to_owned()],
        alerts: vec!["0".repeat(32)],
        link: None,
    }
}

fn alert() -> Alert {
    let at = |second: i64| Timestamp::from_millis(1_795_000_000_000 + second * 1000);
    let mut alert = test_alert();
    alert.id = tocsin_model::AlertId("0123456789abcdef0123456789abcdef".to_owned());
    alert.rule.id = "ssh_brute_force".to_owned();
    alert.rule.title = "SSH brute force".to_owned();
    alert.rule.severity = Severity::High;
    alert.severity = Severity::High;
    alert.group = vec![("source.ip".to_owned(), "192.0.2.1".to_owned())];
    alert.fields = [("source.ip", "192.0.2.1"), ("host.name", "web-1")]
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .to_vec();
    (alert.first_seen, alert.last_seen, alert.raised) = (at(0), at(9), at(9));
    alert.count = 5;
    alert.reason = "5 failed logins from 192.0.2.1 within 60 s".to_owned();
    let line = "Failed password for root from 192.0.2.1 port 22 ssh2";
    alert.events = EventId::parse(&"0".repeat(32))
        .map(|event_id| Contribution {
            event_id,
            time: at(9),
            rule_id: "ssh_brute_force".into(),
            line: line.into(),
        })
        .into_iter()
        .collect();
    alert
}

#[cfg(test)]
mod tests {
    use tocsin_content::PackFile;

    use super::*;
    use crate::services::Services;

    fn pack(name: &str, text: &str) -> Pack {
        let file = PackFile {
            kind: FileKind::Channel,
            path: format!("own/x/channels/{name}.yml"),
            inner: format!("channels/{name}.yml"),
            bytes: text.as_bytes().to_vec(),
            built_in: false,
        };
        Pack { name: "x".to_owned(), files: vec![file] }
    }

    #[test]
    fn every_shipped_service_says_what_it_is_for_and_passes_its_tests() {
        let packs = tocsin_content::builtin_packs();
        let services = Services::shipped();
        let results = run_tests(&packs);
        for (name, about) in services.list() {
            assert!(!about.is_empty(), "{name}");
            assert!(results.iter().any(|result| result.service == name), "{name} has no test");
        }
        for result in results {
            assert!(result.failure.is_none(), "{result:?}");
        }
        assert!(services.list().count() >= 8);
    }

    #[test]
    fn what_is_wrong_with_a_service_is_named_with_its_line() {
        let table = [
            ("a", "about: x\nneeds: [url]\nbody: '{{ titel }}'\n", ":3: error", "undefined value"),
            ("a", "needs: [url]\nbody: '{\"a\": 1'\n", ":2: error", "not JSON"),
            ("a", "about: x\nneeds: [urls]\nbody: '{}'\n", ":2: error", "\"urls\" is nothing"),
            ("a", "about: x\nbody: '{}'\n", "a.yml: error", "url is missing"),
            (
                "a",
                "needs: [url]\nheaders: { a: '{{ x }}' }\nbody: '{}'\n",
                ":2: error",
                "headers: ",
            ),
            ("a", "needs: [url]\nbodi: '{}'\n", ":2:1: error", "unknown key \"bodi\""),
            ("A b", "needs: [url]\nbody: '{}'\n", "A b.yml: error", "is no name"),
            ("a", "[", "a.yml:", "error"),
        ];
        for (name, text, place, what) in table {
            let (services, wrong) = Services::load(&[pack(name, text)]);
            assert!(services.get(name).is_err(), "{text}");
            let wrong = wrong[0].to_string();
            assert!(wrong.contains(place) && wrong.contains(what), "{text}: {wrong}");
        }
    }

    #[test]
    fn a_service_of_ones_own_comes_before_the_shipped_one_and_its_tests_can_fail() {
        let text = "about: mine\nneeds: [url, token]\nsend: form\npath: /x/{{ token }}\n\
            headers: { x-to: '{{ channel }}' }\nsuccess: [201]\n\
            body: '{\"t\": {{ title }}, \"n\": {{ count }}}'\ntests:\n\
            - name: good\n  given: { url: 'https://a.example', token: b }\n  request:\n    \
            url: https://a.example/x/b\n    headers: { x-to: ops }\n    \
            body: { t: '[high] SSH brute force from 192.0.2.1 on web-1' }\n\
            - name: other address\n  given: { url: 'https://a.example', token: b }\n  \
            request: { url: 'https://a.example/' }\n\
            - name: other body\n  message: summary\n  given: { url: 'https://a.example', token: b }\n  \
            request: { body: { n: 3 } }\n\
            - name: no token\n  given: { url: 'https://a.example' }\n  request: {}\n";
        let packs = [pack("slack", text)];
        let (services, wrong) = Services::load(&packs);
        assert!(wrong.is_empty(), "{wrong:?}");
        let mine = services.get("slack").unwrap();
        assert_eq!(mine.about, "mine");
        assert_eq!((mine.answers().success, mine.answers().wait), (vec![201], vec![429, 503]));
        let body = mine.write(&json!({"a b": "1&2", "n": 3, "x": null})).unwrap();
        assert_eq!(body, b"a+b=1%262&n=3");
        let failures: Vec<_> = run_tests(&packs).into_iter().map(|result| result.failure).collect();
        assert_eq!(failures[0], None);
        let failed = |at: usize, what: &str| {
            let failure = failures[at].as_deref().unwrap();
            assert!(failure.contains(what), "{failure}");
        };
        failed(1, "the address is https://a.example/x/b");
        failed(2, "body.n is 2, not 3");
        failed(3, "token is missing");
    }
}
