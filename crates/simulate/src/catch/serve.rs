//! Joins the two state machines to sockets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::http::{HttpDecoder, HttpRequest, HttpStep};
use super::smtp::{SmtpRules, SmtpSession, SmtpStep, accepted};
use super::{CAUGHT_BYTES_MAX, Shared};

/// How long a client may stay silent.
const IDLE_MAX: Duration = Duration::from_secs(300);
const READ_BYTES: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Accepts SMTP connections until aborted.
pub(super) async fn smtp(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(smtp_connection(stream, shared.clone())); }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Accepts HTTP connections until aborted.
pub(super) async fn http(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(http_connection(stream, shared.clone())); }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn smtp_connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let options = &shared.options;
    let acceptor = options.tls.clone().map(TlsAcceptor::from);
    let rules = SmtpRules {
        starttls: acceptor.is_some() && !options.tls_from_start,
        login: options.login.clone(),
        mail_code: shared.mail_code.load(Ordering::Relaxed),
        ..SmtpRules::default()
    };
    let from_start = options.tls_from_start;
    let mut stream: Box<dyn Stream> = match &acceptor {
        Some(acceptor) if from_start => Box::new(acceptor.accept(stream).await?),
        _ => Box::new(stream),
    };
    let mut session = SmtpSession::new(rules, from_start && acceptor.is_some());
    stream.write_all(SmtpSession::greeting().as_bytes()).await?;
    loop {
        match smtp_until_tls(&mut stream, &mut session, &shared).await? {
            After::Close => return Ok(()),
            After::StartTls => {
                let Some(acceptor) = &acceptor else { return Ok(()) };
                stream = Box::new(acceptor.accept(stream).await?);
                session.secured();
            }
        }
    }
}

enum After {
    Close,
    StartTls,
}

async fn smtp_until_tls(
    stream: &mut Box<dyn Stream>,
    session: &mut SmtpSession,
    shared: &Shared,
) -> io::Result<After> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = read(stream, &mut buffer).await?;
        if read == 0 {
            return Ok(After::Close);
        }
        for step in session.feed(&buffer[..read]) {
            match step {
                SmtpStep::Reply(text) => stream.write_all(text.as_bytes()).await?,
                SmtpStep::Mail(envelope) => {
                    let text = match shared.caught.add_mail(envelope) {
                        Ok(name) => accepted(&name),
                        Err(error) => format!("451 4.3.0 cannot keep it: {error}\r\n"),
                    };
                    stream.write_all(text.as_bytes()).await?;
                }
                SmtpStep::StartTls => {
                    stream.flush().await?;
                    return Ok(After::StartTls);
                }
                SmtpStep::Close => {
                    stream.shutdown().await?;
                    return Ok(After::Close);
                }
            }
        }
        stream.flush().await?;
    }
}

async fn http_connection(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let mut decoder = HttpDecoder::new(CAUGHT_BYTES_MAX);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = read(&mut stream, &mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        for step in decoder.feed(&buffer[..read]) {
            let (answer, close) = match step {
                HttpStep::Continue => ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), false),
                HttpStep::Refuse(status, reason) => {
                    (response(status, &json!({ "error": reason }), true), true)
                }
                HttpStep::Request(request) => {
                    let close = request.close;
                    (answer(request, &shared), close)
                }
            };
            stream.write_all(answer.as_bytes()).await?;
            if close {
                return stream.shutdown().await;
            }
        }
        stream.flush().await?;
    }
}

fn answer(request: HttpRequest, shared: &Shared) -> String {
    let path = request.path.split('?').next().unwrap_or("");
    match (request.method.as_str(), path) {
        ("GET", "/messages") => response(200, &json!(shared.caught.all()), request.close),
        ("DELETE", "/messages") => {
            shared.caught.clear();
            response(200, &json!({ "cleared": true }), request.close)
        }
        _ => {
            let status = shared.status.load(Ordering::Relaxed);
            let close = request.close;
            match shared.caught.add_http(request, status) {
                Ok(name) => response(status, &json!({ "caught": name }), close),
                Err(error) => response(500, &json!({ "error": error.to_string() }), close),
            }
        }
    }
}

fn response(status: u16, body: &serde_json::Value, close: bool) -> String {
    // These have no body by definition; one would be read as the start of the next answer.
    let bodiless = status == 204 || status == 304 || status < 200;
    let body = if bodiless { String::new() } else { format!("{body}\n") };
    let length =
        if bodiless { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let close = if close { "Connection: close\r\n" } else { "" };
    let reason = reason(status);
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{length}{close}\r\n{body}"
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "As Asked",
    }
}

async fn read(stream: &mut Box<dyn Stream>, buffer: &mut [u8]) -> io::Result<usize> {
    match tokio::time::timeout(IDLE_MAX, stream.read(buffer)).await {
        Ok(read) => read,
        Err(_) => Ok(0),
    }
}
