//! A clock that jumps: what the journal says of it, what waits for it, who says that it is right, and a clock that is turned back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bindery::model::ldif::{LdifBody, LdifReader};
use bindery::model::schema::Schema;
use bindery::model::{Dn, ResultCode, Secret, Timestamp};
use bindery::operation::add::AddRequest;
use bindery::operation::monitor::{HealthLevel, Monitor, Monitored};
use bindery::operation::{Limits, Proposal, ProposedOperation, Settings};
use bindery::server::committer::Committer;
use bindery::server::notes;
use bindery::server::policy_clock::PolicyClock;
use bindery::server::world::SystemEntropy;
use bindery::store::disk::SimulatedDisk;
use bindery::store::{self, StoreOptions};
use bindery::world::Clock;
use bytes::Bytes;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// 2026-11-01 12:00 UTC
const START: i64 = 1_793_534_400 * SECOND;

/// The machine's clocks, moved by hand.
struct Hands {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::Relaxed))
    }
    fn monotonic(&self) -> u64 {
        self.monotonic.load(Ordering::Relaxed)
    }
}

impl Hands {
    fn pass(&self, micros: i64) {
        self.jump(micros);
        self.monotonic.fetch_add(micros.unsigned_abs(), Ordering::Relaxed);
    }
    fn jump(&self, micros: i64) {
        self.wall.fetch_add(micros, Ordering::Relaxed);
    }
}

fn settings() -> Settings {
    Settings {
        clear_text: Vec::new(),
        second_factor: Vec::new(),
        certificate_rules: Vec::new(),
        limits: Limits::default(),
        identifiers: Default::default(),
        hash_key: Secret::new(vec![1; 32]),
        remembered_logins: None,
        blocklist: None,
        version: "test",
        monitor: Default::default(),
        start_tls: false,
        discloses: Default::default(),
        audits_all_reads: false,
    }
}

fn options(data: &Path, disk: &SimulatedDisk, clock: Arc<dyn Clock>) -> StoreOptions {
    StoreOptions {
        data: data.to_owned(),
        seal_key: Secret::new(vec![7; 32]),
        key_file: None,
        schema: Arc::new(Schema::embedded().unwrap()),
        suffix: Dn::parse(b"dc=example").unwrap(),
        indexes: Vec::new(),
        disk: Arc::new(disk.clone()),
        entropy: Arc::new(SystemEntropy::new()),
        clock,
        reserve: 0,
    }
}

/// A data folder on a simulated disk, and the machine it is on.
struct Machine {
    _folder: tempfile::TempDir,
    data: PathBuf,
    disk: SimulatedDisk,
    hands: Arc<Hands>,
}

impl Machine {
    /// With an account that ends an hour after the start.
    fn new() -> (Machine, Committer) {
        let folder = tempfile::tempdir().unwrap();
        let hands = Arc::new(Hands { wall: AtomicI64::new(START), monotonic: AtomicU64::new(5) });
        let (data, disk) = (folder.path().to_owned(), SimulatedDisk::new(1));
        let machine = Machine { _folder: folder, data, disk, hands };
        store::create(&machine.options()).unwrap();
        let mut committer = machine.start();
        let person = "objectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\npwdEndTime: 20261101130000Z\n";
        for ldif in ["dn: dc=example\nobjectClass: domain\ndc: example\n", &format!("dn: uid=anna,dc=example\n{person}")] {
            let record = LdifReader::new(ldif.as_bytes()).next().unwrap().unwrap();
            let LdifBody::Add(attributes) = record.body else { panic!("an add") };
            let add = AddRequest::new(Bytes::from(record.dn), attributes, Vec::new());
            assert_eq!(machine.commit(&mut committer, ProposedOperation::Add(add)), ResultCode::Success);
        }
        (machine, committer)
    }

    fn options(&self) -> StoreOptions {
        let hands: Arc<dyn Clock> = self.hands.clone();
        options(&self.data, &self.disk, Arc::new(PolicyClock::new(hands)))
    }

    fn start(&self) -> Committer {
        let options = self.options();
        let opened = store::open(&options, &mut |_| {}).unwrap();
        Committer::new(opened, options.clock, options.entropy)
    }

    fn commit(&self, committer: &mut Committer, operation: ProposedOperation) -> ResultCode {
        let monitor = Monitor::new(committer.health());
        let context = notes::context(Settings { monitor, ..settings() });
        let decision = committer.commit(&mut [Proposal { context, operation }]).pop().unwrap();
        decision.map_or_else(|code| code, |decision| decision.record.result)
    }

    /// Type and stage of every record since the entries were added.
    fn records(&self) -> Vec<String> {
        let mut told = Vec::new();
        store::read_frames(&self.options(), 1, &mut |frame| {
            for line in frame.lines() {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                let part = |pointer: &str| value.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
                told.push(format!("{} {}", part("/type"), part("/details/stage")).trim().to_owned());
            }
            Ok(())
        })
        .unwrap();
        told.split_off(2)
    }
}

fn health(committer: &Committer) -> HealthLevel {
    committer.health().report().health
}

#[test]
fn a_jump_is_recorded_and_told_and_nothing_ends_by_it_until_ten_minutes_passed() {
    let (machine, mut committer) = Machine::new();
    machine.hands.jump(2 * HOUR);
    committer.tick();
    assert_eq!(machine.records(), ["clock jumped"]);
    assert!(committer.now().0 < START + SECOND, "policy time does not follow");
    let report = committer.health().report();
    assert_eq!(report.health, HealthLevel::Yellow);
    assert!(
        report.problems[0].starts_with("the clock jumped ahead by 7200 s")
            && report.problems[0].contains("bindery clock confirm")
    );
    machine.hands.pass(600 * SECOND - 1);
    committer.tick();
    assert_eq!(machine.records().len(), 1, "once");
    machine.hands.pass(1);
    committer.tick();
    assert_eq!(machine.records(), ["clock jumped", "clock believed", "expire"]);
    // Only the clock is asked about: the checkpoint works by real time and may be late on a slow machine.
    let problems = committer.health().report().problems;
    assert!(!problems.iter().any(|problem| problem.contains("clock")), "{problems:?}");
}

#[test]
fn who_confirms_a_jump_ends_what_is_over() {
    let (machine, mut committer) = Machine::new();
    assert_eq!(machine.commit(&mut committer, ProposedOperation::ClockConfirmation), ResultCode::UnwillingToPerform);
    machine.hands.jump(2 * HOUR);
    committer.tick();
    assert_eq!(machine.commit(&mut committer, ProposedOperation::ClockConfirmation), ResultCode::Success);
    assert_eq!(health(&committer), HealthLevel::Green);
    committer.tick();
    assert_eq!(machine.records(), ["clock", "clock jumped", "clock confirmed", "expire"]);
    assert!(committer.now().0 >= START + 2 * HOUR);
}

#[test]
fn a_jump_that_is_taken_back_ends_nothing_and_is_recorded_with_the_next_change_too() {
    let (machine, mut committer) = Machine::new();
    machine.hands.jump(2 * HOUR);
    // Nobody ticks: the next change finds it.
    assert_eq!(machine.commit(&mut committer, ProposedOperation::ClockConfirmation), ResultCode::Success);
    assert_eq!(machine.records(), ["clock jumped", "clock confirmed"]);
    machine.hands.jump(HOUR);
    committer.tick();
    machine.hands.jump(-HOUR);
    committer.tick();
    assert_eq!(machine.records()[2..], ["clock jumped", "expire", "clock returned"]);
}

#[test]
fn turning_the_clock_back_revives_nobody_and_a_restart_neither_until_policy_time_is_rebased() {
    let (machine, mut committer) = Machine::new();
    machine.hands.pass(2 * HOUR);
    committer.tick();
    assert_eq!(machine.records(), ["expire"]);
    machine.hands.jump(-24 * HOUR);
    assert!(committer.now().0 > START + 2 * HOUR);
    committer.stop();
    let mut committer = machine.start();
    assert!(committer.now().0 > START + 2 * HOUR, "the last durable record says so");

    let context = notes::context(settings());
    let (from, to) = committer.rebase(context.clone()).unwrap().unwrap();
    assert!(from.0 >= START + 2 * HOUR && to.0 == START - 22 * HOUR);
    assert_eq!(committer.rebase(context), Ok(None), "it is not ahead any more");
    committer.stop();
    let committer = machine.start();
    assert!((START - 22 * HOUR..START - 21 * HOUR).contains(&committer.now().0));
    assert_eq!(machine.records(), ["expire", "clock rebased"]);
    committer.stop();
}

#[test]
fn the_time_that_the_server_was_down_is_no_jump() {
    let (machine, committer) = Machine::new();
    committer.stop();
    machine.hands.jump(30 * 24 * HOUR);
    let mut committer = machine.start();
    committer.tick();
    assert_eq!(machine.records(), ["expire"]);
    assert_eq!(health(&committer), HealthLevel::Green);
}
