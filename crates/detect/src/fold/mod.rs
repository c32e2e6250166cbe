//! Unicode simple case folding: text in, text out in which two strings that differ only in case
//! are the same bytes.
//!
//! Sigma compares without regard to case. Folding every rule value once and every event value
//! once turns that into plain byte comparison, for `ÄRZTE` and `ΣΊΓΜΑ` as for ASCII. Simple
//! folding maps one character to one character: `?` still stands for one, and `ß` is not `ss`.

mod table;

use std::sync::LazyLock;

/// The folded form of every character of the basic plane.
static BASIC: LazyLock<Box<[u16]>> = LazyLock::new(|| {
    let mut basic: Box<[u16]> = (0..=u16::MAX).collect();
    for letter in b'A'..=b'Z' {
        basic[letter as usize] = u16::from(letter.to_ascii_lowercase());
    }
    for &(first, last, step, distance) in table::RUNS {
        for code in (first..=last).step_by(step as usize) {
            if let Some(slot) = basic.get_mut(code as usize) {
                *slot = code.wrapping_add_signed(distance) as u16;
            }
        }
    }
    basic
});

/// The folded form of a character.
pub(crate) fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let code = c as u32;
    if let Some(&folded) = BASIC.get(code as usize) {
        return char::from_u32(u32::from(folded)).unwrap_or(c);
    }
    let run = table::RUNS.partition_point(|run| run.1 < code);
    match table::RUNS.get(run) {
        Some(&(first, _, step, distance))
            if first <= code && (code - first).is_multiple_of(step) =>
        {
            char::from_u32(code.wrapping_add_signed(distance)).unwrap_or(c)
        }
        _ => c,
    }
}

/// Appends the folded form of `text`; whether it was all ASCII.
pub(crate) fn fold_into(text: &str, out: &mut String) -> bool {
    if text.is_ascii() {
        push_ascii(text, out);
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        push_ascii(&rest[..ascii], out);
        rest = &rest[ascii..];
        let Some(c) = rest.chars().next() else { break };
        out.push(fold_char(c));
        rest = &rest[c.len_utf8()..];
    }
    false
}

fn push_ascii(text: &str, out: &mut String) {
    let start = out.len();
    out.push_str(text);
    out[start..].make_ascii_lowercase();
}

/// The folded form of `text`.
pub(crate) fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_in_case_fold_alike() {
        let table = [
            ("ÄRZTE", "ärzte"),
            ("ΣΊΓΜΑΣ", "σίγμας"),
            ("ПРИВЕТ", "привет"),
            ("\u{212A}elvin", "KELVIN"),
            ("ſ", "S"),
            ("ẞ", "ß"),
            ("𐐀", "𐐨"),
            ("Ⱥ", "ⱥ"),
            ("Ꭰ", "ꭰ"),
        ];
        for (left, right) in table {
            assert_eq!(fold(left), fold(right), "{left} {right}");
            let mut folded = String::new();
            assert!(!fold_into(&format!("A{left}Bé"), &mut folded));
            assert_eq!(folded, fold(&format!("a{right}bÉ")));
        }
        assert_ne!(fold("ß"), fold("ss"));
        assert_ne!(fold("ı"), fold("i"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for code in (0x80..0x1_F000).step_by(7) {
            let Some(c) = char::from_u32(code) else { continue };
            let folded = fold_char(c);
            assert_eq!(fold_char(folded), folded, "U+{code:X}");
        }
    }
}
