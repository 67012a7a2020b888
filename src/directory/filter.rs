//! Filters resolved against the schema and evaluated with three-valued logic (RFC 4511 section 4.5.1.7).

mod apart;
mod chain;
mod dynamic;
mod evaluate;
mod prepare;
#[cfg(test)]
mod tests;
mod values;

pub use values::ValuesFilter;

use super::chain::ChainWork;
use super::dynamic::DynamicGroup;
use super::index::Parts;
use super::{Computed, Directory, Membership, Node};
use crate::model::schema::{AttributeDescription, Key, MatchingRule};
use crate::model::{AttributeTypeId, EntryId, Filter, Value};

/// The three values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// The entry matches.
    True,
    /// It does not.
    False,
    /// It cannot be said: an unknown attribute, a value of the wrong syntax, an attribute the sender may not search.
    Undefined,
}

/// A filter with attribute types resolved and assertion values prepared, once per search, for one instant of the directory: names in
/// assertions on memberOf, member and entryDN are looked up then.
pub struct PreparedFilter {
    pub(super) root: Term,
    chain_too_long: bool,
    chain_work: u32,
}

/// What evaluation needs beside the entry.
pub struct FilterContext<'a> {
    /// The instant.
    pub directory: &'a Directory,
    /// Whether the sender may search this attribute on this entry; `false` makes the assertion Undefined. Subtypes that may not be
    /// searched are passed over, so the answer does not depend on what they hold.
    pub may_search: &'a dyn Fn(AttributeTypeId, &Node) -> bool,
}

impl PreparedFilter {
    /// Resolves and prepares. Never fails: what cannot be resolved is Undefined. Assertions on attributes flagged secret are Undefined.
    pub fn new(directory: &Directory, filter: &Filter) -> PreparedFilter {
        let mut root = prepare::term(directory, filter, Filter::MAXIMUM_DEPTH);
        dynamic::resolve(directory, &mut root);
        let mut work = ChainWork::new();
        let resolved = chain::resolve(directory, &mut root, &mut work);
        let chain_work = work.groups_followed();
        match resolved {
            Ok(()) => PreparedFilter { root, chain_too_long: false, chain_work },
            Err(_) => PreparedFilter { root: Term::Undefined, chain_too_long: true, chain_work },
        }
    }

    /// The same for a filter that says who is in a group: computed and nested members are not looked for in it, so that it cannot lead
    /// back to itself.
    pub(super) fn of_listed(directory: &Directory, filter: &Filter) -> PreparedFilter {
        let mut root = prepare::term(directory, filter, Filter::MAXIMUM_DEPTH);
        if chain::resolve(directory, &mut root, &mut ChainWork::none()).is_err() {
            root = Term::Undefined;
        }
        PreparedFilter { root, chain_too_long: false, chain_work: 0 }
    }

    /// The same for a filter that says which entries a rule is about.
    pub fn of_rule(directory: &Directory, filter: &Filter) -> PreparedFilter {
        PreparedFilter::of_listed(directory, filter)
    }

    /// Whether memberships at any depth were asked for and following them would have cost more than
    /// [`super::MAXIMUM_CHAIN_WORK`]: the whole filter is Undefined then.
    pub fn chain_too_long(&self) -> bool {
        self.chain_too_long
    }

    /// Groups that were followed to prepare it.
    pub fn chain_work(&self) -> u32 {
        self.chain_work
    }

    /// Evaluates for one entry, computed attributes (memberOf, entryDN, hasSubordinates, numSubordinates, member, lastLoginTime, …) included.
    pub fn evaluate(&self, context: &FilterContext<'_>, node: &Node) -> Truth {
        evaluate::term(&self.root, context, node)
    }
}

/// A resolved filter.
pub(super) enum Term {
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
    Undefined,
    Assertion(Box<Assertion>),
}

/// One test of one attribute.
pub(super) struct Assertion {
    pub(super) subject: Subject,
    pub(super) test: Test,
    /// Whether the RDNs of the entry's name are tested as well.
    dn_attributes: bool,
}

/// Which values are tested.
#[derive(Clone)]
pub(super) enum Subject {
    /// Those of an attribute, its subtypes and, where the description has options, only those that carry them all.
    Described { description: AttributeDescription, types: Vec<(AttributeTypeId, Option<Computed>)> },
    /// Those of every attribute the rule applies to, in order of types.
    Any(Vec<(AttributeTypeId, Option<Computed>)>),
}

/// What is tested.
pub(super) enum Test {
    Present,
    /// A value whose key is this one. `same`: a value with these very octets is equal, whatever they are.
    Equal {
        rule: &'static MatchingRule,
        key: Key,
        same: Option<Value>,
    },
    /// objectClass: a class that is this one or has it above it (an index into the schema's classes).
    Class(usize),
    /// A value whose key stands so to this one.
    Ordered {
        rule: &'static MatchingRule,
        key: Key,
        order: Order,
    },
    /// A value that a rule of its own kind accepts, given this assertion.
    Accepted {
        rule: &'static MatchingRule,
        key: Key,
    },
    Substrings {
        rule: &'static MatchingRule,
        parts: Parts,
    },
    /// The group has this element.
    HasElement(Membership),
    /// The entry is a member of this group; none: of one that is not there.
    MemberOf(Option<EntryId>),
    /// The entry is in a set that was made by following memberships.
    InChain(chain::Chain),
    /// The entry is one that the group's memberURL values find.
    InDynamic(DynamicGroup),
    /// The entry is this one.
    IsEntry(Option<EntryId>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    GreaterOrEqual,
    LessOrEqual,
    /// An ordering rule in an extensible match (RFC 4517 section 4.2.4).
    Less,
}

impl Assertion {
    /// The asserted attribute when an index could answer: one attribute, its values in entries, its name not counted.
    pub(super) fn indexable(&self) -> Option<AttributeTypeId> {
        match &self.subject {
            Subject::Described { description, .. } if !self.dn_attributes => Some(description.attribute_type),
            _ => None,
        }
    }
}
