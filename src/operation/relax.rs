//! Relaxed rules (draft-zeilenga-ldap-relax): an administrator may set what otherwise only the server writes, and change what an entry
//! is, as long as the entry keeps the schema.

use super::account;
use super::control::Controls;
use super::draft::{CheckedAttribute, Draft, Home};
use super::grant;
use super::refusal::Refusal;
use super::review;
use super::write::not_permitted;
use crate::directory::{Directory, Node};
use crate::model::{ResultCode, Value};
use crate::policy::access::Subject;

/// What says when and by whom an entry was changed: given with relaxed rules, the server's own stamp gives way.
const STAMPS: [&str; 2] = ["modifiersName", "modifyTimestamp"];

/// What every entry has: relaxed rules change it and do not take it away.
const KEPT: [&str; 3] = ["entryUUID", "creatorsName", "createTimestamp"];

/// What follows from something else and would lie if it were set: the number that consumers go by, the entry's class, the end of its
/// time, which a refresh moves, and since when an emergency account is used, or any is disabled.
const DERIVED: [&str; 5] =
    ["entryCSN", "structuralObjectClass", "entryExpireTimestamp", "breakGlassUseTime", "accountDisabledTime"];

/// Whether rules are relaxed for this request: 50 for others than administrators.
pub(crate) fn is_allowed(controls: &Controls, subject: Subject) -> Result<bool, Refusal> {
    if controls.relax_rules && !subject.administrator {
        return Err(not_permitted());
    }
    Ok(controls.relax_rules)
}

/// 19 for what cannot be set even so.
pub(crate) fn check_attribute(attribute: &CheckedAttribute<'_>) -> Result<(), Refusal> {
    let name = attribute.attribute_type.name();
    if attribute.home == Home::Computed || DERIVED.contains(&name) || grant::is_server_only(name) || review::is_server_only(name)
    {
        return Err(attribute.constraint("no user modification allowed"));
    }
    Ok(())
}

/// 19 for an entryUUID that is another entry's, and for an entry that would lose what every entry has. `node`: the entry as it is, if
/// there is one.
pub(crate) fn check_identity(head: &Directory, node: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let refusal = |name: &str, problem: &str| Refusal::new(ResultCode::ConstraintViolation, format!("{name}: {problem}"));
    for name in KEPT {
        let Some(attribute_type) = head.schema().attribute_type(name) else { continue };
        let before = node.and_then(|node| node.entry.first(attribute_type.id));
        let after =
            draft.entry.attributes.iter().find(|it| it.attribute_type == attribute_type.id).and_then(|it| it.values.first());
        match (before, after) {
            (Some(_), None) => return Err(refusal(name, "cannot be removed")),
            (before, Some(after)) if name == "entryUUID" && before != Some(after) && is_taken(head, node, after) => {
                return Err(refusal(name, "value is that of another entry"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_taken(head: &Directory, node: Option<&Node>, uuid: &Value) -> bool {
    account::by_attribute(head, "entryUUID", uuid).is_some_and(|other| Some(other) != node.map(|node| node.id))
}

/// The stamps that the request itself sets.
pub(crate) fn given_stamps(draft: &Draft<'_>, changed: &[CheckedAttribute<'_>]) -> Vec<(&'static str, String)> {
    let given = |name: &'static str| {
        let attribute = changed.iter().find(|attribute| attribute.attribute_type.name() == name)?;
        let kept = draft.entry.attributes.iter().find(|it| it.attribute_type == attribute.attribute_type.id)?;
        Some((name, String::from_utf8_lossy(kept.values.first()?).into_owned()))
    };
    STAMPS.into_iter().filter_map(given).collect()
}
