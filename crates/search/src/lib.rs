//! The query language: text → [`Filter`] (`tocsin_store`), and time ranges as people write them.
//!
//! [`parse`] reads KQL as Kibana documents it, plus CIDR on addresses and `/regex/`. Errors name
//! the place and the nearest field. Never touches the store.

mod kql;
mod print;
mod time_range;

pub use kql::{QueryError, parse, parse_at};
pub use print::print;
pub use time_range::{TimeRange, parse_time_range};
