//! `tocsin simulate`: realistic traffic with attacks in it, to any of our inputs.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tocsin_model::Timestamp;
use tocsin_simulate::send::{SendOptions, Summary, Target, send};
use tocsin_simulate::traffic::{RATE_DEFAULT, Scenario, SyslogForm, Traffic, TrafficOptions};

use crate::signals::Signals;
use crate::terminal::safe;

/// Arguments of `simulate`.
#[derive(clap::Args)]
pub struct Args {
    /// What to play, one or more of: all, quiet (ordinary traffic only), ssh-brute-force,
    /// password-spraying, credential-stuffing, sql-injection, path-traversal, web-scanner,
    /// request-flood, port-scan, privilege-escalation, malware.
    #[arg(long, value_name = "NAME[,NAME]", default_value = "all")]
    scenario: Scenario,
    /// Entries per second; 0 is as fast as they are taken (50 a second of their own time).
    #[arg(long, value_name = "N", default_value = "50", value_parser = rate)]
    rate: f64,
    /// Stop after so many entries.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after so long (30s, 5m, 1h).
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "count")]
    duration: Option<Duration>,
    /// The same seed, start, rate and scenario give the same entries.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Time of the first entry (RFC 3339, default: now; with --rate 0 and --count so that the
    /// last one is now).
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: Option<Timestamp>,
    /// Form of syslog messages.
    #[arg(long, value_name = "FORM", default_value = "rfc5424")]
    syslog: Form,
    /// Where to: tcp://HOST:PORT or udp://HOST:PORT (syslog), http://HOST:PORT (POST /ingest), a
    /// file to add to, a directory (a file for each kind of log), or - for standard output.
    #[arg(long, value_name = "WHERE")]
    to: Target,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Rfc3164,
    Rfc5424,
}

/// Sends until the count or the duration is reached, or SIGINT or SIGTERM comes.
///
/// # Errors
/// When the target is not there or cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let traffic = Traffic::new(&TrafficOptions {
        start: args.start.unwrap_or_else(|| first_time(&args)),
        rate: own_rate(&args),
        scenario: args.scenario,
        seed: args.seed,
    });
    let options = SendOptions {
        target: args.to,
        syslog: match args.syslog {
            Form::Rfc3164 => SyslogForm::Rfc3164,
            Form::Rfc5424 => SyslogForm::Rfc5424,
        },
        rate: (args.rate > 0.0).then_some(args.rate),
        count: args.count,
        duration: args.duration,
        notice: |text| eprintln!("{}", safe(text)),
    };
    let to = options.target.to_string();
    let summary = runtime.block_on(async {
        let mut signals = Signals::new()?;
        Ok::<_, anyhow::Error>(send(traffic, &options, signals.wait()).await?)
    })?;
    let Summary { sent, refused, attack } = summary;
    eprintln!("sent {sent} to {}, {attack} of attacks; refused {refused}", safe(&to));
    Ok(if refused > 0 && sent == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Entries per second of their own time.
fn own_rate(args: &Args) -> f64 {
    if args.rate > 0.0 { args.rate } else { RATE_DEFAULT }
}

fn first_time(args: &Args) -> Timestamp {
    let now = Timestamp::from_system(SystemTime::now());
    match args.count {
        Some(count) if args.rate == 0.0 => {
            let span = Duration::try_from_secs_f64(count as f64 / own_rate(args));
            now.minus(span.unwrap_or_default())
        }
        _ => now,
    }
}

fn rate(text: &str) -> Result<f64, String> {
    /// More than any machine makes.
    const RATE_MAX: f64 = 10_000_000.0;
    /// One entry in about a quarter of an hour.
    const RATE_MIN: f64 = 0.001;
    let number = text.trim_end_matches("/s").parse::<f64>();
    match number {
        Ok(number) if number == 0.0 || (RATE_MIN..=RATE_MAX).contains(&number) => Ok(number),
        _ => Err(format!("not a number of entries per second: 0, or {RATE_MIN} to {RATE_MAX}")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_each = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds_each));
    let span = number.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    span.ok_or_else(|| "not a time like 30s, 5m or 1h".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "not a time like 2026-11-02T00:11:50Z (RFC 3339)".to_owned())
}
