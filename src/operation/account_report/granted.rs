//! What an account was given for a time: its grants, and its plain memberships with an end.

use super::GrantReport;
use crate::directory::{Directory, IdSet, Membership, MembershipAttribute, Node};
use crate::model::{EntryId, Timestamp};
use crate::operation::grant;
use crate::operation::report::{texts, time};

/// Those of an account, at most [`super::AccountReport::MOST_GROUPS`]. `groups`: those that have it itself.
pub(super) fn gather(directory: &Directory, id: EntryId, groups: &IdSet) -> Vec<GrantReport> {
    let grants = grant::grants_of(directory, id).into_iter().filter_map(|node| granted(directory, node));
    let mut all: Vec<GrantReport> = grants.collect();
    all.extend(groups.iter().filter_map(|group| ending(directory, group, id)));
    all.truncate(super::AccountReport::MOST_GROUPS);
    all
}

fn granted(directory: &Directory, node: &Node) -> Option<GrantReport> {
    let moment = |name: &str| time(directory, node, name).map(Timestamp::to_rfc3339);
    let approved = texts(directory, node, "grantApprovedBy");
    Some(GrantReport {
        group: directory.dn_text(node.parent?),
        state: texts(directory, node, grant::STATE).into_iter().next().unwrap_or_default(),
        begins: moment("grantNotBefore"),
        ends: moment("grantNotAfter"),
        by: if approved.is_empty() { texts(directory, node, "grantRequestedBy") } else { approved },
    })
}

/// A plain membership, where it has an end.
fn ending(directory: &Directory, group: EntryId, id: EntryId) -> Option<GrantReport> {
    let of = |attribute| directory.membership_grant(group, &Membership::Entry(attribute, id));
    let membership = of(MembershipAttribute::Member).or_else(|| of(MembershipAttribute::UniqueMember))?;
    Some(GrantReport {
        group: directory.dn_text(group),
        state: "member".to_owned(),
        begins: Some(membership.since.to_rfc3339()),
        ends: Some(membership.until?.to_rfc3339()),
        by: vec![membership.by.to_string()],
    })
}
