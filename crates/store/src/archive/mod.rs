//! Events as rows of Parquet files, packed with zstd: for DuckDB, Spark, pandas and others, and
//! for Tocsin itself, which reads back exactly the events that it wrote.
//!
//! A column for every field of the dictionary that the events have (numbers as numbers, a list of
//! several values as JSON), the raw line, and `_rest`: as JSON what the dictionary does not know or
//! what is no number where one belongs. Times to the microsecond. A file that is to be read back
//! has four columns more, which cost little: `_nanos` and `_ingested_nanos` with what is left of
//! the times, `_shape` with the order and types of the fields, and `_exact` with the few events
//! that all this does not hold.

mod reader;
mod shape;
pub mod shelf;
mod table;

pub(crate) use reader::{Group, Opened, Wanted};
pub use table::{RowWriter, Rows};

use blake3::Hasher;
use tocsin_model::{Event, Value};

/// Names of columns that are no fields.
const TIME: &str = "@timestamp";
const RECEIVED: &str = "event.ingested";
const ID: &str = "event.id";
const ORIGINAL: &str = "event.original";
const REST: &str = "_rest";
const NANOS: &str = "_nanos";
const RECEIVED_NANOS: &str = "_ingested_nanos";
const SHAPE: &str = "_shape";
const EXACT: &str = "_exact";

/// Adds everything that an event says to a digest.
pub(crate) fn digest(hasher: &mut Hasher, event: &Event) {
    let head = [event.id.stream, event.id.offset, event.time.0 as u64, event.received.0 as u64];
    head.iter().for_each(|number| put(hasher, &number.to_le_bytes()));
    put(hasher, event.original().as_bytes());
    put(hasher, &(event.len() as u64).to_le_bytes());
    for (id, value) in event.iter() {
        put(hasher, id.name().as_bytes());
        digest_value(hasher, value);
    }
}

fn put(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn digest_value(hasher: &mut Hasher, value: Value<'_>) {
    match value {
        Value::Null => put(hasher, b"n"),
        Value::Object => put(hasher, b"o"),
        Value::Bool(flag) => put(hasher, &[b'b', u8::from(flag)]),
        Value::Int(number) => put(hasher, &number.to_le_bytes()),
        Value::UInt(number) => {
            put(hasher, b"u");
            put(hasher, &number.to_le_bytes());
        }
        Value::Float(number) => {
            put(hasher, b"f");
            put(hasher, &number.to_bits().to_le_bytes());
        }
        Value::Str(text) => {
            put(hasher, b"s");
            put(hasher, text.as_bytes());
        }
        Value::List(list) => {
            put(hasher, b"l");
            put(hasher, &(list.len() as u64).to_le_bytes());
            list.iter().for_each(|item| digest_value(hasher, item));
        }
    }
}
