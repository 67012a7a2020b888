//! What `bindery.toml` may hold, as it is written: every key optional here, every value with its place in the file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::anchors::RawAnchors;
use super::outbound::RawStream;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    pub(super) suffix: Option<Spanned<String>>,
    pub(super) data: Option<Spanned<String>>,
    pub(super) schema: Option<Spanned<String>>,
    pub(super) posix: Option<Spanned<String>>,
    pub(super) disclose: Option<Spanned<String>>,
    pub(super) disclose_control: Option<bool>,
    pub(super) disclose_texts: Option<bool>,
    #[serde(default)]
    pub(super) keys: Keys,
    #[serde(default)]
    pub(super) journal: RawJournal,
    #[serde(default)]
    pub(super) listen: Listen,
    pub(super) tls: Option<Spanned<Tls>>,
    #[serde(default)]
    pub(super) ldapi: Ldapi,
    #[serde(default)]
    pub(super) indexes: BTreeMap<String, Spanned<Vec<String>>>,
    pub(super) unique: Option<Unique>,
    #[serde(default)]
    pub(super) numbers: BTreeMap<String, Spanned<Numbers>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) snapshots: RawSnapshots,
    #[serde(default)]
    pub(super) password: Password,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) waiver: Vec<Spanned<RawWaiver>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Keys {
    pub(super) seal: Option<Spanned<String>>,
    pub(super) seal_environment: Option<Spanned<String>>,
    pub(super) journal: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawJournal {
    pub(super) strict: Option<Spanned<bool>>,
    pub(super) reads: Option<Spanned<String>>,
    pub(super) emergency_folder: Option<Spanned<String>>,
    pub(super) retention_days: Option<Spanned<i64>>,
    pub(super) anchors: Option<Spanned<RawAnchors>>,
    #[serde(default)]
    pub(super) stream: Vec<Spanned<RawStream>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Listen {
    #[serde(default)]
    pub(super) ldap: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ldaps: Vec<Spanned<String>>,
    pub(super) ldapi: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tls {
    pub(super) certificate: Option<Spanned<String>>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) client_authorities: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) revocation_lists: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) certificate_mapping: Vec<Spanned<CertificateMapping>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CertificateMapping {
    pub(super) r#match: Option<Spanned<String>>,
    pub(super) attribute: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Ldapi {
    #[serde(default)]
    pub(super) users: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Unique {
    pub(super) attributes: Option<Vec<Spanned<String>>>,
    pub(super) kept_after_deletion: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Numbers {
    pub(super) first: Option<Spanned<i64>>,
    pub(super) last: Option<Spanned<i64>>,
    pub(super) ask: Option<Spanned<String>>,
    pub(super) digits: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLimits {
    pub(super) size: Option<Spanned<i64>>,
    pub(super) time: Option<Spanned<i64>>,
    pub(super) sorted: Option<Spanned<i64>>,
    pub(super) filter_depth: Option<Spanned<i64>>,
    pub(super) controls: Option<Spanned<i64>>,
    pub(super) pending_operations: Option<Spanned<i64>>,
    pub(super) operations: Option<Spanned<i64>>,
    pub(super) operations_per_account: Option<Spanned<i64>>,
    pub(super) scanned_per_second: Option<Spanned<i64>>,
    pub(super) persistent_per_account: Option<Spanned<i64>>,
    pub(super) unauthenticated_request: Option<Spanned<i64>>,
    pub(super) request: Option<Spanned<i64>>,
    pub(super) unauthenticated_memory: Option<Spanned<i64>>,
    pub(super) request_memory: Option<Spanned<i64>>,
    pub(super) result_memory: Option<Spanned<i64>>,
    pub(super) connections: Option<Spanned<i64>>,
    pub(super) connections_per_address: Option<Spanned<i64>>,
    pub(super) unauthenticated_per_address: Option<Spanned<i64>>,
    pub(super) connections_per_person: Option<Spanned<i64>>,
    pub(super) connections_per_service: Option<Spanned<i64>>,
    pub(super) handshakes_per_second: Option<Spanned<i64>>,
    pub(super) failed_binds_per_second: Option<Spanned<i64>>,
    pub(super) handshake: Option<Spanned<i64>>,
    pub(super) first_request: Option<Spanned<i64>>,
    pub(super) disk_reserve: Option<Spanned<i64>>,
    pub(super) whole_request: Option<Spanned<i64>>,
    pub(super) write: Option<Spanned<i64>>,
    pub(super) idle: Option<Spanned<i64>>,
    pub(super) idle_administrator: Option<Spanned<i64>>,
    pub(super) person_lifetime: Option<Spanned<i64>>,
    pub(super) service_lifetime: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) networks: BTreeMap<String, Spanned<RawNetworkLimits>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNetworkLimits {
    pub(super) connections_per_address: Option<Spanned<i64>>,
    pub(super) unauthenticated_per_address: Option<Spanned<i64>>,
    pub(super) handshakes_per_second: Option<Spanned<i64>>,
    pub(super) failed_binds_per_second: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSnapshots {
    pub(super) journal: Option<Spanned<i64>>,
    pub(super) interval: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Password {
    #[serde(default)]
    pub(super) argon2id: Argon2id,
    pub(super) remember_logins: Option<Spanned<i64>>,
    pub(super) blocklist: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Argon2id {
    pub(super) memory: Option<Spanned<i64>>,
    pub(super) passes: Option<Spanned<i64>>,
    pub(super) lanes: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Log {
    pub(super) format: Option<Spanned<String>>,
    pub(super) level: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawWaiver {
    pub(super) name: Option<Spanned<String>>,
    pub(super) reason: Option<Spanned<String>>,
    pub(super) owner: Option<Spanned<String>>,
    pub(super) until: Option<Spanned<Datetime>>,
    pub(super) networks: Option<Spanned<Vec<Spanned<String>>>>,
}
