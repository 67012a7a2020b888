//! What exports of other directory servers hold that LDIF of ours would not: names that mean something else here, or nothing.

use clap::ValueEnum;

/// Whose export a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Vendor {
    /// slapcat of OpenLDAP
    Openldap,
    /// db2ldif of 389 Directory Server and its kin
    #[value(name = "389ds")]
    Ds389,
    /// export-ldif of OpenDJ and its kin
    Opendj,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Treatment {
    /// It is taken as it is.
    Take,
    /// This server works it out itself.
    WorkedOut,
    /// It belongs to the other server's workings (replication, caches) and means nothing here.
    Internal,
    /// It says who may do what, in the other server's language.
    AccessRules,
    /// 389 Directory Server's nsUniqueId becomes entryUUID where there is none.
    UniqueId,
    /// `true` means that the account is locked: it becomes pwdAccountLockedTime.
    Lock,
    /// The time of the last login: it becomes lastLoginTime.
    LastLogin,
}

use Treatment::{AccessRules, Internal, LastLogin, Lock, UniqueId, WorkedOut};

/// By attribute type in lower case. Whatever is not here and has a definition is taken.
const EVERYWHERE: &[(&str, Treatment)] = &[
    ("entrydn", WorkedOut),
    ("hassubordinates", WorkedOut),
    ("memberof", WorkedOut),
    ("numsubordinates", WorkedOut),
    ("structuralobjectclass", WorkedOut),
    ("subschemasubentry", WorkedOut),
];

const OPENLDAP: &[(&str, Treatment)] = &[("authtimestamp", LastLogin), ("contextcsn", WorkedOut), ("entryttl", WorkedOut)];

const DS389: &[(&str, Treatment)] = &[
    ("aci", AccessRules),
    ("dsentrydn", Internal),
    ("entryid", Internal),
    ("lastlogintime", LastLogin),
    ("nsaccountlock", Lock),
    ("nscpentrydn", Internal),
    ("nsds50ruv", Internal),
    ("nsuniqueid", UniqueId),
    ("parentid", Internal),
    ("tombstonenumsubordinates", Internal),
];

const OPENDJ: &[(&str, Treatment)] = &[
    ("aci", AccessRules),
    ("ds-pwp-account-disabled", Lock),
    ("ds-pwp-last-login-time", LastLogin),
    ("ds-sync-conflict", Internal),
    ("ds-sync-generation-id", Internal),
    ("ds-sync-hist", Internal),
    ("ds-sync-state", Internal),
    ("etag", Internal),
];

impl Vendor {
    /// What becomes of attributes of this type, named in lower case.
    pub(super) fn treatment(self, attribute: &str) -> Treatment {
        let own = match self {
            Vendor::Openldap => OPENLDAP,
            Vendor::Ds389 => DS389,
            Vendor::Opendj => OPENDJ,
        };
        let found = EVERYWHERE.iter().chain(own).find(|(name, _)| *name == attribute);
        found.map_or(Treatment::Take, |(_, treatment)| *treatment)
    }

    /// Whether a record with this class is left out whole: what is left of a deleted entry.
    pub(super) fn is_remains(self, object_class: &[u8]) -> bool {
        self == Vendor::Ds389 && object_class.eq_ignore_ascii_case(b"nsTombstone")
    }

    /// Whether an option belongs to 389 Directory Server's replication (`;vucsn-5f…`, `;deleted`).
    pub(super) fn is_internal_option(self, option: &str) -> bool {
        let option = option.to_ascii_lowercase();
        let states = ["adcsn-", "mdcsn-", "vdcsn-", "vucsn-", "deleted", "deletedattribute"];
        self == Vendor::Ds389 && states.iter().any(|state| option.starts_with(state))
    }

    /// Whether values with this option were deleted there.
    pub(super) fn is_deleted_value(self, option: &str) -> bool {
        self == Vendor::Ds389 && ["deleted", "deletedattribute"].iter().any(|deleted| option.eq_ignore_ascii_case(deleted))
    }
}
