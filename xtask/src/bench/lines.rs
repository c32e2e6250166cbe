//! The file that speed is measured on: what a busy sshd writes. The same seed gives the same
//! bytes.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Goes up when the lines change, so that old files are not taken for new ones.
const VERSION: u32 = 1;
const SEED: u64 = 0x70C5_1A11;
/// How many addresses log in, and how many of them attack.
const ADDRESSES: u64 = 20_000;
const ATTACKERS: u64 = 400;
/// Seconds that pass every so many lines.
const LINES_PER_SECOND: u64 = 40;
const USERS: &[&str] = &[
    "root", "admin", "anna", "bernd", "carla", "deploy", "git", "postgres", "ubuntu", "oracle",
    "test", "backup", "www-data", "jenkins", "pi", "emil",
];

/// Writes the file unless it is there; its path.
///
/// # Errors
/// When it cannot be written.
pub fn sshd(dir: &Path, lines: u64) -> Result<PathBuf> {
    let path = dir.join(format!("sshd-{lines}-v{VERSION}.log"));
    if path.is_file() {
        return Ok(path);
    }
    let part = dir.join("sshd.part");
    let file =
        std::fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut out = BufWriter::new(file);
    let mut random = Random(SEED);
    for number in 0..lines {
        write_line(&mut out, number, &mut random)?;
    }
    out.flush()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// About 30 % failures, half of them by few addresses; the rest is what surrounds logins.
fn write_line(out: &mut impl Write, number: u64, random: &mut Random) -> Result<()> {
    let second = number / LINES_PER_SECOND;
    let (day, hour) = (1 + second / 86_400 % 28, second / 3600 % 24);
    let pid = 1000 + random.below(60_000);
    write!(
        out,
        "Nov {day:>2} {hour:02}:{:02}:{:02} bench sshd[{pid}]: ",
        second / 60 % 60,
        second % 60
    )?;
    let kind = random.below(100);
    let failed = kind < 30;
    let many = if failed && random.below(2) == 0 { ATTACKERS } else { ADDRESSES };
    let address = random.below(many);
    let ip = format!("10.{}.{}.{}", address >> 16, address >> 8 & 255, address & 255);
    let user = USERS[random.below(USERS.len() as u64) as usize];
    let port = 1024 + random.below(60_000);
    match kind {
        0..18 => writeln!(out, "Failed password for {user} from {ip} port {port} ssh2")?,
        18..30 => {
            writeln!(out, "Failed password for invalid user {user} from {ip} port {port} ssh2")?
        }
        30..40 => writeln!(out, "Invalid user {user} from {ip} port {port}")?,
        40..55 => writeln!(
            out,
            "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:5rNq0xH2v1mJk8Zt4cWbYpLsDfGhQeRuTiOaPzXcVbN"
        )?,
        55..70 => writeln!(
            out,
            "pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)"
        )?,
        70..80 => writeln!(out, "pam_unix(sshd:session): session closed for user {user}")?,
        80..90 => {
            writeln!(out, "Received disconnect from {ip} port {port}:11: disconnected by user")?
        }
        _ => writeln!(out, "Connection closed by {ip} port {port} [preauth]")?,
    }
    Ok(())
}

/// splitmix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_lines_every_time_and_a_third_of_them_failures() {
        let make = || {
            let (mut out, mut random) = (Vec::new(), Random(SEED));
            for number in 0..10_000 {
                write_line(&mut out, number, &mut random).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        let text = make();
        assert_eq!(text, make());
        let failed = text.lines().filter(|line| line.contains(": Failed password")).count();
        assert!((2800..3200).contains(&failed), "{failed}");
    }
}
