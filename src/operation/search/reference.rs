//! Entries that a search passes over in its scope: referrals, for which it sends continuation references (RFC 4511 section 4.5.3, RFC 3296
//! section 5.5), what lies below them, and subentries (RFC 3672 section 3).

use super::alias::Root;
use super::{Phase, SearchStream, alias};
use crate::directory::{Directory, Node};
use crate::model::{EntryId, Scope};
use crate::operation::control::Controls;
use crate::operation::referral;
use crate::protocol::Reply;

/// Which entries of a directory are not shown to one search.
#[derive(Clone, Copy)]
pub(super) struct Hidden {
    /// Referral entries and what lies below them.
    referrals: bool,
    subentries: bool,
    /// All but subentries.
    others: bool,
}

impl Hidden {
    pub(super) fn new(directory: &Directory, scope: Scope, controls: &Controls) -> Hidden {
        let subentries = match controls.subentries {
            Some(visible) => !visible,
            None => scope != Scope::Base,
        };
        Hidden {
            referrals: !controls.manage_dsa_it && !directory.referrals().is_empty(),
            subentries: subentries && !directory.subentries().is_empty(),
            others: controls.subentries == Some(true),
        }
    }

    /// Whether there is anything to pass over.
    pub(super) fn any(self) -> bool {
        self.referrals || self.subentries || self.others
    }

    pub(super) fn hides(self, directory: &Directory, node: &Node) -> bool {
        let is_subentry = (self.subentries || self.others) && directory.subentries().contains(node.id);
        (self.subentries && is_subentry)
            || (self.others && !is_subentry)
            || (self.referrals && directory.referral_above(node.id).is_some())
    }
}

/// Referral entries of one root that are still to be looked at.
pub(super) struct References {
    root: Root,
    next: EntryId,
}

impl SearchStream {
    /// Begins with a root: with its continuation references first, where there may be any.
    pub(super) fn enter(&mut self, root: Root) {
        if self.hidden.referrals && !self.sent_references() {
            self.phase = Phase::References(References { root, next: EntryId(0) });
        } else {
            self.walk(root, None);
        }
    }

    /// The next continuation reference of a root; none: there is no more, or (the second value) the budget is used up.
    pub(super) fn next_reference(&mut self, budget: &mut u32) -> (Option<Reply>, bool) {
        let Phase::References(References { root, next }) = &mut self.phase else { return (None, false) };
        let root = *root;
        while let Some(id) = self.directory.referrals().next_from(*next) {
            let Some(less) = budget.checked_sub(1) else { return (None, true) };
            *budget = less;
            *next = EntryId(id.0.saturating_add(1));
            // What stands below another referral entry is that one's business; the one above a root is the root's.
            let topmost = self.directory.referral_above(id) == Some(id);
            let leads_root = self.directory.is_within(root.id, id);
            let seen = self.answer.access().sees_id(&self.directory, id);
            if topmost && seen && (alias::covers(&self.directory, root, id) || leads_root) {
                let uris = referral::continuation(&self.directory, id, root.scope);
                if !uris.is_empty() {
                    return (Some(Reply::Reference { uris, controls: Vec::new() }), false);
                }
            }
        }
        self.walk(root, None);
        (None, false)
    }
}
