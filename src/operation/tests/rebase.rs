//! What accounts remember of a future that never came.

use std::sync::Arc;

use super::harness::Server;
use crate::directory::{AccountState, Change};
use crate::model::{FailedLogins, FailingSource, Timestamp, Value};
use crate::operation::bind::bookkeeping;
use crate::operation::{Authority, ProposedOperation, rebase, standing};

#[test]
fn what_lies_ahead_is_of_now_and_the_rest_stays() {
    let mut server = Server::new();
    let [anna, bert] = ["anna", "bert"].map(|uid| server.find(&format!("uid={uid},ou=people,dc=mercy,dc=example")).unwrap());
    let now = server.now;
    let (past, future) = (Timestamp(now.0 - 1), Timestamp(now.0 + 86_400_000_000));
    let failed = FailedLogins {
        in_a_row: 100,
        times: vec![past, future],
        sources: vec![FailingSource { name: "192.0.2.7".to_owned(), times: vec![future] }],
        locked: Some(future),
        pause_end: Some(future),
    };
    let state = AccountState {
        last_login: Some(future),
        one_time_step: Some(u64::MAX),
        failed: Some(Arc::new(failed)),
        ..AccountState::default()
    };
    let mut directory = (*server.directory).clone();
    let lock = Value::from(future.to_generalized_time_micros());
    let locked = bookkeeping::rewritten(&directory, anna, |entry| {
        bookkeeping::set(&server.directory, entry, "pwdAccountLockedTime", vec![lock]);
    });
    directory.apply(&locked.unwrap()).unwrap();
    directory.apply(&Change::PutAccountState { id: anna, state }).unwrap();
    let state = AccountState { last_login: Some(past), ..AccountState::default() };
    directory.apply(&Change::PutAccountState { id: bert, state: state.clone() }).unwrap();
    server.directory = Arc::new(directory);

    let context = server.context(Authority::Installation);
    let now = context.now;
    assert_eq!(rebase::ahead(&server.directory, now), [anna]);
    assert_eq!(server.decided(ProposedOperation::Rebase(vec![anna]), context), "0");
    assert!(rebase::ahead(&server.directory, now).is_empty());
    let after = server.directory.account_state(anna);
    let failed = after.failed.unwrap();
    assert_eq!((after.last_login, after.one_time_step), (Some(now), u64::try_from(now.0 / 30_000_000).ok()));
    assert_eq!((&failed.times, &failed.sources[0].times), (&vec![past, now], &vec![now]));
    assert_eq!((failed.locked, failed.pause_end), (Some(now), None));
    assert_eq!(standing::facts(&server.directory, anna).lock_of_failures, Some(now), "it is still the server's own");
    assert_eq!(server.directory.account_state(bert), state);
}
