//! Finds the logs that this machine has.
//!
//! In: a root directory. Out: the usual log files there, each with a suggested source and, when
//! it cannot be read, why and the remedy. Never opens a network connection, never follows a file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where logs usually are, relative to the root, with the hint their lines are read with. Any
/// program may write to `syslog` and `messages`, so their sources are found line by line.
pub const USUAL_LOGS: &[(&str, Option<&str>)] = &[
    ("var/log/auth.log", Some("syslog")),
    ("var/log/secure", Some("syslog")),
    ("var/log/syslog", None),
    ("var/log/messages", None),
    ("var/log/kern.log", Some("syslog")),
    ("var/log/ufw.log", Some("syslog")),
    ("var/log/audit/audit.log", Some("auditd")),
    ("var/log/nginx/*access*.log", Some("nginx")),
    ("var/log/nginx/*error*.log", Some("nginx")),
    ("var/log/apache2/*access*.log", Some("apache")),
    ("var/log/apache2/*error*.log", Some("apache")),
    ("var/log/httpd/*access*_log", Some("apache")),
    ("var/log/httpd/*error*_log", Some("apache")),
];
/// Files that syslog daemons write; when one is there, the journal holds nothing more.
const SYSLOG_FILES: &[&str] = &["auth.log", "secure", "syslog", "messages"];
/// Files whose lines many systems also write to `syslog` or `messages`.
const OFTEN_COVERED: &[&str] = &["kern.log", "ufw.log"];
/// So much of the end of a file is searched for another one's last line.
const COMPARE_BYTES: u64 = 1 << 20;

/// A log of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The file; the journal's directory for the systemd journal.
    pub path: PathBuf,
    /// The hint to read it with; `None` to find the source line by line.
    pub source: Option<&'static str>,
    /// Why it cannot be read, with the remedy; `None` when it can.
    pub problem: Option<String>,
    /// Another discovered file that holds the same lines already, so that this one is not
    /// followed.
    pub covered_by: Option<PathBuf>,
}

/// Finds the usual logs under `root` (`/` in production), the systemd journal last.
pub fn discover(root: &Path) -> Vec<Discovered> {
    let mut found: Vec<Discovered> = Vec::new();
    for (pattern, source) in USUAL_LOGS {
        let pattern = root.join(pattern);
        for path in glob::glob(&pattern.to_string_lossy()).into_iter().flatten().flatten() {
            if path.is_file() && found.iter().all(|known| known.path != path) {
                let problem = File::open(&path).err().map(|error| unreadable(&path, &error));
                found.push(Discovered { path, source: *source, problem, covered_by: None });
            }
        }
    }
    for index in 0..found.len() {
        let covered_by = covering(&found[index], &found);
        found[index].covered_by = covered_by;
    }
    found.extend(discover_journal(root, &found));
    found
}

/// The file among `all` that holds the lines of `this` too: told by its last line.
fn covering(this: &Discovered, all: &[Discovered]) -> Option<PathBuf> {
    if !named(&this.path, OFTEN_COVERED) {
        return None;
    }
    let end = read_end(&this.path).ok()?;
    let last = end.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
    let wider = all.iter().filter(|other| named(&other.path, &["syslog", "messages"]));
    wider
        .map(|other| other.path.clone())
        .find(|path| read_end(path).is_ok_and(|end| memchr::memmem::find(&end, last).is_some()))
}

fn named(path: &Path, names: &[&str]) -> bool {
    path.file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}

fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(COMPARE_BYTES)))?;
    let mut end = Vec::new();
    file.take(COMPARE_BYTES).read_to_end(&mut end)?;
    Ok(end)
}

/// The systemd journal, unless a syslog daemon writes the same messages to files.
fn discover_journal(root: &Path, files: &[Discovered]) -> Option<Discovered> {
    let holds_journal = |dir: &PathBuf| {
        let machines = fs::read_dir(dir).into_iter().flatten().flatten();
        machines
            .flat_map(|machine| fs::read_dir(machine.path()))
            .flatten()
            .flatten()
            .any(|file| file.path().extension().is_some_and(|extension| extension == "journal"))
    };
    let dirs = ["var/log/journal", "run/log/journal"].map(|dir| root.join(dir));
    let path = dirs.into_iter().find(holds_journal)?;
    let covered_by =
        files.iter().find(|file| named(&file.path, SYSLOG_FILES) && file.problem.is_none());
    Some(Discovered {
        path,
        source: None,
        problem: None,
        covered_by: covered_by.map(|file| file.path.clone()),
    })
}

/// Why `path` cannot be read, and what to do about it.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => permission_remedy(path),
        io::ErrorKind::NotFound => "it will be read when it appears".to_owned(),
        _ => "it is tried again".to_owned(),
    };
    format!("cannot read {}: {error}; {remedy}", path.display())
}

/// Which permission is missing: the group that may read the file, or the path to it.
fn permission_remedy(path: &Path) -> String {
    const GROUP_READ: u32 = 0o040;
    let Ok(metadata) = fs::metadata(path) else {
        return "let the user that runs Tocsin enter its directories, or run Tocsin as root".into();
    };
    match group_name(metadata.gid()) {
        Some(group) if metadata.mode() & GROUP_READ != 0 && metadata.gid() != 0 => {
            format!("add the user that runs Tocsin to the group {group} (usermod -aG {group} USER)")
        }
        _ => format!(
            "let the user that runs Tocsin read it (setfacl -m u:USER:r {}), or run Tocsin as root",
            path.display()
        ),
    }
}

fn group_name(gid: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn usual_logs_are_found_and_covered_ones_marked() {
        let root = TempDir::new().unwrap();
        let log = |name: &str| root.path().join("var/log").join(name);
        let write = |name: &str, text: &str| {
            fs::create_dir_all(log(name).parent().unwrap()).unwrap();
            fs::write(log(name), text).unwrap();
        };
        write("auth.log", "x\n");
        write("syslog", "a\nkernel: one\nb\n");
        write("kern.log", "kernel: one\n");
        write("ufw.log", "[UFW BLOCK] elsewhere\n");
        write("nginx/shop.access.log", "");
        write("nginx/access.log.1", "");
        write("httpd/ssl_access_log", "");
        write("journal/0123/system.journal", "");
        fs::create_dir_all(log("audit/audit.log")).unwrap();
        let found = discover(root.path());
        let shown: Vec<_> = found
            .iter()
            .map(|d| (d.path.clone(), d.source.unwrap_or("-"), d.covered_by.clone()))
            .collect();
        assert_eq!(
            shown,
            [
                (log("auth.log"), "syslog", None),
                (log("syslog"), "-", None),
                (log("kern.log"), "syslog", Some(log("syslog"))),
                (log("ufw.log"), "syslog", None),
                (log("nginx/shop.access.log"), "nginx", None),
                (log("httpd/ssl_access_log"), "apache", None),
                (log("journal"), "-", Some(log("auth.log"))),
            ]
        );
        assert_eq!(discover(&root.path().join("none")), []);
    }

    #[test]
    fn the_remedy_names_the_group_that_may_read() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("auth.log");
        fs::write(&path, "").unwrap();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = unreadable(&path, &denied);
        assert!(text.contains("auth.log") && text.contains("run"), "{text}");
        assert_eq!(group_name(0).as_deref(), Some("root"));
        let text = unreadable(&dir.path().join("gone/auth.log"), &denied);
        assert!(text.contains("enter its directories"), "{text}");
    }
}
