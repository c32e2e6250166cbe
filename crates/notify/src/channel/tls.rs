//! Whom to trust: the built-in Mozilla roots, this machine's own roots, and a file of the user's.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::NotifyError;

/// This machine's roots that rustls can use, read once.
fn native_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut probe = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs().certs;
        found.into_iter().filter(|cert| probe.add(cert.clone()).is_ok()).collect()
    })
}

/// Certificates to trust beside the built-in ones: this machine's, and those of `ca_file`.
pub(crate) fn extra_roots(
    ca_file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, NotifyError> {
    let mut roots = native_roots().to_vec();
    let Some(path) = ca_file else { return Ok(roots) };
    let fail = |why: String| NotifyError::Config(format!("ca_file {}: {why}", path.display()));
    let from_file = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fail(error.to_string()))?;
    let mut probe = RootCertStore::empty();
    for cert in &from_file {
        probe.add(cert.clone()).map_err(|error| fail(error.to_string()))?;
    }
    if from_file.is_empty() {
        return Err(fail("holds no PEM certificate".to_owned()));
    }
    roots.extend(from_file);
    Ok(roots)
}

/// TLS for HTTP. The provider is named here, so nothing depends on a process-wide default.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, NotifyError> {
    client_config_as(ca_file, None)
}

/// The same for one who shows a certificate: PEM files of it, with those that signed it, and of its key.
pub(crate) fn client_config_as(
    ca_file: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<ClientConfig, NotifyError> {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    store.add_parsable_certificates(extra_roots(ca_file)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NotifyError::Config(format!("tls cannot be set up: {error}")))?;
    let builder = builder.with_root_certificates(store);
    let Some((certificate_file, key_file)) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let fail = |key: &str, path: &Path, why: String| {
        NotifyError::Config(format!("{key} {}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fail("certificate_file", certificate_file, error.to_string()))?;
    if chain.is_empty() {
        let why = "holds no PEM certificate".to_owned();
        return Err(fail("certificate_file", certificate_file, why));
    }
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| fail("key_file", key_file, error.to_string()))?;
    let fits = builder.with_client_auth_cert(chain, key);
    fits.map_err(|error| fail("key_file", key_file, format!("not of the certificate: {error}")))
}
