//! What a finished handshake told: version, suite, and who the client's certificate says it is.

use aws_lc_rs::digest;
use rustls::{ProtocolVersion, ServerConnection};
use x509_parser::asn1_rs::{Any, BmpString, Tag};
use x509_parser::prelude::{
    CertificateRevocationList, FromDer, GeneralName, ParsedExtension, X509Certificate, X509Extension, X509Name,
};

use crate::model::{AttributeTypeAndValue, Dn, Rdn};
use crate::operation::{CertificateFacts, TlsFacts};

/// Short names of attribute types in names (RFC 4514 section 3, and those of RFC 4519 that certificates carry); others stay dotted.
const SHORT_NAMES: [(&str, &str); 16] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.43", "initials"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];
const COMMON_NAME: &str = "2.5.4.3";
const UID: &str = "0.9.2342.19200300.100.1.1";

/// Facts of a connection whose handshake is done.
pub fn facts(connection: &ServerConnection) -> TlsFacts {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(other) => format!("{other:?}"),
        None => "unknown".to_owned(),
    };
    let suite = connection.negotiated_cipher_suite().map_or_else(|| "unknown".to_owned(), |suite| format!("{:?}", suite.suite()));
    let certificate = connection.peer_certificates().and_then(<[_]>::first).and_then(|der| certificate_facts(der));
    TlsFacts { version, suite, certificate }
}

/// Facts of a certificate that rustls has verified; `None` where it cannot be read again, so that it maps to nobody.
pub(super) fn certificate_facts(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let emails = certificate.subject_alternative_name().ok().flatten().map_or_else(Vec::new, |extension| {
        let names = extension.value.general_names.iter();
        names
            .filter_map(|name| if let GeneralName::RFC822Name(email) = name { Some((*email).to_owned()) } else { None })
            .collect()
    });
    Some(CertificateFacts {
        sha256: hex(digest::digest(&digest::SHA256, der).as_ref()),
        subject: name(certificate.subject()).to_string(),
        issuer: name(certificate.issuer()).to_string(),
        serial: certificate.tbs_certificate.serial.to_str_radix(16),
        emails,
        common_name: only_value(certificate.subject(), COMMON_NAME),
        uid: only_value(certificate.subject(), UID),
        usages: key_usages(&certificate),
    })
}

/// By which a certificate is known in a revocation list: over its issuer's name and its serial number.
pub type RevocationKey = [u8; 32];

/// The key of a certificate.
pub fn revocation_key(issuer: &str, serial: &str) -> RevocationKey {
    let octets = [&(issuer.len() as u64).to_be_bytes()[..], issuer.as_bytes(), serial.as_bytes()].concat();
    digest::digest(&digest::SHA256, &octets).as_ref().try_into().unwrap_or_default()
}

/// The keys of the certificates that a list names.
pub(super) fn revoked_in(list: &CertificateRevocationList<'_>) -> Vec<RevocationKey> {
    let issuer = name(list.issuer()).to_string();
    list.iter_revoked_certificates().map(|revoked| revocation_key(&issuer, &revoked.user_certificate.to_str_radix(16))).collect()
}

/// The extended key usages a certificate names, as dotted numbers.
fn key_usages(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extensions = certificate.extensions().iter();
    let extension = extensions.map(X509Extension::parsed_extension).find_map(|parsed| match parsed {
        ParsedExtension::ExtendedKeyUsage(usage) => Some(usage),
        _ => None,
    });
    let Some(usage) = extension else { return Vec::new() };
    let named = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let named = named.into_iter().filter(|(is_named, _)| *is_named).map(|(_, number)| number.to_owned());
    named.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
}

/// A certificate's name, most specific RDN first, as LDAP writes it.
fn name(name: &X509Name<'_>) -> Dn {
    let mut rdns: Vec<Rdn> = name.iter_rdn().map(rdn).filter(|rdn| !rdn.parts.is_empty()).collect();
    rdns.reverse();
    Dn { rdns }
}

fn rdn(rdn: &x509_parser::x509::RelativeDistinguishedName<'_>) -> Rdn {
    let part = |part: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let oid = part.attr_type().to_id_string();
        let short = SHORT_NAMES.iter().find(|(dotted, _)| *dotted == oid).map(|(_, short)| (*short).to_owned());
        AttributeTypeAndValue { attribute_type: short.unwrap_or(oid), value: text(part.attr_value()).into() }
    };
    Rdn { parts: rdn.iter().map(part).collect() }
}

/// The attribute's value where the subject has exactly one: of several, nobody could say which counts.
fn only_value(name: &X509Name<'_>, oid: &str) -> Option<String> {
    let mut values = name.iter_attributes().filter(|part| part.attr_type().to_id_string() == oid);
    let value = values.next().filter(|_| values.next().is_none())?;
    String::from_utf8(text(value.attr_value())).ok().filter(|value| !value.is_empty())
}

/// UTF-8 of the string kinds that certificates use; octets as they are of anything else.
fn text(value: &Any<'_>) -> Vec<u8> {
    match value.tag() {
        Tag::BmpString => {
            BmpString::try_from(value.clone()).map_or_else(|_| value.data.to_vec(), |text| text.string().into_bytes())
        }
        _ => value.data.to_vec(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
