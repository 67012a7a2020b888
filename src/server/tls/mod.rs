//! TLS: 1.2 and 1.3, ECDHE with AEAD only (NIST SP 800-52r2), by rustls with AWS-LC.

mod facts;
mod self_signed;
#[cfg(test)]
mod tests;

pub use crate::config::TlsFiles;
pub use facts::facts;
pub use self_signed::{SelfSigned, VALIDITY_DAYS, self_signed};

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Larger files hold no certificates: octets.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Why TLS cannot be offered: the file, what is wrong with it, what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}; {remedy}")]
pub struct TlsError {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Reads the files and makes what connections need. Called again on a reload: connections that are open keep what they have.
pub fn server_configuration(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider());
    let chain = certificates(&files.certificate, "put the server's certificate there, PEM, leaf first")?;
    let key = private_key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| fault(&files.certificate, error, "this is a fault of the program; please report it"))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => builder.with_client_cert_verifier(client_verifier(authorities, provider)?),
    };
    let mut configuration = builder.with_single_cert(chain, key).map_err(|error| {
        fault(&files.key, error, "the key must be the one that the certificate was made for; check which belong together")
    })?;
    // Without tickets every resumption would be a full handshake; a reload makes new ticket keys, so old tickets end with it.
    // One each: a client that comes back with it is given the next.
    configuration.send_tls13_tickets = 1;
    configuration.ticketer = aws_lc_rs::Ticketer::new()
        .map_err(|error| fault(&files.key, error, "the system gives no random octets; check the kernel's generator"))?;
    Ok(Arc::new(configuration))
}

/// The suites, spelled out: a new rustls must not widen them unseen.
fn provider() -> CryptoProvider {
    use aws_lc_rs::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256,
        TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    CryptoProvider {
        cipher_suites: vec![
            TLS13_AES_256_GCM_SHA384,
            TLS13_AES_128_GCM_SHA256,
            TLS13_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    }
}

/// A client may come without a certificate; one that it sends must chain to a configured authority, or the handshake fails.
fn client_verifier(file: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    const REMEDY: &str = "put the certificates of the authorities that issue client certificates there, PEM";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, REMEDY)? {
        roots.add(certificate).map_err(|error| fault(file, error, REMEDY))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| fault(file, error, REMEDY))
}

fn certificates(file: &Path, remedy: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file, remedy)?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| fault(file, error, remedy))?;
    if certificates.is_empty() {
        return Err(fault(file, "holds no certificate", remedy));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const REMEDY: &str = "put the certificate's private key there, PEM, without a passphrase";
    let pem = read(file, REMEDY)?;
    let mode = std::fs::metadata(file).map_err(|error| fault(file, error, REMEDY))?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(fault(file, format!("mode {:04o} lets everybody on the machine use the key", mode & 0o7777), "chmod 600 it"));
    }
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(fault(file, "the key is encrypted", "decrypt it: openssl pkey -in FILE -out FILE.clear"));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => fault(file, "holds no private key", REMEDY),
        error => fault(file, error, REMEDY),
    })
}

fn read(file: &Path, remedy: &'static str) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let length = std::fs::metadata(file).map_err(|error| fault(file, error, remedy))?.len();
    if length > MAX_FILE {
        return Err(fault(file, format!("{length} octets are too many for PEM"), remedy));
    }
    std::fs::read(file).map(Zeroizing::new).map_err(|error| fault(file, error, remedy))
}

fn fault(file: &Path, problem: impl ToString, remedy: &'static str) -> TlsError {
    TlsError { file: file.to_path_buf(), problem: problem.to_string(), remedy }
}
