//! What a schema says about the shape of the tree: DIT content rules, name forms and DIT structure rules (RFC 4512 sections 4.1.6
//! and 4.1.7). The schema holds and publishes them; writes are checked against them elsewhere.

use super::Schema;
use crate::model::AttributeTypeId;

/// What entries of one structural class may and must hold beyond what their classes say (RFC 4512 section 4.1.6).
pub struct DitContentRule {
    /// Object identifier of the structural class, which is the rule's own.
    pub oid: String,
    /// Short names.
    pub names: Vec<String>,
    /// DESC
    pub description: Option<String>,
    /// OBSOLETE
    pub obsolete: bool,
    /// The structural class (an index into [`Schema::object_classes`]).
    pub structural_class: usize,
    /// AUX: the auxiliary classes that such entries may have (indexes into [`Schema::object_classes`]); no others.
    pub auxiliaries: Vec<usize>,
    /// MUST, beyond that of the classes.
    pub must: Vec<AttributeTypeId>,
    /// MAY, beyond that of the classes.
    pub may: Vec<AttributeTypeId>,
    /// NOT: precluded, whatever the classes allow.
    pub not: Vec<AttributeTypeId>,
    /// X- extensions with their values, in order.
    pub extensions: Vec<(String, Vec<String>)>,
}

/// Which attribute types the RDN of an entry of one structural class is made of (RFC 4512 section 4.1.7.2).
pub struct NameForm {
    /// Dotted object identifier.
    pub oid: String,
    /// Short names, the first canonical.
    pub names: Vec<String>,
    /// DESC
    pub description: Option<String>,
    /// OBSOLETE
    pub obsolete: bool,
    /// OC: the structural class (an index into [`Schema::object_classes`]).
    pub structural_class: usize,
    /// MUST: types that are all in the RDN; at least one.
    pub must: Vec<AttributeTypeId>,
    /// MAY: types that may be there as well; no others.
    pub may: Vec<AttributeTypeId>,
    /// X- extensions with their values, in order.
    pub extensions: Vec<(String, Vec<String>)>,
}

/// Below which entries those named by one name form may stand (RFC 4512 section 4.1.7.1).
pub struct DitStructureRule {
    /// The rule's number.
    pub number: u32,
    /// Short names.
    pub names: Vec<String>,
    /// DESC
    pub description: Option<String>,
    /// OBSOLETE
    pub obsolete: bool,
    /// FORM (an index into [`Schema::name_forms`]).
    pub form: usize,
    /// SUP: rules (indexes into [`Schema::dit_structure_rules`]) one of which governs the superior entry. None: the entry is the top of
    /// the area that the rules are for. A rule may name itself.
    pub superiors: Vec<usize>,
    /// X- extensions with their values, in order.
    pub extensions: Vec<(String, Vec<String>)>,
}

impl DitContentRule {
    /// The first short name, or the object identifier.
    pub fn name(&self) -> &str {
        self.names.first().map_or(self.oid.as_str(), String::as_str)
    }
}

impl NameForm {
    /// The canonical name.
    pub fn name(&self) -> &str {
        self.names.first().map_or(self.oid.as_str(), String::as_str)
    }
}

impl Schema {
    /// All DIT content rules, in the order loaded.
    pub fn dit_content_rules(&self) -> &[DitContentRule] {
        &self.dit_rules.content_rules
    }

    /// The content rule of a structural class (an index into [`Schema::object_classes`], as [`Schema::validate`] returns it),
    /// obsolete or not. It is for entries of this very class; classes below it have rules of their own or none.
    pub fn dit_content_rule_of(&self, structural_class: usize) -> Option<&DitContentRule> {
        self.dit_rules.content_rules.iter().find(|rule| rule.structural_class == structural_class)
    }

    /// All name forms, in the order loaded.
    pub fn name_forms(&self) -> &[NameForm] {
        &self.dit_rules.name_forms
    }

    /// Looks a name form up by any of its names (any case) or its object identifier.
    pub fn name_form(&self, name: &str) -> Option<&NameForm> {
        self.dit_rules.name_forms.get(self.dit_rules.form_names.get(name)? as usize)
    }

    /// The name forms of a structural class (an index into [`Schema::object_classes`]): an entry's RDN is of one of them.
    pub fn name_forms_of(&self, structural_class: usize) -> impl Iterator<Item = &NameForm> {
        self.dit_rules.name_forms.iter().filter(move |form| form.structural_class == structural_class)
    }

    /// All DIT structure rules, in the order loaded.
    pub fn dit_structure_rules(&self) -> &[DitStructureRule] {
        &self.dit_rules.structure_rules
    }

    /// Looks a structure rule up by its number.
    pub fn dit_structure_rule(&self, number: u32) -> Option<&DitStructureRule> {
        self.dit_rules.structure_rules.iter().find(|rule| rule.number == number)
    }

    /// The structure rules whose name form is one of a structural class (an index into [`Schema::object_classes`]).
    pub fn dit_structure_rules_of(&self, structural_class: usize) -> impl Iterator<Item = &DitStructureRule> {
        let of_class =
            move |form: usize| self.dit_rules.name_forms.get(form).is_some_and(|form| form.structural_class == structural_class);
        self.dit_rules.structure_rules.iter().filter(move |rule| of_class(rule.form))
    }
}
