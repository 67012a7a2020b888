//! The rules that are for one asker, put together once for all who have the same ones: rules on the same condition are one, and an entry
//! meets those alone that are about all entries or about a place that it stands at or below.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::{AccessRules, Applicable, Relation};
use crate::directory::{Directory, Node, Truth};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, EntryId, Scope, Timestamp};
use crate::policy::access::{AttributeSet, Attributes, Effect, Right};

/// The rights without which nobody knows of an entry.
const LOOKING: [Right; 3] = [Right::Search, Right::Compare, Right::Read];
/// Judgements that one search remembers.
const MOST_KNOWN: usize = 16;

/// See the module.
pub(super) struct Chosen {
    pub(super) applicable: Vec<Applicable>,
    /// Everything is allowed everywhere.
    pub(super) everything: bool,
    /// From then on one of the rules is none any more.
    pub(super) until: Option<Timestamp>,
    conditions: Vec<Condition>,
    /// The conditions about all entries.
    anywhere: Vec<usize>,
    /// The conditions about what stands at or below an entry.
    below: BTreeMap<EntryId, Vec<usize>>,
    /// Whatever is no secret may be searched and read, on every entry.
    pub(super) reads_everything: bool,
}

/// When some rules apply, and what they allow and deny together.
struct Condition {
    relations: Option<Vec<Relation>>,
    /// None: everything.
    targets: Option<Vec<EntryId>>,
    scope: Scope,
    /// Number of a filter in [`AccessRules::filters`].
    filter: Option<usize>,
    allowed: Looked,
    denied: Looked,
}

/// Attributes, for each of [`LOOKING`].
#[derive(Clone, Default, Debug)]
struct Looked([AttributeSet; LOOKING.len()]);

impl Looked {
    fn unite(&mut self, other: &Looked) {
        self.0.iter_mut().zip(&other.0).for_each(|(set, other)| set.unite(other));
    }

    /// Whether the other has all of it.
    fn is_within(&self, other: &Looked) -> bool {
        self.0.iter().zip(&other.0).all(|(set, other)| {
            let mut left = set.clone();
            left.subtract(other);
            left.is_empty()
        })
    }
}

/// A condition that an entry meets, and whether it does surely: what cannot be said allows nothing.
type Met = (usize, bool);

/// What may be looked at of an entry.
#[derive(Debug)]
pub(crate) struct Judgement {
    searched: AttributeSet,
    read: AttributeSet,
    seen: bool,
}

impl Judgement {
    /// Whether an attribute counts in filters, assertions and sort keys.
    pub(crate) fn searches(&self, id: AttributeTypeId) -> bool {
        self.searched.contains(id)
    }

    /// Whether an attribute's values are sent.
    pub(crate) fn reads(&self, id: AttributeTypeId) -> bool {
        self.read.contains(id)
    }

    /// Whether who asks may know of the entry.
    pub(crate) fn sees(&self) -> bool {
        self.seen
    }
}

/// What one search knows of judgements: entries that meet the same conditions are judged alike. It looks at one value of the directory.
#[derive(Default)]
pub(crate) struct Glances {
    last: Option<(EntryId, Arc<Judgement>)>,
    met: Vec<Met>,
    known: Vec<(Vec<Met>, Arc<Judgement>)>,
}

impl Chosen {
    /// Puts together what is said of them all.
    pub(super) fn new(rules: &AccessRules, applicable: Vec<Applicable>, schema: &Schema) -> Chosen {
        let mut chosen = Chosen {
            until: applicable.iter().filter_map(|it| rules.rules.get(it.place)?.rule.not_after).min(),
            everything: false,
            conditions: Vec::new(),
            anywhere: Vec::new(),
            below: BTreeMap::new(),
            reads_everything: false,
            applicable,
        };
        let mut denies = false;
        for it in &chosen.applicable {
            let Some(placed) = rules.rules.get(it.place) else { continue };
            denies |= placed.rule.effect == Effect::Deny;
            chosen.everything |= it.relations.is_none() && placed.targets.is_none() && placed.rule.allows_everything();
        }
        chosen.everything &= !denies;
        for place in 0..chosen.applicable.len() {
            chosen.take(rules, place, schema.attribute_types().len());
        }
        chosen.reads_everything = chosen.everything || chosen.is_of_everything(schema);
        chosen.leave_out_needless();
        chosen
    }

    /// What allows only what is allowed of every entry anyway need not be looked at.
    fn leave_out_needless(&mut self) {
        let is_met = |it: &&Condition| it.relations.is_none() && it.targets.is_none() && it.filter.is_none();
        let mut always = Looked::default();
        self.conditions.iter().filter(is_met).for_each(|it| always.unite(&it.allowed));
        let is_needed =
            |it: &Condition| is_met(&it) || !it.denied.is_within(&Looked::default()) || !it.allowed.is_within(&always);
        let needed: Vec<bool> = self.conditions.iter().map(is_needed).collect();
        let keep = |number: &usize| needed.get(*number).copied().unwrap_or(true);
        self.anywhere.retain(keep);
        self.below.retain(|_, numbers| {
            numbers.retain(keep);
            !numbers.is_empty()
        });
    }

    /// Whether one condition that all entries meet allows to search and read whatever is no secret, and none denies anything.
    fn is_of_everything(&self, schema: &Schema) -> bool {
        let is_whole = |condition: &Condition| {
            let Looked([searched, _, read]) = &condition.allowed;
            let mut open = schema.attribute_types().iter().filter(|it| !it.secret);
            condition.relations.is_none()
                && condition.targets.is_none()
                && condition.filter.is_none()
                && open.all(|it| searched.contains(it.id) && read.contains(it.id))
        };
        self.conditions.iter().all(|it| it.denied.0.iter().all(AttributeSet::is_empty)) && self.conditions.iter().any(is_whole)
    }

    fn take(&mut self, rules: &AccessRules, number: usize, types: usize) {
        let Some(it) = self.applicable.get(number) else { return };
        let Some(placed) = rules.rules.get(it.place) else { return };
        if !LOOKING.iter().any(|right| placed.rule.rights.has(*right)) {
            return;
        }
        let is_same = |other: &Condition| {
            (&other.relations, &other.targets, other.filter) == (&it.relations, &placed.targets, placed.filter)
                && (other.scope == placed.rule.scope || placed.targets.is_none())
        };
        let found = self.conditions.iter().position(is_same);
        let number = found.unwrap_or(self.conditions.len());
        if found.is_none() {
            match &placed.targets {
                None => self.anywhere.push(number),
                Some(targets) => targets.iter().for_each(|target| self.below.entry(*target).or_default().push(number)),
            }
            self.conditions.push(Condition {
                relations: it.relations.clone(),
                targets: placed.targets.clone(),
                scope: placed.rule.scope,
                filter: placed.filter,
                allowed: Looked::default(),
                denied: Looked::default(),
            });
        }
        let Some(condition) = self.conditions.get_mut(number) else { return };
        let sets = if placed.rule.effect == Effect::Allow { &mut condition.allowed } else { &mut condition.denied };
        for (set, _) in sets.0.iter_mut().zip(LOOKING).filter(|(_, right)| placed.rule.rights.has(*right)) {
            match &placed.rule.attributes {
                Attributes::All => set.unite(&AttributeSet::everything(types)),
                Attributes::These(these) => set.unite(these),
            }
        }
    }

    /// Whether what may be seen of an entry changes without the entry being written.
    pub(super) fn is_unsteady(&self, rules: &AccessRules) -> bool {
        self.conditions.iter().filter_map(|it| it.filter).any(|filter| rules.is_unsteady(filter))
    }

    /// Whether a rule is about some places alone.
    pub(super) fn has_targets(&self) -> bool {
        !self.below.is_empty()
    }

    /// What may be looked at of an entry.
    pub(super) fn judge(&self, rules: &AccessRules, directory: &Directory, identity: Option<EntryId>, node: &Node) -> Judgement {
        let mut met = Vec::new();
        self.meet(rules, directory, identity, node, &mut met);
        self.sum(&met)
    }

    /// The same, in a search.
    pub(super) fn glance(
        &self,
        rules: &AccessRules,
        directory: &Directory,
        identity: Option<EntryId>,
        node: &Node,
        glances: &mut Glances,
    ) -> Arc<Judgement> {
        if let Some((_, judgement)) = glances.last.as_ref().filter(|(last, _)| *last == node.id) {
            return Arc::clone(judgement);
        }
        glances.met.clear();
        self.meet(rules, directory, identity, node, &mut glances.met);
        let known = glances.known.iter().find(|(met, _)| *met == glances.met).map(|(_, judgement)| Arc::clone(judgement));
        let judgement = known.unwrap_or_else(|| {
            let judgement = Arc::new(self.sum(&glances.met));
            if glances.known.len() >= MOST_KNOWN {
                glances.known.clear();
            }
            glances.known.push((glances.met.clone(), Arc::clone(&judgement)));
            judgement
        });
        glances.last = Some((node.id, Arc::clone(&judgement)));
        judgement
    }

    fn sum(&self, met: &[Met]) -> Judgement {
        let (mut allowed, mut denied) = (Looked::default(), Looked::default());
        for (number, surely) in met {
            let Some(condition) = self.conditions.get(*number) else { continue };
            if *surely {
                allowed.unite(&condition.allowed);
            }
            denied.unite(&condition.denied);
        }
        allowed.0.iter_mut().zip(&denied.0).for_each(|(allowed, denied)| allowed.subtract(denied));
        let seen = allowed.0.iter().any(|set| !set.is_empty());
        let Looked([searched, _, read]) = allowed;
        Judgement { searched, read, seen }
    }

    /// The conditions that an entry meets.
    fn meet(&self, rules: &AccessRules, directory: &Directory, identity: Option<EntryId>, node: &Node, met: &mut Vec<Met>) {
        // Truth of the filters that were looked at: rules share them.
        let mut known: Vec<(usize, Truth)> = Vec::new();
        let mut look = |number: usize| {
            let Some(condition) = self.conditions.get(number) else { return };
            let related = |it: &Relation| identity.is_some_and(|identity| rules.is_related(directory, *it, identity, node));
            if condition.relations.as_ref().is_some_and(|relations| !relations.iter().any(related)) {
                return;
            }
            let truth = match condition.filter {
                None => Truth::True,
                Some(filter) => match known.iter().find(|(known, _)| *known == filter) {
                    Some((_, truth)) => *truth,
                    None => {
                        let truth = rules.truth(directory, filter, node);
                        known.push((filter, truth));
                        truth
                    }
                },
            };
            match truth {
                Truth::True => met.push((number, true)),
                Truth::Undefined => met.push((number, false)),
                Truth::False => {}
            }
        };
        self.anywhere.iter().for_each(|number| look(*number));
        if self.below.is_empty() {
            return;
        }
        let mut next = Some(node.id);
        while let Some(id) = next {
            for number in self.below.get(&id).into_iter().flatten() {
                let in_scope = self.conditions.get(*number).is_some_and(|condition| match condition.scope {
                    Scope::Base => id == node.id,
                    Scope::One => node.parent == Some(id),
                    Scope::Subtree => true,
                    Scope::Children => id != node.id,
                });
                if in_scope {
                    look(*number);
                }
            }
            // It need not be in the directory itself: its parent is.
            next = if id == node.id { node.parent } else { directory.node(id).and_then(|above| above.parent) };
        }
    }
}
