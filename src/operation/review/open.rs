//! A campaign is opened by being added: an item is made of each membership in its scope.

use aws_lc_rs::digest;

use super::super::grant::{reference, set, uuid_of, uuid_text};
use super::scope::Found;
use super::terms::Opening;
use super::{GRANT, GRANT_ID, GROUP, GROUP_ID, ITEM, ITEM_STATE, MEMBER, MEMBER_ID, MEMBERSHIP};
use crate::directory::{Change, Membership};
use crate::model::{EntryBuilder, EntryId};
use crate::operation::stamp;
use crate::operation::write::Write;
use crate::policy::review::ItemState;

/// The items of the campaign that is added as `campaign`, one entry each, numbered from 1 below it.
pub(crate) fn items(write: &Write<'_>, campaign: EntryId, opening: &Opening) -> Vec<Change> {
    let (head, now) = (write.head, write.context.now);
    let by = stamp::actor_name(head, write.context);
    let mut changes = Vec::new();
    for (found, number) in opening.items.iter().zip(1_u64..) {
        let id = EntryId(campaign.0.saturating_add(number));
        let entry = entry(write, found, number);
        let name = format!("cn={number}");
        changes.push(Change::PutEntry { id, parent: Some(campaign), name, block: entry.build().block().clone() });
        let member = if let Membership::Entry(_, member) = found.membership { Some(member) } else { None };
        for (attribute, of) in [(GROUP, Some(found.group)), (MEMBER, member), (GRANT, found.grant)] {
            let Some((attribute, of)) = reference(head, attribute).zip(of) else { continue };
            changes.push(Change::PutMembership {
                group: id,
                membership: Membership::Entry(attribute, of),
                since: now,
                by: by.clone(),
                until: None,
            });
        }
    }
    changes
}

fn entry(write: &Write<'_>, found: &Found, number: u64) -> EntryBuilder {
    let head = write.head;
    let mut entry = EntryBuilder::default();
    let uuid = |id: Option<EntryId>| id.and_then(|id| uuid_of(head, id)).map(uuid_text).into_iter().collect();
    let member = if let Membership::Entry(_, member) = found.membership { Some(member) } else { None };
    let value = head.member_value(&found.membership);
    let name = found.membership.attribute().name(head.schema());
    for (attribute, values) in [
        ("objectClass", vec![ITEM.to_owned()]),
        ("cn", vec![number.to_string()]),
        (ITEM_STATE, vec![ItemState::Open.name().to_owned()]),
        (MEMBERSHIP, vec![format!("{name}: {}", String::from_utf8_lossy(&value))]),
        (GROUP_ID, uuid(Some(found.group))),
        (MEMBER_ID, uuid(member)),
        (GRANT_ID, uuid(found.grant)),
    ] {
        set(head, &mut entry, attribute, values);
    }
    stamp::set(head, &mut entry, "structuralObjectClass", ITEM.to_owned());
    stamp::set(head, &mut entry, "entryUUID", derived(&write.context.fresh.uuid, number));
    stamp::created(head, write.context, write.csn_count, &mut entry);
    entry
}

/// An entryUUID of its own for each item: there is randomness for one entry alone.
fn derived(fresh: &[u8; 16], number: u64) -> String {
    let digest = digest::digest(&digest::SHA256, &[&fresh[..], b"review item", &number.to_be_bytes()].concat());
    let mut octets = [0; 16];
    octets.iter_mut().zip(digest.as_ref()).for_each(|(octet, of_digest)| *octet = *of_digest);
    uuid::Builder::from_custom_bytes(octets).into_uuid().to_string()
}
