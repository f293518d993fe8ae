//! `mqtts`: whom we trust and who we are, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::SourceError;
use crate::config::TlsSettings;

/// Reads the files once, so that a wrong path shows at the start and not at the first reconnect.
pub(crate) fn client_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, SourceError> {
    let roots = match &settings.authority {
        Some(path) => authorities_of(path)?,
        None => authorities_of_the_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider has the default protocol versions")
        .with_root_certificates(roots);
    let config = match &settings.client {
        Some((certificate, key)) => {
            let chain = certificates_of(certificate, "the client certificate")?;
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("the client's key", key, error.to_string()))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|error| SourceError::ClientCertificate { reason: error.to_string() })?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn authorities_of(path: &Path) -> Result<RootCertStore, SourceError> {
    let what = "the certificate authority";
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(path, what)? {
        roots.add(certificate).map_err(|error| unreadable(what, path, error.to_string()))?;
    }
    Ok(roots)
}

fn authorities_of_the_system() -> Result<RootCertStore, SourceError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores of systems hold oddities; one good certificate is enough to try with.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(SourceError::SystemAuthorities { reason });
    }
    Ok(roots)
}

fn certificates_of(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(what, path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(what, path, "no certificate in the file".to_owned()));
    }
    Ok(certificates)
}

fn unreadable(what: &'static str, path: &Path, reason: String) -> SourceError {
    SourceError::Certificate { what, path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_authority_file_is_named_with_its_path_and_the_setting() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("ca.pem");
        let settings = |path: &Path| TlsSettings { authority: Some(path.to_owned()), client: None };
        let error = client_config(&settings(&missing)).expect_err("there is no file").to_string();
        assert!(error.starts_with("cannot read the certificate authority from "), "{error}");
        assert!(error.contains("ca.pem") && error.ends_with("see `[source.tls]`"), "{error}");

        std::fs::write(&missing, "not a certificate").expect("a file");
        let error = client_config(&settings(&missing)).expect_err("no certificate").to_string();
        assert!(error.contains("no certificate in the file"), "{error}");
    }
}
