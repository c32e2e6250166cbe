//! Backups: everything in a data directory in one file, made while Tocsin runs, and back again.
//!
//! In: a data directory. Out: a tar archive, packed with zstd. What belongs together is taken
//! together: the newest events with their positions, the state of the same epoch and the journal
//! behind it are linked in one go, and again when a commit came between; alerts are taken after
//! that, as after a crash between the two. Never changes what it copies.

mod last;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tocsin_catalog::FILE_NAME;

pub use self::last::{Last, last};
use self::last::{STAGED, UnderWay};

/// Directories of a data directory whose files are only made and deleted, or grow at their end.
const LINKED: [&str; 3] = ["store", "state", "journal"];
/// How often the links are made anew when a commit comes between.
const LINK_TRIES: u32 = 200;
/// zstd level: most of it is packed already.
const ZSTD_LEVEL: i32 = 3;
/// First entry of a backup.
const ABOUT: &str = "tocsin-backup.json";
/// Version of the form.
const VERSION: u64 = 1;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Bytes before packing.
    pub bytes: u64,
}

/// Writes everything in `data` to the new file `target`.
///
/// # Errors
/// When something cannot be read or written; `target` is not left half written.
pub fn backup(data: &Path, target: &Path) -> Result<Copied, String> {
    if !data.join("store").is_dir() {
        return Err(format!("{}: this is no data directory of tocsin", data.display()));
    }
    let under_way = UnderWay::begin(data, target)?;
    let done = save(data, target);
    under_way.end(&done, done.as_ref().map_or(0, |copied| copied.bytes));
    done
}

fn save(data: &Path, target: &Path) -> Result<Copied, String> {
    let named = |error: io::Error| format!("{}: {error}", data.display());
    if target.exists() {
        return Err(format!("{}: is there already; choose another name", target.display()));
    }
    // On the same file system, so that links can be made.
    let staged = tempdir_in(data).map_err(named)?;
    let done = stage(data, &staged.0).map_err(named).and_then(|()| {
        tocsin_catalog::copy(data, &staged.0.join(FILE_NAME)).map_err(|error| error.to_string())?;
        let part = target.with_extension("part");
        let written = write(&staged.0, &part)
            .and_then(|copied| fs::rename(&part, target).map(|()| copied))
            .map_err(|error| format!("{}: {error}", target.display()));
        if written.is_err() {
            // Left over at worst.
            let _ = fs::remove_file(&part);
        }
        written
    });
    drop(staged);
    done
}

/// A directory that is removed when it is dropped.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // Links: what they point to stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tempdir_in(data: &Path) -> io::Result<Staged> {
    let dir = data.join(format!("{STAGED}{}", std::process::id()));
    fs::create_dir(&dir)?;
    Ok(Staged(dir))
}

/// Links everything of one epoch.
fn stage(data: &Path, staged: &Path) -> io::Result<()> {
    let mut last = io::Error::other("no try");
    for _ in 0..LINK_TRIES {
        let before = moment(data)?;
        let mut linked = Ok(());
        for name in LINKED {
            let (from, to) = (data.join(name), staged.join(name));
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            linked = linked.and_then(|()| link_all(&from, &to));
        }
        match linked {
            Ok(()) if moment(data)? == before => return Ok(()),
            Ok(()) => last = io::Error::other("commits came too fast to copy between two of them"),
            // Merged or committed away meanwhile.
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What changes with every commit and merge (the list of files of the newest partition), and when
/// a partition goes, to the archive too.
fn moment(data: &Path) -> io::Result<Vec<u8>> {
    let mut partitions: Vec<PathBuf> = fs::read_dir(data.join("store"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("meta.json").is_file())
        .collect();
    partitions.sort();
    let mut moment =
        partitions.last().map_or(Ok(Vec::new()), |newest| fs::read(newest.join("meta.json")))?;
    for partition in &partitions {
        moment.extend_from_slice(partition.as_os_str().as_encoded_bytes());
    }
    Ok(moment)
}

fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            if !name.ends_with(".making") && !name.ends_with(".gone") {
                link_all(&entry.path(), &target)?;
            }
        } else if !name.ends_with("lock") && !name.ends_with(".new") {
            fs::hard_link(entry.path(), target)?;
        }
    }
    Ok(())
}

fn write(staged: &Path, part: &Path) -> io::Result<Copied> {
    let file = File::options().write(true).create(true).truncate(true).open(part)?;
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, ZSTD_LEVEL)?);
    let about = serde_json::json!({
        "version": VERSION, "tocsin": env!("CARGO_PKG_VERSION"),
    });
    let about = about.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(about.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, ABOUT, about.as_bytes())?;
    let mut copied = Copied::default();
    append(&mut archive, staged, Path::new(""), &mut copied)?;
    let file = archive.into_inner()?.finish()?;
    file.sync_all()?;
    Ok(copied)
}

fn append(
    archive: &mut tar::Builder<impl Write>,
    from: &Path,
    name: &Path,
    copied: &mut Copied,
) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(from)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            append(archive, &entry.path(), &name, copied)?;
            continue;
        }
        // A file of the journal may grow meanwhile: what it was is what is copied.
        let file = File::open(entry.path())?;
        let bytes = file.metadata()?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        archive.append_data(&mut header, &name, file.take(bytes))?;
        copied.files += 1;
        copied.bytes += bytes;
    }
    Ok(())
}

/// Unpacks a backup into the directory `data`, which must be empty or absent.
///
/// # Errors
/// When it is no backup, or the directory cannot be written.
pub fn restore(source: &Path, data: &Path) -> Result<Copied, String> {
    let named = |error: io::Error| format!("{}: {error}", source.display());
    let occupied = fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(format!("{}: is not empty; choose another directory", data.display()));
    }
    let file = File::open(source).map_err(named)?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).map_err(named)?);
    let mut entries = archive.entries().map_err(named)?;
    let not_ours = || format!("{}: this is no backup of tocsin", source.display());
    let mut first = entries.next().ok_or_else(not_ours)?.map_err(|_| not_ours())?;
    if first.path().map_err(named)? != Path::new(ABOUT) {
        return Err(not_ours());
    }
    let mut about = String::new();
    first.read_to_string(&mut about).map_err(named)?;
    let about: serde_json::Value = serde_json::from_str(&about).map_err(|_| not_ours())?;
    if about["version"].as_u64().is_none_or(|version| version > VERSION) {
        return Err(format!("{}: was made by a newer tocsin; use that", source.display()));
    }
    make_private(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let mut copied = Copied::default();
    for entry in entries {
        let mut entry = entry.map_err(named)?;
        copied.files += 1;
        copied.bytes += entry.size();
        // Refuses names that lead out of the directory.
        if !entry.unpack_in(data).map_err(named)? {
            return Err(format!("{}: holds a file with a bad name", source.display()));
        }
    }
    Ok(copied)
}

fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
