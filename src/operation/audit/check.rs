//! What is checked when audit rules are written.

use super::compile::{AuditRule, AuditRules, TARGET, named};
use crate::directory::{Directory, Lookup, MembershipAttribute, RuleKind};
use crate::model::{EntryId, ResultCode};
use crate::operation::Authority;
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::Write;

/// 21 for a rule with a value that means nothing, 19 for one that names an entry which is not there: it would be for nobody.
pub(crate) fn check(write: &Write<'_>, draft: &Draft<'_>) -> Result<(), Refusal> {
    if !draft.object_classes()?.iter().any(|class| class.eq_ignore_ascii_case(RuleKind::AuditRule.class())) {
        return Ok(());
    }
    let values = |name: &str| {
        let attribute_type = draft.schema.attribute_type(name);
        let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
        found.map(|attribute| attribute.values.clone()).unwrap_or_default()
    };
    let rule = AuditRule::read(draft.schema, &values, false);
    let rule = rule.map_err(|error| Refusal::new(ResultCode::InvalidAttributeSyntax, error.to_string()))?;
    if write.context.authority == Authority::Installation {
        // A file may hold the group behind the rule.
        return Ok(());
    }
    let absent = |attribute: &str, name: String| {
        Err(Refusal::new(ResultCode::ConstraintViolation, format!("{attribute}: there is no entry {name}")))
    };
    if let Some(dn) = named(&rule).find(|dn| !matches!(write.head.find(dn), Lookup::Found(_))) {
        return absent("auditSubject", dn.to_string());
    }
    let attribute = draft.schema.attribute_type(TARGET).and_then(MembershipAttribute::of_type);
    match attribute.and_then(|attribute| draft.members.first_outside(attribute)) {
        Some(outside) => absent(TARGET, String::from_utf8_lossy(outside).into_owned()),
        None => Ok(()),
    }
}

/// 53 for the removal, or another name, of entries that an audit rule is for, and of what the rules stand below: less would be recorded than
/// somebody wanted, and nobody would be told.
pub(crate) fn check_unnamed(directory: &Directory, concerned: &[EntryId], renamed: bool) -> Result<(), Refusal> {
    let entries = directory.rule_entries(RuleKind::AuditRule);
    if entries.is_empty() {
        return Ok(());
    }
    let stays = |id: &EntryId| renamed || !concerned.contains(id);
    let rules = directory.compiled::<AuditRules>();
    let kept = rules.rules().filter(|(entry, _)| stays(entry));
    let subjects = kept.flat_map(|(_, rule)| named(rule)).filter_map(|dn| match directory.find(dn) {
        Lookup::Found(id) => Some(id),
        _ => None,
    });
    let holders = entries.iter().filter(stays).filter_map(|id| directory.node(id)?.parent);
    let meets = |id: EntryId| match renamed {
        true => concerned.iter().any(|concerned| directory.is_within(id, *concerned)),
        false => concerned.contains(&id),
    };
    if subjects.chain(holders).any(meets) {
        let text = "an audit rule is about this; change that first";
        return Err(Refusal::new(ResultCode::UnwillingToPerform, text).because("named by an audit rule"));
    }
    Ok(())
}
