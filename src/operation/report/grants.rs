//! Ways into groups: plain memberships and grants, followed at any depth, each with the moment it began, whose hand it was and its end.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use super::{has_class, references, text, texts, time};
use crate::directory::{Directory, Membership, MembershipAttribute, Node};
use crate::model::{EntryId, Timestamp};

/// Groups that are followed for one account.
const MOST_GROUPS: usize = 10_000;

/// One way from an element into a group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Way {
    pub(super) since: Timestamp,
    pub(super) by: Arc<str>,
    pub(super) until: Option<Timestamp>,
}

/// When something ends; never comes last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct End(Option<Timestamp>);

impl Ord for End {
    fn cmp(&self, other: &End) -> Ordering {
        let place = |end: &End| (end.0.is_none(), end.0);
        place(self).cmp(&place(other))
    }
}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &End) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How somebody got into a group.
pub(super) struct Reached {
    pub(super) way: Way,
    /// The group that the account itself is in; none: this one.
    pub(super) through: Option<EntryId>,
}

/// A grant's entry.
pub(super) struct Grant {
    pub(super) group: EntryId,
    pub(super) member: EntryId,
    pub(super) way: Way,
    pub(super) state: String,
}

/// The grants of a directory that are good at a moment.
#[derive(Default)]
pub(super) struct Grants {
    by_member: HashMap<EntryId, Vec<Grant>>,
    at: Timestamp,
}

impl Grants {
    pub(super) fn of(directory: &Directory, at: Timestamp) -> Grants {
        let mut grants = Grants { at, ..Grants::default() };
        if directory.schema().attribute_type("grantMember").is_none() {
            return grants;
        }
        for node in directory.nodes().filter(|node| has_class(directory, node, &["accessGrant"])) {
            for grant in read(directory, node).into_iter().filter(|grant| is_good(directory, node, grant, at)) {
                grants.by_member.entry(grant.member).or_default().push(grant);
            }
        }
        grants
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Grant> {
        self.by_member.values().flatten()
    }

    /// The groups that have the element itself.
    fn ways(&self, directory: &Directory, element: EntryId) -> Vec<(EntryId, Way)> {
        let granted = self.by_member.get(&element).into_iter().flatten();
        let mut ways: Vec<(EntryId, Way)> = granted.map(|grant| (grant.group, grant.way.clone())).collect();
        for group in directory.groups_of(element) {
            if ways.iter().any(|(granted, _)| *granted == group) {
                continue;
            }
            let of = |attribute| directory.membership_grant(group, &Membership::Entry(attribute, element));
            let grant = of(MembershipAttribute::Member).or_else(|| of(MembershipAttribute::UniqueMember));
            let grant = grant.filter(|grant| grant.until.is_none_or(|until| self.at < until));
            ways.extend(grant.map(|grant| (group, Way { since: grant.since, by: grant.by, until: grant.until })));
        }
        ways
    }

    /// Every group that an account is in at any depth: by the way that was open first, until the last of all ways ends. A way is as old as its
    /// youngest step, and ends with the first of its steps that ends.
    pub(super) fn groups_of(&self, directory: &Directory, account: EntryId) -> BTreeMap<EntryId, Reached> {
        let mut reached: BTreeMap<EntryId, Reached> = BTreeMap::new();
        let lasting = self.ends_of(directory, account);
        let mut waiting = BinaryHeap::new();
        for (group, way) in self.ways(directory, account) {
            waiting.push(Reverse((way, group, None)));
        }
        while let Some(Reverse((way, group, through))) = waiting.pop() {
            if reached.contains_key(&group) || reached.len() >= MOST_GROUPS {
                continue;
            }
            for (outer, step) in self.ways(directory, group) {
                let younger = if step.since >= way.since { &step } else { &way };
                let way = Way { since: younger.since, by: Arc::clone(&younger.by), until: None };
                waiting.push(Reverse((way, outer, through.or(Some(group)))));
            }
            let until = lasting.get(&group).and_then(|end| end.0);
            reached.insert(group, Reached { way: Way { until, ..way }, through });
        }
        reached
    }

    /// When the last way into each group ends.
    fn ends_of(&self, directory: &Directory, account: EntryId) -> BTreeMap<EntryId, End> {
        let mut ends: BTreeMap<EntryId, End> = BTreeMap::new();
        let mut waiting: BinaryHeap<(End, EntryId)> =
            self.ways(directory, account).into_iter().map(|(group, way)| (End(way.until), group)).collect();
        while let Some((end, group)) = waiting.pop() {
            if ends.contains_key(&group) || ends.len() >= MOST_GROUPS {
                continue;
            }
            waiting.extend(self.ways(directory, group).into_iter().map(|(outer, step)| (end.min(End(step.until)), outer)));
            ends.insert(group, end);
        }
        ends
    }
}

fn read(directory: &Directory, node: &Node) -> Vec<Grant> {
    let Some(group) = node.parent else { return Vec::new() };
    let approved = texts(directory, node, "grantApprovedBy");
    let by = if approved.is_empty() { texts(directory, node, "grantRequestedBy") } else { approved };
    let begins = ["grantApprovedTime", "grantNotBefore", "grantRequestedTime", "createTimestamp"];
    let since = begins[..2].iter().filter_map(|name| time(directory, node, name)).max();
    let since = since.or_else(|| begins.iter().find_map(|name| time(directory, node, name))).unwrap_or_default();
    let way = Way { since, by: by.join(" and ").into(), until: time(directory, node, "grantNotAfter") };
    let state = text(directory, node, "grantState").unwrap_or_default();
    let members = references(directory, node, "grantMember").into_iter().flatten();
    members.map(|member| Grant { group, member, way: way.clone(), state: state.clone() }).collect()
}

/// By its state and by time: whoever looks does not wait for the state to be written.
fn is_good(directory: &Directory, node: &Node, grant: &Grant, at: Timestamp) -> bool {
    let began = time(directory, node, "grantNotBefore").is_none_or(|begin| at >= begin);
    let goes_on = grant.way.until.is_none_or(|end| at < end);
    matches!(grant.state.as_str(), "active" | "scheduled") && began && goes_on
}
