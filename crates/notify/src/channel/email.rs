//! E-mail over SMTP: plain text and HTML, with a Message-ID that repeats when a delivery is tried
//! again, so that mailboxes can drop the second one.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::Message as Mail;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;

use super::{Failure, SendError, redact, tls};
use crate::config::{EmailConfig, MailTls};
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::{Message, clean};

mod connection;
mod text;

use connection::{Accepted, Encryption, Refusal, Server, Step};

/// The most of a server's answer that is shown, in characters.
const ANSWER_CHARS_MAX: usize = 300;

pub(crate) struct EmailChannel {
    server: Server,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    /// What must not be seen in answers.
    secrets: Vec<String>,
}

impl EmailChannel {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(why);
        let host = config.host.trim().to_owned();
        if host.is_empty() {
            return Err(wrong("host is missing; give the mail server's name".to_owned()));
        }
        let mailbox = |key: &str, text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| wrong(format!("{key}: {text:?} is not an address: {error}")))
        };
        let from = mailbox("from", &config.from)?;
        let to: Vec<Mailbox> =
            config.to.iter().map(|to| mailbox("to", to)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(wrong("to is empty; give at least one address".to_owned()));
        }
        let (encryption, default_port) = encryption(config)?;
        let login = login(config)?;
        let secrets = login.as_ref().map(secrets).unwrap_or_default();
        let server = Server {
            host,
            port: config.port.unwrap_or(default_port),
            encryption,
            login: login
                .map(|(user, password)| Credentials::new(user, password.reveal().to_owned())),
            hello: ClientId::default(),
        };
        Ok(Self { server, from, to, timeout: super::timeout(config.timeout_seconds), secrets })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let mail = self.compose(message, SystemTime::now()).map_err(|error| SendError {
            kind: Failure::Message,
            answer: format!("the mail could not be written: {error}"),
        })?;
        let formatted = mail.formatted();
        let delivery = self.server.deliver(mail.envelope(), &formatted);
        match tokio::time::timeout(self.timeout, delivery).await {
            Ok(Ok(accepted)) => Ok(self.shown(&self.all_told(accepted))),
            Ok(Err(refusal)) => {
                Err(SendError { kind: judge(&refusal), answer: self.shown(&said(&refusal)) })
            }
            Err(_) => {
                let seconds = self.timeout.as_secs();
                Err(SendError::channel(format!("no answer within {seconds} seconds")))
            }
        }
    }

    /// The answer, with the recipients that the server does not want.
    fn all_told(&self, accepted: Accepted) -> String {
        let mut answer = accepted.answer;
        for (address, why) in accepted.refused {
            let why = self.shown(&why);
            tracing::warn!("mail to {address} is refused, the other recipients have it: {why}");
            answer.push_str(&format!("; but not to {address}: {why}"));
        }
        answer
    }

    fn shown(&self, answer: &str) -> String {
        clean(&redact(answer, &self.secrets), ANSWER_CHARS_MAX)
    }

    fn compose(
        &self,
        message: &Message,
        now: SystemTime,
    ) -> Result<Mail, Box<dyn std::error::Error + Send + Sync>> {
        // A Message-ID has to be ASCII.
        let domain = Some(self.from.email.domain()).filter(|domain| domain.is_ascii());
        let domain = domain.unwrap_or("localhost");
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .date(now)
            .subject(message.title())
            .message_id(Some(format!("<{}@{domain}>", message.key().replace(':', "."))));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        if let Message::Alert(view) = message {
            // All mails about one incident (one alert, where there is none) are one conversation.
            let thread = match view.alert.triage.incident {
                Some(number) => format!("<incident.{number}@{domain}>"),
                None => format!("<{}@{domain}>", view.alert.id),
            };
            builder = builder.references(thread.clone()).in_reply_to(thread);
        }
        for (name, value) in [
            ("Auto-Submitted", "auto-generated"),
            ("X-Tocsin-Severity", message.severity().as_str()),
        ] {
            let name = HeaderName::new_from_ascii(name.to_owned())?;
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        let (plain, html) = (text::plain(message), text::html(message));
        let part = |kind: ContentType, text: String| SinglePart::builder().header(kind).body(text);
        Ok(builder.multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, plain))
                .singlepart(part(ContentType::TEXT_HTML, html)),
        )?)
    }
}

fn encryption(config: &EmailConfig) -> Result<(Encryption, u16), NotifyError> {
    let host = config.host.trim();
    let wrong = |error: &dyn std::fmt::Display| {
        NotifyError::Config(format!("tls cannot be set up for {host}: {error}"))
    };
    Ok(match config.tls {
        MailTls::None => {
            let address = host.parse::<std::net::IpAddr>();
            if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
                return Err(NotifyError::Config(format!(
                    "tls: none sends mail in the clear and is only for loopback addresses; {host} \
                     is none, use starttls or tls"
                )));
            }
            (Encryption::None, 25)
        }
        MailTls::Tls => {
            let client = tls::client_config(config.ca_file.as_deref())?;
            let name = ServerName::try_from(host.to_owned()).map_err(|error| wrong(&error))?;
            (Encryption::FromStart(client.into(), name), 465)
        }
        MailTls::Starttls => {
            let mut parameters = TlsParameters::builder(host.to_owned())
                .certificate_store(CertificateStore::WebpkiRoots);
            for root in tls::extra_roots(config.ca_file.as_deref())? {
                let root = Certificate::from_der(root.to_vec()).map_err(|error| wrong(&error))?;
                parameters = parameters.add_root_certificate(root);
            }
            let parameters = parameters.build_rustls().map_err(|error| wrong(&error))?;
            (Encryption::Starttls(parameters), 587)
        }
    })
}

fn login(config: &EmailConfig) -> Result<Option<(String, Secret)>, NotifyError> {
    let password = Secret::resolve(
        "password",
        config.password.as_ref(),
        config.password_file.as_ref(),
        config.password_env.as_deref(),
    )?;
    match (&config.user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some((user.clone(), password))),
        (Some(_), None) => Err(NotifyError::Config(
            "user is given without a password; give password, password_file or password_env"
                .to_owned(),
        )),
        (None, Some(_)) => Err(NotifyError::Config("a password is given without user".to_owned())),
    }
}

/// The forms in which a server could repeat the password.
fn secrets((user, password): &(String, Secret)) -> Vec<String> {
    let password = password.reveal();
    vec![
        BASE64.encode(format!("\0{user}\0{password}")),
        BASE64.encode(password),
        password.to_owned(),
    ]
}

/// Only a server that has seen the mail can dislike it. Everything before depends on the
/// configuration and would befall every mail: all of them wait until somebody has looked.
fn judge(refusal: &Refusal) -> Failure {
    match (refusal.step, refusal.code) {
        (Step::Content, Some(500..=599)) => Failure::Message,
        _ => Failure::Channel,
    }
}

fn said(refusal: &Refusal) -> String {
    let code = refusal.code.map_or_else(String::new, |code| format!("{code} "));
    format!("{}: {code}{}", refusal.step, refusal.text)
}
