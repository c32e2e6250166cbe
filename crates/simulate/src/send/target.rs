//! [`Target`]: where traffic goes, as written after `--to`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where traffic goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Syslog over TCP, a line a message; `host:port`.
    Tcp(String),
    /// Syslog over UDP, a datagram a message; `host:port`.
    Udp(String),
    /// Batches by POST.
    Http {
        /// `host:port`.
        address: String,
        /// Path that takes batches.
        path: String,
    },
    /// A file that lines are added to, or a directory with a file for each kind of log.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() {
                Err("empty; give a file, - or tcp://, udp://, http://host:port".to_owned())
            } else {
                Ok(Self::File(text.into()))
            };
        };
        match scheme {
            "tcp" => address(rest.trim_end_matches('/'), None).map(Self::Tcp),
            "udp" => address(rest.trim_end_matches('/'), None).map(Self::Udp),
            "http" => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let path = if path.trim_matches('/').is_empty() { "/ingest" } else { path };
                Ok(Self::Http { address: address(host, Some(80))?, path: path.to_owned() })
            }
            "file" => Ok(Self::File(rest.into())),
            _ => Err(format!("cannot send to {scheme}://; there are tcp, udp, http and file")),
        }
    }
}

fn address(text: &str, usual_port: Option<u16>) -> Result<String, String> {
    let after_host = text.rfind(']').map_or(0, |bracket| bracket + 1);
    match (text[after_host..].rsplit_once(':'), usual_port) {
        (Some((_, port)), _) if port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        (None, Some(port)) if !text.is_empty() => Ok(format!("{text}:{port}")),
        _ => Err(format!("{text:?} is not host:port")),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Http { address, path } => write!(f, "http://{address}{path}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_written() {
        let good = [
            ("tcp://127.0.0.1:5514", "tcp://127.0.0.1:5514"),
            ("udp://localhost:514/", "udp://localhost:514"),
            ("tcp://[::1]:5514", "tcp://[::1]:5514"),
            ("http://127.0.0.1:7514", "http://127.0.0.1:7514/ingest"),
            ("http://tocsin.example/api/v1/ingest", "http://tocsin.example:80/api/v1/ingest"),
            ("http://[::1]/", "http://[::1]:80/ingest"),
            ("logs/auth.log", "logs/auth.log"),
            ("file:///tmp/x.log", "/tmp/x.log"),
            ("-", "standard output"),
        ];
        for (text, shown) in good {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "tcp://host", "tcp://host:0", "udp://:x", "tcp://[::1]", "ftp://a:1"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
