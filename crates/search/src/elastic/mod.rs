//! Elasticsearch's query language: JSON → [`Filter`](tocsin_store::Filter) and
//! [`Agg`](tocsin_store::Agg)s, and answers in its form.
//!
//! What is known: `match_all`, `match_none`, `match`, `match_phrase`, `match_phrase_prefix`,
//! `match_bool_prefix`, `multi_match`, `term`, `terms`, `range`, `bool`, `constant_score`,
//! `exists`, `wildcard`, `prefix`, `regexp`, `ids`, `query_string`, `simple_query_string`,
//! `dis_max`, `boosting`, `function_score` without functions, `nested`; the aggregates of
//! [`parse_aggs`]. Anything else is refused by name: a query is never answered in a wider
//! meaning than it was asked in.

mod aggs;
mod composite;
mod dates;
mod hits;
mod lucene;
mod numbers;
mod query;
mod range;
mod render;
mod simple;
mod times;

pub use aggs::{parse_aggs, parse_aggs_of};
pub use hits::{HitForm, Source, parse_formats, parse_names, parse_sort, parse_source, render_hit};
pub use query::parse_query;
pub use render::{Asked, render_aggs};

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
