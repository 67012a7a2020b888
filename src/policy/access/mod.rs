//! Access rules: who may do what to which attributes of which entries. Rules have no order: one that denies wins, else any that allows, else
//! the answer is no. Where a rule applies (its target, its filter) is judged by who has the directory.

mod attributes;
mod read;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;

pub use attributes::{AttributeSet, Attributes};
pub use read::{Reader, RuleError};

use super::app_password::is_second_factor;
use super::bind_rule::is_within;
use crate::model::{AttributeTypeId, EntryId, Filter, Scope, Timestamp};

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The entry bound as; none for anonymous.
    pub identity: Option<EntryId>,
    /// Member of `cn=administrators,ou=roles,SUFFIX` at this instant.
    pub administrator: bool,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// Naming an attribute in filters, assertions and sort keys.
    Search,
    /// Comparing a value with an attribute's. A password only where the rule names that attribute, or none at all.
    Compare,
    /// Being sent an attribute's values. Secrets never are.
    Read,
    /// Adding values to an attribute.
    AddValue,
    /// Taking values from an attribute.
    DeleteValue,
    /// Replacing an attribute's values; who may add and delete them may do so too, unless a rule denies it.
    Replace,
    /// Adding an entry at this place, with these attributes.
    Create,
    /// Deleting the entry.
    Delete,
    /// Giving the entry another RDN.
    Rename,
    /// Moving an entry to this place.
    MoveIn,
    /// Moving the entry away.
    MoveOut,
    /// Setting the entry's password, by Password Modify or by a modify.
    SetPassword,
    /// Acting as this entry (RFC 4370).
    Proxy,
    /// Reading `cn=monitor`, `cn=accesslog` and what is below them.
    ReadAudit,
}

impl Right {
    /// All of them.
    pub const ALL: [Right; 14] = [
        Right::Search,
        Right::Compare,
        Right::Read,
        Right::AddValue,
        Right::DeleteValue,
        Right::Replace,
        Right::Create,
        Right::Delete,
        Right::Rename,
        Right::MoveIn,
        Right::MoveOut,
        Right::SetPassword,
        Right::Proxy,
        Right::ReadAudit,
    ];

    /// As accessRight spells it.
    pub fn name(self) -> &'static str {
        match self {
            Right::Search => "search",
            Right::Compare => "compare",
            Right::Read => "read",
            Right::AddValue => "add-value",
            Right::DeleteValue => "delete-value",
            Right::Replace => "replace",
            Right::Create => "create",
            Right::Delete => "delete",
            Right::Rename => "rename",
            Right::MoveIn => "move-in",
            Right::MoveOut => "move-out",
            Right::SetPassword => "set-password",
            Right::Proxy => "proxy",
            Right::ReadAudit => "read-audit",
        }
    }

    /// Whether accessAttribute bears on it; on the others it does not.
    pub fn is_of_attributes(self) -> bool {
        use Right::{AddValue, Compare, Create, DeleteValue, Read, Replace, Search};
        matches!(self, Search | Compare | Read | AddValue | DeleteValue | Replace | Create)
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rights(u16);

impl Rights {
    /// Every right there is.
    pub const ALL: Rights = Rights((1 << Right::ALL.len()) - 1);

    /// With one more.
    #[must_use]
    pub fn with(self, right: Right) -> Rights {
        Rights(self.0 | 1 << right as u16)
    }

    /// Whether it is in the set.
    pub fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u16) != 0
    }
}

/// What a rule comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
}

/// Whom a rule is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleSubject {
    /// `group:DN`: its members, at any depth.
    Group(crate::model::Dn),
    /// `entry:DN`
    Entry(crate::model::Dn),
    /// `self`: who asks is the entry.
    Own,
    /// `manager`: who asks is in the entry's manager attribute.
    Manager,
    /// `owner`: who asks is in the entry's owner attribute.
    Owner,
    /// `authenticated`
    Authenticated,
    /// `anyone`, anonymous too.
    Anyone,
}

/// An access rule. A part that is left out bears on everything; of a part with several values one is enough.
#[derive(Clone, Debug)]
pub struct AccessRule {
    /// As answers and the journal name it.
    pub name: String,
    /// What it comes to.
    pub effect: Effect,
    /// accessSubject: at least one.
    pub subjects: Vec<RuleSubject>,
    /// accessRight
    pub rights: Rights,
    /// accessAttribute
    pub attributes: Attributes,
    /// accessScope, seen from each accessTarget.
    pub scope: Scope,
    /// accessFilter: the entry matches it.
    pub filter: Option<Filter>,
    /// accessNetwork. A Unix socket is the machine itself: it counts as loopback.
    pub networks: Vec<IpNet>,
    /// accessFactor: the session proved one of these.
    pub factors: Vec<Factor>,
    /// ruleNotAfter: from then on it is no rule.
    pub not_after: Option<Timestamp>,
}

/// What a session may have proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Factor {
    /// Any but a password.
    Second,
    /// This one, as `Identity::factors` spells it.
    Named(&'static str),
}

/// From where, with what and when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The address; none: a Unix socket.
    pub address: Option<IpAddr>,
    /// What the session proved.
    pub factors: &'a [&'static str],
    /// Policy time.
    pub now: Timestamp,
}

impl AccessRule {
    /// Whether the rule is one at all now, from there and with these factors.
    pub fn holds(&self, asked: &Circumstances<'_>) -> bool {
        let proven = |factor: &Factor| match factor {
            Factor::Second => asked.factors.iter().any(|proven| is_second_factor(proven)),
            Factor::Named(name) => asked.factors.contains(name),
        };
        self.not_after.is_none_or(|end| asked.now < end)
            && (self.networks.is_empty() || is_within(&self.networks, asked.address))
            && (self.factors.is_empty() || self.factors.iter().any(proven))
    }

    /// Whether the rule says anything of this right, on this attribute or, where there is none, on the entry itself.
    pub fn bears_on(&self, right: Right, attribute: Option<AttributeTypeId>) -> bool {
        self.rights.has(right)
            && match (&self.attributes, attribute) {
                _ if !right.is_of_attributes() => true,
                (Attributes::All, _) => true,
                (Attributes::These(set), Some(id)) => set.contains(id),
                // Who may not create entries with some attribute may create others.
                (Attributes::These(set), None) => self.effect == Effect::Allow && !set.is_empty(),
            }
    }

    /// Whether it allows everything of everything, on condition only of who asks.
    pub fn allows_everything(&self) -> bool {
        self.effect == Effect::Allow
            && self.rights == Rights::ALL
            && self.attributes == Attributes::All
            && self.filter.is_none()
            && self.scope == Scope::Subtree
    }
}

/// What rules come to that apply and bear on what is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict<T> {
    /// Yes, by this rule.
    Allowed(T),
    /// No, by this rule.
    Denied(T),
    /// No: there is no rule.
    NoRule,
}

/// Deny wins, else any grant, else no.
pub fn decide<T>(rules: impl Iterator<Item = (Effect, T)>) -> Verdict<T> {
    let mut verdict = Verdict::NoRule;
    for (effect, rule) in rules {
        match effect {
            Effect::Deny => return Verdict::Denied(rule),
            Effect::Allow if matches!(verdict, Verdict::NoRule) => verdict = Verdict::Allowed(rule),
            Effect::Allow => {}
        }
    }
    verdict
}
