//! Attributes that are not stored in entries but computed when read: there is one place that says what their values are.

use bytes::Bytes;

use super::{Directory, MembershipAttribute, Node};
use crate::model::schema::{ObjectClass, ObjectClassKind, Schema};
use crate::model::{AttributeTypeId, EntryId};

/// A computed attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Computed {
    /// member, uniqueMember, memberUid: a group's set.
    Membership(MembershipAttribute),
    /// memberOf: the groups that have the entry by member or uniqueMember.
    MemberOf,
    /// entryDN (RFC 5020)
    EntryDn,
    /// hasSubordinates (X.501)
    HasSubordinates,
    /// numSubordinates
    NumSubordinates,
    /// subschemaSubentry (RFC 4512 section 4.2)
    SubschemaSubentry,
    /// structuralObjectClass (RFC 4512 section 3.4.8)
    StructuralObjectClass,
    /// lastLoginTime
    LastLoginTime,
    /// lastLoginSource
    LastLoginSource,
}

/// Name of the subschema entry.
pub const SUBSCHEMA_DN: &str = "cn=Subschema";

const ALL: [(&str, Computed); 11] = [
    ("member", Computed::Membership(MembershipAttribute::Member)),
    ("uniqueMember", Computed::Membership(MembershipAttribute::UniqueMember)),
    ("memberUid", Computed::Membership(MembershipAttribute::MemberUid)),
    ("memberOf", Computed::MemberOf),
    ("entryDN", Computed::EntryDn),
    ("hasSubordinates", Computed::HasSubordinates),
    ("numSubordinates", Computed::NumSubordinates),
    ("subschemaSubentry", Computed::SubschemaSubentry),
    ("structuralObjectClass", Computed::StructuralObjectClass),
    ("lastLoginTime", Computed::LastLoginTime),
    ("lastLoginSource", Computed::LastLoginSource),
];

/// Those the schema knows, with their types.
pub(super) fn resolve(schema: &Schema) -> Vec<(AttributeTypeId, Computed)> {
    ALL.into_iter().filter_map(|(name, computed)| Some((schema.attribute_type(name)?.id, computed))).collect()
}

impl Directory {
    /// The computed attributes, in a fixed order.
    pub fn computed_attributes(&self) -> &[(AttributeTypeId, Computed)] {
        &self.fixed.computed
    }

    /// What is computed under this type, if it is no stored attribute.
    pub fn computed(&self, attribute_type: AttributeTypeId) -> Option<Computed> {
        self.fixed.computed.iter().find(|(known, _)| *known == attribute_type).map(|(_, computed)| *computed)
    }

    /// The values as a client reads them; empty where the entry has none.
    pub fn computed_values(&self, node: &Node, computed: Computed) -> Vec<Bytes> {
        let id = node.id;
        match computed {
            Computed::Membership(attribute) => self.member_values(id, attribute),
            Computed::MemberOf => self.groups_of(id).map(|group| self.dn_text(group).into()).collect(),
            Computed::EntryDn => vec![self.dn_text(id).into()],
            Computed::HasSubordinates => vec![Bytes::from_static(if self.child_count(id) > 0 { b"TRUE" } else { b"FALSE" })],
            Computed::NumSubordinates => vec![self.child_count(id).to_string().into()],
            Computed::SubschemaSubentry => vec![Bytes::from_static(SUBSCHEMA_DN.as_bytes())],
            Computed::StructuralObjectClass => {
                self.structural_class(node).map(|class| Bytes::copy_from_slice(class.name().as_bytes())).into_iter().collect()
            }
            Computed::LastLoginTime => {
                self.account_state(id).last_login.map(|time| time.to_generalized_time().into()).into_iter().collect()
            }
            Computed::LastLoginSource => self.account_state(id).last_login_source.map(Bytes::from).into_iter().collect(),
        }
    }

    /// Whether the entry has a value, without spelling any.
    pub(super) fn has_computed(&self, id: EntryId, computed: Computed) -> bool {
        match computed {
            Computed::Membership(attribute) => self.member_count(id, attribute) > 0,
            Computed::MemberOf => !self.memberships.groups_of(id).is_empty(),
            Computed::LastLoginTime => self.account_state(id).last_login.is_some(),
            Computed::LastLoginSource => self.account_state(id).last_login_source.is_some(),
            Computed::StructuralObjectClass => self.node(id).is_some_and(|node| self.structural_class(node).is_some()),
            Computed::EntryDn | Computed::HasSubordinates | Computed::NumSubordinates | Computed::SubschemaSubentry => true,
        }
    }

    /// The most specific structural class of an entry.
    pub fn structural_class(&self, node: &Node) -> Option<&ObjectClass> {
        let schema = self.schema();
        let names = node.entry.values(self.fixed.object_class?);
        let classes = names.filter_map(|name| schema.object_class(std::str::from_utf8(name).ok()?));
        let structural: Vec<_> = classes.filter(|class| class.kind == ObjectClassKind::Structural).collect();
        let is_above = |class: &ObjectClass, other: &ObjectClass| {
            class.oid != other.oid && with_superiors(schema, other).iter().any(|superior| superior.oid == class.oid)
        };
        structural.iter().copied().find(|class| !structural.iter().any(|other| is_above(class, other)))
    }
}

/// A class and every class above it, each once.
pub(super) fn with_superiors<'a>(schema: &'a Schema, class: &'a ObjectClass) -> Vec<&'a ObjectClass> {
    let mut found: Vec<&ObjectClass> = vec![class];
    let mut next = 0;
    while let Some(class) = found.get(next) {
        let superiors = class.superiors.iter().filter_map(|index| schema.object_classes().get(*index));
        let new: Vec<_> = superiors.filter(|superior| found.iter().all(|known| known.oid != superior.oid)).collect();
        found.extend(new);
        next += 1;
    }
    found
}
