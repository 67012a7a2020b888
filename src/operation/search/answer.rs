//! What a search sends of an entry it found, and beside it.

use super::dereference::Dereferences;
use crate::directory::{Directory, Node, ValuesFilter};
use crate::operation::control::{Controls, account_usability_response};
use crate::operation::refusal::Refusal;
use crate::operation::selection::Selection;
use crate::operation::{account, prepare};
use crate::policy::access::{self, Right, Subject};
use crate::protocol::{Control, LdapResult, Reply};

/// How entries are sent, decided once per search.
pub(super) struct Answer {
    selection: Selection,
    /// Only these values.
    values: Option<ValuesFilter>,
    dereferences: Option<Dereferences>,
    usability: bool,
    subject: Subject,
}

impl Answer {
    pub(super) fn new(
        directory: &Directory,
        subject: Subject,
        selection: Selection,
        controls: &Controls,
    ) -> Result<Answer, Refusal> {
        let dereferences = controls.dereference.as_deref().map(|requests| Dereferences::new(directory, requests)).transpose()?;
        Ok(Answer {
            selection,
            values: controls.matched_values.as_ref().map(|items| ValuesFilter::new(directory, items)),
            dereferences,
            usability: controls.account_usability,
            subject,
        })
    }

    /// An entry of the directory. What is read of other entries counts against the budget; 11 where that is too much.
    pub(super) fn entry(&self, directory: &Directory, node: &Node, budget: &mut u32) -> Result<Reply, LdapResult> {
        let attributes = match &self.values {
            None => self.selection.encode(directory, node),
            Some(values) => self.selection.encode_matched(directory, node, values),
        };
        let mut controls = Vec::new();
        if let Some(dereferences) = &self.dereferences {
            controls.extend(dereferences.control(directory, self.subject, node, budget)?);
        }
        if self.usability {
            controls.extend(self.usability(directory, node));
        }
        Ok(Reply::Entry { name: directory.dn_text(node.id), attributes, controls })
    }

    /// An entry that is in no directory.
    pub(super) fn special(&self, directory: &Directory, name: &str, node: &Node) -> Reply {
        let attributes = self.selection.encode_block(directory, node, self.values.as_ref());
        Reply::Entry { name: name.to_owned(), attributes, controls: Vec::new() }
    }

    /// Of entries with a password; whether others can log in is told to those alone who may change that.
    fn usability(&self, directory: &Directory, node: &Node) -> Option<Control> {
        let may_know = self.subject.identity == Some(node.id) || access::allows(self.subject, Right::Write, node.id);
        if !may_know || prepare::stored_passwords(directory, node.id).is_empty() {
            return None;
        }
        Some(account_usability_response(!account::is_locked(directory, node.id)))
    }
}
