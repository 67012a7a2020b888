//! Request controls: which are known, where they are allowed, and what they ask for (RFC 4511 section 4.1.11).
//!
//! A control is one row of `TABLE` and one field of [`Controls`]; how its value is read stands in the file of its kind.

mod account_usability;
mod assertion;
mod authorization;
mod dereference;
mod effective_rights;
mod paged;
mod password_policy;
pub(crate) mod persistent;
mod read_entry;
mod session_tracking;
mod sort;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
mod value;
mod values_return;
mod view;

use bytes::Bytes;

use super::Limits;
use crate::model::{Filter, ResultCode};
use crate::protocol::{Control, LdapResult, ResponseKind, oid};
pub(crate) use account_usability::{Usability, account_usability_response};
pub(crate) use authorization::identity_response;
pub use dereference::DereferenceRequest;
pub(crate) use dereference::{Dereferenced, dereference_response};
pub use effective_rights::EffectiveRightsRequest;
pub use paged::PagedRequest;
pub(crate) use paged::paged_response;
pub use password_policy::{PasswordWarning, password_policy_response};
pub use persistent::PersistentRequest;
pub(crate) use read_entry::read_response;
pub use session_tracking::SessionTracking;
pub(crate) use sort::sort_response;
pub use sort::{SortKey, SortRequest};
pub use sync::SyncRequest;
use value::Value;
pub(crate) use view::ViewResult;
pub use view::{ViewRequest, ViewTarget};

/// What the controls of one request ask for.
#[derive(Clone, Debug, Default)]
pub struct Controls {
    /// Assertion (RFC 4528).
    pub assertion: Option<Filter>,
    /// Pre-read (RFC 4527): the attributes asked for.
    pub pre_read: Option<Vec<String>>,
    /// Post-read (RFC 4527): the attributes asked for.
    pub post_read: Option<Vec<String>>,
    /// Simple paged results (RFC 2696).
    pub paged: Option<PagedRequest>,
    /// Server-side sorting (RFC 2891).
    pub sort: Option<SortRequest>,
    /// Virtual list view (draft-ietf-ldapext-ldapv3-vlv-09).
    pub view: Option<ViewRequest>,
    /// Matched values (RFC 3876): the items of which one must be true for a value.
    pub matched_values: Option<Vec<Filter>>,
    /// Dereference (draft-masarati-ldap-deref).
    pub dereference: Option<Vec<DereferenceRequest>>,
    /// Get Effective Rights (Sun).
    pub effective_rights: Option<EffectiveRightsRequest>,
    /// Account usability (Sun).
    pub account_usability: bool,
    /// Subentries (RFC 3672): whether they are visible, and nothing else.
    pub subentries: Option<bool>,
    /// ManageDsaIT (RFC 3296).
    pub manage_dsa_it: bool,
    /// Tree delete.
    pub tree_delete: bool,
    /// Permissive modify.
    pub permissive_modify: bool,
    /// No-op: everything is checked, nothing is changed.
    pub no_op: bool,
    /// Relax rules.
    pub relax_rules: bool,
    /// Session tracking.
    pub session_tracking: Vec<SessionTracking>,
    /// Proxied authorization (RFC 4370): the identity as it came.
    pub proxied_authorization: Option<Bytes>,
    /// Transaction specification (RFC 5805): the identifier.
    pub transaction: Option<Bytes>,
    /// Authorization identity (RFC 3829): the client wants to be told who it is.
    pub authorization_identity: bool,
    /// Password policy: the client wants to be told how its password stands.
    pub password_policy: bool,
    /// Content synchronization (RFC 4533).
    pub sync: Option<SyncRequest>,
    /// Persistent search.
    pub persistent: Option<PersistentRequest>,
}

/// A control this server knows.
struct KnownControl {
    oid: &'static str,
    /// As slapd's texts call it.
    name: &'static str,
    /// The operations it belongs to.
    operations: &'static [ResponseKind],
    /// Reads its value. Called at most once a request, and only for these operations.
    read: fn(Value<'_>, &mut Controls) -> Result<(), LdapResult>,
}

use ResponseKind::{Add, Bind, Compare, Delete, Extended, Modify, ModifyDn, SearchDone};

/// What has an entry as its target.
const ON_ENTRIES: &[ResponseKind] = &[Add, Compare, Delete, Modify, ModifyDn, SearchDone];

/// What changes an entry.
const CHANGES: &[ResponseKind] = &[Add, Delete, Modify, ModifyDn];

/// What is answered.
const EVERYWHERE: &[ResponseKind] = &[Add, Bind, Compare, Delete, Extended, Modify, ModifyDn, SearchDone];

/// All of them; the root DSE's supportedControl is read off here.
static TABLE: &[KnownControl] = &[
    KnownControl { oid: oid::ASSERTION, name: "assert", operations: ON_ENTRIES, read: assertion::read },
    KnownControl {
        oid: oid::PRE_READ,
        name: "preread",
        operations: &[Delete, Modify, ModifyDn],
        read: |value, controls| value.attribute_selection().map(|names| controls.pre_read = Some(names)),
    },
    KnownControl {
        oid: oid::POST_READ,
        name: "postread",
        operations: &[Add, Modify, ModifyDn],
        read: |value, controls| value.attribute_selection().map(|names| controls.post_read = Some(names)),
    },
    KnownControl { oid: oid::PAGED_RESULTS, name: "paged results", operations: &[SearchDone], read: paged::read },
    KnownControl { oid: oid::SORT, name: "serverSort", operations: &[SearchDone], read: sort::read },
    KnownControl { oid: oid::MATCHED_VALUES, name: "valuesReturnFilter", operations: &[SearchDone], read: values_return::read },
    KnownControl { oid: oid::DEREFERENCE, name: "Dereference", operations: &[SearchDone], read: dereference::read },
    KnownControl {
        oid: oid::EFFECTIVE_RIGHTS,
        name: "get effective rights",
        operations: &[SearchDone],
        read: effective_rights::read,
    },
    KnownControl {
        oid: oid::ACCOUNT_USABILITY,
        name: "account usability",
        operations: &[SearchDone],
        read: |value, controls| value.absent().map(|()| controls.account_usability = true),
    },
    KnownControl {
        oid: oid::SUBENTRIES,
        name: "subentries",
        operations: &[SearchDone],
        read: |value, controls| value.boolean().map(|visible| controls.subentries = Some(visible)),
    },
    // There are no copies here: every server of this program answers from its own, newest content.
    KnownControl {
        oid: oid::DO_NOT_USE_COPY,
        name: "dontUseCopy",
        operations: &[Compare, SearchDone],
        read: |value, _| value.absent(),
    },
    KnownControl { oid: oid::VIEW, name: "VLV", operations: &[SearchDone], read: view::read },
    KnownControl {
        oid: oid::MANAGE_DSA_IT,
        name: "manageDSAit",
        operations: ON_ENTRIES,
        read: |value, controls| value.absent().map(|()| controls.manage_dsa_it = true),
    },
    KnownControl {
        oid: oid::TREE_DELETE,
        name: "treeDelete",
        operations: &[Delete],
        read: |value, controls| value.absent().map(|()| controls.tree_delete = true),
    },
    KnownControl {
        oid: oid::PERMISSIVE_MODIFY,
        name: "permissiveModify",
        operations: &[Modify],
        read: |value, controls| value.absent().map(|()| controls.permissive_modify = true),
    },
    KnownControl {
        oid: oid::NO_OP,
        name: "noop",
        operations: CHANGES,
        read: |value, controls| value.absent().map(|()| controls.no_op = true),
    },
    KnownControl {
        oid: oid::RELAX_RULES,
        name: "relax",
        operations: &[Add, Modify],
        read: |value, controls| value.absent().map(|()| controls.relax_rules = true),
    },
    KnownControl { oid: oid::SESSION_TRACKING, name: "sessionTracking", operations: EVERYWHERE, read: session_tracking::read },
    KnownControl {
        oid: oid::PROXIED_AUTHORIZATION,
        name: "proxied authorization",
        operations: &[Add, Compare, Delete, Extended, Modify, ModifyDn, SearchDone],
        read: authorization::proxied,
    },
    KnownControl {
        oid: oid::TRANSACTION_SPECIFICATION,
        name: "transaction specification",
        operations: &[Add, Delete, Extended, Modify, ModifyDn],
        read: authorization::transaction,
    },
    KnownControl {
        oid: oid::AUTHORIZATION_IDENTITY_REQUEST,
        name: "authorization identity",
        operations: &[Bind],
        read: |value, controls| value.absent().map(|()| controls.authorization_identity = true),
    },
    KnownControl {
        oid: oid::PASSWORD_POLICY,
        name: "passwordPolicy",
        operations: &[Add, Bind, Compare, Extended, Modify],
        read: |value, controls| value.absent().map(|()| controls.password_policy = true),
    },
    KnownControl { oid: oid::SYNC_REQUEST, name: "Sync", operations: &[SearchDone], read: sync::read },
    KnownControl { oid: oid::PERSISTENT_SEARCH, name: "persistent search", operations: &[SearchDone], read: persistent::read },
];

/// The controls for the root DSE's supportedControl.
pub(crate) fn supported() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|known| known.oid).chain([oid::AUTHORIZATION_IDENTITY_RESPONSE, oid::ENTRY_CHANGE_NOTICE])
}

/// Reads the controls of a request that `kind` answers. Refused: 12 for a critical control that is unknown or has no place here, 2 for
/// one that is there twice or whose value cannot be read, 11 for too many.
pub fn decode(kind: ResponseKind, controls: &[Control], limits: &Limits) -> Result<Controls, LdapResult> {
    if controls.len() > limits.controls {
        return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many controls"));
    }
    let mut decoded = Controls::default();
    let mut seen = Vec::new();
    for control in controls {
        let Some(known) = TABLE.iter().find(|known| known.oid == control.oid) else {
            if control.critical {
                let text = "critical extension is not recognized";
                return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, text));
            }
            continue;
        };
        let value = Value::new(known.name, control);
        if seen.contains(&known.oid) && known.oid != oid::SESSION_TRACKING {
            return Err(value.error("control specified multiple times"));
        }
        seen.push(known.oid);
        if known.operations.contains(&kind) {
            (known.read)(value, &mut decoded)?;
        } else if control.critical {
            let text = "critical control unavailable in context";
            return Err(LdapResult::with(ResultCode::UnavailableCriticalExtension, text));
        }
    }
    Ok(decoded)
}
