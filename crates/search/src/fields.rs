//! Field names in queries: what kind a field is, and which one was probably meant.

use tocsin_model::FieldId;
use tocsin_model::field::{DICTIONARY, FieldKind};
use tocsin_store::ANY_TEXT;

/// Names that every event has beside the dictionary.
const OWN: [&str; 3] = ["event.id", "event.ingested", "event.original"];

/// How far a name may be from a known one to be taken for a slip, in edits.
const SLIP_EDITS_MAX: usize = 1;

/// What values a field takes in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Exact text; also fields that the dictionary does not know.
    Keyword,
    /// Words.
    Text,
    Number,
    Address,
    Date,
    /// `event.id`.
    Id,
}

/// The kind of a field.
pub(crate) fn kind_of(name: &str) -> Kind {
    match name {
        "event.id" => return Kind::Id,
        "event.ingested" => return Kind::Date,
        "event.original" | ANY_TEXT => return Kind::Text,
        _ => {}
    }
    match FieldId::lookup(name).and_then(FieldId::spec).map(|spec| spec.kind) {
        Some(FieldKind::Text) => Kind::Text,
        Some(FieldKind::Long) => Kind::Number,
        Some(FieldKind::Ip) => Kind::Address,
        Some(FieldKind::Date) => Kind::Date,
        Some(
            FieldKind::Keyword | FieldKind::Wildcard | FieldKind::Object | FieldKind::Flattened,
        )
        | None => Kind::Keyword,
    }
}

/// Names of the dictionary and of every event.
pub(crate) fn known_names() -> impl Iterator<Item = &'static str> {
    DICTIONARY.iter().map(|spec| spec.name).chain(OWN)
}

/// Whether the dictionary or every event has the name, or something below it.
pub(crate) fn is_known(name: &str) -> bool {
    known_names().any(|known| {
        known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The known name that an unknown one was probably meant to be.
pub(crate) fn slip_of(name: &str) -> Option<&'static str> {
    known_names().find(|known| strsim::osa_distance(name, known) <= SLIP_EDITS_MAX)
}

/// The nearest name, for a suggestion.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|known| (strsim::osa_distance(name, known), known))
        .filter(|(edits, known)| *edits <= 2 + known.len() / 8)
        .min()
        .map(|(_, known)| known)
}
