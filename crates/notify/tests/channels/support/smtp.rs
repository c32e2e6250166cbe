//! A mail server that behaves as badly as it is told to, and certificates for a good one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// What a command meets.
#[derive(Clone)]
pub enum Reply {
    /// These bytes.
    Say(String),
    /// Nothing, ever.
    Hang,
    /// The end of the connection.
    Close,
    /// These bytes again and again.
    ForEver(String),
}

pub fn say(text: &str) -> Reply {
    Reply::Say(format!("{text}\r\n"))
}

/// What a server with nothing special says. A mail's end comes as the command `.`.
pub fn usual(command: &str) -> Reply {
    let verb = command.split([' ', ':']).next().unwrap().to_ascii_uppercase();
    say(match verb.as_str() {
        "" => "220 here",
        "EHLO" => "250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        "AUTH" => "235 welcome",
        _ => "250 fine",
    })
}

/// The server; ends when dropped.
pub struct RudeMailServer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    mails: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl RudeMailServer {
    /// `reply` is asked for each command, and with an empty one for the greeting.
    pub async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, mails) = (Arc::default(), Arc::default());
        let (commands, contents) = (Arc::clone(&heard), Arc::clone(&mails));
        let serving = async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                serve(stream, &reply, &commands, &contents).await;
            }
        };
        let task = tokio::spawn(serving).abort_handle();
        Self { address, heard, mails, task }
    }

    /// The commands so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Mails that were handed over whole, whatever was said to them.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

impl Drop for RudeMailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    reply: &(impl Fn(&str) -> Reply + Send + Sync),
    heard: &Mutex<Vec<String>>,
    mails: &Mutex<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    let mut command = String::new();
    loop {
        let said = reply(&command);
        if !answer(&mut stream, &said).await {
            return;
        }
        let in_data =
            command == "DATA" && matches!(&said, Reply::Say(text) if text.starts_with("354"));
        if in_data {
            let Some(mail) = read_mail(&mut stream).await else { return };
            mails.lock().unwrap().push(mail);
            command = ".".to_owned();
            continue;
        }
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        command = String::from_utf8_lossy(&line).trim_end().to_owned();
        heard.lock().unwrap().push(command.clone());
    }
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        let read = stream.read_line(&mut mail).await.ok()?;
        if read == 0 {
            return None;
        }
    }
    Some(mail)
}

/// Whether the conversation goes on.
async fn answer(stream: &mut BufReader<TcpStream>, said: &Reply) -> bool {
    match said {
        Reply::Say(text) => stream.write_all(text.as_bytes()).await.is_ok(),
        Reply::Close => false,
        Reply::Hang => {
            // Until the client goes.
            let mut rest = Vec::new();
            while stream.read_until(b'\n', &mut rest).await.unwrap_or(0) > 0 {
                rest.clear();
            }
            false
        }
        Reply::ForEver(text) => {
            while stream.write_all(text.as_bytes()).await.is_ok() {}
            false
        }
    }
}

/// A certificate authority in a file and a server's certificate by it.
pub fn certificates(dir: &std::path::Path, name: &str) -> (PathBuf, Arc<ServerConfig>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap();

    let ca_file = dir.join("ca.pem");
    std::fs::write(&ca_file, root.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], private)
        .unwrap();
    (ca_file, Arc::new(config))
}
