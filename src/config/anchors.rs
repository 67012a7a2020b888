//! `[journal.anchors]`: where checkpoints of the journal go, out of reach of who holds this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::check::path;
use super::error::{ConfigurationError, Source};
use super::outbound::{self, PeerSettings, RawPeer};
use super::values;

/// Anchors of each kind.
const ANCHORS_LIMIT: usize = 8;

/// Where checkpoints go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnchorSettings {
    /// How often each gets one.
    pub interval: Duration,
    /// A write-once folder; it is there already.
    pub folder: Option<PathBuf>,
    /// Collectors of syslog messages.
    pub syslog: Vec<SyslogAnchorSettings>,
    /// Witnesses (c2sp.org/tlog-witness).
    pub witnesses: Vec<WitnessSettings>,
    /// Authorities of time stamps (RFC 3161).
    pub time_stamps: Vec<TimeStampSettings>,
}

/// A collector that checkpoints are sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyslogAnchorSettings {
    /// The collector.
    pub peer: PeerSettings,
    /// Whether only its close_notify shows that it took the checkpoint.
    pub needs_close_notify: bool,
}

/// A witness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessSettings {
    /// Its submission prefix.
    pub url: String,
    /// Its key, `NAME+ID+KEY`.
    pub key: String,
    /// Whose certificates are believed for the connection, PEM; none: the URL is one of plain HTTP.
    pub tls_authorities: Option<PathBuf>,
}

/// An authority of time stamps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeStampSettings {
    /// Where it is asked.
    pub url: String,
    /// Whose certificates its signatures are believed by, PEM.
    pub authorities: PathBuf,
    /// Whose certificates are believed for the connection, PEM; none: the URL is one of plain HTTP.
    pub tls_authorities: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAnchors {
    folder: Option<Spanned<String>>,
    interval: Option<Spanned<i64>>,
    #[serde(default)]
    syslog: Vec<Spanned<RawSyslog>>,
    #[serde(default)]
    witness: Vec<Spanned<RawHttp>>,
    #[serde(default)]
    time_stamp: Vec<Spanned<RawHttp>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSyslog {
    address: Option<Spanned<String>>,
    server_name: Option<Spanned<String>>,
    authorities: Option<Spanned<String>>,
    certificate: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    confirm: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawHttp {
    url: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    authorities: Option<Spanned<String>>,
    tls_authorities: Option<Spanned<String>>,
}

/// What is configured; in strict mode there must be one.
pub(super) fn anchors(
    source: &Source<'_>,
    folder: &Path,
    data: &Path,
    written: Option<&Spanned<RawAnchors>>,
    strict: Option<&Spanned<bool>>,
) -> Result<Option<AnchorSettings>, ConfigurationError> {
    const REMEDY: &str = "name a folder on a write-once volume of another machine: folder = \"/mnt/worm/bindery\"";
    let Some(written) = written else {
        return match strict.filter(|strict| *strict.get_ref()) {
            None => Ok(None),
            Some(strict) => {
                let remedy = "add [journal.anchors] with a folder, [[journal.anchors.syslog]], [[journal.anchors.witness]] or \
                              [[journal.anchors.time-stamp]]";
                Err(source.error(strict.span(), "journal.strict", "needs an anchor and there is none", remedy))
            }
        };
    };
    let raw = written.get_ref();
    let named = raw.folder.as_ref().map(|named| path(source, folder, "journal.anchors.folder", named)).transpose()?;
    if named.as_ref().is_some_and(|named| named.starts_with(data)) {
        let span = raw.folder.as_ref().map_or(written.span(), Spanned::span);
        let problem = "lies in the data folder, so it is lost or changed with it";
        return Err(source.error(span, "journal.anchors.folder", problem, REMEDY));
    }
    let interval = values::number(source, "journal.anchors.interval", &raw.interval, (60, 86_400), 600)?;
    let settings = AnchorSettings {
        interval: Duration::from_secs(interval.unsigned_abs()),
        folder: named,
        syslog: raw.syslog.iter().map(|raw| syslog(source, folder, raw)).collect::<Result<_, _>>()?,
        witnesses: raw.witness.iter().map(|raw| witness(source, folder, raw)).collect::<Result<_, _>>()?,
        time_stamps: raw.time_stamp.iter().map(|raw| time_stamp(source, folder, raw)).collect::<Result<_, _>>()?,
    };
    let counts = [settings.syslog.len(), settings.witnesses.len(), settings.time_stamps.len()];
    if settings.folder.is_none() && counts == [0; 3] {
        return Err(source.error(written.span(), "journal.anchors.folder", "is missing", REMEDY));
    }
    if counts.iter().any(|count| *count > ANCHORS_LIMIT) {
        let problem = format!("there are more than {ANCHORS_LIMIT} anchors of a kind");
        return Err(source.error(written.span(), "journal.anchors", problem, "leave some out"));
    }
    Ok(Some(settings))
}

fn syslog(source: &Source<'_>, folder: &Path, raw: &Spanned<RawSyslog>) -> Result<SyslogAnchorSettings, ConfigurationError> {
    let fields = raw.get_ref();
    let of_peer = RawPeer {
        table: "journal.anchors.syslog",
        span: raw.span(),
        address: &fields.address,
        server_name: &fields.server_name,
        authorities: &fields.authorities,
        certificate: &fields.certificate,
        key: &fields.key,
    };
    let needs_close_notify = match fields.confirm.as_ref().map(|confirm| (confirm, confirm.get_ref().as_str())) {
        None | Some((_, "close-notify")) => true,
        Some((_, "end")) => false,
        Some((confirm, other)) => {
            let problem = format!("{other:?} is none");
            return Err(source.error(
                confirm.span(),
                "journal.anchors.syslog.confirm",
                problem,
                "write one of close-notify, end",
            ));
        }
    };
    Ok(SyslogAnchorSettings { peer: outbound::peer(source, folder, &of_peer)?, needs_close_notify })
}

fn witness(source: &Source<'_>, folder: &Path, raw: &Spanned<RawHttp>) -> Result<WitnessSettings, ConfigurationError> {
    const TABLE: &str = "journal.anchors.witness";
    let fields = raw.get_ref();
    let (url, tls_authorities) = url(source, folder, TABLE, raw)?;
    let key = fields.key.as_ref();
    let remedy = "write the key that the witness publishes: key = \"witness.example/w1+0123abcd+BAAA…\"";
    let key = key.ok_or_else(|| source.error(raw.span(), format!("{TABLE}.key"), "is missing", remedy))?;
    if let Some(other) = &fields.authorities {
        let remedy = "for the connection write tls-authorities, and remove it";
        return Err(source.error(other.span(), format!("{TABLE}.authorities"), "does nothing: a witness has a key", remedy));
    }
    Ok(WitnessSettings { url, key: key.get_ref().trim().to_owned(), tls_authorities })
}

fn time_stamp(source: &Source<'_>, folder: &Path, raw: &Spanned<RawHttp>) -> Result<TimeStampSettings, ConfigurationError> {
    const TABLE: &str = "journal.anchors.time-stamp";
    let fields = raw.get_ref();
    let (url, tls_authorities) = url(source, folder, TABLE, raw)?;
    let remedy = "write whose certificates sign the time stamps: authorities = \"tls/time-stamps.pem\"";
    let authorities = fields.authorities.as_ref();
    let authorities =
        authorities.ok_or_else(|| source.error(raw.span(), format!("{TABLE}.authorities"), "is missing", remedy))?;
    if let Some(other) = &fields.key {
        let problem = "does nothing: an authority has certificates";
        return Err(source.error(other.span(), format!("{TABLE}.key"), problem, "remove it"));
    }
    Ok(TimeStampSettings {
        url,
        authorities: path(source, folder, &format!("{TABLE}.authorities"), authorities)?,
        tls_authorities,
    })
}

/// The URL, and for https whose certificates are believed: what comes back is signed in itself, so plain HTTP does.
fn url(
    source: &Source<'_>,
    folder: &Path,
    table: &str,
    raw: &Spanned<RawHttp>,
) -> Result<(String, Option<PathBuf>), ConfigurationError> {
    const REMEDY: &str = "write it whole: url = \"https://witness.example/\"";
    let key = format!("{table}.url");
    let fields = raw.get_ref();
    let url = fields.url.as_ref().ok_or_else(|| source.error(raw.span(), key.as_str(), "is missing", REMEDY))?;
    let text = url.get_ref().trim();
    let is_secure = text.starts_with("https://");
    if !(is_secure || text.starts_with("http://")) || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(source.error(url.span(), key, format!("{text:?} is no URL of HTTP"), REMEDY));
    }
    let authorities = fields.tls_authorities.as_ref();
    let authorities = authorities.map(|file| path(source, folder, &format!("{table}.tls-authorities"), file)).transpose()?;
    if is_secure && authorities.is_none() {
        let remedy = "write whose certificates are believed there: tls-authorities = \"/etc/ssl/certs/ca-certificates.crt\"";
        return Err(source.error(raw.span(), format!("{table}.tls-authorities"), "is missing", remedy));
    }
    Ok((text.to_owned(), authorities))
}
