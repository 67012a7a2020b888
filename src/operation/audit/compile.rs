//! What is audited, compiled: the attribute types that the schema flags, and the auditRule entries, read once after one of them changed.

use crate::directory::{Compiled, Directory, IdSet, Lookup, Membership, MembershipAttribute, RuleKind};
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Dn, EntryId, Rdn, Timestamp, Value};
use crate::operation::Context;
use crate::policy::access::{AttributeSet, Attributes, Reader, RuleError, RuleSubject};

pub(super) const TARGET: &str = "auditTarget";
const SUBJECT: &str = "auditSubject";
const ATTRIBUTE: &str = "auditAttribute";
const OPERATION: &str = "auditOperation";
/// Where the rules stand, from the leaf up to the suffix: elsewhere they are none.
const FOLDER: [&str; 2] = ["ou=audits", "ou=policies"];

/// What a rule is about, or a request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    Search,
    Compare,
}

/// A rule as its entry says it.
pub(super) struct AuditRule {
    pub(super) subjects: Vec<RuleSubject>,
    attributes: Attributes,
    operations: Vec<Reading>,
    not_after: Option<Timestamp>,
}

/// A rule and what of it is a directory's.
pub(super) struct Placed {
    pub(super) name: String,
    entry: EntryId,
    rule: AuditRule,
    /// None: everywhere.
    targets: Option<Vec<EntryId>>,
}

/// What is audited in a directory.
pub(super) struct AuditRules {
    /// Types with the flag, or below one that has it.
    flagged: AttributeSet,
    rules: Vec<Placed>,
    /// Whether a search can meet any of it: no search tells of secrets.
    meets_searches: bool,
}

impl Compiled for AuditRules {
    const KIND: RuleKind = RuleKind::AuditRule;

    fn compile(directory: &Directory, entries: &IdSet) -> AuditRules {
        let types = || directory.schema().attribute_types().iter().filter(|it| it.audit_read);
        let folder = folder(directory);
        let in_place = |id: &EntryId| folder.is_some_and(|folder| directory.is_within(*id, folder));
        let rules: Vec<Placed> = entries.iter().filter(in_place).map(|id| placed(directory, id)).collect();
        AuditRules {
            flagged: types().map(|it| it.id).collect(),
            meets_searches: types().any(|it| !it.secret) || rules.iter().any(|rule| rule.rule.is_about(Reading::Search)),
            rules,
        }
    }
}

fn placed(directory: &Directory, id: EntryId) -> Placed {
    let values = |name: &str| match (directory.node(id), directory.schema().attribute_type(name)) {
        (Some(node), Some(attribute_type)) => node.entry.values(attribute_type.id).map(Value::copy_from_slice).collect(),
        _ => Vec::new(),
    };
    // What of a rule means nothing any more (its entry was checked when it was written) makes one about everything: rather too much is recorded.
    let rule = AuditRule::read(directory.schema(), &values, true).unwrap_or_else(|_| AuditRule::of_everything());
    Placed { name: directory.dn_text(id), entry: id, rule, targets: targets(directory, id) }
}

/// The entries that a rule is about, with all below them; none: it is about all.
fn targets(directory: &Directory, rule: EntryId) -> Option<Vec<EntryId>> {
    let attribute = directory.schema().attribute_type(TARGET).and_then(MembershipAttribute::of_type)?;
    if directory.member_count(rule, attribute) == 0 {
        return None;
    }
    let entries = directory.memberships(rule, attribute).filter_map(|membership| match membership {
        Membership::Entry(_, id) => Some(id),
        Membership::Outside { .. } => None,
    });
    Some(entries.collect())
}

impl AuditRule {
    fn of_everything() -> AuditRule {
        let operations = vec![Reading::Search, Reading::Compare];
        AuditRule { subjects: vec![RuleSubject::Anyone], attributes: Attributes::All, operations, not_after: None }
    }

    /// Reads all but auditTarget. Subjects and attributes are written as in an access rule, and as one they are read.
    pub(super) fn read(schema: &Schema, values: &dyn Fn(&str) -> Vec<Value>, lenient: bool) -> Result<AuditRule, RuleError> {
        let word = |text: &'static str| vec![Value::from_static(text.as_bytes())];
        let as_access = |name: &str| match name {
            "accessSubject" => Some(values(SUBJECT)).filter(|given| !given.is_empty()).unwrap_or_else(|| word("anyone")),
            "accessAttribute" => values(ATTRIBUTE),
            "accessRight" => word("read"),
            // As one that denies it reaches secrets wherever it can.
            "accessEffect" => word("deny"),
            "ruleNotAfter" => values("ruleNotAfter"),
            _ => Vec::new(),
        };
        let own_name = |error: RuleError| {
            let attribute = match error.attribute {
                "accessSubject" => SUBJECT,
                "accessAttribute" => ATTRIBUTE,
                other => other,
            };
            RuleError { attribute, ..error }
        };
        let read = Reader { schema, values: &as_access, lenient }.read(String::new()).map_err(own_name)?;
        let related = |subject: &RuleSubject| matches!(subject, RuleSubject::Own | RuleSubject::Manager | RuleSubject::Owner);
        if let Some(index) = read.subjects.iter().position(related) {
            let problem = "is none of group:DN, entry:DN, authenticated, anyone".to_owned();
            return Err(RuleError { attribute: SUBJECT, index, problem });
        }
        let mut operations = Vec::new();
        for (index, value) in values(OPERATION).iter().enumerate() {
            operations.push(match value.to_ascii_lowercase().as_slice() {
                b"search" => Reading::Search,
                b"compare" => Reading::Compare,
                _ => {
                    let problem = "is none of search, compare".to_owned();
                    return Err(RuleError { attribute: OPERATION, index, problem });
                }
            });
        }
        if operations.is_empty() {
            operations = vec![Reading::Search, Reading::Compare];
        }
        Ok(AuditRule { subjects: read.subjects, attributes: read.attributes, operations, not_after: read.not_after })
    }

    fn is_about(&self, reading: Reading) -> bool {
        self.operations.contains(&reading)
    }
}

impl Placed {
    /// Whether it audits an attribute.
    pub(super) fn takes(&self, attribute_type: AttributeTypeId) -> bool {
        match &self.rule.attributes {
            Attributes::All => true,
            Attributes::These(set) => set.contains(attribute_type),
        }
    }

    /// Whether it audits an entry.
    pub(super) fn is_about(&self, directory: &Directory, id: EntryId) -> bool {
        self.targets.as_ref().is_none_or(|targets| targets.iter().any(|target| directory.is_within(id, *target)))
    }

    /// Whether it may audit an entry at or below this one.
    pub(super) fn meets(&self, directory: &Directory, base: EntryId) -> bool {
        let meets = |target: &EntryId| directory.is_within(base, *target) || directory.is_within(*target, base);
        self.targets.as_ref().is_none_or(|targets| targets.iter().any(meets))
    }
}

impl AuditRules {
    /// Whether any search has to be looked at.
    pub(super) fn meets_searches(&self) -> bool {
        self.meets_searches
    }

    /// Whether the schema flags it.
    pub(super) fn is_flagged(&self, attribute_type: AttributeTypeId) -> bool {
        self.flagged.contains(attribute_type)
    }

    /// The rules for who asks, by their places. Where groups cannot be followed a rule about one is for them.
    pub(super) fn applicable(&self, directory: &Directory, context: &Context, reading: Reading) -> Vec<usize> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let mut identities: Vec<EntryId> = context.own(directory).identity.into_iter().collect();
        identities.extend(context.subject(directory).identity);
        identities.dedup();
        let groups: Vec<Option<IdSet>> = identities.iter().map(|id| directory.nested_groups_of(*id).ok()).collect();
        let is_meant = |subject: &RuleSubject| match subject {
            RuleSubject::Anyone => true,
            RuleSubject::Authenticated => !identities.is_empty(),
            RuleSubject::Group(dn) => match directory.find(dn) {
                Lookup::Found(group) => groups.iter().any(|groups| groups.as_ref().is_none_or(|groups| groups.contains(group))),
                _ => false,
            },
            RuleSubject::Entry(dn) => matches!(directory.find(dn), Lookup::Found(id) if identities.contains(&id)),
            RuleSubject::Own | RuleSubject::Manager | RuleSubject::Owner => false,
        };
        let is_in_force = |placed: &Placed| {
            placed.rule.is_about(reading)
                && placed.rule.not_after.is_none_or(|end| context.now < end)
                && placed.rule.subjects.iter().any(is_meant)
        };
        (0..).zip(&self.rules).filter(|(_, placed)| is_in_force(placed)).map(|(place, _)| place).collect()
    }

    /// All rules with their entries.
    pub(super) fn rules(&self) -> impl Iterator<Item = (EntryId, &AuditRule)> {
        self.rules.iter().map(|placed| (placed.entry, &placed.rule))
    }

    /// The rule at a place.
    pub(super) fn rule(&self, place: usize) -> Option<&Placed> {
        self.rules.get(place)
    }
}

/// The entry below which the rules stand.
fn folder(directory: &Directory) -> Option<EntryId> {
    let below = |parent: EntryId, name: &&str| directory.child(parent, &Rdn::parse(name.as_bytes()).ok()?);
    FOLDER.iter().rev().try_fold(directory.suffix_entry()?, below)
}

/// The names of entries that a rule is for.
pub(super) fn named(rule: &AuditRule) -> impl Iterator<Item = &Dn> {
    rule.subjects.iter().filter_map(|subject| match subject {
        RuleSubject::Group(dn) | RuleSubject::Entry(dn) => Some(dn),
        _ => None,
    })
}
