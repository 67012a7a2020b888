//! What time alone makes of campaigns: reminders, the due date, and the close, at which what nobody confirmed is suspended.

use std::collections::{HashMap, HashSet};

use super::super::grant::{APPROVER_ID as GRANT_APPROVER_ID, Writing, effects, leave, number, state_effect, values};
use super::{
    APPROVER_ID, CLOSED_TIME, ITEM_COUNT, ITEM_STATE, Item, NOT_AFTER, OPEN_COUNT, REMINDED_TIME, STATE, campaign, count_of,
    item_state, written,
};
use crate::directory::{Change, Directory, Membership, Node};
use crate::journal::{Record, RecordKind, RecordedEffect};
use crate::model::{CampaignState, CampaignTimes, EntryId, GrantState, Timestamp};
use crate::operation::context::administrators;
use crate::operation::{Context, record};
use crate::policy::review::ItemState;

/// Why there is a record of a campaign: the reasons that the state of the server tells of, too.
pub const REMINDER: &str = "review due soon";
/// It is late.
pub const OVERDUE: &str = "review overdue";
/// What nobody confirmed is suspended.
pub const CLOSED: &str = "review closed";

/// What became of a campaign.
pub(crate) struct Turned {
    pub(crate) changes: Vec<Change>,
    /// One of the campaign, and before it one of each item that nobody confirmed; none where nothing is to be committed.
    pub(crate) records: Vec<Record>,
}

/// One step of a campaign; none for any other entry. `context`: to stamp it with.
pub(crate) fn turn(head: &Directory, id: EntryId, now: Timestamp, context: Option<&Context>) -> Option<Turned> {
    let node = head.node(id)?;
    let (state, times) = campaign(head, node)?;
    let after = times.state(state, now);
    let mut turned = Turned { changes: Vec::new(), records: Vec::new() };
    let mut writing = Writing::new(head, node);
    writing.set(STATE, vec![after.name().to_owned()]);
    writing.set(REMINDED_TIME, vec![now.to_generalized_time_micros()]);
    if after == CampaignState::Closed {
        let counts = close(head, node, context, &mut turned);
        writing.set(CLOSED_TIME, vec![times.closes.to_generalized_time()]);
        for (name, count) in counts {
            writing.set(name, vec![count.to_string()]);
        }
    }
    turned.changes.push(written(writing, context, 0));
    if context.is_some() {
        let record = of_campaign(head, node, &times, after, &turned);
        turned.records.push(record);
    }
    Some(turned)
}

fn of_campaign(head: &Directory, node: &Node, times: &CampaignTimes, after: CampaignState, turned: &Turned) -> Record {
    let count = |name| number(head, node, name).unwrap_or(0).to_string();
    let mut record = Record::new(RecordKind::Review);
    record.target = record::named(head, node.id);
    record.reason = Some(match after {
        CampaignState::Open => REMINDER,
        CampaignState::Overdue => OVERDUE,
        CampaignState::Closed => CLOSED,
    });
    record.details = vec![
        ("reviewState", after.name().to_owned()),
        ("due", times.due.to_rfc3339()),
        ("closes", times.closes.to_rfc3339()),
        ("items", count(ITEM_COUNT)),
    ];
    record.details.push(match after {
        CampaignState::Closed => ("notConfirmed", turned.records.len().to_string()),
        _ => ("open", count(OPEN_COUNT)),
    });
    record
}

/// An open item at the close, and what is to become of it.
struct Closing<'a> {
    item: Item<'a>,
    after: ItemState,
    grant: Option<&'a Node>,
}

/// Takes every open item to its end; what there is of each kind afterwards.
fn close(head: &Directory, campaign: &Node, context: Option<&Context>, turned: &mut Turned) -> Vec<(&'static str, usize)> {
    let mut counts: HashMap<&'static str, usize> =
        ItemState::ALL.iter().filter(|state| **state != ItemState::Kept).map(|state| (count_of(*state), 0)).collect();
    let mut closing = Vec::new();
    for node in head.children(campaign.id).filter_map(|id| head.node(id)) {
        match item_state(head, node) {
            Some(ItemState::Open) => closing.extend(of_open(head, node)),
            Some(state) => *counts.entry(count_of(state)).or_default() += 1,
            None => {}
        }
    }
    keep_administrators(head, &mut closing);
    let mut grants: HashMap<(EntryId, EntryId), Vec<EntryId>> = HashMap::new();
    for it in closing.iter().filter(|it| it.after == ItemState::Suspended) {
        if let (Some(grant), Some(group), Some(member)) = (it.grant, it.item.group, it.item.member()) {
            grants.entry((group.id, member)).or_default().push(grant.id);
        }
    }
    let mut left = HashSet::new();
    for it in &closing {
        *counts.entry(count_of(it.after)).or_default() += 1;
        let (changes, effects) = end(head, it, &grants, &mut left, context);
        turned.changes.extend(changes);
        if context.is_some() {
            turned.records.push(of_item(head, campaign, it, effects));
        }
    }
    counts.into_iter().collect()
}

fn of_open<'a>(head: &'a Directory, node: &'a Node) -> Option<Closing<'a>> {
    let item = Item::of(head, node)?;
    let (after, grant) = match item.holds(head) {
        Some((_, _, grant)) => (ItemState::Suspended, grant),
        None => (ItemState::Ended, None),
    };
    Some(Closing { item, after, grant })
}

/// Where nobody would be an administrator any more, those who are stay: a review that nobody did locks nobody out.
fn keep_administrators(head: &Directory, closing: &mut [Closing<'_>]) {
    let group = administrators_group(head);
    let of_group =
        |it: &Closing<'_>| it.after == ItemState::Suspended && it.item.group.map(|it| it.id) == group && group.is_some();
    let suspended: HashSet<EntryId> = closing.iter().filter(|it| of_group(it)).filter_map(|it| it.item.member()).collect();
    if suspended.is_empty() || administrators(head).any(|id| !suspended.contains(&id)) {
        return;
    }
    closing.iter_mut().filter(|it| of_group(it)).for_each(|it| it.after = ItemState::Kept);
}

fn administrators_group(head: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| head.child(parent, &crate::model::Rdn::parse(name.as_bytes()).ok()?);
    ["ou=roles", "cn=administrators"].iter().try_fold(head.suffix_entry()?, below)
}

/// What ends an item, and what groups and grants lose by it.
fn end(
    head: &Directory,
    it: &Closing<'_>,
    grants: &HashMap<(EntryId, EntryId), Vec<EntryId>>,
    left: &mut HashSet<(EntryId, Membership)>,
    context: Option<&Context>,
) -> (Vec<Change>, Vec<RecordedEffect>) {
    let mut writing = Writing::new(head, it.item.node);
    writing.set(ITEM_STATE, vec![it.after.name().to_owned()]);
    let (mut changes, mut found) = (Vec::new(), Vec::new());
    if let (ItemState::Suspended, Some(group), Some(membership)) = (it.after, it.item.group, &it.item.membership) {
        let lost = match (it.grant, it.item.member()) {
            (Some(grant), Some(member)) => {
                let approvers = values(head, grant, GRANT_APPROVER_ID).into_iter();
                writing.set(APPROVER_ID, approvers.map(|it| String::from_utf8_lossy(it).into_owned()).collect());
                let mut of_grant = Writing::new(head, grant);
                of_grant.suspend("not confirmed in a review");
                changes.push(written(of_grant, context, 0));
                found.extend(state_effect(head, grant.id, GrantState::Suspended));
                leave(head, group.id, member, grants.get(&(group.id, member)).map(Vec::as_slice).unwrap_or_default())
            }
            _ => {
                let end = head.membership_grant(group.id, membership).and_then(|grant| grant.until);
                writing.set(NOT_AFTER, end.map(Timestamp::to_generalized_time_micros).into_iter().collect());
                vec![Change::RemoveMembership { group: group.id, membership: membership.clone() }]
            }
        };
        // Of two grants for one group the first one takes the member along.
        if left.insert((group.id, membership.clone())) {
            found.extend(effects(head, &lost));
            changes.extend(lost);
        }
    }
    changes.push(written(writing, context, 0));
    (changes, found)
}

fn of_item(head: &Directory, campaign: &Node, it: &Closing<'_>, effects: Vec<RecordedEffect>) -> Record {
    let mut record = Record::new(RecordKind::Review);
    record.target = record::named(head, it.item.node.id);
    record.effects = effects;
    record.details = vec![("campaign", head.dn_text(campaign.id))];
    if let (Some(group), Some(membership)) = (it.item.group, &it.item.membership) {
        record.details.push(("group", head.dn_text(group.id)));
        record.details.push(("member", String::from_utf8_lossy(&head.member_value(membership)).into_owned()));
    }
    record.details.push(("before", ItemState::Open.name().to_owned()));
    record.details.push(("after", it.after.name().to_owned()));
    record
}
