//! Encodings for the plain evaluator, each written from its definition: bits for base64, trial
//! for what of it does not depend on neighbours, Unicode's own tables for case.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::reference::{Lists, Piece};

/// Whether two characters are the same letter by simple case folding.
pub fn same_letter(left: char, right: char) -> bool {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new(left, left)]);
    class.case_fold_simple();
    class.ranges().iter().any(|range| range.start() <= right && right <= range.end())
}

/// The text of a pattern without wildcards.
pub fn plain(pattern: &[Piece]) -> String {
    pattern
        .iter()
        .map(|piece| match piece {
            Piece::Char(c) => *c,
            other => panic!("{other:?} cannot be encoded"),
        })
        .collect()
}

/// Dashes that start a word stand for any dash.
pub fn windash(pattern: &mut [Piece]) {
    let word = |piece: Option<&Piece>| matches!(piece, Some(Piece::Char(c)) if c.is_alphanumeric() || *c == '_');
    let before: Vec<Piece> = pattern.to_vec();
    for at in 0..before.len() {
        let dash = matches!(before[at], Piece::Char('-' | '/' | '–' | '—' | '―'));
        let starts = at == 0 || !word(before.get(at - 1));
        if dash && starts && word(before.get(at + 1)) {
            pattern[at] = Piece::Dash;
        }
    }
}

/// Replaces each `%name%` of a list by each of its values.
pub fn expand(text: &str, lists: &Lists, read: fn(&str) -> Vec<Piece>) -> Vec<Vec<Piece>> {
    for (name, values) in lists {
        let Some((before, after)) = text.split_once(&format!("%{name}%")) else { continue };
        let tails = expand(after, lists, read);
        let heads = expand(before, lists, read);
        let mut out = Vec::new();
        for head in &heads {
            for value in *values {
                for tail in &tails {
                    let value = value.chars().map(Piece::Char);
                    out.push(head.iter().copied().chain(value).chain(tail.clone()).collect());
                }
            }
        }
        return out;
    }
    vec![read(text)]
}

/// UTF-16 as the modifier of this name has it.
pub fn utf16(text: &str, modifier: &str) -> Vec<u8> {
    let mut bytes = if modifier == "utf16" { vec![0xFF, 0xFE] } else { Vec::new() };
    for unit in text.encode_utf16() {
        let (high, low) = ((unit >> 8) as u8, (unit & 0xFF) as u8);
        bytes.extend(if modifier == "utf16be" { [high, low] } else { [low, high] });
    }
    bytes
}

/// The base64 of bytes; with `offset` what is the same in it wherever the bytes stand.
pub fn base64(bytes: &[u8], offset: bool) -> Vec<String> {
    if !offset {
        return vec![encode(bytes)];
    }
    (0..3)
        .map(|before| {
            // With zeros around and with ones: a character that depends on them differs.
            let around = |filler: u8| {
                let mut all = vec![filler; before];
                all.extend_from_slice(bytes);
                all.extend(vec![filler; (3 - all.len() % 3) % 3]);
                encode(&all)
            };
            let pairs: Vec<(char, char)> = around(0).chars().zip(around(0xFF).chars()).collect();
            pairs.iter().filter(|(left, right)| left == right).map(|pair| pair.0).collect()
        })
        .collect()
}

fn encode(bytes: &[u8]) -> String {
    let letters: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    while !bits.len().is_multiple_of(6) {
        bits.push('0');
    }
    let mut out = String::new();
    for at in (0..bits.len()).step_by(6) {
        out.push(letters[usize::from_str_radix(&bits[at..at + 6], 2).unwrap()]);
    }
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
