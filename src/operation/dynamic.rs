//! Dynamic entries (RFC 2589): an entry of the class dynamicObject lives until its time is over, unless it is refreshed before.
//!
//! Reads are made on the directory as it is at their moment, changes on a head from which what has expired was removed before, so that
//! nothing waits for the removal.
//!
//! ```text
//! RefreshRequestValue  ::= SEQUENCE { entryName [0] LDAPDN, requestTtl [1] INTEGER }
//! RefreshResponseValue ::= SEQUENCE { responseTtl [1] INTEGER }
//! ```

use bytes::Bytes;

use super::delete::{MAXIMUM_EFFECTS, lost_memberships, remove};
use super::draft::Draft;
use super::refusal::{Refusal, parse_name};
use super::write::{Asked, Success, Write, not_permitted};
use super::{Context, Decision, grant, record, stamp};
use crate::directory::{Change, Directory, Node};
use crate::journal::{Record, RecordKind};
use crate::model::schema::Schema;
use crate::model::{EntryBuilder, EntryId, ResultCode, Secret, Timestamp};
use crate::policy::access::Right;
use crate::protocol::ber::{self, BerError, Reader, Tag};
use crate::protocol::{Control, LdapResult, Reply, ResponseKind};

/// Seconds that a new dynamic entry lives when nobody refreshes it.
pub const FIRST_TTL: i64 = 86_400;
/// Most seconds that a refresh may ask for: a year (RFC 2589 section 4.1).
pub const LONGEST_TTL: i64 = 31_557_600;

/// The attribute that holds the moment.
const EXPIRES: &str = "entryExpireTimestamp";
const CLASS: &str = "dynamicObject";

/// A refresh on its way to the committer.
#[derive(Debug)]
pub struct RefreshRequest {
    /// entryName as it came.
    pub name: Bytes,
    /// requestTtl in seconds.
    pub ttl: i64,
    /// The controls as they came.
    pub controls: Vec<Control>,
}

impl RefreshRequest {
    /// Reads the value of a refresh: 2 for what is none, and for a time that cannot be.
    pub fn read(value: Option<&Secret>, controls: &[Control]) -> Result<RefreshRequest, LdapResult> {
        let refusal = |text| LdapResult::with(ResultCode::ProtocolError, text);
        let value = value.ok_or_else(|| refusal("empty request data field"))?;
        let (name, ttl) = decode(value.expose()).map_err(|_| refusal("data decoding error"))?;
        if !(1..=LONGEST_TTL).contains(&ttl) {
            return Err(refusal("invalid time-to-live for dynamicObject"));
        }
        Ok(RefreshRequest { name, ttl, controls: controls.to_vec() })
    }
}

fn decode(value: &[u8]) -> Result<(Bytes, i64), BerError> {
    let mut outer = Reader::new(value);
    let mut parts = outer.sequence()?;
    outer.finish()?;
    let name = Bytes::copy_from_slice(parts.expect(Tag::context(0))?);
    let ttl = ber::integer(parts.expect(Tag::context(1))?)?;
    parts.finish()?;
    Ok((name, ttl))
}

/// Decides a refresh.
pub(crate) fn refresh(write: &Write<'_>, request: &RefreshRequest) -> Decision {
    let asked = Asked::new(RecordKind::Refresh, ResponseKind::Extended, &request.name)
        .with_details(vec![("requestTtl", request.ttl.to_string())]);
    let mut decision = write.conclude(asked, refreshed(write, request));
    if let Reply::Result { result, extended_value, .. } = &mut decision.reply
        && result.code == ResultCode::Success
    {
        let ttl = ber::encode(|writer| writer.integer(request.ttl));
        let ttl = ttl.get(2..).unwrap_or_default();
        *extended_value = Some(ber::encode(|writer| writer.sequence(|parts| parts.element(Tag::context(1), ttl))));
    }
    decision
}

fn refreshed(write: &Write<'_>, request: &RefreshRequest) -> Result<Success, Refusal> {
    let controls = write.controls(ResponseKind::Extended, &request.controls)?;
    let dn = parse_name(write.head.schema(), &request.name, "invalid DN")?;
    let subject = write.writer()?;
    let access = write.access();
    let id = write.find(&dn, &access)?;
    let Some(node) = write.head.node(id) else { return Err(Refusal::no_such_object(write.head, None)) };
    let left = write.head.schema().attribute_type("entryTtl").map(|it| it.id);
    if subject.identity != Some(id) && !access.allows(write.head, Right::Replace, node, left) {
        return Err(not_permitted());
    }
    if !is_dynamic_node(write.head, node) {
        return Err(Refusal::new(ResultCode::ObjectClassViolation, "refresh operation only applies to dynamic objects"));
    }
    let mut entry = node.entry.to_builder();
    expire_in(write, request.ttl, &mut entry);
    stamp::modified(write.head, write.context, write.csn_count, &mut entry);
    let block = entry.build().block().clone();
    let change = Change::PutEntry { id, parent: node.parent, name: node.name.clone(), block };
    write.finish(vec![change], id, &controls)
}

fn expire_in(write: &Write<'_>, seconds: i64, entry: &mut EntryBuilder) {
    let time = Timestamp(write.context.now.0.saturating_add(seconds.saturating_mul(1_000_000)));
    stamp::set(write.head, entry, EXPIRES, time.to_generalized_time_micros());
}

/// Completes an entry that is added: a dynamic one gets its time, another must not stand below a dynamic one (19), which it would outlive.
pub(crate) fn complete(write: &Write<'_>, draft: &mut Draft<'_>, parent: Option<EntryId>) -> Result<(), Refusal> {
    if !is_dynamic(draft.schema, &draft.entry) {
        return check_parent(write.head, parent);
    }
    let attribute_type = draft.schema.attribute_type(EXPIRES);
    let is_given = attribute_type.is_some_and(|it| draft.entry.get_mut(it.id, it.name()).is_some());
    if !is_given {
        expire_in(write, FIRST_TTL, &mut draft.entry);
    }
    Ok(())
}

/// 69: what an entry is stays.
pub(crate) fn check_class(head: &Directory, node: &Node, draft: &Draft<'_>) -> Result<(), Refusal> {
    if is_dynamic_node(head, node) == is_dynamic(draft.schema, &draft.entry) {
        return Ok(());
    }
    let text = "dynamicObject cannot be added to an entry nor taken from it";
    Err(Refusal::new(ResultCode::ObjectClassModsProhibited, text))
}

/// 19 for an entry that stays and would be moved below one that does not.
pub(crate) fn check_move(head: &Directory, node: &Node, parent: EntryId) -> Result<(), Refusal> {
    if is_dynamic_node(head, node) { Ok(()) } else { check_parent(head, Some(parent)) }
}

fn check_parent(head: &Directory, parent: Option<EntryId>) -> Result<(), Refusal> {
    let dynamic = parent.and_then(|id| head.node(id)).is_some_and(|node| is_dynamic_node(head, node));
    if dynamic {
        let text = "no static subordinate entries allowed to dynamicObject";
        return Err(Refusal::new(ResultCode::ConstraintViolation, text));
    }
    Ok(())
}

fn is_dynamic(schema: &Schema, entry: &EntryBuilder) -> bool {
    let Some(object_class) = schema.attribute_type("objectClass") else { return false };
    let values = entry.attributes.iter().filter(|it| it.attribute_type == object_class.id).flat_map(|it| &it.values);
    values.map(AsRef::as_ref).any(|name| is_class(schema, name))
}

fn is_dynamic_node(head: &Directory, node: &Node) -> bool {
    let object_class = head.schema().attribute_type("objectClass");
    object_class.is_some_and(|it| node.entry.values(it.id).any(|name| is_class(head.schema(), name)))
}

fn is_class(schema: &Schema, name: &[u8]) -> bool {
    let class = std::str::from_utf8(name).ok().and_then(|name| schema.object_class(name));
    class.is_some_and(|class| class.name() == CLASS)
}

/// Removes what has expired by `context.now`, some of it where it is much; none where nothing has. There is a record for each entry.
pub fn expire(head: &Directory, context: &Context) -> Option<Decision> {
    let write = Write { head, context, csn_count: 0 };
    let mut records = Vec::new();
    let mut changes = Vec::new();
    for id in head.expired(context.now) {
        let from = changes.len();
        if remove(&write, id, &mut changes).is_err() {
            changes.truncate(from);
            break;
        }
        let mut record = Record::new(RecordKind::Expire);
        record.target = record::named(head, id);
        let (effects, not_named) = lost_memberships(head, changes.get(from..).unwrap_or_default());
        record.effects = effects;
        record.effects.extend(grant::people::removed(&write, &[id], &mut changes));
        if not_named > 0 {
            record.details.push(("effectsNotNamed", not_named.to_string()));
        }
        records.push(record);
        if changes.len() > MAXIMUM_EFFECTS {
            break;
        }
    }
    let record = records.pop()?;
    stamp::finished(head, context, 0, &mut changes);
    let reply = Reply::result(ResponseKind::Extended, LdapResult::of(ResultCode::Success));
    Some(Decision { reply, changes, record, preceding: records, identity: None })
}
