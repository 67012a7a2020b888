//! Time stamps (RFC 3161): an authority's signed word that something was there at a time. Asked for with a nonce, verified whole: imprint, nonce,
//! signature, the signer's certificate and its way to an authority that is believed.

use aws_lc_rs::digest::{self, Algorithm};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Int, ObjectIdentifier, OctetString};
use der::{Any, Decode as _, Encode as _, Sequence};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

use crate::model::Timestamp;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8, as octets.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// Why a time stamp is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TimeStampError {
    /// The authority gave none.
    #[error("the authority refused: status {0}")]
    Refused(u8),
    /// It is no time stamp, or of a form that is not understood.
    #[error("{0}")]
    Malformed(String),
    /// It is one of something else, or forged.
    #[error("{0}")]
    Wrong(&'static str),
    /// The signer's certificate is not one of an authority that is believed.
    #[error("the certificate of its authority is not believed: {0}")]
    Certificate(String),
}

impl From<der::Error> for TimeStampError {
    fn from(error: der::Error) -> TimeStampError {
        TimeStampError::Malformed(format!("it cannot be understood: {error}"))
    }
}

/// RFC 5035 section 4.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct EssCertIdV2 {
    /// Absent: SHA-256.
    #[asn1(optional = "true")]
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
    cert_hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct SigningCertificateV2 {
    certs: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// RFC 2634 section 5.4.1: the hash is SHA-1.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct EssCertId {
    cert_hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct SigningCertificate {
    certs: Vec<EssCertId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// A request for a time stamp of a text. `nonce`: random octets.
pub fn request(text: &str, nonce: [u8; 8]) -> Result<Vec<u8>, TimeStampError> {
    let imprint = digest::digest(&digest::SHA256, text.as_bytes());
    let request = TimeStampReq {
        version: TspVersion::V1,
        message_imprint: MessageImprint {
            hash_algorithm: sha_256_with_null(),
            hashed_message: OctetString::new(imprint.as_ref())?,
        },
        req_policy: None,
        nonce: Some(integer(nonce)?),
        cert_req: true,
        extensions: None,
    };
    Ok(request.to_der()?)
}

fn sha_256_with_null() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::null()) }
}

/// A positive number of eight octets, whatever they are.
fn integer(mut nonce: [u8; 8]) -> Result<Int, TimeStampError> {
    if let Some(first) = nonce.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(Int::new(&nonce)?)
}

/// Takes the token out of a response and verifies it.
pub fn take(
    response: &[u8],
    text: &str,
    nonce: [u8; 8],
    authorities: &[CertificateDer<'_>],
) -> Result<(Vec<u8>, Timestamp), TimeStampError> {
    let response = TimeStampResp::from_der(response)?;
    let Some(token) = response.time_stamp_token else {
        return Err(TimeStampError::Refused(response.status.status as u8));
    };
    let token = token.to_der()?;
    let (info, time) = verified(&token, text, authorities)?;
    if info.nonce != Some(integer(nonce)?) {
        return Err(TimeStampError::Wrong("it has another nonce: it answers another question"));
    }
    Ok((token, time))
}

/// When the text was there, by a token that was kept.
pub fn verify(token: &[u8], text: &str, authorities: &[CertificateDer<'_>]) -> Result<Timestamp, TimeStampError> {
    verified(token, text, authorities).map(|(_, time)| time)
}

fn verified(token: &[u8], text: &str, authorities: &[CertificateDer<'_>]) -> Result<(TstInfo, Timestamp), TimeStampError> {
    let malformed = |text: &str| TimeStampError::Malformed(text.to_owned());
    let outer = ContentInfo::from_der(token)?;
    if outer.content_type != SIGNED_DATA {
        return Err(malformed("it is nothing signed"));
    }
    let signed: SignedData = outer.content.decode_as()?;
    let content = signed.encap_content_info.econtent.as_ref().filter(|_| signed.encap_content_info.econtent_type == TST_INFO);
    let content = content.ok_or_else(|| malformed("what is signed is no time stamp"))?.value();
    let info = TstInfo::from_der(content)?;
    let imprint = digest::digest(&digest::SHA256, text.as_bytes());
    let of = &info.message_imprint;
    if of.hash_algorithm.oid != SHA_256 || of.hashed_message.as_bytes() != imprint.as_ref() {
        return Err(TimeStampError::Wrong("it is of something else"));
    }
    let signer = match signed.signer_infos.0.as_slice() {
        [signer] => signer,
        _ => return Err(malformed("it has not one signer")),
    };
    let (own, others) = certificates(&signed, signer)?;
    let attributes = signer.signed_attrs.as_ref().ok_or_else(|| malformed("nothing says what is signed"))?;
    attributes_fit(attributes, signer, content, &own)?;
    let since = info.gen_time.to_unix_duration();
    let own = CertificateDer::from(own);
    let end = EndEntityCert::try_from(&own).map_err(|error| TimeStampError::Certificate(error.to_string()))?;
    let message = attributes.to_der()?;
    let algorithms = ALL_VERIFICATION_ALGS.iter().filter(|algorithm| fits(**algorithm, signer));
    let signature = signer.signature.as_bytes();
    if !algorithms.into_iter().any(|algorithm| end.verify_signature(*algorithm, &message, signature).is_ok()) {
        return Err(TimeStampError::Wrong("its signature does not fit"));
    }
    let others: Vec<CertificateDer<'_>> = others.into_iter().map(CertificateDer::from).collect();
    let anchors = authorities.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok());
    let anchors: Vec<_> = anchors.collect();
    let usage = KeyUsage::required(TIME_STAMPING);
    let at = UnixTime::since_unix_epoch(since);
    end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &others, at, usage, None, None)
        .map_err(|error| TimeStampError::Certificate(error.to_string()))?;
    let micros = i64::try_from(since.as_micros()).map_err(|_| malformed("its time is out of range"))?;
    Ok((info, Timestamp(micros)))
}

/// The signer's certificate and the others that came along.
fn certificates(signed: &SignedData, signer: &SignerInfo) -> Result<(Vec<u8>, Vec<Vec<u8>>), TimeStampError> {
    let SignerIdentifier::IssuerAndSerialNumber(id) = &signer.sid else {
        return Err(TimeStampError::Malformed("its signer is not named by issuer and serial number".to_owned()));
    };
    let (mut own, mut others) = (None, Vec::new());
    for choice in signed.certificates.iter().flat_map(|set| set.0.iter()) {
        let CertificateChoices::Certificate(certificate) = choice else { continue };
        let Certificate { tbs_certificate, .. } = certificate;
        let is_own = tbs_certificate.issuer == id.issuer && tbs_certificate.serial_number == id.serial_number;
        let octets = certificate.to_der()?;
        if is_own { own = Some(octets) } else { others.push(octets) }
    }
    let own = own.ok_or_else(|| TimeStampError::Malformed("its signer's certificate is not part of it".to_owned()))?;
    Ok((own, others))
}

/// RFC 5652 section 5.4, RFC 3161 section 2.4.2: the attributes are of this content and name this certificate.
fn attributes_fit(
    attributes: &SignedAttributes,
    signer: &SignerInfo,
    content: &[u8],
    certificate: &[u8],
) -> Result<(), TimeStampError> {
    let value = |oid: ObjectIdentifier| {
        let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
        found.next().filter(|attribute| attribute.values.len() == 1).and_then(|attribute| attribute.values.get(0).cloned())
    };
    let kind = value(CONTENT_TYPE).and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
    let hash = value(MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetString>().ok());
    let algorithm = hash_algorithm(signer.digest_alg.oid)
        .ok_or_else(|| TimeStampError::Malformed("it is made with another hash than SHA-256, 384 or 512".to_owned()))?;
    let is_same = |hash: &OctetString| hash.as_bytes() == digest::digest(algorithm, content).as_ref();
    if kind != Some(TST_INFO) || !hash.as_ref().is_some_and(is_same) {
        return Err(TimeStampError::Wrong("what is signed is something else"));
    }
    let newer = value(SIGNING_CERTIFICATE_V2).and_then(|value| value.decode_as::<SigningCertificateV2>().ok());
    let older = value(SIGNING_CERTIFICATE).and_then(|value| value.decode_as::<SigningCertificate>().ok());
    let named = match (newer, older) {
        (Some(newer), _) => newer.certs.first().and_then(|id| {
            let algorithm = hash_algorithm(id.hash_algorithm.as_ref().map_or(SHA_256, |algorithm| algorithm.oid))?;
            Some(id.cert_hash.as_bytes() == digest::digest(algorithm, certificate).as_ref())
        }),
        (None, Some(older)) => older
            .certs
            .first()
            .map(|id| id.cert_hash.as_bytes() == digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()),
        (None, None) => None,
    };
    if named == Some(true) { Ok(()) } else { Err(TimeStampError::Wrong("it does not name the certificate it was signed with")) }
}

fn hash_algorithm(oid: ObjectIdentifier) -> Option<&'static Algorithm> {
    match oid {
        SHA_256 => Some(&digest::SHA256),
        SHA_384 => Some(&digest::SHA384),
        SHA_512 => Some(&digest::SHA512),
        _ => None,
    }
}

/// Whether a way to sign is the one that the signer names: its own, or the plain name of its kind of key with the hash named beside it.
fn fits(algorithm: &dyn SignatureVerificationAlgorithm, signer: &SignerInfo) -> bool {
    const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    // Octets of sha256WithRSAEncryption and its kin: 11, 12, 13 behind pkcs-1.
    let of_rsa: Option<u8> = match signer.digest_alg.oid {
        SHA_256 => Some(11),
        SHA_384 => Some(12),
        SHA_512 => Some(13),
        _ => None,
    };
    let id = algorithm.signature_alg_id();
    let id: &[u8] = id.as_ref();
    let Ok(named) = signer.signature_algorithm.oid.to_der() else { return false };
    if named == RSA {
        let mut oid = RSA.to_vec();
        if let (Some(last), Some(of_rsa)) = (oid.last_mut(), of_rsa) {
            *last = of_rsa;
        }
        return of_rsa.is_some() && id.starts_with(&oid);
    }
    id.starts_with(&named)
}
