//! Putting a set together from numbers that come in order: nothing is looked up, and what comes of it takes no more room than it needs.

use std::sync::Arc;

use super::chunk::{self, Chunk};
use super::{FEW, Form, IdSet, Many};
use crate::model::EntryId;

/// See the module.
#[derive(Default)]
pub(in crate::directory) struct Builder {
    last: Option<u64>,
    /// Chunks that are whole.
    chunks: Vec<(u64, Chunk)>,
    /// The one that is being filled.
    places: Vec<u16>,
}

impl Builder {
    /// Takes a number in. `false`: it is smaller than the last one, and was not taken.
    pub(in crate::directory) fn push(&mut self, id: EntryId) -> bool {
        if let Some(last) = self.last {
            if id.0 <= last {
                return id.0 == last;
            }
            if chunk::number(last) != chunk::number(id.0) {
                self.end_chunk(last);
            }
        }
        self.last = Some(id.0);
        self.places.push(chunk::place(id.0));
        true
    }

    /// The set.
    pub(in crate::directory) fn finish(mut self) -> IdSet {
        let Some(last) = self.last else { return IdSet::default() };
        if self.chunks.is_empty() && self.places.len() == 1 {
            return IdSet(Form::One(last));
        }
        self.end_chunk(last);
        let len: usize = self.chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        let many = Many::of_chunks(self.chunks);
        if len > FEW {
            return IdSet(Form::Many(Arc::new(many)));
        }
        let all = IdSet(Form::Many(Arc::new(many)));
        let mut list = Vec::with_capacity(len);
        list.extend(all.iter().map(|id| id.0));
        IdSet(Form::Few(Arc::new(list)))
    }

    fn end_chunk(&mut self, last: u64) {
        self.chunks.push((chunk::number(last), Chunk::of(&self.places)));
        self.places.clear();
    }
}
