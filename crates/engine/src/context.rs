//! [`ContextBook`]: what is known beyond the lines of logs, read from files and kept up to date.
//!
//! In: MMDB files and tables of assets, as the configuration names them. Out: the
//! [`tocsin_enrich::Context`] that events are enriched with, replaced as a whole when a file
//! changes. What is refused is said; what was read before stays in force.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde::Serialize;
use tocsin_enrich::assets::Assets;
use tocsin_enrich::config::EnrichConfig;
use tocsin_enrich::geo::{Database, Geo};
use tocsin_enrich::{Context, Enricher, Shared};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How often files are looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The largest MMDB that is read, bytes: it is kept in memory.
const MMDB_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The largest table of assets, bytes.
const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Directory of fetched databases, inside the data directory.
const GEOIP: &str = "geoip";

/// Where `tocsin geoip update` puts databases.
pub fn geoip_dir(data_dir: &Path) -> PathBuf {
    data_dir.join(GEOIP)
}

/// One file of places and owners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    /// Where it is.
    pub path: String,
    /// Its own word for what it holds.
    pub kind: String,
    /// When it was made, seconds since 1970.
    pub built: u64,
    /// Memory that it takes, bytes.
    pub bytes: usize,
}

/// What is known, and what was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContextStatus {
    /// Databases of places in force, in the order in which they are believed.
    pub databases: Vec<DatabaseStatus>,
    /// Who is to be named beside what the databases say.
    pub attribution: Vec<String>,
    /// Hosts of the inventory.
    pub hosts: usize,
    /// Users of the inventory.
    pub users: usize,
    /// Addresses and networks of the inventory.
    pub networks: usize,
    /// What is wrong, by file; what was read of it before stays in force.
    pub problems: BTreeMap<String, String>,
}

/// A file as it was when it was looked at.
type Stamp = Option<(SystemTime, u64)>;

/// A file of context, with the newest version that was not refused.
struct File<T> {
    stamp: Stamp,
    good: Option<T>,
    problem: Option<String>,
}

impl<T> Default for File<T> {
    fn default() -> Self {
        Self { stamp: None, good: None, problem: None }
    }
}

#[derive(Default)]
struct Files {
    databases: BTreeMap<PathBuf, File<Arc<Database>>>,
    tables: BTreeMap<PathBuf, File<String>>,
}

/// What is known, kept up to date.
pub struct ContextBook {
    config: EnrichConfig,
    geoip_dir: PathBuf,
    files: Mutex<Files>,
    current: Shared,
}

impl ContextBook {
    /// With what the files hold now.
    pub fn open(config: &Config) -> Self {
        let book = Self {
            config: config.enrich(),
            geoip_dir: geoip_dir(&config.server.data_dir),
            files: Mutex::default(),
            current: Arc::new(ArcSwap::default()),
        };
        book.refresh();
        book
    }

    /// Adds what is known to events, whatever that is at the time. One for each thread.
    pub fn enricher(&self) -> Enricher {
        Enricher::new(self.current.clone(), &self.config)
    }

    /// What is known, for whoever replaces a part of it.
    pub(crate) fn shared(&self) -> Shared {
        self.current.clone()
    }

    /// What is known now.
    pub fn current(&self) -> Arc<Context> {
        self.current.load_full()
    }

    /// Reads what changed; whether anything did.
    pub fn refresh(&self) -> bool {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = self.databases();
        let databases =
            read_changed(&mut files.databases, &paths, MMDB_BYTES_MAX, &|path, bytes| {
                Database::new(&path.display().to_string(), bytes).map(Arc::new)
            });
        let inventory = &self.config.assets.files;
        let tables = read_changed(&mut files.tables, inventory, TABLE_BYTES_MAX, &|path, bytes| {
            let name = path.display();
            let text = String::from_utf8(bytes).map_err(|_| format!("{name}: no UTF-8 text"))?;
            let mut alone = Assets::new(&self.config.assets);
            let rows = alone.add_table(&text).map_err(|why| format!("{name}: {why}"))?;
            tracing::info!("{name}: {rows} assets");
            Ok(text)
        });
        if !databases && !tables {
            return false;
        }
        let found = paths.iter().filter_map(|path| files.databases.get(path)?.good.clone());
        let geo = Geo::new(found.collect());
        let mut assets = Assets::new(&self.config.assets);
        for path in inventory {
            let text = files.tables.get(path).and_then(|file| file.good.as_deref());
            if let Some(Err(why)) = text.map(|text| assets.add_table(text)) {
                tracing::error!("{}: {why}", path.display());
            }
        }
        let (geo, assets) = (Arc::new(geo), Arc::new(assets));
        let with = |before: &Arc<Context>| Context {
            geo: geo.clone(),
            assets: assets.clone(),
            ..(**before).clone()
        };
        self.current.rcu(with);
        true
    }

    /// Files of places: those of the configuration, then what was fetched.
    fn databases(&self) -> Vec<PathBuf> {
        let mut paths = self.config.geoip.files.clone();
        let mut fetched: Vec<PathBuf> = fs::read_dir(&self.geoip_dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "mmdb"))
            .collect();
        fetched.sort();
        paths.extend(fetched);
        paths
    }

    /// What is in force and what is wrong.
    pub fn status(&self) -> ContextStatus {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        let about = |database: &Arc<Database>| DatabaseStatus {
            path: database.name.clone(),
            kind: database.kind().to_owned(),
            built: database.built(),
            bytes: database.bytes(),
        };
        let [hosts, users, networks] = current.assets.counts();
        let of_databases = files.databases.iter().map(|(path, file)| (path, &file.problem));
        let of_tables = files.tables.iter().map(|(path, file)| (path, &file.problem));
        let problems = of_databases
            .chain(of_tables)
            .filter_map(|(path, problem)| Some((path.display().to_string(), problem.clone()?)));
        let databases: Vec<DatabaseStatus> = current.geo.databases().iter().map(about).collect();
        let attribution = crate::geoip::attribution(databases.iter().map(|one| one.path.as_str()));
        let problems = problems.collect();
        ContextStatus { databases, attribution, hosts, users, networks, problems }
    }

    /// Takes over files that change, until `shutdown`.
    pub async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            let book = self.clone();
            if let Ok(true) = tokio::task::spawn_blocking(move || book.refresh()).await {
                tracing::info!("what is known of addresses and assets was read again");
            }
        }
    }
}

/// Reads those files that are not as they were; whether one was. What is refused keeps what was
/// read of it before.
fn read_changed<T>(
    known: &mut BTreeMap<PathBuf, File<T>>,
    paths: &[PathBuf],
    bytes_max: u64,
    read: &dyn Fn(&Path, Vec<u8>) -> Result<T, String>,
) -> bool {
    let before = known.len();
    known.retain(|path, _| paths.contains(path));
    let mut changed = known.len() != before;
    for path in paths {
        let about = fs::metadata(path);
        let stamp =
            about.as_ref().ok().and_then(|about| Some((about.modified().ok()?, about.len())));
        let file = known.entry(path.clone()).or_default();
        let is_new = file.good.is_none() && file.problem.is_none();
        if file.stamp == stamp && !is_new {
            continue;
        }
        file.stamp = stamp;
        let name = path.display();
        let bytes = match about {
            Ok(about) if about.len() > bytes_max => {
                Err(format!("{name}: larger than {bytes_max} bytes"))
            }
            Ok(_) => fs::read(path).map_err(|error| format!("{name}: {error}")),
            Err(error) => Err(format!("{name}: {error}")),
        };
        match bytes.and_then(|bytes| read(path, bytes)) {
            Ok(good) => {
                file.good = Some(good);
                file.problem = None;
                changed = true;
            }
            Err(why) => {
                let kept = if file.good.is_some() { "; what was read before stays" } else { "" };
                tracing::error!("{why}{kept}");
                file.problem = Some(why);
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_taken_over_and_garbage_keeps_what_was() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("assets.csv");
        fs::write(&table, "host,owner\nweb-1,ana\n").unwrap();
        let mut config = Config::default();
        config.server.data_dir = dir.path().to_owned();
        config.assets.files = vec![table.clone()];
        let book = ContextBook::open(&config);
        assert_eq!(book.status().hosts, 1);
        assert!(!book.refresh());
        fs::write(&table, "host,owner\nweb-1,ana\ndb-1,bo\n").unwrap();
        assert!(book.refresh());
        assert_eq!(book.status().hosts, 2);
        fs::write(&table, "colour\nred\n").unwrap();
        assert!(!book.refresh());
        let status = book.status();
        assert_eq!(status.hosts, 2);
        let problem = status.problems.values().next().unwrap();
        assert!(problem.contains("assets.csv: line 2: names no host"), "{problem}");
        fs::create_dir(geoip_dir(dir.path())).unwrap();
        fs::write(geoip_dir(dir.path()).join("x.mmdb"), "no database").unwrap();
        book.refresh();
        let status = book.status();
        assert!(status.problems.values().any(|why| why.contains("no MMDB")), "{status:?}");
        assert_eq!(status.hosts, 2);
    }
}
