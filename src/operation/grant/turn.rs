//! What time alone makes of grants, and of memberships that have an end: seen by readers at once, committed as soon as the server comes to it.

use std::sync::Arc;

use super::{Writing, effects, followed, join, leave, member_of_grant, obstacle, people};
use crate::directory::{Change, Directory, Membership};
use crate::journal::{Record, RecordKind};
use crate::model::{EntryId, GrantState, ResultCode, Timestamp};
use crate::operation::write::Write;
use crate::operation::{Context, Decision, record, review, stamp};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Grants that one frame lets turn.
const TURNS_IN_A_FRAME: usize = 500;

/// What became of a grant.
struct Turned {
    before: GrantState,
    after: GrantState,
    /// What kept it from beginning, with all names.
    obstacle: Option<String>,
    changes: Vec<Change>,
}

/// The directory as it is at a moment: [`Directory::at`], and every grant in the state it has then, and without memberships
/// that are over, whether or not that was committed. The same value where nothing turned.
pub fn as_of(directory: &Arc<Directory>, now: Timestamp) -> Arc<Directory> {
    let seen = directory.at(now);
    if !seen.has_turned(now) {
        return seen;
    }
    let mut view = (*seen).clone();
    for (group, membership, _) in seen.ended(now, usize::MAX) {
        let _ = view.apply(&Change::RemoveMembership { group, membership });
    }
    for id in seen.turned(now, usize::MAX) {
        let reviewed = review::turn::turn(&view, id, now, None).map(|turned| turned.changes);
        let changes = reviewed.or_else(|| turn(&view, id, now, None).map(|turned| turned.changes)).unwrap_or_default();
        // What was found on this very value can be applied to it.
        let _ = changes.iter().try_for_each(|change| view.apply(change));
    }
    view.keep_quiet_since(&seen);
    Arc::new(view)
}

/// Commits what turned or ended by `context.now`, some of it where it is much; none where nothing did. There is a record for each.
pub fn cross(head: &Directory, context: &Context) -> Option<Decision> {
    let mut after = head.clone();
    let (mut records, mut changes) = (Vec::new(), Vec::new());
    for (group, membership, until) in head.ended(context.now, TURNS_IN_A_FRAME) {
        let (record, ended) = end(&after, context, group, membership, until);
        ended.iter().try_for_each(|change| after.apply(change)).ok()?;
        records.push(record);
        changes.extend(ended);
    }
    for id in head.turned(context.now, TURNS_IN_A_FRAME) {
        if let Some(mut reviewed) = review::turn::turn(&after, id, context.now, Some(context)) {
            people::approvers_left(&Write { head: &after, context, csn_count: 0 }, &[], &mut reviewed.changes);
            followed(&after, context, 0, &mut reviewed.changes);
            reviewed.changes.iter().try_for_each(|change| after.apply(change)).ok()?;
            records.extend(reviewed.records);
            changes.extend(reviewed.changes);
            continue;
        }
        let Some(mut turned) = turn(&after, id, context.now, Some(context)) else { continue };
        let mut record = Record::new(RecordKind::Grant);
        record.target = record::named(&after, id);
        record.effects = effects(&after, &turned.changes);
        record.details = vec![("before", turned.before.name().to_owned()), ("after", turned.after.name().to_owned())];
        record.details.extend(turned.obstacle.take().map(|obstacle| ("obstacle", obstacle)));
        people::approvers_left(&Write { head: &after, context, csn_count: 0 }, &[], &mut turned.changes);
        followed(&after, context, 0, &mut turned.changes);
        turned.changes.iter().try_for_each(|change| after.apply(change)).ok()?;
        records.push(record);
        changes.extend(turned.changes);
    }
    let record = records.pop()?;
    stamp::finished(head, context, 0, &mut changes);
    let reply = Reply::result(ResponseKind::Extended, LdapResult::of(ResultCode::Success));
    Some(Decision { reply, changes, record, preceding: records, identity: None })
}

/// A membership is over: what the journal says, and what changes.
fn end(head: &Directory, context: &Context, group: EntryId, membership: Membership, until: Timestamp) -> (Record, Vec<Change>) {
    let mut record = Record::new(RecordKind::Expire);
    record.target = record::named(head, group);
    let attribute = membership.attribute().name(head.schema()).to_owned();
    record.details = vec![("attribute", attribute), ("end", until.to_generalized_time_micros())];
    let mut changes = vec![Change::RemoveMembership { group, membership }];
    record.effects = effects(head, &changes);
    people::approvers_left(&Write { head, context, csn_count: 0 }, &[], &mut changes);
    followed(head, context, 0, &mut changes);
    (record, changes)
}

/// One step of one grant. `context`: to stamp it with.
fn turn(head: &Directory, id: EntryId, now: Timestamp, context: Option<&Context>) -> Option<Turned> {
    let node = head.node(id)?;
    let (before, window) = head.grant_of(&node.entry)?;
    let mut after = before.at(window, now);
    let mut writing = Writing::new(head, node);
    let (mut memberships, mut why) = (Vec::new(), None);
    let parties = node.parent.and_then(|group| head.node(group)).zip(member_of_grant(head, id));
    if let Some((group, member)) = parties {
        match after {
            GrantState::Active => match obstacle::of(head, group, member) {
                Some(obstacle) => {
                    after = GrantState::Suspended;
                    writing.suspend(obstacle.notice());
                    why = Some(obstacle.text(head));
                }
                None => memberships = join(head, group.id, member, window.from.unwrap_or(now), &head.dn_text(id)),
            },
            _ if before == GrantState::Active => memberships = leave(head, group.id, member, &[id]),
            _ => {}
        }
    }
    if after != GrantState::Suspended {
        writing.state(after);
    }
    let mut changes = vec![match context {
        Some(context) => writing.stamped(context, 0),
        None => writing.change(),
    }];
    changes.extend(memberships);
    Some(Turned { before, after, obstacle: why, changes })
}
