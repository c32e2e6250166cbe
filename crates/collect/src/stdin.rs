//! Lines from standard input, until it ends.
//!
//! In: a reader. Out: journal entries, one for each line. Never reads on while the journal is
//! full: the program at the other end of the pipe waits.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tocsin_model::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::journal::{Journal, JournalEntry};
use crate::lines::{CHUNK_BYTES, Line, LineSplitter};
use crate::stats::{DropReason, InputStats};

/// Name of the input.
pub(crate) const INPUT: &str = "stdin";
/// Chunks of lines that may wait for the journal.
const CHUNKS_WAITING_MAX: usize = 4;

/// Reads `from` in a thread of its own (which cannot be stopped while it waits for input) and
/// writes its lines to the journal until it ends.
pub(crate) async fn run(
    from: impl Read + Send + 'static,
    line_bytes_max: usize,
    journal: Arc<Journal>,
    stats: Arc<InputStats>,
    shutdown: CancellationToken,
) {
    let (sender, mut lines) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reader = std::thread::Builder::new().name(INPUT.into());
    if let Err(error) = reader.spawn(move || read(from, line_bytes_max, &sender)) {
        stats.set_problem(Some(format!("cannot start a thread for stdin: {error}")));
        return;
    }
    let input: Arc<str> = Arc::from(INPUT);
    loop {
        let chunk = tokio::select! {
            chunk = lines.recv() => chunk,
            () = shutdown.cancelled() => None,
        };
        let Some(chunk) = chunk else { return };
        let chunk: Vec<Line> = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                stats.set_problem(Some(format!("cannot read stdin: {error}")));
                return;
            }
        };
        let received = Timestamp::from_system(SystemTime::now());
        stats.dropped(DropReason::Oversize, chunk.iter().filter(|line| line.cut).count() as u64);
        let entry = |line: Line| JournalEntry {
            input: input.clone(),
            hint: None,
            peer: None,
            received,
            bytes: line.bytes,
        };
        let lines = chunk.into_iter().filter(|line| !line.bytes.is_empty());
        let entries: Vec<_> = lines.map(entry).collect();
        crate::accept(&journal, entries, &stats, &shutdown).await;
    }
}

fn read(mut from: impl Read, line_bytes_max: usize, sender: &mpsc::Sender<io::Result<Vec<Line>>>) {
    let mut splitter = LineSplitter::new(0, line_bytes_max);
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut lines = Vec::new();
        let read = match from.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return drop(sender.blocking_send(Err(error))),
        };
        chunk.truncate(read);
        splitter.push(&Bytes::from(chunk), &mut lines);
        if read == 0 {
            lines.extend(splitter.finish());
        }
        let lines = crate::multiline::join(lines, line_bytes_max);
        if (!lines.is_empty() && sender.blocking_send(Ok(lines)).is_err()) || read == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tempfile::TempDir;

    use super::*;
    use crate::batch::Checkpoints;
    use crate::config::JournalLimits;

    #[tokio::test]
    async fn every_line_of_stdin_is_journaled_including_a_last_one_without_an_end() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path(), &JournalLimits::default()).unwrap();
        let journal = Arc::new(journal);
        let stats = Arc::new(InputStats::default());
        let from = Cursor::new(b"one\r\n\n12345678901\nlast".to_vec());
        let shutdown = CancellationToken::new();
        run(from, 10, journal.clone(), stats.clone(), shutdown).await;
        let batch = journal.reader(&Checkpoints::default()).await.unwrap().read().unwrap();
        let texts: Vec<_> = batch.records.iter().map(|record| &record.bytes[..]).collect();
        assert_eq!(texts, [&b"one"[..], b"1234567890", b"last"]);
        assert_eq!((stats.records(), stats.dropped_count(DropReason::Oversize)), (3, 1));
    }

    #[tokio::test]
    async fn waiting_for_stdin_holds_nothing_up_at_the_end() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path(), &JournalLimits::default()).unwrap();
        // A pipe that nobody writes to.
        let (from, _to) = std::io::pipe().unwrap();
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        run(from, 10, Arc::new(journal), Arc::default(), shutdown).await;
    }
}
