//! What a follower is sent of an entry.

use std::sync::Arc;

use crate::directory::{Directory, Node};
use crate::model::schema::Schema;
use crate::operation::access::Access;
use crate::operation::selection::Selection;
use crate::protocol::{Control, Reply, SearchRequest};

/// The attributes asked for, resolved anew where the schema changes meanwhile.
pub(super) struct Shown {
    attributes: Vec<String>,
    types_only: bool,
    administrator: bool,
    synchronized: bool,
    schema: Arc<Schema>,
    selection: Selection,
}

impl Shown {
    pub(super) fn new(directory: &Directory, request: &SearchRequest, administrator: bool, synchronized: bool) -> Shown {
        let attributes = request.attributes.clone();
        let types_only = request.types_only;
        let selection = resolve(directory, &attributes, types_only, administrator, synchronized);
        Shown { attributes, types_only, administrator, synchronized, schema: Arc::clone(directory.schema()), selection }
    }

    /// An entry, with a control that says what became of it.
    pub(super) fn entry(&mut self, directory: &Directory, access: &Access, node: &Node, control: Option<Control>) -> Reply {
        if !Arc::ptr_eq(&self.schema, directory.schema()) {
            self.schema = Arc::clone(directory.schema());
            self.selection = resolve(directory, &self.attributes, self.types_only, self.administrator, self.synchronized);
        }
        Reply::Entry {
            name: directory.dn_text(node.id),
            attributes: self.selection.encode(directory, node, &access.readable(directory, node)),
            controls: control.into_iter().collect(),
        }
    }
}

fn resolve(directory: &Directory, attributes: &[String], types_only: bool, administrator: bool, synchronized: bool) -> Selection {
    let mut selection = Selection::new(directory, attributes, types_only);
    if !administrator {
        selection = selection.for_others();
    }
    if synchronized {
        selection.only_synchronized();
    }
    selection
}
