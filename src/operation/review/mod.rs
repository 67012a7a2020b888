//! Review campaigns: whether memberships are still needed is asked of reviewers until a day, and what nobody confirmed is suspended.
//!
//! ```text
//! add of a reviewCampaign ─► open (an item for each membership in its scope) ─► decide (add: reviewDecision)
//!                              │ turn (time): reminders, overdue
//!                              └─► turn (time): closed; open items are suspended ─► decide ─► restored
//! ```
//!
//! A membership that is suspended is not in its group's set, a grant that is suspended is in that state: nothing that reads memberships knows
//! of reviews. The item alone says what is to be put back. That time alone closes a campaign is seen at once, as with grants
//! ([`super::as_of`]).

pub(crate) mod decide;
pub(crate) mod open;
mod scope;
pub(crate) mod terms;
pub mod turn;

use super::context::Context;
use super::grant::{self, Writing, first, has_class, is_approver, is_governed, references};
use crate::directory::{Change, Directory, Membership, MembershipAttribute, Node};
use crate::model::{CampaignState, CampaignTimes, EntryId, GrantState};
use crate::policy::review::ItemState;

const CAMPAIGN: &str = "reviewCampaign";
const ITEM: &str = "reviewItem";

const GROUP: &str = "reviewGroup";
const MANAGER: &str = "reviewManager";
const APPLICATION: &str = "reviewApplication";
const REVIEWER: &str = "reviewReviewer";
const DUE_DATE: &str = "reviewDueDate";
const GRACE_DAYS: &str = "reviewGraceDays";
const REMINDER_DAYS: &str = "reviewReminderDays";
const DECISION: &str = "reviewDecision";

const STATE: &str = "reviewState";
const OPENED_TIME: &str = "reviewOpenedTime";
const REMINDED_TIME: &str = "reviewRemindedTime";
const CLOSED_TIME: &str = "reviewClosedTime";
const ITEM_COUNT: &str = "reviewItemCount";
const OPEN_COUNT: &str = "reviewOpenCount";

const MEMBER: &str = "reviewMember";
const GRANT: &str = "reviewGrant";
const MEMBER_ID: &str = "reviewMemberId";
const GROUP_ID: &str = "reviewGroupId";
const GRANT_ID: &str = "reviewGrantId";
const MEMBERSHIP: &str = "reviewMembership";
const ITEM_STATE: &str = "reviewItemState";
const REVIEWED_BY: &str = "reviewedBy";
const REVIEWED_TIME: &str = "reviewedTime";
const APPROVER_ID: &str = "reviewApproverId";
const NOT_AFTER: &str = "reviewMemberNotAfter";

/// What the server alone says of a campaign.
const SERVER_ONLY: [&str; 10] = [
    STATE,
    OPENED_TIME,
    REMINDED_TIME,
    CLOSED_TIME,
    ITEM_COUNT,
    OPEN_COUNT,
    "reviewConfirmedCount",
    "reviewRevokedCount",
    "reviewSuspendedCount",
    "reviewEndedCount",
];

/// Whether the server alone writes this attribute of campaigns, rules relaxed or not.
pub(crate) fn is_server_only(name: &str) -> bool {
    SERVER_ONLY.contains(&name)
}

/// The attribute that counts items in this state.
fn count_of(state: ItemState) -> &'static str {
    match state {
        ItemState::Open => OPEN_COUNT,
        ItemState::Confirmed => "reviewConfirmedCount",
        ItemState::Revoked => "reviewRevokedCount",
        ItemState::Suspended => "reviewSuspendedCount",
        ItemState::Ended | ItemState::Kept => "reviewEndedCount",
    }
}

/// A campaign as it is stored.
fn campaign(head: &Directory, node: &Node) -> Option<(CampaignState, CampaignTimes)> {
    head.campaign_of(&node.entry).filter(|_| has_class(head, node, CAMPAIGN))
}

/// How far an item is; none for any other entry.
pub(crate) fn item_state(head: &Directory, node: &Node) -> Option<ItemState> {
    ItemState::named(first(head, node, ITEM_STATE)?).filter(|_| has_class(head, node, ITEM))
}

/// A membership under review, as far as it is there.
struct Item<'a> {
    node: &'a Node,
    state: ItemState,
    group: Option<&'a Node>,
    /// Of the group.
    membership: Option<Membership>,
    /// The grant by which; none: by hand, or the grant is gone.
    grant: Option<&'a Node>,
    by_grant: bool,
}

impl<'a> Item<'a> {
    fn of(head: &'a Directory, node: &'a Node) -> Option<Item<'a>> {
        let state = item_state(head, node)?;
        let named = |name| references(head, node.id, name).first().and_then(|id| head.node(*id)).map(|node| &**node);
        Some(Item {
            node,
            state,
            group: named(GROUP),
            membership: membership(head, node),
            grant: named(GRANT),
            by_grant: first(head, node, GRANT_ID).is_some(),
        })
    }

    fn member(&self) -> Option<EntryId> {
        match self.membership {
            Some(Membership::Entry(_, id)) => Some(id),
            _ => None,
        }
    }

    /// What holds of it now: group, membership and the grant by which.
    fn holds(&self, head: &Directory) -> Option<(&'a Node, &Membership, Option<&'a Node>)> {
        let (group, membership) = (self.group?, self.membership.as_ref()?);
        if self.by_grant {
            let grant = self.grant.filter(|grant| grant_state(head, grant) == Some(GrantState::Active))?;
            return Some((group, membership, Some(grant)));
        }
        let by_grant = self.member().is_some_and(|member| grant::has_other(head, group.id, member, &[]));
        (head.has_membership(group.id, membership) && !by_grant).then_some((group, membership, None))
    }
}

fn grant_state(head: &Directory, grant: &Node) -> Option<GrantState> {
    head.grant_of(&grant.entry).map(|(state, _)| state)
}

/// The element of the group that an item is about; none where the entry is gone that was it.
fn membership(head: &Directory, item: &Node) -> Option<Membership> {
    let (name, value) = std::str::from_utf8(first(head, item, MEMBERSHIP)?).ok()?.split_once(": ")?;
    let attribute = MembershipAttribute::OF_GROUPS.into_iter().find(|it| it.name(head.schema()) == name)?;
    match references(head, item.id, MEMBER).first() {
        Some(member) => Some(Membership::Entry(attribute, *member)),
        None if first(head, item, MEMBER_ID).is_some() => None,
        None => head.resolve_member(attribute, value.as_bytes()).ok(),
    }
}

/// Whether somebody is to review an item: named by its campaign, at any depth. Where that names nobody: an approver or owner of the group, or
/// a manager whose people the campaign is about.
fn is_reviewer(head: &Directory, item: &Node, person: EntryId) -> bool {
    let Some(campaign) = item.parent else { return false };
    let reviewers = references(head, campaign, REVIEWER);
    if !reviewers.is_empty() {
        return is_among(head, &reviewers, person);
    }
    let of_group = |group: &EntryId| is_of_group(head, *group, person);
    references(head, campaign, MANAGER).contains(&person) || references(head, item.id, GROUP).iter().any(of_group)
}

fn is_of_group(head: &Directory, group: EntryId, person: EntryId) -> bool {
    let governed = head.node(group).is_some_and(|node| is_governed(head, node));
    (governed && is_approver(head, group, person)) || references(head, group, "owner").contains(&person)
}

/// Whether somebody is one of these, or in one of them at any depth.
fn is_among(head: &Directory, all: &[EntryId], person: EntryId) -> bool {
    all.contains(&person) || head.nested_groups_of(person).is_ok_and(|groups| all.iter().any(|it| groups.contains(*it)))
}

/// Whether somebody is to review something of a campaign, or this item of one: he may read it.
pub(crate) fn is_party(head: &Directory, node: &Node, person: EntryId) -> bool {
    if item_state(head, node).is_some() {
        return is_reviewer(head, node, person);
    }
    if campaign(head, node).is_none() {
        return false;
    }
    let reviewers = references(head, node.id, REVIEWER);
    if !reviewers.is_empty() {
        return is_among(head, &reviewers, person);
    }
    references(head, node.id, MANAGER).contains(&person)
        || references(head, node.id, GROUP).into_iter().any(|group| is_of_group(head, group, person))
}

/// The change that writes an entry, stamped where it is to be committed.
fn written(writing: Writing<'_>, context: Option<&Context>, csn_count: u32) -> Change {
    match context {
        Some(context) => writing.stamped(context, csn_count),
        None => writing.change(),
    }
}
