//! An entry while a request makes or changes it, and the rules every finished entry keeps (RFC 4512 sections 2.3 to 2.5).

use std::collections::HashMap;

use super::member_draft::MemberDraft;
use super::refusal::Refusal;
use super::reserved_draft::ReservedDraft;
use super::write::Write;
use crate::directory::Computed;
use crate::directory::{Directory, MembershipAttribute};
use crate::model::schema::{AttributeDescription, AttributeType, EntryContent, Key, Schema};
use crate::model::{Attribute, AttributeTypeId, BuilderAttribute, EntryBuilder, EntryId, Rdn, ResultCode, Value};

/// The entry being made.
pub(crate) struct Draft<'a> {
    head: &'a Directory,
    /// None for an entry that is being added.
    id: Option<EntryId>,
    /// The schema it must keep.
    pub(crate) schema: &'a Schema,
    /// What will be in the block.
    pub(crate) entry: EntryBuilder,
    /// What will be in the membership set.
    pub(crate) members: MemberDraft<'a>,
    /// What will be given to nobody.
    pub(crate) reserved: ReservedDraft<'a>,
}

/// An attribute of a request whose description and values are sound.
pub(crate) struct CheckedAttribute<'a> {
    /// The resolved description.
    pub(crate) description: AttributeDescription,
    /// Its type.
    pub(crate) attribute_type: &'a AttributeType,
    /// Where its values live.
    pub(crate) home: Home,
}

/// Where an attribute's values live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// In the entry's block.
    Block,
    /// In the membership set.
    Members(MembershipAttribute),
    /// Among the identifiers that are given to nobody.
    Reserved,
    /// In login bookkeeping: pwdFailureTime and what follows from it. Administrators take it away and never put it there.
    Bookkeeping,
    /// Nowhere: worked out when read, never written by a client.
    Computed,
}

/// How values of one attribute are told apart: by the equality rule's key, octet by octet where there is none.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum ValueKey {
    Rule(Key),
    Octets(Value),
}

impl ValueKey {
    pub(crate) fn of(schema: &Schema, attribute_type: &AttributeType, value: &[u8]) -> ValueKey {
        match schema.equality_key(attribute_type.id, value) {
            Some(Ok(key)) => ValueKey::Rule(key),
            _ => ValueKey::Octets(Value::copy_from_slice(value)),
        }
    }
}

impl<'a> CheckedAttribute<'a> {
    /// Resolves the description (17).
    pub(crate) fn new(head: &'a Directory, attribute: &Attribute, stores: bool) -> Result<CheckedAttribute<'a>, Refusal> {
        let schema = head.schema();
        let description = schema.describe_for_storage(&attribute.description)?;
        let attribute_type = schema.attribute_type_by_id(description.attribute_type);
        let home = match head.computed(attribute_type.id) {
            Some(Computed::Members(attribute)) => Home::Members(attribute),
            Some(Computed::Reserved) => Home::Reserved,
            Some(Computed::FailureTime | Computed::GraceLogins | Computed::TemporaryLockoutEnd) if !stores => Home::Bookkeeping,
            Some(_) => Home::Computed,
            None => Home::Block,
        };
        if stores && matches!(home, Home::Members(_) | Home::Reserved) && !description.options.is_empty() {
            let text = format!("{}: unrecognized option", description.spelled);
            return Err(Refusal::new(ResultCode::UndefinedAttributeType, text));
        }
        Ok(CheckedAttribute { description, attribute_type, home })
    }

    /// The name that stands in texts.
    pub(crate) fn name(&self) -> &str {
        &self.description.spelled
    }

    /// 19: attributes only the server writes.
    pub(crate) fn check_user_modification(&self) -> Result<(), Refusal> {
        if self.home == Home::Bookkeeping {
            return Ok(());
        }
        if self.attribute_type.no_user_modification || self.home == Home::Computed {
            return Err(self.constraint("no user modification allowed"));
        }
        Ok(())
    }

    /// 21 for a value that is not of the syntax, 20 for one given twice, 19 for a second one of a SINGLE-VALUE attribute.
    pub(crate) fn check_values(&self, schema: &Schema, values: &[Value]) -> Result<(), Refusal> {
        let is_object_class = self.attribute_type.name() == "objectClass";
        for (index, value) in values.iter().enumerate() {
            let sound = match is_object_class {
                true => std::str::from_utf8(value).is_ok_and(|name| schema.object_class(name).is_some()),
                false => schema.check_syntax(self.attribute_type.id, value).is_ok(),
            };
            if !sound {
                let text = format!("{}: value #{index} invalid per syntax", self.name());
                return Err(Refusal::new(ResultCode::InvalidAttributeSyntax, text));
            }
        }
        self.check_distinct(schema, values)?;
        self.check_count(values)
    }

    /// 19 for a second value of a SINGLE-VALUE attribute.
    pub(crate) fn check_count(&self, values: &[Value]) -> Result<(), Refusal> {
        if values.len() > 1 && self.attribute_type.single_value {
            return Err(self.constraint("multiple values provided"));
        }
        Ok(())
    }

    fn check_distinct(&self, schema: &Schema, values: &[Value]) -> Result<(), Refusal> {
        if values.len() < 2 {
            return Ok(());
        }
        let mut seen = HashMap::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            if let Some(first) = seen.insert(ValueKey::of(schema, self.attribute_type, value), index) {
                return Err(self.exists(format!("value #{first} provided more than once")));
            }
        }
        Ok(())
    }

    /// 20 about this attribute.
    pub(crate) fn exists(&self, problem: String) -> Refusal {
        Refusal::new(ResultCode::AttributeOrValueExists, format!("{}: {problem}", self.name()))
    }

    /// 19 about this attribute.
    pub(crate) fn constraint(&self, problem: &str) -> Refusal {
        Refusal::new(ResultCode::ConstraintViolation, format!("{}: {problem}", self.name()))
    }
}

impl<'a> Draft<'a> {
    /// Of an entry that this request adds: members may have an end.
    pub(crate) fn added_by(write: &Write<'a>) -> Draft<'a> {
        let mut draft = Draft::empty(write.head);
        draft.members.decided_at(write.context.now);
        draft
    }

    /// Of an entry that this request modifies: members may have an end.
    pub(crate) fn changed_by(write: &Write<'a>, id: EntryId) -> Option<Draft<'a>> {
        let mut draft = Draft::of_entry(write.head, id)?;
        draft.members.decided_at(write.context.now);
        Some(draft)
    }

    /// Nothing in it yet (add).
    pub(crate) fn empty(head: &'a Directory) -> Draft<'a> {
        Draft {
            head,
            id: None,
            schema: head.schema(),
            entry: EntryBuilder::default(),
            members: MemberDraft::new(head, None),
            reserved: ReservedDraft::new(head),
        }
    }

    /// What the entry holds now; none if it is gone.
    pub(crate) fn of_entry(head: &'a Directory, id: EntryId) -> Option<Draft<'a>> {
        let entry = head.node(id)?.entry.to_builder();
        Some(Draft {
            head,
            id: Some(id),
            schema: head.schema(),
            entry,
            members: MemberDraft::new(head, Some(id)),
            reserved: ReservedDraft::new(head),
        })
    }

    /// Whether login bookkeeping has values of this type.
    pub(crate) fn has_bookkeeping(&self, attribute_type: AttributeTypeId) -> bool {
        let node = self.id.and_then(|id| self.head.node(id));
        self.head.computed(attribute_type).zip(node).is_some_and(|(computed, node)| computed.is_present(self.head, node))
    }

    /// The values under exactly this description.
    pub(crate) fn values_mut(&mut self, attribute: &CheckedAttribute<'_>) -> Option<&mut Vec<Value>> {
        let found = self.entry.get_mut(attribute.attribute_type.id, &attribute.description.spelled)?;
        Some(&mut found.values)
    }

    /// Replaces the values under this description; none removes it.
    pub(crate) fn set_values(&mut self, attribute: &CheckedAttribute<'_>, values: Vec<Value>) {
        let section = attribute.attribute_type.section();
        self.entry.set(attribute.attribute_type.id, &attribute.description.spelled, section, values);
    }

    /// Adds the values of an RDN that are not there yet (RFC 4511 sections 4.7 and 4.9).
    pub(crate) fn add_rdn_values(&mut self, rdn: &Rdn) -> Result<(), Refusal> {
        let schema = self.schema;
        for part in &rdn.parts {
            let attribute = self.naming_attribute(&part.attribute_type)?;
            let key = ValueKey::of(self.schema, attribute.attribute_type, &part.value);
            let mut values = self.values_mut(&attribute).map(std::mem::take).unwrap_or_default();
            if !values.iter().any(|value| ValueKey::of(schema, attribute.attribute_type, value) == key) {
                values.push(part.value.clone());
            }
            self.set_values(&attribute, values);
        }
        Ok(())
    }

    /// Takes the values of an RDN away (deleteoldrdn).
    pub(crate) fn remove_rdn_values(&mut self, rdn: &Rdn) -> Result<(), Refusal> {
        let schema = self.schema;
        for part in &rdn.parts {
            let attribute = self.naming_attribute(&part.attribute_type)?;
            let key = ValueKey::of(self.schema, attribute.attribute_type, &part.value);
            let mut values = self.values_mut(&attribute).map(std::mem::take).unwrap_or_default();
            values.retain(|value| ValueKey::of(schema, attribute.attribute_type, value) != key);
            self.set_values(&attribute, values);
        }
        Ok(())
    }

    /// An attribute of an RDN: it must live in the block and be the users' to write.
    fn naming_attribute(&self, name: &str) -> Result<CheckedAttribute<'a>, Refusal> {
        let attribute = Attribute { description: name.to_owned(), values: Vec::new() };
        let attribute = CheckedAttribute::new(self.head, &attribute, true)?;
        attribute.check_user_modification()?;
        if attribute.home != Home::Block || attribute.attribute_type.secret {
            let text = format!("attribute '{}' cannot name an entry", attribute.attribute_type.name());
            return Err(Refusal::new(ResultCode::NamingViolation, text));
        }
        Ok(attribute)
    }

    /// The rules of a finished entry: single values (19), RDN values present (64), classes and attributes agree (65). Returns the name of
    /// the structural class.
    pub(crate) fn check(&self, rdn: &Rdn) -> Result<&'a str, Refusal> {
        self.check_single_values()?;
        let content = EntryContent { object_classes: self.object_classes()?, attribute_types: self.attribute_types() };
        self.check_naming(rdn)?;
        self.class_name(self.schema.validate(&content)?)
    }

    /// The structural class the entry has now, whether or not the rest of it is sound.
    pub(crate) fn structural_class(&self) -> Result<&'a str, Refusal> {
        self.class_name(self.schema.structural_class_of(&self.object_classes()?)?)
    }

    /// The classes as they are spelled; 65 where there are none.
    pub(crate) fn object_classes(&self) -> Result<Vec<&str>, Refusal> {
        let classes = self.entry.attributes.iter().find(|it| it.description == "objectClass" && !it.values.is_empty());
        let classes = classes.ok_or_else(|| Refusal::new(ResultCode::ObjectClassViolation, "no objectClass attribute"))?;
        Ok(classes.values.iter().filter_map(|value| std::str::from_utf8(value).ok()).collect())
    }

    fn class_name(&self, index: usize) -> Result<&'a str, Refusal> {
        let class = self.schema.object_classes().get(index).map(|class| class.name());
        class.ok_or_else(|| Refusal::new(ResultCode::ObjectClassViolation, "no structural object class provided"))
    }

    fn check_single_values(&self) -> Result<(), Refusal> {
        let block = self.entry.attributes.iter().filter(|it| it.values.len() > 1);
        let block = block.map(|attribute| self.schema.attribute_type_by_id(attribute.attribute_type));
        let members = self.members.attributes().into_iter().filter_map(|it| Some((it, it.attribute_type(self.schema)?)));
        let members = members.filter(|(attribute, found)| found.single_value && self.members.count(*attribute) > 1);
        for attribute_type in block.chain(members.map(|(_, attribute_type)| attribute_type)) {
            if attribute_type.single_value {
                let text = format!("attribute '{}' cannot have multiple values", attribute_type.name());
                return Err(Refusal::new(ResultCode::ConstraintViolation, text));
            }
        }
        Ok(())
    }

    fn check_naming(&self, rdn: &Rdn) -> Result<(), Refusal> {
        for part in &rdn.parts {
            let Some(attribute_type) = self.schema.attribute_type(&part.attribute_type) else { continue };
            let key = ValueKey::of(self.schema, attribute_type, &part.value);
            let is_named = |attribute: &&BuilderAttribute| {
                attribute.attribute_type == attribute_type.id && attribute.description == attribute_type.name()
            };
            let named = self.entry.attributes.iter().find(is_named);
            let is_equal = |value: &Value| ValueKey::of(self.schema, attribute_type, value) == key;
            let what = match named {
                Some(attribute) if attribute.values.iter().any(is_equal) => continue,
                Some(_) => "value of naming",
                None => "naming",
            };
            let text = format!("{what} attribute '{}' is not present in entry", attribute_type.name());
            return Err(Refusal::new(ResultCode::NamingViolation, text));
        }
        Ok(())
    }

    fn attribute_types(&self) -> Vec<AttributeTypeId> {
        let block = self.entry.attributes.iter().filter(|it| !it.values.is_empty()).map(|it| it.attribute_type);
        let members = self.members.attributes().into_iter().filter(|&attribute| self.members.count(attribute) > 0);
        let members = members.filter_map(|attribute| Some(attribute.attribute_type(self.schema)?.id));
        block.chain(members).chain(self.lost()).collect()
    }

    /// The attributes that the entry had to have and lost before this request, with the last entry they named: they are not asked for
    /// until they have a value again.
    fn lost(&self) -> Vec<AttributeTypeId> {
        let Some(node) = self.id.and_then(|id| self.head.node(id)) else { return Vec::new() };
        let Some(object_class) = self.schema.attribute_type("objectClass") else { return Vec::new() };
        let classes = node.entry.values(object_class.id).filter_map(|name| std::str::from_utf8(name).ok());
        let required = self.required(classes);
        let is_lost = |id: &AttributeTypeId| match self.head.computed(*id) {
            Some(Computed::Members(attribute)) => self.head.member_count(node.id, attribute) == 0,
            _ => false,
        };
        let still_required = self.required(self.object_classes().unwrap_or_default().into_iter());
        required.into_iter().filter(|id| is_lost(id) && still_required.contains(id)).collect()
    }

    /// What these classes and those above them ask for.
    fn required<'n>(&self, classes: impl Iterator<Item = &'n str>) -> Vec<AttributeTypeId> {
        let classes = classes.flat_map(|name| self.schema.class_with_superiors(name));
        let classes = classes.filter_map(|&class| self.schema.object_classes().get(class));
        classes.flat_map(|class| class.must.iter().copied()).collect()
    }
}
