//! One conversation with a mail server: connect, secure, log in, hand over one mail. In go the
//! mail and its envelope, out comes the server's answer, or at which step it said no. Never reads
//! more than [`ANSWERS_BYTES_MAX`], and never believes what was said before TLS.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tocsin_model::with_causes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The most bytes read from a server in one conversation; after STARTTLS its handshake counts, too.
pub const ANSWERS_BYTES_MAX: usize = 32 * 1024;
/// How long the server may take to say goodbye; the mail is delivered by then.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// How the connection is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    None,
    Starttls(TlsParameters),
    FromStart(Arc<ClientConfig>, ServerName<'static>),
}

/// Where and how to deliver.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) login: Option<Credentials>,
    pub(super) hello: ClientId,
}

/// At which step a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Tls,
    Login,
    Sender,
    Recipients,
    Content,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipients => "recipients",
            Self::Content => "mail",
        })
    }
}

/// Why there is no delivery.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) step: Step,
    pub(super) code: Option<u16>,
    pub(super) text: String,
}

impl Refusal {
    fn smtp(step: Step) -> impl Fn(SmtpError) -> Self {
        move |error| Self { step, code: error.status().map(u16::from), text: with_causes(&error) }
    }

    fn io(step: Step) -> impl Fn(io::Error) -> Self {
        move |error| Self { step, code: None, text: error.to_string() }
    }
}

/// What became of a mail.
pub(super) struct Accepted {
    pub(super) answer: String,
    /// Recipients that the server refused for good, with its answer; the others have the mail.
    pub(super) refused: Vec<(Address, String)>,
}

impl Server {
    /// Hands over one mail.
    pub(super) async fn deliver(
        &self,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<Accepted, Refusal> {
        let mut connection = self.connect().await?;
        if let Some(login) = &self.login {
            let known = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&known, login).await.map_err(Refusal::smtp(Step::Login))?;
        }
        let refused = introduce(&mut connection, envelope).await?;
        connection.command(Data).await.map_err(Refusal::smtp(Step::Recipients))?;
        let response = connection.message(mail).await.map_err(Refusal::smtp(Step::Content))?;
        // The mail is delivered, whatever happens now.
        let _ = tokio::time::timeout(GOODBYE_MAX, connection.quit()).await;
        Ok(Accepted { answer: answer(&response), refused })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Refusal> {
        let connected = TcpStream::connect((self.host.as_str(), self.port));
        let stream = connected.await.map_err(Refusal::io(Step::Connect))?;
        let greet = |stream: Bounded| {
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello)
        };
        match &self.encryption {
            Encryption::None => {
                let stream = Bounded::new(stream, READ_ANY);
                greet(stream).await.map_err(Refusal::smtp(Step::Connect))
            }
            Encryption::FromStart(config, name) => {
                let connector = TlsConnector::from(config.clone());
                let handshake = connector.connect(name.clone(), stream);
                let stream = handshake.await.map_err(Refusal::io(Step::Tls))?;
                greet(Bounded::new(stream, READ_ANY)).await.map_err(Refusal::smtp(Step::Connect))
            }
            Encryption::Starttls(parameters) => {
                let stream = Bounded::new(stream, READ_SINGLY);
                let mut connection = greet(stream).await.map_err(Refusal::smtp(Step::Connect))?;
                let secured = connection.starttls(parameters.clone(), &self.hello);
                secured.await.map_err(Refusal::smtp(Step::Tls))?;
                Ok(connection)
            }
        }
    }
}

/// Names sender and recipients; which of them are refused for good. An error when that leaves
/// nobody, or when one of them is only refused for now.
async fn introduce(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
) -> Result<Vec<(Address, String)>, Refusal> {
    let mut parameters = Vec::new();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    if addresses.any(|address| !<Address as AsRef<str>>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let text = "the server takes no addresses with other than ASCII characters".to_owned();
            return Err(Refusal { step: Step::Sender, code: None, text });
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = Mail::new(envelope.from().cloned(), parameters);
    connection.command(sender).await.map_err(Refusal::smtp(Step::Sender))?;
    let mut refused = Vec::new();
    let mut last = None;
    for address in envelope.to() {
        let told = connection.command(Rcpt::new(address.clone(), Vec::new())).await;
        match told.map_err(Refusal::smtp(Step::Recipients)) {
            Ok(_) => {}
            Err(refusal) if refusal.code.is_some_and(|code| code >= 500) => {
                refused.push((address.clone(), refusal.text.clone()));
                last = Some(refusal);
            }
            Err(refusal) => return Err(refusal),
        }
    }
    match last {
        Some(refusal) if refused.len() == envelope.to().len() => Err(refusal),
        _ => Ok(refused),
    }
}

fn answer(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

/// Bytes taken from the socket at once: any number of them, or one, so that what comes behind the
/// answer to STARTTLS in plain text stays in the socket, where it spoils the handshake instead of
/// being taken for an answer that came through TLS.
const READ_ANY: usize = usize::MAX;
const READ_SINGLY: usize = 1;

/// A stream that ends with an error when more was read than is good.
#[derive(Debug)]
struct Bounded {
    stream: Box<dyn Stream>,
    left: usize,
    at_once: usize,
}

trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin> Stream for S {}

impl Bounded {
    fn new(stream: impl Stream + 'static, at_once: usize) -> Self {
        Self { stream: Box::new(stream), left: ANSWERS_BYTES_MAX, at_once }
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::Error::other("not known"))
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = self.at_once.min(self.left).min(buffer.remaining());
        if most == 0 && buffer.remaining() > 0 {
            let text = format!("the server said more than {ANSWERS_BYTES_MAX} bytes");
            return Poll::Ready(Err(io::Error::other(text)));
        }
        let unfilled = &mut buffer.initialize_unfilled()[..most];
        let mut part = ReadBuf::new(unfilled);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        self.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
