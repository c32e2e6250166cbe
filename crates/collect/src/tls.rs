//! TLS of listeners: the certificate they show, made at the first start where none is given.
//!
//! In: `collect.tls` of the configuration, and where to keep what is made. Out: an acceptor.
//! Never overwrites a key that is there, never shows one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::TlsConfig;

/// Names in a certificate that is made, beside this machine's.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Where this machine's name is.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// Why there is no TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{path}: {cause}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        cause: String,
    },
    /// Certificate and key do not go together, or are not understood.
    #[error("the certificate cannot be used: {0}; check collect.tls")]
    Certificate(String),
    /// One of two files is given that belong together.
    #[error("collect.tls needs certificate_file and key_file, or neither")]
    Half,
}

/// What listeners with TLS accept connections with. `dir` is where a certificate is made when
/// none is configured; `protocols` are those of ALPN.
///
/// # Errors
/// When certificate or key cannot be read, made or used.
pub fn server_config(
    config: &TlsConfig,
    dir: &Path,
    protocols: &[&str],
) -> Result<Arc<ServerConfig>, TlsError> {
    let (certificate, key) = match (&config.certificate_file, &config.key_file) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        (None, None) => made(config, dir)?,
        _ => return Err(TlsError::Half),
    };
    let chain = certificates(&certificate)?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| fail(&key, &error))?;
    let unusable = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|error| unusable(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder.with_single_cert(chain, secret).map_err(|error| unusable(&error))?;
    server.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(server))
}

/// What is wrong with the files that are named, if anything.
pub(crate) fn check(config: &TlsConfig) -> Option<TlsError> {
    let named = config.certificate_file.is_some() || config.key_file.is_some();
    if named {
        // Nothing is made when files are named.
        return server_config(config, Path::new(""), &[]).err();
    }
    config.client_ca_file.as_deref().and_then(|path| certificates(path).err())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).map_err(|error| fail(path, &error))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| fail(path, &error))?;
    if all.is_empty() { Err(fail(path, &"there is no certificate in it")) } else { Ok(all) }
}

/// The certificate and key in the data directory, made when they are not there.
fn made(config: &TlsConfig, dir: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (dir.join("certificate.pem"), dir.join("key.pem"));
    if certificate.is_file() && key.is_file() {
        return Ok((certificate, key));
    }
    let mut names = config.names.clone();
    if names.is_empty() {
        let own = fs::read_to_string(HOSTNAME).unwrap_or_default().trim().to_owned();
        names.extend(Some(own).filter(|own| !own.is_empty()));
        names.extend(LOCAL_NAMES.map(str::to_owned));
    }
    let new = rcgen::generate_simple_self_signed(names)
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| fail(dir, &e))?;
    write(&key, 0o600, &new.signing_key.serialize_pem())?;
    write(&certificate, 0o644, &new.cert.pem())?;
    tracing::info!("made a certificate for TLS: {}", certificate.display());
    Ok((certificate, key))
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| fail(path, &error))
}

fn fail(path: &Path, cause: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.display().to_string(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_faults_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("tls");
        let config = TlsConfig::default();
        server_config(&config, &home, &["h2"]).unwrap();
        let first = fs::read(home.join("key.pem")).unwrap();
        server_config(&config, &home, &[]).unwrap();
        assert_eq!(fs::read(home.join("key.pem")).unwrap(), first);
        let own = TlsConfig {
            certificate_file: Some(home.join("certificate.pem")),
            key_file: Some(home.join("key.pem")),
            client_ca_file: Some(home.join("certificate.pem")),
            ..TlsConfig::default()
        };
        server_config(&own, &home, &[]).unwrap();
        let half = TlsConfig { key_file: None, ..own.clone() };
        assert_eq!(server_config(&half, &home, &[]).unwrap_err(), TlsError::Half);
        let absent = TlsConfig { key_file: Some(home.join("no")), ..own.clone() };
        assert!(server_config(&absent, &home, &[]).unwrap_err().to_string().contains("/no: "));
        let wrong = TlsConfig { certificate_file: Some(home.join("key.pem")), ..own };
        assert!(server_config(&wrong, &home, &[]).is_err());
    }
}
