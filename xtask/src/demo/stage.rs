//! [`Stage`]: the programs of the demo, on free ports, in a temporary directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::proofs::{PROOFS, Places};
use crate::process::{Background, heading, wait_until};
use crate::{http, workspace};

/// Ports that are tried first.
const PAGE_PORT: u16 = 7514;
const SYSLOG_PORT: u16 = 5514;
const SMTP_PORT: u16 = 2525;
const WEBHOOK_PORT: u16 = 8025;
/// Simulated log lines per second.
const LINES_PER_SECOND: u32 = 50;
/// How long Tocsin may take until it answers.
const START_SECONDS_MAX: u64 = 20;
/// How long alerts may take to be everywhere, from the start of `tocsin run`.
const PROOF_SECONDS_MAX: u64 = 10;

/// The demo's programs, running. Dropping it stops them and removes their directory.
pub struct Stage {
    // Stopped in this order: who sends, who receives, who is told.
    simulate: Background,
    run: Background,
    catch: Background,
    places: Places,
    address: String,
    syslog: String,
    started: Instant,
    dir: TempDir,
}

impl Stage {
    /// Starts everything with the binary of a profile.
    ///
    /// # Errors
    /// When the binary is missing, or a program does not start.
    pub fn set(profile: &str) -> Result<Self> {
        let tocsin = workspace::tocsin(profile);
        ensure!(tocsin.is_file(), "{} is missing; run without --no-build", tocsin.display());
        let dir = tempfile::Builder::new().prefix("tocsin-demo-").tempdir()?;
        let local =
            |port: u16| Ok::<_, anyhow::Error>(format!("127.0.0.1:{}", http::free_port(port)?));
        let (address, syslog) = (local(PAGE_PORT)?, local(SYSLOG_PORT)?);
        let (smtp, webhook) = (local(SMTP_PORT)?, local(WEBHOOK_PORT)?);
        let places = Places {
            address: address.clone(),
            alert_log: dir.path().join("data/alerts.ndjson"),
            caught: dir.path().join("caught"),
        };
        let config = dir.path().join("tocsin.yml");
        std::fs::write(&config, config_text(dir.path(), &address, &syslog, &smtp, &webhook)?)?;
        let mut catch = Command::new(&tocsin);
        catch.args(["catch", "--smtp", &smtp, "--http", &webhook, "--dir"]).arg(&places.caught);
        let catch =
            Background::start("tocsin catch", in_dir(&mut catch, dir.path(), "catch.log")?)?;
        let mut run = Command::new(&tocsin);
        run.arg("run").arg("--config").arg(&config);
        let started = Instant::now();
        let mut run = Background::start("tocsin run", in_dir(&mut run, dir.path(), "run.log")?)?;
        wait_for_answer(&mut run, &address, &dir.path().join("run.log"))?;
        let mut simulate = Command::new(&tocsin);
        simulate.args(["simulate", "--scenario", "all", "--rate", &LINES_PER_SECOND.to_string()]);
        simulate.args(["--to", &format!("tcp://{syslog}")]);
        let simulate = Background::start(
            "tocsin simulate",
            in_dir(&mut simulate, dir.path(), "simulate.log")?,
        )?;
        Ok(Self { simulate, run, catch, places, address, syslog, started, dir })
    }

    /// Address and port of the page.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The temporary directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Says where everything is.
    pub fn print(&self) {
        heading("Tocsin is running on simulated traffic with attacks in it");
        println!("  page        http://{}/", self.address);
        println!("  API         http://{}/docs", self.address);
        println!("  alerts      http://{}/alerts", self.address);
        println!("  alert log   {}", self.places.alert_log.display());
        println!("  caught      {} (mail-*.eml, http-*.json)", self.places.caught.display());
        println!("  syslog      {} (UDP and TCP; send your own lines)", self.syslog);
        println!("  messages    {}/*.log", self.dir.path().display());
    }

    /// Waits until alerts are everywhere they should be, a line for each; whether they were in
    /// time.
    pub fn wait_for_proofs(&mut self) -> bool {
        println!();
        let limit = Duration::from_secs(PROOF_SECONDS_MAX);
        let mut good = true;
        for proof in PROOFS {
            let mut found = None;
            let most = limit.saturating_sub(self.started.elapsed());
            let places = &self.places;
            wait_until(most, || {
                found = (proof.look)(places);
                found.is_some()
            });
            let seconds = self.started.elapsed().as_secs_f64();
            match found {
                Some(what) => println!("  ok    {:<15} {what} (after {seconds:.1} s)", proof.place),
                None => {
                    good = false;
                    println!("  FAIL  {:<15} nothing after {seconds:.1} s", proof.place);
                }
            }
        }
        if !good {
            self.print_messages();
        }
        good
    }

    /// The name of a program that has ended by itself.
    pub fn ended(&mut self) -> Option<String> {
        let ended = [&mut self.run, &mut self.catch, &mut self.simulate]
            .into_iter()
            .find_map(|program| (!program.is_running()).then(|| program.name().to_owned()));
        if ended.is_some() {
            self.print_messages();
        }
        ended
    }

    fn print_messages(&self) {
        for name in ["run.log", "catch.log", "simulate.log"] {
            print_end(&self.dir.path().join(name));
        }
    }
}

/// Makes a command write its messages to a file of the directory.
fn in_dir<'c>(command: &'c mut Command, dir: &Path, log: &str) -> Result<&'c mut Command> {
    let file = std::fs::File::create(dir.join(log))?;
    let errors = file.try_clone()?;
    for (name, _) in std::env::vars_os() {
        // The configuration of whoever runs the demo is not the demo's.
        if name.to_string_lossy().starts_with("TOCSIN_") {
            command.env_remove(&name);
        }
    }
    Ok(command.current_dir(dir).stdout(file).stderr(Stdio::from(errors)))
}

fn wait_for_answer(run: &mut Background, address: &str, log: &Path) -> Result<()> {
    let mut alive = true;
    let answered = wait_until(Duration::from_secs(START_SECONDS_MAX), || {
        alive = run.is_running();
        !alive || http::get(address, "/health").is_ok()
    });
    if answered && alive {
        return Ok(());
    }
    print_end(log);
    if alive {
        bail!("tocsin run did not answer on http://{address}/health within {START_SECONDS_MAX} s")
    }
    bail!("tocsin run has ended; its messages are above")
}

fn print_end(log: &Path) {
    const LINES: usize = 15;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let name = log.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    eprintln!("--- the end of {name}");
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        eprintln!("{line}");
    }
}

fn config_text(
    dir: &Path,
    address: &str,
    syslog: &str,
    smtp: &str,
    webhook: &str,
) -> Result<String> {
    let data: PathBuf = dir.join("data");
    let (_, smtp_port) = smtp.rsplit_once(':').context("no port")?;
    Ok(format!(
        "\
# Written by `cargo xtask demo`.
server:
  data_dir: {data}
  listen: {address}
collect:
  discover: false
  syslog: {{ udp: \"{syslog}\", tcp: \"{syslog}\" }}
  journald: {{ mode: off }}
notify:
  page_url: http://{address}
  channels:
    team:
      type: webhook
      url: http://{webhook}/alerts
      min_severity: medium
    mail:
      type: email
      host: 127.0.0.1
      port: {smtp_port}
      tls: none
      from: Tocsin <tocsin@demo.example>
      to: [you@demo.example]
      min_severity: high
",
        data = data.display()
    ))
}
