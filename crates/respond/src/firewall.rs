//! [`Firewall`]: blocks and unblocks addresses with what the machine has.
//!
//! In: an address and how long. Out: a program's success or its complaint. Everything has a time
//! limit of its own in the kernel (or in firewalld), so that a ban ends even when nobody is there
//! to end it. Addresses are parsed before they come here: no text of a log reaches a command.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::config::{FirewallKind, RespondConfig};
use crate::webhook::Webhook;

/// How long a program may take.
const PROGRAM_MAX: Duration = Duration::from_secs(10);
/// The longest time that ipset takes, seconds.
const IPSET_SECONDS_MAX: u64 = 2_147_483;
/// Characters of a complaint that are kept.
const COMPLAINT_CHARS_MAX: usize = 500;

/// A table of our own: flushing or deleting it undoes everything. Before other filters, so that
/// none lets in what is blocked; connections that are open are cut off too.
const NFTABLES: &str = "add table inet tocsin
add set inet tocsin blocked4 { type ipv4_addr; flags timeout; }
add set inet tocsin blocked6 { type ipv6_addr; flags timeout; }
add chain inet tocsin input { type filter hook input priority -10; policy accept; }
add chain inet tocsin forward { type filter hook forward priority -10; policy accept; }
flush chain inet tocsin input
flush chain inet tocsin forward
add rule inet tocsin input ip saddr @blocked4 counter drop
add rule inet tocsin input ip6 saddr @blocked6 counter drop
add rule inet tocsin forward ip saddr @blocked4 counter drop
add rule inet tocsin forward ip6 saddr @blocked6 counter drop
";

/// Why an address could not be blocked or unblocked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FirewallError(String);

/// What blocks.
#[derive(Debug, Clone)]
pub enum Firewall {
    /// nftables.
    Nftables,
    /// ipset and iptables.
    Ipset,
    /// firewalld.
    Firewalld,
    /// A program of the user's.
    Script(PathBuf),
    /// Something elsewhere.
    Webhook(Box<Webhook>),
}

type Done = Result<(), FirewallError>;

impl Firewall {
    /// The one that the configuration names.
    ///
    /// # Errors
    /// When it needs something that is not given.
    pub fn of(config: &RespondConfig) -> Result<Self, String> {
        Ok(match config.with {
            FirewallKind::Nftables => Self::Nftables,
            FirewallKind::Ipset => Self::Ipset,
            FirewallKind::Firewalld => Self::Firewalld,
            FirewallKind::Script => {
                let path = config.script.clone().ok_or(
                    "respond.script: `with: script` needs the path of a program here".to_owned(),
                )?;
                if !path.is_file() {
                    return Err(format!("respond.script: {} is no file", path.display()));
                }
                Self::Script(path)
            }
            FirewallKind::Webhook => Self::Webhook(Box::new(Webhook::new(&config.webhook)?)),
        })
    }

    /// Makes what bans need. May be done again.
    ///
    /// # Errors
    /// What the program says.
    pub async fn prepare(&self) -> Done {
        match self {
            Self::Nftables => nft(NFTABLES).await.map(drop),
            Self::Ipset => prepare_ipset().await,
            Self::Firewalld => run("firewall-cmd", ["--state"]).await.map(drop),
            Self::Script(_) | Self::Webhook(_) => Ok(()),
        }
    }

    /// Keeps `address` out for `time`, whether or not it is out already.
    ///
    /// # Errors
    /// What the program says.
    pub async fn block(&self, address: IpAddr, time: Duration) -> Done {
        let seconds = time.as_secs().max(1);
        match self {
            Self::Nftables => {
                let set = nft_set(address);
                // Adding what is there changes nothing, also not its time.
                nft(&format!(
                    "add element inet tocsin {set} {{ {address} timeout {seconds}s }}\n\
                     delete element inet tocsin {set} {{ {address} }}\n\
                     add element inet tocsin {set} {{ {address} timeout {seconds}s }}\n"
                ))
                .await
                .map(drop)
            }
            Self::Ipset => {
                let (address, set) = (address.to_string(), ip_set(address));
                let seconds = seconds.min(IPSET_SECONDS_MAX).to_string();
                run("ipset", ["add", "-exist", set, &address, "timeout", &seconds]).await.map(drop)
            }
            Self::Firewalld => {
                let rule = format!("--add-rich-rule={}", rich_rule(address));
                run("firewall-cmd", [rule, format!("--timeout={seconds}")]).await.map(drop)
            }
            Self::Script(path) => {
                let (address, seconds) = (address.to_string(), seconds.to_string());
                run(path, ["block", &address, &seconds]).await.map(drop)
            }
            Self::Webhook(webhook) => webhook.block(address, seconds).await.map_err(FirewallError),
        }
    }

    /// Lets `address` in again, whether or not it was out.
    ///
    /// # Errors
    /// What the program says.
    pub async fn unblock(&self, address: IpAddr) -> Done {
        match self {
            Self::Nftables => {
                let set = nft_set(address);
                nft(&format!(
                    "add element inet tocsin {set} {{ {address} timeout 1s }}\n\
                     delete element inet tocsin {set} {{ {address} }}\n"
                ))
                .await
                .map(drop)
            }
            Self::Ipset => {
                let (address, set) = (address.to_string(), ip_set(address));
                run("ipset", ["del", "-exist", set, &address]).await.map(drop)
            }
            Self::Firewalld => {
                let rule = format!("--remove-rich-rule={}", rich_rule(address));
                run("firewall-cmd", [rule]).await.map(drop)
            }
            Self::Script(path) => run(path, ["unblock", &address.to_string()]).await.map(drop),
            Self::Webhook(webhook) => webhook.unblock(address).await.map_err(FirewallError),
        }
    }

    /// The addresses that are out now; `None` when it cannot tell.
    ///
    /// # Errors
    /// What the program says.
    pub async fn blocked(&self) -> Result<Option<BTreeSet<IpAddr>>, FirewallError> {
        match self {
            Self::Nftables => {
                let mut all = BTreeSet::new();
                for set in ["blocked4", "blocked6"] {
                    let text = run("nft", ["-j", "list", "set", "inet", "tocsin", set]).await?;
                    all.extend(elements(&text));
                }
                Ok(Some(all))
            }
            Self::Ipset => {
                let mut all = BTreeSet::new();
                for set in ["tocsin4", "tocsin6"] {
                    let text = run("ipset", ["list", set, "-output", "save"]).await?;
                    all.extend(text.lines().filter_map(|line| {
                        line.strip_prefix("add ")?.split(' ').nth(1)?.parse::<IpAddr>().ok()
                    }));
                }
                Ok(Some(all))
            }
            Self::Firewalld => {
                let text = run("firewall-cmd", ["--list-rich-rules"]).await?;
                let ours = text.lines().filter(|line| line.contains("tocsin"));
                let address = |line: &str| {
                    line.split_once("address=\"")?.1.split('"').next()?.parse::<IpAddr>().ok()
                };
                Ok(Some(ours.filter_map(address).collect()))
            }
            Self::Script(_) | Self::Webhook(_) => Ok(None),
        }
    }
}

fn nft_set(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "blocked4" } else { "blocked6" }
}

fn ip_set(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "tocsin4" } else { "tocsin6" }
}

fn rich_rule(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    // The prefix of the log tells our rules from others.
    format!(
        "rule family=\"{family}\" source address=\"{address}\" log prefix=\"tocsin\" \
         limit value=\"1/m\" drop"
    )
}

async fn prepare_ipset() -> Done {
    for (set, family, tables) in
        [("tocsin4", "inet", "iptables"), ("tocsin6", "inet6", "ip6tables")]
    {
        run("ipset", ["create", "-exist", set, "hash:ip", "family", family, "timeout", "0"])
            .await?;
        for chain in ["INPUT", "FORWARD"] {
            let rule = ["-m", "set", "--match-set", set, "src", "-j", "DROP"];
            if run(tables, ["-w", "-C", chain].into_iter().chain(rule)).await.is_err() {
                run(tables, ["-w", "-I", chain, "1"].into_iter().chain(rule)).await?;
            }
        }
    }
    Ok(())
}

/// Addresses in the answer of `nft -j list set`.
fn elements(text: &str) -> BTreeSet<IpAddr> {
    let answer: Json = serde_json::from_str(text).unwrap_or_default();
    let parts = answer["nftables"].as_array().into_iter().flatten();
    let elements = parts.filter_map(|part| part["set"]["elem"].as_array()).flatten();
    let address = |element: &Json| {
        let value = element.get("elem").map_or(element, |element| &element["val"]);
        value.as_str()?.parse().ok()
    };
    elements.filter_map(address).collect()
}

async fn nft(script: &str) -> Result<String, FirewallError> {
    program("nft".as_ref(), &["-f".as_ref(), "-".as_ref()], script).await
}

pub(crate) async fn run<A: AsRef<OsStr>>(
    name: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, FirewallError> {
    let arguments: Vec<A> = arguments.into_iter().collect();
    let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    program(name.as_ref(), &arguments, "").await
}

/// Runs a program to its end; what it printed.
async fn program(name: &OsStr, arguments: &[&OsStr], input: &str) -> Result<String, FirewallError> {
    let shown = name.to_string_lossy().into_owned();
    let failed = |why: &dyn std::fmt::Display| FirewallError(format!("{shown}: {why}"));
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                failed(&"no such program; install it or choose another with respond.with")
            }
            _ => failed(&error),
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing says what it wants otherwise.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(PROGRAM_MAX, child.wait_with_output())
        .await
        .map_err(|_| failed(&format!("no end after {} s", PROGRAM_MAX.as_secs())))?
        .map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(COMPLAINT_CHARS_MAX).collect();
    Err(failed(&format!("{} {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_sets_are_read() {
        let text = r#"{"nftables":[{"metainfo":{}},{"set":{"family":"inet","name":"blocked4",
            "elem":[{"elem":{"val":"192.0.2.1","timeout":3600,"expires":3598}},"192.0.2.2"]}}]}"#;
        let expected: BTreeSet<IpAddr> =
            ["192.0.2.1", "192.0.2.2"].into_iter().map(|one| one.parse().unwrap()).collect();
        assert_eq!(elements(text), expected);
        assert_eq!(elements("nonsense"), BTreeSet::new());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_with_its_remedy() {
        let missing = RespondConfig { with: FirewallKind::Script, ..RespondConfig::default() };
        assert!(Firewall::of(&missing).unwrap_err().contains("respond.script"));
        let error = run("no-such-program", [""; 0]).await.unwrap_err().to_string();
        assert!(error.contains("install it or choose another"), "{error}");
    }
}
