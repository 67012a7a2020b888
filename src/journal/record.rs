//! One journal record: what the operation says of itself and what the committer adds to it. The line it becomes is in `line`.

use aws_lc_rs::digest;

use crate::model::{ModificationOperation, ResultCode, Timestamp};

/// The SHA-256 leaf of a record's line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Leaf(pub [u8; 32]);

/// What a record is about. The names are those in the line's `type`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RecordKind {
    Bind,
    Add,
    Modify,
    Delete,
    ModifyDn,
    PasswordModify,
    StartTls,
    Start,
    Stop,
    Configuration,
    Initialise,
    Import,
    Export,
    /// A snapshot was written, or could not be.
    Snapshot,
    /// A backup was asked for.
    Backup,
    /// The rotation of the seal key: begun, gone on with, done.
    KeyRotation,
    /// A key that signs checkpoints was made.
    JournalKey,
    /// The content became that of an earlier moment.
    Restore,
    /// A dynamic entry was given more time.
    Refresh,
    /// A dynamic entry's time was over.
    Expire,
    /// Time made something else of a grant: it began, ended, or could not begin.
    Grant,
    /// Time made something of a review campaign or of what it reviews: a reminder, the due date, its close.
    Review,
    /// A session that somebody was logged in on is over.
    SessionEnd,
    /// Somebody read the journal.
    JournalRead,
    /// A search, or a part of one, that returned or tested audited attributes.
    Search,
    /// A compare that tested an audited attribute.
    Compare,
    /// Something that somebody should look at.
    Alert,
    /// The clock jumped, or was believed.
    Clock,
    /// An emergency account is used.
    BreakGlass,
    /// A password of an application was made or taken away.
    AppPassword,
    /// A person enrols one-time codes.
    OtpEnrolment,
    /// A password came over a connection that can be listened to, and was right.
    CredentialExposed,
    /// Entries of an older program were put into this one's form.
    Upgrade,
    /// The journal goes on in the emergency folder, or in its place again.
    Emergency,
    /// Opens a segment after a failed append: voids the sequences nobody was told about.
    Void,
}

/// An entry by number that survives renames and by name at the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// entryUUID, as text; none for names that are no entry here.
    pub uuid: Option<String>,
    /// The DN as spelled at the time.
    pub dn: String,
}

/// What an operation says of itself; the committer adds sequence, chain, times and identity of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What it is about.
    pub kind: RecordKind,
    /// Session number, unique per process incarnation.
    pub session: Option<u64>,
    /// messageID.
    pub message: Option<i32>,
    /// Peer address, `127.0.0.1:50123` or `ldapi uid=0`.
    pub peer: Option<String>,
    /// TLS, when there is any.
    pub tls: Option<TlsStamp>,
    /// Who did it; none: anonymous.
    pub actor: Option<Named>,
    /// Whom the actor did it as, where that is somebody else (RFC 4370); an empty name is nobody's.
    pub assumed: Option<Named>,
    /// What it was done to.
    pub target: Option<Named>,
    /// An unknown bind name: keyed hash (hex) and length in octets, because people type passwords there.
    pub unknown_name: Option<(String, usize)>,
    /// `SIMPLE`, `SASL(EXTERNAL)`, …
    pub method: Option<String>,
    /// Factors proven: `password`, `otp`, `certificate`, `ldapi`.
    pub factors: Vec<&'static str>,
    /// Rule or policy version that decided, if one did.
    pub rule: Option<String>,
    /// Result code sent.
    pub result: ResultCode,
    /// Why, for the operator and the auditor, from a fixed list; never sent to the client.
    pub reason: Option<&'static str>,
    /// What changed or would have changed.
    pub changes: Vec<RecordedChange>,
    /// What changed in other entries in consequence.
    pub effects: Vec<RecordedEffect>,
    /// Further facts, name and text (new RDN, counts, digests, …).
    pub details: Vec<(&'static str, String)>,
}

impl Record {
    /// A record of this kind that says success and nothing else yet.
    pub fn new(kind: RecordKind) -> Record {
        Record {
            kind,
            session: None,
            message: None,
            peer: None,
            tls: None,
            actor: None,
            assumed: None,
            target: None,
            unknown_name: None,
            method: None,
            factors: Vec::new(),
            rule: None,
            result: ResultCode::Success,
            reason: None,
            changes: Vec::new(),
            effects: Vec::new(),
            details: Vec::new(),
        }
    }
}

/// TLS facts of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsStamp {
    /// `TLSv1.3`
    pub version: String,
    /// Cipher suite.
    pub suite: String,
    /// SHA-256 of the client certificate, hex.
    pub certificate: Option<String>,
}

/// One attribute's change in a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedChange {
    /// As spelled by the client, canonical where known.
    pub attribute: String,
    /// What was done.
    pub operation: ModificationOperation,
    /// The values, or that they are not shown.
    pub values: RecordedValue,
}

/// What an operation changed in an entry that is not its target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedEffect {
    /// The other entry, named as before the change.
    pub entry: Named,
    /// What changed there.
    pub change: RecordedChange,
}

/// Values of a recorded change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordedValue {
    /// As they are (octets that are no UTF-8 become base64 in the line).
    Shown(Vec<bytes::Bytes>),
    /// The schema flags the attribute secret, or it is unknown: how many there were.
    Redacted(usize),
}

/// What the committer adds to a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordStamp<'a> {
    /// Sequence number, from 1, without gaps.
    pub sequence: u64,
    /// Leaf of the record before.
    pub previous: Leaf,
    /// Policy time.
    pub time: Timestamp,
    /// Monotonic microseconds of this process.
    pub monotonic: u64,
    /// Identifies the process incarnation (hex).
    pub boot: &'a str,
    /// Identifies the installation.
    pub node: &'a str,
    /// Salted commitment to the frame's encoded changes (SHA-256); none where nothing changed.
    pub commitment: Option<[u8; 32]>,
}

impl Leaf {
    /// SHA-256(0x00 ‖ line), as RFC 9162 section 2.1.1.
    pub fn of_line(line: &str) -> Leaf {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[0]);
        context.update(line.as_bytes());
        Leaf(sha256(context))
    }

    /// Lower-case hexadecimal, as in a line's `prev`.
    pub fn to_hex(self) -> String {
        super::line::to_hex(&self.0)
    }

    /// Of that.
    pub fn from_hex(text: &str) -> Option<Leaf> {
        super::line::hex_to_32(text).map(Leaf)
    }
}

/// Finishes a SHA-256.
pub(super) fn sha256(context: digest::Context) -> [u8; 32] {
    let mut octets = [0; 32];
    for (octet, result) in octets.iter_mut().zip(context.finish().as_ref()) {
        *octet = *result;
    }
    octets
}
