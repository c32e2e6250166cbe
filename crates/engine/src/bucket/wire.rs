//! [`Wire`]: signed requests to a bucket, tried again where that can help, and what its answers
//! mean for people.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{CONTENT_LENGTH, ETAG, IF_MATCH, RANGE};
use reqwest::{StatusCode, Url};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use tocsin_model::with_causes;

use crate::config::S3Config;

/// For how long a signed address is good.
pub(super) const SIGNED_FOR: Duration = Duration::from_secs(900);
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a piece may take to come.
const PIECE_MAX: Duration = Duration::from_secs(120);
/// How long a bucket is left alone that could not be reached.
const ALONE: Duration = Duration::from_secs(15);
/// How often a request is tried that the other side could not answer just now, and the pause
/// before the second try; it doubles.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);
/// The most of an answer that is read for its sense, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most of it that is shown, characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Sends requests.
pub(super) struct Wire {
    config: S3Config,
    client: OnceLock<Result<Client, String>>,
    away: Mutex<Option<(Instant, String)>>,
}

/// What came back.
pub(super) struct Answer {
    pub bytes: Option<u64>,
    pub tag: Option<String>,
    pub body: String,
}

/// Why a try failed.
struct Failure {
    kind: io::ErrorKind,
    why: String,
    /// The next try may do better.
    passes: bool,
    /// Nobody answered.
    away: bool,
}

impl Failure {
    fn new(kind: io::ErrorKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), passes: false, away: false }
    }
}

impl Wire {
    pub(super) fn new(config: &S3Config) -> Self {
        Self { config: config.clone(), client: OnceLock::new(), away: Mutex::default() }
    }

    /// Names the bucket.
    pub(super) fn address(&self) -> String {
        format!("{}/{}", self.config.endpoint.trim_end_matches('/'), self.config.bucket)
    }

    /// Names a place in it, for people.
    pub(super) fn place(&self, prefix: &str) -> String {
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{}{slash}{prefix}", self.address())
    }

    /// A request without a body whose answer has none, `HEAD`.
    pub(super) fn ask(
        &self,
        time_max: Duration,
        sign: impl Fn(&Bucket, &Credentials) -> Url,
    ) -> io::Result<Answer> {
        self.tried(&sign, |client, url| answer_of(client.head(url).timeout(time_max)))
    }

    /// `PUT`, or `POST` without a body.
    pub(super) fn send(
        &self,
        time_max: Duration,
        body: Bytes,
        sign: impl Fn(&Bucket, &Credentials) -> Url,
    ) -> io::Result<Answer> {
        self.tried(&sign, |client, url| {
            let starts_parts = url.query_pairs().any(|(name, _)| name == "uploads");
            let request = if starts_parts { client.post(url) } else { client.put(url) };
            answer_of(request.timeout(time_max).body(body.clone()))
        })
    }

    /// Puts parts together.
    pub(super) fn complete(&self, key: &str, id: &str, tags: &[String]) -> io::Result<()> {
        let tags = || tags.iter().map(String::as_str);
        let (bucket, _) = self.signer().map_err(|failure| Self::explain(&failure))?;
        let body = bucket.complete_multipart_upload(None, key, id, tags()).body();
        let sign = |bucket: &Bucket, credentials: &Credentials| {
            bucket.complete_multipart_upload(Some(credentials), key, id, tags()).sign(SIGNED_FOR)
        };
        self.tried(&sign, |client, url| {
            let answer = answer_of(client.post(url).timeout(PIECE_MAX).body(body.clone()))?;
            // Says no with 200 when it took long to find out.
            match between(&answer.body, "<Code>", "</Code>") {
                None => Ok(()),
                Some(code) => Err(Failure::new(io::ErrorKind::Other, code)),
            }
        })
    }

    /// Removes something; what is not there is removed already.
    pub(super) fn delete(&self, sign: impl Fn(&Bucket, &Credentials) -> Url) -> io::Result<()> {
        let done = self.tried(&sign, |client, url| {
            answer_of(client.delete(url).timeout(PIECE_MAX)).map(|_| ())
        });
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// These bytes of an object, of this version where one is given.
    pub(super) fn get(&self, key: &str, tag: Option<&str>, range: Range<u64>) -> io::Result<Bytes> {
        let wanted = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let sign = |bucket: &Bucket, credentials: &Credentials| {
            bucket.get_object(Some(credentials), key).sign(SIGNED_FOR)
        };
        self.tried(&sign, |client, url| {
            let mut request = client.get(url).timeout(PIECE_MAX);
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
            if let Some(tag) = tag {
                request = request.header(IF_MATCH, tag);
            }
            let response = checked(request)?;
            if response.status() != StatusCode::PARTIAL_CONTENT && range.start > 0 {
                let why = "it does not give parts of objects (Range)";
                return Err(Failure::new(io::ErrorKind::Unsupported, why));
            }
            let bytes = body_of(response, wanted)?;
            if bytes.len() == wanted {
                Ok(bytes)
            } else {
                Err(Failure::new(io::ErrorKind::UnexpectedEof, "an answer of another length"))
            }
        })
    }

    /// What signs. Keys are read every time, so that they can be changed meanwhile.
    fn signer(&self) -> Result<(Bucket, Credentials), Failure> {
        let wrong = |why: String| Failure::new(io::ErrorKind::InvalidInput, why);
        let S3Config { endpoint, bucket, region, path_style, .. } = &self.config;
        let url: Url = endpoint
            .parse()
            .map_err(|error| wrong(format!("store.archive.s3.endpoint: {error}")))?;
        let style = if *path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(url, style, bucket.clone(), region.clone())
            .map_err(|error| wrong(format!("store.archive.s3.endpoint: {error}")))?;
        Ok((bucket, credentials(&self.config).map_err(wrong)?))
    }

    fn client(&self) -> Result<&Client, Failure> {
        let made = self.client.get_or_init(|| {
            let tls = tocsin_notify::tls_client(self.config.ca_file.as_deref())
                .map_err(|error| format!("store.archive.s3: {error}"))?;
            Client::builder()
                .tls_backend_preconfigured(tls)
                .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_MAX)
                // A redirection would take signed requests elsewhere; the error names the place.
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(|error| with_causes(&error.without_url()))
        });
        made.as_ref().map_err(|why| Failure::new(io::ErrorKind::InvalidInput, why.as_str()))
    }

    fn tried<T>(
        &self,
        sign: &dyn Fn(&Bucket, &Credentials) -> Url,
        ask: impl Fn(&Client, Url) -> Result<T, Failure>,
    ) -> io::Result<T> {
        let away = || self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, why)) = &*away()
            && *until > Instant::now()
        {
            return Err(Self::explain(&Failure::new(io::ErrorKind::NotConnected, why.as_str())));
        }
        let mut pause = PAUSE;
        for attempt in 1.. {
            let done = self
                .signer()
                .and_then(|(bucket, credentials)| ask(self.client()?, sign(&bucket, &credentials)));
            match done {
                Ok(value) => {
                    *away() = None;
                    return Ok(value);
                }
                Err(failure) if failure.passes && attempt < TRIES => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                Err(failure) => {
                    if failure.away {
                        *away() = Some((Instant::now() + ALONE, failure.why.clone()));
                    }
                    return Err(Self::explain(&failure));
                }
            }
        }
        Err(io::Error::other("not tried"))
    }

    /// Names the remedy; who asked names the place.
    fn explain(failure: &Failure) -> io::Error {
        let remedy = match failure.kind {
            io::ErrorKind::PermissionDenied => {
                "; check the keys (store.archive.s3), and that they may read, write and delete there"
            }
            io::ErrorKind::NotConnected => "; it is tried again",
            _ => "",
        };
        io::Error::new(failure.kind, format!("{}{remedy}", failure.why))
    }
}

/// The keys: from files, or from the variables that all programs for S3 know.
fn credentials(config: &S3Config) -> Result<Credentials, String> {
    let read = |file: Option<&Path>, key: &str, variable: &str| match file {
        Some(path) => std::fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .map_err(|error| format!("store.archive.s3.{key} {}: {error}", path.display())),
        None => std::env::var(variable).map_err(|_| {
            format!("no key: set store.archive.s3.{key} or the environment variable {variable}")
        }),
    };
    let key = read(config.access_key_file.as_deref(), "access_key_file", "AWS_ACCESS_KEY_ID")?;
    let secret =
        read(config.secret_key_file.as_deref(), "secret_key_file", "AWS_SECRET_ACCESS_KEY")?;
    let own_files = config.access_key_file.is_some();
    Ok(match std::env::var("AWS_SESSION_TOKEN") {
        Ok(token) if !own_files && !token.is_empty() => {
            Credentials::new_with_token(key, secret, token)
        }
        _ => Credentials::new(key, secret),
    })
}

/// Sends a request; an answer that says no is a failure.
fn checked(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().map_err(|error| {
        let away = error.is_connect() || error.is_timeout();
        let passes = !away;
        // The address is signed.
        let why = with_causes(&error.without_url());
        Failure { kind: io::ErrorKind::NotConnected, why, passes, away }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = body_of(response, ANSWER_BYTES_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let part = |start, end| between(&text, start, end).unwrap_or_default();
    let (code, said) = (part("<Code>", "</Code>"), part("<Message>", "</Message>"));
    let said: String = format!("{code} {said}").trim().chars().take(SHOWN_CHARS_MAX).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    let kind = match status {
        StatusCode::NOT_FOUND => io::ErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    Err(Failure {
        passes: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        ..Failure::new(kind, format!("answers {status}{colon}{}", said.escape_debug()))
    })
}

fn answer_of(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = checked(request)?;
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let bytes = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let tag = header(ETAG);
    let body = body_of(response, ANSWER_BYTES_MAX)?;
    Ok(Answer { bytes, tag, body: String::from_utf8_lossy(&body).into_owned() })
}

/// The body, of which no more than this is wanted.
fn body_of(mut response: Response, bytes_max: usize) -> Result<Bytes, Failure> {
    use io::Read;
    let mut body = Vec::new();
    let mut part = Read::by_ref(&mut response).take(bytes_max as u64 + 1);
    part.read_to_end(&mut body).map_err(|error| Failure {
        passes: true,
        ..Failure::new(io::ErrorKind::UnexpectedEof, error.to_string())
    })?;
    if body.len() > bytes_max {
        return Err(Failure::new(io::ErrorKind::InvalidData, "a longer answer than was asked for"));
    }
    Ok(body.into())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}
