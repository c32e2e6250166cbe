//! The commands, one file each.

pub mod alerts;
pub mod backtest;
pub mod backup;
pub mod ban;
pub mod catch;
pub mod check;
pub mod config;
pub mod exception;
pub mod explain;
pub mod export;
pub mod geoip;
pub mod import;
pub mod intel;
pub mod new;
pub mod notify;
pub mod parse;
pub mod risk;
pub mod rules;
pub mod run;
pub mod scan;
pub mod search;
pub mod silence;
pub mod simulate;
pub mod sources;
