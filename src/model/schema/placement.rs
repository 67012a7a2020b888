//! Whether an entry may be named so and stand there: name forms and DIT structure rules (RFC 4512 section 4.1.7), where they are defined.

use super::{NameForm, Schema};
use crate::model::{AttributeTypeId, Rdn};

/// Why an entry may not have a name or a place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlacementViolation {
    /// 64: the only name form of its class does not allow the name.
    #[error("name form '{form}' requires naming attribute '{attribute}'")]
    NamingAttributeMissing {
        /// The form.
        form: String,
        /// What the RDN lacks.
        attribute: String,
    },
    /// 64
    #[error("name form '{form}' does not allow naming attribute '{attribute}'")]
    NamingAttributeNotAllowed {
        /// The form.
        form: String,
        /// What the RDN has.
        attribute: String,
    },
    /// 64: none of several forms.
    #[error("no name form of object class '{0}' allows the RDN")]
    NoNameForm(String),
    /// 64
    #[error("no DIT structure rule allows object class '{0}' here")]
    NoStructureRule(String),
}

impl Schema {
    /// Checks the name of an entry of this structural class (an index into [`Schema::object_classes`]) against the forms of the class
    /// that are not obsolete. Where there are none every name will do.
    pub fn check_name(&self, class: usize, rdn: &Rdn) -> Result<(), PlacementViolation> {
        let forms: Vec<&NameForm> = self.name_forms_of(class).filter(|form| !form.obsolete).collect();
        let named_by = self.types_of(rdn);
        if forms.is_empty() || forms.iter().any(|form| form.allows(&named_by)) {
            return Ok(());
        }
        let [form] = forms.as_slice() else { return Err(PlacementViolation::NoNameForm(self.title_of_class(class))) };
        let name = |id: &AttributeTypeId| self.attribute_type_by_id(*id).name().to_owned();
        let form_name = form.name().to_owned();
        let foreign = named_by.iter().find(|id| !form.must.contains(id) && !form.may.contains(id));
        let missing = form.must.iter().find(|id| !named_by.contains(id));
        Err(match (foreign, missing) {
            (Some(id), _) => PlacementViolation::NamingAttributeNotAllowed { form: form_name, attribute: name(id) },
            (None, Some(id)) => PlacementViolation::NamingAttributeMissing { form: form_name, attribute: name(id) },
            (None, None) => PlacementViolation::NoNameForm(self.title_of_class(class)),
        })
    }

    /// Checks the place of such an entry: where structure rules are for its class, one of them must allow it below an entry that is
    /// governed by the rules `above`. Returns those that then govern the entry.
    pub fn check_structure(&self, class: usize, rdn: &Rdn, above: &[usize]) -> Result<Vec<usize>, PlacementViolation> {
        let governing = self.structure_rules_for(class, &self.types_of(rdn), above);
        if governing.is_empty() && self.dit_structure_rules_of(class).any(|rule| !rule.obsolete) {
            return Err(PlacementViolation::NoStructureRule(self.title_of_class(class)));
        }
        Ok(governing)
    }

    fn title_of_class(&self, class: usize) -> String {
        self.object_classes.get(class).map(|class| class.name().to_owned()).unwrap_or_default()
    }

    /// The attribute types of a name's pairs.
    pub fn types_of(&self, rdn: &Rdn) -> Vec<AttributeTypeId> {
        rdn.parts.iter().filter_map(|part| Some(self.attribute_type(&part.attribute_type)?.id)).collect()
    }

    /// The structure rules in force for an entry of this structural class, named by these types, below one that is governed by the rules
    /// `above` (none: the entry is the top of what rules are for).
    pub fn structure_rules_for(&self, class: usize, named_by: &[AttributeTypeId], above: &[usize]) -> Vec<usize> {
        let rules = self.dit_structure_rules().iter().enumerate();
        let fits = rules.filter(|(_, rule)| {
            let form = self.name_forms().get(rule.form).filter(|form| !form.obsolete);
            let below = match rule.superiors.is_empty() {
                true => above.is_empty(),
                false => rule.superiors.iter().any(|superior| above.contains(superior)),
            };
            !rule.obsolete && below && form.is_some_and(|form| form.structural_class == class && form.allows(named_by))
        });
        fits.map(|(index, _)| index).collect()
    }
}

impl NameForm {
    /// Whether an entry may be named by these types: all that the form requires, and none that it does not name.
    pub fn allows(&self, named_by: &[AttributeTypeId]) -> bool {
        self.must.iter().all(|id| named_by.contains(id))
            && named_by.iter().all(|id| self.must.contains(id) || self.may.contains(id))
    }
}
