//! Getting one feed and reading it: a file, an address, a MISP feed with its manifest, a
//! collection of a TAXII server page by page.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::Value as Json;
use tocsin_enrich::config::{FeedConfig, FeedFormat};
use tocsin_enrich::intel::formats::{self, Reading, Tally};
use tocsin_enrich::intel::{Builder, Index};

use crate::fetch::{Fetcher, accept};

/// The largest feed, bytes, all pages together.
const FEED_BYTES_MAX: usize = 512 * 1024 * 1024;
/// The most pages of a collection, and the most events of a MISP feed.
const PAGES_MAX: usize = 2000;
const DAY: Duration = Duration::from_secs(86_400);
/// How many objects a page is to have; servers send fewer when they want.
const PAGE_OBJECTS: usize = 1000;
const TAXII: &str = "application/taxii+json;version=2.1";

/// What was read.
pub(super) struct Read {
    pub(super) index: Index,
    pub(super) refused: BTreeMap<String, u64>,
}

/// Where a feed comes from, without what may be secret in it.
pub(super) fn shown(config: &FeedConfig) -> String {
    match (&config.url, &config.file) {
        (Some(url), _) => {
            let url = url.split(['?', '#']).next().unwrap_or("");
            match url.split_once("://") {
                Some((scheme, rest)) => {
                    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                    let host = host.rsplit('@').next().unwrap_or(host);
                    format!("{scheme}://{host}/{path}")
                }
                None => url.to_owned(),
            }
        }
        (None, Some(file)) => file.display().to_string(),
        (None, None) => String::new(),
    }
}

/// Gets a feed's text, or texts where it has several.
pub(super) async fn get(config: &FeedConfig) -> Result<Vec<String>, String> {
    if let Some(file) = &config.file {
        return read_file(file, FEED_BYTES_MAX).map(|text| vec![text]);
    }
    let url = config.url.as_deref().unwrap_or("");
    let fetcher = Fetcher::new(config.ca_file.as_deref())?;
    let headers = headers(config)?;
    match config.format {
        FeedFormat::Taxii => taxii(&fetcher, url, headers).await,
        FeedFormat::Misp if url.ends_with('/') => misp(&fetcher, url, &headers).await,
        _ => Ok(vec![text(fetcher.get(url, &headers, FEED_BYTES_MAX).await?)?]),
    }
}

fn read_file(path: &Path, bytes_max: usize) -> Result<String, String> {
    let shown = path.display();
    let about = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    if about.len() > bytes_max as u64 {
        return Err(format!("{shown}: larger than {bytes_max} bytes"));
    }
    text(std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut out = String::new();
        let mut unpacked = std::io::Read::take(
            flate2::read::GzDecoder::new(bytes.as_slice()),
            FEED_BYTES_MAX as u64,
        );
        std::io::Read::read_to_string(&mut unpacked, &mut out)
            .map_err(|error| format!("cannot be unpacked: {error}"))?;
        return Ok(out);
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())
}

fn headers(config: &FeedConfig) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut headers = Vec::new();
    let secret = |path: &Path| {
        let text = std::fs::read_to_string(path);
        text.map(|text| text.trim().to_owned())
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let value = |text: &str| {
        let mut value =
            HeaderValue::from_str(text).map_err(|_| "a header with control characters")?;
        value.set_sensitive(true);
        Ok::<_, &str>(value)
    };
    if let Some(path) = &config.token_file {
        headers.push((AUTHORIZATION, value(&format!("Bearer {}", secret(path)?))?));
    } else if let Some(user) = &config.username {
        let password = config.password_file.as_deref().map(secret).transpose()?.unwrap_or_default();
        let both = BASE64.encode(format!("{user}:{password}"));
        headers.push((AUTHORIZATION, value(&format!("Basic {both}"))?));
    }
    for (name, text) in &config.headers {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("no header: {name:?}"))?;
        headers.push((name, value(text)?));
    }
    Ok(headers)
}

/// All pages of a collection.
async fn taxii(
    fetcher: &Fetcher,
    url: &str,
    mut headers: Vec<(HeaderName, HeaderValue)>,
) -> Result<Vec<String>, String> {
    headers.push(accept(TAXII));
    let objects = format!("{}/objects/", url.trim_end_matches('/').trim_end_matches("/objects"));
    let mut next: Option<String> = None;
    let (mut pages, mut bytes) = (Vec::new(), 0);
    while pages.len() < PAGES_MAX {
        // Some servers want the limit said again with every page.
        let mut page = format!("{objects}?limit={PAGE_OBJECTS}&match%5Btype%5D=indicator");
        if let Some(next) = &next {
            page.push_str("&next=");
            page.extend(reqwest::Url::parse_with_params("http://x/", [("n", next)]).ok().and_then(
                |url| url.query().map(|query| query.trim_start_matches("n=").to_owned()),
            ));
        }
        let got = text(fetcher.get(&page, &headers, FEED_BYTES_MAX - bytes).await?)?;
        bytes += got.len();
        let envelope: Json =
            serde_json::from_str(&got).map_err(|error| format!("no TAXII envelope: {error}"))?;
        let more = envelope.get("more").and_then(Json::as_bool) == Some(true);
        let following = match envelope.get("next") {
            Some(Json::String(next)) => Some(next.clone()),
            Some(Json::Number(next)) => Some(next.to_string()),
            _ => None,
        };
        // What names the next page may stay the same; a page that comes twice is the end.
        let objects = envelope.get("objects").and_then(Json::as_array);
        let over = objects.is_none_or(Vec::is_empty) || pages.last() == Some(&got);
        pages.push(got);
        match following.filter(|_| more && !over) {
            Some(following) => next = Some(following),
            None => break,
        }
    }
    Ok(pages)
}

/// All events that the manifest of a MISP feed names, the newest first.
async fn misp(
    fetcher: &Fetcher,
    url: &str,
    headers: &[(HeaderName, HeaderValue)],
) -> Result<Vec<String>, String> {
    let manifest =
        text(fetcher.get(&format!("{url}manifest.json"), headers, FEED_BYTES_MAX).await?)?;
    let manifest: BTreeMap<String, Json> =
        serde_json::from_str(&manifest).map_err(|error| format!("manifest.json: {error}"))?;
    let age = |about: &Json| {
        let time = about.get("timestamp")?;
        time.as_i64().or_else(|| time.as_str()?.parse().ok())
    };
    let mut events: Vec<(&String, Option<i64>)> =
        manifest.iter().map(|(id, about)| (id, age(about))).collect();
    events.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
    let (mut texts, mut bytes) = (Vec::new(), 0);
    for (id, _) in events.into_iter().take(PAGES_MAX) {
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            continue;
        }
        let got =
            text(fetcher.get(&format!("{url}{id}.json"), headers, FEED_BYTES_MAX - bytes).await?)?;
        bytes += got.len();
        texts.push(got);
    }
    Ok(texts)
}

/// Makes an index of what came.
pub(super) fn read(texts: &[String], config: &FeedConfig) -> Result<Read, String> {
    let now = crate::handle::now();
    let expires = (config.expires_days > 0).then(|| now.plus(DAY * config.expires_days));
    let how = Reading {
        format: config.format,
        kind: config.kind,
        column: config.column.clone(),
        confidence: config.confidence,
        expires,
        now,
    };
    let mut builder = Builder::default();
    let mut tally = Tally::default();
    for text in texts {
        tally.add(formats::read(text, &how, &mut |one| {
            builder.add(&one);
        })?);
    }
    let tally = tally.sound()?;
    let refused = tally.refused.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
    Ok(Read { index: builder.finish(), refused })
}
