//! Events over TCP: as fast as they are taken, and at a given pace to see when alerts come.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use super::serve::Serving;
use super::{Asked, Line};
use crate::bench::{fresh, mixed};
use crate::process::wait_until;

/// How long storing may take.
const POUR_MAX: Duration = Duration::from_secs(900);
/// How often it is looked at how far the server is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The pace at which the delay of alerts is measured, lines a second.
const PACE: u64 = 10_000;
/// For so long.
const PACED_SECONDS: u64 = 20;
/// Lines are sent in bundles of a hundredth of a second.
const BUNDLE: u64 = PACE / 100;
/// One bundle in so many holds an attack.
const ATTACK_EVERY: u64 = 5;
/// How long the last alert may take.
const ALERT_MAX: Duration = Duration::from_secs(10);

/// Sends the file and waits until all of it is found; how long that took.
pub fn pour(serving: &Serving, file: &Path, events: u64) -> Result<Duration> {
    let begin = Instant::now();
    let (mut from, mut to) = (File::open(file)?, TcpStream::connect(&serving.syslog)?);
    let sender = std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let stored = |serving: &Serving| -> Result<u64> {
        serving.status()?["store"]["documents"].as_u64().context("a status without events")
    };
    while stored(serving)? < events {
        ensure!(begin.elapsed() < POUR_MAX, "not stored after {} s", POUR_MAX.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    let took = begin.elapsed();
    sender.join().map_err(|_| anyhow::anyhow!("the sender failed"))??;
    Ok(took)
}

/// From the moment at which a line is handed to the kernel until its alert arrives at a page that
/// is open (`GET /api/v1/stream`), at a steady pace.
pub fn latency(tocsin: &Path, rules: &[PathBuf], dir: &Path) -> Result<Vec<Line>> {
    let file = mixed::write(dir, PACE * PACED_SECONDS)?;
    let data = fresh(dir, "paced")?;
    let serving = Serving::start(tocsin, &data, rules)?;
    let seen: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    listen(&serving, seen.clone())?;
    let sent = send_paced(&serving, &file)?;
    wait_until(ALERT_MAX, || {
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        sent.keys().all(|address| seen.contains_key(address))
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut delays: Vec<f64> = sent
        .iter()
        .filter_map(|(address, at)| {
            Some(seen.get(address)?.duration_since(*at).as_secs_f64() * 1e3)
        })
        .collect();
    ensure!(delays.len() == sent.len(), "{} of {} attacks seen", delays.len(), sent.len());
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    drop(serving);
    std::fs::remove_dir_all(&data)?;
    let name = |what: &str| format!("alert after its line, {PACE}/s, {what}");
    Ok(vec![
        Line::told(&name("median"), at(0.5), "ms"),
        Line::new(name("p99"), at(0.99), "ms", Asked::AtMost(100.0)),
    ])
}

/// Notes when the first alert about each address comes.
fn listen(serving: &Serving, seen: Arc<Mutex<HashMap<String, Instant>>>) -> Result<()> {
    let mut stream = TcpStream::connect(&serving.api)?;
    write!(stream, "GET /api/v1/stream HTTP/1.0\r\nHost: {}\r\n\r\n", serving.api)?;
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let now = Instant::now();
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let Ok(alert) = serde_json::from_str::<Json>(data) else { continue };
            if let Some(address) = alert["source"]["ip"].as_str() {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(address.to_owned()).or_insert(now);
            }
        }
    });
    Ok(())
}

/// Sends the file at the pace with attacks between; when each attack was sent, by its address.
fn send_paced(serving: &Serving, file: &Path) -> Result<HashMap<String, Instant>> {
    let mut socket = TcpStream::connect(&serving.syslog)?;
    socket.set_nodelay(true)?;
    let mut lines = BufReader::new(File::open(file)?);
    let mut sent = HashMap::new();
    let begin = Instant::now();
    for bundle in 0..PACE * PACED_SECONDS / BUNDLE {
        let mut text = Vec::new();
        for _ in 0..BUNDLE {
            lines.read_until(b'\n', &mut text)?;
        }
        let attack = bundle % ATTACK_EVERY == 0;
        let number = bundle / ATTACK_EVERY;
        let address = format!("198.51.{}.{}", 100 + number / 250, number % 250 + 1);
        if attack {
            writeln!(
                text,
                "<190>1 2026-01-15T23:59:59.000Z web01 nginx - - - {address} - - [15/Jan/2026:23:59:59 +0000] \"GET /search?q=1%27+UNION+SELECT+password+FROM+users-- HTTP/1.1\" 200 512 \"-\" \"curl/8.11.0\""
            )?;
        }
        let due =
            begin + Duration::from_secs(1) * u32::try_from(bundle * BUNDLE)? / u32::try_from(PACE)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if attack {
            sent.insert(address, Instant::now());
        }
        socket.write_all(&text)?;
    }
    Ok(sent)
}
