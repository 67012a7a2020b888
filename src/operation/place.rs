//! What the schema says of new use of obsolete definitions, and of an entry's name and place (RFC 4512 sections 4.1.1, 4.1.7).

use super::draft::{CheckedAttribute, Draft};
use super::refusal::Refusal;
use crate::directory::{Directory, Node};
use crate::model::schema::Schema;
use crate::model::{EntryId, Rdn, ResultCode};

impl CheckedAttribute<'_> {
    /// 19: values of an obsolete attribute are kept and deleted, not added.
    pub(crate) fn check_not_obsolete(&self) -> Result<(), Refusal> {
        if self.attribute_type.obsolete { Err(self.constraint("attribute is obsolete")) } else { Ok(()) }
    }
}

/// 65 for an obsolete class that the entry did not have before (`before`: the entry as it was, if it was).
pub(crate) fn check_new_classes(draft: &Draft<'_>, before: Option<&Node>) -> Result<(), Refusal> {
    let schema = draft.schema;
    let Some(object_class) = schema.attribute_type("objectClass") else { return Ok(()) };
    let number = |name: &[u8]| schema.class_with_superiors(std::str::from_utf8(name).ok()?).first().copied();
    let old: Vec<_> = before.iter().flat_map(|node| node.entry.values(object_class.id)).map(number).collect();
    let new = draft.object_classes()?;
    let new = new.into_iter().filter(|name| !old.contains(&number(name.as_bytes())));
    Ok(schema.check_new_classes(new)?)
}

/// 64 for a new name by an obsolete attribute.
pub(crate) fn check_naming_attributes(schema: &Schema, rdn: &Rdn) -> Result<(), Refusal> {
    let mut types = rdn.parts.iter().filter_map(|part| schema.attribute_type(&part.attribute_type));
    match types.find(|it| it.obsolete) {
        Some(it) => Err(naming(format!("naming attribute '{}' is obsolete", it.name()))),
        None => Ok(()),
    }
}

/// 64 where the name forms of the entry's class do not allow its name, or the structure rules for its class do not allow it below `parent`;
/// also where another rule would govern the entry (`moved`: the one that is renamed), so that entries below would not be where
/// their rules say.
pub(crate) fn check_place(
    head: &Directory,
    structural: &str,
    rdn: &Rdn,
    parent: Option<EntryId>,
    moved: Option<EntryId>,
) -> Result<(), Refusal> {
    let schema = head.schema();
    let Some(&class) = schema.class_with_superiors(structural).first() else { return Ok(()) };
    schema.check_name(class, rdn)?;
    if schema.dit_structure_rules().is_empty() {
        return Ok(());
    }
    let above = parent.map(|parent| head.governing_structure_rules(parent)).unwrap_or_default();
    let governing = schema.check_structure(class, rdn, &above)?;
    match moved {
        Some(id) if head.child_count(id) > 0 && head.governing_structure_rules(id) != governing => {
            Err(naming("another DIT structure rule would govern the entries below".to_owned()))
        }
        _ => Ok(()),
    }
}

fn naming(text: String) -> Refusal {
    Refusal::new(ResultCode::NamingViolation, text)
}
