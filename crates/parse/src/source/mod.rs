//! Sources: what a `source.yml` says, compiled to a [`plan::Plan`] and run over a body.

pub(crate) mod compile;
pub mod definition;
pub(crate) mod dispatch;
pub(crate) mod lazy;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod sink;
