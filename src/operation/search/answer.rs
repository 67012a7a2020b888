//! What a search sends of an entry it found, and beside it.

use bytes::Bytes;

use super::dereference::Dereferences;
use super::rights::EffectiveRights;
use crate::directory::{Directory, Node, ValuesFilter};
use crate::model::{ResultCode, Timestamp};
use crate::operation::access::{Access, Glances};
use crate::operation::control::{Controls, account_usability_response};
use crate::operation::refusal::Refusal;
use crate::operation::selection::Selection;
use crate::operation::{prepare, standing};
use crate::policy::access::{Right, Subject};
use crate::protocol::{Control, LdapResult, Reply};

/// Most values of one entry, times the items of a matched values control, that are tested.
const MAXIMUM_TESTS: usize = 1_000_000;
/// Tests that take about as long as looking at one candidate.
const TESTS_AT_ONCE: usize = 16;

/// How entries are sent, decided once per search.
pub(super) struct Answer {
    selection: Selection,
    /// Only these values.
    values: Option<ValuesFilter>,
    dereferences: Option<Dereferences>,
    rights: Option<EffectiveRights>,
    usability: bool,
    subject: Subject,
    access: Access,
    /// When the search was asked for.
    now: Timestamp,
}

impl Answer {
    pub(super) fn new(
        directory: &Directory,
        subject: Subject,
        access: Access,
        now: Timestamp,
        selection: Selection,
        controls: &Controls,
    ) -> Result<Answer, Refusal> {
        let dereferences = controls.dereference.as_deref().map(|requests| Dereferences::new(directory, requests)).transpose()?;
        Ok(Answer {
            selection,
            values: controls.matched_values.as_ref().map(|items| ValuesFilter::new(directory, items)),
            dereferences,
            rights: None,
            usability: controls.account_usability,
            subject,
            access,
            now,
        })
    }

    /// Tells what somebody may do with each entry as well.
    pub(super) fn with_rights(self, rights: Option<EffectiveRights>) -> Answer {
        Answer { rights, ..self }
    }

    /// What who asks may do.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// An entry of the directory. What is read of other entries and what matched values cost counts against the budget; 11 where that is
    /// too much.
    pub(super) fn entry(
        &self,
        directory: &Directory,
        node: &Node,
        glances: &mut Glances,
        budget: &mut u32,
    ) -> Result<Reply, LdapResult> {
        let readable = self.access.glance(directory, node, glances);
        let attributes = match &self.values {
            None => self.selection.encode(directory, node, &readable),
            Some(values) => {
                count_tests(values.len().saturating_mul(values_of(directory, node)), budget)?;
                self.selection.encode_matched(directory, node, values, &readable)
            }
        };
        let mut controls = Vec::new();
        if let Some(dereferences) = &self.dereferences {
            controls.extend(dereferences.control(directory, &self.access, (node, &readable), budget)?);
        }
        let attributes = match &self.rights {
            None => attributes,
            Some(rights) => Bytes::from([attributes, rights.encoded(directory, node, &readable)].concat()),
        };
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
        let may_know = self.subject.identity == Some(node.id) || self.access.allows(directory, Right::SetPassword, node, None);
        if !may_know || prepare::stored_passwords(directory, node.id).is_empty() {
            return None;
        }
        Some(account_usability_response(standing::usability(directory, node.id, self.now)))
    }
}

/// Values that an entry has, those of its groups included.
fn values_of(directory: &Directory, node: &Node) -> usize {
    let stored: usize = node.entry.attributes().map(|attribute| attribute.values().count()).sum();
    let members: usize = directory.membership_attributes(node.id).into_iter().map(|it| directory.member_count(node.id, it)).sum();
    stored.saturating_add(members).saturating_add(directory.group_set_of(node.id).len())
}

fn count_tests(tests: usize, budget: &mut u32) -> Result<(), LdapResult> {
    if tests > MAXIMUM_TESTS {
        return Err(LdapResult::with(ResultCode::AdminLimitExceeded, "too many values to match"));
    }
    *budget = budget.saturating_sub(u32::try_from(tests / TESTS_AT_ONCE).unwrap_or(u32::MAX));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_values_take_of_the_budget_and_are_bounded() {
        let mut budget = 1000;
        assert!(count_tests(160, &mut budget).is_ok());
        assert_eq!(budget, 990);
        assert!(count_tests(MAXIMUM_TESTS, &mut budget).is_ok());
        assert_eq!(budget, 0);
        assert_eq!(count_tests(MAXIMUM_TESTS + 1, &mut budget).unwrap_err().code, ResultCode::AdminLimitExceeded);
    }
}
