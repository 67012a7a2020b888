//! `cn=accesslog`: the journal as entries of the slapo-accesslog schema, for auditors, read-only.
//!
//! ```text
//! search ─► is it here, may they ─► recorded ─► SearchStream asks for records ─► a thread reads files ─► entries, judged by the filter
//! ```
//! What a filter surely wants becomes a question that the journal's index answers; the filter itself judges each entry.

mod entry;
mod question;

pub(crate) use entry::node_of;
pub(crate) use question::{question, told};

use super::Context;
use super::access::{Access, Audited};
use super::root_dse::SpecialEntry;
use crate::directory::{Directory, Node};
use crate::model::{Dn, Timestamp};

/// The name that records stand below.
pub(crate) const ACCESSLOG: &str = "cn=accesslog";

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// All records.
    Log,
    /// The record of this moment.
    Record(Timestamp),
}

/// What a name stands for; none where it is not of the log.
pub(crate) fn place(directory: &Directory, dn: &Dn) -> Option<Place> {
    let (schema, log) = (directory.schema(), Dn::parse(ACCESSLOG.as_bytes()).ok()?);
    match dn.rdns.len() {
        1 => (schema.dn_key(dn) == schema.dn_key(&log)).then_some(Place::Log),
        2 => {
            let parent = dn.parent()?;
            let [part] = dn.rdns.first()?.parts.as_slice() else { return None };
            let is_start = schema.attribute_type(&part.attribute_type).is_some_and(|it| it.name() == "reqStart");
            let moment = Timestamp::from_generalized_time(&part.value).ok()?;
            (is_start && schema.dn_key(&parent) == schema.dn_key(&log)).then_some(Place::Record(moment))
        }
        _ => None,
    }
}

/// Whether the log may be read: by who has the right `read-audit` on it, where a server writes it.
pub(crate) fn may_read(directory: &Directory, context: &Context) -> bool {
    context.settings.monitor.is_there() && Access::new(directory, context).reads_audit(Audited::Log)
}

/// The entry above all records.
pub(crate) fn container(directory: &Directory) -> Node {
    let mut entry = SpecialEntry::new(directory.schema());
    entry.set("objectClass", ["top", "auditContainer"]);
    entry.set("structuralObjectClass", ["auditContainer"]);
    entry.set("cn", ["accesslog"]);
    entry.set("entryDN", [ACCESSLOG]);
    entry.into_node(ACCESSLOG)
}
