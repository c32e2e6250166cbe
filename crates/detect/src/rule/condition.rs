//! The condition of a rule: text in, a tree over search identifiers out.
//!
//! ```text
//! cond  := or ;  or := and ("or" and)* ;  and := not ("and" not)* ;  not := "not" not | prim
//! prim  := "(" or ")" | ("1" | "any" | "all") "of" ("them" | pattern) | identifier
//! ```

/// A condition over search identifiers, by their place in the rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    Search(usize),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

/// The deepest nesting of brackets and `not`.
const DEPTH_MAX: usize = 64;
/// The longest condition, in bytes.
const LENGTH_MAX: usize = 64 * 1024;

/// How identifiers are looked up.
#[derive(Clone, Copy)]
pub(crate) struct Names<'n> {
    /// The identifiers, by place.
    pub(crate) names: &'n [&'n str],
    /// Whether `1 of x*` and the like are understood (they are not in correlations).
    pub(crate) selectors: bool,
}

/// Parses a condition. The error is a message without a place.
pub(crate) fn parse(text: &str, names: Names<'_>) -> Result<Condition, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("condition is longer than {LENGTH_MAX} bytes"));
    }
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, names };
    if tokens.is_empty() {
        return Err("condition is empty".to_owned());
    }
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok(condition),
        Some(Token::Close) => Err("condition has a ')' without its '('".to_owned()),
        Some(Token::Word(word)) => {
            Err(format!("{word:?} stands where 'and', 'or' or the end is due in the condition"))
        }
        Some(Token::Open) => Err("'(' stands where 'and' or 'or' is due".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'t> {
    Open,
    Close,
    Word(&'t str),
}

fn tokenize(text: &str) -> Result<Vec<Token<'_>>, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*');
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '(' => {
                tokens.push(Token::Open);
                1
            }
            ')' => {
                tokens.push(Token::Close);
                1
            }
            '|' => {
                return Err("aggregations ('| count() …') belong to Sigma version 1; write a \
                            correlation rule instead"
                    .to_owned());
            }
            first if is_word(first) => {
                let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..len]));
                len
            }
            other => return Err(format!("condition has a {other:?}, which means nothing there")),
        };
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    depth: usize,
    names: Names<'t>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(Token::Word(word));
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.and()?];
        while self.take_word("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Condition::Or))
    }

    fn and(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.not()?];
        while self.take_word("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Condition::And))
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("condition is nested deeper than {DEPTH_MAX} levels"));
        }
        let condition = if self.take_word("not") {
            Condition::Not(Box::new(self.not()?))
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn primary(&mut self) -> Result<Condition, String> {
        let Some(token) = self.peek() else {
            return Err("condition ends where an identifier is due".to_owned());
        };
        self.at += 1;
        match token {
            Token::Open => {
                let inner = self.or()?;
                if self.peek() != Some(Token::Close) {
                    return Err("condition has a '(' without its ')'".to_owned());
                }
                self.at += 1;
                Ok(inner)
            }
            Token::Close => Err("')' stands where an identifier is due".to_owned()),
            Token::Word(word) => self.word(word),
        }
    }

    fn word(&mut self, word: &str) -> Result<Condition, String> {
        if self.names.selectors && self.peek() == Some(Token::Word("of")) {
            self.at += 1;
            return self.selector(word);
        }
        if let Some(place) = self.names.names.iter().position(|name| *name == word) {
            return Ok(Condition::Search(place));
        }
        Err(match word {
            "and" | "or" | "not" | "of" => format!("{word:?} stands where an identifier is due"),
            "near" => "'near' belongs to Sigma version 1; write a temporal correlation".to_owned(),
            _ => {
                let known = self.names.names.iter().copied();
                match tocsin_content::yaml::nearest(word, known) {
                    Some(near) => format!(
                        "condition names {word:?}, which is not defined; did you mean {near:?}?"
                    ),
                    None => format!("condition names {word:?}, which is not defined"),
                }
            }
        })
    }

    fn selector(&mut self, quantity: &str) -> Result<Condition, String> {
        let all = match quantity {
            "1" | "any" => false,
            "all" => true,
            _ => return Err(format!("'{quantity} of' is not Sigma; use 1, any or all")),
        };
        let Some(Token::Word(pattern)) = self.peek() else {
            return Err("'of' needs 'them' or a pattern after it".to_owned());
        };
        self.at += 1;
        // Identifiers that start with `_` are only meant when the pattern says so.
        let wanted = |name: &str| match pattern {
            "them" => !name.starts_with('_'),
            _ => like(pattern, name) && (pattern.starts_with('_') || !name.starts_with('_')),
        };
        let names = self.names.names.iter().enumerate();
        let found: Vec<Condition> = names
            .filter(|(_, name)| wanted(name))
            .map(|(place, _)| Condition::Search(place))
            .collect();
        if found.is_empty() {
            return Err(format!("'{quantity} of {pattern}' selects nothing"));
        }
        Ok(one_or(found, if all { Condition::And } else { Condition::Or }))
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

/// Whether `name` is as `pattern` says, `*` standing for any characters.
fn like(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or("")) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["a", "b", "c", "_p", "not_sel", "a_x_b"];

    fn show(condition: &Condition) -> String {
        let list = |parts: &[Condition]| parts.iter().map(show).collect::<Vec<_>>().join(" ");
        match condition {
            Condition::Search(place) => NAMES[*place].to_owned(),
            Condition::Not(inner) => format!("!{}", show(inner)),
            Condition::And(parts) => format!("&({})", list(parts)),
            Condition::Or(parts) => format!("|({})", list(parts)),
        }
    }

    #[test]
    fn conditions_parse_to_trees_or_reasons() {
        let table = [
            ("a", "a"),
            ("a or b and not c", "|(a &(b !c))"),
            ("not a and b", "&(!a b)"),
            ("not not a", "!!a"),
            ("(a or b) and c", "&(|(a b) c)"),
            ("all of them", "&(a b c not_sel a_x_b)"),
            ("1 of a* or any of _*", "|(|(a a_x_b) _p)"),
            ("all of a*x*b", "a_x_b"),
            ("1 of *", "|(a b c not_sel a_x_b)"),
            ("not_sel and a", "&(not_sel a)"),
            ("not 1 of a*", "!|(a a_x_b)"),
            ("all of a", "a"),
            ("a\n  or b", "|(a b)"),
            ("", "condition is empty"),
            ("a AND b", "\"AND\" stands where 'and', 'or' or the end is due in the condition"),
            ("a and", "condition ends where an identifier is due"),
            ("(a", "condition has a '(' without its ')'"),
            ("a)", "condition has a ')' without its '('"),
            ("a b", "\"b\" stands where 'and', 'or' or the end is due in the condition"),
            ("2 of them", "'2 of' is not Sigma; use 1, any or all"),
            ("1 of x*", "'1 of x*' selects nothing"),
            (
                "not_sell",
                "condition names \"not_sell\", which is not defined; did you mean \"not_sel\"?",
            ),
            ("a & b", "condition has a '&', which means nothing there"),
            ("or a", "\"or\" stands where an identifier is due"),
            ("1 of", "'of' needs 'them' or a pattern after it"),
        ];
        for (text, expected) in table {
            let names = Names { names: &NAMES, selectors: true };
            let got = parse(text, names).map_or_else(|message| message, |tree| show(&tree));
            assert_eq!(got, expected, "{text}");
        }
        let names = Names { names: &NAMES, selectors: true };
        assert!(parse("a | count() > 5", names).unwrap_err().contains("version 1"));
        assert!(parse(&"(".repeat(1000), names).unwrap_err().contains("nested"));
    }

    #[test]
    fn stars_stand_anywhere_in_patterns() {
        let table = [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "abc", true),
            ("a*c*b", "abc", false),
            ("ab*bc", "abc", false),
            ("abc", "abcd", false),
            ("*", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(like(pattern, name), expected, "{pattern} {name}");
        }
    }
}
