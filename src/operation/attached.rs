//! What the controls of a request attach to it, whatever it does: as whom it is done (RFC 4370), and which session of the client's own
//! clients it serves (draft-wahl-ldap-session).

use super::access::Access;
use super::control::{self, SessionTracking};
use super::{Context, account};
use crate::directory::Directory;
use crate::model::{EntryId, ResultCode};
use crate::policy::access::Right;
use crate::protocol::{Control, LdapResult, ResponseKind};

/// What is attached to one request.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// Sessions of the client's clients, for the journal.
    pub tracking: Vec<SessionTracking>,
    /// As whom it is done, where that is not the session's own identity.
    pub assumed: Option<Assumed>,
    /// A bind is to be told the identity that it came to (RFC 3829).
    pub tells_identity: bool,
    /// The client wants to be told how a password stands.
    pub password_policy: bool,
    /// It is part of the transaction with this number, which is ended with it (RFC 5805).
    pub transaction: Option<u64>,
}

/// An identity assumed for one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assumed {
    /// Nobody's.
    Anonymous,
    /// That of an entry.
    Entry(EntryId),
    /// One that is not there, or that the session may not ask for.
    Denied,
}

impl Attached {
    /// Reads the controls of a request that `kind` answers. What cannot be read attaches nothing: the operation itself refuses it.
    pub fn read(directory: &Directory, context: &Context, kind: ResponseKind, controls: &[Control]) -> Attached {
        if controls.is_empty() {
            return Attached::default();
        }
        let Ok(decoded) = control::decode(kind, controls, &context.settings.limits) else { return Attached::default() };
        let assumed = decoded.proxied_authorization.map(|identity| assume(directory, context, &identity));
        Attached {
            tracking: decoded.session_tracking,
            assumed,
            tells_identity: decoded.authorization_identity,
            password_policy: decoded.password_policy,
            transaction: None,
        }
    }
}

/// Names are looked up for those alone who may assume them: nobody else learns which there are.
fn assume(directory: &Directory, context: &Context, identity: &[u8]) -> Assumed {
    let access = Access::own(directory, context);
    if !access.may_allow(Right::Proxy) {
        return Assumed::Denied;
    }
    match identity {
        b"" | b"dn:" => Assumed::Anonymous,
        identity => {
            let found = account::by_authorization_identity(directory, identity);
            found.filter(|&id| may_assume(directory, &access, id)).map_or(Assumed::Denied, Assumed::Entry)
        }
    }
}

fn may_assume(directory: &Directory, access: &Access, id: EntryId) -> bool {
    directory.node(id).is_some_and(|node| access.allows(directory, Right::Proxy, node, None))
}

impl Context {
    /// 123 where an identity is assumed that may not be, on this very directory value.
    pub(crate) fn check_assumed(&self, directory: &Directory) -> Result<(), LdapResult> {
        let permitted = match self.attached.assumed {
            None => true,
            Some(Assumed::Denied) => false,
            Some(Assumed::Anonymous) => Access::own(directory, self).may_allow(Right::Proxy),
            Some(Assumed::Entry(id)) => may_assume(directory, &Access::own(directory, self), id),
        };
        if permitted { Ok(()) } else { Err(not_authorized()) }
    }

    /// The entry as which the request is done, assumed or the session's own; none: anonymous, or gone.
    pub(crate) fn acting(&self, directory: &Directory) -> Option<EntryId> {
        self.acting_number().filter(|&id| directory.node(id).is_some())
    }

    /// The same, whether or not the entry is still there.
    pub(crate) fn acting_number(&self) -> Option<EntryId> {
        match self.attached.assumed {
            None => self.identity.entry,
            Some(Assumed::Entry(id)) => Some(id),
            Some(Assumed::Anonymous | Assumed::Denied) => None,
        }
    }
}

fn not_authorized() -> LdapResult {
    LdapResult::with(ResultCode::AuthorizationDenied, "not authorized to assume identity")
}
