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
    /// Comparing values of attributes that may be read.
    Compare,
    /// Comparing a password: only the own, or compare would be a way to guess that no lockout sees.
    ComparePassword,
    /// Add, modify, delete, rename.
    Write,
    /// Changing a password by Password Modify, or by a modify that touches nothing but the password attribute.
    ChangePassword,
}

/// Whether the subject has the right on an entry.
pub fn allows(subject: Subject, right: Right, target: EntryId) -> bool {
    match right {
        _ if subject.administrator => true,
        Right::Read | Right::Compare => subject.identity.is_some(),
        Right::Write => false,
        Right::ComparePassword | Right::ChangePassword => subject.identity == Some(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: [Right; 5] = [Right::Read, Right::Compare, Right::ComparePassword, Right::Write, Right::ChangePassword];

    #[test]
    fn each_kind_of_subject_has_its_rights_and_no_more() {
        let (own, other) = (EntryId(7), EntryId(8));
        let rights = |subject: Subject, target| RIGHTS.map(|right| allows(subject, right, target));
        let person = Subject { identity: Some(own), administrator: false };
        assert_eq!(rights(person, own), [true, true, true, false, true]);
        assert_eq!(rights(person, other), [true, true, false, false, false]);
        assert_eq!(rights(Subject { identity: None, administrator: false }, own), [false; 5]);
        assert_eq!(rights(Subject { identity: Some(own), administrator: true }, other), [true; 5]);
    }
}
