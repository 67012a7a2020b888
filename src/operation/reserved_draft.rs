//! Reserved identifiers while a request changes them: reservedIdentifier of the suffix entry, values such as `uid=anna`.

use std::collections::HashMap;

use super::draft::CheckedAttribute;
use super::refusal::Refusal;
use crate::directory::{Change, Directory, Identifier};
use crate::model::{EntryId, ModificationOperation, ResultCode, Timestamp, Value};

/// The changes so far.
pub(crate) struct ReservedDraft<'a> {
    head: &'a Directory,
    /// In the order first touched: the identifier and whether it is reserved now.
    touched: Vec<(Identifier, bool)>,
    /// Attribute and key → place in `touched`.
    places: HashMap<(String, Box<[u8]>), usize>,
}

impl<'a> ReservedDraft<'a> {
    /// Nothing changed yet.
    pub(crate) fn new(head: &'a Directory) -> ReservedDraft<'a> {
        ReservedDraft { head, touched: Vec::new(), places: HashMap::new() }
    }

    /// Makes one change of the attribute: 21, 20 and 16 as for any other. `permissive`: what is there already need not be added, what is
    /// not there need not be deleted.
    pub(crate) fn apply(
        &mut self,
        attribute: &CheckedAttribute<'_>,
        operation: ModificationOperation,
        values: &[Value],
        permissive: bool,
    ) -> Result<(), Refusal> {
        let no_such = || Refusal::new(ResultCode::NoSuchAttribute, format!("modify/delete: {}: no such value", attribute.name()));
        let identifiers = self.read(attribute, values)?;
        match operation {
            ModificationOperation::Add => {
                for (index, identifier) in identifiers.into_iter().enumerate() {
                    if !self.set(identifier, true) && !permissive {
                        let text = format!("modify/add: {}: value #{index} already exists", attribute.name());
                        return Err(Refusal::new(ResultCode::AttributeOrValueExists, text));
                    }
                }
            }
            ModificationOperation::Delete if identifiers.is_empty() => {
                if !self.clear() && !permissive {
                    return Err(no_such());
                }
            }
            ModificationOperation::Delete => {
                for identifier in identifiers {
                    if !self.set(identifier, false) && !permissive {
                        return Err(no_such());
                    }
                }
            }
            ModificationOperation::Replace => {
                self.clear();
                identifiers.into_iter().for_each(|identifier| {
                    self.set(identifier, true);
                });
            }
            ModificationOperation::Increment => {
                return Err(attribute.constraint("attribute syntax inappropriate for increment"));
            }
        }
        Ok(())
    }

    /// 65: only the suffix entry has such an attribute.
    pub(crate) fn check_place(&self, id: Option<EntryId>) -> Result<(), Refusal> {
        match id == self.head.suffix_entry() || self.touched.is_empty() {
            true => Ok(()),
            false => Err(Refusal::new(ResultCode::ObjectClassViolation, "attribute 'reservedIdentifier' not allowed")),
        }
    }

    /// The changes that take the directory to this.
    pub(crate) fn changes(&self, since: Timestamp, by: &str) -> Vec<Change> {
        let differences = self.touched.iter().filter(|(identifier, reserved)| self.head.is_reserved(identifier) != *reserved);
        differences
            .map(|(identifier, reserved)| match reserved {
                true => Change::Reserve { identifier: identifier.clone(), since, by: by.to_owned() },
                false => Change::Release { identifier: identifier.clone() },
            })
            .collect()
    }

    /// Values as identifiers: an attribute, `=`, and a value of it.
    fn read(&self, attribute: &CheckedAttribute<'_>, values: &[Value]) -> Result<Vec<Identifier>, Refusal> {
        let read = |value: &Value| {
            let place = value.iter().position(|octet| *octet == b'=')?;
            let (name, value) = (value.get(..place)?, value.get(place + 1..)?);
            let attribute_type = self.head.schema().attribute_type(std::str::from_utf8(name).ok()?)?;
            let sound = !attribute_type.secret && self.head.schema().check_syntax(attribute_type.id, value).is_ok();
            self.head.identifier(attribute_type, value).filter(|_| sound)
        };
        let invalid = |index: usize| {
            let text = format!("{}: value #{index} invalid per syntax", attribute.name());
            Refusal::new(ResultCode::InvalidAttributeSyntax, text)
        };
        values.iter().enumerate().map(|(index, value)| read(value).ok_or_else(|| invalid(index))).collect()
    }

    /// Whether that changed anything.
    fn set(&mut self, identifier: Identifier, reserved: bool) -> bool {
        let key = (identifier.attribute.clone(), identifier.key.clone());
        match self.places.get(&key).and_then(|&place| self.touched.get_mut(place)) {
            Some((_, now)) => std::mem::replace(now, reserved) != reserved,
            None => {
                let changes = self.head.is_reserved(&identifier) != reserved;
                self.places.insert(key, self.touched.len());
                self.touched.push((identifier, reserved));
                changes
            }
        }
    }

    /// Whether there was anything.
    fn clear(&mut self) -> bool {
        let all: Vec<Identifier> =
            self.head.reserved().chain(self.touched.iter().map(|(identifier, _)| identifier.clone())).collect();
        let mut any = false;
        for identifier in all {
            any |= self.set(identifier, false);
        }
        any
    }
}
