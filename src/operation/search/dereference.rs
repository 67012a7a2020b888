//! Dereference (draft-masarati-ldap-deref): what the names in an entry lead to.

use bytes::Bytes;

use crate::directory::{Computed, Directory, Lookup, Membership, Node};
use crate::model::schema::AttributeDescription;
use crate::model::{Dn, EntryId, ResultCode};
use crate::operation::access::{Access, Readable};
use crate::operation::control::{DereferenceRequest, Dereferenced, dereference_response};
use crate::operation::refusal::Refusal;
use crate::operation::selection::Selection;
use crate::protocol::{Control, LdapResult};

/// Most values that are followed for one entry.
const MAXIMUM_FOLLOWED: usize = 1000;
/// Most octets of what is told beside one entry: each name may lead to a large group.
const MAXIMUM_OCTETS: usize = 16 * 1024 * 1024;
/// The syntax of names (RFC 4517 section 3.3.9).
const DN_SYNTAX: &str = "1.3.6.1.4.1.1466.115.121.1.12";

/// What to follow, decided once per search.
pub(super) struct Dereferences(Vec<Dereference>);

struct Dereference {
    /// As it was asked for.
    name: String,
    description: AttributeDescription,
    computed: Option<Computed>,
    selection: Selection,
}

/// A value and the entry it names.
type Named = (Bytes, Option<EntryId>);

impl Dereferences {
    /// 2 for what is no attribute of names, or asked for twice, or nothing wanted of it: texts are slapd's.
    pub(super) fn new(directory: &Directory, requests: &[DereferenceRequest]) -> Result<Dereferences, Refusal> {
        let mut all: Vec<Dereference> = Vec::new();
        for request in requests {
            let new = Dereference::new(directory, request)?;
            if all.iter().any(|other| other.description == new.description) {
                return Err(malformed("derefAttr must be unique within control"));
            }
            all.push(new);
        }
        Ok(Dereferences(all))
    }

    /// The control beside an entry; none where nothing of it is followed.
    pub(super) fn control(
        &self,
        directory: &Directory,
        access: &Access,
        (node, shown): (&Node, &Readable),
        budget: &mut u32,
    ) -> Result<Option<Control>, LdapResult> {
        let mut results = Vec::new();
        let mut octets: usize = 0;
        for dereference in self.0.iter().filter(|it| shown.contains(it.description.attribute_type)) {
            let room = MAXIMUM_FOLLOWED - results.len();
            let values = dereference.values(directory, node, room + 1);
            if values.len() > room {
                return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many values to dereference"));
            }
            *budget = budget.saturating_sub(u32::try_from(values.len()).unwrap_or(u32::MAX));
            for (value, entry) in values {
                let encode = |node: &Node| dereference.selection.encode(directory, node, &access.readable(directory, node));
                let attributes = entry.and_then(|id| directory.node(id)).map(|node| encode(node)).unwrap_or_default();
                octets = octets.saturating_add(attributes.len());
                if octets > MAXIMUM_OCTETS {
                    return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too much to dereference"));
                }
                results.push(Dereferenced { attribute: &dereference.name, value, attributes });
            }
        }
        Ok((!results.is_empty()).then(|| dereference_response(&results)))
    }
}

impl Dereference {
    fn new(directory: &Directory, request: &DereferenceRequest) -> Result<Dereference, Refusal> {
        let schema = directory.schema();
        let description = schema.describe(&request.attribute).map_err(|_| malformed("derefAttr decoding error"))?;
        let attribute_type = schema.attribute_type_by_id(description.attribute_type);
        if attribute_type.syntax.oid != DN_SYNTAX || attribute_type.secret {
            return Err(malformed("derefAttr syntax not distinguishedName"));
        }
        if request.attributes.is_empty() {
            return Err(malformed("derefSpec decoding error"));
        }
        if request.attributes.iter().any(|name| schema.describe(name).is_err()) {
            return Err(malformed("attribute decoding error"));
        }
        let computed = directory.computed(attribute_type.id);
        let selection = Selection::new(directory, &request.attributes, false).for_others();
        Ok(Dereference { name: request.attribute.clone(), description, computed, selection })
    }

    /// At most `most` values of an entry, with the entries they name.
    fn values(&self, directory: &Directory, node: &Node, most: usize) -> Vec<Named> {
        let plain = self.description.options.is_empty();
        match self.computed {
            Some(_) if !plain => Vec::new(),
            Some(Computed::Members(attribute)) => {
                let elements = directory.memberships(node.id, attribute).take(most);
                elements.map(|membership| (directory.member_value(&membership), entry_of(&membership))).collect()
            }
            Some(Computed::MemberOf) => {
                let groups = directory.groups_of(node.id).take(most);
                groups.map(|group| (Bytes::from(directory.dn_text(group)), Some(group))).collect()
            }
            Some(computed) => computed.values(directory, node).into_iter().map(|value| found(directory, value)).collect(),
            None => {
                let attributes = node.entry.attributes_of(self.description.attribute_type);
                let asked_for = attributes.filter(|attribute| self.description.covers_options(attribute.description));
                let values = asked_for.flat_map(|attribute| attribute.values()).take(most);
                values.map(|value| found(directory, Bytes::copy_from_slice(value))).collect()
            }
        }
    }
}

fn entry_of(membership: &Membership) -> Option<EntryId> {
    match membership {
        Membership::Entry(_, id) => Some(*id),
        Membership::Outside { .. } => None,
    }
}

fn found(directory: &Directory, value: Bytes) -> Named {
    let entry = match Dn::parse(&value).map(|dn| directory.find(&dn)) {
        Ok(Lookup::Found(id)) => Some(id),
        _ => None,
    };
    (value, entry)
}

fn malformed(problem: &str) -> Refusal {
    Refusal::new(ResultCode::ProtocolError, format!("Dereference control: {problem}"))
}
