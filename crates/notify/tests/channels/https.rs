//! HTTPS: only a server that shows the right certificate is told anything.

use serde_json::{Value as Json, json};
use tocsin_notify::try_out;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::one_channel;
use crate::support::smtp::certificates;

/// Takes every request there is; its certificate is for this name.
async fn server(dir: &std::path::Path, name: &str) -> (std::path::PathBuf, u16) {
    let (ca, tls) = certificates(dir, name);
    let acceptor = TlsAcceptor::from(tls);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One who does not trust us goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 65_536];
            let _ = stream.read(&mut buffer).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\ntaken";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (ca, port)
}

#[tokio::test]
async fn a_certificate_that_does_not_match_is_told_and_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, port) = server(dir.path(), "localhost").await;
    let channel = |kind: &str, host: &str, ca: Option<&std::path::Path>| -> Json {
        let mut channel = json!({
            "type": kind, "url": format!("https://{host}:{port}/hook/secret-of-mine"),
            "timeout_seconds": 5, "ca_file": ca,
        });
        if kind == "pagerduty" {
            channel["token"] = json!("R0UTING-KEY");
        }
        channel
    };
    for kind in ["webhook", "slack", "pagerduty"] {
        let right = one_channel(channel(kind, "localhost", Some(&ca)));
        let told = try_out(&right, "ops", dir.path()).await.unwrap();
        assert!(told.starts_with("200 OK"), "{told}");
        for (host, ca, expected) in [
            ("127.0.0.1", Some(ca.as_path()), "not valid for name"),
            ("localhost", None, "UnknownIssuer"),
        ] {
            let wrong = one_channel(channel(kind, host, ca));
            let told = try_out(&wrong, "ops", dir.path()).await.unwrap_err().to_string();
            assert!(told.contains(expected) && !told.contains("secret-of-mine"), "{told}");
        }
    }
}
