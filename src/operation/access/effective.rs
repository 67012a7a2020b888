//! What somebody may do with an entry and which rules say so: one function, for `bindery explain` and for the Get Effective Rights control.

use super::{Access, Audited};
use crate::directory::{Directory, Node};
use crate::model::AttributeTypeId;
use crate::operation::prepare::is_password;
use crate::policy::access::{Effect, Right};

/// An answer and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Weighed {
    /// Yes or no.
    pub(crate) allowed: bool,
    /// The rules that decide, as they are named.
    pub(crate) rules: Vec<String>,
    /// What decides beside them.
    pub(crate) because: Option<&'static str>,
}

const SECRET: &str = "secrets are neither searched nor read";
const SERVERS_OWN: &str = "the server alone writes this attribute";
const UNSEEN: &str = "nothing of the entry may be searched, compared or read, so it answers as one that is not there";
const AUDITED: &str = "the right to read this entry is read-audit";
const NO_RULE: &str = "no rule allows it";

impl Access {
    /// Whether a right is given on an entry, or on an attribute of it, as the operations decide it.
    pub(crate) fn weigh(&self, directory: &Directory, right: Right, node: &Node, attribute: Option<AttributeTypeId>) -> Weighed {
        let attribute = attribute.filter(|_| right.is_of_attributes());
        if let Some(because) = attribute.and_then(|attribute| beyond_rules(directory, right, attribute)) {
            return Weighed { allowed: false, rules: Vec::new(), because: Some(because) };
        }
        let weighed = match attribute {
            Some(id) if is_password(directory.schema(), id) => self.weigh_password(directory, right, node, id),
            Some(id) if right == Right::Replace => self.weigh_replacing(directory, node, id),
            _ => self.weigh_rules(directory, right, node, attribute),
        };
        if weighed.allowed && !self.sees_place(directory, right, node) {
            return Weighed { allowed: false, rules: Vec::new(), because: Some(UNSEEN) };
        }
        weighed
    }

    /// The same for an entry that is made when it is read.
    pub(crate) fn weigh_audit(&self, what: Audited, right: Right) -> Weighed {
        if right != Right::ReadAudit {
            return Weighed { allowed: false, rules: Vec::new(), because: Some(AUDITED) };
        }
        let bearing: Vec<_> = self.bearing_on_audit(what).collect();
        let named = |effect| bearing.iter().filter(move |it| it.rule.effect == effect).map(|it| it.rule.name.clone());
        let rules: Vec<String> = named(Effect::Deny).collect();
        if !rules.is_empty() {
            return Weighed { allowed: false, rules, because: None };
        }
        let rules: Vec<String> = named(Effect::Allow).collect();
        Weighed { allowed: !rules.is_empty(), because: rules.is_empty().then_some(NO_RULE), rules }
    }

    /// What comes to a place is done at the entry above it.
    fn sees_place(&self, directory: &Directory, right: Right, node: &Node) -> bool {
        match right {
            Right::Search | Right::Compare | Right::Read | Right::Proxy | Right::ReadAudit => true,
            Right::Create | Right::MoveIn => node.parent.is_none_or(|parent| self.sees_id(directory, parent)),
            _ => self.sees(directory, node),
        }
    }

    fn weigh_password(&self, directory: &Directory, right: Right, node: &Node, id: AttributeTypeId) -> Weighed {
        match right {
            Right::AddValue | Right::DeleteValue | Right::Replace => self.weigh_rules(directory, Right::SetPassword, node, None),
            Right::Create => {
                let created = self.weigh_rules(directory, Right::Create, node, Some(id));
                if created.allowed { created } else { self.weigh_rules(directory, Right::SetPassword, node, None) }
            }
            _ => self.weigh_rules(directory, right, node, Some(id)),
        }
    }

    /// Who may add values and take them may replace them, unless a rule denies that.
    fn weigh_replacing(&self, directory: &Directory, node: &Node, id: AttributeTypeId) -> Weighed {
        let replaced = self.weigh_rules(directory, Right::Replace, node, Some(id));
        if replaced.allowed || !replaced.rules.is_empty() {
            return replaced;
        }
        let added = self.weigh_rules(directory, Right::AddValue, node, Some(id));
        let taken = self.weigh_rules(directory, Right::DeleteValue, node, Some(id));
        if !(added.allowed && taken.allowed) {
            return replaced;
        }
        let mut rules = added.rules;
        rules.extend(taken.rules);
        rules.sort_unstable();
        rules.dedup();
        Weighed { allowed: true, rules, because: None }
    }

    fn weigh_rules(&self, directory: &Directory, right: Right, node: &Node, attribute: Option<AttributeTypeId>) -> Weighed {
        let applying =
            || self.bearing(right, attribute).filter(|(placed, relations)| self.applies(directory, placed, *relations, node));
        let named = |effect: Effect| -> Vec<String> {
            let of_effect = applying().filter(|(placed, _)| placed.rule.effect == effect);
            of_effect.map(|(placed, _)| placed.rule.name.clone()).collect()
        };
        let denying = named(Effect::Deny);
        if !denying.is_empty() {
            return Weighed { allowed: false, rules: denying, because: None };
        }
        let allowing = named(Effect::Allow);
        if allowing.is_empty() {
            return Weighed { allowed: false, rules: Vec::new(), because: Some(NO_RULE) };
        }
        Weighed { allowed: true, rules: allowing, because: None }
    }
}

fn beyond_rules(directory: &Directory, right: Right, attribute: AttributeTypeId) -> Option<&'static str> {
    let attribute = directory.schema().attribute_type_by_id(attribute);
    match right {
        Right::Search | Right::Read if attribute.secret => Some(SECRET),
        Right::AddValue | Right::DeleteValue | Right::Replace | Right::Create if attribute.no_user_modification => {
            Some(SERVERS_OWN)
        }
        _ => None,
    }
}
