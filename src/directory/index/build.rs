//! All indexes at once, at start: one index after the other, by as many threads as there are processors.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::keys::{Keys, is_run};
use super::{IndexPlan, Indexes, Slot};
use crate::directory::bulk;
use crate::directory::hash::HashedAlready;
use crate::directory::id_set::{Builder, IdSet};
use crate::model::schema::Schema;
use crate::model::{Entry, EntryId};

/// With fewer entries threads are not worth their start.
const MANY_ENTRIES: usize = 2_000;

/// Index and key under the ordering rule.
type OrderedKey = (u16, Arc<[u8]>);

/// The content of one index.
#[derive(Default)]
struct Built {
    points: Vec<(u64, IdSet)>,
    ordered: Vec<(OrderedKey, IdSet)>,
}

impl Indexes {
    /// Builds all indexes over entries that come in order of numbers.
    pub(in crate::directory) fn build<'a>(
        plan: &IndexPlan,
        schema: &Schema,
        entries: impl Iterator<Item = (EntryId, &'a Entry)>,
    ) -> Indexes {
        let entries: Vec<(EntryId, &Entry)> = entries.collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut built = Vec::new();
            while let Some(slot) = plan.slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                built.push(Built::of(plan, slot, schema, &entries));
            }
            built
        };
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let others = if entries.len() < MANY_ENTRIES { 0 } else { processors.min(plan.slots.len()).saturating_sub(1) };
        let built = std::thread::scope(|scope| {
            let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
            let mut built = work();
            for other in others {
                built.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            built
        });
        let (mut points, mut ordered) = (Vec::new(), Vec::new());
        for index in built {
            points.extend(index.points);
            ordered.extend(index.ordered);
        }
        ordered.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Indexes { points: bulk::map(united(points)), ordered: bulk::map(ordered) }
    }
}

impl Built {
    fn of(plan: &IndexPlan, slot: &Slot, schema: &Schema, entries: &[(EntryId, &Entry)]) -> Built {
        // Runs and classes are few and have many entries each; other keys are many and have few.
        let mut common: HashMap<u64, Builder, HashedAlready> = HashMap::default();
        let mut points: Vec<(u64, EntryId)> = Vec::new();
        let mut ordered: Vec<(Arc<[u8]>, EntryId)> = Vec::new();
        let mut keys = Keys::default();
        for (id, entry) in entries {
            keys.read(plan, slot, schema, entry);
            for point in keys.points.drain(..) {
                if slot.is_object_class || is_run(point) {
                    common.entry(point).or_default().push(*id);
                } else {
                    points.push((point, *id));
                }
            }
            ordered.extend(keys.ordered.drain(..).map(|key| (key, *id)));
        }
        points.sort_unstable();
        ordered.sort_unstable();
        let common = common.into_iter().map(|(point, set)| (point, set.finish()));
        let points = grouped(points).into_iter().chain(common).collect();
        let ordered = grouped(ordered).into_iter().map(|(key, set)| ((slot.number, key), set)).collect();
        Built { points, ordered }
    }
}

/// The numbers under each key, of pairs in order.
fn grouped<K: PartialEq>(pairs: Vec<(K, EntryId)>) -> Vec<(K, IdSet)> {
    let mut groups: Vec<(K, IdSet)> = Vec::new();
    let mut set = Builder::default();
    let mut current: Option<K> = None;
    for (key, id) in pairs {
        if current.as_ref() != Some(&key)
            && let Some(last) = current.replace(key)
        {
            groups.push((last, std::mem::take(&mut set).finish()));
        }
        set.push(id);
    }
    groups.extend(current.map(|last| (last, set.finish())));
    groups
}

/// In order of points; those that two indexes share are one.
fn united(mut points: Vec<(u64, IdSet)>) -> Vec<(u64, IdSet)> {
    points.sort_unstable_by_key(|(point, _)| *point);
    points.dedup_by(|(second, more), (first, set)| {
        let is_same = first == second;
        if is_same {
            set.unite(more);
        }
        is_same
    });
    points
}
