//! Memberships at any depth in filters: answered as one set of entries when a filter is prepared, not entry by entry.

use super::{Assertion, Subject, Term, Test};
use crate::directory::chain::{ChainTooLong, ChainWork};
use crate::directory::{Computed, Directory, IdSet, Lookup, Membership, MembershipAttribute};
use crate::model::schema::AttributeType;
use crate::model::{Dn, EntryId};

/// The rule that follows memberships, by its object identifier.
pub(super) const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// A question about memberships, at any depth or at one, and, once it was looked at, the entries it is true for.
pub(in crate::directory) struct Chain {
    question: Question,
    pub(in crate::directory) entries: IdSet,
}

enum Question {
    /// Nothing: the entries are known.
    Answered,
    /// Who is in this group; none: there is no such group.
    MembersOf(Option<EntryId>),
    /// What has this element.
    HoldersOf(Membership),
    /// What names an account (memberUid) for which this is true.
    NamesThat(Box<Test>),
}

impl Chain {
    /// What the rule means for an attribute: for memberOf the members, for an attribute of groups the groups. For others it means nothing.
    pub(super) fn new(directory: &Directory, attribute_type: &AttributeType, value: &[u8]) -> Option<Chain> {
        let question = match directory.computed(attribute_type.id)? {
            Computed::MemberOf => Question::MembersOf(match directory.find(&Dn::parse(value).ok()?) {
                Lookup::Found(group) => Some(group),
                Lookup::Missing { .. } | Lookup::Outside => None,
            }),
            Computed::Members(MembershipAttribute::MemberUid) => return None,
            Computed::Members(attribute) => Question::HoldersOf(directory.resolve_member(attribute, value).ok()?),
            _ => return None,
        };
        Some(Chain { question, entries: IdSet::default() })
    }

    /// These entries.
    pub(super) fn of(entries: IdSet) -> Chain {
        Chain { question: Question::Answered, entries }
    }

    /// Groups by a test of the account names in them (memberUid): each name is tested once, however many groups have it.
    pub(super) fn of_names(test: Test) -> Chain {
        Chain { question: Question::NamesThat(Box::new(test)), entries: IdSet::default() }
    }

    /// What the names are tested for.
    pub(super) fn test_of_names(&self) -> Option<&Test> {
        match &self.question {
            Question::NamesThat(test) => Some(test),
            _ => None,
        }
    }

    fn resolve(&mut self, directory: &Directory, work: &mut ChainWork) -> Result<(), ChainTooLong> {
        self.entries = match &self.question {
            Question::Answered => return Ok(()),
            Question::MembersOf(None) => IdSet::default(),
            Question::MembersOf(Some(group)) => directory.nested_members(*group, work)?,
            Question::HoldersOf(membership) => directory.nested_holders(membership, work)?,
            Question::NamesThat(test) => {
                directory.holders_of_names(work, |name| test.any_value(directory.schema(), std::iter::once(name)))?
            }
        };
        Ok(())
    }
}

/// Looks all questions of a filter up.
pub(super) fn resolve(directory: &Directory, term: &mut Term, work: &mut ChainWork) -> Result<(), ChainTooLong> {
    match term {
        Term::And(terms) | Term::Or(terms) => terms.iter_mut().try_for_each(|term| resolve(directory, term, work)),
        Term::Not(term) => resolve(directory, term, work),
        Term::Assertion(assertion) => match &mut **assertion {
            Assertion { test: Test::InChain(chain), .. } => chain.resolve(directory, work),
            _ => Ok(()),
        },
        Term::Undefined => Ok(()),
    }
}

/// What an assertion on `memberOf;x-nested` tests: memberOf without the option, at any depth where a group is named.
pub(super) fn nested(mut subject: Subject, test: Test) -> (Subject, Test) {
    if let Subject::Described { description, .. } = &mut subject {
        description.options.clear();
    }
    match test {
        Test::MemberOf(group) => {
            (subject, Test::InChain(Chain { question: Question::MembersOf(group), entries: IdSet::default() }))
        }
        test => (subject, test),
    }
}
