//! LDAP messages as our own types (RFC 4511 section 4), free of any encoding. Names and values are octets as they came:
//! what they mean is the operation's business, and refused there with its own code.

pub mod ber;
pub mod filter;
pub mod oid;

use bytes::Bytes;

use crate::model::{Attribute, DerefAliases, Filter, Modification, ResultCode, Scope, Secret};

/// A messageID: 1 to 2^31 − 1; 0 is the server's own (notices).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub i32);

/// A request as it came off the wire.
#[derive(Debug)]
pub struct Message {
    /// Unique among the connection's outstanding requests.
    pub id: MessageId,
    /// The operation.
    pub request: Request,
    /// In the order sent.
    pub controls: Vec<Control>,
}

/// A control (RFC 4511 section 4.1.11).
#[derive(Clone, PartialEq, Eq)]
pub struct Control {
    /// controlType
    pub oid: String,
    /// criticality
    pub critical: bool,
    /// controlValue
    pub value: Option<Bytes>,
}

impl std::fmt::Debug for Control {
    // Control values never reach a log: they can hold assertions on secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Control({}, critical: {})", self.oid, self.critical)
    }
}

/// The operations a client may ask for.
#[derive(Debug)]
pub enum Request {
    /// Section 4.2
    Bind(BindRequest),
    /// Section 4.3
    Unbind,
    /// Section 4.5
    Search(SearchRequest),
    /// Section 4.6
    Modify {
        /// object
        name: Bytes,
        /// changes, in order
        changes: Vec<Modification>,
    },
    /// Section 4.7
    Add {
        /// entry
        name: Bytes,
        /// attributes, in order
        attributes: Vec<Attribute>,
    },
    /// Section 4.8
    Delete {
        /// The entry's name.
        name: Bytes,
    },
    /// Section 4.9
    ModifyDn {
        /// entry
        name: Bytes,
        /// newrdn
        new_rdn: Bytes,
        /// deleteoldrdn
        delete_old_rdn: bool,
        /// newSuperior
        new_superior: Option<Bytes>,
    },
    /// Section 4.10
    Compare {
        /// entry
        name: Bytes,
        /// attributeDesc
        attribute: String,
        /// assertionValue: kept as a secret, it may be a password
        value: Secret,
    },
    /// Section 4.11
    Abandon(MessageId),
    /// Section 4.12
    Extended {
        /// requestName
        oid: String,
        /// requestValue: kept as a secret, it may hold passwords
        value: Option<Secret>,
    },
    /// A request whose envelope and kind could be read and whose inside could not (or whose value is out of range):
    /// it is answered with this code and text, the connection goes on.
    Malformed {
        /// Which response the client waits for.
        kind: ResponseKind,
        /// Mostly `ProtocolError`.
        code: ResultCode,
        /// From the list in BEHAVIOUR.md.
        diagnostic: &'static str,
    },
}

/// A bind request (RFC 4511 section 4.2).
#[derive(Debug)]
pub struct BindRequest {
    /// 1 to 127
    pub version: u8,
    /// name
    pub name: Bytes,
    /// authentication
    pub authentication: Authentication,
}

/// How a client wants to prove who it is.
#[derive(Debug)]
pub enum Authentication {
    /// `[0]` simple
    Simple(Secret),
    /// `[3]` sasl
    Sasl {
        /// mechanism, as spelled
        mechanism: String,
        /// credentials: absent and empty differ
        credentials: Option<Secret>,
    },
    /// A choice LDAP does not define.
    Unknown,
}

/// A search request (RFC 4511 section 4.5.1).
#[derive(Clone)]
pub struct SearchRequest {
    /// baseObject
    pub base: Bytes,
    /// scope
    pub scope: Scope,
    /// derefAliases
    pub deref: DerefAliases,
    /// sizeLimit in entries; 0: none asked for
    pub size_limit: u32,
    /// timeLimit in seconds; 0: none asked for
    pub time_limit: u32,
    /// typesOnly
    pub types_only: bool,
    /// filter
    pub filter: Filter,
    /// attributes
    pub attributes: Vec<String>,
}

impl std::fmt::Debug for SearchRequest {
    // A filter may assert a password: its values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SearchRequest({:?}, {} attributes)", self.scope, self.attributes.len())
    }
}

/// Which kind of response ends an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum ResponseKind {
    Bind,
    SearchDone,
    Modify,
    Add,
    Delete,
    ModifyDn,
    Compare,
    Extended,
}

/// What ends an operation (RFC 4511 section 4.1.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LdapResult {
    /// resultCode
    pub code: ResultCode,
    /// matchedDN, spelled; empty where there is none
    pub matched: String,
    /// diagnosticMessage: never anything but a text from BEHAVIOUR.md or of that kind
    pub diagnostic: String,
    /// referral URIs; empty where there are none
    pub referral: Vec<String>,
}

impl LdapResult {
    /// Success, or another code without more to say.
    pub fn of(code: ResultCode) -> LdapResult {
        LdapResult { code, matched: String::new(), diagnostic: String::new(), referral: Vec::new() }
    }

    /// A code and its text.
    pub fn with(code: ResultCode, diagnostic: impl Into<String>) -> LdapResult {
        LdapResult { code, matched: String::new(), diagnostic: diagnostic.into(), referral: Vec::new() }
    }
}

/// What the server sends.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A searchResultEntry: the name, and its PartialAttribute list already encoded in pieces that follow each other.
    Entry {
        /// objectName, spelled
        name: String,
        /// BER of PartialAttributes, concatenated
        attributes: Bytes,
        /// Entry controls.
        controls: Vec<Control>,
    },
    /// A searchResultReference.
    Reference {
        /// At least one URI.
        uris: Vec<String>,
        /// Controls.
        controls: Vec<Control>,
    },
    /// An intermediate response (RFC 4511 section 4.13).
    Intermediate {
        /// responseName
        oid: Option<String>,
        /// responseValue
        value: Option<Bytes>,
    },
    /// The response that ends an operation, with what only some kinds carry.
    Result {
        /// Which response.
        kind: ResponseKind,
        /// Code and texts.
        result: LdapResult,
        /// serverSaslCreds of a bind response.
        sasl_credentials: Option<Bytes>,
        /// responseName of an extended response.
        extended_name: Option<String>,
        /// responseValue of an extended response.
        extended_value: Option<Bytes>,
        /// Response controls.
        controls: Vec<Control>,
    },
}

impl Reply {
    /// A plain response.
    pub fn result(kind: ResponseKind, result: LdapResult) -> Reply {
        Reply::Result { kind, result, sasl_credentials: None, extended_name: None, extended_value: None, controls: Vec::new() }
    }

    /// A Notice of Disconnection (RFC 4511 section 4.4.1); it goes out with message ID 0.
    pub fn notice_of_disconnection(code: ResultCode, diagnostic: &str) -> Reply {
        Reply::Result {
            kind: ResponseKind::Extended,
            result: LdapResult::with(code, diagnostic),
            sasl_credentials: None,
            extended_name: Some(oid::NOTICE_OF_DISCONNECTION.to_owned()),
            extended_value: None,
            controls: Vec::new(),
        }
    }
}

impl Request {
    /// Which response ends it; none for unbind and abandon.
    pub fn response_kind(&self) -> Option<ResponseKind> {
        match self {
            Request::Bind(_) => Some(ResponseKind::Bind),
            Request::Unbind | Request::Abandon(_) => None,
            Request::Search(_) => Some(ResponseKind::SearchDone),
            Request::Modify { .. } => Some(ResponseKind::Modify),
            Request::Add { .. } => Some(ResponseKind::Add),
            Request::Delete { .. } => Some(ResponseKind::Delete),
            Request::ModifyDn { .. } => Some(ResponseKind::ModifyDn),
            Request::Compare { .. } => Some(ResponseKind::Compare),
            Request::Extended { .. } => Some(ResponseKind::Extended),
            Request::Malformed { kind, .. } => Some(*kind),
        }
    }
}
