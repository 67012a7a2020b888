//! What access rules must say when they are written, and what of them may not be taken away.

use super::{Access, AccessRules, Audited, TARGET, folder};
use crate::directory::{Change, Directory, Lookup, MembershipAttribute, RuleKind};
use crate::model::{EntryId, ResultCode};
use crate::operation::Authority;
use crate::operation::context::administrators;
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;
use crate::policy::access::{Reader, Right, RuleSubject};

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
    let attribute = draft.schema.attribute_type(TARGET).and_then(MembershipAttribute::of_type);
    let outside = attribute.and_then(|attribute| draft.members.first_outside(attribute));
    match outside.filter(|outside| Audited::named(draft.schema, outside).is_none()) {
        Some(outside) => absent(TARGET, String::from_utf8_lossy(outside).into_owned()),
        None => Ok(()),
    }
}

/// 53 for the removal, or another name, of entries that a rule names: it would be for nobody, or about everything. `renamed`: their names
/// change, and those of all below them.
pub(crate) fn check_unnamed(directory: &Directory, concerned: &[EntryId], renamed: bool) -> Result<(), Refusal> {
    let compiled = directory.compiled::<AccessRules>();
    for placed in &compiled.rules {
        let Some(entry) = placed.entry.filter(|entry| renamed || !concerned.contains(entry)) else { continue };
        let subjects = placed.rule.subjects.iter().filter_map(|subject| match subject {
            RuleSubject::Group(dn) | RuleSubject::Entry(dn) => match directory.find(dn) {
                Lookup::Found(id) => Some(id),
                _ => None,
            },
            _ => None,
        });
        // Targets follow a new name.
        let targets = placed.targets.iter().flatten().copied().filter(|_| !renamed);
        let meets = |id: &EntryId| match renamed {
            true => concerned.iter().any(|concerned| directory.is_within(*id, *concerned)),
            false => concerned.contains(id),
        };
        if let Some(found) = subjects.chain(targets).find(meets) {
            let text = format!(
                "{} is named by the access rule {}; change that first",
                directory.dn_text(found),
                directory.dn_text(entry)
            );
            return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("named by an access rule"));
        }
    }
    Ok(())
}

/// 53 for changes of rules after which no administrator could put them right. Judged as over the machine's own socket, with every factor.
pub(crate) fn check_not_locked_out(write: &Write<'_>, changes: &[Change]) -> Result<(), Refusal> {
    if write.context.authority == Authority::Installation {
        return Ok(());
    }
    let rules = write.head.rule_entries(RuleKind::AccessRule);
    let folder_before = folder(write.head);
    let concerns = |change: &Change| match change {
        Change::PutEntry { id, parent, .. } => rules.contains(*id) || (parent.is_some() && *parent == folder_before),
        Change::RemoveEntry { id, .. } => rules.contains(*id) || Some(*id) == folder_before,
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
