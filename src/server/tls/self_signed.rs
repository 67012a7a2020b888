//! A certificate of the server's own, for an installation that was given none.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use crate::model::{Secret, Timestamp};

/// How long a self-signed certificate lasts: a year and a month, what clients with a limit (398 days) accept.
pub const VALIDITY_DAYS: u64 = 397;
/// It begins an hour early, for clients whose clock is behind.
const HEAD_START: Duration = Duration::from_secs(3600);
/// RFC 5280's upper bound of a common name, in characters.
const MAX_COMMON_NAME: usize = 64;

/// A new certificate and its key, both PEM.
pub struct SelfSigned {
    /// The certificate; clients must be told to trust it.
    pub certificate: String,
    /// PKCS #8.
    pub key: Secret,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("a self-signed certificate cannot be made: {0}")]
pub struct SelfSignedError(String);

/// Makes a P-256 key and a certificate for `localhost`, `127.0.0.1`, `::1`, this machine's name and the `addresses` given.
pub fn self_signed(addresses: &[IpAddr], now: Timestamp) -> Result<SelfSigned, SelfSignedError> {
    let problem = |error: rcgen::Error| SelfSignedError(error.to_string());
    let host = host_name();
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(host.clone());
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(IpAddr::to_string));
    let mut unique: Vec<String> = Vec::new();
    names.into_iter().for_each(|name| {
        if !unique.contains(&name) {
            unique.push(name);
        }
    });

    let mut params = CertificateParams::new(unique).map_err(problem)?;
    let mut subject = DistinguishedName::new();
    let common_name = host.filter(|name| name.len() <= MAX_COMMON_NAME).unwrap_or_else(|| "localhost".to_owned());
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;
    let start = date_time_ymd(1970, 1, 1) + Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
    params.not_before = start - HEAD_START;
    params.not_after = start - HEAD_START + Duration::from_secs(VALIDITY_DAYS * 24 * 3600);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(problem)?;
    let certificate = params.self_signed(&key).map_err(problem)?;
    Ok(SelfSigned { certificate: certificate.pem(), key: Secret::new(key.serialize_pem().into_bytes()) })
}

/// The machine's name, where it is one that can stand in a certificate.
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(fits) && name != "localhost").then_some(name)
}
