//! The membership set of one group while a request changes it: a difference to the set on the directory, which may have hundreds of
//! thousands of elements and is never copied.

use std::collections::HashMap;

use super::draft::CheckedAttribute;
use super::grant::governed::timed;
use super::refusal::Refusal;
use crate::directory::{Change, Directory, Membership, MembershipAttribute};
use crate::model::schema::SyntaxError;
use crate::model::{EntryId, ResultCode, Timestamp, Value};

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
    /// Of elements that were put in: when their memberships end.
    ends: HashMap<ElementKey, Timestamp>,
    /// When this is decided; none: no value here says how long a membership lasts.
    now: Option<Timestamp>,
}

impl<'a> MemberDraft<'a> {
    /// Nothing changed yet.
    pub(crate) fn new(head: &'a Directory, group: Option<EntryId>) -> MemberDraft<'a> {
        MemberDraft { head, group, touched: Vec::new(), places: HashMap::new(), ends: HashMap::new(), now: None }
    }

    /// Values may say for how long from now on (`<TTL=seconds,DN>`).
    pub(crate) fn decided_at(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// The element that a value to be put in stands for, and when its membership is to end.
    fn resolve_timed(
        &self,
        attribute: MembershipAttribute,
        value: &[u8],
    ) -> Result<(Membership, Option<Timestamp>), SyntaxError> {
        let may_end = matches!(attribute, MembershipAttribute::Member | MembershipAttribute::UniqueMember);
        match self.now.filter(|_| may_end).zip(timed(value)) {
            Some((now, (seconds, name))) => {
                let end = Timestamp(now.0.saturating_add(seconds.saturating_mul(1_000_000)));
                Ok((self.resolve(attribute, name)?, Some(end)))
            }
            None => Ok((self.resolve(attribute, value)?, None)),
        }
    }

    /// Takes an end as memberNotAfter tells it: when, by which attribute, whose. What says no such thing says nothing.
    pub(crate) fn keep_end(&mut self, value: &[u8]) {
        let mut words = value.splitn(3, |octet| *octet == b' ');
        let (Some(until), Some(attribute), Some(name)) = (words.next(), words.next(), words.next()) else { return };
        let schema = self.head.schema();
        let attribute = std::str::from_utf8(attribute).ok().and_then(|name| schema.attribute_type(name));
        let element = attribute.and_then(MembershipAttribute::of_type).and_then(|members| self.resolve(members, name).ok());
        if let (Ok(until), Some(element)) = (Timestamp::from_generalized_time(until), element) {
            self.set_end(&element, until);
        }
    }

    /// The elements that the values of a request stand for: 21 for a value that is none, 20 for one that comes twice. `may_end`: a value may
    /// say for how long.
    pub(crate) fn read(
        &self,
        attribute: &CheckedAttribute<'_>,
        members: MembershipAttribute,
        values: &[Value],
        may_end: bool,
    ) -> Result<Vec<(Membership, Option<Timestamp>)>, Refusal> {
        let mut elements = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let read = match may_end {
                true => self.resolve_timed(members, value),
                false => self.resolve(members, value).map(|element| (element, None)),
            };
            elements.push(read.map_err(|_| {
                let text = format!("{}: value #{index} invalid per syntax", attribute.name());
                Refusal::new(ResultCode::InvalidAttributeSyntax, text)
            })?);
        }
        match first_given_twice(&elements) {
            Some(first) => Err(attribute.exists(format!("value #{first} provided more than once"))),
            None => Ok(elements),
        }
    }

    /// When the membership of an element that is put in ends.
    pub(crate) fn set_end(&mut self, membership: &Membership, until: Timestamp) {
        self.ends.insert(ElementKey::of(membership), until);
    }

    /// The element a value stands for.
    fn resolve(&self, attribute: MembershipAttribute, value: &[u8]) -> Result<Membership, SyntaxError> {
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

    /// The elements that were in and stay, with another end than they had, or none where they had one.
    pub(crate) fn other_ends(&self) -> impl Iterator<Item = &Membership> {
        let present = self.touched.iter().filter(|(_, present)| *present).map(|(membership, _)| membership);
        present.filter(|membership| {
            let before = self.group.and_then(|group| self.head.membership_grant(group, membership));
            before.is_some_and(|before| before.until != self.ends.get(&ElementKey::of(membership)).copied())
        })
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
        if !present && !self.ends.is_empty() {
            self.ends.remove(&key);
        }
        match self.places.get(&key).and_then(|&place| self.touched.get_mut(place)) {
            Some(touched) => touched.1 = present,
            None => {
                self.places.insert(key, self.touched.len());
                self.touched.push((membership, present));
            }
        }
        true
    }

    /// Makes these the only elements of the attribute. Who is in already keeps the end that the membership has, unless it is given another one.
    pub(crate) fn replace(&mut self, attribute: MembershipAttribute, elements: Vec<(Membership, Option<Timestamp>)>) {
        let wanted: std::collections::HashSet<ElementKey> = elements.iter().map(|(element, _)| ElementKey::of(element)).collect();
        let before: Vec<Membership> =
            self.group.map(|group| self.head.memberships(group, attribute).collect()).unwrap_or_default();
        let touched = self.touched.iter().map(|(membership, _)| membership.clone());
        let there: Vec<Membership> = touched.filter(|membership| membership.attribute() == attribute).chain(before).collect();
        for membership in there {
            if !wanted.contains(&ElementKey::of(&membership)) {
                self.set(membership, false);
            }
        }
        for (membership, until) in elements {
            if let Some(until) = until {
                self.set(membership.clone(), false);
                self.set_end(&membership, until);
            }
            self.set(membership, true);
        }
    }

    /// The changes that take the directory's set to this one, for the entry with this number.
    pub(crate) fn changes(&self, group: EntryId, since: Timestamp, by: &str) -> Vec<Change> {
        let of_element = |(membership, present): &(Membership, bool)| {
            let membership = membership.clone();
            let before = self.group.and_then(|group| self.head.membership_grant(group, &membership));
            let until = self.ends.get(&ElementKey::of(&membership)).copied();
            match (before, *present) {
                (None, false) => None,
                (Some(_), false) => Some(Change::RemoveMembership { group, membership }),
                (None, true) => Some(Change::PutMembership { group, membership, since, by: by.to_owned(), until }),
                // Taken out and put in again: a member since then as before, until when it is said now.
                (Some(before), true) if before.until == until => None,
                (Some(before), true) => {
                    Some(Change::PutMembership { group, membership, since: before.since, by: by.to_owned(), until })
                }
            }
        };
        self.touched.iter().filter_map(of_element).collect()
    }
}

/// The index of the first element that stands in the list twice.
fn first_given_twice(elements: &[(Membership, Option<Timestamp>)]) -> Option<usize> {
    let mut seen = HashMap::with_capacity(elements.len());
    elements.iter().enumerate().find_map(|(index, (element, _))| seen.insert(ElementKey::of(element), index))
}
