//! [`Filter`] → KQL text.

use tocsin_store::{ANY_TEXT, Bound, Filter, WordsMode};

use crate::fields::{Kind, kind_of};

/// Writes the filter as a query. What [`crate::parse`] gave reads back as the same filter; of
/// filters built otherwise, what KQL cannot say is written as the nearest that means the same for
/// fields with one value.
pub fn print(filter: &Filter) -> String {
    let mut out = String::new();
    node(filter, &mut out);
    out
}

fn node(filter: &Filter, out: &mut String) {
    match filter {
        Filter::All => out.push('*'),
        Filter::And(filters) if filters.is_empty() => out.push('*'),
        Filter::Or(filters) if filters.is_empty() => out.push_str("not *"),
        Filter::And(filters) => join(filters, " and ", out),
        Filter::Or(filters) => join(filters, " or ", out),
        Filter::Not(filter) => {
            out.push_str("not ");
            inner(filter, out);
        }
        Filter::Term { field, value } => {
            name(field, out);
            out.push_str(": ");
            quoted(value, out);
        }
        Filter::Terms { field, values } => terms(field, values, out),
        Filter::Exists { field } => {
            name(field, out);
            out.push_str(": *");
        }
        Filter::Range { field, lower, upper } => range(field, lower, upper, out),
        Filter::Prefix { field, value } => {
            text_or_field(field, out);
            bare(value, out);
            out.push('*');
        }
        Filter::Wildcard { field, pattern } => wildcard(field, pattern, out),
        Filter::Regex { field, pattern } => regex(field, pattern, out),
        Filter::Cidr { field, network } => {
            name(field, out);
            out.push_str(": ");
            out.push_str(network);
        }
        Filter::Words { field, text, mode } => words(field.as_deref(), text, *mode, out),
    }
}

/// In parentheses where it would fall apart.
fn inner(filter: &Filter, out: &mut String) {
    let safe = !matches!(filter, Filter::And(_) | Filter::Or(_) | Filter::Range { .. });
    let safe = safe && !matches!(filter, Filter::Words { .. });
    if safe {
        return node(filter, out);
    }
    out.push('(');
    node(filter, out);
    out.push(')');
}

fn join(filters: &[Filter], word: &str, out: &mut String) {
    for (place, filter) in filters.iter().enumerate() {
        if place > 0 {
            out.push_str(word);
        }
        match filter {
            Filter::Words { .. } | Filter::Range { .. } => node(filter, out),
            filter => inner(filter, out),
        }
    }
}

fn terms(field: &str, values: &[String], out: &mut String) {
    if values.is_empty() {
        return out.push_str("not *");
    }
    name(field, out);
    out.push_str(": (");
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push_str(" or ");
        }
        quoted(value, out);
    }
    out.push(')');
}

fn range(field: &str, lower: &Bound, upper: &Bound, out: &mut String) {
    let sides = [
        match lower {
            Bound::Unbounded => None,
            Bound::Included(value) => Some((" >= ", value)),
            Bound::Excluded(value) => Some((" > ", value)),
        },
        match upper {
            Bound::Unbounded => None,
            Bound::Included(value) => Some((" <= ", value)),
            Bound::Excluded(value) => Some((" < ", value)),
        },
    ];
    let mut sides = sides.into_iter().flatten().peekable();
    if sides.peek().is_none() {
        name(field, out);
        return out.push_str(": *");
    }
    let mut first = true;
    for (operator, value) in sides {
        if !std::mem::take(&mut first) {
            out.push_str(" and ");
        }
        name(field, out);
        out.push_str(operator);
        quoted(value, out);
    }
}

fn wildcard(field: &str, pattern: &str, out: &mut String) {
    // KQL has no `?`.
    let mut expression = String::new();
    let mut text = String::new();
    let mut needs_regex = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' => {
                expression.push_str(".*");
                text.push('*');
                continue;
            }
            '?' => {
                expression.push('.');
                needs_regex = true;
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        bare(literal.encode_utf8(&mut [0; 4]), &mut text);
        if literal.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(literal);
    }
    if needs_regex {
        return regex(field, &expression, out);
    }
    text_or_field(field, out);
    out.push_str(&text);
}

fn regex(field: &str, pattern: &str, out: &mut String) {
    if field == ANY_TEXT {
        out.push('*')
    } else {
        name(field, out)
    }
    out.push_str(" ~ ");
    quoted(pattern, out);
}

fn words(field: Option<&str>, text: &str, mode: WordsMode, out: &mut String) {
    let start = |out: &mut String| {
        if let Some(field) = field {
            name(field, out);
            out.push_str(": ");
        }
    };
    let has_words = field.is_none_or(|field| kind_of(field) == Kind::Text);
    match (mode, field) {
        (WordsMode::Phrase, _) => {
            start(out);
            quoted(text, out);
        }
        (WordsMode::All, None) | (WordsMode::Any, Some(_)) => {
            start(out);
            if has_words { bare(text, out) } else { quoted(text, out) }
        }
        _ => {
            let word = if mode == WordsMode::All { " and " } else { " or " };
            out.push('(');
            for (place, part) in text.split_whitespace().enumerate() {
                if place > 0 {
                    out.push_str(word);
                }
                start(out);
                bare(part, out);
            }
            out.push(')');
        }
    }
}

/// The field and its colon; nothing for message and raw line.
fn text_or_field(field: &str, out: &mut String) {
    if field != ANY_TEXT {
        name(field, out);
        out.push_str(": ");
    }
}

/// A field's name; quoted where it would not be taken for one.
fn name(field: &str, out: &mut String) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
    if crate::fields::is_known(field) && field.chars().all(plain) {
        out.push_str(field);
    } else {
        quoted(field, out);
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Bare text: everything that could mean something is escaped.
fn bare(text: &str, out: &mut String) {
    let inside = text.len() - text.trim_start().len()..text.trim_end().len();
    let mut at = 0;
    for part in text.split_inclusive(' ') {
        let word = part.strip_suffix(' ').unwrap_or(part);
        if ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) {
            out.push('\\');
        }
        for c in part.chars() {
            let bare_space = c == ' ' && inside.contains(&at);
            if "\\():<>\"*{}~".contains(c) || (c.is_whitespace() && !bare_space) {
                out.push('\\');
            }
            out.push(c);
            at += c.len_utf8();
        }
    }
}
