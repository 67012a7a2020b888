//! Entries that are not like the others, by their object class: referrals (RFC 3296), subentries (RFC 3672), and those that decide about
//! people. Mostly there are few, and whoever asks for none of them pays nothing.

use std::collections::HashMap;

use super::compiled::{RuleKind, Slot};
use super::{Directory, IdSet};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Entry, EntryId};

/// The entries of each kind.
#[derive(Clone, Default)]
pub(super) struct Kinds {
    referrals: IdSet,
    subentries: IdSet,
    rules: [Rules; RuleKind::ALL.len()],
}

/// The entries of one kind that decide about people, and what is compiled of them.
#[derive(Clone, Default)]
struct Rules {
    entries: IdSet,
    compiled: Slot,
    /// How often it was compiled anew.
    version: u64,
}

impl Rules {
    fn renew(&mut self) {
        self.compiled.renew();
        self.version = self.version.wrapping_add(1);
    }
}

/// How entries of each kind are known; classes as indexes into the schema's.
#[derive(Clone, Copy, Default)]
pub(super) struct KindClasses {
    object_class: Option<AttributeTypeId>,
    referral: Option<usize>,
    subentry: Option<usize>,
    rules: [Option<usize>; RuleKind::ALL.len()],
}

impl KindClasses {
    pub(super) fn new(schema: &Schema) -> KindClasses {
        let class = |name: &str| schema.class_with_superiors(name).first().copied();
        KindClasses {
            object_class: schema.attribute_type("objectClass").map(|attribute_type| attribute_type.id),
            referral: class("referral"),
            subentry: class("subentry"),
            rules: RuleKind::ALL.map(|kind| class(kind.class())),
        }
    }

    /// In the order of [`Kinds::build`].
    fn all(self) -> [Option<usize>; 2 + RuleKind::ALL.len()] {
        let [passwords, binds, access, audits] = self.rules;
        [self.referral, self.subentry, passwords, binds, access, audits]
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
        let mut known: HashMap<&[u8], [bool; 2 + RuleKind::ALL.len()]> = HashMap::new();
        let mut found: [Vec<EntryId>; 2 + RuleKind::ALL.len()] = Default::default();
        for (id, entry) in entries {
            let names = classes.object_class.and_then(|it| entry.attributes_of(it).find(|attribute| !attribute.has_options));
            let of = *known
                .entry(names.map(|names| names.encoded).unwrap_or_default())
                .or_insert_with(|| classes.all().map(|class| classes.is_of(schema, entry, class)));
            found.iter_mut().zip(of).filter(|(_, is_of)| *is_of).for_each(|(found, _)| found.push(id));
        }
        let [referrals, subentries, rules @ ..] = found.map(|found| found.into_iter().collect::<IdSet>());
        Kinds { referrals, subentries, rules: rules.map(|entries| Rules { entries, ..Rules::default() }) }
    }

    /// Follows an entry to what it is now; none: it is gone.
    pub(super) fn update(&mut self, classes: KindClasses, schema: &Schema, id: EntryId, entry: Option<&Entry>) {
        let [first, second] = [&mut self.referrals, &mut self.subentries];
        let rules = self.rules.iter_mut().map(|rules| &mut rules.entries);
        for (kind, class) in [first, second].into_iter().chain(rules).zip(classes.all()) {
            if entry.is_some_and(|entry| classes.is_of(schema, entry, class)) {
                kind.insert(id);
            } else {
                kind.remove(id);
            }
        }
    }

    /// What is compiled of this entry is compiled anew.
    pub(super) fn touch(&mut self, id: EntryId) {
        self.rules.iter_mut().filter(|rules| rules.entries.contains(id)).for_each(Rules::renew);
    }

    /// Everything is compiled anew.
    pub(super) fn touch_all(&mut self) {
        self.rules.iter_mut().for_each(Rules::renew);
    }

    pub(super) fn rules(&self, kind: RuleKind) -> (&IdSet, &Slot) {
        let rules = self.of(kind);
        (&rules.entries, &rules.compiled)
    }

    pub(super) fn version(&self, kind: RuleKind) -> u64 {
        self.of(kind).version
    }

    fn of(&self, kind: RuleKind) -> &Rules {
        let [passwords, binds, access, audits] = &self.rules;
        match kind {
            RuleKind::PasswordPolicy => passwords,
            RuleKind::BindRule => binds,
            RuleKind::AccessRule => access,
            RuleKind::AuditRule => audits,
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
