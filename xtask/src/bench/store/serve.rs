//! A `tocsin run` of our own: where it listens, what it takes.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::http;
use crate::process::{Background, wait_until};

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(60);
/// How long merging may go on after the last event.
const SETTLE_MAX: Duration = Duration::from_secs(180);
/// How long nothing may change on disk before merging counts as ended.
const STILL: Duration = Duration::from_secs(3);
/// Ticks of the kernel's clock a second, as /proc counts.
const TICKS: f64 = 100.0;

/// The server.
pub struct Serving {
    process: Background,
    pid: u32,
    data: PathBuf,
    /// Where its API is.
    pub api: String,
    /// Where it takes syslog over TCP.
    pub syslog: String,
}

impl Serving {
    /// Starts it on a data directory and waits until it says that it is well.
    pub fn start(tocsin: &Path, data: &Path, rules: &[PathBuf]) -> Result<Self> {
        let (api, syslog) = (free()?, free()?);
        let rules: Vec<String> =
            rules.iter().map(|path| Json::from(path.to_string_lossy()).to_string()).collect();
        let config = data.with_extension("yml");
        let text = format!(
            "server: {{ data_dir: {}, listen: \"{api}\" }}\n\
             collect:\n  discover: false\n  syslog: {{ udp: null, tcp: \"{syslog}\" }}\n\
             content: {{ rules: [{}] }}\n\
             store: {{ retention_days: 0 }}\n",
            Json::from(data.to_string_lossy()),
            rules.join(", ")
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(tocsin);
        command.args(["run", "--config"]).arg(&config);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Background::start("tocsin run", &mut command)?;
        let pid = process.id();
        let serving = Self { process, pid, data: data.to_owned(), api, syslog };
        let well = wait_until(START_MAX, || http::get(&serving.api, "/health").is_ok());
        ensure!(well, "tocsin run is not ready after {} s", START_MAX.as_secs());
        Ok(serving)
    }

    /// `GET /status`.
    pub fn status(&self) -> Result<Json> {
        Ok(serde_json::from_str(&http::get(&self.api, "/status")?)?)
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("/proc/PID/stat")?;
        Ok((user + system) / TICKS)
    }

    /// Memory by its name in `/proc/PID/status`, bytes.
    pub fn memory(&self, name: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("/proc/PID/status")?.trim().parse::<f64>()? * 1024.0)
    }

    /// Bytes of the events on disk.
    pub fn disk_bytes(&self) -> Result<f64> {
        Ok(size(&self.data.join("store"))? as f64)
    }

    /// Waits until merging in the background has ended.
    pub fn settle(&self) -> Result<()> {
        let mut last = (0, std::time::Instant::now());
        wait_until(SETTLE_MAX, || {
            // Also lets go of what was merged.
            let _ = self.status();
            let now = size(&self.data.join("store")).unwrap_or(0);
            if now != last.0 {
                last = (now, std::time::Instant::now());
            }
            last.1.elapsed() > STILL
        });
        Ok(())
    }

    /// Sends something over TCP syslog.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        Ok(TcpStream::connect(&self.syslog)?.write_all(bytes)?)
    }

    /// Stops it.
    pub fn stop(&mut self) {
        self.process.stop();
    }
}

fn free() -> Result<String> {
    Ok(format!("127.0.0.1:{}", http::free_port(0)?))
}

fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // A file may be gone since it was listed.
        let Ok(about) = entry.metadata() else { continue };
        bytes += if about.is_dir() { size(&entry.path()).unwrap_or(0) } else { about.len() };
    }
    Ok(bytes)
}
