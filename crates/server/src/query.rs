//! Reads query parameters: refuses names it does not know, takes an empty value for an absent
//! one, and names the parameter in every refusal.

use std::fmt::Display;
use std::str::FromStr;
use std::time::SystemTime;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tocsin_model::{AlertStatus, Disposition, Severity, Timestamp};

use crate::error::ApiError;

/// The query of a request as a struct of texts; unknown names are refused when the struct says
/// `deny_unknown_fields`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(ApiError::bad_request(error.body_text())),
        }
    }
}

/// The time now.
pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// The text of a parameter; `None` when it is absent or empty.
pub fn given(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|text| !text.is_empty())
}

/// A number of rows up to `max`.
pub fn limit(value: &Option<String>, default: usize, max: usize) -> Result<usize, ApiError> {
    let Some(text) = given(value) else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(ApiError::bad_request(format!("limit must be 0 to {max}, not {text:?}"))),
    }
}

/// A point in time: RFC 3339.
pub fn time(name: &str, value: &Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    match Timestamp::parse_rfc3339(text) {
        Some(time) => Ok(Some(time)),
        None => Err(ApiError::bad_request(format!(
            "{name} must be a time like 2026-11-21T08:00:00Z, not {text:?}"
        ))),
    }
}

/// From and to: either given as such, or `last` (`15m`, `24h`, …).
pub fn span(
    last: &Option<String>,
    from: &Option<String>,
    to: &Option<String>,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let (from, to) = (time("from", from)?, time("to", to)?);
    let Some(last) = given(last) else { return Ok((from, to)) };
    if from.is_some() || to.is_some() {
        return Err(ApiError::bad_request("give either last, or from and to"));
    }
    let range = tocsin_search::parse_time_range(last, now)
        .map_err(|error| ApiError::bad_request(format!("last: {error}")))?;
    Ok((range.from, range.to))
}

/// Words separated by commas, in any letter case.
pub fn words<T>(
    name: &str,
    value: &Option<String>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, ApiError> {
    let text = given(value).unwrap_or("");
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| read(&word.to_ascii_lowercase()).map_err(|error| refuse(name, &error)))
        .collect()
}

/// One severity.
pub fn severity(word: &str) -> Result<Severity, String> {
    Severity::from_str(word)
}

/// One status.
pub fn status(word: &str) -> Result<AlertStatus, String> {
    match word {
        "new" => Ok(AlertStatus::New),
        "acknowledged" => Ok(AlertStatus::Acknowledged),
        "closed" => Ok(AlertStatus::Closed),
        _ => Err(format!("unknown status {word:?}, use new, acknowledged or closed")),
    }
}

/// One disposition.
pub fn disposition(word: &str) -> Result<Disposition, String> {
    Disposition::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = Disposition::ALL.into_iter().map(Disposition::as_str).collect();
        format!("unknown disposition {word:?}, use {}", words.join(", "))
    })
}

fn refuse(name: &str, error: &dyn Display) -> ApiError {
    ApiError::bad_request(format!("{name}: {error}"))
}
