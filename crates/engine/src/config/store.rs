//! How events are kept: the section `store`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tocsin_store::{Directory, Shelf};

/// How events are kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Days that events are kept, in the archive too; 0 keeps them for ever. Default 30.
    pub retention_days: u32,
    /// The most room that stored events take, bytes, the archive's included; beyond it the oldest
    /// days are deleted. 0 is no limit. Default 0.
    pub retention_bytes: u64,
    /// Memory that the index writer may use, bytes. Default 64 MiB.
    pub writer_bytes: usize,
    /// Milliseconds from an event's arrival to it being stored safely and found by a search.
    /// Default 1000.
    pub commit_ms: u64,
    /// Where days go that are asked less often.
    pub archive: ArchiveConfig,
    /// Packs whose events are kept for a shorter time or in less room than all: name of a pack to
    /// its limits. Counts in the archive, where each pack has files of its own. Default none.
    pub packs: BTreeMap<String, PackConfig>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            retention_days: 30,
            retention_bytes: 0,
            writer_bytes: 64 * 1024 * 1024,
            commit_ms: 1000,
            archive: ArchiveConfig::default(),
            packs: BTreeMap::new(),
        }
    }
}

/// Where days go that are asked less often: Parquet files, a third of the size, searched by the
/// same queries, only slower.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveConfig {
    /// Days after which a day of arrival moves to the archive; 0 never. Default 7.
    pub after_days: u32,
    /// Directory of the archived files, for example on a larger and slower disk. Default
    /// `store/archive` in the data directory.
    pub dir: Option<PathBuf>,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self { after_days: 7, dir: None }
    }
}

/// Limits of one pack.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PackConfig {
    /// Days that its events are kept; 0 as long as all others. Default 0.
    pub retention_days: u32,
    /// The most room that its archived events take, bytes; 0 is no limit. Default 0.
    pub retention_bytes: u64,
}

impl StoreConfig {
    /// Where archived files are, when not in the store's own directory.
    pub fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        let dir = self.archive.dir.as_deref()?;
        Some(Arc::new(Directory(dir.to_path_buf())))
    }

    /// What is wrong with it, with the path of the key.
    pub fn faults(&self) -> Vec<(Vec<&str>, String)> {
        let mut faults = Vec::new();
        if self.archive.dir.as_deref().is_some_and(Path::is_relative) {
            let message = "archive.dir must be an absolute path".to_owned();
            faults.push((vec!["archive", "dir"], message));
        }
        let after = self.archive.after_days;
        for (name, pack) in &self.packs {
            if after == 0 {
                let message = format!(
                    "limits of {name}: only archived events of a single pack can be deleted; set \
                     store.archive.after_days"
                );
                faults.push((vec!["packs", name], message));
            } else if pack.retention_days > 0 && pack.retention_days < after {
                let message = format!(
                    "limits of {name}: {} days are less than the {after} after which a day is \
                     archived (store.archive.after_days), and only archived events of a single \
                     pack can be deleted",
                    pack.retention_days
                );
                faults.push((vec!["packs", name, "retention_days"], message));
            }
        }
        faults
    }
}
