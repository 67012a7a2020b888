//! What an operation may know beside the directory and its request.

use std::net::IpAddr;
use std::sync::Arc;

use super::Attached;
use super::LiveSession;
use super::identifier::IdentifierSettings;
use super::monitor::Monitor;
use crate::directory::{Directory, Node};
use crate::model::{EntryId, Filter, Rdn, Secret, Timestamp};
use crate::policy::access::Subject;
use crate::policy::app_password::is_second_factor;
use crate::policy::password::blocklist::Blocklist;
use crate::protocol::MessageId;

/// Facts about one operation.
#[derive(Clone, Debug)]
pub struct Context {
    /// Policy time when the request was read (the committer sets it anew when it decides).
    pub now: Timestamp,
    /// Session number.
    pub session: u64,
    /// messageID.
    pub message: MessageId,
    /// Who is on the other side.
    pub peer: Arc<Peer>,
    /// TLS, when there is any.
    pub tls: Option<Arc<TlsFacts>>,
    /// Who the session is.
    pub identity: Identity,
    /// On whose authority.
    pub authority: Authority,
    /// What the configuration says.
    pub settings: Arc<Settings>,
    /// Randomness for this operation alone.
    pub fresh: Fresh,
    /// What its controls attach to it.
    pub attached: Attached,
}

/// On whose authority an operation is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Authority {
    /// The session's identity, judged on the directory.
    #[default]
    Session,
    /// The one who holds the data folder's lock (`init`, `import`): may do everything, and may give the operational attributes that an
    /// export carries (entryUUID, createTimestamp, …).
    Installation,
}

/// Random octets drawn by the server for one operation.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    /// For an entryUUID (RFC 4530; version 4 bits are set by who uses it).
    pub uuid: [u8; 16],
    /// For a password salt.
    pub salt: [u8; 16],
    /// For a generated password (RFC 3062).
    pub password: [u8; 16],
}

/// Who a session is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// The entry; none: anonymous.
    pub entry: Option<EntryId>,
    /// How it was proven: `SIMPLE`, `SASL(EXTERNAL)`, `SASL(PLAIN)`.
    pub method: Option<&'static str>,
    /// `password`, `app-password`, `otp`, `certificate`, `ldapi`.
    pub factors: Vec<&'static str>,
    /// The password had to be changed when the session began: until that is done nothing else is.
    pub must_change: bool,
    /// The session, where there is one that somebody is logged in on.
    pub live: Option<Arc<LiveSession>>,
    /// The application on whose connection it is: the service that logged in there last.
    pub application: Option<EntryId>,
}

impl Identity {
    /// Nobody, on the same connection.
    pub fn nobody(&self) -> Identity {
        Identity { application: self.application, ..Identity::default() }
    }

    /// Whether more was proven than what is typed.
    pub(crate) fn has_second_factor(&self) -> bool {
        self.factors.iter().any(|factor| is_second_factor(factor))
    }
}

/// How a connection came in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ListenerKind {
    /// Clear TCP, StartTLS possible.
    Ldap,
    /// TLS from the first octet.
    Ldaps,
    /// A Unix socket.
    Ldapi,
}

/// The other side of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// For the journal: `127.0.0.1:50123` or `ldapi uid=0`.
    pub text: String,
    /// The address, for TCP.
    pub address: Option<IpAddr>,
    /// How it came in.
    pub listener: ListenerKind,
    /// For ldapi: the DN that the peer's user stands for, by `[ldapi.users]` and CONTRACT.md's rule.
    pub ldapi_identity: Option<String>,
}

/// What the TLS handshake told.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`
    pub suite: String,
    /// A client certificate that chains to a configured authority.
    pub certificate: Option<CertificateFacts>,
}

/// A verified client certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFacts {
    /// SHA-256 of the DER, lower-case hex.
    pub sha256: String,
    /// Subject as an RFC 4514 string.
    pub subject: String,
    /// Issuer as an RFC 4514 string.
    pub issuer: String,
    /// Its number among the issuer's, lower-case hex.
    pub serial: String,
    /// rfc822Name subject alternative names.
    pub emails: Vec<String>,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// The subject's uid attribute.
    pub uid: Option<String>,
    /// The extended key usages it names, as dotted numbers.
    pub usages: Vec<String>,
}

/// How a client certificate becomes an entry; the first rule that finds exactly one entry wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateRule {
    /// The subject is the entry's DN.
    SubjectDn,
    /// A subject alternative e-mail equals this attribute (`mail`).
    Email {
        /// Attribute to look in.
        attribute: String,
    },
    /// The subject's common name equals this attribute (`uid`).
    CommonName {
        /// Attribute to look in.
        attribute: String,
    },
    /// The subject's uid equals this attribute (`uid`).
    Uid {
        /// Attribute to look in.
        attribute: String,
    },
}

/// A network from which something unsafe is allowed until a time, with a written reason in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaivedNetwork {
    /// From here.
    pub network: ipnet::IpNet,
    /// Refused from this moment on.
    pub until: Timestamp,
}

/// The part of the configuration that operations need.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Networks whose binds and writes may come without TLS.
    pub clear_text: Vec<WaivedNetwork>,
    /// Networks from which administrators log in and change things without a second factor.
    pub second_factor: Vec<WaivedNetwork>,
    /// How client certificates become entries.
    pub certificate_rules: Vec<CertificateRule>,
    /// Limits.
    pub limits: Limits,
    /// Unique values and numbers to give out.
    pub identifiers: IdentifierSettings,
    /// Keyed hashes of unknown bind names, paged-results cookies.
    pub hash_key: Secret,
    /// Whether and how logins that were verified a moment ago are remembered; none: every login costs an Argon2 run.
    pub remembered_logins: Option<RememberedLoginSettings>,
    /// Passwords that the organisation forbids, beside those that everybody knows.
    pub blocklist: Option<Arc<Blocklist>>,
    /// For vendorVersion.
    pub version: &'static str,
    /// How the server is.
    pub monitor: Monitor,
    /// Whether the server offers StartTLS (it has a certificate).
    pub start_tls: bool,
    /// What a refused bind says of how the account stands: for applications that parse it.
    pub discloses: Disclosure,
    /// Every search and compare is recorded, not only what the schema and audit rules want.
    pub audits_all_reads: bool,
}

/// What a refused bind says of the account, whether or not the password was right; by default nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Disclosure {
    /// The error in the password policy control, where that is asked for.
    pub control: bool,
    /// The text that applications written for Active Directory parse: `data 52e`, `533`, `701`, `775`.
    pub texts: bool,
}

impl Disclosure {
    /// Both.
    pub const LEGACY: Disclosure = Disclosure { control: true, texts: true };
}

/// How logins that were verified a moment ago are remembered.
#[derive(Clone, Debug)]
pub struct RememberedLoginSettings {
    /// Of this process alone: what was remembered means nothing to another one.
    pub key: Secret,
    /// Seconds from the Argon2 run.
    pub seconds: u32,
}

/// Limits that operations enforce; defaults are BEHAVIOUR.md's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Entries a search returns to others than administrators.
    pub size: u32,
    /// Seconds a search may take.
    pub time: u32,
    /// Entries that one search sorts.
    pub sorted: usize,
    /// Filters within each other, at most [`Filter::MAXIMUM_DEPTH`].
    pub filter_depth: usize,
    /// Controls on one request.
    pub controls: usize,
    /// Outstanding operations on one connection.
    pub pending_operations: usize,
    /// Octets of an encoded request before authentication.
    pub unauthenticated_request: usize,
    /// Octets of an encoded request after authentication.
    pub request: usize,
    /// Seconds that a session of a person, or of nobody, may do nothing.
    pub idle: u32,
    /// Seconds that an administrator's may.
    pub idle_administrator: u32,
    /// Seconds after which a person must log in anew, whatever the session does.
    pub person_lifetime: u32,
    /// Seconds after which a service must log in anew, whatever it does.
    pub service_lifetime: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            size: 1000,
            time: 60,
            sorted: 100_000,
            filter_depth: Filter::MAXIMUM_DEPTH,
            controls: 10,
            pending_operations: 100,
            unauthenticated_request: 256 * 1024,
            request: 16 * 1024 * 1024,
            idle: 15 * 60,
            idle_administrator: 10 * 60,
            person_lifetime: 12 * 60 * 60,
            service_lifetime: 86_400,
        }
    }
}

impl Context {
    /// Who asks, judged on this very directory value: the identity of an entry that is gone is nobody's, one that may not be assumed too.
    pub fn subject(&self, directory: &Directory) -> Subject {
        if self.attached.assumed.is_none() {
            return self.own(directory);
        }
        let identity = if self.check_assumed(directory).is_ok() { self.acting(directory) } else { None };
        Subject { identity, administrator: identity.is_some_and(|id| is_administrator(directory, id)) }
    }

    /// The entry as which a request is done, judged on this very directory value; none: nobody's.
    pub(crate) fn subject_entry(&self, directory: &Directory) -> Option<EntryId> {
        match self.attached.assumed {
            None => self.identity.entry.filter(|&id| directory.node(id).is_some()),
            Some(_) => self.check_assumed(directory).ok().and_then(|()| self.acting(directory)),
        }
    }

    /// The session's own identity, whomever it acts as.
    pub(crate) fn own(&self, directory: &Directory) -> Subject {
        let identity = self.identity.entry.filter(|&id| directory.node(id).is_some());
        let administrator =
            self.authority == Authority::Installation || identity.is_some_and(|id| is_administrator(directory, id));
        Subject { identity, administrator }
    }

    /// Whether what is sent cannot be read on the way: TLS or a Unix socket.
    pub fn is_confidential(&self) -> bool {
        self.tls.is_some() || self.peer.listener == ListenerKind::Ldapi
    }

    /// Whether credentials and writes may come over this connection now: confidential, or waived for its network.
    pub fn may_send_credentials(&self) -> bool {
        self.is_confidential()
            || self.peer.address.is_some_and(|address| {
                self.settings.clear_text.iter().any(|waived| self.now < waived.until && waived.network.contains(&address))
            })
    }
}

/// Whether an entry is a direct member of `cn=administrators,ou=roles,SUFFIX`.
pub(crate) fn is_administrator(directory: &Directory, id: EntryId) -> bool {
    has_role(directory, id, b"cn=administrators")
}

/// Whether an entry is a direct member of `cn=auditors,ou=roles,SUFFIX`.
pub(crate) fn is_auditor(directory: &Directory, id: EntryId) -> bool {
    has_role(directory, id, b"cn=auditors")
}

fn has_role(directory: &Directory, id: EntryId, role: &[u8]) -> bool {
    // Names are only compared for groups at the right depth: most people are in none, and this is asked for every operation.
    directory.groups_of(id).any(|group| {
        let Some(group) = directory.node(group) else { return false };
        let Some(folder) = group.parent.and_then(|id| directory.node(id)) else { return false };
        let below_suffix = folder.parent.and_then(|id| directory.node(id)).is_some_and(|suffix| suffix.parent.is_none());
        below_suffix && is_named(directory, folder, b"ou=roles") && is_named(directory, group, role)
    })
}

/// The direct members of `cn=administrators,ou=roles,SUFFIX`.
pub(crate) fn administrators(directory: &Directory) -> impl Iterator<Item = EntryId> + '_ {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    let group = directory.suffix_entry().and_then(|suffix| ["ou=roles", "cn=administrators"].iter().try_fold(suffix, below));
    group.into_iter().flat_map(|group| directory.members_of(group))
}

fn is_named(directory: &Directory, node: &Node, rdn: &[u8]) -> bool {
    // Spelled as `init` spells it, mostly.
    node.name.as_bytes() == rdn || Rdn::parse(rdn).is_ok_and(|rdn| directory.schema().rdn_key(&rdn) == node.rdn_key)
}
