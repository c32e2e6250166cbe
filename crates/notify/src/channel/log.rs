//! The alert log: one line of nested ECS JSON for each alert raised, appended to a file. A line
//! is on disk before its notice counts as delivered, and an alert whose line is there is not
//! written again, so a crash in between neither loses nor doubles it. The file may be renamed
//! or emptied by others at any time.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value as Json;
use tocsin_model::NoticeKind;

use super::SendError;
use crate::error::NotifyError;
use crate::view::Message;

/// How much of the file's end is looked at for ids on start, in bytes. A crash can leave at most
/// one batch of lines behind that the outbox does not know of.
pub const TAIL_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How many ids are remembered.
pub const IDS_MAX: usize = 20_000;

/// The alert log.
#[derive(Debug)]
pub struct LogChannel {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Written {
    fn add(&mut self, id: String) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

impl LogChannel {
    /// Opens the log, making it when it is not there. A last line that a crash cut short is
    /// removed: its notice was not delivered yet and comes again.
    pub fn open(path: PathBuf) -> Result<Self, NotifyError> {
        let mut written = Written::default();
        read_tail(&path, &mut written)
            .map_err(|source| NotifyError::AlertLog { path: path.clone(), source })?;
        Ok(Self { path, written: Mutex::new(written) })
    }

    /// A log of which nothing is known, to be tried out while another process may write it.
    pub(crate) fn unread(path: PathBuf) -> Self {
        Self { path, written: Mutex::default() }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends what is not there yet; returns once it is on disk.
    pub(crate) fn append(&self, messages: &[Message]) -> Result<String, SendError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        let mut ids = BTreeSet::new();
        for message in messages {
            let Message::Alert(view) = message else { continue };
            let id = view.alert.id.0.clone();
            let wanted = view.kind == NoticeKind::Raised && !written.ids.contains(&id);
            if wanted && ids.insert(id) {
                text.extend_from_slice(view.alert.to_json().to_string().as_bytes());
                text.push(b'\n');
            }
        }
        let done = write_whole(&self.path, &text);
        done.map_err(|error| SendError::channel(format!("{}: {error}", self.path.display())))?;
        for id in ids {
            written.add(id);
        }
        Ok(format!("{} can be written", self.path.display()))
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe could wait for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("is not a regular file; give the path of one"));
    }
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

/// Writes all or nothing: what a full disk left of it is taken back.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    if text.is_empty() {
        return Ok(());
    }
    let before = file.metadata()?.len();
    if !ends_with_newline(&mut file, before)? {
        // Somebody else left half a line: it must not swallow the next one.
        file.write_all(b"\n")?;
    }
    if let Err(error) = file.write_all(text).and_then(|()| file.sync_data()) {
        // When this fails too, the next start removes the half line.
        let _ = file.set_len(before);
        return Err(error);
    }
    Ok(())
}

fn ends_with_newline(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn read_tail(path: &Path, written: &mut Written) -> io::Result<()> {
    let mut file = open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    if whole < tail.len() && (whole > 0 || start == 0) {
        file.set_len(start + whole as u64)?;
        file.sync_data()?;
    }
    for line in tail[..whole].split(|&byte| byte == b'\n') {
        let Ok(alert) = serde_json::from_slice::<Json>(line) else { continue };
        if let Some(id) = alert.pointer("/tocsin/alert/id").and_then(Json::as_str) {
            written.add(id.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use tocsin_model::{AlertId, Notice};

    use super::*;
    use crate::view::AlertView;

    const INSIDE: &str = "TOCSIN_TEST_FILE_LIMIT";

    fn message(number: u32, reason_bytes: usize) -> Message {
        let mut alert = crate::notifier::test_alert();
        alert.id = AlertId(number.to_string());
        alert.reason = "x".repeat(reason_bytes);
        let notice = Notice { channel: "log".to_owned(), kind: NoticeKind::Raised, alert };
        Message::Alert(Box::new(AlertView::new(&notice, None)))
    }

    /// The limit of a process stands in for a full disk: a write takes what there is room for,
    /// the next one fails.
    #[test]
    fn what_a_full_disk_took_of_a_line_is_taken_back() {
        if std::env::var_os(INSIDE).is_some() {
            return fill_up();
        }
        let test = std::env::current_exe().unwrap();
        let name = "channel::log::tests::what_a_full_disk_took_of_a_line_is_taken_back";
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(test)
            .args(["--exact", name])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stdout));
    }

    fn fill_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.ndjson");
        let log = LogChannel::open(path.clone()).unwrap();
        log.append(&[message(1, 1000)]).unwrap();
        let before = std::fs::read(&path).unwrap();

        let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, before.len() as u64 + 100, hard).unwrap();
        let batch = [message(2, 10), message(3, 100_000)];
        let failed = log.append(&batch);
        let after = std::fs::read(&path).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
        let error = failed.unwrap_err();
        assert!(error.answer.contains("alerts.ndjson: File too large"), "{error:?}");
        assert_eq!(after, before, "no half line is left");

        log.append(&batch).unwrap();
        log.append(&batch).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "room again: all of it, once");
        assert!(text.ends_with('\n'));
    }
}
