//! Packs: the knowledge that Tocsin ships or its users write, as files under `content/`.
//!
//! In: directories and the packs embedded in the binary. Out: [`Pack`]s with the text of their
//! files, YAML with places ([`yaml::Node`]), [`Diagnostic`]s that name file, line and remedy.
//! Never interprets a rule or a source: `detect` and `parse` do that.

pub mod diagnostic;
pub mod pack;
pub mod yaml;

pub use diagnostic::{Diagnostic, Level};
pub use pack::{FileKind, Pack, PackFile, builtin_packs, read_dir, read_rules};
pub use yaml::Node;
