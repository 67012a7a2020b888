//! Whom the server talks to of itself: collectors of syslog messages that the journal is streamed to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::check::path;
use super::error::{ConfigurationError, Source};
use super::values;

/// Port of syslog over TLS (RFC 5425 section 4.1).
const SYSLOG_TLS: u16 = 6514;
/// Streams of one installation.
const STREAMS_LIMIT: usize = 8;
/// Characters of a stream's name, which is that of a file too.
const NAME_LIMIT: usize = 64;
/// What RFC 5612 keeps for examples.
const EXAMPLE_ENTERPRISE: i64 = 32_473;
/// Octets of a message: what every receiver takes, what it should take (RFC 5425 section 4.3.1), and the most that makes sense.
const MESSAGE_OCTETS: (i64, i64, i64) = (2048, 8192, 16 * 1024 * 1024);

/// The other side of a connection over TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerSettings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What its certificate must be for.
    pub server_name: String,
    /// Whose certificates are believed, PEM.
    pub authorities: PathBuf,
    /// The certificate that this server shows, and its key, both PEM; none: it shows none.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What a stream's messages carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamFormat {
    /// The records as they are.
    Json,
    /// Common Event Format.
    Cef,
    /// Structured data.
    Rfc5424,
    /// Audit messages of DICOM PS3.15 A.5 (IHE ATNA ITI-20).
    Dicom,
}

impl StreamFormat {
    const ALL: [StreamFormat; 4] = [StreamFormat::Json, StreamFormat::Cef, StreamFormat::Rfc5424, StreamFormat::Dicom];

    /// As written in the file.
    pub fn name(self) -> &'static str {
        match self {
            StreamFormat::Json => "json",
            StreamFormat::Cef => "cef",
            StreamFormat::Rfc5424 => "rfc5424",
            StreamFormat::Dicom => "dicom",
        }
    }
}

/// A stream of the journal's records to a collector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamSettings {
    /// What it is called, in health, in the journal and as a file.
    pub name: String,
    /// The collector.
    pub peer: PeerSettings,
    /// What a message carries.
    pub format: StreamFormat,
    /// Whether it begins with the journal's first record; else with what is recorded once it is configured.
    pub from_beginning: bool,
    /// Whether only a close_notify of the collector shows that it took everything; else the end of the connection does.
    pub needs_close_notify: bool,
    /// It is behind when a record waits for longer.
    pub behind: Duration,
    /// The number in names of structured data.
    pub enterprise: u32,
    /// Octets of the largest message: of larger records values are left out.
    pub largest_message: usize,
}

/// `[[journal.stream]]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawStream {
    name: Option<Spanned<String>>,
    address: Option<Spanned<String>>,
    server_name: Option<Spanned<String>>,
    authorities: Option<Spanned<String>>,
    certificate: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
    begin: Option<Spanned<String>>,
    confirm: Option<Spanned<String>>,
    behind: Option<Spanned<i64>>,
    enterprise: Option<Spanned<i64>>,
    largest_message: Option<Spanned<i64>>,
}

/// The keys of a table that say who the other side is.
pub(super) struct RawPeer<'a> {
    /// The table's name in messages.
    pub(super) table: &'static str,
    /// Where it stands.
    pub(super) span: std::ops::Range<usize>,
    pub(super) address: &'a Option<Spanned<String>>,
    pub(super) server_name: &'a Option<Spanned<String>>,
    pub(super) authorities: &'a Option<Spanned<String>>,
    pub(super) certificate: &'a Option<Spanned<String>>,
    pub(super) key: &'a Option<Spanned<String>>,
}

/// All streams.
pub(super) fn streams(
    source: &Source<'_>,
    folder: &Path,
    written: &[Spanned<RawStream>],
) -> Result<Vec<StreamSettings>, ConfigurationError> {
    let mut streams: Vec<StreamSettings> = Vec::new();
    for raw in written {
        let stream = stream(source, folder, raw)?;
        let span = || raw.get_ref().name.as_ref().map_or(raw.span(), Spanned::span);
        if streams.iter().any(|other| other.name == stream.name) {
            let problem = format!("{:?} is the name of another stream", stream.name);
            return Err(source.error(span(), "journal.stream.name", problem, "give each stream a name of its own"));
        }
        if streams.len() >= STREAMS_LIMIT {
            let problem = format!("there are more than {STREAMS_LIMIT} streams");
            return Err(source.error(span(), "journal.stream", problem, "let one collector pass on to others"));
        }
        streams.push(stream);
    }
    Ok(streams)
}

fn stream(source: &Source<'_>, folder: &Path, written: &Spanned<RawStream>) -> Result<StreamSettings, ConfigurationError> {
    const NAME_REMEDY: &str = "write letters, digits, '-' and '_': name = \"siem\"";
    let raw = written.get_ref();
    let name = raw.name.as_ref();
    let name = name.ok_or_else(|| source.error(written.span(), "journal.stream.name", "is missing", NAME_REMEDY))?;
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    if name.get_ref().is_empty() || name.get_ref().len() > NAME_LIMIT || !name.get_ref().bytes().all(fits) {
        let problem = format!("{:?} cannot be the name of a file", name.get_ref());
        return Err(source.error(name.span(), "journal.stream.name", problem, NAME_REMEDY));
    }
    let choice = |key: &str, value: &Option<Spanned<String>>, choices: &[&str]| {
        let Some(value) = value else { return Ok(0) };
        choices.iter().position(|choice| choice == value.get_ref()).ok_or_else(|| {
            let remedy = format!("write one of {}", choices.join(", "));
            source.error(value.span(), format!("journal.stream.{key}"), format!("{:?} is none", value.get_ref()), remedy)
        })
    };
    let formats = StreamFormat::ALL.map(StreamFormat::name);
    let format = StreamFormat::ALL.get(choice("format", &raw.format, &formats)?).copied().unwrap_or(StreamFormat::Json);
    let of_peer = RawPeer {
        table: "journal.stream",
        span: written.span(),
        address: &raw.address,
        server_name: &raw.server_name,
        authorities: &raw.authorities,
        certificate: &raw.certificate,
        key: &raw.key,
    };
    let behind = values::number(source, "journal.stream.behind", &raw.behind, (30, 86_400), 300)?;
    let enterprise = (1, i64::from(u32::MAX));
    let enterprise = values::number(source, "journal.stream.enterprise", &raw.enterprise, enterprise, EXAMPLE_ENTERPRISE)?;
    let (least, usual, most) = MESSAGE_OCTETS;
    let largest = values::number(source, "journal.stream.largest-message", &raw.largest_message, (least, most), usual)?;
    Ok(StreamSettings {
        name: name.get_ref().clone(),
        peer: peer(source, folder, &of_peer)?,
        format,
        from_beginning: choice("begin", &raw.begin, &["first", "now"])? == 0,
        needs_close_notify: choice("confirm", &raw.confirm, &["close-notify", "end"])? == 0,
        behind: Duration::from_secs(behind.unsigned_abs()),
        enterprise: values::narrow(enterprise),
        largest_message: values::narrow(largest),
    })
}

/// Who the other side is, and by what it is known.
pub(super) fn peer(source: &Source<'_>, folder: &Path, raw: &RawPeer<'_>) -> Result<PeerSettings, ConfigurationError> {
    let key = |name: &str| format!("{}.{name}", raw.table);
    let missing = |name: &str, remedy: &str| source.error(raw.span.clone(), key(name), "is missing", remedy);
    const ADDRESS: &str = "write the collector and its port: address = \"collector.hospital.example:6514\"";
    let address = raw.address.as_ref().ok_or_else(|| missing("address", ADDRESS))?;
    let (host, port) = host_and_port(address.get_ref())
        .ok_or_else(|| source.error(address.span(), key("address"), format!("{:?} is no address", address.get_ref()), ADDRESS))?;
    let authorities = raw.authorities.as_ref();
    let authorities = authorities
        .ok_or_else(|| missing("authorities", "write whose certificates are believed: authorities = \"tls/collectors.pem\""))?;
    let file = |name: &str, value: &Spanned<String>| path(source, folder, &key(name), value);
    let identity = match (raw.certificate, raw.key) {
        (None, None) => None,
        (Some(certificate), Some(private)) => Some((file("certificate", certificate)?, file("key", private)?)),
        (Some(_), None) => return Err(missing("key", "write the certificate's private key: key = \"tls/client.key\"")),
        (None, Some(_)) => return Err(missing("certificate", "write the key's certificate: certificate = \"tls/client.pem\"")),
    };
    let server_name = raw.server_name.as_ref().map_or_else(|| host.clone(), |name| name.get_ref().trim().to_owned());
    Ok(PeerSettings { host, port, server_name, authorities: file("authorities", authorities)?, identity })
}

/// `collector:6514`, `collector`, `[::1]:6514`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let fits = |host: &str| !host.is_empty() && host.bytes().all(|octet| octet.is_ascii_graphic());
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = if port.is_empty() { SYSLOG_TLS } else { port.strip_prefix(':')?.parse().ok()? };
        return host.parse::<std::net::Ipv6Addr>().is_ok().then(|| (host.to_owned(), port));
    }
    match text.split_once(':') {
        None => fits(text).then(|| (text.to_owned(), SYSLOG_TLS)),
        Some((host, port)) => Some((host.to_owned(), port.parse().ok().filter(|port| *port > 0)?)).filter(|(host, _)| fits(host)),
    }
}
