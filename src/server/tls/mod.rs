//! TLS: 1.2 and 1.3, ECDHE with AEAD only (NIST SP 800-52r2), by rustls with AWS-LC.

mod client;
mod facts;
mod self_signed;
#[cfg(test)]
mod tests;

pub use crate::config::TlsFiles;
pub use client::{authorities, client_configuration};
pub use facts::{RevocationKey, facts, revocation_key};
pub use self_signed::{SelfSigned, VALIDITY_DAYS, self_signed};

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer};
use zeroize::Zeroizing;

use crate::model::Timestamp;

/// Larger files hold no certificates: octets.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Larger files hold no revocation list of one authority, which has some 40 octets a certificate: octets.
const MAX_LIST: u64 = 64 * 1024 * 1024;
/// First octet of what is no PEM.
const DER_SEQUENCE: u8 = 0x30;

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
        Some(authorities) => builder.with_client_cert_verifier(client_verifier(authorities, &files.revocation_lists, provider)?),
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
pub(super) fn provider() -> CryptoProvider {
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

/// A client may come without a certificate; one that it sends must chain to a configured authority, or the handshake fails. Where there are
/// revocation lists it also fails where one of them names the certificate or an authority between it and the configured one, and where
/// there is none for an issuer: a forgotten list must not let anybody in.
fn client_verifier(
    file: &Path,
    lists: &[PathBuf],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    const REMEDY: &str = "put the certificates of the authorities that issue client certificates there, PEM";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, REMEDY)? {
        roots.add(certificate).map_err(|error| fault(file, error, REMEDY))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(read_lists(lists)?.into_iter().map(|(_, list)| list))
        .allow_unauthenticated()
        .build()
        .map_err(|error| match (error, lists.first()) {
            (error @ VerifierBuilderError::InvalidCrl(_), Some(list)) => fault(list, error, LIST_REMEDY),
            (error, _) => fault(file, error, REMEDY),
        })
}

const LIST_REMEDY: &str = "put the revocation list that the authority publishes there, PEM or DER";

/// The lists and which files they are from.
fn read_lists(files: &[PathBuf]) -> Result<Vec<(&Path, CertificateRevocationListDer<'static>)>, TlsError> {
    let mut lists = Vec::new();
    for file in files {
        let octets = read_up_to(file, MAX_LIST, LIST_REMEDY)?;
        let before = lists.len();
        if octets.first() == Some(&DER_SEQUENCE) {
            lists.push((file.as_path(), CertificateRevocationListDer::from(octets.to_vec())));
        } else {
            for list in CertificateRevocationListDer::pem_slice_iter(&octets) {
                lists.push((file.as_path(), list.map_err(|error| fault(file, error, LIST_REMEDY))?));
            }
        }
        let are_read = |(_, list): &(&Path, CertificateRevocationListDer<'_>)| CertificateRevocationList::from_der(list).is_ok();
        if lists.len() == before || !lists.iter().skip(before).all(are_read) {
            return Err(fault(file, "holds no revocation list", LIST_REMEDY));
        }
    }
    Ok(lists)
}

/// What an administrator should know of the revocation lists at this moment: those whose authority published a newer one by now. They count
/// all the same: what was revoked stays so, and a list that comes late must not keep a hospital out.
pub fn overdue_lists(files: &TlsFiles, now: Timestamp) -> Result<Vec<String>, TlsError> {
    let mut overdue = Vec::new();
    for (file, list) in read_lists(&files.revocation_lists)? {
        let next = CertificateRevocationList::from_der(&list).ok().and_then(|(_, list)| list.next_update());
        if next.is_some_and(|next| now.0.div_euclid(1_000_000) >= next.timestamp()) {
            overdue.push(format!(
                "{}: a newer revocation list is due; fetch it and send SIGHUP, until then certificates revoked since are let in",
                file.display()
            ));
        }
    }
    Ok(overdue)
}

/// The certificates that the lists name, as they are now.
pub fn revoked(files: &TlsFiles) -> Result<HashSet<RevocationKey>, TlsError> {
    let mut all = HashSet::new();
    for (_, list) in read_lists(&files.revocation_lists)? {
        all.extend(CertificateRevocationList::from_der(&list).map(|(_, list)| facts::revoked_in(&list)).unwrap_or_default());
    }
    Ok(all)
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
    read_up_to(file, MAX_FILE, remedy)
}

fn read_up_to(file: &Path, most: u64, remedy: &'static str) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let length = std::fs::metadata(file).map_err(|error| fault(file, error, remedy))?.len();
    if length > most {
        return Err(fault(file, format!("{length} octets are too many"), remedy));
    }
    std::fs::read(file).map(Zeroizing::new).map_err(|error| fault(file, error, remedy))
}

fn fault(file: &Path, problem: impl ToString, remedy: &'static str) -> TlsError {
    TlsError { file: file.to_path_buf(), problem: problem.to_string(), remedy }
}
