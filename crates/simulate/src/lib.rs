//! Tools for trying Tocsin out without a network: [`traffic`] makes realistic logs with attacks
//! in them, [`send`] sends them somewhere, and [`catch`] receives the mails and webhooks that
//! alerts become. In: a seed and a start time; or what clients send. Out: log lines; or the
//! messages. Never part of the way from log to alert.

pub mod catch;
pub mod send;
pub mod traffic;
