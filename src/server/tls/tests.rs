//! Handshakes in memory, and errors of files.

use std::io::Write;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::{ClientConfig, ClientConnection, ServerConnection};
use rustls_pki_types::{PrivatePkcs8KeyDer, ServerName};
use tempfile::TempDir;

use super::*;
use crate::model::Timestamp;

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

fn files(folder: &TempDir) -> TlsFiles {
    let made = self_signed(&["192.0.2.7".parse::<IpAddr>().unwrap()], NOW).unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("server.pem"),
        key: folder.path().join("server.key"),
        client_authorities: None,
        revocation_lists: Vec::new(),
    };
    std::fs::write(&files.certificate, made.certificate).unwrap();
    write_private(&files.key, made.key.expose());
    files
}

fn write_private(path: &Path, content: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    file.write_all(content).unwrap();
}

/// A client that believes the server's certificate at [`NOW`].
fn client(
    files: &TlsFiles,
    versions: &[&'static rustls::SupportedProtocolVersion],
    own: Option<(CertificateDer<'static>, KeyPair)>,
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(certificates(&files.certificate, "").unwrap().remove(0)).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    let mut configuration = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    configuration.time_provider = Arc::new(At);
    ClientConnection::new(Arc::new(configuration), ServerName::try_from("localhost").unwrap()).unwrap()
}

#[derive(Debug)]
struct At;

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        Some(rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_micros(NOW.0 as u64)))
    }
}

fn shake(mut client: ClientConnection, configuration: &Arc<ServerConfig>) -> Result<ServerConnection, rustls::Error> {
    let mut configuration = (**configuration).clone();
    configuration.time_provider = Arc::new(At);
    let mut server = ServerConnection::new(Arc::new(configuration)).unwrap();
    for _ in 0..20 {
        let mut octets = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        let mut from_client = octets.as_slice();
        while !from_client.is_empty() {
            server.read_tls(&mut from_client).unwrap();
            server.process_new_packets()?;
        }
        let mut octets = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut octets).unwrap();
        }
        let mut from_server = octets.as_slice();
        while !from_server.is_empty() {
            client.read_tls(&mut from_server).unwrap();
            client.process_new_packets()?;
        }
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            return Ok(server);
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn both_versions_shake_hands_and_say_which() {
    let folder = TempDir::new().unwrap();
    let files = files(&folder);
    let configuration = server_configuration(&files).unwrap();
    for (version, expected) in [(&TLS13, "TLSv1.3"), (&TLS12, "TLSv1.2")] {
        let facts = facts(&shake(client(&files, &[version], None), &configuration).unwrap());
        assert_eq!(facts.version, expected);
        assert!(facts.suite.contains("GCM") || facts.suite.contains("CHACHA20"), "{}", facts.suite);
        assert_eq!(facts.certificate, None);
    }
}

#[test]
fn every_suite_is_ecdhe_with_aead() {
    for suite in provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"), "{name}");
        assert!(name.contains("_GCM_") || name.contains("CHACHA20_POLY1305"), "{name}");
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority(name: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

fn client_certificate(authority: &Authority) -> (CertificateDer<'static>, KeyPair) {
    numbered_certificate(authority, 7)
}

fn numbered_certificate(authority: &Authority, serial: u64) -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params.distinguished_name.push(DnType::OrganizationName, "Riverside, Inc.");
    params.distinguished_name.push(DnType::CommonName, "lab+interface");
    params.distinguished_name.push(DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]), "svc-lab");
    params.subject_alt_names = vec![SanType::Rfc822Name("lab@hospital.example".try_into().unwrap())];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 2])];
    params.serial_number = Some(SerialNumber::from(serial));
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    (certificate.der().clone(), key)
}

#[test]
fn a_client_certificate_is_told() {
    let folder = TempDir::new().unwrap();
    let mut files = files(&folder);
    let authority = authority("Hospital CA");
    let path = folder.path().join("clients.pem");
    std::fs::write(&path, &authority.pem).unwrap();
    files.client_authorities = Some(path);
    let configuration = server_configuration(&files).unwrap();
    for version in [&TLS13, &TLS12] {
        let own = client_certificate(&authority);
        let der = own.0.clone();
        let told = facts(&shake(client(&files, &[version], Some(own)), &configuration).unwrap()).certificate.unwrap();
        assert_eq!(told.subject, "UID=svc-lab,CN=lab\\2Binterface,O=Riverside\\2C Inc.,C=US");
        assert_eq!(told.issuer, "O=Hospital CA");
        assert_eq!(told.emails, ["lab@hospital.example"]);
        assert_eq!(told.common_name.as_deref(), Some("lab+interface"));
        assert_eq!(told.uid.as_deref(), Some("svc-lab"));
        assert_eq!(told.usages, ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"]);
        assert_eq!(told.sha256.len(), 64);
        assert_eq!(facts::certificate_facts(&der), Some(told));
    }
    let none = facts(&shake(client(&files, &[&TLS13], None), &configuration).unwrap());
    assert_eq!(none.certificate, None, "a client without a certificate is welcome");
}

#[test]
fn a_client_certificate_of_a_stranger_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut files = files(&folder);
    let path = folder.path().join("clients.pem");
    std::fs::write(&path, authority("Hospital CA").pem).unwrap();
    files.client_authorities = Some(path);
    let configuration = server_configuration(&files).unwrap();
    let own = client_certificate(&authority("Somebody else"));
    assert!(shake(client(&files, &[&TLS13], Some(own)), &configuration).is_err());
}

/// A list of what an authority revoked, due anew on 2026-11-19.
fn revocation_list(authority: &Authority, revoked: &[u64]) -> rcgen::CertificateRevocationList {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 11, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 11, 1),
        next_update: date_time_ymd(2026, 11, 19),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&authority.issuer).unwrap()
}

#[test]
fn a_revoked_certificate_is_refused_from_the_next_reading_on() {
    let folder = TempDir::new().unwrap();
    let mut files = files(&folder);
    let (ours, other) = (authority("Hospital CA"), authority("Clinic CA"));
    let (authorities, list) = (folder.path().join("clients.pem"), folder.path().join("clients.crl"));
    std::fs::write(&authorities, format!("{}{}", ours.pem, other.pem)).unwrap();
    files.client_authorities = Some(authorities);
    files.revocation_lists = vec![list.clone()];
    let try_with = |authority: &Authority, serial: u64, version| {
        let own = numbered_certificate(authority, serial);
        shake(client(&files, &[version], Some(own)), &server_configuration(&files).unwrap())
    };
    std::fs::write(&list, revocation_list(&ours, &[]).pem().unwrap()).unwrap();
    assert!(try_with(&ours, 7, &TLS13).is_ok());
    assert!(try_with(&other, 8, &TLS13).is_err(), "there is no list of its authority");
    std::fs::write(&list, revocation_list(&ours, &[5, 7]).der()).unwrap();
    for version in [&TLS13, &TLS12] {
        let refused = try_with(&ours, 7, version).err().unwrap();
        assert_eq!(refused, rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked));
        assert!(try_with(&ours, 6, version).is_ok());
    }
    // What a connection knows of its certificate finds it in the list.
    let named = revoked(&files).unwrap();
    let of = |authority: &Authority, serial: u64| {
        let facts = facts::certificate_facts(&numbered_certificate(authority, serial).0).unwrap();
        named.contains(&revocation_key(&facts.issuer, &facts.serial))
    };
    assert_eq!((named.len(), of(&ours, 7), of(&ours, 6), of(&other, 7)), (2, true, false, false));
    let both = format!("{}{}", revocation_list(&ours, &[7]).pem().unwrap(), revocation_list(&other, &[]).pem().unwrap());
    std::fs::write(&list, both).unwrap();
    assert!(try_with(&other, 7, &TLS13).is_ok() && try_with(&ours, 7, &TLS13).is_err());
    let none = shake(client(&files, &[&TLS13], None), &server_configuration(&files).unwrap()).unwrap();
    assert_eq!(facts(&none).certificate, None, "a client without a certificate is welcome");
    // Forged: signed by somebody else in our authority's name.
    std::fs::write(&list, revocation_list(&authority("Hospital CA"), &[]).der()).unwrap();
    assert!(try_with(&ours, 6, &TLS13).is_err());
}

#[test]
fn revocation_lists_that_are_none_or_late_are_told() {
    let folder = TempDir::new().unwrap();
    let mut files = files(&folder);
    let ours = authority("Hospital CA");
    let (authorities, list) = (folder.path().join("clients.pem"), folder.path().join("clients.crl"));
    std::fs::write(&authorities, &ours.pem).unwrap();
    files.client_authorities = Some(authorities);
    files.revocation_lists = vec![list.clone()];
    for damaged in [&b""[..], b"nothing", b"\x30\x03\x02\x01\x01", ours.pem.as_bytes()] {
        std::fs::write(&list, damaged).unwrap();
        let message = server_configuration(&files).unwrap_err().to_string();
        assert!(message.contains("clients.crl: holds no revocation list; put the revocation list"), "{message}");
    }
    std::fs::write(&list, revocation_list(&ours, &[]).der()).unwrap();
    // 2026-11-19 00:00 UTC
    let due = Timestamp(1_795_046_400_000_000);
    assert_eq!(overdue_lists(&files, Timestamp(due.0 - 1)).unwrap(), Vec::<String>::new());
    let told = overdue_lists(&files, due).unwrap();
    assert!(told.len() == 1 && told[0].contains("clients.crl: a newer revocation list is due"), "{told:?}");
}

#[test]
fn damaged_certificates_have_no_facts() {
    let (der, _) = client_certificate(&authority("Hospital CA"));
    for length in 0..der.len() {
        assert_eq!(facts::certificate_facts(&der[..length]), None);
    }
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let good = files(&folder);
    let bad = folder.path().join("bad.pem");
    let message = |files: TlsFiles| server_configuration(&files).unwrap_err().to_string();

    let absent = message(TlsFiles { certificate: folder.path().join("absent.pem"), ..good.clone() });
    assert!(absent.contains("absent.pem: No such file") && absent.contains("put the server's certificate there"), "{absent}");

    std::fs::write(&bad, "nothing\n").unwrap();
    let empty = message(TlsFiles { certificate: bad.clone(), ..good.clone() });
    assert!(empty.contains("bad.pem: holds no certificate"), "{empty}");
    let authorities = message(TlsFiles { client_authorities: Some(bad.clone()), ..good.clone() });
    assert!(authorities.contains("authorities that issue client certificates"), "{authorities}");

    write_private(&bad, b"nothing\n");
    let no_key = message(TlsFiles { key: bad.clone(), ..good.clone() });
    assert!(no_key.contains("bad.pem: holds no private key"), "{no_key}");

    write_private(&bad, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let encrypted = message(TlsFiles { key: bad.clone(), ..good.clone() });
    assert!(encrypted.contains("the key is encrypted; decrypt it"), "{encrypted}");

    write_private(&bad, self_signed(&[], NOW).unwrap().key.expose());
    let other = message(TlsFiles { key: bad.clone(), ..good.clone() });
    assert!(other.contains("bad.pem") && other.contains("check which belong together"), "{other}");

    std::fs::set_permissions(&good.key, std::fs::Permissions::from_mode(0o604)).unwrap();
    let open = message(good);
    assert!(open.contains("server.key: mode 0604 lets everybody") && open.contains("chmod 600"), "{open}");
}

#[test]
fn a_self_signed_certificate_names_this_machine_and_lasts_397_days() {
    use x509_parser::prelude::*;
    let made = self_signed(&["192.0.2.7".parse().unwrap(), "0.0.0.0".parse().unwrap()], NOW).unwrap();
    let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let validity = certificate.validity();
    assert_eq!(validity.not_after.timestamp() - validity.not_before.timestamp(), 397 * 24 * 3600);
    assert_eq!(validity.not_before.timestamp(), NOW.0 / 1_000_000 - 3600);
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert!(names.contains(&GeneralName::DNSName("localhost")));
    for address in [&[127, 0, 0, 1][..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[192, 0, 2, 7]] {
        assert!(names.contains(&GeneralName::IPAddress(address)), "{address:?}");
    }
    assert!(!names.contains(&GeneralName::IPAddress(&[0, 0, 0, 0])));
}
