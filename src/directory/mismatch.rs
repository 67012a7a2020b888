//! What is wrong with the schema when stored content cannot be read: definitions in files were taken away or changed while the server was
//! stopped. Nothing is damaged then, and nothing must be restored.

use std::cell::RefCell;

use super::change::row::{self, Content};
use super::{Change, Directory, Row};
use crate::model::schema::Schema;
use crate::model::{Entry, EntryId, Section};
use bytes::Bytes;

impl Directory {
    /// Why a row that [`Directory::load_row`] refused does not fit the schema, in words for an administrator; none: it is something else.
    pub fn schema_mismatch_of_row(&self, row: &Row) -> Option<String> {
        if let Some(error) = self.unfit_definitions() {
            return Some(error);
        }
        match row::read(row).ok()? {
            Content::Entry { id, name, block, .. } => self.mismatch(id, &name, &block),
            _ => None,
        }
    }

    /// The same for a change that [`Directory::apply`] refused.
    pub fn schema_mismatch_of_change(&self, change: &Change) -> Option<String> {
        match change {
            Change::PutEntry { id, name, block, .. } => self.mismatch(*id, name, block),
            Change::ReviseSchema(revision) => self.unfit_revision(revision),
            _ => None,
        }
    }

    /// References by an attribute that nothing defines: nobody could read them.
    pub fn undefined_reference(&self) -> Option<String> {
        let undefined = self.memberships.attributes().find(|it| it.attribute_type(self.schema()).is_none())?;
        let id = self.memberships.holders(undefined).iter().next()?;
        Some(undefined_text(&format!("entry {}", self.dn_text(id)), &format!("{undefined:?}")))
    }

    fn mismatch(&self, id: EntryId, name: &str, block: &Bytes) -> Option<String> {
        let schema = self.schema();
        let seen: RefCell<Vec<(String, Option<Section>)>> = RefCell::default();
        let outcome = Entry::from_block(block.clone(), |name| {
            let found = schema.section_of(name);
            seen.borrow_mut().push((name.to_owned(), found.map(|(_, section)| section)));
            found
        });
        outcome.err()?;
        let entry = format!("entry {} ({name})", id.0);
        let seen = seen.into_inner();
        if let Some((undefined, _)) = seen.iter().find(|(_, section)| section.is_none()) {
            return Some(undefined_text(&entry, undefined));
        }
        let moved = moved(&seen)?;
        let place = schema.attribute_type(moved).and_then(|it| self.base_schema().place_of(&it.oid));
        Some(format!(
            "{entry} has values of attribute '{moved}', whose USAGE or X-SECRET was another when they were written; write the definition \
             {}as it was, start the server, and take the values away before changing it; nothing was changed",
            place.map(|place| format!("in {place} ")).unwrap_or_default()
        ))
    }
}

/// The attribute that does not lie where its definition says: without it the rest is in order. One that is not built in is the likelier one.
fn moved(seen: &[(String, Option<Section>)]) -> Option<&str> {
    let in_order_without = |left_out: usize| {
        let rest = seen.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, (_, section))| *section);
        rest.is_sorted()
    };
    let candidates: Vec<&str> = (0..seen.len())
        .filter(|index| in_order_without(*index))
        .filter_map(|index| seen.get(index))
        .map(|(name, _)| &**name)
        .collect();
    let built_in = Schema::embedded().ok()?;
    let foreign = candidates.iter().find(|name| built_in.attribute_type(name).is_none());
    foreign.or_else(|| candidates.first()).copied()
}

fn undefined_text(entry: &str, attribute: &str) -> String {
    format!(
        "{entry} has values of attribute '{attribute}', which no definition is left of; put its definition back into the schema files, start the \
         server, and take the values away before the definition; nothing was changed"
    )
}
