//! `cn=sessions,cn=monitor`: who is logged in, made when it is read, for administrators. Deleting an entry there ends the session. Who uses an
//! emergency account sees the own session, and says there why.

use std::collections::VecDeque;
use std::sync::Arc;

use super::monitor::{is_monitor, may_read, monitor};
use super::record;
use super::refusal::Refusal;
use super::root_dse::{self, SpecialEntry};
use super::write::{Success, Write};
use super::{Context, LiveSession};
use crate::directory::{Directory, Node};
use crate::journal::{Named, Record, RecordKind};
use crate::model::{Dn, Filter, Modification, ModificationOperation, ResultCode, Scope};
use crate::policy::access::Subject;

/// The name that sessions stand below.
pub const SESSIONS: &str = "cn=sessions,cn=monitor";

/// The detail of a record of a delete that names the session to be ended.
const ENDED: &str = "endedSession";

/// The details of a record that say why an emergency account is used, and in which session.
const REASON: &str = "breakGlassReason";
const REASON_OF: &str = "breakGlassSession";

/// Octets of such a reason, at most.
const LONGEST_REASON: usize = 1000;

/// What a name below the monitor stands for.
enum Place {
    Folder,
    Session(u64),
}

fn place(directory: &Directory, dn: &Dn) -> Option<Place> {
    if !matches!(dn.rdns.len(), 2 | 3) {
        return None;
    }
    let (schema, folder) = (directory.schema(), Dn::parse(SESSIONS.as_bytes()).ok()?);
    if dn.rdns.len() == 2 {
        return (schema.dn_key(dn) == schema.dn_key(&folder)).then_some(Place::Folder);
    }
    let parent = dn.parent()?;
    let [part] = dn.rdns.first()?.parts.as_slice() else { return None };
    let is_id = schema.attribute_type(&part.attribute_type).is_some_and(|it| it.name() == "sessionId");
    let number = std::str::from_utf8(&part.value).ok()?.parse().ok()?;
    (is_id && schema.dn_key(&parent) == schema.dn_key(&folder)).then_some(Place::Session(number))
}

/// Whether a name is one of these, there or not.
pub(crate) fn is_here(directory: &Directory, dn: &Dn) -> bool {
    place(directory, dn).is_some()
}

/// The entry with this name, for who may read it.
pub(crate) fn entry(directory: &Directory, context: &Context, dn: &Dn) -> Option<Node> {
    let place = place(directory, dn)?;
    let monitored = context.settings.monitor.monitored()?;
    if !may_read(directory, context) {
        let own = own_emergency(context)?;
        return matches!(place, Place::Session(number) if number == own.number).then(|| node_of(directory, own));
    }
    match place {
        Place::Folder => Some(folder(directory)),
        Place::Session(number) => monitored.session(number).map(|live| node_of(directory, &live)),
    }
}

fn folder(directory: &Directory) -> Node {
    let mut entry = SpecialEntry::new(directory.schema());
    entry.set("objectClass", ["top", "binderySessions"]);
    entry.set("structuralObjectClass", ["binderySessions"]);
    entry.set("cn", ["sessions"]);
    entry.set("entryDN", [SESSIONS]);
    entry.into_node(SESSIONS)
}

fn name_of(live: &LiveSession) -> String {
    format!("sessionId={},{SESSIONS}", live.number)
}

/// The account, as it is named now or was at the login.
fn identity_of(directory: &Directory, live: &LiveSession) -> String {
    match directory.node(live.account) {
        Some(_) => directory.dn_text(live.account),
        None => live.named.as_ref().map(|named| named.dn.clone()).unwrap_or_default(),
    }
}

fn node_of(directory: &Directory, live: &LiveSession) -> Node {
    let (name, (last, request)) = (name_of(live), live.last_request());
    let mut entry = SpecialEntry::new(directory.schema());
    entry.set("objectClass", ["top", "session"]);
    entry.set("structuralObjectClass", ["session"]);
    entry.set("sessionId", [live.number.to_string()]);
    entry.set("sessionIdentity", [identity_of(directory, live)]);
    entry.set("sessionSource", [&live.peer.text]);
    entry.set("sessionStart", [live.since.to_generalized_time()]);
    if let Some(tls) = &live.tls {
        entry.set("sessionTls", [format!("{} {}", tls.version, tls.suite)]);
    }
    entry.set("sessionFactor", &live.factors);
    entry.set("sessionLastOperation", [format!("{} {request}", last.to_generalized_time())]);
    entry.set(REASON, live.break_glass_reason());
    entry.set("entryDN", [&name]);
    entry.into_node(&name)
}

/// What a search below the monitor goes through.
pub(crate) struct Listing {
    above: VecDeque<Node>,
    sessions: VecDeque<Arc<LiveSession>>,
}

impl Listing {
    /// For a search that asks for more than one entry of the monitor, by who may read it.
    pub(crate) fn new(directory: &Directory, context: &Context, base: &Dn, scope: Scope) -> Option<Listing> {
        let is_top = is_monitor(directory, base);
        if scope == Scope::Base || !(is_top || matches!(place(directory, base), Some(Place::Folder))) {
            return None;
        }
        let monitored = context.settings.monitor.monitored()?;
        if !may_read(directory, context) {
            let own = own_emergency(context).filter(|_| !is_top)?;
            return Some(Listing { above: VecDeque::new(), sessions: monitored.session(own.number).into_iter().collect() });
        }
        let mut above = VecDeque::new();
        if is_top && scope == Scope::Subtree {
            above.extend(monitor(directory, context));
        }
        if is_top || scope == Scope::Subtree {
            above.push_back(folder(directory));
        }
        let sessions = if is_top && scope == Scope::One { Vec::new() } else { monitored.sessions() };
        Some(Listing { above, sessions: sessions.into() })
    }

    /// The next entry, whether or not it matches.
    pub(crate) fn next(&mut self, directory: &Directory) -> Option<Node> {
        self.above.pop_front().or_else(|| self.sessions.pop_front().map(|live| node_of(directory, &live)))
    }
}

/// The session that asks, where it is one of an emergency account.
fn own_emergency(context: &Context) -> Option<&LiveSession> {
    context.identity.live.as_deref().filter(|live| live.is_break_glass() && context.attached.assumed.is_none())
}

/// Decides a modify of such an entry: the session of an emergency account is given the reason, by itself. It has it once the record is durable.
/// Nothing else is asked of who gives it: an emergency is where the second factor is lost and the password overdue.
pub(crate) fn give_reason(
    write: &Write<'_>,
    dn: &Dn,
    changes: &[Modification],
    assertion: Option<&Filter>,
) -> Result<Success, Refusal> {
    let (head, context) = (write.head, write.context);
    let own =
        own_emergency(context).filter(|own| matches!(place(head, dn), Some(Place::Session(number)) if number == own.number));
    let Some(own) = own else {
        write.writer()?;
        return Err(match entry(head, context, dn) {
            Some(_) => Refusal::new(ResultCode::UnwillingToPerform, "sessions are what they are"),
            None => Refusal::no_such_object(head, None),
        });
    };
    if !context.may_send_credentials() {
        return Err(Refusal::new(ResultCode::ConfidentialityRequired, "confidentiality required"));
    }
    if assertion.is_some_and(|assertion| !root_dse::matches(head, assertion, &node_of(head, own))) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let reason = reason_of(head, changes)?;
    if own.break_glass_reason().is_some() {
        return Err(Refusal::new(ResultCode::ConstraintViolation, "breakGlassReason: it was given already"));
    }
    Ok(Success {
        changes: Vec::new(),
        target: Some(Named { uuid: None, dn: name_of(own) }),
        controls: Vec::new(),
        effects: Vec::new(),
        details: vec![(REASON_OF, own.number.to_string()), (REASON, reason)],
    })
}

/// The one value that the changes add.
fn reason_of(head: &Directory, changes: &[Modification]) -> Result<String, Refusal> {
    let is_reason = |change: &Modification| {
        let found = head.schema().attribute_type(&change.attribute.description);
        found.is_some_and(|it| it.name() == REASON)
            && matches!(change.operation, ModificationOperation::Add | ModificationOperation::Replace)
    };
    let [change] = changes else {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "a session takes breakGlassReason alone"));
    };
    if !is_reason(change) {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "a session takes breakGlassReason alone"));
    }
    let text = match change.attribute.values.as_slice() {
        [value] => std::str::from_utf8(value).ok().map(str::trim),
        _ => None,
    };
    let text = text.filter(|text| !text.is_empty() && text.len() <= LONGEST_REASON);
    let wrong = || Refusal::new(ResultCode::ConstraintViolation, "breakGlassReason: one value of 1 to 1000 octets");
    text.map(str::to_owned).ok_or_else(wrong)
}

/// The session that this record gives a reason, and the reason.
pub fn reason_given(record: &Record) -> Option<(u64, &str)> {
    if record.kind != RecordKind::Modify || record.result != ResultCode::Success {
        return None;
    }
    let detail = |sought: &str| record.details.iter().find(|(name, _)| *name == sought).map(|(_, value)| value.as_str());
    Some((detail(REASON_OF)?.parse().ok()?, detail(REASON)?))
}

/// Decides the delete of such an entry: 32 where there is no such session or the one who asks may not know. The session ends once the record
/// is durable.
pub(crate) fn end(write: &Write<'_>, subject: Subject, dn: &Dn, assertion: Option<&Filter>) -> Result<Success, Refusal> {
    let (head, context) = (write.head, write.context);
    let no_such_object = || Refusal::no_such_object(head, None);
    let live = match (place(head, dn), context.settings.monitor.monitored()) {
        (Some(Place::Session(number)), Some(monitored)) if subject.administrator => monitored.session(number),
        (Some(Place::Folder), Some(_)) if subject.administrator => {
            return Err(Refusal::new(ResultCode::UnwillingToPerform, "sessions are ended one by one"));
        }
        _ => None,
    };
    let live = live.ok_or_else(no_such_object)?;
    if assertion.is_some_and(|assertion| !root_dse::matches(head, assertion, &node_of(head, &live))) {
        return Err(Refusal::new(ResultCode::AssertionFailed, ""));
    }
    let account = record::named(head, live.account).or_else(|| live.named.clone()).map(|named| named.dn).unwrap_or_default();
    Ok(Success {
        changes: Vec::new(),
        target: Some(Named { uuid: None, dn: name_of(&live) }),
        controls: Vec::new(),
        effects: Vec::new(),
        details: vec![(ENDED, live.number.to_string()), ("sessionIdentity", account)],
    })
}

/// The session that is over once this record is durable.
pub fn ended_by(record: &Record) -> Option<u64> {
    if record.kind != RecordKind::Delete || record.result != ResultCode::Success {
        return None;
    }
    record.details.iter().find(|(name, _)| *name == ENDED).and_then(|(_, number)| number.parse().ok())
}
