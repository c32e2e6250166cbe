//! Finds functions and their lengths, and exceptions to lints for whole files, in Rust text. In: source text. Out:
//! names and lines. Knows comments, strings, raw strings, characters and lifetimes, and nothing else of the language.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both included.
    pub lines: usize,
}

/// Every function with a body, inner ones too, in order of their ends.
pub fn functions(text: &str) -> Vec<Function> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Word(word) = &token.kind else { continue };
        let Some(Token { kind: Kind::Word(name), .. }) = tokens.get(at + 1) else { continue };
        if word != "fn" {
            continue;
        }
        if let Some(end) = body_end(&tokens[at + 2..]) {
            let lines = end + 1 - token.line;
            found.push(Function { name: name.clone(), line: token.line, lines });
        }
    }
    found
}

/// The line of the brace that closes the body, or none for a declaration.
fn body_end(tokens: &[Token]) -> Option<usize> {
    let mut inside = 0_usize;
    let mut braces = 0_usize;
    for token in tokens {
        match token.kind {
            Kind::Mark('(' | '[') => inside += 1,
            Kind::Mark(')' | ']') => inside = inside.saturating_sub(1),
            Kind::Mark('{') => braces += 1,
            Kind::Mark('}') => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(token.line);
                }
            }
            Kind::Mark(';') if inside == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Lines of `#![allow(…)]` that give no reason.
pub fn unexplained(text: &str) -> Vec<usize> {
    let tokens = tokens(text);
    let is = |at: usize, mark: char| matches!(tokens.get(at), Some(Token { kind: Kind::Mark(found), .. }) if *found == mark);
    let word =
        |token: &Token, wanted: &str| matches!(&token.kind, Kind::Word(word) if word == wanted);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().skip(2) {
        if !word(token, "allow") || !is(at - 1, '[') || !is(at - 2, '!') {
            continue;
        }
        let inside = (at..tokens.len()).take_while(|at| !is(*at, ']'));
        if !inside.into_iter().any(|at| word(&tokens[at], "reason")) {
            found.push(token.line);
        }
    }
    found
}

struct Token {
    line: usize,
    kind: Kind,
}

enum Kind {
    Word(String),
    Mark(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        let kind = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => {
                at = line_end(&chars, at);
                None
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at = comment_end(&chars, at);
                None
            }
            '"' => {
                at = string_end(&chars, at + 1);
                None
            }
            '\'' => {
                at = quote_end(&chars, at);
                None
            }
            first if first.is_alphanumeric() || first == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                match raw_string_end(&word, &chars, at) {
                    Some(end) => {
                        at = end;
                        None
                    }
                    None => Some(Kind::Word(word)),
                }
            }
            other => {
                at += 1;
                (!other.is_whitespace()).then_some(Kind::Mark(other))
            }
        };
        if let Some(kind) = kind {
            tokens.push(Token { line, kind });
        }
        line += chars[start..at].iter().filter(|char| **char == '\n').count();
    }
    tokens
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|char| *char == '\n').map_or(chars.len(), |found| from + found)
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a character, or of the quote alone when it begins a lifetime.
fn quote_end(chars: &[char], from: usize) -> usize {
    if chars.get(from + 1) == Some(&'\\') {
        let rest = &chars[(from + 3).min(chars.len())..];
        return rest.iter().position(|char| *char == '\'').map_or(chars.len(), |n| from + 4 + n);
    }
    if chars.get(from + 2) == Some(&'\'') { from + 3 } else { from + 1 }
}

/// The end of `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`, when the word before begins one.
fn raw_string_end(word: &str, chars: &[char], from: usize) -> Option<usize> {
    if !matches!(word, "r" | "br" | "cr") {
        return None;
    }
    let hashes = chars[from..].iter().take_while(|char| **char == '#').count();
    if chars.get(from + hashes) != Some(&'"') {
        return None;
    }
    let mut at = from + hashes + 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars[at + 1..].iter().take(hashes).filter(|char| **char == '#').count() == hashes;
        at += 1;
        if closes {
            return Some(at + hashes);
        }
    }
    Some(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_to_lints_give_a_reason() {
        let table: &[(&str, &[usize])] = &[
            ("#![allow(dead_code)]", &[1]),
            ("#![allow(dead_code, reason = \"x\")]", &[]),
            ("\n#![allow(\n dead_code,\n clippy::panic\n)]\nfn a() { let reason = 1; }", &[2]),
            ("// #![allow(dead_code)]\n#[allow(dead_code)]\nlet allow = \"#![allow(x)]\";", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(unexplained(text), *expected, "{text}");
        }
    }

    #[test]
    fn lengths_of_functions() {
        type Row<'t> = (&'t str, &'t [(&'t str, usize, usize)]);
        let table: &[Row<'_>] = &[
            ("fn a() {}", &[("a", 1, 1)]),
            ("\nfn a<'t>(x: &'t str)\n-> [u8; 3]\n{\n}\n", &[("a", 2, 4)]),
            ("trait T { fn a(&self);\n fn b() {\n} }", &[("b", 2, 2)]),
            (
                "fn a() { let s = \"}\"; let c = '}'; let d = '\\''; // }\n /* } /* } */ */ }",
                &[("a", 1, 2)],
            ),
            ("fn a() {\n r#\"}\n\"}\"#; br\"}\"; }", &[("a", 1, 3)]),
            ("fn a() {\n fn b() {\n }\n}", &[("a", 1, 4), ("b", 2, 2)]),
            ("type F = fn(u8) -> u8; // fn c() {", &[]),
        ];
        for (text, expected) in table {
            let got = functions(text);
            let got: Vec<_> = got.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
            assert_eq!(got, *expected, "{text}");
        }
    }
}
