//! Sigma values: the text of a rule → tokens (characters, wildcards) → transformed tokens.
//!
//! Wildcards are tokens of their own from the start, so no later step can mistake a literal `*`
//! for one or escape one by accident.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A piece of a Sigma string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `*`: any characters, or none.
    Star,
    /// `?`: one character.
    Any,
    /// Any of the characters that start a command line option (`windash`).
    Dash,
}

/// The characters that `windash` takes for each other.
pub(crate) const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];

/// The most strings that one value may become by placeholders or dashes before encoding.
pub(crate) const VARIANTS_MAX: usize = 10_000;

/// Reads a Sigma string: `*` and `?` are wildcards, `\*`, `\?` and `\\` stand for themselves,
/// any other backslash is a backslash.
pub(crate) fn parse(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => match chars.next_if(|next| matches!(next, '*' | '?' | '\\')) {
                Some(escaped) => Token::Char(escaped),
                None => Token::Char('\\'),
            },
            c => Token::Char(c),
        });
    }
    tokens
}

/// The tokens of text that has no wildcards.
pub(crate) fn literal(text: &str) -> Vec<Token> {
    text.chars().map(Token::Char).collect()
}

/// The text of tokens without wildcards; `None` when there is one.
pub(crate) fn plain(tokens: &[Token]) -> Option<String> {
    tokens.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
}

/// `windash`: every dash that starts a word (no word character before it, one after it) stands
/// for any of [`DASHES`].
pub(crate) fn windash(tokens: &mut [Token]) {
    let is_word = |token: Option<&Token>| matches!(token, Some(Token::Char(c)) if c.is_alphanumeric() || *c == '_');
    for at in 0..tokens.len() {
        let Token::Char(c) = tokens[at] else { continue };
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if DASHES.contains(&c) && !is_word(before) && is_word(tokens.get(at + 1)) {
            tokens[at] = Token::Dash;
        }
    }
}

/// All strings that tokens with [`Token::Dash`] stand for; `None` when they are over
/// [`VARIANTS_MAX`].
pub(crate) fn without_dashes(tokens: &[Token]) -> Option<Vec<Vec<Token>>> {
    let mut variants = vec![Vec::with_capacity(tokens.len())];
    for token in tokens {
        if *token == Token::Dash {
            if variants.len() * DASHES.len() > VARIANTS_MAX {
                return None;
            }
            variants = variants
                .iter()
                .flat_map(|variant| {
                    DASHES.map(|dash| {
                        let mut next = variant.clone();
                        next.push(Token::Char(dash));
                        next
                    })
                })
                .collect();
        } else {
            variants.iter_mut().for_each(|variant| variant.push(*token));
        }
    }
    Some(variants)
}

/// Byte order of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utf16 {
    /// `utf16le`, `wide`.
    Little,
    /// `utf16be`.
    Big,
    /// `utf16`: little endian with a byte order mark.
    Marked,
}

/// Text as UTF-16 bytes.
pub(crate) fn utf16(text: &str, order: Utf16) -> Vec<u8> {
    let mark: &[u8] = if order == Utf16::Marked { &[0xFF, 0xFE] } else { &[] };
    let units = text.encode_utf16().flat_map(|unit| match order {
        Utf16::Big => unit.to_be_bytes(),
        Utf16::Little | Utf16::Marked => unit.to_le_bytes(),
    });
    mark.iter().copied().chain(units).collect()
}

/// `base64`: the bytes in standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `base64offset`: what of the bytes' base64 does not depend on what stands before and after
/// them, for each of the three places they can start at. `None` when nothing is left of one.
pub(crate) fn base64_offsets(bytes: &[u8]) -> Option<[String; 3]> {
    let at = |offset: usize| {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(bytes);
        let encoded = STANDARD.encode(&padded);
        let start = [0, 2, 3][offset];
        let end = encoded.len() - [0, 3, 2][padded.len() % 3];
        encoded.get(start..end).filter(|stable| !stable.is_empty()).map(str::to_owned)
    };
    Some([at(0)?, at(1)?, at(2)?])
}

/// A piece of a value with placeholders.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Sigma text.
    Text(&'t str),
    /// `%name%`.
    Placeholder(&'t str),
}

/// Splits a value at `%name%`; `\%` is no placeholder and loses its backslash.
pub(crate) fn placeholders(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest[from..].find('%').map(|at| at + from) {
        let escaped = rest[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        if escaped {
            pieces.push(Piece::Text(&rest[..at - 1]));
            rest = &rest[at..];
            from = 1;
            continue;
        }
        let name = &rest[at + 1..];
        let len = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
        if len > 0 && name[len..].starts_with('%') {
            pieces.push(Piece::Text(&rest[..at]));
            pieces.push(Piece::Placeholder(&name[..len]));
            rest = &name[len + 1..];
            from = 0;
        } else {
            from = at + 1;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_character_by_character() {
        let table = [
            (r"a\*b", r"a\*b"),
            (r"a\\*b", r"a\*b|star"),
            (r"\\\\", r"\\"),
            (r"\\\", r"\\"),
            (r"foo\", r"foo\"),
            (r"\x", r"\x"),
        ];
        assert_eq!(plain(&parse(table[0].0)).unwrap(), "a*b");
        assert_eq!(
            parse(table[1].0),
            [Token::Char('a'), Token::Char('\\'), Token::Star, Token::Char('b')]
        );
        for (written, meant) in &table[2..] {
            assert_eq!(plain(&parse(written)).unwrap(), *meant, "{written}");
        }
        assert_eq!(
            parse(r"\\\*"),
            [Token::Char('\\'), Token::Char('*')],
            "an escaped backslash and an escaped star"
        );
    }

    #[test]
    fn windash_takes_dashes_that_start_a_word() {
        let table = [
            ("-enc", vec![0]),
            ("/c dir -s", vec![0, 7]),
            ("a-b", vec![]),
            ("- x", vec![]),
            ("dir*-s", vec![4]),
            ("--x", vec![1]),
            ("–x—y", vec![0]),
        ];
        for (text, places) in table {
            let mut tokens = parse(text);
            windash(&mut tokens);
            let found: Vec<usize> = tokens
                .iter()
                .enumerate()
                .filter(|(_, token)| **token == Token::Dash)
                .map(|(at, _)| at)
                .collect();
            assert_eq!(found, places, "{text}");
        }
    }

    #[test]
    fn placeholders_are_found_and_escaped_ones_kept() {
        use Piece::{Placeholder, Text};
        let table = [
            ("%a%", vec![Placeholder("a")]),
            ("x%a%y%b%", vec![Text("x"), Placeholder("a"), Text("y"), Placeholder("b")]),
            ("100%", vec![Text("100%")]),
            ("% a%b%", vec![Text("% a"), Placeholder("b")]),
            (r"\%a%", vec![Text("%a%")]),
            ("%%", vec![Text("%%")]),
        ];
        for (text, pieces) in table {
            assert_eq!(placeholders(text), pieces, "{text}");
        }
    }
}
