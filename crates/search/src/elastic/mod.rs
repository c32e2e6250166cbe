//! Elasticsearch's query language: JSON → [`Filter`](tocsin_store::Filter) and
//! [`Agg`](tocsin_store::Agg)s, and answers in its form.
//!
//! What is known: `match_all`, `match_none`, `match`, `match_phrase`, `match_phrase_prefix`,
//! `match_bool_prefix`, `multi_match`, `term`, `terms`, `range`, `bool`, `constant_score`,
//! `exists`, `wildcard`, `prefix`, `regexp`, `ids`, `query_string`, `simple_query_string`; the
//! aggregates `date_histogram`, `histogram`, `terms`, `range`, `filters`, `filter`,
//! `cardinality`, `stats`, `extended_stats`, `avg`, `sum`, `min`, `max`, `value_count`,
//! `percentiles`. Anything else is refused by name: a query is never answered in a wider
//! meaning than it was asked in.

mod aggs;
mod lucene;
mod query;

pub use aggs::{Asked, parse_aggs, render_aggs};
pub use query::parse_query;

/// What is wrong with a request, and in which part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ElasticError {
    /// Where in the body: `query.bool.must`.
    pub path: String,
    /// What is wrong, with what is known instead.
    pub message: String,
}

impl ElasticError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

type Result<T> = std::result::Result<T, ElasticError>;

/// A field as it is called here: `user.name.keyword` of dynamic mappings is `user.name`.
pub fn field_name(name: &str) -> &str {
    match name {
        "_id" => "event.id",
        "_source" | "_all" | "*" => tocsin_store::ANY_TEXT,
        _ => match name.strip_suffix(".keyword") {
            Some(base) if !crate::fields::is_known(name) => base,
            _ => name,
        },
    }
}
