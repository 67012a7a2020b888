//! What an entry says of its account: its attributes found by type, the types looked up once for every schema.

use super::{AccountState, Directory, Node};
use crate::model::schema::Schema;
use crate::model::{AccountAttribute, AttributeTypeId, EntryId};

/// By the number of the attribute type.
pub(super) struct AccountTypes(Box<[Option<AccountAttribute>]>);

impl AccountTypes {
    pub(super) fn new(schema: &Schema) -> AccountTypes {
        let mut by_type = vec![None; schema.attribute_types().len()].into_boxed_slice();
        for attribute in AccountAttribute::ALL {
            let id = schema.attribute_type(attribute.name()).map(|it| it.id.0 as usize);
            if let Some(found) = id.and_then(|id| by_type.get_mut(id)) {
                *found = Some(attribute);
            }
        }
        AccountTypes(by_type)
    }

    fn get(&self, id: AttributeTypeId) -> Option<AccountAttribute> {
        self.0.get(id.0 as usize).copied().flatten()
    }
}

impl Directory {
    /// Every value that says something of the entry's account, in one pass over the entry; values with options say nothing.
    pub fn account_values<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = (AccountAttribute, &'a [u8])> {
        let types = &self.fixed.account_types;
        let found = node.entry.attributes_chosen(move |id| types.get(id)).filter(|(_, attribute)| !attribute.has_options);
        found.flat_map(|(which, attribute)| attribute.values().map(move |value| (which, value)))
    }

    /// Login bookkeeping of an entry, where there is some.
    pub fn login_state(&self, id: EntryId) -> Option<&AccountState> {
        self.account_states.get(id.0)
    }
}
