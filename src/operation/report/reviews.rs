//! Reviews: campaigns in progress item by item, what a closed one suspended, and grants whose review is late (grantReviewDays).

use super::{DAY, ReportKind, Reporting, Table, has_class, moment, references, text, texts, time};
use crate::directory::{Directory, Node};
use crate::model::{CampaignState, EntryId, GrantState, Timestamp};
use crate::operation::review;
use crate::policy::review::ItemState;

/// Found is what is late, and what was suspended or kept because nobody looked at it.
pub(super) fn table(reporting: &Reporting<'_>) -> Table {
    let mut rows = Vec::new();
    let mut found = false;
    for node in reporting.directory.nodes() {
        if let Some((state, times)) = reporting.directory.campaign_of(&node.entry) {
            found |= campaign(reporting, node, times.state(state, reporting.at), times.due, &mut rows);
        } else if let Some(row) = late_grant(reporting, node) {
            rows.push(row);
            found = true;
        }
    }
    Table { found, ..Table::new(ReportKind::Reviews, rows) }
}

fn campaign(reporting: &Reporting<'_>, node: &Node, state: CampaignState, due: Timestamp, rows: &mut Vec<Vec<String>>) -> bool {
    let directory = reporting.directory;
    let mut found = false;
    for item in directory.children(node.id).filter_map(|id| directory.node(id)) {
        let Some(decision) = review::item_state(directory, item) else { continue };
        let is_left = matches!(decision, ItemState::Suspended | ItemState::Kept);
        if state == CampaignState::Closed && !is_left {
            continue;
        }
        found |= is_left || (state == CampaignState::Overdue && decision == ItemState::Open);
        let membership = text(directory, item, "reviewMembership").unwrap_or_default();
        let value = membership.split_once(": ").map_or(&*membership, |(_, value)| value).to_owned();
        let who = texts(directory, item, "reviewMember").into_iter().next().unwrap_or(value);
        let group = texts(directory, item, "reviewGroup").into_iter().next().unwrap_or_else(|| "-".to_owned());
        let decided = text(directory, item, "reviewedBy");
        rows.push(vec![
            directory.dn_text(node.id),
            text(directory, item, "cn").unwrap_or_default(),
            who,
            group,
            decided.unwrap_or_else(|| reviewers(directory, node, item)),
            decision.name().to_owned(),
            due.to_rfc3339(),
            state.name().to_owned(),
        ]);
    }
    found
}

/// Who is to decide: as the campaign says, or as the group says where that names nobody.
fn reviewers(directory: &Directory, campaign: &Node, item: &Node) -> String {
    let named = texts(directory, campaign, "reviewReviewer");
    if !named.is_empty() {
        return named.join("; ");
    }
    let mut all = texts(directory, campaign, "reviewManager");
    for group in references(directory, item, "reviewGroup").into_iter().flatten().filter_map(|id| directory.node(id)) {
        all.extend(texts(directory, group, "grantApprover"));
        all.extend(texts(directory, group, "owner"));
    }
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { "-".to_owned() } else { all.join("; ") }
}

/// An active grant that nobody reviewed for longer than its group says.
fn late_grant(reporting: &Reporting<'_>, node: &Node) -> Option<Vec<String>> {
    let Reporting { directory, at, .. } = reporting;
    let (state, window) = directory.grant_of(&node.entry)?;
    if state.at(window, *at) != GrantState::Active || !has_class(directory, node, &["accessGrant"]) {
        return None;
    }
    let group = directory.node(node.parent?)?;
    let days: i64 = text(directory, group, "grantReviewDays")?.parse().ok()?;
    let due = Timestamp(last_review(directory, node)?.0.saturating_add(days.saturating_mul(DAY)));
    if *at < due {
        return None;
    }
    let member: Option<EntryId> = references(directory, node, "grantMember").into_iter().flatten().next();
    let approvers = texts(directory, group, "grantApprover");
    Some(vec![
        "-".to_owned(),
        text(directory, node, "cn").unwrap_or_default(),
        member.map_or_else(|| "-".to_owned(), |id| directory.dn_text(id)),
        directory.dn_text(group.id),
        if approvers.is_empty() { "-".to_owned() } else { approvers.join("; ") },
        ItemState::Open.name().to_owned(),
        moment(Some(due)),
        CampaignState::Overdue.name().to_owned(),
    ])
}

/// The approval of a grant is its first review.
fn last_review(directory: &Directory, grant: &Node) -> Option<Timestamp> {
    let last = ["grantReviewedTime", "grantApprovedTime"].iter().filter_map(|name| time(directory, grant, name)).max();
    last.or_else(|| time(directory, grant, "createTimestamp"))
}
