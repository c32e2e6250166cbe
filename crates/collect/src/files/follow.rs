//! Looks which files are there now, and decides where to begin in each.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_model::Timestamp;

use super::Follower;
use super::identity::{self, FileId};
use super::paths;
use super::tail::{self, FileState, LEAVE_AFTER, Labels, Tail};
use crate::config::Start;
use crate::discover::unreadable;
use crate::stats::DropReason;

const DAY: Duration = Duration::from_secs(86_400);
/// How often a file is tried to begin with while it is being rotated.
pub(super) const BEGIN_ATTEMPTS: usize = 20;
/// States of files that were not there for so long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// File times come from a coarser clock than ours.
pub(super) const CLOCK_SLACK: Duration = Duration::from_millis(100);

/// A file that was opened to be followed.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) id: FileId,
    pub(super) metadata: Metadata,
    pub(super) head: Vec<u8>,
}

impl Opened {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let head = identity::read_head(&file)?;
        Ok(Self { id: FileId::from(&metadata), file, metadata, head })
    }
}

impl Follower {
    /// Looks at every path that matches now.
    pub(super) fn scan(&mut self) {
        let waiting_before = std::mem::take(&mut self.waiting);
        let mut directories = BTreeSet::new();
        for _ in 0..2 {
            directories.clear();
            for spec in 0..self.specs.len() {
                let expanded = self.specs[spec].patterns.expand();
                directories.extend(expanded.paths.iter().flat_map(|path| paths::parents(path)));
                let mut new = expanded.paths.clone();
                new.retain(|path| self.is_new(spec, path));
                paths::older_parts_last(&mut new);
                for path in new {
                    self.look(spec, &path);
                }
                self.report_patterns(spec, expanded);
                directories.extend(self.specs[spec].patterns.directories());
            }
            // What happened in a directory before it was watched was not heard.
            if !self.watch.set(directories.clone()) {
                break;
            }
        }
        for path in waiting_before.difference(&self.waiting) {
            self.board.waits_no_more(&self.stats, path);
        }
        self.let_go_deleted();
        if self.first_scan {
            self.forget_old();
        }
    }

    fn report_patterns(&mut self, spec: usize, expanded: paths::Expanded) {
        if self.specs[spec].optional {
            return;
        }
        let source = self.specs[spec].source.clone();
        for (dir, error) in expanded.unlisted {
            self.problem(&dir, source.clone(), &error);
            self.waiting.insert(dir);
        }
        for pattern in expanded.unmatched {
            self.wait_for(Path::new(&pattern), source.clone());
        }
    }

    /// Shows that there is nothing at a path or pattern yet.
    fn wait_for(&mut self, path: &Path, source: Option<Arc<str>>) {
        self.board.wait_for(path, source);
        self.waiting.insert(path.to_owned());
    }

    /// Shows (once) why a file cannot be read.
    pub(super) fn problem(&mut self, path: &Path, source: Option<Arc<str>>, error: &io::Error) {
        let text = unreadable(path, error);
        self.board.report_file(&self.stats, path, source, Some(text));
    }

    /// True when there is a file at `path` that is not being read.
    fn is_new(&mut self, spec: usize, path: &Path) -> bool {
        let source = self.specs[spec].source.clone();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.specs[spec].optional && !self.tails.iter().any(|tail| tail.path == path) {
                    self.wait_for(path, source);
                }
                return false;
            }
            Err(error) => {
                self.problem(path, source, &error);
                return false;
            }
        };
        let id = FileId::from(&metadata);
        let mut reading = self.tails.iter_mut().filter(|tail| tail.file_id == id).peekable();
        if reading.peek().is_some() {
            // It may have been moved away and back.
            reading
                .filter(|tail| tail.path == path && !tail.older)
                .for_each(|tail| tail.leaving = false);
            return false;
        }
        metadata.is_file() && !self.left_out.contains(&id)
    }

    /// Begins with the file at `path`; one that was there before is read to its end first.
    fn look(&mut self, spec: usize, path: &Path) {
        for tail in self.tails.iter_mut().filter(|tail| tail.path == path) {
            tail.leaving = true;
            tail.drained = false;
        }
        if self.tails.len() >= self.limits.files_max {
            let max = self.limits.files_max;
            let text = format!("over {max} files are followed; raise collect.limits.files_max");
            let source = self.specs[spec].source.clone();
            return self.board.report_file(&self.stats, path, source, Some(text));
        }
        if let Err(error) = self.begin(spec, path) {
            self.problem(path, self.specs[spec].source.clone(), &error);
        }
    }

    /// Opens the file at `path` and decides where to begin. True when what was known of its
    /// former content could be found elsewhere (or nothing was known).
    pub(super) fn begin(&mut self, spec: usize, path: &Path) -> io::Result<bool> {
        for _ in 0..BEGIN_ATTEMPTS {
            match self.try_begin(spec, path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                done => return done,
            }
        }
        Err(io::Error::other("it is renamed all the time"))
    }

    fn try_begin(&mut self, spec: usize, path: &Path) -> io::Result<bool> {
        let opened = Opened::open(path)?;
        if self.tails.iter().any(|tail| tail.file_id == opened.id) {
            return Ok(true);
        }
        let now = Timestamp::from_system(SystemTime::now());
        let own = self.own_state(path, &opened);
        if let Some(own) = own.as_ref().filter(|own| own.read_out && own.head.matches(&opened.head))
        {
            self.left_out.insert(own.id);
            return Ok(true);
        }
        if own.is_none() && !self.first_scan && self.is_copy(path, &opened) {
            return Ok(true);
        }
        let path_text = path.to_string_lossy();
        let path_known = self.known.values().any(|state| state.path == path_text)
            || self.tails.iter().any(|tail| tail.path == path);
        let existed = self.first_scan
            || opened.metadata.created().is_ok_and(|created| created + CLOCK_SLACK < self.started);
        let first_sight = own.is_none() && !path_known && existed;
        let resumes =
            |own: &FileState| own.head.matches(&opened.head) && opened.metadata.len() >= own.offset;
        let (mut state, replaced) = match own {
            Some(own) if resumes(&own) => (own, None),
            Some(own) => (own.next_generation(now), Some(own)),
            None if first_sight => (self.first_state(spec, path, &opened, now)?, None),
            None => (FileState::new(path, opened.id, now), None),
        };
        // So that the first turn notices when the content is replaced before it.
        state.head.grow(&opened.head);
        let start = self.specs[spec].start;
        let history = first_sight && start == Start::Recent;
        let (after, found) =
            self.older_parts(spec, path, Some(opened.id), replaced.as_ref(), history)?;
        self.push_tail(spec, path, opened.file, (false, state), after)?;
        if let (0, Ok(modified), Some(tail)) =
            (opened.metadata.len(), opened.metadata.modified(), self.tails.last_mut())
        {
            tail.was_empty(modified);
        }
        Ok(found)
    }

    /// The state of the file at `path`, if it was read before.
    fn own_state(&mut self, path: &Path, opened: &Opened) -> Option<FileState> {
        if let Some(state) = self.known.get(&tail::key(opened.id)) {
            return Some(state.clone());
        }
        // Device numbers may change when the machine restarts.
        let path_text = path.to_string_lossy();
        let moved = self.known.values().find(|state| {
            state.id.inode == opened.id.inode
                && state.id.born == opened.id.born
                && state.path == path_text
                && state.head.is_copied_in(&opened.head)
                && opened.metadata.len() >= state.offset
        })?;
        let mut state = moved.clone();
        self.forget(&state.key());
        state.id = opened.id;
        self.known.insert(state.key(), state.clone());
        Some(state)
    }

    /// Where to begin in a file that was there before Tocsin.
    fn first_state(
        &self,
        spec: usize,
        path: &Path,
        opened: &Opened,
        now: Timestamp,
    ) -> io::Result<FileState> {
        let mut state = FileState::new(path, opened.id, now);
        let size = opened.metadata.len();
        let oldest =
            SystemTime::now() - DAY * u32::try_from(self.limits.recent_days).unwrap_or(u32::MAX);
        let start = match self.specs[spec].start {
            Start::Recent if opened.metadata.modified()? < oldest => Start::End,
            start => start,
        };
        match start {
            Start::Beginning => {}
            Start::End => {
                state.offset = line_start_before(&opened.file, size, self.limits.line_bytes_max)?
            }
            Start::Recent => {
                if self.is_history(opened) {
                    state.history_end = size;
                }
                let skip = size.saturating_sub(self.limits.recent_bytes_max);
                if skip > 0 {
                    state.offset =
                        line_start_before(&opened.file, skip, self.limits.line_bytes_max)?;
                    let input = self.stats.input(&file_input(path));
                    input.dropped(DropReason::TooOld, 1);
                }
            }
        }
        Ok(state)
    }

    /// Whether a file seen for the first time was there before Tocsin first watched this machine.
    fn is_history(&self, opened: &Opened) -> bool {
        match (opened.metadata.created(), self.watching_since) {
            (Ok(created), Some(since)) => created < since,
            _ => self.first_scan,
        }
    }

    /// Adds a tail that is read after the tails `after`.
    pub(super) fn push_tail(
        &mut self,
        spec: usize,
        path: &Path,
        file: File,
        (gzip, state): (bool, FileState),
        after: Vec<u64>,
    ) -> io::Result<u64> {
        let source = self.specs[spec].source.clone();
        let input: Arc<str> = Arc::from(file_input(path));
        let stats = self.stats.input(&input);
        let path_text: Arc<str> = Arc::from(path.to_string_lossy());
        let labels = Labels { input, path: path_text, hint: source.clone() };
        let number = self.next_number;
        let max = self.limits.line_bytes_max;
        let mut tail = Tail::new(number, path, file, gzip, state, max, (labels, stats))?;
        self.next_number += 1;
        // Stored at once, so that a crash before its turn does not make it new again; but not
        // over the state of former content in the same file that is still to be read.
        let key = tail.state.key();
        tail.stored = !self.tails.iter().any(|earlier| earlier.state.key() == key);
        if tail.stored {
            self.known.insert(tail.state.key(), tail.state.clone());
            self.outgoing.push(tail.state.checkpoint());
        }
        let older = self.tails.iter().find(|earlier| after.contains(&earlier.number));
        tail.lane = older.map_or(number, |older| older.lane);
        tail.after = after;
        self.board.report_file(&self.stats, path, source, None);
        self.tails.push(tail);
        Ok(number)
    }

    /// Marks files that no name leads to any more.
    fn let_go_deleted(&mut self) {
        for tail in self.tails.iter_mut().filter(|tail| !tail.leaving) {
            tail.leaving = tail.is_deleted();
        }
    }

    /// Forgets files that are long gone.
    fn forget_old(&mut self) {
        let now = SystemTime::now();
        let oldest = Timestamp::from_system(now).minus(FORGET_AFTER);
        let gone = |state: &FileState| {
            let path = PathBuf::from(&state.path);
            let listed = path.parent().is_some_and(|dir| fs::read_dir(dir).is_ok());
            let here = fs::metadata(&path).map(|m| FileId::from(&m)).ok();
            listed
                && here != Some(state.id)
                && paths::siblings(&path)
                    .is_ok_and(|siblings| siblings.iter().all(|sibling| sibling.id != state.id))
        };
        let old = self.known.values().filter(|state| state.seen < oldest.0);
        let old: Vec<_> = old.filter(|state| gone(state)).map(FileState::key).collect();
        old.iter().for_each(|key| self.forget(key));
    }

    /// Drops a state and its checkpoint.
    pub(super) fn forget(&mut self, key: &str) {
        self.known.remove(key);
        let state = String::new();
        self.outgoing.push(crate::batch::Checkpoint { key: key.to_owned(), state });
    }

    /// True when the file may be a copy, being made, of one that is followed (before that one is
    /// truncated): then it is not read, or not yet.
    fn is_copy(&mut self, path: &Path, opened: &Opened) -> bool {
        let Some(name) = path.file_name() else { return false };
        let followed = self.tails.iter().filter(|tail| !tail.leaving).find(|tail| {
            tail.path.parent() == path.parent()
                && tail.path.file_name().is_some_and(|base| paths::older_part(base, name).is_some())
        });
        let Some(followed) = followed else { return false };
        if followed.state.head.is_copied_in(&opened.head) {
            self.mark_read_out(path, opened.id, &opened.head);
            return true;
        }
        let age = opened.metadata.modified().map(|at| at.elapsed().unwrap_or_default());
        followed.head().starts_with(&opened.head) && age.is_ok_and(|age| age < LEAVE_AFTER)
    }

    /// Remembers that the file holds only what was read from another.
    pub(super) fn mark_read_out(&mut self, path: &Path, id: FileId, head: &[u8]) {
        let now = Timestamp::from_system(SystemTime::now());
        let mut state = FileState::new(path, id, now);
        state.head = identity::Head::of(head);
        state.read_out = true;
        self.outgoing.push(state.checkpoint());
        self.known.insert(state.key(), state);
        self.left_out.insert(id);
    }

    /// Remembers how it stands with a file that is not read any more.
    pub(super) fn ended(&mut self, tail: &Tail) {
        let key = tail.state.key();
        let from_copy = tail.file_id != tail.state.id;
        if tail.is_deleted() || from_copy {
            // Unless the file has new content, which is read next.
            if !self.tails.iter().any(|other| other.state.key() == key) {
                self.forget(&key);
            }
        } else if tail.is_gzip() {
            let mut state = tail.state.clone();
            state.read_out = true;
            self.outgoing.push(state.checkpoint());
            self.known.insert(key, state);
        }
    }
}

/// The name of the input that follows `path`.
pub(crate) fn file_input(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// Where the last line starts that begins before `place`; `place` itself when that is too far.
fn line_start_before(file: &File, place: u64, line_bytes_max: usize) -> io::Result<u64> {
    let from = place.saturating_sub(line_bytes_max as u64);
    let mut bytes = vec![0; usize::try_from(place - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    match memchr::memrchr(b'\n', &bytes) {
        Some(newline) => Ok(from + newline as u64 + 1),
        None if from == 0 => Ok(0),
        None => Ok(place),
    }
}
