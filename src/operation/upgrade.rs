//! What a data folder of an older program or of a changed schema holds in another way than this one keeps it: values of attributes flagged
//! `X-INTEGRITY` that stand in entries as text, references by attributes that are flagged no more, and login bookkeeping of another server in
//! the entry itself, where the server's own is read. All are put right at start.

use super::{Context, Decision, stamp};
use crate::directory::{AccountState, Change, Computed, Directory, Node};
use crate::journal::{Record, RecordKind};
use crate::model::{EntryBuilder, EntryId, Rdn, ResultCode, Timestamp, Value};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Entries that one frame puts right.
pub const ENTRIES_IN_A_FRAME: usize = 500;

/// What login bookkeeping says, and no entry.
const BOOKKEEPING: [Computed; 6] = [
    Computed::LastLoginTime,
    Computed::LastLoginSource,
    Computed::LastSuccess,
    Computed::FailureTime,
    Computed::GraceLogins,
    Computed::TemporaryLockoutEnd,
];

/// The entries that are not kept as they should be.
pub fn outdated(directory: &Directory) -> Vec<EntryId> {
    let mut found: Vec<EntryId> = directory.unflagged_references().collect();
    let is_outdated = |node: &Node| bookkeeping(directory, node).next().is_some() || !as_text(directory, node).is_empty();
    found.extend(directory.nodes().filter(|node| is_outdated(node)).map(|node| node.id));
    found.sort_unstable();
    found.dedup();
    found
}

/// Puts entries right. Nothing that a client reads changes by it, times included, but that no login bookkeeping is told twice.
pub(crate) fn decide(head: &Directory, context: &Context, entries: &[EntryId]) -> Decision {
    let mut changes = Vec::new();
    for id in entries {
        upgrade(head, context, *id, &mut changes);
    }
    let mut record = Record::new(RecordKind::Upgrade);
    record.details = vec![("entries", entries.len().to_string()), ("changes", changes.len().to_string())];
    let reply = Reply::result(ResponseKind::Extended, LdapResult::of(ResultCode::Success));
    Decision { reply, changes, record, preceding: Vec::new(), identity: None }
}

fn upgrade(head: &Directory, context: &Context, id: EntryId, changes: &mut Vec<Change>) {
    let Some(node) = head.node(id) else { return };
    let mut entry = node.entry.to_builder();
    let (since, by) = last_change(head, context, node);
    let mut memberships = Vec::new();
    for (computed, values) in as_text(head, node) {
        let Computed::Members(attribute) = computed else { continue };
        let resolved: Result<Vec<_>, _> = values.iter().map(|value| head.resolve_member(attribute, value)).collect();
        let Ok(resolved) = resolved else { continue };
        set(head, &mut entry, attribute.name(head.schema()), Vec::new());
        memberships.extend(resolved.into_iter().map(|membership| Change::PutMembership {
            group: id,
            membership,
            since,
            by: by.clone(),
            until: None,
        }));
    }
    for attribute in head.membership_attributes(id) {
        if attribute.attribute_type(head.schema()).is_none_or(|it| head.computed(it.id).is_some()) {
            continue;
        }
        set(head, &mut entry, attribute.name(head.schema()), head.member_values(id, attribute));
        let elements = head.memberships(id, attribute);
        memberships.extend(elements.map(|membership| Change::RemoveMembership { group: id, membership }));
    }
    let mut last_login = None;
    for (computed, name, value) in bookkeeping(head, node) {
        if matches!(computed, Computed::LastSuccess | Computed::LastLoginTime) {
            last_login = last_login.max(value.and_then(|value| Timestamp::from_generalized_time(value).ok()));
        }
        set(head, &mut entry, name, Vec::new());
    }
    let block = entry.build().block().clone();
    changes.push(Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block });
    let state = head.account_state(id);
    if last_login > state.last_login {
        changes.push(Change::PutAccountState { id, state: AccountState { last_login, ..state } });
    }
    changes.extend(memberships);
}

/// What stands in the entry of what its login bookkeeping says: attribute, name and first value.
fn bookkeeping<'a>(head: &'a Directory, node: &'a Node) -> impl Iterator<Item = (Computed, &'a str, Option<&'a [u8]>)> {
    let of_login = |computed: &Computed| BOOKKEEPING.contains(computed);
    let all = node.entry.attributes_chosen(move |id| head.computed(id).filter(of_login));
    all.filter(|(_, attribute)| !attribute.has_options)
        .map(move |(computed, attribute)| (computed, computed.name(head.schema()), attribute.values().next()))
}

/// Values of flagged attributes in the entry itself. What carries options, is no name or names the entry stays where it is.
fn as_text(head: &Directory, node: &Node) -> Vec<(Computed, Vec<Value>)> {
    let mut found = Vec::new();
    for attribute in node.entry.attributes().filter(|attribute| !attribute.has_options) {
        let Some(computed @ Computed::Members(members)) = head.computed(attribute.attribute_type) else { continue };
        let is_naming = || {
            let rdn = Rdn::parse(node.name.as_bytes()).map(|rdn| rdn.parts).unwrap_or_default();
            let naming = |name: &str| head.schema().attribute_type(name).is_some_and(|it| it.id == attribute.attribute_type);
            rdn.iter().any(|part| naming(&part.attribute_type))
        };
        if attribute.values().any(|value| head.resolve_member(members, value).is_err()) || is_naming() {
            continue;
        }
        found.push((computed, attribute.values().map(Value::copy_from_slice).collect()));
    }
    found
}

/// Since when and by whose hand the entry is as it is.
fn last_change(head: &Directory, context: &Context, node: &Node) -> (Timestamp, String) {
    let first = |name: &str| head.schema().attribute_type(name).and_then(|it| node.entry.first(it.id));
    let since = first("modifyTimestamp").and_then(|time| Timestamp::from_generalized_time(time).ok());
    let by = first("modifiersName").map(|name| String::from_utf8_lossy(name).into_owned());
    (since.unwrap_or(context.now), by.unwrap_or_else(|| stamp::actor_name(head, context)))
}

fn set(head: &Directory, entry: &mut EntryBuilder, name: &str, values: Vec<Value>) {
    if let Some(attribute_type) = head.schema().attribute_type(name) {
        entry.set(attribute_type.id, attribute_type.name(), attribute_type.section(), values);
    }
}
