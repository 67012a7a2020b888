//! Groups whose members are computed, in filters: beside every question about a listed member stands one about computed ones.

use super::chain::Chain;
use super::{Assertion, Subject, Term, Test};
use crate::directory::{Directory, Membership, MembershipAttribute};

/// Adds the questions.
pub(super) fn resolve(directory: &Directory, term: &mut Term) {
    match term {
        Term::And(terms) | Term::Or(terms) => terms.iter_mut().for_each(|term| resolve(directory, term)),
        Term::Not(term) => resolve(directory, term),
        Term::Assertion(assertion) => {
            if let Some(test) = computed(directory, &assertion.test) {
                let subject: Subject = assertion.subject.clone();
                let other = Assertion { subject, test, dn_attributes: false };
                let listed = std::mem::replace(term, Term::Undefined);
                *term = Term::Or(vec![listed, Term::Assertion(Box::new(other))]);
            }
        }
        Term::Undefined => {}
    }
}

/// What asks about computed members as this asks about listed ones; none where there is nothing to ask.
fn computed(directory: &Directory, test: &Test) -> Option<Test> {
    match test {
        Test::HasElement(Membership::Entry(MembershipAttribute::Member, member)) => {
            let groups = directory.dynamic_groups_of(*member);
            (!groups.is_empty()).then(|| Test::InChain(Chain::of(groups)))
        }
        Test::MemberOf(Some(group)) => {
            let group = directory.node(*group).filter(|group| directory.is_dynamic(group))?;
            directory.dynamic_group(group).map(Test::InDynamic)
        }
        _ => None,
    }
}
