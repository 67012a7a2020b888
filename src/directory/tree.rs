//! Names to entries and back: each entry knows its parent and RDN, so a rename touches one entry however many lie below.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

use super::bulk;
use super::change::ChangeError;
use super::hash::KeyedHash;
use super::id_map::IdMap;
use super::id_set::{Builder, IdSet};
use crate::model::schema::{RdnKey, Schema};
use crate::model::{Dn, Entry, EntryId, Rdn};

/// An entry at its place.
pub struct Node {
    /// Its number.
    pub id: EntryId,
    /// The entry above; none for the suffix entry.
    pub parent: Option<EntryId>,
    /// Its RDN as spelled (for the suffix entry the whole suffix).
    pub name: String,
    /// The RDN's key; for the suffix entry unused.
    pub rdn_key: RdnKey,
    /// The attributes.
    pub entry: Entry,
}

/// What looking for a name found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The entry.
    Found(EntryId),
    /// No such entry; the nearest one above it that exists.
    Missing {
        /// For matchedDN.
        matched: EntryId,
    },
    /// The name lies under no suffix of this server (or the suffix entry itself is not there yet).
    Outside,
}

/// The suffix and how its RDNs are compared.
pub(super) struct Suffix {
    pub(super) dn: Dn,
    keys: Vec<RdnKey>,
}

impl Suffix {
    pub(super) fn new(schema: &Schema, dn: Dn) -> Suffix {
        let keys = dn.rdns.iter().map(|rdn| schema.rdn_key(rdn)).collect();
        Suffix { dn, keys }
    }

    /// What stands before the suffix; none for a name that does not end in it.
    pub(super) fn strip<'a>(&self, schema: &Schema, dn: &'a Dn) -> Option<&'a [Rdn]> {
        let (before, last) = dn.rdns.split_at_checked(dn.rdns.len().checked_sub(self.keys.len())?)?;
        let own = self.dn.rdns.iter().zip(&self.keys);
        let same = last.iter().zip(own).all(|(rdn, (spelled, key))| rdn == spelled || schema.rdn_key(rdn) == *key);
        same.then_some(before)
    }
}

/// All entries.
#[derive(Clone, Default)]
pub(super) struct Tree {
    nodes: IdMap<Arc<Node>>,
    /// Hash of parent and RDN key → the entries with it: one, but for a collision.
    names: OrdMap<u64, IdSet>,
    children: IdMap<IdSet>,
    /// Those that have children.
    inner: IdSet,
    root: Option<EntryId>,
}

impl Tree {
    pub(super) fn root(&self) -> Option<EntryId> {
        self.root
    }

    pub(super) fn nodes(&self) -> &IdMap<Arc<Node>> {
        &self.nodes
    }

    pub(super) fn node(&self, id: EntryId) -> Option<&Arc<Node>> {
        self.nodes.get(id.0)
    }

    /// Those directly below; none for a leaf.
    pub(super) fn children(&self, id: EntryId) -> Option<&IdSet> {
        self.children.get(id.0)
    }

    /// Those that have children.
    pub(super) fn inner(&self) -> &IdSet {
        &self.inner
    }

    pub(super) fn find(&self, schema: &Schema, hash: &KeyedHash, suffix: &Suffix, dn: &Dn) -> Lookup {
        let (Some(before), Some(mut at)) = (suffix.strip(schema, dn), self.root) else { return Lookup::Outside };
        for rdn in before.iter().rev() {
            match self.child(hash, at, &schema.rdn_key(rdn)) {
                Some(child) => at = child,
                None => return Lookup::Missing { matched: at },
            }
        }
        Lookup::Found(at)
    }

    pub(super) fn child(&self, hash: &KeyedHash, parent: EntryId, key: &RdnKey) -> Option<EntryId> {
        let same_hash = self.names.get(&hash.of(parent.0, &key.0))?;
        same_hash.iter().find(|id| self.node(*id).is_some_and(|node| node.parent == Some(parent) && node.rdn_key == *key))
    }

    pub(super) fn is_within(&self, id: EntryId, ancestor: EntryId) -> bool {
        self.upwards(id).any(|node| node.id == ancestor)
    }

    /// The entry and all above it, nearest first.
    pub(super) fn upwards(&self, id: EntryId) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(self.node(id), |node| self.node(node.parent?))
    }

    /// Puts an entry at its place, from wherever it was; the entry that was there under its number.
    pub(super) fn put(&mut self, hash: &KeyedHash, node: Node) -> Result<Option<Arc<Node>>, ChangeError> {
        let before = self.node(node.id).cloned();
        let stays = before.as_ref().is_some_and(|before| before.parent == node.parent && before.rdn_key == node.rdn_key);
        if !stays {
            self.check_place(hash, &node)?;
            if let Some(before) = &before {
                self.unlink(hash, before);
            }
            self.link(hash, &node);
        }
        self.nodes.insert(node.id.0, Arc::new(node));
        Ok(before)
    }

    /// Removes a leaf; none when it was not there.
    pub(super) fn remove(&mut self, hash: &KeyedHash, id: EntryId) -> Result<Option<Arc<Node>>, ChangeError> {
        let Some(node) = self.node(id).cloned() else { return Ok(None) };
        if self.children(id).is_some() {
            return Err(ChangeError(format!("entry {} cannot go: it has subordinates", id.0)));
        }
        self.unlink(hash, &node);
        self.nodes.remove(id.0);
        Ok(Some(node))
    }

    /// While loading: keeps an entry whose place is looked at by [`Tree::link_all`].
    pub(super) fn hold(&mut self, node: Node) -> Result<(), ChangeError> {
        let id = node.id;
        match self.nodes.insert(id.0, Arc::new(node)) {
            None => Ok(()),
            Some(_) => Err(ChangeError(format!("entry {} is there twice", id.0))),
        }
    }

    /// Links all held entries and checks that they hang together.
    pub(super) fn link_all(&mut self, hash: &KeyedHash) -> Result<(), ChangeError> {
        let nodes: Vec<&Arc<Node>> = self.nodes.iter().map(|(_, node)| node).collect();
        let mut near = self.nodes.neighbours();
        let mut names = Vec::with_capacity(nodes.len());
        let mut children: BTreeMap<EntryId, Builder> = BTreeMap::new();
        let mut root = None;
        for node in &nodes {
            let is_placed = match node.parent {
                None => root.replace(node.id).is_none(),
                Some(parent) => near.get(parent.0).is_some(),
            };
            if !is_placed {
                return Err(ChangeError(format!("entry {} has no place in the tree", node.id.0)));
            }
            if let Some(parent) = node.parent {
                names.push((hash.of(parent.0, &node.rdn_key.0), node.id));
                children.entry(parent).or_default().push(node.id);
            }
        }
        let count = nodes.len();
        self.names = bulk::map(self.grouped(names)?);
        self.root = root;
        self.inner = children.keys().copied().collect();
        for (parent, of_parent) in children {
            self.children.insert(parent.0, of_parent.finish());
        }
        if self.reachable() == count { Ok(()) } else { Err(ChangeError("some entries lie below themselves".into())) }
    }

    /// The entries of each hash, in order of hashes. No two have the same name.
    fn grouped(&self, mut names: Vec<(u64, EntryId)>) -> Result<Vec<(u64, IdSet)>, ChangeError> {
        names.sort_unstable();
        let mut groups = Vec::with_capacity(names.len());
        for of_hash in names.chunk_by(|(first, _), (second, _)| first == second) {
            for (place, (_, id)) in of_hash.iter().enumerate() {
                let is_same = |(_, other): &(u64, EntryId)| match (self.node(*id), self.node(*other)) {
                    (Some(node), Some(other)) => node.parent == other.parent && node.rdn_key == other.rdn_key,
                    _ => false,
                };
                if of_hash.iter().take(place).any(is_same) {
                    return Err(ChangeError(format!("entry {} has the name of another", id.0)));
                }
            }
            if let Some((hash, _)) = of_hash.first() {
                groups.push((*hash, of_hash.iter().map(|(_, id)| *id).collect()));
            }
        }
        Ok(groups)
    }

    fn reachable(&self) -> usize {
        let mut count = 0;
        let mut waiting: Vec<EntryId> = self.root.into_iter().collect();
        while let Some(id) = waiting.pop() {
            count += 1;
            waiting.extend(self.children(id).into_iter().flat_map(IdSet::iter));
        }
        count
    }

    fn check_place(&self, hash: &KeyedHash, node: &Node) -> Result<(), ChangeError> {
        let id = node.id;
        let Some(parent) = node.parent else {
            return match self.root {
                Some(root) if root != id => Err(ChangeError(format!("entry {} cannot be a second suffix entry", id.0))),
                _ => Ok(()),
            };
        };
        if self.node(parent).is_none() {
            return Err(ChangeError(format!("entry {} cannot lie below {}, which is not there", id.0, parent.0)));
        }
        if self.is_within(parent, id) {
            return Err(ChangeError(format!("entry {} cannot lie below itself", id.0)));
        }
        match self.child(hash, parent, &node.rdn_key) {
            Some(other) if other != id => Err(ChangeError(format!("entry {} cannot have the name of {}", id.0, other.0))),
            _ => Ok(()),
        }
    }

    fn link(&mut self, hash: &KeyedHash, node: &Node) {
        let Some(parent) = node.parent else {
            self.root = Some(node.id);
            return;
        };
        self.names.entry(hash.of(parent.0, &node.rdn_key.0)).or_default().insert(node.id);
        match self.children.get_mut(parent.0) {
            Some(children) => {
                children.insert(node.id);
            }
            None => {
                self.children.insert(parent.0, std::iter::once(node.id).collect());
                self.inner.insert(parent);
            }
        }
    }

    fn unlink(&mut self, hash: &KeyedHash, node: &Node) {
        let Some(parent) = node.parent else {
            self.root = None;
            return;
        };
        let name = hash.of(parent.0, &node.rdn_key.0);
        if remove_from(self.names.get_mut(&name), node.id) {
            self.names.remove(&name);
        }
        if remove_from(self.children.get_mut(parent.0), node.id) {
            self.children.remove(parent.0);
            self.inner.remove(parent);
        }
    }
}

/// Takes one out of a set; whether the set is empty now.
fn remove_from(set: Option<&mut IdSet>, id: EntryId) -> bool {
    set.is_some_and(|set| {
        set.remove(id);
        set.is_empty()
    })
}
