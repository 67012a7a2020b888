//! Identifiers: who has one, which are given to nobody, and the numbers that the server gives out itself.

use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use super::change::row;
use super::{Digest, Directory, Row};
use crate::model::schema::{AttributeType, Key};
use crate::model::{EntryId, Timestamp};

/// A value of an attribute, as identifiers are compared: by the attribute's equality rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identifier {
    /// The attribute's object identifier.
    pub attribute: String,
    /// The value's equality key.
    pub key: Box<[u8]>,
    /// The value as spelled.
    pub value: Bytes,
}

/// What is reserved and how far numbers were given out, by the attribute's object identifier.
#[derive(Clone, Default)]
pub(super) struct Identifiers {
    reserved: OrdMap<(Arc<str>, Arc<[u8]>), Reserved>,
    next_numbers: OrdMap<Arc<str>, u64>,
}

#[derive(Clone)]
struct Reserved {
    value: Bytes,
    since: Timestamp,
    by: Arc<str>,
}

impl Identifiers {
    /// The row that stood for it before, if it was reserved.
    pub(super) fn reserve(&mut self, identifier: &Identifier, since: Timestamp, by: &str, digest_key: &[u8; 32]) -> Option<Row> {
        let before = self.row_of(identifier, digest_key);
        self.reserved.insert(key_of(identifier), Reserved { value: identifier.value.clone(), since, by: by.into() });
        before
    }

    /// The row that stood for it before, if it was reserved.
    pub(super) fn release(&mut self, identifier: &Identifier, digest_key: &[u8; 32]) -> Option<Row> {
        let before = self.row_of(identifier, digest_key);
        self.reserved.remove(&key_of(identifier));
        before
    }

    /// The row that stood for the attribute's numbers before.
    pub(super) fn put_next_number(&mut self, attribute: &str, next: u64) -> Option<Row> {
        self.next_numbers.insert(attribute.into(), next).map(|before| row::next_number(attribute, before))
    }

    /// All rows.
    pub(super) fn rows<'a>(&'a self, digest_key: &'a [u8; 32]) -> impl Iterator<Item = Row> + 'a {
        let reserved = self.reserved.iter().map(|((attribute, key), reserved)| {
            let identifier = Identifier { attribute: attribute.to_string(), key: (&**key).into(), value: reserved.value.clone() };
            row::reserved(&identifier, reserved.since, &reserved.by, digest_key)
        });
        reserved.chain(self.next_numbers.iter().map(|(attribute, next)| row::next_number(attribute, *next)))
    }

    fn row_of(&self, identifier: &Identifier, digest_key: &[u8; 32]) -> Option<Row> {
        let reserved = self.reserved.get(&key_of(identifier))?;
        let identifier = Identifier { value: reserved.value.clone(), ..identifier.clone() };
        Some(row::reserved(&identifier, reserved.since, &reserved.by, digest_key))
    }
}

fn key_of(identifier: &Identifier) -> (Arc<str>, Arc<[u8]>) {
    (identifier.attribute.as_str().into(), Arc::from(&*identifier.key))
}

impl Directory {
    /// A value as an identifier; none for a value that the attribute's equality rule does not take.
    pub fn identifier(&self, attribute_type: &AttributeType, value: &[u8]) -> Option<Identifier> {
        let key = self.schema().equality_key(attribute_type.id, value)?.ok()?;
        Some(Identifier { attribute: attribute_type.oid.clone(), key: key.0, value: Bytes::copy_from_slice(value) })
    }

    /// Whether it is given to nobody.
    pub fn is_reserved(&self, identifier: &Identifier) -> bool {
        self.identifiers.reserved.contains_key(&key_of(identifier))
    }

    /// All that are given to nobody.
    pub fn reserved(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.identifiers.reserved.iter().map(|((attribute, key), reserved)| Identifier {
            attribute: attribute.to_string(),
            key: (&**key).into(),
            value: reserved.value.clone(),
        })
    }

    /// How many those are.
    pub fn reserved_count(&self) -> usize {
        self.identifiers.reserved.len()
    }

    /// The first number of this attribute that was not given out yet; none while none was.
    pub fn next_number(&self, attribute_type: &AttributeType) -> Option<u64> {
        self.identifiers.next_numbers.get(attribute_type.oid.as_str()).copied()
    }

    /// An entry other than `except` that has this value, by the attribute or one of its subtypes. An equality index on the attribute makes
    /// that O(log n); without one every entry is looked at.
    pub fn other_with(&self, attribute_type: &AttributeType, key: &Key, except: Option<EntryId>) -> Option<EntryId> {
        let schema = self.schema();
        let has_value = |id: &EntryId| {
            let types = schema.with_subtypes(attribute_type.id);
            let mut attributes =
                self.node(*id).into_iter().flat_map(|node| types.iter().flat_map(|it| node.entry.attributes_of(*it)));
            let equal =
                |value: &[u8]| attribute_type.equality.is_some_and(|rule| (rule.prepare)(schema, value).as_ref() == Ok(key));
            Some(*id) != except && attributes.any(|attribute| attribute.values().any(equal))
        };
        let plan = &self.fixed.index_plan;
        let rule = attribute_type.equality?;
        match self.indexes.equality(plan, schema, attribute_type.id, rule, &key.0) {
            Some(candidates) => candidates.iter().find(has_value),
            None => self.nodes().map(|node| node.id).find(has_value),
        }
    }

    pub(super) fn reserve(&mut self, identifier: &Identifier, since: Timestamp, by: &str) {
        let before = self.identifiers.reserve(identifier, since, by, &self.fixed.digest_key);
        self.replace_in_digest(before, Some(row::reserved(identifier, since, by, &self.fixed.digest_key)));
    }

    pub(super) fn release(&mut self, identifier: &Identifier) {
        let before = self.identifiers.release(identifier, &self.fixed.digest_key);
        self.replace_in_digest(before, None);
    }

    pub(super) fn put_next_number(&mut self, attribute: &str, next: u64) {
        let before = self.identifiers.put_next_number(attribute, next);
        self.replace_in_digest(before, Some(row::next_number(attribute, next)));
    }

    fn replace_in_digest(&mut self, before: Option<Row>, after: Option<Row>) {
        let of_row = |row: &Row| Digest::of_row(&self.fixed.digest_key, row);
        let (before, after) = (before.as_ref().map(of_row), after.as_ref().map(of_row));
        self.digest = self.digest.minus(before.unwrap_or_default()).plus(after.unwrap_or_default());
    }
}
