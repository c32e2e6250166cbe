//! Words that must not be in the project's files. The words are put together here from parts, so
//! that this file passes its own check.

use std::path::Path;

use super::Finding;

/// Where the packages of lock files must come from.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

/// Looks for them in one file.
pub fn check(path: &Path, text: &str, findings: &mut Vec<Finding>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    match name {
        "Cargo.lock" => return check_sources(path, text, "source = \"", CRATES, findings),
        "package-lock.json" => {
            return check_sources(path, text, "\"resolved\": \"", NPM, findings);
        }
        _ => {}
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let code = matches!(extension, "rs" | "ts" | "tsx" | "mjs" | "js" | "css" | "sh");
    for (index, line) in text.lines().enumerate() {
        for (word, why) in banned_everywhere() {
            if line.contains(&word) {
                findings.push(Finding::new(path, index + 1, format!("{word:?}: {why}")));
            }
        }
        if code {
            for (word, why) in banned_in_code() {
                if has_word(line, &word) {
                    findings.push(Finding::new(path, index + 1, format!("{word:?}: {why}")));
                }
            }
        }
    }
}

fn banned_everywhere() -> Vec<(String, &'static str)> {
    let machine = "the path of one machine; use one relative to the checkout";
    let mirror = "a mirror of a registry; use the registry itself";
    let mut words: Vec<(String, &str)> =
        ["work", "root", "farm"].iter().map(|dir| (format!("/{dir}/"), machine)).collect();
    for (head, tail) in [
        ("artif", "actory"),
        ("nexus/repo", "sitory"),
        ("verd", "accio"),
        ("pypi-", "mirror"),
        ("npm", "mirror"),
        ("replace-", "with ="),
    ] {
        words.push((format!("{head}{tail}"), mirror));
    }
    words
}

fn banned_in_code() -> Vec<(String, &'static str)> {
    let later = "finish it, or open an issue and leave it out";
    let off = "a test that is switched off tests nothing; mend it or delete it";
    let mut words = Vec::new();
    for (head, tail) in
        [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("to", "do!("), ("unimpl", "emented!(")]
    {
        words.push((format!("{head}{tail}"), later));
    }
    for (head, tail) in [
        ("#[ig", "nore"),
        ("it.sk", "ip("),
        ("it.on", "ly("),
        ("test.sk", "ip("),
        ("test.on", "ly("),
        ("describe.sk", "ip("),
        ("describe.on", "ly("),
    ] {
        words.push((format!("{head}{tail}"), off));
    }
    words
}

/// Whether the word stands there and is not part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        let open = word.ends_with('(') || word.starts_with('#');
        !before && (open || !after)
    })
}

fn check_sources(path: &Path, text: &str, key: &str, wanted: &str, findings: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        let Some((_, value)) = line.split_once(key) else { continue };
        if !value.starts_with(wanted) {
            let message = format!("a package that is not from {wanted}");
            findings.push(Finding::new(path, index + 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_stand_alone() {
        let later = ["TO", "DO"].concat();
        let off = ["#[ig", "nore]"].concat();
        let machine = ["home is /ro", "ot/x"].concat();
        let table = [
            ("a.rs", format!("// {later}: x"), 1),
            ("a.rs", format!("let {later}S = 1;"), 0),
            ("a.rs", off, 1),
            ("a.md", format!("{later} lists are fine in prose"), 0),
            ("a.md", machine, 1),
            ("Cargo.lock", "source = \"git+https://example.org\"".to_owned(), 1),
            ("Cargo.lock", format!("source = \"{CRATES}\""), 0),
        ];
        for (name, text, expected) in table {
            let mut findings = Vec::new();
            check(Path::new(name), &text, &mut findings);
            assert_eq!(findings.len(), expected, "{text}");
        }
    }
}
