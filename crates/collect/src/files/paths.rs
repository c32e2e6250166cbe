//! Which files a pattern means, and which files are older parts of another.
//!
//! In: patterns, names, directories. Out: paths. Never opens a file.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use glob::{MatchOptions, Pattern};

use super::identity::FileId;
use crate::error::Error;

const MATCH: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Checks one pattern of a path.
///
/// # Errors
/// When it is malformed; it is named.
pub fn check_pattern(pattern: &str) -> Result<(), Error> {
    parse(pattern).map(drop)
}

fn parse(pattern: &str) -> Result<Pattern, Error> {
    Pattern::new(pattern).map_err(|error| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: format!("{} at character {}", error.msg, error.pos + 1),
    })
}

/// Path patterns with their exclusions.
#[derive(Debug)]
pub struct Patterns {
    paths: Vec<String>,
    exclude: Vec<Pattern>,
}

/// What patterns mean at one moment.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Paths that match; those without wildcards even when nothing is there.
    pub paths: Vec<PathBuf>,
    /// Directories that could not be listed, with the reason.
    pub unlisted: Vec<(PathBuf, io::Error)>,
    /// Patterns with wildcards that match nothing.
    pub unmatched: Vec<String>,
}

impl Patterns {
    /// Checks the patterns.
    ///
    /// # Errors
    /// When one is malformed; it is named.
    pub fn new(paths: &[String], exclude: &[String]) -> Result<Self, Error> {
        paths.iter().try_for_each(|path| check_pattern(path))?;
        let exclude = exclude.iter().map(|path| parse(path)).collect::<Result<_, _>>()?;
        Ok(Self { paths: paths.to_vec(), exclude })
    }

    /// The paths that match now, sorted.
    pub fn expand(&self) -> Expanded {
        let mut expanded = Expanded::default();
        let mut paths = BTreeSet::new();
        for pattern in &self.paths {
            if !has_wildcard(pattern) {
                let path = PathBuf::from(pattern);
                if !self.excludes(&path) {
                    paths.insert(path);
                }
                continue;
            }
            let before = paths.len();
            // The patterns were checked before.
            for found in glob::glob_with(pattern, MATCH).into_iter().flatten() {
                match found {
                    Ok(path) if self.excludes(&path) => {}
                    Ok(path) => drop(paths.insert(path)),
                    Err(error) => {
                        expanded.unlisted.push((error.path().to_owned(), error.into()));
                    }
                }
            }
            if paths.len() == before {
                expanded.unmatched.push(pattern.clone());
            }
        }
        expanded.paths = paths.into_iter().collect();
        expanded
    }

    /// True when `path` is one of those meant.
    pub fn matches(&self, path: &Path) -> bool {
        let fits = |pattern: &String| {
            Path::new(pattern) == path
                || Pattern::new(pattern).is_ok_and(|p| p.matches_path_with(path, MATCH))
        };
        self.paths.iter().any(fits)
    }

    fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| {
            if pattern.as_str().contains('/') {
                pattern.matches_path(path)
            } else {
                path.file_name().is_some_and(|name| pattern.matches(&name.to_string_lossy()))
            }
        })
    }

    /// The directories in which a new file or directory may match, as far as they exist.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for pattern in &self.paths {
            let mut upto = PathBuf::new();
            for component in Path::new(pattern).components() {
                let wildcard = has_wildcard(&component.as_os_str().to_string_lossy());
                if wildcard || upto.join(component) == Path::new(pattern) {
                    directories.extend(listed(&upto));
                }
                upto.push(component);
            }
        }
        directories
    }
}

/// The directories that `pattern` (the leading part of a longer one) means now.
fn listed(pattern: &Path) -> Vec<PathBuf> {
    let text = pattern.to_string_lossy();
    if text.is_empty() {
        return vec![PathBuf::from(".")];
    }
    if !has_wildcard(&text) {
        return pattern.is_dir().then(|| pattern.to_owned()).into_iter().collect();
    }
    let found = glob::glob_with(&text, MATCH).into_iter().flatten().flatten();
    found.filter(|path| path.is_dir()).collect()
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// An older part of a rotated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// Which file it is.
    pub id: FileId,
    /// When it was last written.
    pub modified: SystemTime,
    /// Its size on disk in bytes.
    pub size: u64,
    /// What its name says.
    pub part: Part,
}

/// What the name of an older part of a rotated file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// True when it is compressed with gzip.
    pub gzip: bool,
    /// What was added to the file's name: `1`, `20261121`, `old`.
    tag: String,
}

impl Part {
    /// Sorts parts that were last written in the same moment: a greater number is older, a later
    /// date is newer.
    fn age(&self) -> (Reverse<u32>, &str) {
        const NUMBER_DIGITS_MAX: usize = 5;
        let number = self.tag.len() <= NUMBER_DIGITS_MAX;
        let number = if number { self.tag.parse().unwrap_or_default() } else { 0 };
        (Reverse(number), &self.tag)
    }
}

/// The older parts of the file at `path`, oldest first.
///
/// # Errors
/// When the directory cannot be listed; [`io::ErrorKind::ResourceBusy`] when files were renamed
/// meanwhile.
pub fn siblings(path: &Path) -> io::Result<Vec<Sibling>> {
    let Some(base) = path.file_name() else { return Ok(Vec::new()) };
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    let mut siblings = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Some(part) = older_part(base, &entry.file_name()) else { continue };
        let metadata = match fs::metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(&entry) => {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            Err(_) => continue,
            Ok(metadata) => metadata,
        };
        if metadata.is_file() {
            let (id, size) = (FileId::from(&metadata), metadata.len());
            let modified = metadata.modified()?;
            siblings.push(Sibling { path: entry.path(), id, modified, size, part });
        }
    }
    // While a part is being compressed, it is there twice.
    let plain: HashSet<_> = siblings.iter().map(|sibling| sibling.path.clone()).collect();
    siblings
        .retain(|sibling| !sibling.part.gzip || !plain.contains(&sibling.path.with_extension("")));
    siblings
        .sort_by(|a, b| a.modified.cmp(&b.modified).then_with(|| a.part.age().cmp(&b.part.age())));
    Ok(siblings)
}

fn is_link(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_symlink())
}

/// Whether `name` is what rotating `base` leaves (`base.1`, `base-20261121`, `stem-20261121.ext`,
/// also with `.gz`).
pub fn older_part(base: &OsStr, name: &OsStr) -> Option<Part> {
    let (base, name) = (base.to_str()?, name.to_str()?);
    let (plain, gzip) = name.strip_suffix(".gz").map_or((name, false), |plain| (plain, true));
    if plain == base {
        return gzip.then(|| Part { gzip, tag: String::new() });
    }
    let after = |from: &str| {
        let rest = plain.strip_prefix(from)?.strip_prefix(['.', '-', '_'])?;
        Some(rest.to_owned())
    };
    let between = || {
        let (stem, extension) = base.rsplit_once('.')?;
        after(stem)?.strip_suffix(extension)?.strip_suffix('.').map(str::to_owned)
    };
    let is_tag = |tag: &String| {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | 'T' | ':');
        tag == "old" || (is_number_or_date(tag) && tag.chars().all(digits))
    };
    let tag = after(base).filter(is_tag).or_else(|| between().filter(is_tag))?;
    Some(Part { gzip, tag })
}

/// Whether a name's part begins like a rotation's number (up to 999), a year, or seconds since
/// 1970; `5424` is none of them, so `app.5424.log` is a log of its own.
fn is_number_or_date(tag: &str) -> bool {
    let digits = tag.bytes().take_while(u8::is_ascii_digit).count();
    let has_year = tag.starts_with("19") || tag.starts_with("20");
    matches!(digits, 1..=3 | 10) || (digits >= 4 && has_year)
}

/// Puts older parts of another of these files behind it.
pub fn older_parts_last(paths: &mut Vec<PathBuf>) {
    let is_older = |path: &PathBuf| {
        let Some(name) = path.file_name() else { return false };
        paths.iter().any(|other| {
            other.parent() == path.parent()
                && other.file_name().is_some_and(|base| older_part(base, name).is_some())
        })
    };
    let (older, newest): (Vec<_>, Vec<_>) = paths.iter().cloned().partition(is_older);
    *paths = newest.into_iter().chain(older).collect();
}

/// The directory that holds `path`, and the one that holds what it links to.
pub fn parents(path: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(path).ok();
    let parent = |path: &Path| {
        let only_name = path.components().filter(|c| !matches!(c, Component::CurDir)).count() < 2;
        if only_name { Some(PathBuf::from(".")) } else { path.parent().map(Path::to_owned) }
    };
    let mut parents: Vec<_> = parent(path).into_iter().collect();
    parents.extend(real.as_deref().and_then(parent));
    parents
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn older_parts_are_known_by_their_name() {
        for (base, name, expected) in [
            ("auth.log", "auth.log", None),
            ("auth.log", "auth.log.1", Some(false)),
            ("auth.log", "auth.log.12.gz", Some(true)),
            ("auth.log", "auth.log.gz", Some(true)),
            ("auth.log", "auth.log-20261121", Some(false)),
            ("auth.log", "auth-20261121.log.gz", Some(true)),
            ("app.log", "app.2026-11-21T00:00:00.log", Some(false)),
            ("access_log", "access_log.old", Some(false)),
            ("app.log", "app.1.log", Some(false)),
            ("auth.log", "auth.log.swp", None),
            ("auth.log", "auth.log.1.xz", None),
            ("auth.log", "auth.log2", None),
            ("access.log", "access.log.d", None),
            ("access.log", "access-admin.log", None),
            ("a", "a.", None),
        ] {
            let part = older_part(base.as_ref(), name.as_ref());
            assert_eq!(part.map(|part| part.gzip), expected, "{base} {name}");
        }
    }

    #[test]
    fn patterns_find_files_in_new_directories_too() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in
            ["a/x.log", "b/x.log", "b/x-20261121.log", "b/x.log.1", "b/x.log.2.gz", "b/.x.log"]
        {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "").unwrap();
        }
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        let exclude = ["*.gz".to_owned(), text("a/*")];
        let paths = [text("*/*.log*"), text("missing.log"), text("none*")];
        let patterns = Patterns::new(&paths, &exclude).unwrap();
        let mut expanded = patterns.expand();
        older_parts_last(&mut expanded.paths);
        let expected = ["b/x.log", "missing.log", "b/x-20261121.log", "b/x.log.1"];
        assert_eq!(expanded.paths, expected.map(at));
        assert_eq!(expanded.unmatched, [text("none*")]);
        let directories: Vec<_> = patterns.directories().into_iter().collect();
        assert_eq!(directories, ["", "a", "b"].map(|name| dir.path().join(name)));
        let error = Patterns::new(&["/a[".to_owned()], &[]).unwrap_err().to_string();
        assert!(error.contains("\"/a[\""), "{error}");
    }

    #[test]
    fn older_parts_are_listed_oldest_first() {
        let dir = TempDir::new().unwrap();
        let day = std::time::Duration::from_secs(86_400);
        for (name, days) in
            [("x.log.2.gz", 2), ("x.log.1", 1), ("x.log.3", 3), ("x.log.3.gz", 3), ("x.log", 0)]
        {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - day * days).unwrap();
        }
        let ages = |names: [&str; 4]| {
            let mut parts = names.map(|name| older_part("x.log".as_ref(), name.as_ref()).unwrap());
            parts.sort_by(|a, b| a.age().cmp(&b.age()));
            parts.map(|part| part.tag)
        };
        let numbers = ages(["x.log.2.gz", "x.log.10", "x.log.1", "x.log.3"]);
        assert_eq!(numbers, ["10", "3", "2", "1"]);
        let dates = ages(["x.log-20261121", "x.log-20261119.gz", "x.log-20261120", "x.log.gz"]);
        assert_eq!(dates, ["", "20261119", "20261120", "20261121"]);
        let found = siblings(&dir.path().join("x.log")).unwrap();
        let names: Vec<_> = found.iter().map(|s| s.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["x.log.3", "x.log.2.gz", "x.log.1"]);
        assert_eq!(found.iter().map(|s| s.part.gzip).collect::<Vec<_>>(), [false, true, false]);
    }
}
