//! Starts the real binary and asks it things; shared by the end-to-end tests.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Path of the test data that stands beside a checkout; `None`, with a notice, where it does not.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    skipped(&format!("test data {path} is not beside this checkout"));
    None
}

/// Says that a test cannot run here. Past the harness, which keeps to itself what a test that
/// passes prints: `cargo xtask test` lists these lines at its end.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stdout(), "skipped: {why}");
}

/// A loopback address that nobody uses, with a port below those that the system gives to whoever
/// asks for any: it is still free when what is started with it comes to listen.
pub fn free_addr() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 1000 * 10;
    loop {
        let next = (first + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed))) % 10_000;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000 + next as u16));
        if TcpListener::bind(addr).is_ok() && UdpSocket::bind(addr).is_ok() {
            return addr;
        }
    }
}

/// The binary.
pub fn tocsin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TOCSIN_") {
            command.env_remove(name);
        }
    }
    command.current_dir(std::env::temp_dir());
    command
}

/// Output of a command that ran to its end: exit code, standard output, standard error.
pub fn output(command: &mut Command, stdin: &[u8]) -> (i32, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that stops early closes the pipe.
        let _ = pipe.write_all(&stdin);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// JSON lines.
pub fn json_lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until `probe` gives something, looking often; panics with `what` after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Status and body of an HTTP answer; `None` when the connection broke.
pub fn ask(addr: &str, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {addr}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A running `tocsin run`, killed when dropped.
pub struct Server {
    child: Child,
    addr: String,
    errors: Arc<Mutex<String>>,
}

impl Server {
    /// Starts with a configuration file and waits until it serves.
    pub fn start(config: &Path) -> Self {
        let mut command = tocsin();
        command.args(["run", "--config"]).arg(config);
        Self::start_by(command)
    }

    /// Starts by a command that becomes the server.
    pub fn start_by(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = Arc::new(Mutex::new(String::new()));
        let pipe = child.stderr.take().unwrap();
        let kept = errors.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut server = Self { child, addr: String::new(), errors };
        server.addr = wait_for("the server's address", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("tocsin run ended with {status}: {}", server.errors());
            }
            let errors = server.errors();
            let (_, rest) = errors.split_once("page and API")?;
            let (_, rest) = rest.split_once("http://")?;
            let (addr, _) = rest.split_once('/')?;
            Some(addr.to_owned())
        });
        server
    }

    /// Where it serves.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote on standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Status and body of an answer; `None` when the connection broke.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
        ask(&self.addr, method, path, body)
    }

    /// JSON of a path; `None` when it cannot be had.
    pub fn get(&self, path: &str) -> Option<Json> {
        let (_, body) = self.ask("GET", path, b"")?;
        serde_json::from_str(&body).ok()
    }

    /// The alerts, newest first.
    pub fn alerts(&self) -> Vec<Json> {
        let page = self.get("/api/v1/alerts?limit=1000").unwrap_or_default();
        page["alerts"].as_array().cloned().unwrap_or_default()
    }

    /// Number of events stored so far.
    pub fn stored(&self) -> u64 {
        let status = self.get("/api/v1/status").unwrap_or_default();
        status["events"]["stored"].as_u64().unwrap_or(0)
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; how long the stop took.
    pub fn terminate(mut self) -> Duration {
        let start = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = wait_for("the stop", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.errors());
        start.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A temporary directory with a configuration for tests: free ports, no discovery.
pub struct Setup {
    pub dir: tempfile::TempDir,
    pub config: PathBuf,
}

impl Setup {
    /// `rest` is added to the configuration; `DIR` in it is the temporary directory.
    pub fn new(rest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("tocsin.yml");
        let text = format!(
            "server:\n  data_dir: DIR/data\n  listen: 127.0.0.1:0\nstore:\n  commit_ms: 100\n{rest}"
        );
        fs::write(&config, text.replace("DIR", &dir.path().display().to_string())).unwrap();
        Self { dir, config }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The alert log's lines.
    pub fn alert_log(&self) -> Vec<Json> {
        let text = fs::read_to_string(self.path("data/alerts.ndjson")).unwrap_or_default();
        json_lines(&text)
    }
}

/// The value at a dotted path, as text.
pub fn text_at(value: &Json, path: &str) -> String {
    let found = path.split('.').fold(value, |value, part| &value[part]);
    found.as_str().map_or_else(|| found.to_string(), str::to_owned)
}
