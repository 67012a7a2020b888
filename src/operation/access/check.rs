//! What is checked when access rules, and what they name, are written.

use super::compile::{AccessRules, Audited, TARGET};
use super::{Access, folder};
use crate::directory::{Change, Directory, Lookup, MembershipAttribute, RuleKind};
use crate::model::{Dn, EntryId, Filter, ResultCode};
use crate::operation::Authority;
use crate::operation::context::administrators;
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;
use crate::policy::access::{Reader, Right, RuleSubject};

/// The syntax of names (RFC 4517 section 3.3.9).
const DN_SYNTAX: &str = "1.3.6.1.4.1.1466.115.121.1.12";

/// 21 for a rule with a value that means nothing, 19 for one that names an entry which is not there: it would be for nobody.
pub(crate) fn check(write: &Write<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
    if !draft.object_classes()?.iter().any(|class| class.eq_ignore_ascii_case(RuleKind::AccessRule.class())) {
        return Ok(());
    }
    let values = |name: &str| {
        let attribute_type = draft.schema.attribute_type(name);
        let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
        found.map(|attribute| attribute.values.clone()).unwrap_or_default()
    };
    let rule = Reader { schema: draft.schema, values: &values, lenient: false }.read(String::new());
    let rule = rule.map_err(|error| Refusal::new(ResultCode::InvalidAttributeSyntax, error.to_string()))?;
    if write.context.authority == Authority::Installation {
        // A file may hold the group behind the rule.
        return Ok(());
    }
    let absent = |attribute: &str, name: String| {
        Err(Refusal::new(ResultCode::ConstraintViolation, format!("{attribute}: there is no entry {name}")))
    };
    for subject in &rule.subjects {
        if let RuleSubject::Group(dn) | RuleSubject::Entry(dn) = subject
            && !matches!(write.head.find(dn), Lookup::Found(_))
        {
            return absent("accessSubject", dn.to_string());
        }
    }
    // Names in a filter are looked up once: one that comes later would count for some and not for others.
    let in_filter = rule.filter.iter().flat_map(|filter| named_in(write.head, filter));
    if let Some(dn) = in_filter.into_iter().find(|dn| !matches!(write.head.find(dn), Lookup::Found(_))) {
        return absent("accessFilter", dn.to_string());
    }
    let attribute = draft.schema.attribute_type(TARGET).and_then(MembershipAttribute::of_type);
    let outside = attribute.and_then(|attribute| draft.members.first_outside(attribute));
    match outside.filter(|outside| Audited::named(draft.schema, outside).is_none()) {
        Some(outside) => absent(TARGET, String::from_utf8_lossy(outside).into_owned()),
        None => Ok(()),
    }
}

/// 53 for the removal, or another name, of entries that a rule names: it would be for nobody, or about everything. `renamed`: their names
/// change, and those of all below them. Who may not know of the rule is not told its name.
pub(crate) fn check_unnamed(directory: &Directory, access: &Access, concerned: &[EntryId], renamed: bool) -> Result<(), Refusal> {
    check_folder(directory, concerned, renamed)?;
    let compiled = directory.compiled::<AccessRules>();
    for placed in &compiled.rules {
        let Some(entry) = placed.entry.filter(|entry| renamed || !concerned.contains(entry)) else { continue };
        let filters = placed.rule.filter.iter().flat_map(|filter| named_in(directory, filter));
        let in_subjects = placed.rule.subjects.iter().filter_map(|subject| match subject {
            RuleSubject::Group(dn) | RuleSubject::Entry(dn) => Some(dn.clone()),
            _ => None,
        });
        let subjects = in_subjects.chain(filters).filter_map(|dn| match directory.find(&dn) {
            Lookup::Found(id) => Some(id),
            _ => None,
        });
        // Targets follow a new name.
        let targets = placed.targets.iter().flatten().copied().filter(|_| !renamed);
        let meets = |id: &EntryId| match renamed {
            true => concerned.iter().any(|concerned| directory.is_within(*id, *concerned)),
            false => concerned.contains(id),
        };
        if let Some(found) = subjects.chain(targets).find(meets) {
            let seen = access.sees_id(directory, found) && access.sees_id(directory, entry);
            let (found, entry) = (directory.dn_text(found), directory.dn_text(entry));
            let text = match seen {
                true => format!("{found} is named by the access rule {entry}; change that first"),
                false => "an access rule is about this; change that first".to_owned(),
            };
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("named by an access rule"));
        }
    }
    Ok(())
}

/// 53 for another name of what rules stand below, and for the removal of their folder with them: they would all be off at once, and the
/// rules of a new installation would hold again, or rules would come into force that nobody wrote there.
fn check_folder(directory: &Directory, concerned: &[EntryId], renamed: bool) -> Result<(), Refusal> {
    let rules = directory.rule_entries(RuleKind::AccessRule);
    let holds_rules = |id: EntryId| rules.iter().any(|rule| rule != id && directory.is_within(rule, id));
    let folder = folder(directory);
    let meant = |id: &&EntryId| holds_rules(**id) && (renamed || folder.is_some_and(|folder| directory.is_within(folder, **id)));
    let Some(found) = concerned.iter().find(meant) else { return Ok(()) };
    let what = if renamed { "under another name or elsewhere" } else { "without it" };
    let text = format!("access rules stand below {}; {what} they would be others; delete them first", directory.dn_text(*found));
    Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("holds access rules"))
}

/// 53 for changes of rules after which no administrator could put them right. Judged as over the machine's own socket, with every factor.
pub(crate) fn check_not_locked_out(write: &Write<'_>, changes: &[Change]) -> Result<(), Refusal> {
    if write.context.authority == Authority::Installation {
        return Ok(());
    }
    let rules = write.head.rule_entries(RuleKind::AccessRule);
    let folder_before = folder(write.head);
    // The folder and what is above it: where they get another name or go, every rule is concerned.
    let holds_folder = |id: EntryId| folder_before.is_some_and(|folder| write.head.is_within(folder, id));
    let is_renamed = |id: EntryId, parent: Option<EntryId>, name: &str| {
        write.head.node(id).is_some_and(|node| node.parent != parent || node.name != name)
    };
    let concerns = |change: &Change| match change {
        Change::PutEntry { id, parent, name, .. } => {
            rules.contains(*id)
                || (parent.is_some() && *parent == folder_before)
                || (is_renamed(*id, *parent, name) && holds_folder(*id))
        }
        Change::RemoveEntry { id, .. } => rules.contains(*id) || holds_folder(*id),
        Change::PutMembership { group, .. } | Change::RemoveMembership { group, .. } => rules.contains(*group),
        _ => false,
    };
    if !changes.iter().any(concerns) {
        return Ok(());
    }
    let after = write.after(changes)?;
    let Some(node) = folder(&after).and_then(|id| after.node(id)) else { return Ok(()) };
    let effect = after.schema().attribute_type("accessEffect").map(|it| it.id);
    let may_mend = |id: EntryId| {
        let access = Access::of(&after, Some(id), None, &["password", "otp", "certificate", "ldapi"], write.context.now);
        access.sees(&after, node)
            && access.allows(&after, Right::Create, node, effect)
            && access.allows(&after, Right::Replace, node, effect)
            && access.allows(&after, Right::Delete, node, None)
    };
    if administrators(&after).any(may_mend) {
        return Ok(());
    }
    let text = "no administrator could change access rules any more";
    Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("would lock out administrators"))
}

/// The names that a filter compares attributes of names with.
fn named_in(directory: &Directory, filter: &Filter) -> Vec<Dn> {
    let is_of_names = |name: &str| {
        let described = directory.schema().describe(name);
        described.is_ok_and(|it| directory.schema().attribute_type_by_id(it.attribute_type).syntax.oid == DN_SYNTAX)
    };
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().flat_map(|filter| named_in(directory, filter)).collect(),
        Filter::Not(filter) => named_in(directory, filter),
        Filter::Equality(name, value) if is_of_names(name) => Dn::parse(value).into_iter().collect(),
        _ => Vec::new(),
    }
}
