//! Attributes that are not in an entry's block: worked out from its place, the membership set and its login bookkeeping. The one place that
//! says what their values are.

use bytes::Bytes;

use super::{Directory, Identifier, Membership, MembershipAttribute, Node};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Section, Timestamp};

/// An attribute worked out when it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Computed {
    /// entryDN (RFC 5020)
    EntryDn,
    /// subschemaSubentry (RFC 4512 section 4.2)
    SubschemaSubentry,
    /// hasSubordinates (X.501)
    HasSubordinates,
    /// numSubordinates
    NumSubordinates,
    /// memberOf: the groups that have the entry by member or uniqueMember
    MemberOf,
    /// lastLoginTime
    LastLoginTime,
    /// lastLoginSource
    LastLoginSource,
    /// pwdLastSuccess: the same moment as lastLoginTime, to the microsecond
    LastSuccess,
    /// pwdFailureTime: when logins failed since the last that succeeded
    FailureTime,
    /// pwdGraceUseTime: when the account was logged in to with an expired password
    GraceLogins,
    /// pwdAccountTmpLockoutEnd: until when no login is looked at
    TemporaryLockoutEnd,
    /// governingStructureRule (RFC 4512 section 3.4.6): the lowest number where several rules allow the entry
    GoverningStructureRule,
    /// contextCSN: how far the directory as a whole is, on the suffix entry
    ContextCsn,
    /// reservedIdentifier: identifiers that are given to nobody, on the suffix entry
    Reserved,
    /// entryTtl (RFC 2589): seconds that are left to a dynamic entry at the moment the directory is looked at
    EntryTtl,
    /// memberNotAfter: the elements of a group whose membership ends, with the ends
    MemberEnds,
    /// member, uniqueMember, memberUid: a group's set; manager, owner, …: what an entry refers to
    Members(MembershipAttribute),
}

/// The name of the subschema entry, as spelled.
pub const SUBSCHEMA: &str = "cn=Subschema";

/// The attribute that tells when memberships end.
pub const MEMBER_ENDS: &str = "memberNotAfter";

impl Computed {
    /// Those that are the server's own.
    const OPERATIONAL: [Computed; 16] = [
        Computed::Reserved,
        Computed::EntryDn,
        Computed::SubschemaSubentry,
        Computed::HasSubordinates,
        Computed::NumSubordinates,
        Computed::MemberOf,
        Computed::LastLoginTime,
        Computed::LastLoginSource,
        Computed::LastSuccess,
        Computed::FailureTime,
        Computed::GraceLogins,
        Computed::TemporaryLockoutEnd,
        Computed::GoverningStructureRule,
        Computed::ContextCsn,
        Computed::EntryTtl,
        Computed::MemberEnds,
    ];

    /// The option that makes memberOf show groups at any depth.
    pub const NESTED: &str = "x-nested";

    /// The canonical name.
    pub fn name(self, schema: &Schema) -> &str {
        match self {
            Computed::EntryDn => "entryDN",
            Computed::SubschemaSubentry => "subschemaSubentry",
            Computed::HasSubordinates => "hasSubordinates",
            Computed::NumSubordinates => "numSubordinates",
            Computed::MemberOf => "memberOf",
            Computed::LastLoginTime => "lastLoginTime",
            Computed::LastLoginSource => "lastLoginSource",
            Computed::LastSuccess => "pwdLastSuccess",
            Computed::FailureTime => "pwdFailureTime",
            Computed::GraceLogins => "pwdGraceUseTime",
            Computed::TemporaryLockoutEnd => "pwdAccountTmpLockoutEnd",
            Computed::GoverningStructureRule => "governingStructureRule",
            Computed::ContextCsn => "contextCSN",
            Computed::Reserved => "reservedIdentifier",
            Computed::EntryTtl => "entryTtl",
            Computed::MemberEnds => MEMBER_ENDS,
            Computed::Members(attribute) => attribute.name(schema),
        }
    }

    /// What asks for it: `*` or `+`.
    pub fn section(self) -> Section {
        match self {
            Computed::Members(_) => Section::User,
            _ => Section::Operational,
        }
    }

    /// Its type in this schema, if it is defined there.
    pub fn attribute_type(self, schema: &Schema) -> Option<AttributeTypeId> {
        schema.attribute_type(self.name(schema)).map(|it| it.id)
    }

    /// The values; none where the entry has none.
    pub fn values(self, directory: &Directory, node: &Node) -> Vec<Bytes> {
        let one = |value: String| vec![Bytes::from(value)];
        match self {
            Computed::EntryDn => one(directory.dn_text(node.id)),
            Computed::SubschemaSubentry => one(SUBSCHEMA.to_owned()),
            Computed::HasSubordinates => match directory.child_count(node.id) {
                0 => vec![Bytes::from_static(b"FALSE")],
                _ => vec![Bytes::from_static(b"TRUE")],
            },
            Computed::NumSubordinates => one(directory.child_count(node.id).to_string()),
            Computed::MemberOf => directory.groups_of(node.id).map(|group| Bytes::from(directory.dn_text(group))).collect(),
            Computed::LastLoginTime => match directory.account_state(node.id).last_login {
                Some(time) => one(time.to_generalized_time()),
                None => Vec::new(),
            },
            Computed::LastSuccess | Computed::FailureTime | Computed::GraceLogins | Computed::TemporaryLockoutEnd => {
                let times = self.times(directory, node);
                times.iter().map(|time| Bytes::from(time.to_generalized_time_micros())).collect()
            }
            Computed::LastLoginSource => directory.account_state(node.id).last_login_source.map(one).unwrap_or_default(),
            Computed::GoverningStructureRule => {
                let rules = directory.governing_structure_rules(node.id).into_iter();
                let numbers = rules.filter_map(|rule| directory.schema().dit_structure_rules().get(rule)).map(|rule| rule.number);
                numbers.min().map(|number| number.to_string()).map(one).unwrap_or_default()
            }
            Computed::ContextCsn if self.is_present(directory, node) => one(directory.context().stamp.to_string()),
            Computed::ContextCsn => Vec::new(),
            Computed::Reserved if self.is_present(directory, node) => {
                directory.reserved().map(|identifier| reserved_value(directory.schema(), &identifier)).collect()
            }
            Computed::Reserved => Vec::new(),
            Computed::EntryTtl => directory.seconds_left(node).map(|seconds| seconds.to_string()).map(one).unwrap_or_default(),
            Computed::MemberEnds => {
                let ends = directory.ends_of(node.id);
                ends.map(|(membership, until)| end_value(directory, &membership, until)).collect()
            }
            Computed::Members(attribute) => directory.member_values(node.id, attribute),
        }
    }

    /// The moments that login bookkeeping holds for it.
    fn times(self, directory: &Directory, node: &Node) -> Vec<Timestamp> {
        let Some(state) = directory.login_state(node.id) else { return Vec::new() };
        let failed = state.failed.as_deref();
        match self {
            Computed::LastSuccess => state.last_login.into_iter().collect(),
            Computed::FailureTime => failed.map(|failed| failed.times.clone()).unwrap_or_default(),
            Computed::GraceLogins => state.grace_logins.clone(),
            Computed::TemporaryLockoutEnd => failed.and_then(|failed| failed.pause_end).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether there are values, without making them.
    pub fn is_present(self, directory: &Directory, node: &Node) -> bool {
        match self {
            Computed::EntryDn | Computed::SubschemaSubentry | Computed::HasSubordinates | Computed::NumSubordinates => true,
            Computed::MemberOf => directory.groups_of(node.id).next().is_some(),
            Computed::LastLoginTime | Computed::LastLoginSource | Computed::GoverningStructureRule => {
                !self.values(directory, node).is_empty()
            }
            Computed::LastSuccess | Computed::FailureTime | Computed::GraceLogins | Computed::TemporaryLockoutEnd => {
                !self.times(directory, node).is_empty()
            }
            Computed::EntryTtl => directory.expires(node).is_some(),
            Computed::MemberEnds => directory.ends_of(node.id).next().is_some(),
            Computed::ContextCsn => node.parent.is_none() && directory.suffix_entry() == Some(node.id),
            Computed::Reserved => directory.suffix_entry() == Some(node.id) && directory.reserved_count() > 0,
            Computed::Members(attribute) => directory.member_count(node.id, attribute) > 0,
        }
    }
}

/// `20261201120000.000000Z member uid=anna,…`
fn end_value(directory: &Directory, membership: &Membership, until: Timestamp) -> Bytes {
    let attribute = membership.attribute().name(directory.schema());
    let value = directory.member_value(membership);
    [until.to_generalized_time_micros().as_bytes(), b" ", attribute.as_bytes(), b" ", &value].concat().into()
}

/// `uid=anna`
fn reserved_value(schema: &Schema, identifier: &Identifier) -> Bytes {
    let name = schema.attribute_type(&identifier.attribute).map_or(identifier.attribute.as_str(), |it| it.name());
    [name.as_bytes(), b"=", &identifier.value].concat().into()
}

/// The types of computed attributes that the schema knows, the users' own first, as they stand in an entry.
pub(super) fn resolve(schema: &Schema) -> Vec<(AttributeTypeId, Computed)> {
    let members = schema.attribute_types().iter();
    let members = members.filter_map(|it| Some((it.id, Computed::Members(MembershipAttribute::of_type(it)?))));
    let operational = Computed::OPERATIONAL.into_iter();
    members.chain(operational.filter_map(|computed| Some((computed.attribute_type(schema)?, computed)))).collect()
}

impl Directory {
    /// All computed attributes that the schema knows, the users' own first.
    pub fn all_computed(&self) -> impl Iterator<Item = Computed> + '_ {
        self.fixed.computed.iter().map(|(_, computed)| *computed)
    }

    /// The computed attribute of this type.
    pub fn computed(&self, attribute_type: AttributeTypeId) -> Option<Computed> {
        self.fixed.computed.iter().find(|(known, _)| *known == attribute_type).map(|(_, computed)| *computed)
    }
}
