//! The catcher on real sockets: files, `GET /messages`, numbering, refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::time::Duration;

use tocsin_simulate::catch::{CatchOptions, Catcher, Caught};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(address: std::net::SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

const MAIL: &str = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: hi\r\n\r\n\
    ..dot\r\n.\r\nQUIT\r\n";

#[tokio::test]
async fn messages_are_listed_and_written_to_files_numbered_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mail-0007.eml"), "older").unwrap();
    let options = CatchOptions {
        dir: Some(dir.path().to_owned()),
        status: 503,
        ..CatchOptions::on_free_ports()
    };
    let catcher = Catcher::start(options).await.unwrap();
    let (smtp, http) = (catcher.smtp_addr().unwrap(), catcher.http_addr().unwrap());

    assert!(ask(smtp, MAIL).await.contains("caught as mail-0008"));
    let post =
        "POST /hook HTTP/1.1\r\nX-A: b\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert!(ask(http, post).await.starts_with("HTTP/1.1 503 "));
    catcher.set_status(204);
    assert!(ask(http, post).await.starts_with("HTTP/1.1 204 "));
    assert!(catcher.wait_until(PATIENCE, |messages| messages.len() == 3).await);

    let listed = ask(http, "GET /messages HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let listed: serde_json::Value =
        serde_json::from_str(listed.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(listed[0]["kind"], "mail");
    assert_eq!(listed[0]["subject"], "hi");
    assert_eq!(listed[0]["text"], ".dot\n");
    assert_eq!(listed[1]["body"]["a"], 1);
    assert_eq!(listed[1]["status"], 503);
    assert_eq!(listed.as_array().unwrap().len(), 3);

    let eml = std::fs::read(dir.path().join("mail-0008.eml")).unwrap();
    assert_eq!(eml, b"Subject: hi\r\n\r\n.dot\r\n");
    let file = std::fs::read(dir.path().join("http-0002.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["path"], "/hook");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "no unfinished file is left");

    catcher.set_mail_code(451);
    assert!(ask(smtp, MAIL).await.contains("\r\n451 "));
    assert_eq!(catcher.mails().len(), 1);
    let Caught::Mail(mail) = &catcher.messages()[0] else { panic!("a mail came first") };
    assert_eq!(mail.header("SUBJECT"), "hi");
    assert!(ask(http, "DELETE /messages HTTP/1.0\r\n\r\n").await.contains("cleared"));
    assert!(catcher.messages().is_empty());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let options = CatchOptions { http: first.http_addr(), ..CatchOptions::default() };
    let error = Catcher::start(options).await.unwrap_err().to_string();
    assert!(error.contains(&first.http_addr().unwrap().to_string()), "{error}");
}
