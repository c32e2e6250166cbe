//! Finds the older parts of a rotated file that still have to be read.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tocsin_model::Timestamp;

use super::Follower;
use super::follow::{BEGIN_ATTEMPTS, CLOCK_SLACK};
use super::identity::{self, FileId};
use super::paths::{self, Sibling};
use super::tail::{self, FileState, LEAVE_AFTER, Tail};

/// The search for older parts of one file.
struct Search<'a> {
    spec: usize,
    path: &'a Path,
    /// States of the path whose file was not found yet.
    orphans: Vec<FileState>,
    /// Parts written after this are read though they were never seen.
    missed_since: Option<SystemTime>,
    /// True when they are read because the path is seen for the first time.
    history: bool,
    /// Tails to read, oldest first.
    tails: Vec<u64>,
}

impl Follower {
    /// Begins with the older parts of `path` that were not read to their end, oldest first, and
    /// returns the tails to wait for. `replaced` is the former state of the file itself when its
    /// content is new; the flag says whether that content was found (or there was none).
    ///
    /// Nothing is begun when files were renamed in between: [`io::ErrorKind::ResourceBusy`].
    pub(super) fn older_parts(
        &mut self,
        spec: usize,
        path: &Path,
        current: Option<FileId>,
        replaced: Option<&FileState>,
        history: bool,
    ) -> io::Result<(Vec<u64>, bool)> {
        let siblings = self.open_siblings(path, current)?;
        // What was written since the last look must be known as theirs, not taken for missed.
        self.tails.iter_mut().filter(|tail| tail.path == path).for_each(Tail::look_at_head);
        let mut search = self.search(spec, path, current, replaced, history);
        for (sibling, file) in siblings {
            let being_read = self.tails.iter().any(|tail| tail.file_id == sibling.id);
            if Some(sibling.id) == current || being_read {
                search.orphans.retain(|orphan| orphan.id != sibling.id);
                continue;
            }
            if let Err(error) = self.older_part(&mut search, &sibling, file) {
                self.problem(&sibling.path, None, &error);
            }
        }
        let lost = |state: &FileState| search.orphans.iter().any(|orphan| orphan == state);
        let found = !replaced.is_some_and(lost);
        for orphan in search.orphans.iter().filter(|orphan| Some(orphan.id) != current) {
            if !self.tails.iter().any(|tail| tail.state.id == orphan.id) {
                self.forget(&orphan.key());
            }
        }
        Ok((search.tails, found))
    }

    /// Opens the older parts of `path` as they are at one moment.
    fn open_siblings(
        &mut self,
        path: &Path,
        current: Option<FileId>,
    ) -> io::Result<Vec<(Sibling, File)>> {
        let busy = || io::Error::from(io::ErrorKind::ResourceBusy);
        let found = paths::siblings(path)?;
        let mut siblings = Vec::new();
        for sibling in found.clone() {
            match File::open(&sibling.path) {
                Ok(file) => siblings.push((sibling, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(busy()),
                Err(error) => self.problem(&sibling.path, None, &error),
            }
        }
        // The same names lead to the same files before and after.
        let names = |siblings: &[Sibling]| -> Vec<_> {
            siblings.iter().map(|sibling| (sibling.path.clone(), sibling.id)).collect()
        };
        let unchanged = names(&found) == names(&paths::siblings(path)?)
            && fs::metadata(path).ok().map(|metadata| FileId::from(&metadata)) == current;
        if unchanged { Ok(siblings) } else { Err(busy()) }
    }

    fn search<'a>(
        &self,
        spec: usize,
        path: &'a Path,
        current: Option<FileId>,
        replaced: Option<&FileState>,
        history: bool,
    ) -> Search<'a> {
        let path_text = path.to_string_lossy();
        let of_path =
            || self.known.values().filter(|state| state.path == path_text && !state.read_out);
        let read: HashSet<_> = self.tails.iter().map(|tail| tail.state.id).collect();
        let orphans = of_path().filter(|state| {
            Some(state.id) != current
                && !read.contains(&state.id)
                && replaced.is_none_or(|replaced| replaced.id != state.id)
        });
        let orphans = orphans.chain(replaced).cloned().collect();
        let seen = of_path().map(|state| state.seen).max();
        let missed_since = if history {
            let days = u32::try_from(self.limits.recent_days).unwrap_or(u32::MAX);
            SystemTime::now().checked_sub(Duration::from_secs(86_400).saturating_mul(days))
        } else {
            seen.and_then(|nanos| {
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
            })
        };
        let waiting = self.tails.iter().filter(|tail| tail.path == path && tail.leaving);
        let tails = waiting.map(|tail| tail.number).collect();
        Search { spec, path, orphans, missed_since, history, tails }
    }

    fn older_part(
        &mut self,
        search: &mut Search<'_>,
        sibling: &Sibling,
        file: File,
    ) -> io::Result<()> {
        let head = match sibling.part.gzip {
            true => identity::read_gzip_head(&file)?,
            false => identity::read_head(&file)?,
        };
        let own = self.known.get(&tail::key(sibling.id)).filter(|own| own.head.matches(&head));
        let gzip = sibling.part.gzip;
        let may_resume = |own: &&FileState| !own.read_out && (gzip || sibling.size >= own.offset);
        if let Some(mut own) = own.filter(may_resume).cloned() {
            own.head.grow(&head);
            search.orphans.retain(|orphan| orphan.id != own.id);
            let age = sibling.modified.elapsed().unwrap_or_default();
            if gzip || sibling.size > own.offset || age < LEAVE_AFTER {
                self.read_older(search, (sibling, file), own, LEAVE_AFTER)?;
            }
            return Ok(());
        }
        if let Some(at) = search.orphans.iter().position(|orphan| orphan.head.is_copied_in(&head)) {
            let orphan = search.orphans.remove(at);
            self.mark_read_out(&sibling.path, sibling.id, &head);
            return self.read_older(search, (sibling, file), orphan, Duration::ZERO);
        }
        let path_text = search.path.to_string_lossy();
        let read_elsewhere = |state: &FileState| state.head.is_copied_in(&head);
        if own.is_some() {
            return Ok(());
        }
        if self.known.values().filter(|s| s.path == path_text).any(read_elsewhere)
            || self.tails.iter().filter(|t| t.path == search.path).any(|t| read_elsewhere(&t.state))
        {
            self.mark_read_out(&sibling.path, sibling.id, &head);
            return Ok(());
        }
        if search.missed_since.is_some_and(|since| sibling.modified + CLOCK_SLACK > since) {
            let written = Timestamp::from_system(sibling.modified);
            let former = self.known.get(&tail::key(sibling.id)).filter(|former| !former.read_out);
            let mut state = former.map_or_else(
                || FileState::new(search.path, sibling.id, written),
                |former| former.next_generation(written),
            );
            state.head.grow(&head);
            if search.history {
                state.history_end = if sibling.part.gzip { u64::MAX } else { sibling.size };
            }
            self.read_older(search, (sibling, file), state, LEAVE_AFTER)?;
        }
        Ok(())
    }

    fn read_older(
        &mut self,
        search: &mut Search<'_>,
        (sibling, file): (&Sibling, File),
        state: FileState,
        leave_after: Duration,
    ) -> io::Result<()> {
        let content = (sibling.part.gzip, state);
        let number =
            self.push_tail(search.spec, search.path, file, content, search.tails.clone())?;
        if let Some(tail) = self.tails.last_mut() {
            (tail.leaving, tail.older) = (true, true);
            tail.leave_after = leave_after;
        }
        search.tails.push(number);
        Ok(())
    }

    /// Looks for the former content of a file that was rotated away and then replaced.
    fn find_replaced(&mut self, spec: usize, tail: &Tail) -> io::Result<bool> {
        let path = tail.path.as_path();
        for _ in 0..BEGIN_ATTEMPTS {
            let current = fs::metadata(path).ok().map(|metadata| FileId::from(&metadata));
            match self.older_parts(spec, path, current, Some(&tail.state), false) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                done => return done.map(|(_, found)| found),
            }
        }
        Ok(false)
    }

    /// The content of a file that is being read is not the same any more: reads what is left of
    /// the old one, wherever it was copied to, and then the new one. `None` when stopping.
    pub(super) fn replaced(&mut self, index: usize) -> Option<()> {
        let mut tail = self.tails.remove(index);
        self.known.insert(tail.state.key(), tail.state.clone());
        let spec = self.specs.iter().position(|spec| spec.patterns.matches(&tail.path));
        let found = match spec {
            Some(spec) => {
                let found = match tail.leaving {
                    true => self.find_replaced(spec, &tail),
                    false => self.begin(spec, &tail.path),
                };
                found.unwrap_or_else(|error| {
                    self.problem(&tail.path, None, &error);
                    false
                })
            }
            None => false,
        };
        if !found {
            let rest = tail.finish(SystemTime::now());
            if !rest.records.is_empty() {
                return self.out.send(rest).then_some(());
            }
        }
        Some(())
    }
}
