//! Names of many entries as text, one after the other: what stands behind the RDN is spelled once while entries share their superior.

use std::sync::Arc;

use bytes::Bytes;

use super::id_map::Neighbours;
use super::{Directory, Membership, MembershipAttribute, Node};
use crate::model::EntryId;

/// Spells names.
struct Speller<'a> {
    directory: &'a Directory,
    nodes: Neighbours<'a, Arc<Node>>,
    /// The last superior, and what it puts behind an RDN.
    superior: Option<EntryId>,
    behind: String,
}

impl<'a> Speller<'a> {
    fn new(directory: &'a Directory) -> Speller<'a> {
        Speller { directory, nodes: directory.tree.nodes().neighbours(), superior: None, behind: String::new() }
    }

    /// The entry's name in two parts; both are empty where there is no such entry.
    fn spell(&mut self, id: EntryId) -> (&[u8], &[u8]) {
        let Some(node) = self.nodes.get(id.0) else { return (b"", b"") };
        if node.parent != self.superior {
            self.superior = node.parent;
            self.behind.clear();
            if let Some(superior) = node.parent {
                self.behind.push(',');
                self.behind.push_str(&self.directory.dn_text(superior));
            }
        }
        (node.name.as_bytes(), self.behind.as_bytes())
    }
}

impl Directory {
    /// Goes through the values of a membership attribute as a client reads them (DNs spelled out, dangling names as given): entries in order
    /// of numbers, then the others, all but the first `skip`. Each comes in two parts that follow each other.
    pub fn each_member_value(
        &self,
        group: EntryId,
        attribute: MembershipAttribute,
        skip: usize,
        mut each: impl FnMut(&[u8], &[u8]),
    ) {
        let mut speller = Speller::new(self);
        for membership in self.memberships.elements(group, attribute, skip) {
            match &membership {
                Membership::Entry(_, member) => {
                    let (name, behind) = speller.spell(*member);
                    each(name, behind);
                }
                Membership::Outside { value, .. } => each(value, b""),
            }
        }
    }

    /// The values of a membership attribute as a client reads them.
    pub fn member_values(&self, group: EntryId, attribute: MembershipAttribute) -> Vec<Bytes> {
        let mut values = Vec::with_capacity(self.member_count(group, attribute));
        self.each_member_value(group, attribute, 0, |name, behind| values.push([name, behind].concat().into()));
        values
    }
}
