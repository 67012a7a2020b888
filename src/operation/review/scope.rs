//! What a campaign is about: each membership of its groups, of the people of its managers, and of the groups that let log in through its
//! applications.

use std::collections::BTreeSet;

use super::super::grant::{first, references};
use crate::directory::{Directory, Membership, MembershipAttribute, RuleKind};
use crate::model::{EntryId, GrantState};

/// Items of one campaign: they are suspended in one commit.
pub(super) const MOST_ITEMS: usize = 5_000;

/// What a campaign names.
pub(super) struct Scope {
    pub(super) groups: Vec<EntryId>,
    pub(super) managers: Vec<EntryId>,
    pub(super) applications: Vec<EntryId>,
}

/// One membership, and the grant by which.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Found {
    pub(super) group: EntryId,
    pub(super) membership: Membership,
    pub(super) grant: Option<EntryId>,
}

/// There are more than [`MOST_ITEMS`].
pub(super) struct TooMany;

/// All of them, each once, group by group.
pub(super) fn find(head: &Directory, scope: &Scope) -> Result<BTreeSet<Found>, TooMany> {
    let mut all = BTreeSet::new();
    let of_applications = scope.applications.iter().flat_map(|application| groups_of_application(head, *application));
    let groups: BTreeSet<EntryId> = scope.groups.iter().copied().chain(of_applications).collect();
    for group in groups {
        for attribute in MembershipAttribute::OF_GROUPS {
            for membership in head.memberships(group, attribute) {
                take(head, group, membership, &mut all)?;
            }
        }
    }
    let manager = head.schema().attribute_type("manager").and_then(MembershipAttribute::of_type);
    let people = scope.managers.iter().filter_map(|id| Some(head.holders(manager?, *id)));
    for person in people.flat_map(|people| people.iter().collect::<Vec<_>>()) {
        for (group, membership) in head.memberships_held_by(person) {
            if MembershipAttribute::OF_GROUPS.contains(&membership.attribute()) {
                take(head, group, membership, &mut all)?;
            }
        }
    }
    Ok(all)
}

fn take(head: &Directory, group: EntryId, membership: Membership, all: &mut BTreeSet<Found>) -> Result<(), TooMany> {
    let grants = match &membership {
        Membership::Entry(MembershipAttribute::Member, member) => active_grants(head, group, *member),
        _ => Vec::new(),
    };
    if grants.is_empty() {
        all.insert(Found { group, membership, grant: None });
    } else {
        all.extend(grants.into_iter().map(|grant| Found { group, membership: membership.clone(), grant: Some(grant) }));
    }
    if all.len() > MOST_ITEMS { Err(TooMany) } else { Ok(()) }
}

fn active_grants(head: &Directory, group: EntryId, member: EntryId) -> Vec<EntryId> {
    let grants = super::super::grant::grants_of(head, member).into_iter();
    let active = grants.filter(|node| node.parent == Some(group) && super::grant_state(head, node) == Some(GrantState::Active));
    active.map(|node| node.id).collect()
}

/// The groups that a bind rule lets log in through an application.
fn groups_of_application(head: &Directory, application: EntryId) -> Vec<EntryId> {
    let lets_in = |id: &EntryId| {
        let is_denied =
            head.node(*id).and_then(|node| first(head, node, "bindEffect")).is_none_or(|it| it.eq_ignore_ascii_case(b"deny"));
        !is_denied && references(head, *id, "bindApplication").contains(&application)
    };
    let rules = head.rule_entries(RuleKind::BindRule).iter().filter(lets_in);
    rules.flat_map(|rule| references(head, rule, "bindGroup")).collect()
}
