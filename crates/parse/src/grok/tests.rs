//! Tables for grok.

use super::*;

fn check(pattern: &str, text: &str, expected: Option<&[(&str, &str)]>) {
    let compiled = Pattern::compile(pattern).unwrap();
    let mut slots = Slots::default();
    let outcome = compiled.matches(text, &mut slots);
    let got: Option<Vec<(&str, &str)>> = (outcome == Outcome::Fits).then(|| {
        let texts = compiled.captures.iter().enumerate();
        texts
            .filter_map(|(at, capture)| Some((capture.field.as_str(), slots.text(at, text)?)))
            .collect()
    });
    assert_eq!(got.as_deref(), expected, "{pattern} on {text}");
}

#[test]
fn captures() {
    let failed =
        r"Failed %{WORD:m} for (?:invalid user )?%{USER:u} from %{ADDR:a} port %{INT:p}(?: ssh2)?";
    check(
        failed,
        "Failed password for root from ::1 port 22 ssh2",
        Some(&[("m", "password"), ("u", "root"), ("a", "::1"), ("p", "22")]),
    );
    check(
        failed,
        "Failed none for invalid user  from 192.0.2.1 port 22",
        Some(&[("m", "none"), ("u", ""), ("a", "192.0.2.1"), ("p", "22")]),
    );
    check(
        failed,
        "Failed password for invalid user x from 9.9.9.9 port 1 ssh2 from 192.0.2.1 port 22 ssh2",
        Some(&[
            ("m", "password"),
            ("u", "x from 9.9.9.9 port 1 ssh2"),
            ("a", "192.0.2.1"),
            ("p", "22"),
        ]),
    );
    check(failed, "Failed password for root from ::1 port 22 ssh2 ", None);
    check(r"%{DATA:a}: %{GREEDYDATA:b}", "x: y: z", Some(&[("a", "x"), ("b", "y: z")]));
    check(r"%{GREEDYDATA:a}: %{DATA:b}", "x: y: z", Some(&[("a", "x: y"), ("b", "z")]));
    check(r#""%{INQUOTES:q}" %{INT:n}"#, r#""a \" b" 5"#, Some(&[("q", r#"a \" b"#), ("n", "5")]));
    check(r"(?:a|ab)%{WORD:w}?c", "abc", Some(&[("w", "b")]));
    check(r"(?:%{INT:n}|%{WORD:w}) x", "ab x", Some(&[("w", "ab")]));
    check(r"%{NOTSPACE:a}:%{INT:p}", "2001:db8::1:22", Some(&[("a", "2001:db8::1"), ("p", "22")]));
    check(
        r"%{MAC:m} %{UUID:u}",
        "00:11:22:aa:bb:cc 01234567-89ab-cdef-0123-456789abcdef",
        Some(&[("m", "00:11:22:aa:bb:cc"), ("u", "01234567-89ab-cdef-0123-456789abcdef")]),
    );
    check(r"[^]]*\]%{GREEDYDATA:r}", "a]b]c", Some(&[("r", "b]c")]));
    check(r"%{GREEDYDATA:r}", "é", Some(&[("r", "é")]));
    check(r"", "", Some(&[]));
    check(r"a{2,3}b", "aab", Some(&[]));
    check(r"a{2,3}b", "ab", None);
    check(r"(?:ab){2}", "abab", Some(&[]));
}

#[test]
fn mistakes_are_told() {
    let table = [
        ("%{WORDS:x}", "no pattern \"WORDS\", did you mean \"WORD\"?"),
        ("(a", "a \"(\" without \")\", write \\( for the character"),
        ("a)", "a \")\" too many at byte 1, write \\) for the character"),
        ("[a", "a \"[\" without \"]\", write \\[ for the character"),
        ("^a", "patterns match the whole text: leave ^ and $ out"),
        ("(?:a*)*", "a repeated group that may be empty"),
        ("*a", "nothing to repeat at byte 0"),
        ("a{x}", "{x} is no repetition, write \\{ for the character"),
        ("(?<n>a)", "only (?:…) and (…) groups are known"),
        (r"\q", "\\q is not known"),
    ];
    for (pattern, message) in table {
        assert_eq!(Pattern::compile(pattern).unwrap_err(), message, "{pattern}");
    }
}

#[test]
fn hard_texts_take_linear_time() {
    let table = [
        (r"(?:a|aa)+b", "a".repeat(100_000)),
        (r"%{DATA:a} %{DATA:b} %{DATA:c} %{DATA:d} x", " ".repeat(100_000)),
        (r"%{GREEDYDATA:a}from %{GREEDYDATA:b}from %{WORD:c}", "from ".repeat(50_000)),
        (r#""%{INQUOTES:q}""#, format!("\"{}", "\\x".repeat(100_000))),
    ];
    for (pattern, text) in table {
        let compiled = Pattern::compile(pattern).unwrap();
        let outcome = compiled.matches(&text, &mut Slots::default());
        assert_ne!(outcome, Outcome::Fits, "{pattern}");
    }
}
