//! A Windows event as XML: names as Sigma has them, the text of an element under its own name,
//! attributes of the system part as `Element_Attribute`, `<Data Name="X">` as `X`.

use std::borrow::Cow;

use super::Raw;

/// Longest entity with its `&` and `;`, in bytes.
const ENTITY_BYTES_MAX: usize = 12;
/// The deepest nesting read.
const DEPTH_MAX: usize = 16;

/// Takes `<Event>…</Event>` apart.
pub(crate) fn windows_xml(text: &str, raw: &mut Raw<'_, '_>) {
    let mut stack: Vec<Open<'_>> = Vec::new();
    let mut rest = text;
    let mut unnamed = 0;
    while let Some(start) = rest.find('<') {
        let before = &rest[..start];
        let Some(end) = rest[start..].find('>') else { return };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if tag.starts_with('/') {
            if let Some(open) = stack.pop() {
                close(&open, before, &mut unnamed, raw);
            }
            continue;
        }
        let open = Open::read(tag.trim_end_matches('/'));
        let system = stack.last().is_some_and(|parent| parent.name == "System");
        if system {
            attributes(&open, raw);
        }
        if let Some(parent) = stack.last_mut() {
            parent.leaf = false;
        }
        if !tag.ends_with('/') {
            if stack.len() >= DEPTH_MAX {
                return;
            }
            stack.push(open);
        }
    }
}

/// An element that was opened.
struct Open<'t> {
    name: &'t str,
    attributes: &'t str,
    leaf: bool,
}

impl<'t> Open<'t> {
    fn read(tag: &'t str) -> Self {
        let end = tag.find(|character: char| character.is_ascii_whitespace()).unwrap_or(tag.len());
        let name = &tag[..end];
        let name = name.rsplit(':').next().unwrap_or(name);
        Self { name, attributes: &tag[end..], leaf: true }
    }
}

fn close(open: &Open<'_>, text: &str, unnamed: &mut usize, raw: &mut Raw<'_, '_>) {
    if !open.leaf || text.is_empty() {
        return;
    }
    let text = plain(text);
    if open.name != "Data" {
        raw.text(open.name, &text);
        return;
    }
    match each(open.attributes).find(|(name, _)| *name == "Name") {
        Some((_, name)) => {
            // Sigma has the names without blanks.
            let name: String = plain(name).chars().filter(|character| *character != ' ').collect();
            raw.text(&name, &text);
        }
        None => {
            *unnamed += 1;
            raw.text(&format!("Data{unnamed}"), &text);
        }
    }
}

fn attributes(open: &Open<'_>, raw: &mut Raw<'_, '_>) {
    for (name, value) in each(open.attributes) {
        raw.text(&format!("{}_{name}", open.name), &plain(value));
    }
}

/// Names and values of attributes.
fn each(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        rest = after;
        Some((name.trim(), value))
    })
}

/// Text with its entities resolved.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let near = &rest[1..rest.floor_char_boundary(ENTITY_BYTES_MAX.min(rest.len()))];
        let entity = near.find(';').map(|end| (&near[..end], &rest[end + 2..]));
        match entity.and_then(|(name, after)| Some((resolve(name)?, after))) {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain.into()
}

fn resolve(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}
