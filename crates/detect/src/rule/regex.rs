//! Regular expressions of rules: Sigma's subset of PCRE in, the linear-time engine's syntax out,
//! and the plain texts that any match must have in it.

use regex_automata::meta::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::fold::fold_char;

/// A regular expression with its flags.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    /// As the rule writes it.
    pub(crate) pattern: Box<str>,
    /// `i`: without regard to case.
    pub(crate) ignore_case: bool,
    /// `m`: `^` and `$` also at line ends.
    pub(crate) multi_line: bool,
    /// `s`: `.` also matches the line end.
    pub(crate) dot_all: bool,
}

/// The most memory one compiled expression may take, in bytes.
const COMPILED_BYTES_MAX: usize = 10 << 20;
/// The deepest nesting of groups.
const NEST_MAX: u32 = 100;
/// The most texts of which one is required.
const REQUIRED_MAX: usize = 64;

impl Source {
    /// Parses it; the error says what is not supported.
    pub(crate) fn parse(&self) -> Result<Hir, String> {
        let translated = translate(&self.pattern);
        regex_syntax::ParserBuilder::new()
            .case_insensitive(self.ignore_case)
            .multi_line(self.multi_line)
            .dot_matches_new_line(self.dot_all)
            .nest_limit(NEST_MAX)
            .build()
            .parse(&translated)
            .map_err(|error| describe(&error))
    }

    /// Makes it ready to search.
    pub(crate) fn compile(&self) -> Result<Regex, String> {
        let hir = self.parse()?;
        let config = Regex::config()
            .nfa_size_limit(Some(COMPILED_BYTES_MAX))
            .onepass_size_limit(Some(1 << 20))
            .hybrid_cache_capacity(1 << 20);
        Regex::builder().configure(config).build_from_hir(&hir).map_err(|error| {
            match error.size_limit() {
                Some(_) => format!("regular expression needs more than {COMPILED_BYTES_MAX} bytes"),
                None => format!("regular expression cannot be compiled: {error}"),
            }
        })
    }

    /// Folded texts of which any match has at least one in it; empty when there are none to
    /// name.
    pub(crate) fn required(&self) -> Vec<String> {
        self.parse().map_or_else(|_| Vec::new(), |hir| Required::of(&hir).best())
    }
}

/// As the rule would write it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}/", self.pattern)?;
        for (on, letter) in [(self.ignore_case, 'i'), (self.multi_line, 'm'), (self.dot_all, 's')] {
            if on {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

fn describe(error: &regex_syntax::Error) -> String {
    use regex_syntax::ast::ErrorKind;
    let what = match error {
        regex_syntax::Error::Parse(error) => match error.kind() {
            ErrorKind::UnsupportedLookAround => {
                "look-around is not supported: expressions must run in linear time".to_owned()
            }
            ErrorKind::UnsupportedBackreference => {
                "back-references are not supported: expressions must run in linear time".to_owned()
            }
            kind => kind.to_string(),
        },
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not a regular expression".to_owned(),
    };
    format!("regular expression: {what}")
}

/// PCRE and the engine read a few things differently; this writes them so that the engine reads
/// what PCRE would. Inside brackets `[`, `&&`, `--` and `~~` are plain characters in PCRE;
/// outside, `\<` and `\>` are, and so is a `{` that opens no repetition.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class_at: Option<usize> = None;
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        match (c, class_at) {
            ('\\', _) => {
                let next = rest[1..].chars().next();
                len += next.map_or(0, char::len_utf8);
                match next {
                    Some(angle @ ('<' | '>')) => out.push(angle),
                    Some(letter @ ('x' | 'u' | 'p' | 'P')) if rest[2..].starts_with('{') => {
                        let end = rest.find('}').map_or(len, |end| end + 1);
                        len = end;
                        out.push('\\');
                        out.push(letter);
                        out.push_str(&rest[2..end]);
                    }
                    _ => out.push_str(&rest[..len]),
                }
            }
            ('[', None) => {
                let negated = rest[1..].starts_with('^');
                len += usize::from(negated);
                out.push_str(&rest[..len]);
                // A `]` that comes first is a plain character.
                if rest[len..].starts_with(']') {
                    out.push_str("\\]");
                    len += 1;
                }
                class_at = Some(out.len());
            }
            ('[', Some(_)) => match posix_class(rest) {
                Some(end) => {
                    out.push_str(&rest[..end]);
                    len = end;
                }
                None => out.push_str("\\["),
            },
            (']', Some(_)) => {
                out.push(']');
                class_at = None;
            }
            ('&' | '~', Some(_)) => out.extend(['\\', c]),
            ('-', Some(start)) if rest.starts_with("--") => {
                // First in the brackets it is itself; later it is the middle of a range.
                let first = out.len() == start;
                out.push_str(if first { "\\-" } else { "-\\-" });
                len = if first { 1 } else { 2 };
            }
            ('{', None) if !opens_repetition(rest) => out.push_str("\\{"),
            (c, _) => out.push(c),
        }
        rest = &rest[len..];
    }
    out
}

fn posix_class(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("[:")?;
    let len = inner.find(|c: char| !(c.is_ascii_lowercase() || c == '^')).unwrap_or(0);
    inner[len..].starts_with(":]").then_some(len + 4)
}

fn opens_repetition(rest: &str) -> bool {
    let Some(end) = rest.find('}') else { return false };
    let inside = &rest[1..end];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        None => digits(inside),
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
    }
}

/// What a match of an expression must have in it.
struct Required {
    /// The expression is exactly one of these texts.
    exact: Option<Vec<String>>,
    /// One of these is in every match; empty: unknown.
    any_of: Vec<String>,
}

impl Required {
    fn unknown() -> Self {
        Self { exact: None, any_of: Vec::new() }
    }

    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {
                Self { exact: Some(vec![String::new()]), any_of: Vec::new() }
            }
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => {
                    let folded = text.chars().map(fold_char).collect();
                    Self { exact: Some(vec![folded]), any_of: Vec::new() }
                }
                Err(_) => Self::unknown(),
            },
            HirKind::Class(class) => Self { exact: small_class(class), any_of: Vec::new() },
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(repetition) => {
                if repetition.min == 0 {
                    return Self::unknown();
                }
                let inner = Self::of(&repetition.sub);
                let once = repetition.min == 1 && repetition.max == Some(1);
                if once { inner } else { Self { exact: None, any_of: inner.best() } }
            }
            HirKind::Concat(parts) => Self::concat(parts),
            HirKind::Alternation(parts) => Self::alternation(parts),
        }
    }

    fn concat(parts: &[Hir]) -> Self {
        let mut run: Vec<String> = vec![String::new()];
        let mut whole = true;
        let mut best: Vec<String> = Vec::new();
        for part in parts {
            let Self { exact, any_of } = Self::of(part);
            match exact {
                Some(texts) if run.len() * texts.len() <= REQUIRED_MAX => {
                    run = run
                        .iter()
                        .flat_map(|head| texts.iter().map(move |tail| format!("{head}{tail}")))
                        .collect();
                }
                other => {
                    whole = false;
                    best = better(best, std::mem::replace(&mut run, vec![String::new()]));
                    best = better(best, other.unwrap_or(any_of));
                }
            }
        }
        if whole {
            return Self { exact: Some(run), any_of: Vec::new() };
        }
        Self { exact: None, any_of: better(best, run) }
    }

    fn alternation(parts: &[Hir]) -> Self {
        let parts: Vec<Self> = parts.iter().map(Self::of).collect();
        let exact: Option<Vec<String>> = parts
            .iter()
            .map(|part| part.exact.clone())
            .collect::<Option<Vec<_>>>()
            .map(|texts| texts.into_iter().flatten().collect());
        if let Some(texts) = exact.filter(|texts| texts.len() <= REQUIRED_MAX) {
            return Self { exact: Some(texts), any_of: Vec::new() };
        }
        let each: Vec<Vec<String>> = parts.into_iter().map(Self::best).collect();
        if each.iter().any(Vec::is_empty) {
            return Self::unknown();
        }
        let all: Vec<String> = each.into_iter().flatten().collect();
        Self { exact: None, any_of: if all.len() <= REQUIRED_MAX { all } else { Vec::new() } }
    }

    fn best(self) -> Vec<String> {
        better(self.any_of, self.exact.unwrap_or_default())
    }
}

/// The set whose shortest text is longer; one with an empty text says nothing.
fn better(left: Vec<String>, right: Vec<String>) -> Vec<String> {
    let worth = |set: &[String]| set.iter().map(String::len).min().unwrap_or(0);
    let (left_worth, right_worth) = (worth(&left), worth(&right));
    let best = if right_worth > left_worth { right } else { left };
    if left_worth.max(right_worth) == 0 { Vec::new() } else { best }
}

/// The folded characters of a class, when they are few.
fn small_class(class: &Class) -> Option<Vec<String>> {
    const FEW: usize = 8;
    let Class::Unicode(class) = class else {
        return None;
    };
    let mut texts: Vec<String> = Vec::new();
    for range in class.ranges() {
        if range.len() > FEW * 2 {
            return None;
        }
        for c in range.start()..=range.end() {
            let text = fold_char(c).to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    (!texts.is_empty() && texts.len() <= FEW).then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pattern: &str) -> Source {
        Source { pattern: pattern.into(), ignore_case: false, multi_line: false, dot_all: false }
    }

    #[test]
    fn pcre_reads_as_pcre() {
        let table = [
            (r"\<a\>", "<a>", true),
            (r"[[]x", "[x", true),
            (r"[]]x", "]x", true),
            (r"[^]]x", "ax", true),
            (r"[a&&b]", "&", true),
            (r"[+--]", "-", true),
            (r"a{b}", "a{b}", true),
            (r"^a{2}$", "aa", true),
            (r"[[:digit:]]+", "7", true),
            (r"\x{41}", "A", true),
            (r"\$\{env\}", "${env}", true),
            (r"foo\\bar", r"foo\bar", true),
            (r"a.b", "a\nb", false),
        ];
        for (pattern, text, expected) in table {
            let regex = source(pattern).compile().unwrap();
            assert_eq!(regex.is_match(text), expected, "{pattern} {}", translate(pattern));
        }
        for pattern in [r"(?=a)", r"(a)\1", "(", "[a", r"a{1000000}{1000000}"] {
            assert!(source(pattern).compile().is_err(), "{pattern}");
        }
        assert!(source("(?<!a)b").compile().unwrap_err().contains("look-around"));
    }

    #[test]
    fn required_texts_are_in_every_match() {
        let table = [
            (r"abc", vec!["abc"]),
            (r"\d+foo.*quux", vec!["quux"]),
            (r"(foo|barr)\d", vec!["foo", "barr"]),
            (r"(?i)CmD.exe", vec!["cmd"]),
            (r"(a|b)c", vec!["ac", "bc"]),
            (r"(foo)?x+", vec!["x"]),
            (r"\w+", vec![]),
            (r"a|\d", vec![]),
            (r"^$", vec![]),
        ];
        for (pattern, expected) in table {
            assert_eq!(source(pattern).required(), expected, "{pattern}");
        }
    }
}
