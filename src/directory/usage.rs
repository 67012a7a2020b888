//! How many entries use each attribute type and each object class, kept up with every change: whether a definition may go is decided
//! without looking at entries.

use std::collections::HashMap;
use std::sync::Arc;

use super::definitions::Fixed;
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Entry};

/// The attribute types of an entry, and its object classes as they are encoded.
type Kind<'a> = (Vec<AttributeTypeId>, &'a [u8]);

/// Counts by number. Copied when the first change after a clone comes: a few thousand octets.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Usage {
    types: Arc<Vec<u64>>,
    /// By index into [`Schema::object_classes`]: entries that list exactly this class.
    classes: Arc<Vec<u64>>,
}

impl Usage {
    pub(super) fn entries_with(&self, attribute_type: AttributeTypeId) -> u64 {
        self.types.get(attribute_type.0 as usize).copied().unwrap_or(0)
    }

    pub(super) fn entries_of(&self, class: usize) -> u64 {
        self.classes.get(class).copied().unwrap_or(0)
    }

    /// Counts all entries. Most have the same classes and attributes as others: those are resolved once.
    pub(super) fn build<'a>(fixed: &Fixed, entries: impl Iterator<Item = &'a Entry>) -> Usage {
        let mut kinds: HashMap<Kind<'a>, (&Entry, u64)> = HashMap::new();
        for entry in entries {
            let classes = fixed.object_class.and_then(|object_class| entry.attributes_of(object_class).next());
            let kind = (entry.attribute_types().collect(), classes.map(|it| it.encoded).unwrap_or_default());
            kinds.entry(kind).or_insert((entry, 0)).1 += 1;
        }
        let mut usage = Usage::default();
        for (entry, entries) in kinds.into_values() {
            usage.count(fixed, entry, |count| *count = count.saturating_add(entries));
        }
        usage
    }

    /// Follows one entry from what it was to what it is.
    pub(super) fn update(&mut self, fixed: &Fixed, old: Option<&Entry>, new: Option<&Entry>) {
        if let (Some(old), Some(new)) = (old, new)
            && old.attribute_types().eq(new.attribute_types())
            && classes_are_same(fixed, old, new)
        {
            return;
        }
        if let Some(entry) = old {
            self.count(fixed, entry, |count| *count = count.saturating_sub(1));
        }
        if let Some(entry) = new {
            self.count(fixed, entry, |count| *count = count.saturating_add(1));
        }
    }

    fn count(&mut self, fixed: &Fixed, entry: &Entry, count: impl Fn(&mut u64)) {
        let mut types: Vec<usize> = entry.attribute_types().map(|id| id.0 as usize).collect();
        let names = fixed.object_class.into_iter().flat_map(|object_class| entry.values(object_class));
        let classes =
            names.filter_map(|name| fixed.schema.class_with_superiors(std::str::from_utf8(name).ok()?).first().copied());
        let mut classes: Vec<usize> = classes.collect();
        for (numbers, counts) in [(&mut types, &mut self.types), (&mut classes, &mut self.classes)] {
            numbers.sort_unstable();
            numbers.dedup();
            let counts = Arc::make_mut(counts);
            if let Some(last) = numbers.last()
                && counts.len() <= *last
            {
                counts.resize(last + 1, 0);
            }
            for number in numbers {
                if let Some(of_number) = counts.get_mut(*number) {
                    count(of_number);
                }
            }
        }
    }

    /// The same counts for a schema in which types have the same numbers, but classes may not.
    pub(super) fn renumbered(&self, before: &Schema, after: &Schema) -> Usage {
        let mut classes = vec![0; after.object_classes().len()];
        for (class, count) in before.object_classes().iter().zip(self.classes.iter()) {
            let number = after.class_with_superiors(&class.oid).first();
            if let Some(of_class) = number.and_then(|number| classes.get_mut(*number)) {
                *of_class = *count;
            }
        }
        Usage { types: Arc::clone(&self.types), classes: Arc::new(classes) }
    }
}

pub(super) fn classes_are_same(fixed: &Fixed, old: &Entry, new: &Entry) -> bool {
    fixed.object_class.is_none_or(|object_class| {
        old.attributes_of(object_class).map(|it| it.encoded).eq(new.attributes_of(object_class).map(|it| it.encoded))
    })
}
