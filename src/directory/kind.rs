//! Entries that are not like the others, by their object class: referrals (RFC 3296) and subentries (RFC 3672). Mostly there are few, and
//! whoever asks for none of them pays nothing.

use std::collections::HashMap;

use super::{Directory, IdSet};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Entry, EntryId};

/// The entries of each kind.
#[derive(Clone, Default)]
pub(super) struct Kinds {
    referrals: IdSet,
    subentries: IdSet,
}

/// How entries of each kind are known; classes as indexes into the schema's.
#[derive(Clone, Copy, Default)]
pub(super) struct KindClasses {
    object_class: Option<AttributeTypeId>,
    referral: Option<usize>,
    subentry: Option<usize>,
}

impl KindClasses {
    pub(super) fn new(schema: &Schema) -> KindClasses {
        let class = |name: &str| schema.class_with_superiors(name).first().copied();
        KindClasses {
            object_class: schema.attribute_type("objectClass").map(|attribute_type| attribute_type.id),
            referral: class("referral"),
            subentry: class("subentry"),
        }
    }

    fn is_of(self, schema: &Schema, entry: &Entry, class: Option<usize>) -> bool {
        let (Some(object_class), Some(class)) = (self.object_class, class) else { return false };
        entry
            .values(object_class)
            .any(|value| std::str::from_utf8(value).is_ok_and(|name| schema.class_with_superiors(name).contains(&class)))
    }
}

impl Kinds {
    /// Sorts entries that come in order of numbers. Most have the same classes as others: those are looked up once.
    pub(super) fn build<'a>(classes: KindClasses, schema: &Schema, entries: impl Iterator<Item = (EntryId, &'a Entry)>) -> Kinds {
        let mut known: HashMap<&[u8], (bool, bool)> = HashMap::new();
        let (mut referrals, mut subentries) = (Vec::new(), Vec::new());
        for (id, entry) in entries {
            let names = classes.object_class.and_then(|it| entry.attributes_of(it).find(|attribute| !attribute.has_options));
            let (is_referral, is_subentry) =
                *known.entry(names.map(|names| names.encoded).unwrap_or_default()).or_insert_with(|| {
                    (classes.is_of(schema, entry, classes.referral), classes.is_of(schema, entry, classes.subentry))
                });
            referrals.extend(Some(id).filter(|_| is_referral));
            subentries.extend(Some(id).filter(|_| is_subentry));
        }
        Kinds { referrals: referrals.into_iter().collect(), subentries: subentries.into_iter().collect() }
    }

    /// Follows an entry to what it is now; none: it is gone.
    pub(super) fn update(&mut self, classes: KindClasses, schema: &Schema, id: EntryId, entry: Option<&Entry>) {
        for (kind, class) in [(&mut self.referrals, classes.referral), (&mut self.subentries, classes.subentry)] {
            if entry.is_some_and(|entry| classes.is_of(schema, entry, class)) {
                kind.insert(id);
            } else {
                kind.remove(id);
            }
        }
    }
}

impl Directory {
    /// The referral entries (RFC 3296).
    pub fn referrals(&self) -> &IdSet {
        &self.kinds.referrals
    }

    /// The subentries (RFC 3672).
    pub fn subentries(&self) -> &IdSet {
        &self.kinds.subentries
    }

    /// The referral entry nearest to the suffix that is this entry or stands above it: what lies there is another server's.
    pub fn referral_above(&self, id: EntryId) -> Option<EntryId> {
        if self.kinds.referrals.is_empty() {
            return None;
        }
        let above = self.tree.upwards(id).map(|node| node.id);
        above.filter(|id| self.kinds.referrals.contains(*id)).last()
    }
}
