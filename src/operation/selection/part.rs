//! Parts of computed attributes that are asked for under names of their own: `member;range=0-1499`, as Active Directory has it, and
//! `memberOf;x-nested`.

use bytes::Bytes;

use crate::directory::{Computed, Directory, MembershipAttribute, Node};

/// One of them.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Values from one place to another, from 0, both included; to the last one where there is no end.
    Range { of: Ranged, name: String, first: usize, last: Option<usize> },
    /// The groups at any depth, under this description.
    NestedGroups(String),
}

/// What can be read in ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ranged {
    Members(MembershipAttribute),
    Groups,
}

impl Part {
    /// Reads a description of this kind; none for any other.
    pub(super) fn parse(directory: &Directory, asked: &str) -> Option<Part> {
        let (name, option) = asked.split_once(';')?;
        let attribute_type = directory.schema().attribute_type(name)?;
        let computed = directory.computed(attribute_type.id)?;
        if computed == Computed::MemberOf && option.eq_ignore_ascii_case(Computed::NESTED) {
            return Some(Part::NestedGroups(format!("{};{}", attribute_type.name(), Computed::NESTED)));
        }
        let of = match computed {
            Computed::Members(attribute) => Ranged::Members(attribute),
            Computed::MemberOf => Ranged::Groups,
            _ => return None,
        };
        let (keyword, range) = option.split_once('=')?;
        let (first, last) = range.split_once('-').filter(|_| keyword.eq_ignore_ascii_case("range"))?;
        let first = first.parse().ok()?;
        let last = if last == "*" { None } else { Some(last.parse().ok()?) };
        let is_range = last.is_none_or(|last| first <= last);
        is_range.then(|| Part::Range { of, name: attribute_type.name().to_owned(), first, last })
    }

    /// Whether both are parts of the same attribute: one list gives one of them, or it could ask for the same values over and over.
    pub(super) fn is_of_same(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Range { of, .. }, Part::Range { of: other, .. }) => of == other,
            (Part::NestedGroups(_), Part::NestedGroups(_)) => true,
            _ => false,
        }
    }

    /// What it is a part of.
    pub(super) fn computed(&self) -> Computed {
        match self {
            Part::Range { of: Ranged::Members(attribute), .. } => Computed::Members(*attribute),
            Part::Range { of: Ranged::Groups, .. } | Part::NestedGroups(_) => Computed::MemberOf,
        }
    }

    /// Description and values; none where the entry has none. Groups at any depth are left out where following them would cost too much.
    pub(super) fn read(&self, directory: &Directory, node: &Node) -> Option<(String, Vec<Bytes>)> {
        match self {
            Part::Range { of, name, first, last } => {
                let most = last.map_or(usize::MAX, |last| (last - first).saturating_add(1));
                let (count, values) = of.read(directory, node, *first, most);
                let end = match last {
                    Some(last) if last.saturating_add(1) < count => last.to_string(),
                    _ => "*".to_owned(),
                };
                (count > 0).then(|| (format!("{name};range={first}-{end}"), values))
            }
            Part::NestedGroups(description) => {
                let groups = directory.nested_groups_of(node.id).ok().filter(|groups| !groups.is_empty())?;
                Some((description.clone(), groups.iter().map(|group| directory.dn_text(group).into()).collect()))
            }
        }
    }
}

impl Ranged {
    /// How many values there are, and some of them. Listed members cost what is read of them; where computed ones are among them, all are
    /// made, as are the groups of an entry.
    fn read(self, directory: &Directory, node: &Node, skip: usize, most: usize) -> (usize, Vec<Bytes>) {
        match self {
            Ranged::Members(MembershipAttribute::Member) if directory.is_dynamic(node) => {
                let all = directory.all_member_values(node);
                (all.len(), all.into_iter().skip(skip).take(most).collect())
            }
            Ranged::Members(attribute) => {
                (directory.member_count(node.id, attribute), directory.some_member_values(node.id, attribute, skip, most))
            }
            Ranged::Groups => {
                let groups = directory.all_groups_of(node.id);
                let some = groups.skip(skip).take(most).map(|group| directory.dn_text(group).into()).collect();
                (groups.len(), some)
            }
        }
    }
}
