//! Tools for trying Tocsin out without a network: [`simulate`] makes realistic traffic with
//! attacks in it, [`catch`] receives the mails and webhooks that alerts become. In: a seed and a
//! start time; or what clients send. Out: log lines; or the messages. Never part of the way from
//! log to alert.

pub mod catch;
