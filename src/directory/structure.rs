//! Which DIT structure rule governs an entry (RFC 4512 section 4.1.7.1). Worked out from classes and names when it is asked for, so that rules
//! can come and go without an entry being touched.

use super::{Directory, Node};
use crate::model::{Dn, EntryId, Rdn};

impl Directory {
    /// The structure rules (indexes into `Schema::dit_structure_rules`) that govern an entry, obsolete ones left out; none where no rule
    /// is for entries like it. Costs a step for each entry above.
    pub fn governing_structure_rules(&self, id: EntryId) -> Vec<usize> {
        if self.schema().dit_structure_rules().is_empty() {
            return Vec::new();
        }
        let mut path: Vec<_> = self.tree.upwards(id).collect();
        path.reverse();
        path.into_iter().fold(Vec::new(), |above, node| self.rules_of(node, &above))
    }

    fn rules_of(&self, node: &Node, above: &[usize]) -> Vec<usize> {
        let schema = self.schema();
        let structural = schema.attribute_type("structuralObjectClass").and_then(|it| node.entry.first(it.id));
        let class = structural.and_then(|name| schema.class_with_superiors(std::str::from_utf8(name).ok()?).first().copied());
        let rdn = match node.parent {
            Some(_) => Rdn::parse(node.name.as_bytes()).ok(),
            None => Dn::parse(node.name.as_bytes()).ok().and_then(|dn| dn.rdns.into_iter().next()),
        };
        match (class, rdn) {
            (Some(class), Some(rdn)) => schema.structure_rules_for(class, &schema.types_of(&rdn), above),
            _ => Vec::new(),
        }
    }
}
