//! `tocsin.block`: what a rule says about blocking, and rules that would block everybody.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::time::Duration;

use common::file;
use tocsin_content::Level;
use tocsin_detect::{Options, Tables, load};
use tocsin_model::rule::Block;

/// The rule's word on blocking, and what was said about the file.
fn read(rest: &str) -> (Option<Block>, Vec<String>) {
    let text = format!("title: A rule\nid: r\nlevel: high\n{rest}");
    let (rules, said) = load(&[file("rule.yml", &text)], &Tables::default(), &Options::default());
    let errors = said.iter().filter(|one| one.level == Level::Error);
    let errors: Vec<String> = errors.map(|one| one.message.clone()).collect();
    (rules.get("r").and_then(|rule| rule.block.clone()), errors)
}

const NARROW: &str = "logsource: {}\ndetection: { s: { event.outcome: failure }, condition: s }\n";

#[test]
fn rules_say_whom_to_block() {
    let whom = |field: &str, lasts: Option<u64>| {
        Some(Block::Whom { field: field.into(), lasts: lasts.map(Duration::from_secs) })
    };
    let table = [
        ("", None),
        ("tocsin: { block: true }", whom("source.ip", None)),
        ("tocsin: { block: false }", Some(Block::Never)),
        ("tocsin: { block: { for: 2h } }", whom("source.ip", Some(7200))),
        ("tocsin: { block: { field: user.name, for: 1d } }", whom("user.name", Some(86_400))),
    ];
    for (own, expected) in table {
        assert_eq!(read(&format!("{NARROW}{own}\n")), (expected, vec![]), "{own}");
    }
    for (own, expected) in [
        ("tocsin: { block: { field: url.path } }", "nobody can be blocked by url.path"),
        ("tocsin: { block: { felt: source.ip } }", "unknown key \"felt\""),
        ("tocsin: { block: { for: long } }", "long"),
    ] {
        let (block, errors) = read(&format!("{NARROW}{own}\n"));
        assert_eq!(block, None, "{own}");
        assert!(errors.len() == 1 && errors[0].contains(expected), "{own}: {errors:?}");
    }
}

#[test]
fn a_rule_that_would_block_everybody_alerts_and_blocks_nobody() {
    let table = [
        ("{ s: { source.ip: '*' }, condition: s }", Some("an ordinary request for a page")),
        ("{ s: { http.request.method: GET }, condition: s }", Some("an ordinary request")),
        (
            "{ s: { event.outcome: success, user.name|exists: true }, condition: s }",
            Some("a login that worked"),
        ),
        ("{ s: { event.type: allowed }, condition: s }", Some("let through")),
        ("{ keywords: ['GET '], condition: keywords }", Some("an ordinary request")),
        ("{ s: { event.outcome: failure }, condition: s }", None),
        ("{ s: { url.path|contains: '/../' }, condition: s }", None),
    ];
    for (detection, expected) in table {
        let rule = format!("logsource: {{}}\ndetection: {detection}\ntocsin: {{ block: true }}\n");
        let (block, errors) = read(&rule);
        match expected {
            None => assert!(
                matches!(block, Some(Block::Whom { .. })) && errors.is_empty(),
                "{detection} {errors:?}"
            ),
            Some(what) => {
                assert_eq!(block, Some(Block::Never), "{detection}");
                assert!(
                    errors.iter().any(
                        |error| error.contains("would block everybody") && error.contains(what)
                    ),
                    "{detection}: {errors:?}"
                );
            }
        }
    }
    // Counted, it is another thing.
    let text = "title: A rule\nid: r\nlevel: high\ntocsin: { block: true }\n\
                correlation: { type: event_count, rules: [any], group-by: [source.ip], \
                timespan: 10s, condition: { gte: 300 } }\n---\ntitle: Any\nname: any\n\
                logsource: {}\ndetection: { s: { http.request.method: GET }, condition: s }\n";
    let (rules, _) = load(&[file("rule.yml", text)], &Tables::default(), &Options::default());
    assert!(matches!(rules.get("r").unwrap().block, Some(Block::Whom { .. })));
}
