//! When the journal cannot be written nothing is acknowledged, nobody sees what was decided, and the server goes on by itself once the disk
//! does (invariant 3 of src/ARCHITECTURE.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery::journal::RecordKind;
use bindery::model::schema::Schema;
use bindery::model::{Attribute, ldif::LdifReader};
use bindery::model::{Dn, Modification, ModificationOperation, ResultCode, Secret};
use bindery::operation::add::AddRequest;
use bindery::operation::modify::ModifyRequest;
use bindery::operation::{Limits, Proposal, ProposedOperation, Settings};
use bindery::server::committer::Committer;
use bindery::server::health::JournalState;
use bindery::server::notes;
use bindery::server::world::{SystemClock, SystemEntropy};
use bindery::store::disk::{CALL_FILE, EmergencyDisk, SimulatedDisk};
use bindery::store::{self, StoreError, StoreOptions};
use bindery::world::Disk;
use bytes::Bytes;

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
        discloses: bindery::operation::Disclosure::default(),
        audits_all_reads: false,
    }
}

fn options(data: &Path, disk: &SimulatedDisk) -> StoreOptions {
    StoreOptions {
        data: data.to_owned(),
        seal_key: Secret::new(vec![7; 32]),
        key_file: None,
        schema: Arc::new(Schema::embedded().unwrap()),
        suffix: Dn::parse(b"dc=example").unwrap(),
        indexes: Vec::new(),
        disk: Arc::new(disk.clone()),
        entropy: Arc::new(SystemEntropy::new()),
        clock: Arc::new(SystemClock::new()),
        reserve: 0,
    }
}

fn describe(committer: &mut Committer, text: &str) -> Result<ResultCode, ResultCode> {
    commit(committer, ProposedOperation::Modify(description_of(text)))
}

fn description_of(text: &str) -> ModifyRequest {
    let value = Bytes::copy_from_slice(text.as_bytes());
    let attribute = Attribute { description: "description".to_owned(), values: vec![value] };
    let change = Modification { operation: ModificationOperation::Replace, attribute };
    ModifyRequest::new(Bytes::from_static(b"dc=example"), vec![change], Vec::new())
}

fn add_suffix(committer: &mut Committer) {
    let suffix = "dn: dc=example\nobjectClass: domain\ndc: example\ndescription: first\n";
    let record = LdifReader::new(suffix.as_bytes()).next().unwrap().unwrap();
    let bindery::model::ldif::LdifBody::Add(attributes) = record.body else { panic!("no add") };
    let add = AddRequest::new(Bytes::from(record.dn), attributes, Vec::new());
    assert_eq!(commit(committer, ProposedOperation::Add(add)), Ok(ResultCode::Success));
}

fn commit(committer: &mut Committer, operation: ProposedOperation) -> Result<ResultCode, ResultCode> {
    let context = notes::context(settings());
    let decision = committer.commit(&mut [Proposal { context, operation }]).pop().unwrap()?;
    Ok(decision.record.result)
}

fn start(options: &StoreOptions) -> Committer {
    let opened = store::open(options, &mut |_| {}).unwrap();
    Committer::new(opened, Arc::clone(&options.clock), Arc::clone(&options.entropy))
}

fn description(committer: &Committer) -> String {
    let directory = committer.published().load_full();
    let bindery::directory::Lookup::Found(id) = directory.find(&Dn::parse(b"dc=example").unwrap()) else {
        panic!("no suffix entry")
    };
    let description = directory.schema().attribute_type("description").unwrap().id;
    String::from_utf8_lossy(directory.node(id).unwrap().entry.first(description).unwrap_or_default()).into_owned()
}

/// Something that makes the disk refuse, and its opposite.
type Fault = (&'static str, fn(&SimulatedDisk), fn(&SimulatedDisk));

#[test]
fn a_failed_append_is_told_to_nobody_and_voided_once_the_disk_is_well() {
    let faults: [Fault; 2] = [
        ("sync fails", |disk| disk.fail_syncs(true), |disk| disk.fail_syncs(false)),
        ("disk full", |disk| disk.set_capacity(Some(0)), |disk| disk.set_capacity(None)),
    ];
    for (name, harm, heal) in faults {
        let folder = tempfile::tempdir().unwrap();
        let disk = SimulatedDisk::new(1);
        let options = options(folder.path(), &disk);
        store::create(&options).unwrap();
        let mut committer = start(&options);
        add_suffix(&mut committer);

        harm(&disk);
        let mut refused = 0;
        for attempt in 0..200 {
            // A full disk is noticed when the space reserved ahead is used up.
            match describe(&mut committer, &format!("{attempt} {}", "x".repeat(1 << 20))) {
                Ok(code) => assert_eq!((code, refused), (ResultCode::Success, 0), "{name}: acknowledged after a failure"),
                Err(code) => {
                    assert_eq!(code, ResultCode::Unavailable, "{name}");
                    refused += 1;
                }
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3, "{name}: the fault was never noticed");
        let before = description(&committer);
        heal(&disk);
        assert_eq!(description(&committer), before, "{name}: what failed is not seen");
        assert_eq!(describe(&mut committer, "after"), Ok(ResultCode::Success), "{name}: it goes on by itself");
        assert_eq!(description(&committer), "after");
        committer.stop();

        let mut last = 0;
        let mut voids = 0;
        store::read_frames(&options, 1, &mut |frame| {
            assert_eq!(frame.sequence, last + 1, "{name}: a gap");
            last = frame.sequence;
            voids += usize::from(frame.line.contains(&format!("\"type\":\"{}\"", RecordKind::Void.name())));
            Ok(())
        })
        .unwrap();
        assert_eq!(voids, 1, "{name}: what was voided is recorded once");
        let committer = start(&options);
        assert_eq!(description(&committer), "after", "{name}: after a restart");
        committer.stop();
    }
}

#[test]
fn many_large_changes_become_several_groups_and_all_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(1);
    let options = options(folder.path(), &disk);
    store::create(&options).unwrap();
    let mut committer = start(&options);
    add_suffix(&mut committer);
    let proposals = |count: usize, octets: usize| -> Vec<Proposal> {
        let operation = |number| ProposedOperation::Modify(description_of(&format!("{number} {}", "x".repeat(octets))));
        (0..count).map(|number| Proposal { context: notes::context(settings()), operation: operation(number) }).collect()
    };
    let mut operations_for = |mut proposals: Vec<Proposal>| {
        let before = disk.operations();
        let answers = committer.commit(&mut proposals);
        assert_eq!(answers.len(), proposals.len());
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().record.result == ResultCode::Success));
        disk.operations() - before
    };
    let one_group = operations_for(proposals(40, 1));
    let several = operations_for(proposals(40, 1 << 20));
    assert!(several >= 3 * one_group, "40 MiB of changes took {several} disk operations, small ones {one_group}");
    let last = description(&committer);
    assert!(last.starts_with("39 "), "the last change stands");
}

#[test]
fn at_the_reserve_nothing_is_begun_and_it_goes_on_by_itself() {
    const RESERVE: u64 = 256 * 1024 * 1024;
    const SEGMENT: u64 = 64 * 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(1);
    let options = StoreOptions { reserve: RESERVE, ..options(folder.path(), &disk) };
    store::create(&options).unwrap();
    let mut committer = start(&options);
    let health = committer.health();
    add_suffix(&mut committer);
    assert_eq!(describe(&mut committer, "before"), Ok(ResultCode::Success));
    assert_eq!(health.journal(), JournalState::Written);

    // A segment is open: only the reserve counts.
    disk.set_available(Some(RESERVE));
    assert_eq!(describe(&mut committer, "at the reserve"), Ok(ResultCode::Success));
    let (durable, operations) = (health.durable(), disk.operations());
    disk.set_available(Some(RESERVE - 1));
    for _ in 0..3 {
        assert_eq!(describe(&mut committer, "below"), Err(ResultCode::Unavailable));
        committer.tick();
    }
    assert_eq!(health.journal(), JournalState::DiskFull);
    assert_eq!(description(&committer), "at the reserve", "searches go on");
    assert_eq!((health.durable(), disk.operations()), (durable, operations), "nothing was tried");

    // A little more than the reserve would not last.
    disk.set_available(Some(RESERVE));
    assert_eq!(describe(&mut committer, "not yet"), Err(ResultCode::Unavailable));
    disk.set_available(Some(RESERVE * 2));
    committer.tick();
    assert_eq!(health.journal(), JournalState::Written, "noticed though nobody asked");
    assert_eq!(describe(&mut committer, "after"), Ok(ResultCode::Success));
    assert_eq!(health.durable(), durable + 1);
    committer.stop();

    // A new segment must fit beside the reserve.
    disk.set_available(Some(RESERVE + SEGMENT - 1));
    let error = store::open(&options, &mut |_| {}).err().unwrap();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    disk.set_available(Some(RESERVE + SEGMENT));
    let committer = start(&options);
    assert_eq!(description(&committer), "after");
    committer.stop();
}

/// A journal with a second place, and what makes the first one refuse.
struct Emergency {
    options: StoreOptions,
    first: SimulatedDisk,
    second: SimulatedDisk,
    folder: PathBuf,
}

impl Emergency {
    fn new(data: &Path) -> Emergency {
        let (first, second) = (SimulatedDisk::new(1), SimulatedDisk::new(2));
        let folder = PathBuf::from("/emergency");
        second.create_folder(&folder).unwrap();
        let both =
            EmergencyDisk::new(Arc::new(first.clone()), Arc::new(second.clone()), store::folder_of_journal(data), folder.clone());
        let options = StoreOptions { disk: Arc::new(both), ..options(data, &first) };
        store::create(&options).unwrap();
        Emergency { options, first, second, folder }
    }

    fn call(&self) {
        let file = self.second.open(&self.folder.join(CALL_FILE)).unwrap();
        file.write_all_at(b"uid 0\nthe controller is dead\n", 0).unwrap();
        file.sync_data().unwrap();
        self.second.sync_folder(&self.folder).unwrap();
    }

    fn take_call_back(&self) {
        self.second.remove(&self.folder.join(CALL_FILE)).unwrap();
    }

    /// Segments that are on the second disk.
    fn segments_there(&self) -> usize {
        self.second.list(&self.folder).unwrap().iter().filter(|path| path.extension().is_some_and(|it| it == "segment")).count()
    }

    /// Types of all records, each in its place.
    fn records(&self, options: &StoreOptions) -> Vec<String> {
        let (mut last, mut types) = (0, Vec::new());
        store::read_frames(options, 1, &mut |frame| {
            assert_eq!(frame.sequence, last + 1, "a gap");
            last = frame.last_sequence();
            let (_, kind) = frame.line.split_once("\"type\":\"").unwrap();
            types.push(kind.split('"').next().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
        types
    }
}

#[test]
fn in_an_emergency_that_somebody_called_the_journal_goes_on_elsewhere_and_comes_back() {
    let faults: [Fault; 3] = [
        ("syncs fail", |disk| disk.fail_syncs(true), |disk| disk.fail_syncs(false)),
        ("writes fail", |disk| disk.fail_writes(true), |disk| disk.fail_writes(false)),
        ("disk full", |disk| disk.set_available(Some(0)), |disk| disk.set_available(None)),
    ];
    for (name, harm, heal) in faults {
        let folder = tempfile::tempdir().unwrap();
        let mut emergency = Emergency::new(folder.path());
        emergency.options.reserve = 1024;
        let mut committer = start(&emergency.options);
        add_suffix(&mut committer);
        harm(&emergency.first);
        assert_eq!(describe(&mut committer, "nobody called"), Err(ResultCode::Unavailable), "{name}");
        emergency.call();
        assert_eq!(describe(&mut committer, "elsewhere"), Ok(ResultCode::Success), "{name}");
        assert_eq!(committer.health().journal(), JournalState::Written);
        assert_eq!(emergency.segments_there(), 1, "{name}");
        assert_eq!(emergency.records(&emergency.options).last().unwrap(), "modify", "{name}: whoever reads finds both");

        heal(&emergency.first);
        assert_eq!(describe(&mut committer, "still elsewhere"), Ok(ResultCode::Success), "{name}: it is ended by who says so");
        assert_eq!(emergency.segments_there(), 1, "{name}");
        emergency.take_call_back();
        assert_eq!(describe(&mut committer, "back"), Ok(ResultCode::Success), "{name}");
        // A thread does that, too; here it is waited for.
        emergency.options.disk.emergency().unwrap().take_back().unwrap();
        assert_eq!(emergency.segments_there(), 0, "{name}");
        committer.stop();

        let records = emergency.records(&emergency.options);
        assert_eq!(records.iter().filter(|it| *it == "emergency").count(), 2, "{name}: {records:?}");
        let plain = StoreOptions { reserve: 0, ..options(folder.path(), &emergency.first) };
        assert_eq!(emergency.records(&plain), records, "{name}: all of it is in its place");
        let committer = start(&plain);
        assert_eq!(description(&committer), "back", "{name}: after a start without the second disk");
        committer.stop();
    }
}

#[test]
fn what_a_kill_left_elsewhere_is_read_there_and_comes_back_with_the_next_start() {
    for cut in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let emergency = Emergency::new(folder.path());
        let mut committer = start(&emergency.options);
        add_suffix(&mut committer);
        emergency.first.fail_syncs(true);
        emergency.call();
        assert_eq!(describe(&mut committer, "finds out"), Err(ResultCode::Unavailable));
        for number in 0..3 {
            assert_eq!(describe(&mut committer, &format!("{number}")), Ok(ResultCode::Success));
        }
        committer.stop();
        emergency.first.fail_syncs(false);
        // The process that copies is killed at each of its steps in turn.
        let folder_there = emergency.options.disk.emergency().unwrap();
        folder_there.turn(false);
        emergency.first.cut_power_at(emergency.first.operations() + cut);
        let is_done = folder_there.take_back().is_ok();
        emergency.first.restart();
        let committer = start(&emergency.options);
        assert_eq!(description(&committer), "2", "cut at {cut}");
        emergency.options.disk.emergency().unwrap().take_back().unwrap();
        committer.stop();
        assert_eq!(emergency.segments_there(), 0);
        let committer = start(&options(folder.path(), &emergency.first));
        assert_eq!(description(&committer), "2", "cut at {cut}");
        committer.stop();
        if is_done {
            assert!(cut > 4, "each step was cut");
            return;
        }
    }
    panic!("the copy never ended");
}
