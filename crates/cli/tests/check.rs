//! `tocsin check` on rules that load but are likely not what was meant: it names each, with file
//! and line, and does not fail; it fails when a rule's own test does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use support::{output, tocsin};

const RULES: &str = "title: tested
name: tested
logsource: { category: authentication }
detection: { s: { user.nmae: anna }, condition: s }
tests:
  - { name: fires, fires: true, events: [{ event.category: authentication, user.nmae: anna }] }
  - { name: silent, fires: false, events: [{ event.category: authentication, user.nmae: bob }] }
---
title: untested
logsource: { category: authentication }
detection: { s: { user.name: anna }, condition: s }
---
title: keywords everywhere
detection: { k: [evil], condition: k }
logsource: {}
tests:
  - { name: fires, fires: true, events: [{ message: evil }] }
  - { name: silent, fires: false, events: [{ message: good }] }
---
title: keeps only
logsource: { category: authentication }
filter: { rules: [tested], s: { user.nmae: anna }, condition: s }
";

#[test]
fn doubts_are_named_and_do_not_fail() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, RULES).unwrap();
    let (code, out, said) = output(tocsin().arg("check").arg(&path), b"");
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("3 rules") && out.contains("4 rule tests passed, 0 failed"), "{out}");
    let wanted = [
        ":4:19: warning: no source fills the field \"user.nmae\", did you mean \"user.name\"?",
        ":9:1: warning: \"untested\" has no tests",
        ":14:14: warning: \"k\" has keywords and the rule no log source",
        ":22:63: warning: this filter keeps only what its condition selects",
    ];
    for wanted in wanted {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
}

#[test]
fn a_test_that_fails_fails_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, RULES.replace("message: good", "message: evil too")).unwrap();
    let (code, out, said) = output(tocsin().arg("check").arg(&path), b"");
    assert_eq!(code, 2, "{said}");
    assert!(out.contains("1 failed"), "{out}");
    assert!(said.contains(":18: error: test \"silent\" of \"keywords everywhere\""), "{said}");
}
