//! The membership set of one group while a request changes it: a difference to the set on the directory, which may have hundreds of
//! thousands of elements and is never copied.

use std::collections::HashMap;

use crate::directory::{Change, Directory, Membership, MembershipAttribute};
use crate::model::schema::SyntaxError;
use crate::model::{EntryId, Timestamp};

/// What tells elements apart: two spellings of one name are one element.
#[derive(Clone, PartialEq, Eq, Hash)]
enum ElementKey {
    Entry(MembershipAttribute, EntryId),
    Outside(MembershipAttribute, Box<[u8]>),
}

impl ElementKey {
    fn of(membership: &Membership) -> ElementKey {
        match membership {
            Membership::Entry(attribute, id) => ElementKey::Entry(*attribute, *id),
            Membership::Outside { attribute, key, .. } => ElementKey::Outside(*attribute, key.clone()),
        }
    }
}

/// The changes so far.
pub(crate) struct MemberDraft<'a> {
    head: &'a Directory,
    /// None for an entry that is being added.
    group: Option<EntryId>,
    /// In the order first touched: the element and whether it is in now.
    touched: Vec<(Membership, bool)>,
    places: HashMap<ElementKey, usize>,
}

impl<'a> MemberDraft<'a> {
    /// Nothing changed yet.
    pub(crate) fn new(head: &'a Directory, group: Option<EntryId>) -> MemberDraft<'a> {
        MemberDraft { head, group, touched: Vec::new(), places: HashMap::new() }
    }

    /// The element a value stands for.
    pub(crate) fn resolve(&self, attribute: MembershipAttribute, value: &[u8]) -> Result<Membership, SyntaxError> {
        self.head.resolve_member(attribute, value)
    }

    /// Whether an element is in, changes so far included.
    pub(crate) fn contains(&self, membership: &Membership) -> bool {
        match self.places.get(&ElementKey::of(membership)).and_then(|&place| self.touched.get(place)) {
            Some((_, present)) => *present,
            None => self.had(membership),
        }
    }

    fn had(&self, membership: &Membership) -> bool {
        self.group.is_some_and(|group| self.head.has_membership(group, membership))
    }

    /// How many elements are read through this attribute, changes so far included.
    pub(crate) fn count(&self, attribute: MembershipAttribute) -> usize {
        let before = self.group.map_or(0, |group| self.head.member_count(group, attribute));
        self.touched.iter().filter(|(membership, _)| membership.attribute() == attribute).fold(
            before,
            |count, (membership, present)| match (self.had(membership), *present) {
                (false, true) => count.saturating_add(1),
                (true, false) => count.saturating_sub(1),
                _ => count,
            },
        )
    }

    /// The attributes that have or had elements, each once.
    pub(crate) fn attributes(&self) -> Vec<MembershipAttribute> {
        let mut attributes = self.group.map(|group| self.head.membership_attributes(group)).unwrap_or_default();
        attributes.extend(self.touched.iter().map(|(membership, _)| membership.attribute()));
        attributes.sort_unstable();
        attributes.dedup();
        attributes
    }

    /// The value of an element, put in by this request, that is no entry here.
    pub(crate) fn first_outside(&self, attribute: MembershipAttribute) -> Option<&[u8]> {
        self.touched.iter().find_map(|(membership, present)| match membership {
            Membership::Outside { attribute: of, value, .. } if *of == attribute && *present => Some(value.as_ref()),
            _ => None,
        })
    }

    /// What this request changes: elements and whether they are in afterwards.
    pub(crate) fn differences(&self) -> impl Iterator<Item = (&Membership, bool)> {
        let differences = self.touched.iter().filter(|(membership, present)| self.had(membership) != *present);
        differences.map(|(membership, present)| (membership, *present))
    }

    /// The elements of a small attribute that are entries, changes so far included.
    pub(crate) fn entries(&self, attribute: MembershipAttribute) -> Vec<EntryId> {
        let before = self.group.into_iter().flat_map(|group| self.head.memberships(group, attribute));
        let touched = self.touched.iter().map(|(membership, _)| membership.clone());
        let all = before.chain(touched).filter(|it| it.attribute() == attribute && self.contains(it));
        let mut found: Vec<EntryId> =
            all.filter_map(|it| if let Membership::Entry(_, id) = it { Some(id) } else { None }).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Puts an element in or takes it out; says whether that changed anything.
    pub(crate) fn set(&mut self, membership: Membership, present: bool) -> bool {
        if self.contains(&membership) == present {
            return false;
        }
        let key = ElementKey::of(&membership);
        match self.places.get(&key).and_then(|&place| self.touched.get_mut(place)) {
            Some(touched) => touched.1 = present,
            None => {
                self.places.insert(key, self.touched.len());
                self.touched.push((membership, present));
            }
        }
        true
    }

    /// Makes these the only elements of the attribute.
    pub(crate) fn replace(&mut self, attribute: MembershipAttribute, elements: Vec<Membership>) {
        let wanted: std::collections::HashSet<ElementKey> = elements.iter().map(ElementKey::of).collect();
        let before: Vec<Membership> =
            self.group.map(|group| self.head.memberships(group, attribute).collect()).unwrap_or_default();
        let touched = self.touched.iter().map(|(membership, _)| membership.clone());
        let there: Vec<Membership> = touched.filter(|membership| membership.attribute() == attribute).chain(before).collect();
        for membership in there {
            if !wanted.contains(&ElementKey::of(&membership)) {
                self.set(membership, false);
            }
        }
        for membership in elements {
            self.set(membership, true);
        }
    }

    /// The changes that take the directory's set to this one, for the entry with this number.
    pub(crate) fn changes(&self, group: EntryId, since: Timestamp, by: &str) -> Vec<Change> {
        self.differences()
            .map(|(membership, present)| match present {
                true => Change::PutMembership { group, membership: membership.clone(), since, by: by.to_owned() },
                false => Change::RemoveMembership { group, membership: membership.clone() },
            })
            .collect()
    }
}

/// The index of the first element that stands in the list twice.
pub(crate) fn first_given_twice(elements: &[Membership]) -> Option<usize> {
    let mut seen = HashMap::with_capacity(elements.len());
    elements.iter().enumerate().find_map(|(index, element)| seen.insert(ElementKey::of(element), index))
}
