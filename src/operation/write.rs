//! What all changing operations share: who may write, the controls around a change, and the one place that makes reply and record.

use super::access::{self, Access};
use super::control::{self, Controls};
use super::password_change;
use super::record;
use super::referral;
use super::refusal::Refusal;
use super::selection::Selection;
use super::{Authority, Context, Decision, app_password, bind_rules, transaction};
use super::{stamp, standing};
use crate::directory::{
    Change, Directory, FilterContext, Lookup, Membership, Node, PreparedFilter, SUBSCHEMA, Truth, WaitingMembership,
};
use crate::journal::{Named, RecordKind, RecordedChange, RecordedEffect};
use crate::model::{Dn, EntryId, Filter, ResultCode};
use crate::policy::access::Subject;
use crate::protocol::{Control, LdapResult, Reply, ResponseKind, oid};

/// Most changes of one operation: they go into one frame.
pub(crate) const MAXIMUM_CHANGES: usize = 500_000;

/// One changing operation at the committer.
pub(crate) struct Write<'a> {
    /// The newest value.
    pub(crate) head: &'a Directory,
    /// Who and when.
    pub(crate) context: &'a Context,
    /// Distinguishes decisions of one microsecond.
    pub(crate) csn_count: u32,
}

/// What was asked, for the record, whatever comes of it.
pub(crate) struct Asked<'a> {
    kind: RecordKind,
    response: ResponseKind,
    name: &'a [u8],
    changes: Vec<RecordedChange>,
    details: Vec<(&'static str, String)>,
    /// Nothing is to be changed, only looked at (draft-zeilenga-ldap-noop).
    no_op: bool,
}

/// An operation that is done.
pub(crate) struct Success {
    /// What changes.
    pub(crate) changes: Vec<Change>,
    /// The entry concerned, named as after the change (before it, for a delete).
    pub(crate) target: Option<Named>,
    /// Response controls.
    pub(crate) controls: Vec<Control>,
    /// What changes in other entries by it, for the record.
    pub(crate) effects: Vec<RecordedEffect>,
    /// Further facts for the record.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl<'a> Asked<'a> {
    /// Nothing but the name.
    pub(crate) fn new(kind: RecordKind, response: ResponseKind, name: &'a [u8]) -> Asked<'a> {
        Asked { kind, response, name, changes: Vec::new(), details: Vec::new(), no_op: false }
    }

    /// With what the request's controls say of it as a whole.
    pub(crate) fn with_controls(self, controls: &[Control]) -> Asked<'a> {
        Asked { no_op: controls.iter().any(|control| control.oid == oid::NO_OP), ..self }
    }

    /// With the changes asked for, redacted already.
    pub(crate) fn with_changes(self, changes: Vec<RecordedChange>) -> Asked<'a> {
        Asked { changes, ..self }
    }

    /// With further facts.
    pub(crate) fn with_details(self, details: Vec<(&'static str, String)>) -> Asked<'a> {
        Asked { details, ..self }
    }
}

impl Write<'_> {
    /// Makes reply and record of what an operation came to.
    pub(crate) fn conclude(&self, asked: Asked<'_>, outcome: Result<Success, Refusal>) -> Decision {
        let mut record = record::of_context(self.head, self.context, asked.kind);
        record.changes = asked.changes;
        record.details.extend(asked.details);
        let (result, changes, controls) = match outcome {
            Ok(mut success) => {
                stamp::finished(self.head, self.context, self.csn_count, &mut success.changes);
                record.target = success.target;
                record.effects = success.effects;
                record.details.extend(success.details);
                if asked.no_op {
                    record.reason = Some("no operation");
                    (LdapResult::of(ResultCode::NoOperation), Vec::new(), success.controls)
                } else {
                    (LdapResult::of(ResultCode::Success), success.changes, success.controls)
                }
            }
            Err(refusal) => {
                record.target = Some(record::named_in_request(self.head, asked.name));
                record.reason = Some(refusal.reason);
                if matches!(refusal.result.code, ResultCode::StrongerAuthRequired | ResultCode::ConfidentialityRequired) {
                    record::shorten(&mut record);
                }
                (refusal.result, Vec::new(), Vec::new())
            }
        };
        record.result = result.code;
        let mut controls = controls;
        if matches!(asked.response, ResponseKind::Add | ResponseKind::Modify) {
            controls.extend(password_change::response_control(self.context, record.reason));
        }
        let reply = Reply::Result {
            kind: asked.response,
            result,
            sasl_credentials: None,
            extended_name: None,
            extended_value: None,
            controls,
        };
        Decision { reply, changes, record, preceding: Vec::new(), identity: None }
    }

    /// Reads the request's controls; 123 where it is to be done as somebody whom the session may not act as.
    pub(crate) fn controls(&self, kind: ResponseKind, controls: &[Control]) -> Result<Controls, Refusal> {
        let decoded = control::decode(kind, controls, &self.context.settings.limits)?;
        transaction::check(self.context, &decoded)?;
        self.context.check_assumed(self.head)?;
        Ok(decoded)
    }

    /// Who writes: 13 over a connection that can be listened to, 8 for anonymous, 50 for who must change the password first.
    pub(crate) fn writer(&self) -> Result<Subject, Refusal> {
        standing::check_restricted(self.head, self.context)?;
        writer(self.head, self.context)
    }

    /// Who changes the password of the entry with this name: the same, and who must change the own one first may change that.
    pub(crate) fn writer_of_password(&self, dn: &Dn) -> Result<Subject, Refusal> {
        let target = if let Lookup::Found(id) = self.head.find(dn) { Some(id) } else { None };
        standing::check_restricted_to_own(self.head, self.context, target)?;
        app_password::check_main(self.context)?;
        writer(self.head, self.context)
    }

    /// 10 for a name at or below a referral entry, unless it is to be treated as any other entry.
    pub(crate) fn check_referral(&self, dn: &Dn, controls: &Controls) -> Result<(), Refusal> {
        if controls.manage_dsa_it || self.context.authority == Authority::Installation {
            return Ok(());
        }
        referral::check(self.head, dn, None)
    }

    /// What who asks may do.
    pub(crate) fn access(&self) -> Access {
        Access::new(self.head, self.context)
    }

    /// The entry with this name, where it may be known of; 32 with the nearest one above, 53 outside the suffix.
    pub(crate) fn find(&self, dn: &Dn, access: &Access) -> Result<EntryId, Refusal> {
        access.check_seen(self.head, dn)?;
        match self.head.find(dn) {
            Lookup::Found(id) => Ok(id),
            Lookup::Missing { matched } => Err(Refusal::no_such_object(self.head, Some(matched))),
            Lookup::Outside if self.is_within_suffix(dn) => Err(Refusal::no_such_object(self.head, None)),
            Lookup::Outside => Err(no_superior_knowledge()),
        }
    }

    /// Whether a name is the suffix or lies below it, whether or not the suffix entry is there.
    pub(crate) fn is_within_suffix(&self, dn: &Dn) -> bool {
        let schema = self.head.schema();
        schema.dn_key(dn).starts_with(&schema.dn_key(self.head.suffix()))
    }

    /// 122 unless the assertion (RFC 4528) holds for the entry, as `directory` has it.
    pub(crate) fn check_assertion(
        &self,
        directory: &Directory,
        access: &Access,
        filter: Option<&Filter>,
        id: EntryId,
    ) -> Result<(), Refusal> {
        match filter {
            Some(filter) if !is_true(directory, access, filter, id) => Err(Refusal::new(ResultCode::AssertionFailed, "")),
            _ => Ok(()),
        }
    }

    /// The response to a pre- or post-read control (RFC 4527), where one was sent.
    pub(crate) fn read(&self, directory: &Directory, oid: &str, asked: Option<&Vec<String>>, id: EntryId) -> Option<Control> {
        let (attributes, node) = (asked?, directory.node(id)?);
        let readable = Access::new(directory, self.context).readable(directory, node);
        let selection = Selection::new(directory, attributes, false);
        Some(control::read_response(oid, &directory.dn_text(id), &selection.encode(directory, node, &readable)))
    }

    /// The directory with these changes made.
    pub(crate) fn after(&self, changes: &[Change]) -> Result<Directory, Refusal> {
        let mut after = self.head.clone();
        let applied = changes.iter().try_for_each(|change| after.apply(change));
        applied.map_err(|_| Refusal::new(ResultCode::Other, "internal error").because("change cannot be applied"))?;
        Ok(after)
    }

    /// Ends an add, modify or rename of `id`: memberships that waited for a name become those of the entry that has it now, and what the
    /// controls ask for is read.
    pub(crate) fn finish(&self, mut changes: Vec<Change>, id: EntryId, controls: &Controls) -> Result<Success, Refusal> {
        if changes.len() > MAXIMUM_CHANGES {
            return Err(Refusal::new(ResultCode::AdminLimitExceeded, "too many changes in one operation"));
        }
        access::check_not_locked_out(self, &changes)?;
        let pre_read = self.read(self.head, oid::PRE_READ, controls.pre_read.as_ref(), id);
        let mut post_read = None;
        if controls.post_read.is_some() {
            let after = self.after(&changes)?;
            post_read = self.read(&after, oid::POST_READ, controls.post_read.as_ref(), id);
        }
        changes.shrink_to_fit();
        Ok(Success {
            changes,
            target: record::named(self.head, id),
            controls: pre_read.into_iter().chain(post_read).collect(),
            effects: Vec::new(),
            details: Vec::new(),
        })
    }

    /// Adds to `changes` what turns memberships that wait for a name at or below `dn`, or that these changes bring along, into
    /// memberships of the entries that have those names after the changes.
    pub(crate) fn settle_waiting(&self, dn: &Dn, changes: &mut Vec<Change>) -> Result<(), Refusal> {
        let mut waiting = self.head.waiting_memberships(dn);
        let key = self.head.schema().dn_key(dn);
        waiting.extend(changes.iter().filter_map(|change| brought_along(change, &key)));
        if waiting.is_empty() {
            return Ok(());
        }
        let after = self.after(changes)?;
        for WaitingMembership { group, membership, since, by, until } in waiting {
            let Membership::Outside { attribute, value, .. } = &membership else { continue };
            if let Ok(settled @ Membership::Entry(..)) = after.resolve_member(*attribute, value) {
                changes.push(Change::RemoveMembership { group, membership });
                changes.push(Change::PutMembership { group, membership: settled, since, by, until });
            }
        }
        Ok(())
    }
}

/// Who writes: 13 over a connection that can be listened to, 8 for anonymous.
pub(crate) fn writer(directory: &Directory, context: &Context) -> Result<Subject, Refusal> {
    if context.authority == Authority::Session && !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    let subject = context.subject(directory);
    if subject.identity.is_none() && !subject.administrator {
        return Err(Refusal::new(ResultCode::StrongerAuthRequired, "modifications require authentication"));
    }
    bind_rules::check_writer(directory, context, subject)?;
    Ok(subject)
}

/// 50
pub(crate) fn not_permitted() -> Refusal {
    Refusal::new(ResultCode::InsufficientAccessRights, "")
}

/// 53 for names this server does not hold.
pub(crate) fn no_superior_knowledge() -> Refusal {
    Refusal::new(ResultCode::UnwillingToPerform, "no global superior knowledge")
}

/// Whether a name is the subschema entry's.
pub(crate) fn is_subschema(directory: &Directory, dn: &Dn) -> bool {
    dn.rdns.len() == 1
        && Dn::parse(SUBSCHEMA.as_bytes())
            .is_ok_and(|subschema| directory.schema().dn_key(&subschema) == directory.schema().dn_key(dn))
}

/// Whether a filter is True for an entry. Attributes that may not be searched are Undefined in it.
pub(crate) fn is_true(directory: &Directory, access: &Access, filter: &Filter, id: EntryId) -> bool {
    let Some(node) = directory.node(id) else { return false };
    let schema = directory.schema();
    let may_search = |attribute_type, node: &Node| {
        !schema.attribute_type_by_id(attribute_type).secret && access.may_search(directory, attribute_type, node)
    };
    let context = FilterContext { directory, may_search: &may_search };
    PreparedFilter::new(directory, filter).evaluate(&context, node) == Truth::True
}

/// A membership that these changes make and that waits for the name with this key or one below it.
fn brought_along(change: &Change, dn_key: &[u8]) -> Option<WaitingMembership> {
    match change {
        Change::PutMembership {
            group,
            membership: membership @ Membership::Outside { attribute, key, .. },
            since,
            by,
            until,
        } if *attribute != crate::directory::MembershipAttribute::MemberUid && key.starts_with(dn_key) => {
            let (membership, by) = (membership.clone(), by.clone());
            Some(WaitingMembership { group: *group, membership, since: *since, by, until: *until })
        }
        _ => None,
    }
}
