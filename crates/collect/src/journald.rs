//! The systemd journal of this machine, through `journalctl`.
//!
//! In: the JSON lines of a `journalctl --follow` that runs as long as Tocsin does. Out: batches
//! whose checkpoint is the journal's own cursor, so that nothing is read twice or skipped. Never
//! reads the journal's files itself; while the engine is busy, `journalctl` waits.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tocsin_model::{Position, Record, Timestamp};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Checkpoint, Checkpoints, Sender};
use crate::collector::Board;
use crate::config::Limits;
use crate::lines::{Line, LineSplitter};
use crate::stats::{DropReason, InputStats, Stats};

/// Name of the input and key of its checkpoint.
const INPUT: &str = "journald";
const PROGRAM: &str = "journalctl";
/// The fields that are asked for; the rest says nothing about what happened.
const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,\
    _COMM,_EXE,_HOSTNAME,_SYSTEMD_UNIT,_TRANSPORT,_AUDIT_TYPE_NAME,CONTAINER_NAME";
/// Pause before `journalctl` is started again, the first time and at most.
const RESTART_AFTER: Duration = Duration::from_secs(1);
const RESTART_AFTER_MAX: Duration = Duration::from_secs(60);
/// Bytes read from `journalctl` at once.
const READ_BYTES: usize = 64 << 10;
/// Most bytes of its complaints that are shown.
const COMPLAINT_BYTES_MAX: u64 = 500;

/// How far the journal was read: what its checkpoint holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The last entry that was read.
    cursor: Option<String>,
    /// Entries written before were there when the journal was first seen, microseconds since
    /// 1970.
    history_end_us: u64,
}

/// What we need of an entry.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime_us: String,
}

/// The follower of the systemd journal.
pub(crate) struct Journald {
    /// The program, and arguments before ours.
    program: Vec<String>,
    board: Arc<Board>,
    stats: Arc<InputStats>,
    input: Arc<str>,
    line_bytes_max: usize,
    recent: Duration,
    state: State,
}

impl Journald {
    pub(crate) fn new(
        (board, stats): (Arc<Board>, Arc<Stats>),
        limits: &Limits,
        resume: &Checkpoints,
    ) -> Self {
        let state = resume.get(INPUT).and_then(|state| serde_json::from_str(state).ok());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let history_end_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        Self {
            program: vec![PROGRAM.to_owned()],
            board,
            stats: stats.input(INPUT),
            input: Arc::from(INPUT),
            line_bytes_max: limits.line_bytes_max,
            recent: Duration::from_secs(86_400)
                .saturating_mul(u32::try_from(limits.recent_days).unwrap_or(u32::MAX)),
            state: state.unwrap_or(State { cursor: None, history_end_us }),
        }
    }

    /// Follows until shutdown; starts `journalctl` again when it ends.
    pub(crate) async fn run(mut self, sender: Sender, shutdown: CancellationToken) {
        let mut pause = RESTART_AFTER;
        loop {
            let read_before = self.stats.records();
            let follow = async {
                match self.spawn() {
                    Ok(child) => self.follow(child, &sender).await,
                    Err(error) => Err(format!("cannot start {PROGRAM}: {error}")),
                }
            };
            let problem = tokio::select! {
                problem = follow => problem,
                () = shutdown.cancelled() => return,
            };
            let Err(problem) = problem else { return };
            let problem =
                format!("{problem}; it is tried again, or set collect.journald.mode to \"off\"");
            self.report(Some(problem));
            if self.stats.records() > read_before {
                pause = RESTART_AFTER;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RESTART_AFTER_MAX),
                () = shutdown.cancelled() => return,
            }
        }
    }

    fn report(&self, problem: Option<String>) {
        self.board.report(&self.stats, INPUT, "systemd journal", problem);
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let (program, first) =
            self.program.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(first);
        command.args(["--output=json", "--follow", "--no-tail", "--all", "--quiet", "--no-pager"]);
        command.arg(format!("--output-fields={FIELDS}"));
        match &self.state.cursor {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")),
            None => {
                let since = SystemTime::now().checked_sub(self.recent);
                let since = since.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
                command.arg(format!("--since=@{}", since.unwrap_or_default().as_secs()))
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn()
    }

    /// Reads one `journalctl` to its end, which is an error; `Ok` when the engine is gone.
    async fn follow(&mut self, mut child: Child, sender: &Sender) -> Result<(), String> {
        let (Some(mut out), Some(complaints)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("journalctl has no output".to_owned());
        };
        self.report(None);
        let mut splitter = LineSplitter::new(0, self.line_bytes_max);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = out.read(&mut buffer).await.unwrap_or_default();
            if read == 0 {
                return Err(end_of(child, complaints).await);
            }
            let mut lines = Vec::new();
            splitter.push(&Bytes::copy_from_slice(&buffer[..read]), &mut lines);
            for batch in self.batches(lines) {
                if sender.send(batch).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// The entries as batches; what was there at first sight apart from what came later.
    fn batches(&mut self, lines: Vec<Line>) -> Vec<Batch> {
        let received = Timestamp::from_system(SystemTime::now());
        let mut batches: Vec<Batch> = Vec::new();
        for line in lines.into_iter().filter(|line| !line.bytes.is_empty()) {
            self.stats.dropped(DropReason::Oversize, u64::from(line.cut));
            self.stats.received(1, line.bytes.len() as u64, received);
            let entry = serde_json::from_slice::<Entry>(&line.bytes).ok();
            let written = entry.as_ref().and_then(|entry| entry.realtime_us.parse::<u64>().ok());
            let historical = written.is_some_and(|at| at < self.state.history_end_us);
            let cursor = entry.map(|entry| entry.cursor);
            let position = position(cursor.as_deref(), &line.bytes);
            if batches.last().is_none_or(|last| last.historical != historical) {
                batches.push(Batch { historical, ..Batch::default() });
            }
            self.state.cursor = cursor.or(self.state.cursor.take());
            let Some(batch) = batches.last_mut() else { continue };
            batch.checkpoints = vec![self.checkpoint()];
            batch.records.push(Record {
                input: self.input.clone(),
                position,
                received,
                bytes: line.bytes,
                hint: None,
                peer: None,
                path: None,
            });
        }
        batches
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.state).unwrap_or_default();
        Checkpoint { key: INPUT.to_owned(), state }
    }
}

/// Why `journalctl` ended: what it complained about, or its exit code.
async fn end_of(mut child: Child, complaints: ChildStderr) -> String {
    let mut text = Vec::new();
    // It has closed its output, so it is ending.
    let _ = complaints.take(COMPLAINT_BYTES_MAX).read_to_end(&mut text).await;
    let text = String::from_utf8_lossy(&text).trim().replace('\n', "; ");
    let status = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
    format!("journalctl ended ({status}) {text}").trim_end().to_owned()
}

/// The position of the entry with this cursor: the journal numbers its entries (`i`) within a
/// sequence (`s`). An entry without a readable cursor gets one from its bytes.
fn position(cursor: Option<&str>, bytes: &[u8]) -> Position {
    let part = |name: &str| cursor?.split(';').find_map(|part| part.strip_prefix(name));
    let hash = |kind: &[u8], bytes: &[u8]| {
        let mut hash = blake3::Hasher::new();
        hash.update(INPUT.as_bytes());
        hash.update(kind);
        hash.update(bytes);
        let mut stream = [0; 8];
        hash.finalize_xof().fill(&mut stream);
        u64::from_le_bytes(stream)
    };
    match (part("s="), part("i=").and_then(|i| u64::from_str_radix(i, 16).ok())) {
        (Some(sequence), Some(number)) => Position {
            stream: hash(b"sequence", sequence.as_bytes()),
            offset: number,
            next: number.saturating_add(1),
        },
        // Of a stream of its own: offsets within one only grow.
        _ => Position { stream: hash(b"entry", bytes), offset: 0, next: 1 },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;
    use tokio::sync::mpsc;

    use super::*;

    /// A `journalctl` that notes its arguments, prints `output` and does `then`.
    fn journald(dir: &Path, output: &str, then: &str, resume: &Checkpoints) -> Journald {
        std::fs::write(dir.join("output"), output).unwrap();
        let script =
            format!("printf '%s\\n' \"$@\" > {0}/args\ncat {0}/output\n{then}\n", dir.display());
        let program = dir.join("journalctl");
        std::fs::write(&program, script).unwrap();
        let shared = (Arc::new(Board::default()), Arc::new(Stats::default()));
        let mut journald = Journald::new(shared, &Limits::default(), resume);
        journald.program = vec!["sh".to_owned(), program.to_str().unwrap().to_owned()];
        journald
    }

    fn entry(number: u64, realtime_us: u64) -> String {
        format!(
            r#"{{"__CURSOR":"s=ab;i={number:x};b=1;m=2;t=3;x=4","__REALTIME_TIMESTAMP":"{realtime_us}","MESSAGE":"m{number}"}}"#
        )
    }

    async fn next(batches: &mut mpsc::Receiver<Batch>) -> Batch {
        let batch = tokio::time::timeout(Duration::from_secs(20), batches.recv()).await;
        batch.expect("a batch in time").expect("a batch")
    }

    #[tokio::test]
    async fn entries_are_read_from_the_cursor_on() {
        let dir = TempDir::new().unwrap();
        let output = format!("{}\n{}\nodd\n", entry(0x1f, 1), entry(0x20, u64::MAX));
        let resume = Checkpoints::default();
        let journald_ = journald(dir.path(), &output, "exec sleep 60", &resume);
        let (sender, mut batches) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(journald_.run(sender, shutdown.clone()));
        let mut seen = Vec::new();
        let mut checkpoints = Checkpoints::default();
        while seen.len() < 3 {
            let batch = next(&mut batches).await;
            let historical = batch.historical;
            seen.extend(batch.records.into_iter().map(|record| (historical, record)));
            checkpoints.extend(batch.checkpoints);
        }
        let offsets: Vec<_> =
            seen.iter().map(|(past, record)| (*past, record.position.offset)).collect();
        assert_eq!(offsets[..2], [(true, 0x1f), (false, 0x20)]);
        assert_eq!(seen[0].1.position.stream, seen[1].1.position.stream);
        assert_eq!(&seen[2].1.bytes[..], b"odd");
        let args = std::fs::read_to_string(dir.path().join("args")).unwrap();
        assert!(args.contains("--no-tail\n") && args.contains("--since=@"), "{args}");
        shutdown.cancel();
        task.await.unwrap();

        let resumed = journald(dir.path(), "", "exit 1", &checkpoints);
        assert_eq!(resumed.state.cursor.as_deref(), Some("s=ab;i=20;b=1;m=2;t=3;x=4"));
        let child = resumed.spawn().unwrap();
        child.wait_with_output().await.unwrap();
        let args = std::fs::read_to_string(dir.path().join("args")).unwrap();
        assert!(args.contains("--after-cursor=s=ab;i=20;b=1;m=2;t=3;x=4\n"), "{args}");
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_read_is_told() {
        let dir = TempDir::new().unwrap();
        let then = "echo 'No journal files were found.' >&2; exit 1";
        let mut broken = journald(dir.path(), "", then, &Checkpoints::default());
        let (sender, _batches) = mpsc::channel(1);
        let child = broken.spawn().unwrap();
        let problem = broken.follow(child, &sender).await.unwrap_err();
        assert_eq!(problem, "journalctl ended (exit status: 1) No journal files were found.");
    }
}
