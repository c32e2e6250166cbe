//! How events are kept: the section `store`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tocsin_store::{Directory, Shelf};

use crate::bucket::Bucket;

/// Copies of pieces of a bucket, in the data directory.
const COPIES: &str = "archive-copies";

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
    /// its limits. A closed day that is beyond a limit moves to the archive at once, where each
    /// pack has files of its own. Default none.
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
    /// A bucket for the archived files, instead of a directory.
    pub s3: S3Config,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self { after_days: 7, dir: None, s3: S3Config::default() }
    }
}

/// A bucket of Amazon S3 or of anything that speaks the same (MinIO, Ceph, Garage, R2, …).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct S3Config {
    /// Address of the service, `https://s3.eu-central-1.amazonaws.com`. Default none.
    pub endpoint: String,
    /// Name of the bucket; empty: no bucket is used. Default none.
    pub bucket: String,
    /// What the names of all files begin with, so that a bucket may hold more than these. Default
    /// none.
    pub prefix: String,
    /// Region, as the service calls it. Default us-east-1.
    pub region: String,
    /// Whether the bucket stands in the path of addresses, rather than in the name of the host.
    /// Default true.
    pub path_style: bool,
    /// File with the access key. Default the environment variable AWS_ACCESS_KEY_ID.
    pub access_key_file: Option<PathBuf>,
    /// File with the secret key. Default the environment variable AWS_SECRET_ACCESS_KEY.
    pub secret_key_file: Option<PathBuf>,
    /// File with certificates to trust beside the usual ones, PEM. Default none.
    pub ca_file: Option<PathBuf>,
    /// Room for copies of what was read from the bucket, in the data directory, bytes; 0 keeps
    /// none. Default 1 GiB.
    pub cache_bytes: u64,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            bucket: String::new(),
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            path_style: true,
            access_key_file: None,
            secret_key_file: None,
            ca_file: None,
            cache_bytes: 1024 * 1024 * 1024,
        }
    }
}

impl S3Config {
    /// What is wrong with it, by its key.
    fn fault(&self) -> Option<(&'static str, String)> {
        if self.bucket.is_empty() && self.endpoint.is_empty() {
            return None;
        }
        if self.bucket.is_empty() {
            return Some(("bucket", "archive.s3.bucket is missing".to_owned()));
        }
        let speaks = |scheme: &str| {
            self.endpoint
                .strip_prefix(scheme)
                .is_some_and(|host| !host.trim_matches('/').is_empty())
        };
        if !speaks("https://") && !speaks("http://") {
            let message = "archive.s3.endpoint must be an address such as \
                           https://s3.eu-central-1.amazonaws.com";
            return Some(("endpoint", message.to_owned()));
        }
        if self.access_key_file.is_some() != self.secret_key_file.is_some() {
            let message = "archive.s3: give both access_key_file and secret_key_file, or neither";
            return Some(("access_key_file", message.to_owned()));
        }
        None
    }
}

/// Limits of one pack.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PackConfig {
    /// Days that its events are kept; 0 as long as all others. Default 0.
    pub retention_days: u32,
    /// The most room that its events take, bytes: files of the archive, and its part (by number
    /// of events) of days that are not there yet; 0 is no limit. Default 0.
    pub retention_bytes: u64,
}

impl StoreConfig {
    /// Where archived files are, when not in the store's own directory; `data` is the data
    /// directory.
    pub fn shelf(&self, data: &Path) -> Option<Arc<dyn Shelf>> {
        if !self.archive.s3.bucket.is_empty() {
            return Some(Arc::new(Bucket::new(&self.archive.s3, &data.join(COPIES))));
        }
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
        if let Some((key, message)) = self.archive.s3.fault() {
            faults.push((vec!["archive", "s3", key], message));
        }
        if self.archive.dir.is_some() && !self.archive.s3.bucket.is_empty() {
            let message = "archive.dir and archive.s3: give one of them".to_owned();
            faults.push((vec!["archive", "dir"], message));
        }
        faults
    }
}
