//! The query language: text → [`Filter`](tocsin_store::Filter), and times as people write them.
//!
//! [`parse`] reads KQL as Kibana documents it, with what it lacks for logs: networks
//! (`source.ip: 10.0.0.0/8`), regular expressions (`url.path ~ "/adm.*"`), and free words that
//! must all occur in message or raw line. Errors name the place and the nearest field. Never
//! touches the store; never reads a clock but in [`parse`].

pub mod elastic;
mod error;
mod fields;
mod literal;
mod parser;
mod print;
mod time;
mod value;

pub use error::QueryError;
pub use parser::{Context, parse, parse_in};
pub use print::print;
pub use time::{TimeRange, parse_time_range};
