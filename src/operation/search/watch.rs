//! Following a result: which entries came into it, changed in it or left it from one value of the directory to a newer one. A function of
//! the two values and of what [`Recent`](crate::directory::Recent) says was written in between.
//!
//! ```text
//!          ┌── nothing newer ──┐
//!          ▼                   │
//!  ───► caught up ── wake ──► round: each entry written since, once ──► caught up
//!                               │ base gone or renamed, right lost, too far behind
//!                               └──► ended
//! ```

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::directory::{
    Computed, ContextState, Directory, FilterContext, Happening, IdSet, MembershipAttribute, Node, Place, PreparedFilter, Truth,
};
use crate::model::{AttributeTypeId, EntryId, Filter, Scope, Section, Timestamp};
use crate::operation::Context;
use crate::operation::access::Access;

/// Microseconds that a follower may take to come to the end of what there is to tell: fifteen minutes.
const LONGEST_BEHIND: i64 = 15 * 60 * 1_000_000;

/// What is followed, and for whom.
pub(super) struct Wanted {
    pub(super) context: Context,
    pub(super) base: EntryId,
    pub(super) scope: Scope,
    pub(super) filter: Filter,
    /// Only attributes that are kept up for followers count (RFC 4533 section 3.2): those of an entry's own.
    pub(super) synchronized: bool,
}

/// One value of the directory as the follower may see it.
struct View {
    directory: Arc<Directory>,
    filter: PreparedFilter,
    access: Access,
}

/// A result that is followed.
pub(super) struct Watch {
    wanted: Wanted,
    base_name: String,
    /// What the follower knows; none: it knows what was told elsewhere, and whatever is not in the result now was in it.
    before: Option<View>,
    after: View,
    /// Number of the first change that is in no round.
    position: u64,
    newest: Option<Arc<Directory>>,
    round: Round,
    /// Since when there is something to tell and it is not told.
    behind: Option<Timestamp>,
}

/// What is to be looked at.
#[derive(Default)]
struct Round {
    tasks: VecDeque<Task>,
    /// Entries that were written: where they stand, and by which operation they were written last.
    written: HashMap<EntryId, (Place, ContextState)>,
    /// Entries that were looked at.
    done: HashSet<EntryId>,
    /// Removed entries that were told of.
    told: HashSet<EntryId>,
    /// Entries that let the one go first whose name they took: once, or two that change names would wait for each other.
    polite: HashSet<EntryId>,
}

enum Task {
    Written(EntryId),
    /// The same, its subordinates seen to already.
    Alone(EntryId, ContextState),
    Removed(EntryId, Option<[u8; 16]>, ContextState),
    /// All below an entry that came into the scope or left it.
    Below(Box<Subtree>, Carried, ContextState),
}

/// Whether an entry is told of because of one above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carried {
    /// It was written itself.
    No,
    /// One above it came into the scope or left it.
    Along,
    /// One above it that is not in the result has another name.
    Renamed,
}

/// One entry that is to be told of.
pub(super) struct Event {
    pub(super) uuid: [u8; 16],
    /// The entry as it was, where that is known.
    pub(super) before: Option<Arc<Node>>,
    /// The entry as it is.
    pub(super) after: Option<Arc<Node>>,
    pub(super) was_in: bool,
    pub(super) is_in: bool,
    pub(super) carried: Carried,
    pub(super) context: ContextState,
}

/// One step.
pub(super) enum Step {
    Event(Box<Event>),
    /// Budget used up.
    Pause,
    CaughtUp,
    Ended(End),
}

/// Why a result cannot be followed any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The base is gone.
    NoBase,
    /// The base has another name.
    BaseRenamed,
    /// Who asked may no longer read it.
    NoRight,
    /// Other access rules are for who asked, or they are about other entries.
    RulesChanged,
    /// What was written in between is no longer held.
    TooFarBehind,
    /// Following nested groups would cost too much.
    ChainTooLong,
}

impl Watch {
    /// Follows from this value on.
    pub(super) fn new(directory: &Arc<Directory>, wanted: Wanted) -> Watch {
        let after = View::new(directory, &wanted, wanted.context.now);
        let (base_name, position) = (directory.dn_text(wanted.base), directory.recent().end());
        Watch { wanted, base_name, before: None, after, position, newest: None, round: Round::default(), behind: None }
    }

    /// Begins with everything written from this change on.
    pub(super) fn since(directory: &Arc<Directory>, wanted: Wanted, position: u64) -> Watch {
        let mut watch = Watch::new(directory, wanted);
        watch.round = Round::over(directory, position);
        watch
    }

    /// Whether the base is the same entry by the same name as it was before this change.
    pub(super) fn base_stood(directory: &Directory, base: EntryId, position: u64) -> bool {
        let mut above = HashSet::new();
        let mut next = Some(base);
        while let Some(id) = next.filter(|&id| above.insert(id)) {
            next = directory.node(id).and_then(|node| node.parent);
        }
        let recent = directory.recent();
        (position..recent.end()).filter_map(|number| recent.get(number)).all(|change| match change.happening {
            Happening::Put(Place::Named | Place::Moved) => !above.contains(&change.id),
            Happening::Put(Place::Kept) | Happening::Removed(_) => true,
        })
    }

    /// A newer value was published; whether there is anything to look at.
    pub(super) fn wake(&mut self, newest: &Arc<Directory>) -> bool {
        if newest.recent().end() != self.position {
            self.newest = Some(Arc::clone(newest));
        }
        self.newest.is_some() || !self.round.tasks.is_empty()
    }

    /// The value that was caught up with, or is being caught up with.
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.after.directory
    }

    /// What who follows may do.
    pub(super) fn access(&self) -> &Access {
        &self.after.access
    }

    /// The value the follower knew.
    pub(super) fn directory_before(&self) -> Option<&Arc<Directory>> {
        self.before.as_ref().map(|before| &before.directory)
    }

    /// Whether following nested groups would cost too much.
    pub(super) fn chain_too_long(&self) -> bool {
        self.after.filter.chain_too_long()
    }

    /// Whether an attribute counts in the filter.
    pub(super) fn may_search(directory: &Directory, attribute_type: AttributeTypeId, node: &Node, synchronized: bool) -> bool {
        if !synchronized {
            return true;
        }
        match directory.computed(attribute_type) {
            None => true,
            // Members that a group finds by searching come and go without a change of the group.
            Some(Computed::Members(MembershipAttribute::Member)) => !directory.is_dynamic(node),
            Some(computed) => computed.section() == Section::User,
        }
    }

    /// Goes on; each entry looked at takes `cost` of the budget, and following nested groups anew what it costs. Old values of the directory
    /// are not kept for a follower that never comes to the end of what there is.
    pub(super) fn next(&mut self, budget: &mut u32, cost: u32, now: Timestamp) -> Step {
        let behind = *self.behind.get_or_insert(now);
        if now.0.saturating_sub(behind.0) > LONGEST_BEHIND {
            return Step::Ended(End::TooFarBehind);
        }
        loop {
            if *budget == 0 {
                return Step::Pause;
            }
            *budget = budget.saturating_sub(cost);
            let Some(task) = self.round.tasks.pop_front() else {
                match self.newest.take() {
                    Some(newest) => match self.begin_round(&newest, now) {
                        Ok(()) => {
                            *budget = budget.saturating_sub(self.after.filter.chain_work());
                            continue;
                        }
                        Err(end) => return Step::Ended(end),
                    },
                    None => {
                        // The old value is not held on to while there is nothing to do.
                        self.before = None;
                        self.behind = None;
                        return Step::CaughtUp;
                    }
                }
            };
            if let Some(event) = self.perform(task) {
                return Step::Event(Box::new(event));
            }
        }
    }

    fn begin_round(&mut self, newest: &Arc<Directory>, now: Timestamp) -> Result<(), End> {
        if !newest.recent().holds(self.position) {
            return Err(End::TooFarBehind);
        }
        if newest.node(self.wanted.base).is_none() {
            return Err(End::NoBase);
        }
        let after = View::new(newest, &self.wanted, now);
        if !after.access.sees_id(newest, self.wanted.base) {
            return Err(End::NoRight);
        }
        // What was sent under other rules may be more than is allowed now, or less.
        if !after.access.is_same(&self.after.access) || after.access.changes_with_moves(newest, self.position) {
            return Err(End::RulesChanged);
        }
        if after.filter.chain_too_long() {
            return Err(End::ChainTooLong);
        }
        if newest.dn_text(self.wanted.base) != self.base_name {
            return Err(End::BaseRenamed);
        }
        self.before = Some(std::mem::replace(&mut self.after, after));
        self.round = Round::over(newest, self.position);
        self.position = newest.recent().end();
        Ok(())
    }

    fn perform(&mut self, task: Task) -> Option<Event> {
        match task {
            Task::Written(id) => self.written(id),
            Task::Alone(id, context) => self.put_event(id, context, Carried::No),
            Task::Removed(id, uuid, context) => self.removed(id, uuid, context),
            Task::Below(mut subtree, carried, context) => {
                let id = subtree.next(&self.after.directory)?;
                self.round.tasks.push_front(Task::Below(subtree, carried, context));
                if !self.round.done.insert(id) {
                    return None;
                }
                let carried = if self.round.written.contains_key(&id) { Carried::No } else { carried };
                self.put_event(id, context, carried)
            }
        }
    }

    /// Entries above that were written as well come first: a follower needs the place before what stands there.
    fn written(&mut self, id: EntryId) -> Option<Event> {
        if self.round.done.contains(&id) {
            return None;
        }
        if let Some(above) = self.highest_above(id) {
            self.round.tasks.push_front(Task::Written(id));
            self.round.tasks.push_front(Task::Written(above));
            return None;
        }
        let &(place, context) = self.round.written.get(&id)?;
        if let Some(task) = self.who_had_the_name(id, context) {
            self.round.tasks.push_front(Task::Written(id));
            self.round.tasks.push_front(task);
            return None;
        }
        self.round.done.insert(id);
        if self.before.is_none() && place != Place::Moved && !self.after.is_in_scope(&self.wanted, id) {
            // It was outside before as well.
            return None;
        }
        let newest = Arc::clone(&self.after.directory);
        if newest.child_count(id) == 0 || !matches!(self.wanted.scope, Scope::Subtree | Scope::Children) {
            return self.put_event(id, context, Carried::No);
        }
        let in_scope = self.after.is_in_scope(&self.wanted, id);
        let carried = match () {
            () if place == Place::Moved && self.scope_changed(id) => Carried::Along,
            // Who is told of an entry's new name knows those of all below it; who is not must be told of each.
            () if in_scope && self.wanted.synchronized && self.is_renamed(id, place) && !self.after.holds(&self.wanted, id) => {
                Carried::Renamed
            }
            () => return self.put_event(id, context, Carried::No),
        };
        if in_scope {
            let below = Box::new(Subtree::top_down(&newest, id));
            self.round.tasks.push_front(Task::Below(below, carried, context));
            return self.put_event(id, context, Carried::No);
        }
        self.round.tasks.push_front(Task::Alone(id, context));
        self.round.tasks.push_front(Task::Below(Box::new(Subtree::bottom_up(&newest, id)), carried, context));
        None
    }

    /// Whether an entry has another name than it had. Where the old value is not known, it may have.
    fn is_renamed(&self, id: EntryId, place: Place) -> bool {
        let (Some(before), Some(node)) = (&self.before, self.after.directory.node(id)) else { return place != Place::Kept };
        before.directory.node(id).is_some_and(|old| old.name != node.name || old.parent != node.parent)
    }

    /// What has to be told before an entry takes its name: that another gave it up.
    fn who_had_the_name(&mut self, id: EntryId, context: ContextState) -> Option<Task> {
        let before = &self.before.as_ref()?.directory;
        let node = self.after.directory.node(id)?;
        let other = before.child_by_key(node.parent?, &node.rdn_key).filter(|&other| other != id)?;
        if !self.round.polite.insert(id) {
            return None;
        }
        match self.after.directory.node(other) {
            Some(_) => (!self.round.done.contains(&other)).then_some(Task::Written(other)),
            None => {
                let uuid = before.node(other).and_then(|other| before.uuid_of(other));
                Some(Task::Removed(other, uuid, context))
            }
        }
    }

    /// The highest entry above that was written and not looked at.
    fn highest_above(&self, id: EntryId) -> Option<EntryId> {
        let directory = &self.after.directory;
        let mut found = None;
        let mut next = directory.node(id).and_then(|node| node.parent);
        while let Some(above) = next {
            if self.round.written.contains_key(&above) && !self.round.done.contains(&above) {
                found = Some(above);
            }
            next = directory.node(above).and_then(|node| node.parent);
        }
        found
    }

    /// Whether what is below an entry came into the scope or left it. Where the old value is not known, it may have.
    fn scope_changed(&self, id: EntryId) -> bool {
        let Some(before) = &self.before else { return true };
        let within = |view: &View| view.directory.is_within(id, self.wanted.base);
        before.directory.node(id).is_some() && within(before) != within(&self.after)
    }

    /// Entries that were moved out of a removed one come first.
    fn removed(&mut self, id: EntryId, uuid: Option<[u8; 16]>, context: ContextState) -> Option<Event> {
        if let Some(before) = &self.before {
            let still_there = |child: &EntryId| self.after.directory.node(*child).is_some() && !self.round.done.contains(child);
            let moved_out: Vec<EntryId> = before.directory.child_set(id).iter().filter(still_there).collect();
            if self.after.directory.node(id).is_none() && !moved_out.is_empty() {
                self.round.tasks.push_front(Task::Removed(id, uuid, context));
                moved_out.into_iter().for_each(|child| self.round.tasks.push_front(Task::Written(child)));
                return None;
            }
        }
        if self.after.directory.node(id).is_none() && !self.round.told.insert(id) {
            return None;
        }
        let before = self.before.as_ref().and_then(|view| view.directory.node(id)).cloned();
        let was_in = self.before.as_ref().is_none_or(|view| view.holds(&self.wanted, id));
        Some(Event { uuid: uuid?, before, after: None, was_in, is_in: false, carried: Carried::No, context })
    }

    fn put_event(&self, id: EntryId, context: ContextState, carried: Carried) -> Option<Event> {
        // What is gone is told of where it was removed.
        let after = self.after.directory.node(id)?.clone();
        let uuid = self.after.directory.uuid_of(&after)?;
        let before = self.before.as_ref().and_then(|view| view.directory.node(id)).cloned();
        // Under another entryUUID it is another entry.
        let before = before.filter(|before| self.after.directory.uuid_of(before) == Some(uuid));
        let was_in = match &self.before {
            None => true,
            Some(view) => before.is_some() && view.holds(&self.wanted, id),
        };
        let is_in = self.after.holds(&self.wanted, id);
        Some(Event { uuid, before, after: Some(after), was_in, is_in, carried, context })
    }
}

impl View {
    fn new(directory: &Arc<Directory>, wanted: &Wanted, now: Timestamp) -> View {
        let filter = PreparedFilter::new(directory, &wanted.filter);
        let context = Context { now, ..wanted.context.clone() };
        View { directory: Arc::clone(directory), filter, access: Access::new(directory, &context) }
    }

    /// Whether an entry is in the result.
    fn holds(&self, wanted: &Wanted, id: EntryId) -> bool {
        let Some(node) = self.directory.node(id) else { return false };
        if !self.is_in_scope(wanted, id) {
            return false;
        }
        let readable = self.access.readable(&self.directory, node);
        let may_search = |attribute_type: AttributeTypeId, node: &Node| {
            Watch::may_search(&self.directory, attribute_type, node, wanted.synchronized) && readable.searches(attribute_type)
        };
        let context = FilterContext { directory: &self.directory, may_search: &may_search };
        readable.sees() && self.filter.evaluate(&context, node) == Truth::True
    }

    fn is_in_scope(&self, wanted: &Wanted, id: EntryId) -> bool {
        match wanted.scope {
            Scope::Base => id == wanted.base,
            Scope::One => self.directory.node(id).is_some_and(|node| node.parent == Some(wanted.base)),
            Scope::Subtree => self.directory.is_within(id, wanted.base),
            Scope::Children => id != wanted.base && self.directory.is_within(id, wanted.base),
        }
    }
}

impl Round {
    /// Each entry written from `position` on, where it was written last.
    fn over(directory: &Directory, position: u64) -> Round {
        let recent = directory.recent();
        let mut round = Round::default();
        let mut moved = HashSet::new();
        for change in (position..recent.end()).filter_map(|number| recent.get(number)) {
            if change.happening == Happening::Put(Place::Moved) {
                moved.insert(change.id);
            }
        }
        for change in (position..recent.end()).rev().filter_map(|number| recent.get(number)) {
            let (id, context) = (change.id, change.context);
            match change.happening {
                Happening::Removed(uuid) => round.tasks.push_front(Task::Removed(id, uuid, context)),
                Happening::Put(_) if round.written.contains_key(&id) => {}
                Happening::Put(place) => {
                    let place = if moved.contains(&id) { Place::Moved } else { place };
                    round.written.insert(id, (place, context));
                    round.tasks.push_front(Task::Written(id));
                }
            }
        }
        round
    }
}

/// The entries below one, each before or each after those below it.
struct Subtree {
    /// The way down: entries whose subordinates are under way, and which of those are left.
    way: Vec<(EntryId, <IdSet as IntoIterator>::IntoIter)>,
    bottom_up: bool,
}

impl Subtree {
    fn top_down(directory: &Directory, id: EntryId) -> Subtree {
        Subtree { way: vec![(id, directory.child_set(id).into_iter())], bottom_up: false }
    }

    fn bottom_up(directory: &Directory, id: EntryId) -> Subtree {
        Subtree { bottom_up: true, ..Subtree::top_down(directory, id) }
    }

    fn next(&mut self, directory: &Directory) -> Option<EntryId> {
        loop {
            let (_, children) = self.way.last_mut()?;
            match children.next() {
                Some(child) => {
                    self.way.push((child, directory.child_set(child).into_iter()));
                    if !self.bottom_up {
                        return Some(child);
                    }
                }
                None => {
                    let (id, _) = self.way.pop()?;
                    // The entry itself is not below itself.
                    if self.bottom_up && !self.way.is_empty() {
                        return Some(id);
                    }
                }
            }
        }
    }
}
