//! What a session stands on: the password it logged in with and the rights it had. Where that is gone it may do nothing more.

use std::collections::BTreeMap;

use crate::model::{Asked, Model, Number, Who};

/// By session. As everything in the model, taken back where a decision did not become durable.
#[derive(Clone, Default)]
pub(crate) struct Standings(BTreeMap<u64, Standing>);

#[derive(Clone, Copy)]
struct Standing {
    number: Number,
    /// Version of the password, and of the one before.
    known: Option<u64>,
    previous: Option<u64>,
    administrator: bool,
}

impl Model {
    /// A login was decided.
    pub(crate) fn stands_from_now_on(&mut self, asked: &Asked, number: Number) {
        let known = self.own_password(Who::Entry(number));
        let standing = Standing { number, known, previous: known, administrator: self.is_administrator(Who::Entry(number)) };
        self.standings.0.insert(asked.session, standing);
    }

    /// What was asked, by nobody where the session does not stand any more.
    pub(crate) fn by_who_stands(&mut self, asked: &Asked) -> Asked {
        let mut asked = asked.clone();
        if !self.stands(&asked) {
            asked.who = Who::Anonymous;
            asked.steps.iter_mut().for_each(|step| step.who = Who::Anonymous);
        }
        asked
    }

    fn stands(&mut self, asked: &Asked) -> bool {
        let (present, administrator) = (self.own_password(asked.who), self.is_administrator(asked.who));
        let Some(standing) = self.standings.0.get_mut(&asked.session).filter(|it| asked.who == Who::Entry(it.number)) else {
            return true;
        };
        let lost = standing.administrator && !administrator;
        standing.administrator |= administrator;
        let (number, knows) = (standing.number, present == standing.known || present == standing.previous);
        self.exists(number) && knows && !lost
    }

    /// A password that the session set itself is its own from now on.
    pub(crate) fn adopts_password(&mut self, asked: &Asked) {
        let present = self.own_password(asked.who);
        if let Some(standing) = self.standings.0.get_mut(&asked.session).filter(|it| asked.who == Who::Entry(it.number))
            && standing.known != present
        {
            standing.previous = standing.known;
            standing.known = present;
        }
    }
}
