//! The little HTTP that xtask needs: one question on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest answer read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Body of `GET http://{address}{path}`.
///
/// # Errors
/// When nobody answers, or with anything but 200.
pub fn get(address: &str, path: &str) -> Result<String> {
    get_as(address, path, "application/json")
}

/// GETs a path in a form: `/` is the page for browsers only.
///
/// # Errors
/// When there is no answer, or another one than 200.
pub fn get_as(address: &str, path: &str, accept: &str) -> Result<String> {
    let socket = address.to_socket_addrs()?.next().context("no address")?;
    let mut stream = TcpStream::connect_timeout(&socket, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0, so that the body comes whole and the connection ends with it.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n")?;
    body_of(stream, path)
}

/// Body of the answer to `POST http://{address}{path}` with JSON.
///
/// # Errors
/// When nobody answers in time, or with anything but 200.
pub fn post(address: &str, path: &str, body: &str, timeout: Duration) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    body_of(stream, path)
}

fn body_of(stream: TcpStream, path: &str) -> Result<String> {
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).unwrap_or("");
    if status != "200" {
        bail!("{path} answered {status}: {body}");
    }
    Ok(body.to_owned())
}

/// A port of loopback that nobody uses, for TCP and UDP: the wanted one, or else a free one.
///
/// # Errors
/// When there is none.
pub fn free_port(wanted: u16) -> Result<u16> {
    for port in [wanted, 0, 0, 0, 0] {
        let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) else { continue };
        let port = listener.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1")
}
