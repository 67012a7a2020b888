//! Accounts as binds and password changes find them: by DN, by `u:` name, by an attribute of a certificate; their stored passwords, and what
//! kind they are.

use std::sync::Arc;

use super::context::is_administrator;
use super::refusal::{Refusal, parse_name};
use super::{AccountKind, Context, prepare};
use crate::directory::{Directory, Lookup, PreparedFilter, SearchCursor, Step};
use crate::model::{AttributeTypeId, EntryId, Filter, Scope, Secret, Value};

/// Candidates looked at for an account's name before giving up. Only an attribute without an equality index comes near.
const LOOKUP_BUDGET: u32 = 1_000_000;

/// The attribute that `u:` names are looked for in (RFC 4519 section 2.39).
const USER_NAME: &str = "uid";

/// The entry with this name, if there is one; refused with 34 for what is no name.
pub(crate) fn by_dn(directory: &Directory, name: &[u8]) -> Result<Option<EntryId>, Refusal> {
    let dn = parse_name(directory.schema(), name, "invalid DN")?;
    Ok(match directory.find(&dn) {
        Lookup::Found(id) if !dn.is_empty() => Some(id),
        _ => None,
    })
}

/// The one entry in which the attribute has this value; none where there are several.
pub(crate) fn by_attribute(directory: &Directory, attribute: &str, value: &[u8]) -> Option<EntryId> {
    let Lookup::Found(suffix) = directory.find(directory.suffix()) else { return None };
    let filter = Filter::Equality(attribute.to_owned(), Value::copy_from_slice(value));
    let prepared = PreparedFilter::new(directory, &filter);
    let mut cursor = SearchCursor::new(Arc::new(directory.clone()), suffix, Scope::Subtree, prepared, None);
    let mut budget = LOOKUP_BUDGET;
    let first = next(&mut cursor, &mut budget)?;
    next(&mut cursor, &mut budget).is_none().then_some(first).filter(|_| budget > 0)
}

fn next(cursor: &mut SearchCursor, budget: &mut u32) -> Option<EntryId> {
    match cursor.next(budget, &|_, _| true) {
        Step::Match(node) => Some(node.id),
        Step::Pause | Step::End => None,
    }
}

/// The entry that an administrator means: by its whole name or by its user name.
pub(crate) fn by_name(directory: &Directory, name: &str) -> Option<EntryId> {
    match name.contains('=') {
        true => by_dn(directory, name.as_bytes()).ok().flatten(),
        false => by_user_name(directory, name.as_bytes()),
    }
}

/// The entry with this user name.
pub(crate) fn by_user_name(directory: &Directory, name: &[u8]) -> Option<EntryId> {
    by_attribute(directory, USER_NAME, name)
}

/// The entry an authorization identity stands for (RFC 4513 section 5.2.1.8): `dn:` and a name, or `u:` and a user name.
pub(crate) fn by_authorization_identity(directory: &Directory, identity: &[u8]) -> Option<EntryId> {
    match identity.strip_prefix(b"dn:") {
        Some(name) => by_dn(directory, name).ok().flatten(),
        None => by_user_name(directory, identity.strip_prefix(b"u:")?),
    }
}

/// The type that passwords are kept in.
pub(crate) fn password_attribute(directory: &Directory) -> Option<AttributeTypeId> {
    directory.schema().attribute_type("userPassword").map(|attribute_type| attribute_type.id)
}

/// The stored passwords of an entry; none for no entry.
pub(crate) fn stored_passwords(directory: &Directory, id: Option<EntryId>) -> Vec<Secret> {
    id.map(|id| prepare::stored_passwords(directory, id)).unwrap_or_default()
}

/// entryCSN of an entry: moved by every modification, not by logins nor by a rehash of its password.
pub(crate) fn version(directory: &Directory, id: Option<EntryId>) -> Option<Value> {
    let node = directory.node(id?)?;
    let attribute_type = directory.schema().attribute_type("entryCSN")?;
    node.entry.first(attribute_type.id).map(Value::copy_from_slice)
}

/// A bind name that is no entry here, as the journal keeps it: keyed hash in hex, and length in octets. People type passwords there.
pub(crate) fn unknown_name(context: &Context, name: &[u8]) -> (String, usize) {
    let key = blake3::derive_key("bindery 2026 journal unknown bind name", context.settings.hash_key.expose());
    (blake3::keyed_hash(&key, name).to_hex().to_string(), name.len())
}

/// What kind of account a session is of, where limits differ by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountClass {
    /// A person, or nobody.
    Person,
    /// A member of `cn=administrators,ou=roles,SUFFIX`.
    Administrator,
    /// An account whose accountKind is `service`.
    Service,
    /// One whose accountKind is `breakglass`, administrator or not.
    BreakGlass,
}

impl AccountClass {
    /// Judged on this value of the directory.
    pub fn of(directory: &Directory, account: Option<EntryId>) -> AccountClass {
        let node = account.and_then(|id| directory.node(id));
        match node.map(|node| (AccountKind::of(directory, node), node.id)) {
            Some((AccountKind::BreakGlass, _)) => AccountClass::BreakGlass,
            Some((_, id)) if is_administrator(directory, id) => AccountClass::Administrator,
            Some((AccountKind::Service, _)) => AccountClass::Service,
            Some((AccountKind::Person, _)) | None => AccountClass::Person,
        }
    }
}
