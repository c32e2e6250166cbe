//! The traffic that the store is measured with: what a small company's machines send by syslog in
//! a day. The same seed gives the same bytes.
//!
//! 35 % web, 25 % logins, 15 % firewall, 15 % Windows processes, 10 % IDS.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::events;
use super::lines::Random;

/// Goes up when the events change, so that old files are not taken for new ones.
const VERSION: u32 = 1;
const SEED: u64 = 0x0057_0E5E;
/// The events are spread over this many seconds.
const SPAN_SECONDS: u64 = 86_400;
/// How many addresses the Internet has, and how many of them attack.
const ADDRESSES: u64 = 20_000;
const ATTACKERS: u64 = 40;
/// The address that is looked for: one event in so many has it.
pub const NEEDLE: &str = "203.0.113.250";
const NEEDLE_EVERY: u64 = 100_000;

const USERS: &[&str] =
    &["root", "admin", "anna", "bernd", "carla", "deploy", "git", "postgres", "ubuntu", "oracle"];
const PATHS: &[&str] = &[
    "/",
    "/shop/item/#",
    "/shop/cart",
    "/api/v2/orders/#",
    "/api/v2/orders/#/lines?expand=product",
    "/static/js/main.8f3a1c.js",
    "/static/css/site.77b0e1.css",
    "/images/products/#-large.webp",
    "/login",
    "/account/settings",
    "/search?q=garden+table&page=#",
    "/blog/2025/how-we-test",
    "/robots.txt",
    "/health",
    "/wp-login.php",
    "/feed.xml",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://bot.example/about.html)",
    "curl/8.11.0",
    "okhttp/4.12.0",
];
const REFERRERS: &[&str] = &[
    "-",
    "-",
    "https://www.example.org/",
    "https://www.example.org/shop",
    "https://search.example/",
];
const SIGNATURES: &[(&str, &str)] = &[
    ("EXAMPLE SCAN Suspicious inbound to MSSQL port 1433", "Potentially Bad Traffic"),
    ("EXAMPLE POLICY HTTP request to dotted quad host", "Potential Corporate Privacy Violation"),
    ("EXAMPLE DNS Query for .top TLD", "Potentially Bad Traffic"),
    ("EXAMPLE INFO Session traversal utilities for NAT", "Attempted User Privilege Gain"),
    ("EXAMPLE SCAN Potential SSH scan outbound", "Attempted Information Leak"),
];

/// Writes the file unless it is there; its path.
///
/// # Errors
/// When it cannot be written.
pub fn write(dir: &Path, events: u64) -> Result<PathBuf> {
    let path = dir.join(format!("mixed-{events}-v{VERSION}.log"));
    if path.is_file() {
        return Ok(path);
    }
    let part = dir.join("mixed.part");
    let file =
        std::fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut random = Random(SEED);
    for number in 0..events {
        let time = Time::of(number * SPAN_SECONDS * 1000 / events);
        line(&mut out, number, time, &mut random)?;
    }
    out.flush()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// A moment of the day that the file is about.
#[derive(Clone, Copy)]
pub struct Time {
    milliseconds: u64,
}

impl Time {
    /// So many milliseconds after midnight.
    pub fn of(milliseconds: u64) -> Self {
        Self { milliseconds: milliseconds % (SPAN_SECONDS * 1000) }
    }

    fn clock(self) -> String {
        let second = self.milliseconds / 1000;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    fn fraction(self) -> u64 {
        self.milliseconds % 1000
    }
}

/// One line.
fn line(out: &mut impl Write, number: u64, time: Time, random: &mut Random) -> Result<()> {
    match random.below(100) {
        0..35 => web(out, number, time, random),
        35..60 => login(out, time, random),
        60..75 => firewall(out, time, random),
        75..90 => process(out, number, time, random),
        _ => intrusion(out, time, random),
    }
}

fn head(out: &mut impl Write, priority: u8, time: Time, host: &str, tag: &str) -> Result<()> {
    let (clock, fraction) = (time.clock(), time.fraction());
    write!(out, "<{priority}>1 2026-01-15T{clock}.{fraction:03}Z {host} {tag} - - ")?;
    Ok(())
}

fn outside(random: &mut Random) -> String {
    // Few addresses send much, most send little.
    let (high, low) = (random.below(ADDRESSES), random.below(ADDRESSES));
    let address = high * low / ADDRESSES;
    format!("100.{}.{}.{}", 64 + (address >> 16), address >> 8 & 255, address & 255)
}

fn inside(random: &mut Random) -> String {
    format!("10.0.{}.{}", random.below(4), 1 + random.below(250))
}

fn one<'a>(of: &'a [&'a str], random: &mut Random) -> &'a str {
    of[random.below(of.len() as u64) as usize]
}

/// nginx, combined format.
fn web(out: &mut impl Write, number: u64, time: Time, random: &mut Random) -> Result<()> {
    let host = format!("web{:02}", 1 + random.below(4));
    head(out, 190, time, &host, "nginx -")?;
    let address = match number % NEEDLE_EVERY {
        0 => NEEDLE.to_owned(),
        _ => outside(random),
    };
    let path = one(PATHS, random).replace('#', &random.below(50_000).to_string());
    let method = if random.below(10) == 0 { "POST" } else { "GET" };
    let status = match random.below(100) {
        0..86 => 200,
        86..92 => 304,
        92..97 => 404,
        97..99 => 401,
        _ => 500,
    };
    writeln!(
        out,
        "{address} - - [15/Jan/2026:{} +0000] \"{method} {path} HTTP/1.1\" {status} {} \"{}\" \"{}\"",
        time.clock(),
        random.below(80_000),
        one(REFERRERS, random),
        one(AGENTS, random),
    )?;
    Ok(())
}

/// OpenSSH.
fn login(out: &mut impl Write, time: Time, random: &mut Random) -> Result<()> {
    let host = format!("srv{:02}", 1 + random.below(40));
    head(out, 86, time, &host, &format!("sshd {}", 1000 + random.below(60_000)))?;
    let (user, port) = (one(USERS, random), 1024 + random.below(60_000));
    let (from, attacker) = (outside(random), 1 + random.below(ATTACKERS));
    match random.below(100) {
        0..15 => {
            writeln!(out, "Failed password for invalid user {user} from {from} port {port} ssh2")?
        }
        15..16 => {
            writeln!(out, "Failed password for {user} from 203.0.113.{attacker} port {port} ssh2")?
        }
        16..30 => writeln!(out, "Invalid user {user} from {from} port {port}")?,
        30..50 => writeln!(
            out,
            "Accepted publickey for {user} from {} port {port} ssh2: ED25519 SHA256:5rNq0xH2v1mJk8Zt4cWbYpLsDfGhQeRuTiOaPzXcVbN",
            inside(random)
        )?,
        50..70 => writeln!(
            out,
            "pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)"
        )?,
        70..85 => writeln!(out, "pam_unix(sshd:session): session closed for user {user}")?,
        _ => writeln!(out, "Connection closed by {from} port {port} [preauth]")?,
    }
    Ok(())
}

/// What UFW makes the kernel say.
fn firewall(out: &mut impl Write, time: Time, random: &mut Random) -> Result<()> {
    head(out, 4, time, "fw01", "kernel -")?;
    let protocol = if random.below(4) == 0 { "UDP" } else { "TCP" };
    let ports = [22, 23, 80, 445, 1433, 3389, 5060, 8080, 8443, 37215];
    writeln!(
        out,
        "[{}.{:06}] [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56:52:54:00:65:43:21:08:00 SRC={} DST=192.0.2.{} LEN={} TOS=0x00 PREC=0x00 TTL={} ID={} DF PROTO={protocol} SPT={} DPT={} WINDOW=64240 RES=0x00 SYN URGP=0",
        time.milliseconds / 1000 + 4_000_000,
        random.below(1_000_000),
        outside(random),
        1 + random.below(30),
        40 + random.below(4) * 4,
        random.below(64) + 40,
        random.below(65_536),
        1024 + random.below(60_000),
        ports[random.below(ports.len() as u64) as usize],
    )?;
    Ok(())
}

/// Sysmon, as an agent sends it.
fn process(out: &mut impl Write, number: u64, time: Time, random: &mut Random) -> Result<()> {
    let computer = format!("ws{:03}.corp.example", random.below(300));
    head(out, 14, time, &computer, "nxlog -")?;
    let (image, parent, arguments) = events::started(number, random);
    let file = image.rsplit('\\').next().unwrap_or(image);
    let json = |text: &str| serde_json::Value::from(text).to_string();
    // A file has the same digest wherever it is.
    let digest = image.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    writeln!(
        out,
        r#"{{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"{computer}","UtcTime":"2026-01-15 {}.{:03}","ProcessGuid":"{{{:08X}-0C4E-6723-{:04X}-000000001A00}}","ProcessId":{},"User":"CORP\\user{}","Image":{},"OriginalFileName":{},"CommandLine":{},"CurrentDirectory":"C:\\Windows\\system32\\","IntegrityLevel":"Medium","Hashes":"SHA256={:016X}{:016X}{:016X}{:016X}","ParentProcessId":{},"ParentImage":{},"ParentCommandLine":{}}}"#,
        time.clock(),
        time.fraction(),
        random.below(1 << 32),
        random.below(1 << 16),
        random.below(65_536),
        random.below(200),
        json(image),
        json(file),
        json(&format!("\"{image}\" {arguments}")),
        digest,
        digest.rotate_left(17),
        digest.rotate_left(31),
        digest.rotate_left(47),
        random.below(65_536),
        json(parent),
        json(&format!("\"{parent}\"")),
    )?;
    Ok(())
}

/// Suricata's alerts.
fn intrusion(out: &mut impl Write, time: Time, random: &mut Random) -> Result<()> {
    head(out, 13, time, "ids01", "suricata 999")?;
    let (signature, category) = SIGNATURES[random.below(SIGNATURES.len() as u64) as usize];
    writeln!(
        out,
        r#"{{"timestamp":"2026-01-15T{}.{:03}000+0000","flow_id":{},"in_iface":"eth1","event_type":"alert","src_ip":"{}","src_port":{},"dest_ip":"{}","dest_port":{},"proto":"TCP","alert":{{"action":"allowed","gid":1,"signature_id":{},"rev":3,"signature":"{signature}","category":"{category}","severity":{}}},"app_proto":"http"}}"#,
        time.clock(),
        time.fraction(),
        random.below(1 << 50),
        outside(random),
        1024 + random.below(60_000),
        inside(random),
        [80, 443, 1433, 22][random.below(4) as usize],
        2_010_000 + signature.len(),
        1 + random.below(3),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_what_it_says() {
        let make = || {
            let (mut out, mut random) = (Vec::new(), Random(SEED));
            for number in 0..20_000 {
                line(&mut out, number, Time::of(number * 4320), &mut random).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        let text = make();
        assert_eq!(text, make());
        let bytes = text.len() / 20_000;
        assert!((295..330).contains(&bytes), "{bytes} bytes a line");
        let share = |tag: &str| text.lines().filter(|line| line.contains(tag)).count() / 200;
        let shares = [" nginx ", " sshd ", " kernel ", " nxlog ", " suricata "].map(share);
        for (share, wanted) in shares.into_iter().zip([35, 25, 15, 15, 10]) {
            assert!(share.abs_diff(wanted) <= 1, "{share} instead of {wanted}");
        }
    }
}
