//! Values of indicators and of fields, brought to one way of writing, so that they compare byte
//! for byte.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest value of an indicator, bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 2048;

/// What an indicator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One address.
    Address,
    /// A network.
    Network,
    /// A domain, and what is below it.
    Domain,
    /// A URL.
    Url,
    /// MD5, SHA-1, SHA-256 or SHA-512 of a file.
    Hash,
    /// An e-mail address.
    Email,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Address, Self::Network, Self::Domain, Self::Url, Self::Hash, Self::Email];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Network => "network",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Hash => "hash",
            Self::Email => "email",
        }
    }

    /// What a word means; those that feeds use, too.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        Some(match word.as_str() {
            "address" | "ip" | "ipv4" | "ipv6" | "ip:port" | "ipv4-addr" | "ipv6-addr" => {
                Self::Address
            }
            "network" | "cidr" | "subnet" => Self::Network,
            "domain" | "hostname" | "domain-name" | "fqdn" => Self::Domain,
            "url" | "uri" => Self::Url,
            "hash" | "file" => Self::Hash,
            "email" | "email-addr" | "e-mail" | "mail" => Self::Email,
            _ if word.starts_with("md5") || word.starts_with("sha") => Self::Hash,
            _ => return None,
        })
    }

    /// What STIX and ECS call it.
    pub fn of_stix(self, value: &str) -> &'static str {
        match self {
            Self::Address | Self::Network if value.contains(':') => "ipv6-addr",
            Self::Address | Self::Network => "ipv4-addr",
            Self::Domain => "domain-name",
            Self::Url => "url",
            Self::Hash => "file",
            Self::Email => "email-addr",
        }
    }
}

/// What text is, and how all write it; `None` when it is none of the kinds, or not of the one that
/// is wanted. An address may stand where a network is wanted and the other way round.
pub fn normal(text: &str, wanted: Option<Kind>) -> Option<(Kind, String)> {
    let text = refanged(text.trim().trim_matches(['"', '\'']));
    let text = text.as_ref();
    if text.is_empty() || text.len() > VALUE_BYTES_MAX {
        return None;
    }
    let is_wanted = |kind: Kind| wanted.is_none_or(|wanted| wanted == kind);
    let of_network = matches!(wanted, None | Some(Kind::Address | Kind::Network));
    if of_network && let Some(found) = address_or_network(text) {
        return Some(found);
    }
    if is_wanted(Kind::Hash)
        && let Some(hash) = hash(text)
    {
        return Some((Kind::Hash, hash.into_owned()));
    }
    if is_wanted(Kind::Url) && (text.contains("://") || wanted.is_some()) {
        return url_of(text, None).map(|url| (Kind::Url, url));
    }
    if is_wanted(Kind::Email)
        && text.contains('@')
        && let Some(address) = email(text)
    {
        return Some((Kind::Email, address));
    }
    if is_wanted(Kind::Domain)
        && let Some(name) = domain(text)
    {
        // A top-level domain would be half of the world.
        return name.contains('.').then(|| (Kind::Domain, name.into_owned()));
    }
    None
}

fn address_or_network(text: &str) -> Option<(Kind, String)> {
    let of_address = |address: IpAddr| (Kind::Address, address.to_canonical().to_string());
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(of_address(address));
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(match network.prefix_len() == network.max_prefix_len() {
            true => of_address(network.addr()),
            false => (Kind::Network, network.trunc().to_string()),
        });
    }
    let with_port = text.parse::<std::net::SocketAddr>().ok()?;
    Some(of_address(with_port.ip()))
}

/// Undoes what is done to values so that nobody clicks them.
fn refanged(text: &str) -> Cow<'_, str> {
    if !text.contains(['[', '(']) && !text.starts_with("hxxp") && !text.starts_with("hXXp") {
        return Cow::Borrowed(text);
    }
    let mut text = text
        .replace("[.]", ".")
        .replace("(.)", ".")
        .replace("[dot]", ".")
        .replace("[:]", ":")
        .replace("[@]", "@")
        .replace("[at]", "@")
        .replace("[://]", "://");
    if let Some(rest) = text.strip_prefix("hxxp").or_else(|| text.strip_prefix("hXXp")) {
        text = format!("http{rest}");
    }
    Cow::Owned(text)
}

/// A domain in lower case, without the dot at its end.
pub(crate) fn domain(text: &str) -> Option<Cow<'_, str>> {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte >= 0x80
            })
    };
    if text.is_empty() || text.len() > 253 || !text.split('.').all(is_label) {
        return None;
    }
    Some(match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    })
}

/// A hash in lower case.
pub(crate) fn hash(text: &str) -> Option<Cow<'_, str>> {
    if !matches!(text.len(), 32 | 40 | 64 | 128)
        || !text.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return None;
    }
    Some(match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    })
}

/// An e-mail address in lower case, without what stands around it.
pub(crate) fn email(text: &str) -> Option<String> {
    let text = match text.rsplit_once('<') {
        Some((_, inner)) => inner.trim_end_matches('>'),
        None => text,
    };
    let (local, host) = text.trim().rsplit_once('@')?;
    let fits = !local.is_empty() && !local.contains(char::is_whitespace);
    let host = domain(host).filter(|host| fits && host.contains('.'))?;
    Some(format!("{}@{host}", local.to_lowercase()))
}

/// A URL without scheme and fragment, its host in lower case: `host/path?query`. One that is only
/// a path needs the host that it was asked of.
pub(crate) fn url_of(text: &str, host: Option<&str>) -> Option<String> {
    let text = text.split('#').next().unwrap_or(text);
    let (authority, path) = match text.split_once("://") {
        Some((_, rest)) => match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        },
        None if text.starts_with('/') => (host?, text),
        None if host.is_none() => match text.find(['/', '?']) {
            Some(at) => text.split_at(at),
            None => return None,
        },
        None => return None,
    };
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let authority =
        authority.strip_suffix(":80").or(authority.strip_suffix(":443")).unwrap_or(authority);
    if authority.is_empty() || text.len() > VALUE_BYTES_MAX {
        return None;
    }
    let path = if path.is_empty() { "/" } else { path };
    Some(format!("{}{path}", authority.to_lowercase()))
}

/// What is looked for in an index: a byte for the kind, then the value.
#[derive(Debug, Clone)]
pub(crate) struct Needle<'t> {
    pub(crate) head: [u8; 18],
    pub(crate) head_len: usize,
    pub(crate) text: &'t str,
}

impl<'t> Needle<'t> {
    /// Text of a kind.
    pub(crate) fn text(kind: Kind, text: &'t str) -> Self {
        let mut head = [0; 18];
        head[0] = kind as u8;
        Self { head, head_len: 1, text }
    }

    /// An address.
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::network(address, u8::MAX)
    }

    /// The network of some length around an address; `u8::MAX` is the address itself.
    pub(crate) fn network(address: IpAddr, length: u8) -> Self {
        let mut head = [0; 18];
        head[0] = if length == u8::MAX { Kind::Address as u8 } else { Kind::Network as u8 };
        head[1] = length;
        let head_len = match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
                head[2..6].copy_from_slice(&(u32::from(address) & mask).to_be_bytes());
                6
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
                head[2..18].copy_from_slice(&(u128::from(address) & mask).to_be_bytes());
                18
            }
        };
        Self { head, head_len, text: "" }
    }

    /// That of an indicator.
    pub(crate) fn of(kind: Kind, value: &'t str) -> Option<Self> {
        Some(match kind {
            Kind::Address => Self::address(value.parse().ok()?),
            Kind::Network => {
                let network: IpNet = value.parse().ok()?;
                Self::network(network.addr(), network.prefix_len())
            }
            _ => Self::text(kind, value),
        })
    }

    pub(crate) fn head(&self) -> &[u8] {
        &self.head[..self.head_len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_apart_and_written_one_way() {
        use Kind::{Address, Domain, Email, Hash, Network, Url};
        let sha256 = "A".repeat(64);
        let lower = "a".repeat(64);
        let table = [
            ("192.0.2.1", None, Some((Address, "192.0.2.1"))),
            ("192.0.2.1:443", None, Some((Address, "192.0.2.1"))),
            ("192.0.2[.]1", None, Some((Address, "192.0.2.1"))),
            ("192.0.2.1/32", None, Some((Address, "192.0.2.1"))),
            ("192.0.2.77/24", None, Some((Network, "192.0.2.0/24"))),
            ("2001:DB8::1", None, Some((Address, "2001:db8::1"))),
            ("2001:db8::/32", Some(Network), Some((Network, "2001:db8::/32"))),
            ("Evil.Example", None, Some((Domain, "evil.example"))),
            ("*.evil.example", None, Some((Domain, "evil.example"))),
            ("evil(.)example", None, Some((Domain, "evil.example"))),
            ("com", None, None),
            ("not a domain", None, None),
            ("hxxps://Evil[.]example/X?y#z", None, Some((Url, "evil.example/X?y"))),
            ("http://evil.example", None, Some((Url, "evil.example/"))),
            ("evil.example/x", Some(Url), Some((Url, "evil.example/x"))),
            (&sha256, None, Some((Hash, &*lower))),
            ("abc", Some(Hash), None),
            ("Bad.Man@Example.ORG", None, Some((Email, "bad.man@example.org"))),
            ("<html>", None, None),
            ("", None, None),
        ];
        for (text, wanted, expected) in table {
            let expected = expected.map(|(kind, value)| (kind, value.to_owned()));
            assert_eq!(normal(text, wanted), expected, "{text}");
        }
    }
}
