//! The checkpoint when the disk is full, when sled fails, and after.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::folder::{Server, options, rows};
use crate::directory::{AccountState, Change};
use crate::model::{EntryId, Timestamp};
use crate::store::checkpoint::QUEUE_CHANGES;
use crate::store::disk::SimulatedDisk;
use crate::store::{StoreError, StoreOptions, create};

const RESERVE: u64 = 16 * 1024 * 1024;
const SEGMENT: u64 = 16 * 1024 * 1024;

fn made(folder: &Path) -> (SimulatedDisk, StoreOptions) {
    let disk = SimulatedDisk::new(1);
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let options = StoreOptions { reserve: RESERVE, ..options(&data, Arc::new(disk.clone())) };
    create(&options).unwrap();
    (disk, options)
}

/// Another thread gets there; a test that waits for ever is one that failed.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{what} never came");
}

fn last(server: &Server) -> u64 {
    server.chain.next_sequence - 1
}

/// Stops and starts: the checkpoint has everything and is as it should be.
fn check_whole(server: Server, options: &StoreOptions) {
    let content = rows(&server.directory);
    server.stop();
    let server = Server::start_with(options, SEGMENT).unwrap();
    assert_eq!(server.notes, [], "nothing had to be replayed or made anew");
    assert!(rows(&server.directory) == content);
    server.stop();
}

#[test]
fn a_checkpoint_rests_while_the_disk_is_full_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, options) = made(folder.path());
    let mut server = Server::start_with(&options, SEGMENT).unwrap();
    (0..20).for_each(|_| server.step().unwrap());
    wait_until("the checkpoint", || server.checkpoint.applied() == last(&server));
    let (applied, id) = (last(&server), server.directory.nodes().map(|node| node.id).last().unwrap());
    let watch = server.checkpoint.watch();

    disk.set_available(Some(RESERVE / 2));
    // More than its queue takes: one that waits for room would wait for ever here.
    for group in 0..(QUEUE_CHANGES / 4096 + 3) {
        server.commit(vec![logins(id, group)]).unwrap();
    }
    wait_until("resting", || watch.trouble().as_deref() == Some("the disk is full"));
    assert_eq!(watch.applied(), applied);

    disk.set_available(None);
    // Under load: there is always more in the journal than was there a moment ago.
    wait_until("catching up", || {
        server.step().unwrap();
        watch.trouble().is_none() && watch.applied() > applied
    });
    wait_until("the end of it", || watch.applied() == last(&server));
    assert_eq!(watch.trouble(), None);
    server.step().unwrap();
    wait_until("following", || watch.applied() == last(&server));
    check_whole(server, &options);
}

fn logins(id: EntryId, group: usize) -> Vec<Change> {
    let state = |number: usize| AccountState {
        last_login: Some(Timestamp(i64::try_from(group * 4096 + number).unwrap())),
        ..AccountState::default()
    };
    (0..4096).map(|number| Change::PutAccountState { id, state: state(number) }).collect()
}

#[test]
fn a_checkpoint_that_rests_does_not_keep_the_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, options) = made(folder.path());
    let mut server = Server::start_with(&options, SEGMENT).unwrap();
    disk.set_available(Some(0));
    (0..20).for_each(|_| server.step().unwrap());
    let content = rows(&server.directory);
    server.stop();
    match Server::start_with(&options, SEGMENT) {
        Err(error @ StoreError::Full { .. }) => assert!(error.to_string().contains("make space"), "{error}"),
        other => panic!("a full disk is told at start: {:?}", other.err()),
    }
    disk.set_available(None);
    let server = Server::start_with(&options, SEGMENT).unwrap();
    assert!(rows(&server.directory) == content);
    server.stop();
}

#[test]
fn a_sled_that_failed_is_made_anew_while_serving() {
    let folder = tempfile::tempdir().unwrap();
    let (_, options) = made(folder.path());
    let mut server = Server::start_with(&options, SEGMENT).unwrap();
    (0..20).for_each(|_| server.step().unwrap());
    let watch = server.checkpoint.watch();
    wait_until("the checkpoint", || watch.applied() == last(&server));

    server.checkpoint.break_sled();
    wait_until("the failure", || {
        server.step().unwrap();
        watch.trouble().is_some()
    });
    wait_until("its question", || server.checkpoint.wants_renewal());
    server.step().unwrap();
    server.checkpoint.renew(server.directory.clone(), last(&server));
    // What comes while the new one is filled is read from the journal.
    (0..20).for_each(|_| server.step().unwrap());
    wait_until("catching up", || watch.applied() == last(&server));
    assert_eq!(watch.trouble(), None);
    server.step().unwrap();
    wait_until("following", || watch.applied() == last(&server));
    check_whole(server, &options);
}

#[test]
fn a_checkpoint_that_stands_still_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (_, options) = made(folder.path());
    let mut server = Server::start_with(&options, SEGMENT).unwrap();
    (0..20).for_each(|_| server.step().unwrap());
    let id = server.directory.nodes().last().unwrap().id;
    let watch = server.checkpoint.watch();

    let release = server.checkpoint.hold_sled(Duration::ZERO);
    for group in 0..(2 * QUEUE_CHANGES / 4096 + 3) {
        server.commit(vec![logins(id, group)]).unwrap();
    }
    assert!(watch.trouble().is_some_and(|trouble| trouble.starts_with("it does not get on")));
    drop(release);
    wait_until("catching up", || {
        server.step().unwrap();
        watch.trouble().is_none()
    });
    wait_until("the end of it", || watch.applied() == last(&server));

    let release = server.checkpoint.hold_sled(Duration::ZERO);
    server.step().unwrap();
    let content = rows(&server.directory);
    server.stop();
    drop(release);
    let server = Server::start_with(&options, SEGMENT).unwrap();
    assert!(rows(&server.directory) == content);
    server.stop();
}
