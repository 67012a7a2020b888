//! The access rules of a directory, compiled: read once after one of them changed, by whoever asks first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::chosen::Chosen;
use crate::directory::{
    Compiled, Computed, Directory, FilterContext, IdSet, Lookup, Membership, MembershipAttribute, Node, PreparedFilter, RuleKind,
    Truth,
};
use crate::model::schema::{AttributeDescription, Schema};
use crate::model::{Dn, EntryId, Filter, Rdn, Scope, Value};
use crate::operation::{default_rules, grant, review};
use crate::policy::access::{AccessRule, Circumstances, Effect, Reader, RuleSubject};

/// Sets of rules for which what is put together of them is remembered.
const MOST_CHOSEN: usize = 256;

pub(super) const TARGET: &str = "accessTarget";
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
    pub(super) fn named(schema: &Schema, name: &[u8]) -> Option<Audited> {
        let key = schema.dn_key(&Dn::parse(name).ok()?);
        let is_named = |it: &Audited| Dn::parse(it.name().as_bytes()).is_ok_and(|dn| schema.dn_key(&dn) == key);
        Audited::ALL.into_iter().find(is_named)
    }
}

/// The rules of a directory, read.
pub(super) struct AccessRules {
    pub(super) rules: Vec<Placed>,
    pub(super) groups: HashMap<EntryId, Vec<usize>>,
    pub(super) entries: HashMap<EntryId, Vec<usize>>,
    /// For groups and entries that are looked up at each operation: there are none with the rules of a directory's own.
    pub(super) named: Vec<(usize, RuleSubject)>,
    pub(super) authenticated: Vec<usize>,
    pub(super) anyone: Vec<usize>,
    pub(super) related: Vec<(usize, Relation)>,
    /// The rules about grants and reviews, for whoever has to do with one, and the attribute that each of them has.
    parties: Vec<(usize, MembershipAttribute)>,
    /// The attributes that make somebody manager or owner.
    relations: [Option<MembershipAttribute>; 2],
    /// What rules' filters come to: each stands here once.
    filters: Vec<(Filter, PreparedFilter, bool)>,
    /// What was put together for those who ask, by the rules that are for them.
    chosen: ArcSwap<HashMap<Vec<Applicable>, Arc<Chosen>>>,
}

/// A rule and what of it is a directory's.
pub(super) struct Placed {
    pub(super) rule: AccessRule,
    /// Its entry; none for one that no entry is about.
    pub(super) entry: Option<EntryId>,
    /// Another one where the rule is another.
    pub(super) version: u64,
    /// None: everything.
    pub(super) targets: Option<Vec<EntryId>>,
    /// The audited entries that it is about.
    pub(super) audits: Vec<Audited>,
    /// Number of one of [`AccessRules::filters`].
    pub(super) filter: Option<usize>,
}

/// A rule that is for who asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Applicable {
    pub(super) place: usize,
    /// Only of entries to which who asks is one of these; none: of all.
    pub(super) relations: Option<Vec<Relation>>,
}

/// What who asks is to the entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Relation {
    Own,
    Manager,
    Owner,
    /// Who asked for a grant, gets it, or decides about it; who reviews.
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
            let filter = rules.filter(directory, &rule);
            rules.add(directory, Placed { rule, entry, version, targets, audits, filter }, false);
        }
        if rules.rules.is_empty() {
            rules.add_defaults(directory);
        }
        rules.add_party(directory, ("grants", "(objectClass=accessGrant)", "grantMember"));
        rules.add_party(directory, ("reviews", "(|(objectClass=reviewCampaign)(objectClass=reviewItem))", "reviewGroup"));
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
    /// Whether the targets take an entry in. It need not be in the directory: its parent is.
    fn is_about(&self, directory: &Directory, node: &Node) -> bool {
        let scope = self.rule.scope;
        let below = |target: EntryId| node.parent.is_some_and(|parent| directory.is_within(parent, target));
        let in_scope = |target: &EntryId| match scope {
            Scope::Base => node.id == *target,
            Scope::One => node.parent == Some(*target),
            Scope::Subtree => node.id == *target || below(*target),
            Scope::Children => below(*target),
        };
        self.targets.as_ref().is_none_or(|targets| targets.iter().any(in_scope))
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
            relations: [relation("manager"), relation("owner")],
            parties: Vec::new(),
            filters: Vec::new(),
            chosen: ArcSwap::default(),
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
                let filter = self.filter(directory, &rule);
                let placed = Placed { rule, entry: None, version: 0, targets: None, audits: Audited::ALL.to_vec(), filter };
                self.add(directory, placed, true);
            }
        }
    }

    /// Who asked for a grant, gets it or decides about it may read it, and who reviews what there is to review: that comes with the part, and no
    /// entry says so.
    fn add_party(&mut self, directory: &Directory, (name, filter, held): (&str, &'static str, &str)) {
        let values = |name: &str| match name {
            "accessSubject" => vec![Value::from_static(b"self")],
            "accessRight" => ["search", "compare", "read"].map(|right| Value::from_static(right.as_bytes())).to_vec(),
            "accessAttribute" => vec![Value::from_static(b"*"), Value::from_static(b"+")],
            "accessFilter" => vec![Value::from_static(filter.as_bytes())],
            "accessEffect" => vec![Value::from_static(b"allow")],
            _ => Vec::new(),
        };
        let held = directory.schema().attribute_type(held).and_then(MembershipAttribute::of_type);
        if let Some((rule, held)) = read(directory.schema(), name.to_owned(), &values).zip(held) {
            let filter = self.filter(directory, &rule);
            self.parties.push((self.rules.len(), held));
            self.rules.push(Placed { rule, entry: None, version: 0, targets: None, audits: Vec::new(), filter });
        }
    }

    /// The number of a rule's filter.
    fn filter(&mut self, directory: &Directory, rule: &AccessRule) -> Option<usize> {
        let filter = rule.filter.as_ref()?;
        let known = self.filters.iter().position(|(known, ..)| known == filter);
        Some(known.unwrap_or_else(|| {
            let is_computed = |it: &AttributeDescription| directory.computed(it.attribute_type).is_some_and(is_unsteady);
            let is_unsteady = names(filter, &|name| directory.schema().describe(name).is_ok_and(|it| is_computed(&it)));
            self.filters.push((filter.clone(), PreparedFilter::of_rule(directory, filter), is_unsteady));
            self.filters.len() - 1
        }))
    }

    /// Whether a filter is about attributes that come and go without the entry being written.
    pub(super) fn is_unsteady(&self, filter: usize) -> bool {
        self.filters.get(filter).is_none_or(|(_, _, is_unsteady)| *is_unsteady)
    }

    /// What a filter comes to for an entry.
    pub(super) fn truth(&self, directory: &Directory, filter: usize, node: &Node) -> Truth {
        let context = FilterContext { directory, may_search: &|_, _| true };
        self.filters.get(filter).map_or(Truth::Undefined, |(_, filter, _)| filter.evaluate(&context, node))
    }

    /// Whether a rule's targets and filter take an entry in. What cannot be said keeps out.
    pub(super) fn takes(&self, directory: &Directory, placed: &Placed, node: &Node) -> bool {
        placed.is_about(directory, node)
            && placed.filter.is_none_or(|filter| match self.truth(directory, filter, node) {
                Truth::True => true,
                Truth::Undefined => placed.rule.effect == Effect::Deny,
                Truth::False => false,
            })
    }

    /// What is put together of these rules: once for all who have the same ones.
    pub(super) fn chosen(&self, schema: &Schema, applicable: Vec<Applicable>) -> Arc<Chosen> {
        let known = self.chosen.load();
        if let Some(chosen) = known.get(&applicable) {
            return Arc::clone(chosen);
        }
        let chosen = Arc::new(Chosen::new(self, applicable.clone(), schema));
        self.chosen.rcu(|known| {
            let mut known = if known.len() < MOST_CHOSEN { HashMap::clone(known) } else { HashMap::new() };
            known.insert(applicable.clone(), Arc::clone(&chosen));
            known
        });
        chosen
    }

    /// The rules that are for somebody, here and now, in order of their places. None: following groups costs too much.
    pub(super) fn applicable(
        &self,
        directory: &Directory,
        identity: Option<EntryId>,
        asked: &Circumstances<'_>,
    ) -> Option<Vec<Applicable>> {
        let mut applicable: Vec<Applicable> = Vec::new();
        let whole = |place: &usize| Applicable { place: *place, relations: None };
        applicable.extend(self.anyone.iter().map(whole));
        if let Some(identity) = identity {
            applicable.extend(self.authenticated.iter().map(whole));
            applicable.extend(self.entries.get(&identity).into_iter().flatten().map(whole));
            if !self.groups.is_empty() || !self.named.is_empty() {
                let groups = directory.nested_groups_of(identity).ok()?;
                for group in groups.iter() {
                    applicable.extend(self.groups.get(&group).into_iter().flatten().map(whole));
                }
                let is_meant = |subject: &RuleSubject| match subject {
                    RuleSubject::Group(dn) => matches!(directory.find(dn), Lookup::Found(id) if groups.contains(id)),
                    RuleSubject::Entry(dn) => directory.find(dn) == Lookup::Found(identity),
                    _ => false,
                };
                applicable.extend(self.named.iter().filter(|(_, subject)| is_meant(subject)).map(|(place, _)| whole(place)));
            }
            let related = self.related.iter();
            applicable.extend(related.map(|(place, relation)| Applicable { place: *place, relations: Some(vec![*relation]) }));
            let parties = self.parties.iter().filter(|(_, attribute)| directory.is_held(*attribute));
            applicable.extend(parties.map(|&(place, _)| Applicable { place, relations: Some(vec![Relation::Party]) }));
        }
        applicable.retain(|it| self.rules.get(it.place).is_some_and(|placed| placed.rule.holds(asked)));
        // What a rule is for in any way it is for without relations, too.
        applicable.sort_by_key(|it| (it.place, it.relations.is_some()));
        applicable.dedup_by(|next, kept| {
            if next.place != kept.place {
                return false;
            }
            if let (Some(relations), Some(more)) = (&mut kept.relations, &next.relations) {
                relations.extend(more);
            }
            true
        });
        Some(applicable)
    }

    /// Whether it is a rule by which those whom a grant or a review concerns see it.
    pub(super) fn is_for_parties(&self, place: usize) -> bool {
        self.parties.iter().any(|(party, _)| *party == place)
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

    pub(super) fn is_related(&self, directory: &Directory, relation: Relation, identity: EntryId, node: &Node) -> bool {
        let has = |attribute: Option<MembershipAttribute>| {
            attribute.is_some_and(|attribute| directory.has_membership(node.id, &Membership::Entry(attribute, identity)))
        };
        let [manager, owner] = self.relations;
        match relation {
            Relation::Own => node.id == identity,
            Relation::Manager => has(manager),
            Relation::Owner => has(owner),
            Relation::Party => grant::is_party(directory, node, identity) || review::is_party(directory, node, identity),
        }
    }
}

/// The entry below which the rules stand.
pub(crate) fn folder(directory: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    FOLDER.iter().rev().try_fold(directory.suffix_entry()?, below)
}

/// Whether an attribute's values come and go without the entry being written.
fn is_unsteady(computed: Computed) -> bool {
    !matches!(computed, Computed::Members(_) | Computed::SubschemaSubentry)
}

/// Whether a filter names an attribute of a kind.
fn names(filter: &Filter, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(|filter| names(filter, is_meant)),
        Filter::Not(filter) => names(filter, is_meant),
        Filter::Present(name)
        | Filter::Equality(name, _)
        | Filter::Approximate(name, _)
        | Filter::GreaterOrEqual(name, _)
        | Filter::LessOrEqual(name, _)
        | Filter::Substrings(name, _) => is_meant(name),
        // Rules have none of these.
        Filter::Extensible(_) => true,
    }
}

/// The audited entry that a name is of, or is below.
pub(crate) fn audited(directory: &Directory, name: &str) -> Option<Audited> {
    let mut dn = Dn::parse(name.as_bytes()).ok()?;
    while dn.rdns.len() > 1 {
        dn = dn.parent()?;
    }
    Audited::named(directory.schema(), dn.to_string().as_bytes())
}
