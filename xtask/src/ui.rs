//! Builds the web page when something of it has changed. In: `ui/`. Out: `ui/dist`, which the
//! binary embeds.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{heading, run};
use crate::workspace::{root, state_dir, which};

/// The least version of Node.js.
const NODE_MAJOR_MIN: u32 = 20;
/// What the page is built from, beside `package-lock.json`.
const INPUTS: &[&str] =
    &["index.html", "package.json", "tsconfig.json", "vite.config.ts", "public", "scripts", "src"];

/// The folder of the page.
pub fn dir() -> PathBuf {
    root().join("ui")
}

/// An `npm` command in the page's folder.
pub fn npm(args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command
        .args(args)
        .current_dir(dir())
        .env("NO_COLOR", "1")
        .env("npm_config_update_notifier", "false");
    command
}

/// Installs packages and builds the page, each only when its inputs have changed since.
///
/// # Errors
/// When Node.js is missing or too old, or npm fails.
pub fn build() -> Result<()> {
    install()?;
    let mut inputs: Vec<PathBuf> = INPUTS.iter().map(|name| dir().join(name)).collect();
    inputs.push(dir().join("package-lock.json"));
    let stamp = Stamp::of("ui-build", &inputs)?;
    if stamp.is_fresh() && dir().join("dist/index.html").is_file() {
        return Ok(());
    }
    heading("building the page");
    run(&mut npm(&["run", "--silent", "build"]))?;
    stamp.save()
}

/// Installs the page's packages.
///
/// # Errors
/// When Node.js is missing or too old, or npm fails.
pub fn install() -> Result<()> {
    check_node()?;
    let lock = dir().join("package-lock.json");
    let stamp = Stamp::of("ui-packages", &[lock])?;
    if stamp.is_fresh() && dir().join("node_modules").is_dir() {
        return Ok(());
    }
    heading("installing the page's packages (npm ci)");
    run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    stamp.save()
}

fn check_node() -> Result<()> {
    let wanted = format!("Node.js {NODE_MAJOR_MIN} or newer with npm is needed to build the page");
    if which("node").is_none() || which("npm").is_none() {
        bail!("{wanted}, and is not in PATH");
    }
    let output = Command::new("node").arg("--version").output().context("cannot run node")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major: Option<u32> =
        version.trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
    match major {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!("{wanted}, found {version}"),
    }
}

/// A hash of files, beside the one of the last time.
struct Stamp {
    path: PathBuf,
    hash: String,
}

impl Stamp {
    fn of(name: &str, inputs: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            hash_tree(input, &mut hasher)?;
        }
        let path = state_dir()?.join(format!("{name}.stamp"));
        Ok(Self { path, hash: format!("{:016x}", hasher.finish()) })
    }

    fn is_fresh(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|saved| saved == self.hash)
    }

    fn save(&self) -> Result<()> {
        std::fs::write(&self.path, &self.hash)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.hash(hasher);
    if path.is_dir() {
        let mut children: Vec<PathBuf> =
            std::fs::read_dir(path)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        children.sort();
        for child in children {
            hash_tree(&child, hasher)?;
        }
    } else if path.is_file() {
        std::fs::read(path)?.hash(hasher);
    }
    Ok(())
}
