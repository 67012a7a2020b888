//! Who may do what, until access rules are entries: administrators do everything; a person reads the directory without secrets
//! and changes the own password; anonymous sees the root DSE and the subschema.

use crate::model::EntryId;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The entry bound as; none for anonymous.
    pub identity: Option<EntryId>,
    /// Member of `cn=administrators,ou=roles,SUFFIX` at this instant.
    pub administrator: bool,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// Seeing that an entry of the suffix exists, filtering on and reading its attributes (secrets excepted, always).
    Read,
    /// Comparing, password attributes included.
    Compare,
    /// Add, modify, delete, rename.
    Write,
    /// Changing a password by Password Modify, or by a modify that touches nothing but the password attribute.
    ChangePassword,
}

/// Whether the subject has the right on an entry.
pub fn allows(subject: Subject, right: Right, target: EntryId) -> bool {
    match right {
        _ if subject.administrator => true,
        Right::Read => subject.identity.is_some(),
        Right::Compare => subject.identity.is_some(),
        Right::Write => false,
        Right::ChangePassword => subject.identity == Some(target),
    }
}
