//! Groups whose members are the answers to a search: groupOfURLs, whose memberURL values say which (RFC 4516).
//!
//! They are members for those who read, compare or search for one group or one entry; rights, nested groups and presence go by listed
//! members alone. Whether
//! one entry is in one group costs a look at that entry. To list the members of a group costs a search, and all groups of an entry cost
//! a look at the entry for each such group: both have limits, beyond which there is no answer rather than a part of it.

use bytes::Bytes;

use super::{Directory, FilterContext, IdSet, Lookup, Membership, MembershipAttribute, Node, PreparedFilter, SearchPlan, Truth};
use crate::model::{Dn, EntryId, Filter, Scope};

/// Entries that may come into question for a group's members, when they are listed.
pub const MAXIMUM_DYNAMIC_CANDIDATES: usize = 10_000;
/// Groups of this kind that are asked whether they have an entry, when its groups are listed or searched for.
pub const MAXIMUM_DYNAMIC_GROUPS: usize = 50;

/// Values of memberURL that one group may have, and assertions in one of them.
const MAXIMUM_RULES: usize = 10;
const MAXIMUM_TERMS: usize = 100;

/// One memberURL.
struct Rule {
    base: EntryId,
    scope: Scope,
    filter: PreparedFilter,
}

/// Whose members a group has, ready to be asked about many entries.
pub(super) struct DynamicGroup(Vec<Rule>);

impl DynamicGroup {
    /// Whether an entry is a member.
    pub(super) fn has(&self, directory: &Directory, node: &Node) -> bool {
        self.0.iter().any(|rule| rule.has(directory, node))
    }

    /// Entries that may be members; none: all may be.
    pub(super) fn candidates(&self, directory: &Directory) -> Option<IdSet> {
        let mut found = IdSet::default();
        for rule in &self.0 {
            found.unite(&rule.candidates(directory)?);
        }
        Some(found)
    }
}

impl Rule {
    fn has(&self, directory: &Directory, node: &Node) -> bool {
        let in_scope = match self.scope {
            Scope::Base => node.id == self.base,
            Scope::One => node.parent == Some(self.base),
            Scope::Subtree => directory.is_within(node.id, self.base),
            Scope::Children => node.id != self.base && directory.is_within(node.id, self.base),
        };
        let context = FilterContext { directory, may_search: &|_, _| true };
        in_scope && self.filter.evaluate(&context, node) == Truth::True
    }

    fn candidates(&self, directory: &Directory) -> Option<IdSet> {
        match self.scope {
            Scope::Base => Some(std::iter::once(self.base).collect()),
            _ => SearchPlan::new(directory, &self.filter).into_candidates().or_else(|| match self.scope {
                Scope::One => Some(directory.tree.children(self.base).cloned().unwrap_or_default()),
                _ => None,
            }),
        }
    }
}

impl Directory {
    /// Whether a group's members are computed.
    pub fn is_dynamic(&self, node: &Node) -> bool {
        self.fixed.member_url.is_some_and(|member_url| node.entry.first(member_url).is_some())
    }

    /// The members that a group's memberURL values find, in order of numbers; none where there are more than
    /// [`MAXIMUM_DYNAMIC_CANDIDATES`] entries to look at.
    pub fn dynamic_members(&self, group: &Node) -> Option<Vec<EntryId>> {
        let Some(rules) = self.dynamic_group(group) else { return Some(Vec::new()) };
        let candidates = match rules.candidates(self) {
            Some(candidates) if candidates.len() <= MAXIMUM_DYNAMIC_CANDIDATES => candidates,
            None if self.tree.nodes().len() <= MAXIMUM_DYNAMIC_CANDIDATES => self.nodes().map(|node| node.id).collect(),
            _ => return None,
        };
        Some(candidates.iter().filter(|id| self.node(*id).is_some_and(|node| rules.has(self, node))).collect())
    }

    /// Whether a group's memberURL values find an entry.
    pub fn is_dynamic_member(&self, group: EntryId, member: EntryId) -> bool {
        let (Some(group), Some(member)) = (self.node(group), self.node(member)) else { return false };
        self.is_dynamic(group) && self.dynamic_group(group).is_some_and(|rules| rules.has(self, member))
    }

    /// The groups whose memberURL values find an entry; empty where there are more than [`MAXIMUM_DYNAMIC_GROUPS`] such groups.
    pub fn dynamic_groups_of(&self, member: EntryId) -> IdSet {
        let groups = self.dynamic_groups();
        if groups.is_empty() || groups.len() > MAXIMUM_DYNAMIC_GROUPS {
            return IdSet::default();
        }
        groups.iter().filter(|group| self.is_dynamic_member(*group, member)).collect()
    }

    /// What a group's memberURL values say; none for a group that has none that can be understood.
    pub(super) fn dynamic_group(&self, group: &Node) -> Option<DynamicGroup> {
        let urls = group.entry.values(self.fixed.member_url?);
        let rules: Vec<Rule> = urls.take(MAXIMUM_RULES).filter_map(|url| self.rule(url)).collect();
        (!rules.is_empty()).then_some(DynamicGroup(rules))
    }

    fn dynamic_groups(&self) -> IdSet {
        let Some(member_url) = self.fixed.member_url else { return IdSet::default() };
        self.indexes.presence(&self.fixed.index_plan, self.schema(), member_url).unwrap_or_default()
    }

    /// `ldap:///base??scope?filter`: a URL of this very directory (no host), without extensions that must be understood.
    fn rule(&self, url: &[u8]) -> Option<Rule> {
        let url = std::str::from_utf8(url).ok()?.split(' ').next()?;
        let rest = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("ldap:///")).and(url.get(8..))?;
        let parts: Vec<&str> = rest.splitn(5, '?').collect();
        let part = |place: usize| parts.get(place).copied().unwrap_or_default();
        if part(4).split(',').any(|extension| extension.starts_with('!')) {
            return None;
        }
        let Lookup::Found(base) = self.find(&Dn::parse(&decoded(part(0))?).ok()?) else { return None };
        let scope = match part(2).to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" => Scope::One,
            "sub" => Scope::Subtree,
            "subord" | "children" => Scope::Children,
            _ => return None,
        };
        let filter = match part(3) {
            "" => Filter::Present("objectClass".to_owned()),
            text => Filter::parse(&decoded(text)?).ok()?,
        };
        (filter.terms() <= MAXIMUM_TERMS).then(|| Rule { base, scope, filter: PreparedFilter::of_listed(self, &filter) })
    }

    /// member of a group, listed and computed, as read by a client. Computed ones are left out where there may be too many.
    pub fn all_member_values(&self, group: &Node) -> Vec<Bytes> {
        let mut values = self.member_values(group.id, MembershipAttribute::Member);
        if self.is_dynamic(group) {
            let found = self.dynamic_members(group).unwrap_or_default().into_iter();
            let listed = |id: &EntryId| self.has_membership(group.id, &Membership::Entry(MembershipAttribute::Member, *id));
            values.extend(found.filter(|id| !listed(id)).map(|id| Bytes::from(self.dn_text(id))));
        }
        values
    }

    /// The groups an entry is in, listed or computed.
    pub fn all_groups_of(&self, member: EntryId) -> IdSet {
        self.group_set_of(member).union(&self.dynamic_groups_of(member))
    }
}

/// The attribute that makes members computed. It has an index of presence in every directory.
pub(super) const MEMBER_URL: &str = "memberURL";

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((octet, behind)) = rest.split_first() {
        rest = behind;
        if *octet != b'%' {
            octets.push(*octet);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    Some(octets)
}
