//! [`Pack`]: one vendor's or topic's folder under `content/`.
//!
//! ```text
//! content/openssh/pack.yml                     name, version, about
//! content/openssh/sources/sshd/source.yml      how its lines are read
//! content/openssh/sources/sshd/samples/x.log   sample, with x.event.json beside it
//! content/openssh/rules/ssh_brute_force.yml    Sigma rules with their tests
//! content/openssh/dashboards/*.yml             panels
//! content/services/channels/*.yml              how services want to be told of alerts
//! content/openssh/tables/*.yml                 lookup tables (log sources, field names)
//! ```

use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use crate::diagnostic::Diagnostic;

/// The biggest content file read, in bytes.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The folder in which SigmaHQ keeps rules that no engine can honour.
const UNSUPPORTED: &str = "unsupported";

/// What a file of a pack is, told by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `pack.yml`.
    Pack,
    /// `sources/*/source.yml`.
    Source,
    /// Anything under `sources/*/samples/`.
    Sample,
    /// `rules/**.yml`.
    Rule,
    /// `dashboards/*.yml`.
    Dashboard,
    /// `channels/*.yml`.
    Channel,
    /// `tables/*.yml`.
    Table,
    /// Anything else.
    Other,
}

/// A file of a pack, read.
#[derive(Debug, Clone)]
pub struct PackFile {
    /// What it is.
    pub kind: FileKind,
    /// Path for people, for example `content/openssh/rules/ssh_brute_force.yml`.
    pub path: String,
    /// Path inside the pack, with `/`.
    pub inner: String,
    /// The bytes (samples may be any bytes).
    pub bytes: Vec<u8>,
    /// Whether it came with the program, where it was checked when that was built.
    pub built_in: bool,
}

impl PackFile {
    /// The bytes as text, invalid UTF-8 replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// A pack: its name is its folder's.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Folder name, for example `openssh`.
    pub name: String,
    /// Its files, by path.
    pub files: Vec<PackFile>,
}

impl Pack {
    /// The files of one kind.
    pub fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = &PackFile> {
        self.files.iter().filter(move |file| file.kind == kind)
    }
}

#[derive(RustEmbed)]
#[folder = "../../content"]
#[exclude = "*/sources/*/samples/*"]
struct Builtin;

/// The packs embedded in the binary (without samples), by name.
pub fn builtin_packs() -> Vec<Pack> {
    let mut packs: Vec<Pack> = Vec::new();
    let mut paths: Vec<_> = Builtin::iter().collect();
    paths.sort();
    for path in paths {
        let Some((name, inner)) = path.split_once('/') else { continue };
        let Some(file) = Builtin::get(&path) else { continue };
        if packs.last().is_none_or(|pack| pack.name != name) {
            packs.push(Pack { name: name.to_owned(), files: Vec::new() });
        }
        if let Some(pack) = packs.last_mut() {
            pack.files.push(PackFile {
                kind: kind_of(inner),
                path: format!("content/{path}"),
                inner: inner.to_owned(),
                bytes: file.data.into_owned(),
                built_in: true,
            });
        }
    }
    packs
}

fn kind_of(inner: &str) -> FileKind {
    let yaml = inner.ends_with(".yml") || inner.ends_with(".yaml");
    let mut parts = inner.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("pack.yml"), None, _) => FileKind::Pack,
        (Some("sources"), Some(_), Some("source.yml")) => FileKind::Source,
        (Some("sources"), Some(_), Some("samples")) => FileKind::Sample,
        (Some("rules"), Some(_), _) if yaml => FileKind::Rule,
        (Some("dashboards"), Some(_), _) if yaml => FileKind::Dashboard,
        (Some("channels"), Some(_), None) if yaml => FileKind::Channel,
        (Some("tables"), Some(_), _) if yaml => FileKind::Table,
        _ => FileKind::Other,
    }
}

/// Reads the packs of a content directory (each folder in it is a pack; a directory that has a
/// `pack.yml` is one pack itself). What cannot be read is a diagnostic; the rest is returned.
pub fn read_dir(root: &Path) -> (Vec<Pack>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let folders: Vec<PathBuf> = if root.join("pack.yml").is_file() {
        vec![root.to_owned()]
    } else {
        children(root, &mut diagnostics).into_iter().filter(|path| path.is_dir()).collect()
    };
    let mut packs = Vec::new();
    for folder in folders {
        let name =
            folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let mut files = Vec::new();
        walk(&folder, &mut diagnostics, &mut |path, bytes| {
            let inner =
                path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
            let path = path.display().to_string();
            files.push(PackFile { kind: kind_of(&inner), path, inner, bytes, built_in: false });
        });
        packs.push(Pack { name, files });
    }
    (packs, diagnostics)
}

/// Reads rule files: each path is a YAML file or a directory searched at any depth for
/// `.yml`/`.yaml`. In path order.
pub fn read_rules(paths: &[PathBuf]) -> (Vec<PackFile>, Vec<Diagnostic>) {
    let mut files = Vec::new();
    let mut diagnostics = Vec::new();
    for path in paths {
        walk(path, &mut diagnostics, &mut |file, bytes| {
            let name = file.display().to_string();
            if file == path || name.ends_with(".yml") || name.ends_with(".yaml") {
                files.push(PackFile {
                    kind: FileKind::Rule,
                    inner: name.clone(),
                    path: name,
                    bytes,
                    built_in: false,
                });
            }
        });
    }
    (files, diagnostics)
}

fn walk(path: &Path, diagnostics: &mut Vec<Diagnostic>, each: &mut dyn FnMut(&Path, Vec<u8>)) {
    if path.is_dir() {
        for child in children(path, diagnostics) {
            let hidden =
                child.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            // Links are not followed into directories: a loop must not hang the start.
            let looped = child.is_dir() && child.is_symlink();
            if child.is_dir() && child.file_name().is_some_and(|name| name == UNSUPPORTED) {
                let message = "not read: rules that no engine can honour stand here";
                let path = child.display().to_string();
                diagnostics.push(Diagnostic::warning(&path, 0, 0, message));
            } else if !hidden && !looped {
                walk(&child, diagnostics, each);
            }
        }
        return;
    }
    match std::fs::metadata(path) {
        Ok(about) if about.len() > FILE_BYTES_MAX => diagnostics.push(Diagnostic::error(
            &path.display().to_string(),
            0,
            0,
            format!("{} bytes, over the limit of {FILE_BYTES_MAX} for content", about.len()),
        )),
        _ => match std::fs::read(path) {
            Ok(bytes) => each(path, bytes),
            Err(error) => diagnostics.push(unreadable(path, &error)),
        },
    }
}

fn children(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match std::fs::read_dir(path) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> =
                entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
            paths.sort();
            paths
        }
        Err(error) => {
            diagnostics.push(unreadable(path, &error));
            Vec::new()
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(&path.display().to_string(), 0, 0, format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_place() {
        let table = [
            ("pack.yml", FileKind::Pack),
            ("sources/sshd/source.yml", FileKind::Source),
            ("sources/sshd/samples/a.log", FileKind::Sample),
            ("rules/linux/a.yml", FileKind::Rule),
            ("rules/README.md", FileKind::Other),
            ("tables/fields.yml", FileKind::Table),
            ("channels/slack.yml", FileKind::Channel),
        ];
        for (inner, kind) in table {
            assert_eq!(kind_of(inner), kind, "{inner}");
        }
    }

    #[test]
    fn unsupported_rules_are_left_alone() {
        let root = std::env::temp_dir().join(format!("tocsin-unsupported-{}", std::process::id()));
        std::fs::create_dir_all(root.join("unsupported")).unwrap();
        std::fs::write(root.join("a.yml"), "a").unwrap();
        std::fs::write(root.join("unsupported/b.yml"), "b").unwrap();
        let (files, diagnostics) = read_rules(std::slice::from_ref(&root));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(files.len(), 1);
        assert!(diagnostics[0].to_string().contains("unsupported: warning: not read"));
    }

    #[test]
    fn an_absent_directory_is_a_diagnostic() {
        let (packs, diagnostics) = read_dir(Path::new("/does/not/exist"));
        assert!(packs.is_empty());
        assert!(diagnostics[0].to_string().contains("/does/not/exist: error: cannot be read"));
    }
}
