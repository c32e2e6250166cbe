//! The commands, one file each.

pub mod run;
pub mod scan;
pub mod parse;
pub mod check;
pub mod config;
pub mod notify;
pub mod simulate;
pub mod catch;
pub mod import;
pub mod explain;
pub mod rules;
