//! Record → Event: takes the frame off a line (syslog, journal, JSON, container wrappers), finds
//! the source that wrote the body, and reads it into flat ECS fields as that source's definition
//! in `content/*/sources/*/source.yml` says.
//!
//! In: packs, [`tocsin_model::Record`]s. Out: exactly one [`tocsin_model::Event`] for each
//! record, whatever its bytes. Never reads a clock, disk or network, never fails, never takes
//! more than linear time.

mod decode;
mod document;
mod envelope;
mod flatten;
mod frame;
mod grok;
mod headers;
mod options;
mod parser;
mod pass;
mod route;
mod samples;
mod shapes;
mod source;
mod text;
mod time;
mod worker;

pub use document::sources_markdown;
pub use envelope::wrap::events_in;
pub use flatten::{Dropped, Flattener, JsonError, flatten_json};
pub use headers::NamedColumns;
pub use options::{FIELDS_MAX, LINE_BYTES_MAX, LIST_ITEMS_MAX, Limits, NESTING_MAX, Options};
pub use parser::{Parser, SourceMeta};
pub use samples::{SAMPLES_RECEIVED, SampleReport, check_samples, sample_events};
pub use shapes::{SHAPE_SAMPLE_BYTES_MAX, SHAPE_SAMPLES_MAX, SHAPES_MAX, Shape, Shapes, shape};
pub use source::definition;
pub use worker::{Counters, Doubts, Explained, Worker};
