//! What a search sends of an entry it found.

use crate::directory::{Directory, Node};
use crate::operation::selection::Selection;
use crate::protocol::Reply;

/// How entries are sent, decided once per search.
pub(super) struct Answer {
    selection: Selection,
}

impl Answer {
    pub(super) fn new(selection: Selection) -> Answer {
        Answer { selection }
    }

    /// An entry of the directory.
    pub(super) fn entry(&self, directory: &Directory, node: &Node) -> Reply {
        Reply::Entry {
            name: directory.dn_text(node.id),
            attributes: self.selection.encode(directory, node),
            controls: Vec::new(),
        }
    }

    /// An entry that is in no directory.
    pub(super) fn special(&self, name: &str, node: &Node) -> Reply {
        Reply::Entry { name: name.to_owned(), attributes: self.selection.encode_block(node), controls: Vec::new() }
    }
}
