//! Licences, sources and advisories of the crates we use, by `cargo deny` and `deny.toml`.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{heading, passes};
use crate::workspace::{cargo, root, target_dir, which};

/// The version that is installed when there is none.
const VERSION: &str = "0.20.2";
/// Where the advisories are fetched from.
const ADVISORIES: &str = "github.com:443";
const CONNECT_SECONDS_MAX: u64 = 3;

/// Checks them. Without `cargo deny`, and where it cannot be installed, says so and passes.
///
/// # Errors
/// When cargo cannot be started.
pub fn run() -> Result<bool> {
    heading("cargo deny: licences, bans, sources");
    let Some(program) = find_or_install()? else {
        println!("left out: cargo-deny is missing and could not be installed");
        return Ok(true);
    };
    let check = |what: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(root()).args([
            "--log-level",
            "error",
            "check",
            "--hide-inclusion-graph",
        ]);
        passes(command.args(what))
    };
    let mut good = check(&["licenses", "bans", "sources"])?;
    if is_reachable(ADVISORIES) {
        good &= check(&["advisories"])?;
    } else {
        println!("left out: advisories, {ADVISORIES} cannot be reached from here");
    }
    Ok(good)
}

fn find_or_install() -> Result<Option<PathBuf>> {
    let tools = target_dir().join("tools");
    let ours = tools.join("bin/cargo-deny");
    if ours.is_file() {
        return Ok(Some(ours));
    }
    if let Some(found) = which("cargo-deny") {
        return Ok(Some(found));
    }
    println!("cargo-deny is missing, installing it into {}", tools.display());
    // A debug build: it runs for seconds, and compiles in a third of the time.
    let mut install = cargo();
    install.args(["install", "--quiet", "--locked", "--debug", "cargo-deny", "--version", VERSION]);
    install.arg("--root").arg(&tools).env("CARGO_TARGET_DIR", tools.join("build"));
    let installed = passes(&mut install)? && ours.is_file();
    // Nobody needs what it was built from.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(installed.then_some(ours))
}

fn is_reachable(address: &str) -> bool {
    let timeout = Duration::from_secs(CONNECT_SECONDS_MAX);
    let Ok(mut sockets) = address.to_socket_addrs() else { return false };
    sockets.any(|socket| TcpStream::connect_timeout(&socket, timeout).is_ok())
}
