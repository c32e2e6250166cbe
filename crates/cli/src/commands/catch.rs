//! `tocsin catch`: a local receiver of mail and webhooks that shows what arrives.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tocsin_simulate::catch::{CatchOptions, Catcher, Caught, CaughtHttp, CaughtMail};

use crate::signals::Signals;
use crate::terminal::safe;

/// Arguments of `catch`.
#[derive(clap::Args)]
pub struct Args {
    /// Where mail is received.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2525")]
    smtp: SocketAddr,
    /// Where HTTP requests are received; GET /messages there lists everything as JSON.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8025")]
    http: SocketAddr,
    /// Also write every message into this directory (mail-0001.eml, http-0001.json, …).
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one line for a message instead of the whole.
    #[arg(long, short)]
    quiet: bool,
    /// HTTP status that requests are answered with, to try out failures.
    #[arg(long, value_name = "CODE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    status: u16,
    /// SMTP code that mails are answered with (4xx or 5xx refuses them).
    #[arg(long, value_name = "CODE", default_value_t = 250, value_parser = clap::value_parser!(u16).range(250..600))]
    mail_code: u16,
}

/// Receives until SIGINT or SIGTERM.
///
/// # Errors
/// When an address cannot be listened on or the directory cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(receive(args));
    runtime.shutdown_background();
    result
}

async fn receive(args: Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let catcher = Catcher::start(CatchOptions {
        smtp: Some(args.smtp),
        http: Some(args.http),
        dir: args.dir.clone(),
        status: args.status,
        mail_code: args.mail_code,
        ..CatchOptions::default()
    })
    .await
    .context("cannot receive")?;
    announce(&catcher, args.dir.as_deref())?;
    let mut changes = catcher.caught().watch();
    let mut shown = Shown::default();
    loop {
        changes.mark_unchanged();
        for message in shown.new_ones(catcher.messages()) {
            print(&text_of(&message, args.quiet))?;
        }
        tokio::select! {
            () = signals.wait() => return Ok(ExitCode::SUCCESS),
            changed = changes.changed() => changed.context("the receiver has ended")?,
        }
    }
}

fn announce(catcher: &Catcher, dir: Option<&std::path::Path>) -> io::Result<()> {
    let mut text = String::new();
    if let Some(address) = catcher.smtp_addr() {
        let _ = writeln!(text, "mail      smtp://{address}");
    }
    if let Some(address) = catcher.http_addr() {
        let _ = writeln!(text, "webhooks  http://{address}/ (all of them: /messages)");
    }
    if let Some(dir) = dir {
        let _ = writeln!(text, "files     {}", safe(&dir.display().to_string()));
    }
    print(&text)
}

/// Straight out, so that whoever follows a file of it sees it at once.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// What has been printed.
#[derive(Debug, Default)]
struct Shown {
    mail: String,
    http: String,
}

impl Shown {
    /// The messages after those printed, in the order of their arrival.
    fn new_ones(&mut self, messages: Vec<Caught>) -> Vec<Caught> {
        let mut new = Vec::new();
        for message in messages {
            let last = match &message {
                Caught::Mail(_) => &mut self.mail,
                Caught::Http(_) => &mut self.http,
            };
            let name = message.name();
            // Numbers have four digits at first and more later.
            if (name.len(), name) > (last.len(), last.as_str()) {
                name.clone_into(last);
                new.push(message);
            }
        }
        new
    }
}

fn text_of(message: &Caught, quiet: bool) -> String {
    match message {
        Caught::Mail(mail) => mail_text(mail, quiet),
        Caught::Http(request) => http_text(request, quiet),
    }
}

fn mail_text(mail: &CaughtMail, quiet: bool) -> String {
    let CaughtMail { name, at, from, to, subject, text, html, .. } = mail;
    let mut out = format!("{name}  {at}  {}\n", safe(subject));
    if quiet {
        return out;
    }
    let _ = writeln!(out, "  from     {}", safe(from));
    let _ = writeln!(out, "  to       {}", safe(&to.join(", ")));
    if let Some(login) = &mail.login {
        let _ = writeln!(out, "  login    {}", safe(login));
    }
    if mail.encrypted {
        out.push_str("  over     TLS\n");
    }
    out.push('\n');
    indent(&mut out, if text.trim().is_empty() { html } else { text });
    out.push('\n');
    out
}

fn http_text(request: &CaughtHttp, quiet: bool) -> String {
    let CaughtHttp { name, at, method, path, headers, body, status, .. } = request;
    let (method, path) = (safe(method), safe(path));
    let mut out = format!("{name}  {at}  {method} {path}, answered {status}\n");
    if quiet {
        return out;
    }
    for (header, value) in headers {
        let _ = writeln!(out, "  {}: {}", safe(header), safe(value));
    }
    out.push('\n');
    match body.as_str() {
        Some(text) => indent(&mut out, text),
        None => indent(&mut out, &format!("{body:#}")),
    }
    out.push('\n');
    out
}

fn indent(out: &mut String, text: &str) {
    for line in text.trim_end().lines() {
        let _ = writeln!(out, "  {}", safe(line));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tocsin_model::Timestamp;

    use super::*;

    fn request(name: &str) -> Caught {
        Caught::Http(CaughtHttp {
            name: name.to_owned(),
            at: Timestamp(0),
            method: "POST".to_owned(),
            path: "/hook".to_owned(),
            headers: vec![("X-A".to_owned(), "b\u{1b}[31m".to_owned())],
            body: json!({"a": "\u{202e}"}),
            status: 200,
            raw: Vec::new(),
        })
    }

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        let text = text_of(&request("http-0001"), false);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("POST /hook") && text.contains("X-A: b"), "{text:?}");
        assert_eq!(text_of(&request("http-0001"), true).lines().count(), 1);
    }

    #[test]
    fn each_message_is_shown_once() {
        let mut shown = Shown::default();
        assert_eq!(shown.new_ones(vec![request("http-9998"), request("http-9999")]).len(), 2);
        let later = vec![request("http-9999"), request("http-10000")];
        let later: Vec<String> =
            shown.new_ones(later).iter().map(|message| message.name().to_owned()).collect();
        assert_eq!(later, ["http-10000"]);
    }
}
