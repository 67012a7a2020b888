//! The client's side of TLS, for connections that the server makes of itself: the other side's certificate is always verified.

use std::path::Path;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use super::{TlsError, certificates, fault, private_key, provider};
use crate::config::PeerSettings;

/// The certificates of authorities that are believed.
pub fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(file, "put the certificates of the authorities there that are believed, PEM")
}

/// Reads the files that a peer's settings name.
pub fn client_configuration(peer: &PeerSettings) -> Result<Arc<ClientConfig>, TlsError> {
    let identity = peer.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    configuration(&peer.authorities, identity)
}

fn configuration(authorities: &Path, identity: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, TlsError> {
    const REMEDY: &str = "put the certificates of the authorities that issue the other side's certificate there, PEM";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authorities, REMEDY)? {
        roots.add(certificate).map_err(|error| fault(authorities, error, REMEDY))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| fault(authorities, error, "this is a fault of the program; please report it"))?;
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = identity else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let chain = certificates(certificate, "put the certificate there that this server shows, PEM, leaf first")?;
    let remedy = "the key must be the one that the certificate was made for; check which belong together";
    let configuration = builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| fault(key, error, remedy))?;
    Ok(Arc::new(configuration))
}
