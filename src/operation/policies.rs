//! Which password policy is in force for an entry: the one its pwdPolicySubentry names, else `cn=default,ou=passwords,ou=policies` below the
//! suffix, else the built-in one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::directory::{Compiled, Directory, IdSet, Lookup, Node, RuleKind};
use crate::model::{AttributeTypeId, Dn, EntryId, Rdn};
use crate::policy::password::policy::PasswordPolicy;

/// The names of the default policy below the suffix, from the leaf up.
const DEFAULT: [&str; 3] = ["cn=default", "ou=passwords", "ou=policies"];

/// The policies of a directory, read.
struct PasswordPolicies {
    by_entry: HashMap<EntryId, Arc<PasswordPolicy>>,
    /// By the name as the directory spells it, which most references do too.
    by_name: HashMap<String, Arc<PasswordPolicy>>,
    default: Arc<PasswordPolicy>,
    subentry: Option<AttributeTypeId>,
}

impl Compiled for PasswordPolicies {
    const KIND: RuleKind = RuleKind::PasswordPolicy;

    fn compile(directory: &Directory, entries: &IdSet) -> PasswordPolicies {
        let nodes = entries.iter().filter_map(|id| directory.node(id));
        let by_entry: HashMap<EntryId, Arc<PasswordPolicy>> =
            nodes.map(|node| (node.id, Arc::new(read(directory, node)))).collect();
        let default = default_entry(directory).and_then(|id| by_entry.get(&id)).cloned();
        PasswordPolicies {
            by_name: by_entry.iter().map(|(id, policy)| (directory.dn_text(*id), Arc::clone(policy))).collect(),
            default: default.unwrap_or_default(),
            by_entry,
            subentry: directory.schema().attribute_type("pwdPolicySubentry").map(|attribute_type| attribute_type.id),
        }
    }
}

fn read(directory: &Directory, node: &Node) -> PasswordPolicy {
    let first = |name: &str| node.entry.first(directory.schema().attribute_type(name)?.id);
    PasswordPolicy::read(first)
}

fn default_entry(directory: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    DEFAULT.iter().rev().try_fold(directory.suffix_entry()?, below)
}

impl PasswordPolicies {
    /// The policy with this name. A name that is no policy's leaves the default in force.
    fn named(&self, directory: &Directory, name: &[u8]) -> Option<&Arc<PasswordPolicy>> {
        let spelled = std::str::from_utf8(name).ok().and_then(|name| self.by_name.get(name));
        spelled.or_else(|| match directory.find(&Dn::parse(name).ok()?) {
            Lookup::Found(id) => self.by_entry.get(&id),
            _ => None,
        })
    }
}

/// The policy in force for an account; for none, or one that is gone, the default. Costs a few lookups.
pub fn password_policy(directory: &Directory, account: Option<EntryId>) -> Arc<PasswordPolicy> {
    let policies = directory.compiled::<PasswordPolicies>();
    let node = account.and_then(|id| directory.node(id));
    let name = policies.subentry.zip(node).and_then(|(subentry, node)| node.entry.first(subentry));
    let named = name.and_then(|name| policies.named(directory, name));
    Arc::clone(named.unwrap_or(&policies.default))
}

/// Its entry; none: the built-in one is in force.
pub fn password_policy_entry(directory: &Directory, account: EntryId) -> Option<EntryId> {
    let in_force = password_policy(directory, Some(account));
    let policies = directory.compiled::<PasswordPolicies>();
    policies.by_entry.iter().find(|(_, policy)| Arc::ptr_eq(policy, &in_force)).map(|(id, _)| *id)
}

/// The policy that will be in force for an entry which names this one, or none.
pub fn password_policy_named(directory: &Directory, name: Option<&[u8]>) -> Arc<PasswordPolicy> {
    let policies = directory.compiled::<PasswordPolicies>();
    let named = name.and_then(|name| policies.named(directory, name));
    Arc::clone(named.unwrap_or(&policies.default))
}
