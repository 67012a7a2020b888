//! Persistent search and entry change notices (draft-ietf-ldapext-psearch-03).

use super::{Controls, Value};
use crate::protocol::{Control, LdapResult, ber, oid};

/// The value of a persistent search control.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PersistentRequest {
    /// A sum of `ChangeType`s.
    pub change_types: u8,
    /// What is there already is not sent.
    pub changes_only: bool,
    /// Entries come with entry change notices.
    pub return_notices: bool,
}

/// What happened to an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChangeType {
    Add = 1,
    Delete = 2,
    Modify = 4,
    ModifyDn = 8,
}

/// All of them.
const EVERY_TYPE: i64 = 15;

/// `SEQUENCE { changeTypes INTEGER, changesOnly BOOLEAN, returnECs BOOLEAN }`
pub(super) fn read(value: Value<'_>, controls: &mut Controls) -> Result<(), LdapResult> {
    let (change_types, changes_only, return_notices) =
        value.sequence(|parts| Ok((parts.integer()?, parts.boolean()?, parts.boolean()?)))?;
    let change_types = u8::try_from(change_types).ok().filter(|&types| types > 0 && i64::from(types) <= EVERY_TYPE);
    let change_types = change_types.ok_or_else(|| value.error("control changeTypes invalid"))?;
    controls.persistent = Some(PersistentRequest { change_types, changes_only, return_notices });
    Ok(())
}

/// The entry change notice of an entry. `number`: the how manieth change it was; left out beyond what clients read.
pub(crate) fn notice(change_type: ChangeType, previous_name: Option<&str>, number: u64) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|parts| {
            parts.enumerated(change_type as i64);
            if let Some(name) = previous_name {
                parts.octet_string(name.as_bytes());
            }
            if let Ok(number) = i32::try_from(number) {
                parts.integer(i64::from(number));
            }
        });
    });
    Control { oid: oid::ENTRY_CHANGE_NOTICE.to_owned(), critical: false, value: Some(value) }
}
