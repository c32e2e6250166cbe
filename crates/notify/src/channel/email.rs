//! E-mail over SMTP: plain text and HTML, with a Message-ID that repeats when a delivery is tried
//! again, so that mailboxes can drop the second one.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};

use super::{Failure, SendError, tls};
use crate::config::{EmailConfig, MailTls};
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::{Message, clean};

mod text;

/// The most of a server's answer that is shown, in characters.
const ANSWER_CHARS_MAX: usize = 300;

pub(crate) struct EmailChannel {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
}

impl EmailChannel {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(why);
        if config.host.trim().is_empty() {
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
        let timeout = Duration::from_secs(config.timeout_seconds.max(1));
        let (tls, default_port) = encryption(config)?;
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.trim())
                .port(config.port.unwrap_or(default_port))
                .tls(tls)
                .hello_name(ClientId::default())
                .timeout(Some(timeout));
        if let Some(credentials) = credentials(config)? {
            builder = builder.credentials(credentials);
        }
        Ok(Self { transport: builder.build(), from, to, timeout })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let mail = self.compose(message, SystemTime::now()).map_err(|error| SendError {
            kind: Failure::Message,
            answer: format!("the mail could not be written: {error}"),
        })?;
        // The transport's own timeout is for each step of the conversation.
        match tokio::time::timeout(self.timeout, self.transport.send(mail)).await {
            Ok(Ok(response)) => {
                let lines: Vec<&str> = response.message().collect();
                Ok(clean(&format!("{} {}", response.code(), lines.join(" ")), ANSWER_CHARS_MAX))
            }
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => {
                let seconds = self.timeout.as_secs();
                Err(SendError::channel(format!("no answer within {seconds} seconds")))
            }
        }
    }

    fn compose(
        &self,
        message: &Message,
        now: SystemTime,
    ) -> Result<Mail, Box<dyn std::error::Error + Send + Sync>> {
        let domain = self.from.email.domain();
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .date(now)
            .subject(message.title())
            .message_id(Some(format!("<{}@{domain}>", message.key().replace(':', "."))));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        if let Message::Alert(view) = message {
            // All mails about one alert belong to one conversation.
            builder = builder.references(format!("<{}@{domain}>", view.alert.id));
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

fn encryption(config: &EmailConfig) -> Result<(Tls, u16), NotifyError> {
    if config.tls == MailTls::None {
        let host = config.host.trim();
        let address = host.parse::<std::net::IpAddr>();
        if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
            return Err(NotifyError::Config(format!(
                "tls: none sends mail in the clear and is only for loopback addresses; {host} is \
                 none, use starttls or tls"
            )));
        }
        return Ok((Tls::None, 25));
    }
    let wrong = |error: lettre::transport::smtp::Error| {
        NotifyError::Config(format!("tls cannot be set up: {error}"))
    };
    let mut parameters = TlsParameters::builder(config.host.trim().to_owned())
        .certificate_store(CertificateStore::WebpkiRoots);
    for root in tls::extra_roots(config.ca_file.as_deref())? {
        let root = Certificate::from_der(root.to_vec()).map_err(wrong)?;
        parameters = parameters.add_root_certificate(root);
    }
    let parameters = parameters.build_rustls().map_err(wrong)?;
    Ok(match config.tls {
        MailTls::Tls => (Tls::Wrapper(parameters), 465),
        MailTls::Starttls | MailTls::None => (Tls::Required(parameters), 587),
    })
}

fn credentials(config: &EmailConfig) -> Result<Option<Credentials>, NotifyError> {
    let password = Secret::resolve(
        "password",
        config.password.as_ref(),
        config.password_file.as_ref(),
        config.password_env.as_deref(),
    )?;
    match (&config.user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => {
            Ok(Some(Credentials::new(user.clone(), password.reveal().to_owned())))
        }
        (Some(_), None) => Err(NotifyError::Config(
            "user is given without a password; give password, password_file or password_env"
                .to_owned(),
        )),
        (None, Some(_)) => Err(NotifyError::Config("a password is given without user".to_owned())),
    }
}

fn judge(error: &lettre::transport::smtp::Error) -> SendError {
    let code = error.status().map(u16::from);
    let kind = match code {
        // Wrong or missing login: all mail waits until somebody has looked.
        Some(530 | 534 | 535 | 538) => Failure::Channel,
        Some(500..=599) => Failure::Message,
        _ => Failure::Channel,
    };
    let mut text = code.map_or_else(String::new, |code| format!("{code} "));
    text.push_str(&error.to_string());
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.contains(&inner.to_string()) {
            text.push_str(&format!(": {inner}"));
        }
        cause = inner.source();
    }
    SendError { kind, answer: clean(&text, ANSWER_CHARS_MAX) }
}
