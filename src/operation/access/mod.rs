//! The access rules of a directory: compiled once after one of them changed, narrowed down to who asks, and judged for each entry and
//! attribute.
//!
//! ```text
//! accessRule entries ─► AccessRules, by subject ─► Chosen: the rules for this asker ─► Judgement: what of this entry may be looked at
//!                            once a change of them      once for all who have the same      once for all entries that meet the same conditions
//! ```

mod check;
mod chosen;
mod compile;
mod effective;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use check::{check, check_not_locked_out, check_unnamed};
use chosen::Chosen;
pub(crate) use chosen::{Glances, Judgement};
use compile::{AccessRules, Placed, Relation};
pub(crate) use compile::{Audited, audited, folder};

use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Authority, Context};
use crate::directory::{Directory, Happening, Lookup, Node, Place, RuleKind};
use crate::model::{AttributeTypeId, Dn, EntryId, Modification, ModificationOperation, Timestamp};
use crate::policy::access::{AccessRule, Circumstances, Effect, Right, Rights, Verdict, decide};

/// What one asker may do, here and now.
pub(crate) struct Access {
    rules: Arc<AccessRules>,
    chosen: Arc<Chosen>,
    identity: Option<EntryId>,
    address: Option<IpAddr>,
    factors: Vec<&'static str>,
    everything: bool,
    /// Whoever holds the data folder may do everything, whatever the rules say.
    installation: bool,
}

/// The rules that were put together for a session, and of when.
#[derive(Clone)]
pub(crate) struct SessionRules {
    rules: Arc<AccessRules>,
    memberships: u64,
    chosen: Arc<Chosen>,
}

/// What may be looked at of one entry.
#[derive(Clone)]
pub(crate) enum Readable {
    /// All of it, and of every other entry.
    All,
    /// This.
    These(Arc<Judgement>),
}

impl Readable {
    /// Whether an attribute's values are sent. Secrets never are, whatever it says.
    pub(crate) fn contains(&self, id: AttributeTypeId) -> bool {
        match self {
            Readable::All => true,
            Readable::These(judgement) => judgement.reads(id),
        }
    }

    /// Whether an attribute counts in filters, assertions and sort keys. Secrets never do, whatever it says.
    pub(crate) fn searches(&self, id: AttributeTypeId) -> bool {
        match self {
            Readable::All => true,
            Readable::These(judgement) => judgement.searches(id),
        }
    }

    /// Whether who asks may know of the entry: something of it may be searched, compared or read.
    pub(crate) fn sees(&self) -> bool {
        match self {
            Readable::All => true,
            Readable::These(judgement) => judgement.sees(),
        }
    }
}

impl Access {
    /// Of whom a request is done as.
    pub(crate) fn new(directory: &Directory, context: &Context) -> Access {
        let installation = context.authority == Authority::Installation && context.attached.assumed.is_none();
        let identity = context.subject_entry(directory);
        Access::of(directory, identity, context.peer.address, &context.identity.factors, context.now).with(installation)
    }

    /// The same on a value that was published: the rules that were put together for the session are found again.
    pub(crate) fn published(directory: &Directory, context: &Context) -> Access {
        let live = match &context.identity.live {
            Some(live) if context.attached.assumed.is_none() && context.authority == Authority::Session => live,
            _ => return Access::new(directory, context),
        };
        let Some(identity) = context.subject_entry(directory) else { return Access::new(directory, context) };
        let (rules, memberships) = (directory.compiled::<AccessRules>(), directory.membership_version());
        let known = live.rules();
        if let Some(known) = known.as_ref().filter(|known| known.stand(&rules, memberships, context.now)) {
            let chosen = Arc::clone(&known.chosen);
            return Access::chosen(rules, chosen, Some(identity), context.peer.address, &context.identity.factors);
        }
        let access = Access::of(directory, Some(identity), context.peer.address, &context.identity.factors, context.now);
        let (rules, chosen) = (Arc::clone(&access.rules), Arc::clone(&access.chosen));
        live.put_rules(SessionRules { rules, memberships, chosen });
        access
    }

    /// Of the session itself, whomever it acts as.
    pub(crate) fn own(directory: &Directory, context: &Context) -> Access {
        let identity = context.own(directory).identity;
        let access = Access::of(directory, identity, context.peer.address, &context.identity.factors, context.now);
        access.with(context.authority == Authority::Installation)
    }

    /// Of an entry, or of nobody.
    pub(crate) fn of(
        directory: &Directory,
        identity: Option<EntryId>,
        address: Option<IpAddr>,
        factors: &[&'static str],
        now: Timestamp,
    ) -> Access {
        let rules = directory.compiled::<AccessRules>();
        let asked = Circumstances { address, factors, now };
        // Where following groups costs too much, nobody can tell what is denied: nothing is allowed.
        let applicable = rules.applicable(directory, identity, &asked).unwrap_or_default();
        let chosen = rules.chosen(directory.schema(), applicable);
        Access::chosen(rules, chosen, identity, address, factors)
    }

    fn chosen(
        rules: Arc<AccessRules>,
        chosen: Arc<Chosen>,
        identity: Option<EntryId>,
        address: Option<IpAddr>,
        factors: &[&'static str],
    ) -> Access {
        let everything = chosen.everything;
        Access { rules, chosen, identity, address, factors: factors.to_vec(), everything, installation: false }
    }

    fn with(self, installation: bool) -> Access {
        Access { everything: self.everything || installation, installation, ..self }
    }

    /// The rules for who asks that bear on a right and, where there is one, on an attribute.
    fn bearing(&self, right: Right, attribute: Option<AttributeTypeId>) -> impl Iterator<Item = (&Placed, Option<&[Relation]>)> {
        let placed =
            self.chosen.applicable.iter().filter_map(|it| Some((self.rules.rules.get(it.place)?, it.relations.as_deref())));
        placed.filter(move |(placed, _)| placed.rule.bears_on(right, attribute))
    }

    fn applies(&self, directory: &Directory, placed: &Placed, relations: Option<&[Relation]>, node: &Node) -> bool {
        let related = |relation: &Relation| {
            self.identity.is_some_and(|identity| self.rules.is_related(directory, *relation, identity, node))
        };
        relations.is_none_or(|relations| relations.iter().any(related)) && self.rules.takes(directory, placed, node)
    }

    /// What the rules say, and which of them.
    pub(crate) fn verdict(
        &self,
        directory: &Directory,
        right: Right,
        node: &Node,
        attribute: Option<AttributeTypeId>,
    ) -> Verdict<&AccessRule> {
        let bearing = self.bearing(right, attribute);
        let applying = bearing.filter(|(placed, relations)| self.applies(directory, placed, *relations, node));
        decide(applying.map(|(placed, _)| (placed.rule.effect, &placed.rule)))
    }

    /// Whether a right is given on an entry, or on an attribute of it.
    pub(crate) fn allows(&self, directory: &Directory, right: Right, node: &Node, attribute: Option<AttributeTypeId>) -> bool {
        self.everything || matches!(self.verdict(directory, right, node, attribute), Verdict::Allowed(_))
    }

    /// Whether everything is allowed everywhere.
    pub(crate) fn is_everything(&self) -> bool {
        self.everything
    }

    /// Whether a right may be given on some entry: where it is not, nobody need look further.
    pub(crate) fn may_allow(&self, right: Right) -> bool {
        self.everything || self.bearing(right, None).any(|(placed, _)| placed.rule.effect == Effect::Allow)
    }

    /// Whether such an entry and what is below it may be read.
    pub(crate) fn reads_audit(&self, what: Audited) -> bool {
        let effects = self.bearing_on_audit(what).map(|placed| (placed.rule.effect, ()));
        let whole = if what == Audited::Log { self.installation } else { self.everything };
        whole || matches!(decide(effects), Verdict::Allowed(()))
    }

    /// The log is for those to whom a rule gives it by name: who may do `all` is who is looked after there.
    fn bearing_on_audit(&self, what: Audited) -> impl Iterator<Item = &Placed> {
        let bearing = self.bearing(Right::ReadAudit, None);
        // A filter is about entries of the directory.
        let is_meant = move |(placed, relations): &(&Placed, Option<&[Relation]>)| {
            let gives = what != Audited::Log || placed.rule.effect == Effect::Deny || placed.rule.rights != Rights::ALL;
            gives && placed.audits.contains(&what) && placed.filter.is_none() && relations.is_none()
        };
        bearing.filter(is_meant).map(|(placed, _)| placed)
    }

    /// Whether the access rules may be read, and so what they come to for others.
    pub(crate) fn reads_rules(&self, directory: &Directory) -> bool {
        let effect = directory.schema().attribute_type("accessEffect").map(|it| it.id);
        let reads = |node: &Node| effect.is_some_and(|effect| self.readable(directory, node).contains(effect));
        self.everything || folder(directory).and_then(|id| directory.node(id)).is_some_and(|node| reads(node))
    }

    /// Whether an attribute counts in filters, assertions and sort keys.
    pub(crate) fn may_search(&self, directory: &Directory, attribute_type: AttributeTypeId, node: &Node) -> bool {
        self.everything
            || (!directory.schema().attribute_type_by_id(attribute_type).secret
                && self.allows(directory, Right::Search, node, Some(attribute_type)))
    }

    /// The same in a search.
    pub(crate) fn may_search_in(
        &self,
        directory: &Directory,
        attribute_type: AttributeTypeId,
        node: &Node,
        glances: &mut Glances,
    ) -> bool {
        self.everything
            || (!directory.schema().attribute_type_by_id(attribute_type).secret
                && self.glance(directory, node, glances).searches(attribute_type))
    }

    /// What may be looked at of an entry.
    pub(crate) fn readable(&self, directory: &Directory, node: &Node) -> Readable {
        if self.everything {
            return Readable::All;
        }
        Readable::These(Arc::new(self.chosen.judge(&self.rules, directory, self.identity, node)))
    }

    /// The same in a search.
    pub(crate) fn glance(&self, directory: &Directory, node: &Node, glances: &mut Glances) -> Readable {
        if self.everything {
            return Readable::All;
        }
        Readable::These(self.chosen.glance(&self.rules, directory, self.identity, node, glances))
    }

    /// Whether who asks may know of an entry: something of it may be searched, compared or read.
    pub(crate) fn sees(&self, directory: &Directory, node: &Node) -> bool {
        self.readable(directory, node).sees()
    }

    /// The same of an entry by its number.
    pub(crate) fn sees_id(&self, directory: &Directory, id: EntryId) -> bool {
        self.everything || directory.node(id).is_some_and(|node| self.sees(directory, node))
    }

    /// 32, with the nearest entry at or above this one that may be known of.
    pub(crate) fn no_such_object(&self, directory: &Directory, nearest: Option<EntryId>) -> Refusal {
        let mut next = nearest;
        while let Some(id) = next.filter(|&id| !self.sees_id(directory, id)) {
            next = directory.node(id).and_then(|node| node.parent);
        }
        Refusal::no_such_object(directory, next)
    }

    /// 32 for a name whose entry, or the nearest one above it, may not be known of.
    pub(crate) fn check_seen(&self, directory: &Directory, dn: &Dn) -> Result<(), Refusal> {
        let (Lookup::Found(nearest) | Lookup::Missing { matched: nearest }) = directory.find(dn) else { return Ok(()) };
        if self.sees_id(directory, nearest) { Ok(()) } else { Err(self.no_such_object(directory, Some(nearest))) }
    }

    /// 50 unless the right is given on an entry that may be known of.
    pub(crate) fn require(&self, directory: &Directory, right: Right, id: EntryId) -> Result<(), Refusal> {
        let allowed = directory.node(id).is_some_and(|node| self.allows(directory, right, node, None));
        if allowed { Ok(()) } else { Err(not_permitted()) }
    }

    /// Whether every change of a modify is allowed. Attributes that there are none of are refused elsewhere.
    pub(crate) fn allows_changes(&self, directory: &Directory, changes: &[Modification], node: &Node) -> bool {
        self.everything
            || changes.iter().all(|change| {
                let Ok(description) = directory.schema().describe(&change.attribute.description) else { return true };
                let id = description.attribute_type;
                let may = |right| self.allows(directory, right, node, Some(id));
                if super::prepare::is_password(directory.schema(), id) {
                    return change.operation != ModificationOperation::Increment && may(Right::SetPassword);
                }
                match change.operation {
                    ModificationOperation::Add => may(Right::AddValue),
                    ModificationOperation::Delete => may(Right::DeleteValue),
                    ModificationOperation::Replace | ModificationOperation::Increment => {
                        match self.verdict(directory, Right::Replace, node, Some(id)) {
                            Verdict::Allowed(_) => true,
                            Verdict::Denied(_) => false,
                            Verdict::NoRule => may(Right::AddValue) && may(Right::DeleteValue),
                        }
                    }
                }
            })
    }

    /// Whether an entry may be added as it is, each of its attributes allowed.
    pub(crate) fn allows_new(&self, directory: &Directory, node: &Node, given: impl Iterator<Item = AttributeTypeId>) -> bool {
        let may = |id: AttributeTypeId| {
            self.allows(directory, Right::Create, node, Some(id))
                || (super::prepare::is_password(directory.schema(), id) && self.allows(directory, Right::SetPassword, node, None))
        };
        self.everything || (self.allows(directory, Right::Create, node, None) && given.into_iter().all(may))
    }

    /// Whether a rule forbids to add an entry as it is, or with one of its attributes: no other way leads past that.
    pub(crate) fn denies_new(&self, directory: &Directory, node: &Node, given: impl Iterator<Item = AttributeTypeId>) -> bool {
        let denied = |attribute| matches!(self.verdict(directory, Right::Create, node, attribute), Verdict::Denied(_));
        !self.everything && (denied(None) || given.into_iter().any(|id| denied(Some(id))))
    }

    /// When a rule ends by time, which was for who asks until then.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.chosen.until.filter(|_| !self.installation)
    }

    /// Whether it is the same rules that are for who asks, in the same way.
    pub(crate) fn is_same(&self, other: &Access) -> bool {
        self.versions().eq(other.versions())
    }

    fn versions(&self) -> impl Iterator<Item = (Option<EntryId>, u64, usize, Option<&[Relation]>)> {
        // Those about grants and reviews apply while there are any: that the first one came takes nothing from anybody.
        let lasting = self.chosen.applicable.iter().filter(|it| !self.rules.is_for_parties(it.place));
        let rules = lasting.filter_map(|it| Some((it, self.rules.rules.get(it.place)?)));
        // Those of no entry are told apart by their places.
        rules.map(|(it, rule)| {
            (rule.entry, rule.version, if rule.entry.is_some() { 0 } else { it.place }, it.relations.as_deref())
        })
    }

    /// Stands in for the rules that are for who asks, in 24 bits: 0 where whatever is no secret may be searched and read. None: what may be
    /// seen of an entry changes without the entry being written.
    pub(crate) fn mark(&self) -> Option<u32> {
        if self.everything || self.chosen.reads_everything {
            return Some(0);
        }
        if self.chosen.is_unsteady(&self.rules) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        self.versions().for_each(|version| version.hash(&mut hasher));
        let [.., a, b, c] = hasher.finish().to_be_bytes();
        Some(u32::from_be_bytes([0, a, b, c]).max(1))
    }

    /// Whether rules that are for who asks may be about other entries after a change from this number on: one that entries stand below was
    /// moved, and they were not written.
    pub(crate) fn changes_with_moves(&self, directory: &Directory, position: u64) -> bool {
        let recent = directory.recent();
        let is_moved = |number: u64| {
            let change = recent.get(number).filter(|change| matches!(change.happening, Happening::Put(Place::Moved)));
            change.is_some_and(|change| directory.child_count(change.id) > 0)
        };
        self.has_targets() && (position..recent.end()).any(is_moved)
    }

    /// Whether a rule that is for who asks is about some places alone.
    pub(crate) fn has_targets(&self) -> bool {
        !self.everything && self.chosen.has_targets()
    }

    /// Whether the same rules are for the same asker on a newer value of the directory, at this moment.
    pub(crate) fn holds_on(&self, newest: &Directory, now: Timestamp) -> bool {
        let identity = self.identity.filter(|&id| newest.node(id).is_some());
        self.installation
            || (identity == self.identity && self.is_same(&Access::of(newest, identity, self.address, &self.factors, now)))
    }
}

impl SessionRules {
    /// Whether the same would be put together.
    fn stand(&self, rules: &Arc<AccessRules>, memberships: u64, now: Timestamp) -> bool {
        Arc::ptr_eq(&self.rules, rules) && self.memberships == memberships && self.chosen.until.is_none_or(|until| now < until)
    }
}

impl std::fmt::Debug for SessionRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rules", self.chosen.applicable.len())
    }
}

/// What rights hang on beside the moment and who asks: where two values of the directory that were published have the same, they come to
/// the same.
pub(crate) fn version(directory: &Directory) -> (u64, u64) {
    (directory.rule_version(RuleKind::AccessRule), directory.membership_version())
}
