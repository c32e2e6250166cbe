//! Channels against the real catcher and against servers that behave badly: what arrives, what is
//! tried again, and what people are told of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

mod alert_log;
mod answers;
mod clock;
mod delivery;
mod escalation;
mod https;
mod judges;
mod kafka;
mod limits;
mod mail;
mod mail_answers;
mod mail_server;
mod names;
mod payloads;
mod pubsub;
mod schema;
mod secrets;
mod services;
