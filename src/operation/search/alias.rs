//! Aliases (RFC 4512 section 2.6): finding the base behind one, and the further places that a search with dereferencing covers.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::directory::{Directory, Lookup, Node, PreparedFilter, SearchCursor, Step};
use crate::model::{Dn, EntryId, Filter, ResultCode, Scope};
use crate::operation::referral;
use crate::operation::refusal::Refusal;
use crate::protocol::LdapResult;

/// Most aliases on the way to a base.
const MAXIMUM_DEPTH: usize = 16;
/// Most places a search covers through aliases.
const MAXIMUM_ROOTS: usize = 1000;

/// A place to search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Root {
    pub(super) id: EntryId,
    pub(super) scope: Scope,
}

/// Whether an entry is an alias.
pub(crate) fn is_alias(directory: &Directory, id: EntryId) -> bool {
    directory.node(id).is_some_and(|node| target_of(directory, node).is_some())
}

/// The aliasedObjectName of an alias, which may be no name at all.
pub(super) fn target_of<'a>(directory: &Directory, node: &'a Node) -> Option<&'a [u8]> {
    directory.schema().attribute_type("aliasedObjectName").and_then(|it| node.entry.first(it.id))
}

/// The entry a search starts at. With `refers`, the scope of the search, 10 at or below a referral entry. 32 with the nearest one above, 33 behind an alias that leads nowhere, 36 behind too many.
pub(super) fn resolve_base(
    directory: &Directory,
    base: Dn,
    dereferences: bool,
    refers: Option<Scope>,
) -> Result<EntryId, Refusal> {
    let mut dn = base;
    let mut passed: Vec<Passed> = Vec::new();
    for _ in 0..=MAXIMUM_DEPTH {
        if refers.is_some() {
            referral::check(directory, &dn, refers)?;
        }
        let (found, nearest) = match directory.find(&dn) {
            Lookup::Found(id) => (Some(id), id),
            Lookup::Missing { matched } => (None, matched),
            Lookup::Outside => return Err(missing(directory, passed.last(), None)),
        };
        let target = directory.node(nearest).filter(|_| dereferences).and_then(|node| target_of(directory, node));
        let Some(target) = target else {
            return found.ok_or_else(|| missing(directory, passed.last(), Some(nearest)));
        };
        if passed.iter().any(|other| other.alias == nearest) {
            return Err(problem(directory, nearest, "circular alias"));
        }
        let target = Dn::parse(target).map_err(|_| problem(directory, nearest, NOT_FOUND))?;
        passed.push(Passed { alias: nearest, depth: target.rdns.len() });
        dn = behind(directory, &dn, nearest, target);
    }
    Err(Refusal::new(ResultCode::AliasDereferencingProblem, "maximum deref depth exceeded"))
}

/// An alias on the way to a base.
struct Passed {
    alias: EntryId,
    /// How many RDNs the name has that it stands for.
    depth: usize,
}

const NOT_FOUND: &str = "aliasedObject not found";

/// 33 where the last alias names nothing; 32 where what it names is there, and only nothing of that name below it.
fn missing(directory: &Directory, last: Option<&Passed>, nearest: Option<EntryId>) -> Refusal {
    let reached = nearest.map_or(0, |nearest| directory.dn(nearest).rdns.len());
    match last {
        Some(Passed { alias, depth }) if reached < *depth => problem(directory, *alias, NOT_FOUND),
        _ => Refusal::no_such_object(directory, nearest),
    }
}

/// 33 with the alias, and slapd's texts.
fn problem(directory: &Directory, alias: EntryId, text: &str) -> Refusal {
    let mut result = LdapResult::with(ResultCode::AliasProblem, text);
    result.matched = directory.dn_text(alias);
    Refusal::of_result(result)
}

/// `dn` with the alias in it replaced by what it stands for.
fn behind(directory: &Directory, dn: &Dn, alias: EntryId, target: Dn) -> Dn {
    let below = dn.rdns.len().saturating_sub(directory.dn(alias).rdns.len());
    let mut rdns: Vec<_> = dn.rdns.iter().take(below).cloned().collect();
    rdns.extend(target.rdns);
    Dn { rdns }
}

/// Looks for aliases in the scope of a search, and in what they lead to.
pub(super) struct AliasWalk {
    /// Places to search, none within another.
    roots: Vec<Root>,
    /// Those whose aliases are still to be looked for.
    waiting: VecDeque<Root>,
    cursor: Option<Box<SearchCursor>>,
    /// What an alias adds: its target alone, or all below it.
    adds: Scope,
}

/// One step of an [`AliasWalk`].
pub(super) enum Progress {
    /// Budget used up.
    Pause,
    /// More than [`MAXIMUM_ROOTS`].
    TooMany,
    /// All places to search.
    Done(VecDeque<Root>),
}

impl AliasWalk {
    pub(super) fn new(base: Root) -> AliasWalk {
        let adds = if base.scope == Scope::One { Scope::Base } else { Scope::Subtree };
        AliasWalk { roots: vec![base], waiting: VecDeque::from([base]), cursor: None, adds }
    }

    /// Goes on, looking at no more than `budget` candidates.
    pub(super) fn step(&mut self, directory: &Arc<Directory>, budget: &mut u32) -> Progress {
        loop {
            let Some(cursor) = &mut self.cursor else {
                match self.waiting.pop_front() {
                    Some(root) => self.cursor = Some(Box::new(cursor_over_aliases(directory, root))),
                    None => return Progress::Done(std::mem::take(&mut self.roots).into()),
                }
                continue;
            };
            match cursor.next(budget, &|_, _| true) {
                Step::Pause => return Progress::Pause,
                Step::End => self.cursor = None,
                Step::Match(node) => {
                    // An alias that leads nowhere, or round in a circle, stands for nothing.
                    let target = target_of(directory, &node).and_then(|target| Dn::parse(target).ok());
                    let Some(Ok(id)) = target.map(|target| resolve_base(directory, target, true, None)) else { continue };
                    self.add(directory, Root { id, scope: self.adds });
                    if self.roots.len() > MAXIMUM_ROOTS {
                        return Progress::TooMany;
                    }
                }
            }
        }
    }

    fn add(&mut self, directory: &Directory, new: Root) {
        if self.roots.iter().any(|root| covers(directory, *root, new.id)) {
            return;
        }
        if new.scope == Scope::Subtree {
            self.roots.retain(|root| !directory.is_within(root.id, new.id));
            self.waiting.push_back(new);
        }
        self.roots.push(new);
    }
}

pub(super) fn covers(directory: &Directory, root: Root, id: EntryId) -> bool {
    match root.scope {
        Scope::Base => root.id == id,
        Scope::One => directory.node(id).is_some_and(|node| node.parent == Some(root.id)),
        Scope::Subtree => directory.is_within(id, root.id),
        Scope::Children => root.id != id && directory.is_within(id, root.id),
    }
}

fn cursor_over_aliases(directory: &Arc<Directory>, root: Root) -> SearchCursor {
    let filter = Filter::Equality("objectClass".to_owned(), crate::model::Value::from_static(b"alias"));
    let filter = PreparedFilter::new(directory, &filter);
    SearchCursor::new(Arc::clone(directory), root.id, root.scope, filter, None)
}
