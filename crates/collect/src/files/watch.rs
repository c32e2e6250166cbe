//! Hears of changes in directories as they happen.
//!
//! In: directories. Out: a wake-up for each change, and whether names changed. Never the only way
//! to learn of a change: the follower also looks by itself, more slowly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::identity::FileId;

/// Watches directories.
pub struct DirWatch {
    /// `None` when the system offers no notifications.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, FileId>,
    renamed: Arc<AtomicBool>,
    complete: bool,
}

impl DirWatch {
    /// A watch over nothing yet; each change wakes the receiver of `wake`.
    pub fn new(wake: SyncSender<()>) -> Self {
        let renamed = Arc::new(AtomicBool::new(false));
        let names = renamed.clone();
        let heard = move |event: notify::Result<notify::Event>| {
            let (names_changed, changed) = match event {
                Ok(event) if event.need_rescan() => (true, true),
                Ok(event) => match event.kind {
                    // Reading and opening, our own too.
                    EventKind::Access(_) => (false, false),
                    EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_))
                    | EventKind::Create(_)
                    | EventKind::Remove(_)
                    | EventKind::Any => (true, true),
                    _ => (false, true),
                },
                Err(_) => (true, true),
            };
            names.fetch_or(names_changed, Ordering::Relaxed);
            if changed {
                // A full channel means that a wake-up is waiting already.
                let _ = wake.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(heard)
            .inspect_err(|error| {
                tracing::warn!("no file notifications, looking every second: {error}")
            })
            .ok();
        Self { complete: watcher.is_some(), watcher, watched: BTreeMap::new(), renamed }
    }

    /// True when files appeared, went or were renamed since the last call.
    pub fn take_renamed(&self) -> bool {
        self.renamed.swap(false, Ordering::Relaxed)
    }

    /// True when every directory is watched, so that looking now and then is enough.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Watches exactly `directories`; true when one was added, whose earlier changes were missed.
    pub fn set(&mut self, directories: BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut added = false;
        self.watched.retain(|path, id| {
            let stays = directories.contains(path) && id_of(path) == Some(*id);
            if !stays {
                // Gone with its directory, most likely.
                let _ = watcher.unwatch(path);
            }
            stays
        });
        let mut complete = true;
        for path in directories {
            let Some(id) = id_of(&path) else { continue };
            if self.watched.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path, id);
                    added = true;
                }
                Err(error) => {
                    complete = false;
                    if self.complete {
                        tracing::warn!(path = %path.display(), "cannot watch, looking every second instead: {error}");
                    }
                }
            }
        }
        self.complete = complete;
        added
    }
}

fn id_of(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().filter(fs::Metadata::is_dir).map(|metadata| FileId::from(&metadata))
}
