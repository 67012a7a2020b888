//! The access rules of a directory: compiled once after one of them changed, narrowed down to who asks once per operation, judged for each
//! entry and attribute.
//!
//! ```text
//! accessRule entries ─► AccessRules, by subject ─► Access: rules for this asker, here and now ─► allows(right, entry, attribute)
//! ```

mod written;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Authority, Context, default_rules, grant};
use crate::directory::{
    Compiled, Directory, FilterContext, IdSet, Lookup, Membership, MembershipAttribute, Node, PreparedFilter, RuleKind, Truth,
};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Dn, EntryId, Modification, ModificationOperation, Rdn, Scope, Timestamp, Value};
use crate::policy::access::{
    AccessRule, AttributeSet, Attributes, Circumstances, Effect, Reader, Right, RuleSubject, Verdict, decide,
};

pub(crate) use written::{check, check_not_locked_out, check_unnamed};

const TARGET: &str = "accessTarget";
/// Where the rules stand, from the leaf up to the suffix: elsewhere they are none, or who may add entries somewhere could give rights. Where
/// there is no rule, those of a new installation hold.
const FOLDER: [&str; 2] = ["ou=access", "ou=policies"];
/// Entries that are made when they are read and that rules can be about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Audited {
    /// `cn=monitor` and what is below it.
    Monitor,
    /// `cn=accesslog` and what is below it.
    Log,
}

impl Audited {
    const ALL: [Audited; 2] = [Audited::Monitor, Audited::Log];

    fn name(self) -> &'static str {
        match self {
            Audited::Monitor => "cn=monitor",
            Audited::Log => "cn=accesslog",
        }
    }

    /// The one with this name.
    fn named(schema: &Schema, name: &[u8]) -> Option<Audited> {
        let key = schema.dn_key(&Dn::parse(name).ok()?);
        let is_named = |it: &Audited| Dn::parse(it.name().as_bytes()).is_ok_and(|dn| schema.dn_key(&dn) == key);
        Audited::ALL.into_iter().find(is_named)
    }
}

/// The rules of a directory, read.
struct AccessRules {
    rules: Vec<Placed>,
    groups: HashMap<EntryId, Vec<usize>>,
    entries: HashMap<EntryId, Vec<usize>>,
    /// For groups and entries that are looked up at each operation: there are none with the rules of a directory's own.
    named: Vec<(usize, RuleSubject)>,
    authenticated: Vec<usize>,
    anyone: Vec<usize>,
    related: Vec<(usize, Relation)>,
    /// The rule about grants, for whoever has to do with one, and the attribute that every grant has.
    grants: Option<(usize, MembershipAttribute)>,
    /// The attributes that make somebody manager or owner.
    relations: [Option<MembershipAttribute>; 2],
}

/// A rule and what of it is a directory's.
struct Placed {
    rule: AccessRule,
    /// Its entry; none for one that no entry is about.
    entry: Option<EntryId>,
    /// Another one where the rule is another.
    version: u64,
    /// None: everything.
    targets: Option<Vec<EntryId>>,
    /// The audited entries that it is about.
    audits: Vec<Audited>,
    filter: Option<PreparedFilter>,
}

/// What who asks is to the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    Own,
    Manager,
    Owner,
    /// Who asked for a grant, gets it, or decides about it.
    Party,
}

impl Compiled for AccessRules {
    const KIND: RuleKind = RuleKind::AccessRule;

    fn compile(directory: &Directory, entries: &IdSet) -> AccessRules {
        let mut rules = AccessRules::none(directory.schema());
        let folder = folder(directory);
        let in_place = |id: &EntryId| folder.is_some_and(|folder| directory.is_within(*id, folder));
        for node in entries.iter().filter(in_place).filter_map(|id| directory.node(id)) {
            let values = |name: &str| match directory.schema().attribute_type(name) {
                Some(attribute_type) => node.entry.values(attribute_type.id).map(Value::copy_from_slice).collect(),
                None => Vec::new(),
            };
            let Some(rule) = read(directory.schema(), directory.dn_text(node.id), &values) else { continue };
            let (targets, audits) = targets(directory, node.id);
            let mut hasher = DefaultHasher::new();
            (node.entry.block(), &targets, &audits).hash(&mut hasher);
            let (entry, version) = (Some(node.id), hasher.finish());
            rules.add(directory, Placed { entry, version, targets, audits, ..Placed::of(directory, rule) }, false);
        }
        if rules.rules.is_empty() {
            rules.add_defaults(directory);
        }
        rules.add_grants(directory);
        rules
    }
}

/// What of a rule means nothing any more (its entry was checked when it was written) makes one that denies do so for everybody, and one that
/// allows none.
fn read(schema: &Schema, name: String, values: &dyn Fn(&str) -> Vec<Value>) -> Option<AccessRule> {
    let reader = Reader { schema, values, lenient: true };
    if let Ok(rule) = reader.read(name.clone()) {
        return Some(rule);
    }
    let denies = values("accessEffect").iter().all(|effect| !effect.eq_ignore_ascii_case(b"allow"));
    let of_everybody = |name: &str| match name {
        "accessSubject" => vec![Value::from_static(b"anyone")],
        "accessRight" => vec![Value::from_static(b"all")],
        "accessEffect" => vec![Value::from_static(b"deny")],
        _ => Vec::new(),
    };
    let reader = Reader { schema, values: &of_everybody, lenient: true };
    reader.read(name).ok().filter(|_| denies)
}

/// The entries that a rule is about; none where it is about all. The audited ones among them.
fn targets(directory: &Directory, rule: EntryId) -> (Option<Vec<EntryId>>, Vec<Audited>) {
    let attribute = directory.schema().attribute_type(TARGET).and_then(MembershipAttribute::of_type);
    let Some(attribute) = attribute.filter(|&attribute| directory.member_count(rule, attribute) > 0) else {
        return (None, Audited::ALL.to_vec());
    };
    let (mut targets, mut audits) = (Vec::new(), Vec::new());
    for membership in directory.memberships(rule, attribute) {
        match membership {
            Membership::Entry(_, id) => targets.push(id),
            Membership::Outside { value, .. } => audits.extend(Audited::named(directory.schema(), &value)),
        }
    }
    (Some(targets), audits)
}

impl Placed {
    fn of(directory: &Directory, rule: AccessRule) -> Placed {
        let filter = rule.filter.as_ref().map(|filter| PreparedFilter::of_rule(directory, filter));
        Placed { rule, entry: None, version: 0, targets: None, audits: Audited::ALL.to_vec(), filter }
    }

    /// Whether target and filter take an entry in. It need not be in the directory: its parent is.
    fn takes(&self, directory: &Directory, node: &Node) -> bool {
        let scope = self.rule.scope;
        let below = |target: EntryId| node.parent.is_some_and(|parent| directory.is_within(parent, target));
        let in_scope = |target: &EntryId| match scope {
            Scope::Base => node.id == *target,
            Scope::One => node.parent == Some(*target),
            Scope::Subtree => node.id == *target || below(*target),
            Scope::Children => below(*target),
        };
        self.targets.as_ref().is_none_or(|targets| targets.iter().any(in_scope))
            && self.filter.as_ref().is_none_or(|filter| {
                let truth = filter.evaluate(&FilterContext { directory, may_search: &|_, _| true }, node);
                // What cannot be said keeps out.
                truth == Truth::True || (truth == Truth::Undefined && self.rule.effect == Effect::Deny)
            })
    }
}

impl AccessRules {
    fn none(schema: &Schema) -> AccessRules {
        let relation = |name: &str| schema.attribute_type(name).and_then(MembershipAttribute::of_type);
        AccessRules {
            rules: Vec::new(),
            groups: HashMap::new(),
            entries: HashMap::new(),
            named: Vec::new(),
            authenticated: Vec::new(),
            anyone: Vec::new(),
            related: Vec::new(),
            grants: None,
            relations: [relation("manager"), relation("owner")],
        }
    }

    fn add_defaults(&mut self, directory: &Directory) {
        for request in default_rules::access_entries(&directory.suffix().to_string()) {
            let values = |name: &str| {
                let found = request.attributes.iter().filter(|attribute| attribute.description == name);
                found.flat_map(|attribute| attribute.values.clone()).collect()
            };
            let name = String::from_utf8_lossy(&request.name).into_owned();
            if let Some(rule) = read(directory.schema(), name, &values) {
                self.add(directory, Placed::of(directory, rule), true);
            }
        }
    }

    /// Who asked for a grant, gets it or decides about it may read it: that comes with the part, and no entry says so.
    fn add_grants(&mut self, directory: &Directory) {
        let values = |name: &str| match name {
            "accessSubject" => vec![Value::from_static(b"self")],
            "accessRight" => ["search", "compare", "read"].map(|right| Value::from_static(right.as_bytes())).to_vec(),
            "accessAttribute" => vec![Value::from_static(b"*"), Value::from_static(b"+")],
            "accessFilter" => vec![Value::from_static(b"(objectClass=accessGrant)")],
            "accessEffect" => vec![Value::from_static(b"allow")],
            _ => Vec::new(),
        };
        let held = directory.schema().attribute_type("grantMember").and_then(MembershipAttribute::of_type);
        if let Some((rule, held)) = read(directory.schema(), "grants".to_owned(), &values).zip(held) {
            self.grants = Some((self.rules.len(), held));
            self.rules.push(Placed::of(directory, rule));
        }
    }

    /// `loosely`: names are looked up at each operation, because nothing keeps their entries where they are.
    fn add(&mut self, directory: &Directory, placed: Placed, loosely: bool) {
        let place = self.rules.len();
        for subject in &placed.rule.subjects {
            let found = |dn: &Dn| match directory.find(dn) {
                Lookup::Found(id) if !loosely => Some(id),
                _ => None,
            };
            match subject {
                RuleSubject::Anyone => self.anyone.push(place),
                RuleSubject::Authenticated => self.authenticated.push(place),
                RuleSubject::Own => self.related.push((place, Relation::Own)),
                RuleSubject::Manager => self.related.push((place, Relation::Manager)),
                RuleSubject::Owner => self.related.push((place, Relation::Owner)),
                RuleSubject::Group(dn) => match found(dn) {
                    Some(id) => self.groups.entry(id).or_default().push(place),
                    None => self.named.push((place, subject.clone())),
                },
                RuleSubject::Entry(dn) => match found(dn) {
                    Some(id) => self.entries.entry(id).or_default().push(place),
                    None => self.named.push((place, subject.clone())),
                },
            }
        }
        self.rules.push(placed);
    }

    fn is_related(&self, directory: &Directory, relation: Relation, identity: EntryId, node: &Node) -> bool {
        let has = |attribute: Option<MembershipAttribute>| {
            attribute.is_some_and(|attribute| directory.has_membership(node.id, &Membership::Entry(attribute, identity)))
        };
        let [manager, owner] = self.relations;
        match relation {
            Relation::Own => node.id == identity,
            Relation::Manager => has(manager),
            Relation::Owner => has(owner),
            Relation::Party => grant::is_party(directory, node, identity),
        }
    }
}

/// A rule that is for who asks.
struct Applicable {
    place: usize,
    /// Only of entries to which who asks is one of these; none: of all.
    relations: Option<Vec<Relation>>,
}

/// What one asker may do, here and now.
pub(crate) struct Access {
    rules: Arc<AccessRules>,
    identity: Option<EntryId>,
    address: Option<IpAddr>,
    factors: Vec<&'static str>,
    now: Timestamp,
    everything: bool,
    /// Whoever holds the data folder may do everything, whatever the rules say.
    installation: bool,
    applicable: Vec<Applicable>,
}

/// Attributes of one entry.
pub(crate) enum Readable {
    /// All of them, and of every other entry.
    All,
    /// These.
    These(AttributeSet),
}

impl Readable {
    /// Whether an attribute is among them.
    pub(crate) fn contains(&self, id: AttributeTypeId) -> bool {
        match self {
            Readable::All => true,
            Readable::These(set) => set.contains(id),
        }
    }
}

impl Access {
    /// Of whom a request is done as.
    pub(crate) fn new(directory: &Directory, context: &Context) -> Access {
        let installation = context.authority == Authority::Installation && context.attached.assumed.is_none();
        let identity = context.subject(directory).identity;
        let access = Access::of(directory, identity, context.peer.address, &context.identity.factors, context.now);
        Access { everything: access.everything || installation, installation, ..access }
    }

    /// Of the session itself, whomever it acts as.
    pub(crate) fn own(directory: &Directory, context: &Context) -> Access {
        let installation = context.authority == Authority::Installation;
        let identity = context.own(directory).identity;
        let access = Access::of(directory, identity, context.peer.address, &context.identity.factors, context.now);
        Access { everything: access.everything || installation, installation, ..access }
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
        let nothing = |identity, rules| Access {
            rules,
            identity,
            address,
            factors: factors.to_vec(),
            now,
            everything: false,
            installation: false,
            applicable: Vec::new(),
        };
        let mut applicable: Vec<Applicable> = Vec::new();
        let whole = |place: &usize| Applicable { place: *place, relations: None };
        applicable.extend(rules.anyone.iter().map(whole));
        if let Some(identity) = identity {
            applicable.extend(rules.authenticated.iter().map(whole));
            applicable.extend(rules.entries.get(&identity).into_iter().flatten().map(whole));
            let related = rules.related.iter();
            applicable.extend(related.map(|(place, relation)| Applicable { place: *place, relations: Some(vec![*relation]) }));
            let grants = rules.grants.filter(|(_, attribute)| directory.is_held(*attribute));
            applicable.extend(grants.map(|(place, _)| Applicable { place, relations: Some(vec![Relation::Party]) }));
            if !rules.groups.is_empty() || !rules.named.is_empty() {
                // Where following groups costs too much, nobody can tell what is denied: nothing is allowed.
                let Ok(groups) = directory.nested_groups_of(identity) else {
                    return nothing(Some(identity), rules);
                };
                for group in groups.iter() {
                    applicable.extend(rules.groups.get(&group).into_iter().flatten().map(whole));
                }
                let is_meant = |subject: &RuleSubject| match subject {
                    RuleSubject::Group(dn) => matches!(directory.find(dn), Lookup::Found(id) if groups.contains(id)),
                    RuleSubject::Entry(dn) => directory.find(dn) == Lookup::Found(identity),
                    _ => false,
                };
                applicable.extend(rules.named.iter().filter(|(_, subject)| is_meant(subject)).map(|(place, _)| whole(place)));
            }
        }
        let asked = Circumstances { address, factors, now };
        let holds = |it: &Applicable| rules.rules.get(it.place).is_some_and(|placed| placed.rule.holds(&asked));
        applicable.retain(holds);
        let allows_all = |it: &Applicable| {
            it.relations.is_none()
                && rules.rules.get(it.place).is_some_and(|it| it.targets.is_none() && it.rule.allows_everything())
        };
        let denies = |it: &Applicable| rules.rules.get(it.place).is_some_and(|it| it.rule.effect == Effect::Deny);
        let everything = applicable.iter().any(allows_all) && !applicable.iter().any(denies);
        Access { everything, applicable, ..nothing(identity, rules) }
    }

    /// The rules for who asks that bear on a right and, where there is one, on an attribute.
    fn bearing(&self, right: Right, attribute: Option<AttributeTypeId>) -> impl Iterator<Item = (&Placed, Option<&[Relation]>)> {
        let placed = self.applicable.iter().filter_map(|it| Some((self.rules.rules.get(it.place)?, it.relations.as_deref())));
        placed.filter(move |(placed, _)| placed.rule.bears_on(right, attribute))
    }

    fn applies(&self, directory: &Directory, placed: &Placed, relations: Option<&[Relation]>, node: &Node) -> bool {
        let related = |relation: &Relation| {
            self.identity.is_some_and(|identity| self.rules.is_related(directory, *relation, identity, node))
        };
        relations.is_none_or(|relations| relations.iter().any(related)) && placed.takes(directory, node)
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
        // A filter is about entries of the directory.
        let is_about = |placed: &Placed| placed.audits.contains(&what) && placed.filter.is_none();
        let bearing = self.bearing(Right::ReadAudit, None).filter(|(placed, relations)| is_about(placed) && relations.is_none());
        self.everything || matches!(decide(bearing.map(|(placed, _)| (placed.rule.effect, ()))), Verdict::Allowed(()))
    }

    /// Whether an attribute counts in filters, assertions and sort keys.
    pub(crate) fn may_search(&self, directory: &Directory, attribute_type: AttributeTypeId, node: &Node) -> bool {
        self.everything
            || (!directory.schema().attribute_type_by_id(attribute_type).secret
                && self.allows(directory, Right::Search, node, Some(attribute_type)))
    }

    /// The attributes on which a right is given.
    fn attributes(&self, directory: &Directory, right: Right, node: &Node) -> AttributeSet {
        let (mut allowed, mut denied) = (AttributeSet::default(), AttributeSet::default());
        let all = || AttributeSet::everything(directory.schema().attribute_types().len());
        let of_right = self.applicable.iter().filter_map(|it| Some((self.rules.rules.get(it.place)?, it.relations.as_deref())));
        for (placed, relations) in of_right.filter(|(placed, _)| placed.rule.rights.has(right)) {
            if !self.applies(directory, placed, relations, node) {
                continue;
            }
            let set = if placed.rule.effect == Effect::Allow { &mut allowed } else { &mut denied };
            match &placed.rule.attributes {
                Attributes::All => set.unite(&all()),
                Attributes::These(these) => set.unite(these),
            }
        }
        allowed.subtract(&denied);
        allowed
    }

    /// What may be sent of an entry.
    pub(crate) fn readable(&self, directory: &Directory, node: &Node) -> Readable {
        if self.everything { Readable::All } else { Readable::These(self.attributes(directory, Right::Read, node)) }
    }

    /// Whether who asks may know of an entry: something of it may be searched, compared or read.
    pub(crate) fn sees(&self, directory: &Directory, node: &Node) -> bool {
        let any = |right: Right| !self.attributes(directory, right, node).is_empty();
        self.everything || [Right::Read, Right::Search, Right::Compare].into_iter().any(any)
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
                        may(Right::Replace) || (may(Right::AddValue) && may(Right::DeleteValue))
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

    /// Whether it is the same rules that are for who asks.
    pub(crate) fn is_same(&self, other: &Access) -> bool {
        self.versions().eq(other.versions())
    }

    fn versions(&self) -> impl Iterator<Item = (Option<EntryId>, u64, usize)> {
        let placed = |it: &Applicable| (it.place, self.rules.rules.get(it.place));
        let known = self.applicable.iter().map(placed);
        // Those of no entry are told apart by their places.
        known.filter_map(|(place, placed)| placed.map(|it| (it.entry, it.version, if it.entry.is_some() { 0 } else { place })))
    }

    /// Whether the same rules are for the same asker on a newer value of the directory, at the moment of the request.
    pub(crate) fn holds_on(&self, newest: &Directory) -> bool {
        let identity = self.identity.filter(|&id| newest.node(id).is_some());
        self.installation || self.is_same(&Access::of(newest, identity, self.address, &self.factors, self.now))
    }
}

/// The entry below which the rules stand.
pub(crate) fn folder(directory: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    FOLDER.iter().rev().try_fold(directory.suffix_entry()?, below)
}
