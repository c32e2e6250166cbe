//! [`Origin`]: whose events these are, and their way into the journal.
//!
//! In: a request's token and address. Out: entries of the journal under the input's name, which
//! has the sender's name after it when tokens are configured (`elasticsearch:web1`). Never takes
//! an event of a sender that has to have a token and has none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tocsin_collect::{DropReason, JournalEntry, KnownSender, Senders};

use crate::app::App;
use crate::error::ApiError;
use crate::query::now;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Where events come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Name of the input in counters and events.
    pub input: Arc<str>,
    /// The source that this sender's events are read with.
    pub source: Option<Arc<str>>,
    /// The sender's address.
    pub peer: Option<IpAddr>,
}

impl Origin {
    /// Of a request to the protocol `input`.
    ///
    /// # Errors
    /// 401 when tokens are configured and the request has none of them.
    pub fn of(app: &App, parts: &Parts, input: &str) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
        let sender = sender(&app.senders, &parts.headers, parts.uri.query());
        let sender = sender.inspect_err(|_| {
            app.handle.inputs.input(input).dropped(DropReason::Unauthorized, 1);
        })?;
        let Some(sender) = sender else {
            return Ok(Self { input: Arc::from(input), source: None, peer });
        };
        let input = Arc::from(format!("{input}:{}", sender.name));
        Ok(Self { input, source: sender.source.clone(), peer })
    }

    /// Puts events (each with its hint) into the journal, and counts them and those `refused`.
    ///
    /// # Errors
    /// When the journal takes nothing now.
    pub async fn store(
        &self,
        app: &App,
        events: impl IntoIterator<Item = (Option<Arc<str>>, Bytes)>,
        refused: usize,
    ) -> Result<(), ApiError> {
        let received = now();
        let entry = |(hint, bytes): (Option<Arc<str>>, Bytes)| JournalEntry {
            input: self.input.clone(),
            hint: hint.or_else(|| self.source.clone()),
            peer: self.peer,
            received,
            bytes,
        };
        let entries: Vec<JournalEntry> = events.into_iter().map(entry).collect();
        let count = entries.len() as u64;
        let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        let counters = app.handle.inputs.input(&self.input);
        if count > 0 {
            app.handle.journal.append(entries).await?;
            counters.received(count, bytes as u64, received);
        }
        counters.dropped(DropReason::Refused, refused as u64);
        Ok(())
    }
}

/// Does work to its end, also when the client is gone meanwhile.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ApiError::busy("tocsin is stopping")),
    }
}

/// The sender that a request's token names; nobody where no tokens are configured.
fn sender<'s>(
    senders: &'s Senders,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Option<&'s KnownSender>, ApiError> {
    if senders.is_empty() {
        return Ok(None);
    }
    let tokens = tokens(headers, query);
    let known = tokens.iter().find_map(|token| senders.of_token(token));
    known.map(Some).ok_or_else(|| {
        let message = match tokens.is_empty() {
            true => "a token is needed: send one of collect.senders as Authorization: Bearer, Splunk or ApiKey, or as the password of Basic",
            false => "the token is not one of collect.senders",
        };
        ApiError::new(StatusCode::UNAUTHORIZED, message)
    })
}

/// Everything in a request that may be a token.
fn tokens(headers: &HeaderMap, query: Option<&str>) -> Vec<String> {
    let mut tokens = Vec::new();
    if let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or(("", value.trim()));
        let rest = rest.trim();
        // Basic has a name before the password, an API key of Elasticsearch an id.
        let pair = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((_, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':'))
            && (scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("apikey"))
        {
            tokens.push(secret.to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            tokens.push(rest.to_owned());
        }
    }
    // As the HEC takes it of those who cannot set headers.
    let named = query.into_iter().flat_map(|query| query.split('&'));
    tokens.extend(named.filter_map(|pair| pair.strip_prefix("token=")).map(str::to_owned));
    tokens
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn tokens_are_found_where_each_protocol_puts_them() {
        let encoded = |text: &str| STANDARD.encode(text);
        let table = [
            ("Splunk abc".to_owned(), None, vec!["abc"]),
            ("Bearer  abc".to_owned(), None, vec!["abc"]),
            ("bearer abc".to_owned(), Some("a=1&token=def"), vec!["abc", "def"]),
            (format!("Basic {}", encoded("x:a:b")), None, vec!["a:b"]),
            (format!("ApiKey {}", encoded("id:key")), None, vec!["key", "aWQ6a2V5"]),
            ("abc".to_owned(), None, vec!["abc"]),
            ("Basic !!".to_owned(), None, vec![]),
        ];
        for (header, query, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&header).unwrap());
            assert_eq!(tokens(&headers, query), expected, "{header}");
        }
    }
}
