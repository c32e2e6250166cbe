//! The receiving side of SMTP as a state machine: bytes from a client in, replies and whole
//! mails out. Never touches a socket, so any chunking of the same bytes gives the same steps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The longest command line taken, in bytes; a longer one is answered with 500 and forgotten.
pub const COMMAND_BYTES_MAX: usize = 4096;
/// The most recipients of one mail.
pub const RECIPIENTS_MAX: usize = 1000;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct SmtpRules {
    /// The largest mail taken, in bytes.
    pub mail_bytes_max: usize,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// The only user and password that may log in; `None` takes any login, and none.
    pub login: Option<(String, String)>,
    /// Reply code given to a whole mail: 250 keeps it, 4xx and 5xx refuse it.
    pub mail_code: u16,
}

impl Default for SmtpRules {
    fn default() -> Self {
        Self {
            mail_bytes_max: super::CAUGHT_BYTES_MAX,
            starttls: false,
            login: None,
            mail_code: 250,
        }
    }
}

/// What the caller has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpStep {
    /// Send these lines (already ended with CRLF).
    Reply(String),
    /// A mail has arrived whole.
    Mail(Envelope),
    /// Send nothing more in plain text: start TLS, then call [`SmtpSession::secured`].
    StartTls,
    /// Close the connection.
    Close,
}

/// A mail as it was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// `MAIL FROM` address.
    pub from: String,
    /// `RCPT TO` addresses.
    pub to: Vec<String>,
    /// Name that logged in, if any.
    pub login: Option<String>,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The mail itself, dots unstuffed.
    pub data: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Command,
    AuthPlain,
    AuthUser,
    AuthPassword { user: String },
    Data { too_big: bool, at_line_start: bool },
}

/// One connection.
#[derive(Debug)]
pub struct SmtpSession {
    rules: SmtpRules,
    state: State,
    buffer: Vec<u8>,
    overlong: bool,
    greeted: bool,
    has_sender: bool,
    mail: Envelope,
    closed: bool,
}

impl SmtpSession {
    /// A new connection; `encrypted` when it began with TLS.
    pub fn new(rules: SmtpRules, encrypted: bool) -> Self {
        let mail = Envelope { encrypted, ..Envelope::default() };
        Self {
            rules,
            state: State::Command,
            buffer: Vec::new(),
            overlong: false,
            greeted: false,
            has_sender: false,
            mail,
            closed: false,
        }
    }

    /// The greeting, to be sent first.
    pub fn greeting() -> &'static str {
        "220 localhost Tocsin catch\r\n"
    }

    /// The TLS handshake is done: everything said before is forgotten (RFC 3207).
    pub fn secured(&mut self) {
        *self = Self::new(self.rules.clone(), true);
    }

    /// Takes bytes from the client.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<SmtpStep> {
        let mut steps = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() && !self.closed {
            rest = match self.state {
                State::Data { .. } => self.feed_data(rest, &mut steps),
                _ => self.feed_command(rest, &mut steps),
            };
        }
        steps
    }

    fn feed_command<'b>(&mut self, bytes: &'b [u8], steps: &mut Vec<SmtpStep>) -> &'b [u8] {
        let (line_part, rest, whole) = match bytes.iter().position(|&byte| byte == b'\n') {
            Some(at) => (&bytes[..at], &bytes[at + 1..], true),
            None => (bytes, &bytes[bytes.len()..], false),
        };
        let room = COMMAND_BYTES_MAX.saturating_sub(self.buffer.len());
        self.overlong |= line_part.len() > room;
        self.buffer.extend_from_slice(&line_part[..line_part.len().min(room)]);
        if !whole {
            return rest;
        }
        let line = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.overlong) {
            self.state = State::Command;
            steps.push(reply(500, "5.5.2 line too long"));
            return rest;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let text = String::from_utf8_lossy(line).into_owned();
        let step = self.line(&text);
        if matches!(step, SmtpStep::StartTls) {
            // Whatever was pipelined after STARTTLS in plain text must not be believed.
            steps.push(reply(220, "2.0.0 ready for TLS"));
            steps.push(step);
            return &rest[rest.len()..];
        }
        steps.push(step);
        if self.closed {
            steps.push(SmtpStep::Close);
        }
        rest
    }

    fn line(&mut self, line: &str) -> SmtpStep {
        match std::mem::replace(&mut self.state, State::Command) {
            State::AuthPlain => self.auth_plain(line),
            State::AuthUser => match decode(line) {
                Some(user) => {
                    self.state = State::AuthPassword { user };
                    reply(334, "UGFzc3dvcmQ6")
                }
                None => reply(501, "5.5.2 not base64"),
            },
            State::AuthPassword { user } => match decode(line) {
                Some(password) => self.log_in(&user, &password),
                None => reply(501, "5.5.2 not base64"),
            },
            State::Command | State::Data { .. } => self.command(line),
        }
    }

    fn command(&mut self, line: &str) -> SmtpStep {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.trim().to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(true),
            "HELO" => self.hello(false),
            "STARTTLS" if self.rules.starttls && !self.mail.encrypted => SmtpStep::StartTls,
            "AUTH" => self.auth(argument),
            "MAIL" => self.mail_from(argument),
            "RCPT" => self.rcpt_to(argument),
            "DATA" => self.data(),
            "RSET" => {
                self.reset();
                reply(250, "2.0.0 forgotten")
            }
            "NOOP" => reply(250, "2.0.0 fine"),
            "VRFY" => reply(252, "2.1.5 send and see"),
            "QUIT" => {
                self.closed = true;
                reply(221, "2.0.0 bye")
            }
            _ => reply(500, "5.5.1 command unknown"),
        }
    }

    fn hello(&mut self, extended: bool) -> SmtpStep {
        self.greeted = true;
        self.reset();
        if !extended {
            return reply(250, "localhost");
        }
        let mut lines = vec!["localhost".to_owned(), format!("SIZE {}", self.rules.mail_bytes_max)];
        lines.extend(["8BITMIME", "SMTPUTF8", "PIPELINING"].map(str::to_owned));
        if self.rules.starttls && !self.mail.encrypted {
            lines.push("STARTTLS".to_owned());
        }
        lines.push("AUTH PLAIN LOGIN".to_owned());
        let last = lines.len() - 1;
        let text = lines
            .iter()
            .enumerate()
            .map(|(at, line)| format!("250{}{line}\r\n", if at == last { ' ' } else { '-' }))
            .collect();
        SmtpStep::Reply(text)
    }

    fn auth(&mut self, argument: &str) -> SmtpStep {
        let (mechanism, initial) = argument.trim().split_once(' ').unwrap_or((argument.trim(), ""));
        match (mechanism.to_ascii_uppercase().as_str(), initial.trim()) {
            ("PLAIN", "") => {
                self.state = State::AuthPlain;
                reply(334, "")
            }
            ("PLAIN", initial) => self.auth_plain(initial),
            ("LOGIN", "") => {
                self.state = State::AuthUser;
                reply(334, "VXNlcm5hbWU6")
            }
            ("LOGIN", initial) => {
                self.state = State::AuthUser;
                self.line(initial)
            }
            _ => reply(504, "5.5.4 use AUTH PLAIN or AUTH LOGIN"),
        }
    }

    fn auth_plain(&mut self, encoded: &str) -> SmtpStep {
        let Some(decoded) = decode(encoded) else { return reply(501, "5.5.2 not base64") };
        let mut parts = decoded.split('\0').skip(1);
        match (parts.next(), parts.next()) {
            (Some(user), Some(password)) => self.log_in(user, password),
            _ => reply(501, "5.5.2 PLAIN wants NUL user NUL password"),
        }
    }

    fn log_in(&mut self, user: &str, password: &str) -> SmtpStep {
        if self.rules.login.as_ref().is_some_and(|(u, p)| u != user || p != password) {
            return reply(535, "5.7.8 user or password wrong");
        }
        self.mail.login = Some(user.to_owned());
        reply(235, "2.7.0 welcome")
    }

    fn mail_from(&mut self, argument: &str) -> SmtpStep {
        if !self.greeted {
            return reply(503, "5.5.1 say EHLO first");
        }
        if self.rules.login.is_some() && self.mail.login.is_none() {
            return reply(530, "5.7.0 log in first");
        }
        let Some((address, parameters)) = address_after("FROM:", argument) else {
            return reply(501, "5.5.4 want MAIL FROM:<address>");
        };
        let size = parameters
            .split_ascii_whitespace()
            .find_map(|part| part.to_ascii_uppercase().strip_prefix("SIZE=")?.parse::<u64>().ok());
        if size.is_some_and(|size| size > self.rules.mail_bytes_max as u64) {
            return reply(552, "5.3.4 mail too big");
        }
        self.reset();
        self.has_sender = true;
        self.mail.from = address.to_owned();
        reply(250, "2.1.0 sender fine")
    }

    fn rcpt_to(&mut self, argument: &str) -> SmtpStep {
        if !self.has_sender {
            return reply(503, "5.5.1 say MAIL FROM first");
        }
        if self.mail.to.len() >= RECIPIENTS_MAX {
            return reply(452, "4.5.3 too many recipients");
        }
        match address_after("TO:", argument) {
            Some((address, _)) if !address.is_empty() => {
                self.mail.to.push(address.to_owned());
                reply(250, "2.1.5 recipient fine")
            }
            _ => reply(501, "5.5.4 want RCPT TO:<address>"),
        }
    }

    fn data(&mut self) -> SmtpStep {
        if self.mail.to.is_empty() {
            return reply(503, "5.5.1 say RCPT TO first");
        }
        self.state = State::Data { too_big: false, at_line_start: true };
        reply(354, "end with a line that holds one dot")
    }

    fn reset(&mut self) {
        self.has_sender = false;
        self.mail.from.clear();
        self.mail.to.clear();
        self.mail.data.clear();
    }

    /// Takes mail text up to the end marker. Only CRLF ends a line, as RFC 5321 has it.
    fn feed_data<'b>(&mut self, bytes: &'b [u8], steps: &mut Vec<SmtpStep>) -> &'b [u8] {
        let State::Data { mut too_big, mut at_line_start } = self.state else { return bytes };
        for (at, &byte) in bytes.iter().enumerate() {
            self.buffer.push(byte);
            if !self.buffer.ends_with(b"\r\n") {
                // A line may be of any length: hand over what cannot be part of the end marker.
                if self.buffer.len() > COMMAND_BYTES_MAX {
                    let keep = self.buffer.split_off(self.buffer.len() - 1);
                    let part = std::mem::replace(&mut self.buffer, keep);
                    too_big |= !self.keep(&part, at_line_start);
                    at_line_start = false;
                }
                continue;
            }
            let line = std::mem::take(&mut self.buffer);
            if at_line_start && line == b".\r\n" {
                self.state = State::Command;
                let step = self.finish(too_big);
                steps.push(step);
                return &bytes[at + 1..];
            }
            too_big |= !self.keep(&line, at_line_start);
            at_line_start = true;
        }
        self.state = State::Data { too_big, at_line_start };
        &bytes[bytes.len()..]
    }

    /// Appends part of a mail without its stuffed dot; whether there was room.
    fn keep(&mut self, part: &[u8], at_line_start: bool) -> bool {
        let part = if at_line_start { part.strip_prefix(b".").unwrap_or(part) } else { part };
        let fits = self.mail.data.len() + part.len() <= self.rules.mail_bytes_max;
        if fits {
            self.mail.data.extend_from_slice(part);
        }
        fits
    }

    fn finish(&mut self, too_big: bool) -> SmtpStep {
        let mail = self.mail.clone();
        self.reset();
        if too_big {
            return reply(552, "5.3.4 mail too big");
        }
        match self.rules.mail_code {
            250 => SmtpStep::Mail(mail),
            code => reply(code, "refused as asked"),
        }
    }
}

/// The reply to a mail that was kept under `name`.
pub fn accepted(name: &str) -> String {
    format!("250 2.0.0 caught as {name}\r\n")
}

fn reply(code: u16, text: &str) -> SmtpStep {
    SmtpStep::Reply(format!("{code} {text}\r\n"))
}

fn decode(text: &str) -> Option<String> {
    let bytes = BASE64.decode(text.trim()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `FROM:<a@b> SIZE=1` → (`a@b`, ` SIZE=1`).
fn address_after<'l>(keyword: &str, argument: &'l str) -> Option<(&'l str, &'l str)> {
    let head = argument.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = argument[keyword.len()..].trim_start().strip_prefix('<')?;
    rest.split_once('>')
}
