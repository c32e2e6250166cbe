//! [`Filter`] → KQL text that reads back as the same filter.

use tocsin_store::Filter;

/// Writes the filter as a query.
pub fn print(_filter: &Filter) -> String {
    String::new()
}
