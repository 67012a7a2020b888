//! A small directory over the real schema, filled by changes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::directory::{Change, Directory, IndexDeclaration, IndexKinds, Lookup, Membership, MembershipAttribute};
use crate::model::schema::Schema;
use crate::model::{Dn, EntryBuilder, EntryId, Timestamp};

pub(in crate::directory) const SUFFIX: &str = "dc=example,dc=org";
pub(in crate::directory) const KEY: [u8; 32] = [42; 32];

/// The embedded schema, read once.
pub(in crate::directory) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    SCHEMA.get_or_init(|| Arc::new(Schema::embedded().unwrap())).clone()
}

/// Everything indexed that filters in these tests ask for.
pub(in crate::directory) fn all_indexes() -> Vec<IndexDeclaration> {
    let all = IndexKinds { equality: true, presence: true, ordering: true, substring: true };
    let names = ["objectClass", "cn", "name", "uid", "mail", "uidNumber", "description", "userPassword", "member", "word1"];
    names.iter().map(|name| IndexDeclaration { attribute: (*name).to_owned(), kinds: all }).collect()
}

pub(in crate::directory) fn empty(indexes: &[IndexDeclaration]) -> Directory {
    Directory::new(schema(), dn(SUFFIX), indexes, KEY)
}

/// The suffix entry alone, as number 1.
pub(in crate::directory) fn rooted() -> Directory {
    let mut directory = empty(&all_indexes());
    put(&mut directory, None, SUFFIX, &[("objectClass", "domain"), ("dc", "example")]);
    directory
}

pub(in crate::directory) fn dn(text: &str) -> Dn {
    Dn::parse(text.as_bytes()).unwrap()
}

pub(in crate::directory) fn block(attributes: &[(&str, &str)]) -> Bytes {
    block_by(&schema(), attributes)
}

pub(in crate::directory) fn block_by(schema: &Schema, attributes: &[(&str, &str)]) -> Bytes {
    let mut builder = EntryBuilder::default();
    for (name, value) in attributes {
        let description = schema.describe(name).unwrap();
        let section = schema.attribute_type_by_id(description.attribute_type).section();
        let before = builder.get(description.attribute_type, &description.spelled).map(|attribute| attribute.values.clone());
        let mut values = before.unwrap_or_default();
        values.push(Bytes::copy_from_slice(value.as_bytes()));
        builder.set(description.attribute_type, &description.spelled, section, values);
    }
    builder.build().block().clone()
}

/// The change that makes an entry.
pub(in crate::directory) fn entry(id: u64, parent: Option<EntryId>, name: &str, attributes: &[(&str, &str)]) -> Change {
    Change::PutEntry { id: EntryId(id), parent, name: name.to_owned(), block: block(attributes) }
}

/// Adds an entry under the next number.
pub(in crate::directory) fn put(
    directory: &mut Directory,
    parent: Option<EntryId>,
    name: &str,
    attributes: &[(&str, &str)],
) -> EntryId {
    let id = directory.next_entry_id();
    directory.apply(&entry(id.0, parent, name, attributes)).unwrap();
    id
}

pub(in crate::directory) fn person(directory: &mut Directory, parent: EntryId, uid: &str) -> EntryId {
    put(
        directory,
        Some(parent),
        &format!("uid={uid}"),
        &[("objectClass", "inetOrgPerson"), ("uid", uid), ("cn", uid), ("sn", uid)],
    )
}

pub(in crate::directory) fn group(directory: &mut Directory, parent: EntryId, cn: &str) -> EntryId {
    put(directory, Some(parent), &format!("cn={cn}"), &[("objectClass", "groupOfMembers"), ("cn", cn)])
}

pub(in crate::directory) fn join(group: EntryId, membership: Membership) -> Change {
    Change::PutMembership { group, membership, since: Timestamp(1_000_000), by: "cn=admin,dc=example,dc=org".into(), until: None }
}

pub(in crate::directory) fn member(id: EntryId) -> Membership {
    Membership::Entry(MembershipAttribute::Member, id)
}

pub(in crate::directory) fn found(directory: &Directory, name: &str) -> EntryId {
    match directory.find(&dn(name)) {
        Lookup::Found(id) => id,
        other => panic!("{name}: {other:?}"),
    }
}
