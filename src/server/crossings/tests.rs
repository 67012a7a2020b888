//! Which ends come when, as entries change.

use super::*;
use crate::session::tests::harness::{ANNA, BERT, Door, Server, replace};

const SECOND: i64 = 1_000_000;

/// The moment that pwdEndTime writes so.
fn at(text: &str) -> Timestamp {
    Timestamp::from_generalized_time(text.as_bytes()).unwrap()
}

struct Watched {
    server: Server,
    crossings: Crossings,
    now: Timestamp,
}

impl Watched {
    fn new() -> Watched {
        let server = Server::new(Door::tls());
        let now = Timestamp(server.clock);
        Watched { crossings: Crossings::of(&server.directory, now), server, now }
    }

    fn ends(&mut self, name: &str, end: &str) {
        let changes = self.server.change_past_sessions(replace(name, "pwdEndTime", end));
        self.crossings.follow(&self.server.directory, &changes, self.now);
    }

    fn due(&self, now: Timestamp) -> Vec<(Timestamp, EntryId)> {
        self.crossings.due(now, 10)
    }
}

#[test]
fn an_end_is_due_to_the_microsecond_and_once() {
    let mut watched = Watched::new();
    watched.ends(ANNA, "20300101000000Z");
    let (end, anna) = (at("20300101000000Z"), watched.server.id_of(ANNA));
    assert!(!watched.crossings.is_due(Timestamp(end.0 - 1)) && watched.due(Timestamp(end.0 - 1)).is_empty());
    assert!(watched.crossings.is_due(end));
    let due = watched.due(end);
    assert_eq!(due, [(end, anna)]);
    watched.crossings.passed(&watched.server.directory, &due);
    assert!(!watched.crossings.is_due(Timestamp(end.0 + 1000 * SECOND)), "it is not recorded twice");
    // Nor after a start: what came before the last record was recorded then.
    assert!(Crossings::of(&watched.server.directory, end).by_time.is_empty());
    assert_eq!(Crossings::of(&watched.server.directory, Timestamp(end.0 - 1)).due(end, 10), [(end, anna)]);
}

#[test]
fn an_end_that_is_moved_or_taken_away_is_not_due_and_the_first_come_first() {
    let mut watched = Watched::new();
    watched.ends(ANNA, "20300101000000Z");
    watched.ends(BERT, "20290101000000Z");
    let (anna, bert) = (watched.server.id_of(ANNA), watched.server.id_of(BERT));
    watched.ends(ANNA, "20280101000000Z");
    let late = at("20400101000000Z");
    assert_eq!(watched.due(late), [(at("20280101000000Z"), anna), (at("20290101000000Z"), bert)]);
    assert_eq!(watched.crossings.due(late, 1).len(), 1);
    let change = crate::protocol::Request::Modify {
        name: ANNA.into(),
        changes: vec![crate::model::Modification {
            operation: crate::model::ModificationOperation::Delete,
            attribute: crate::model::Attribute { description: "pwdEndTime".to_owned(), values: Vec::new() },
        }],
    };
    let changes = watched.server.change_past_sessions(change);
    watched.crossings.follow(&watched.server.directory, &changes, watched.now);
    assert_eq!(watched.due(late), [(at("20290101000000Z"), bert)]);
    watched.server.without_entry(BERT);
    let gone = Change::RemoveEntry { id: bert, next_id: watched.server.directory.next_entry_id() };
    watched.crossings.follow(&watched.server.directory, &[gone], watched.now);
    assert!(watched.due(late).is_empty() && watched.crossings.by_account.is_empty());
}
