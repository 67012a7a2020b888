//! The notary beside a real committer and a real data folder.

use std::path::Path;

use super::*;
use crate::config::Configuration;
use crate::journal::tree::{Tree, root_of};
use crate::journal::{RecordKind, SignedTreeHead};
use crate::model::schema::Schema;
use crate::model::{Secret, Timestamp};
use crate::server::committer::Committer;
use crate::server::notes;
use crate::server::world::{SystemClock, SystemEntropy};
use crate::store::disk::RealDisk;

fn options(data: &Path) -> StoreOptions {
    StoreOptions {
        data: data.to_owned(),
        seal_key: Secret::new(vec![42; 32]),
        key_file: None,
        schema: Arc::new(Schema::embedded().unwrap()),
        suffix: crate::model::Dn::parse(b"dc=example").unwrap(),
        indexes: Vec::new(),
        disk: Arc::new(RealDisk),
        entropy: Arc::new(SystemEntropy::new()),
        clock: Arc::new(SystemClock::new()),
        reserve: 0,
    }
}

fn committer(options: &StoreOptions) -> Committer {
    let opened = store::open(options, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    Committer::new(opened, Arc::clone(&options.clock), Arc::clone(&options.entropy))
}

fn note(committer: &mut Committer, count: usize) {
    let configuration = Configuration::from_text(Path::new("/x/bindery.toml"), "suffix = \"dc=example\"", Timestamp(0)).unwrap();
    let context = notes::context(configuration.settings(&Secret::new(vec![1]), &Secret::new(vec![2])));
    for _ in 0..count {
        committer.note(context.clone(), notes::record(RecordKind::Configuration, Vec::new())).unwrap();
    }
}

fn key() -> SigningKey {
    SigningKey::of_seed("journal", &[9; 32]).unwrap()
}

fn start(options: &StoreOptions, committer: &Committer) -> (Notary, Announcer, Arc<NotaryWatch>) {
    let watch = Arc::<NotaryWatch>::default();
    let started = Notary::start(options.clone(), key(), committer.durable(), Arc::clone(&watch), None);
    let (notary, announcer) = started.unwrap();
    (notary, announcer, watch)
}

/// One life of a server that records so much; its checkpoints.
fn live(options: &StoreOptions, records: usize) -> (Vec<SignedTreeHead>, Arc<NotaryWatch>) {
    let mut committer = committer(options);
    let (notary, announcer, watch) = start(options, &committer);
    committer.announce_to(announcer);
    note(&mut committer, records);
    committer.stop();
    notary.stop();
    (TreeFiles::new(Arc::clone(&options.disk), &options.data).checkpoints().unwrap(), watch)
}

fn leaves(options: &StoreOptions) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let read = store::read_frames(options, 1, &mut |frame| {
        leaves.extend(frame.lines().map(Leaf::of_line));
        Ok(())
    });
    read.unwrap();
    leaves
}

/// Every checkpoint is signed and of the records that the journal has.
fn check(options: &StoreOptions, heads: &[SignedTreeHead]) {
    let leaves = leaves(options);
    for head in heads {
        assert_eq!(head.verify(key().public()), Ok(()));
        let mut tree = Tree::default();
        let size = usize::try_from(head.head.size).unwrap();
        leaves[..size].iter().for_each(|leaf| tree.push(*leaf, &mut |_, _, _| {}));
        assert_eq!(tree.root(), head.head.root, "of {size}");
    }
    assert_eq!(heads.last().unwrap().head.size, leaves.len() as u64, "a stop signs for everything");
}

#[test]
fn checkpoints_are_signed_often_enough_and_at_the_end_over_several_lives() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"));
    store::create(&options).unwrap();
    let (heads, watch) = live(&options, 2300);
    check(&options, &heads);
    let sizes: Vec<u64> = heads.iter().map(|head| head.head.size).collect();
    assert!(sizes.windows(2).all(|pair| pair[1] - pair[0] <= RECORDS), "{sizes:?}");
    assert_eq!((watch.signed(), watch.trouble()), (Some(2300), None));
    let (heads, watch) = live(&options, 10);
    check(&options, &heads);
    assert!(heads.iter().any(|head| head.head.size == 2300) && watch.trouble().is_none());
}

#[test]
fn what_it_was_not_told_it_reads_and_what_was_stored_wrong_it_makes_anew() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"));
    store::create(&options).unwrap();
    // A life without a notary: an import, or an older program.
    let mut silent = committer(&options);
    note(&mut silent, 300);
    silent.stop();
    let (heads, _) = live(&options, 3);
    check(&options, &heads);
    let files = TreeFiles::new(Arc::clone(&options.disk), &options.data);
    for change in [
        |octets: &mut Vec<u8>| octets[40] ^= 1,
        |octets: &mut Vec<u8>| octets.truncate(999),
        |octets: &mut Vec<u8>| octets.clear(),
    ] {
        let row = files.folder().join("row-0");
        let mut octets = std::fs::read(&row).unwrap();
        change(&mut octets);
        std::fs::write(&row, octets).unwrap();
        let (heads, watch) = live(&options, 1);
        check(&options, &heads);
        assert_eq!(watch.trouble(), None);
        let last = heads.last().unwrap();
        assert_eq!(root_of(&files, 0..last.head.size).unwrap(), last.head.root);
    }
    // Half a checkpoint, as a power cut leaves it.
    let path = files.folder().join("checkpoints");
    let mut octets = std::fs::read(&path).unwrap();
    octets.truncate(octets.len() - 30);
    std::fs::write(&path, octets).unwrap();
    let (heads, _) = live(&options, 1);
    check(&options, &heads);
}

#[test]
fn a_journal_that_is_not_what_was_signed_turns_health_red() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"));
    store::create(&options).unwrap();
    live(&options, 5);
    let files = TreeFiles::new(Arc::clone(&options.disk), &options.data);
    let signed = |size, root| TreeHead { origin: "journal".to_owned(), size, root, time: Timestamp(0) }.sign(&key());
    files.keep(&signed(5, [1; 32])).unwrap();
    let (_, watch) = live(&options, 1);
    let (level, text) = watch.trouble().unwrap();
    assert!(level == HealthLevel::Red && text.contains("was altered"), "{text}");
    let (_, watch) = live(&options, 1);
    assert_eq!(watch.trouble().map(|(level, _)| level), Some(HealthLevel::Red), "what was signed since does not make it good");
    files.keep(&signed(1000, [1; 32])).unwrap();
    let (_, watch) = live(&options, 1);
    let (level, text) = watch.trouble().unwrap();
    assert!(level == HealthLevel::Red && text.contains("was cut off"), "{text}");
    assert!(watch.signed() > Some(5), "the service and its checkpoints go on");
}

#[test]
fn a_notary_that_does_not_keep_up_loses_nothing_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"));
    store::create(&options).unwrap();
    let mut committer = committer(&options);
    // Nobody listens yet.
    let mailbox = Arc::<Mailbox>::default();
    committer.announce_to(Announcer(Arc::clone(&mailbox)));
    let line = "x".repeat(WAITING / 2);
    for sequence in 1..8 {
        let frame = Frame { sequence, line: line.clone(), changes: Vec::new(), salt: [0; 16] };
        Announcer(Arc::clone(&mailbox)).tell(vec![frame], None);
    }
    let told = mailbox.take();
    assert!(told.octets <= WAITING + WAITING / 2 && told.first > 1, "{} from {}", told.octets, told.first);
    note(&mut committer, 20);
    let (notary, announcer, _) = start(&options, &committer);
    committer.announce_to(announcer);
    note(&mut committer, 20);
    committer.stop();
    notary.stop();
    check(&options, &TreeFiles::new(Arc::clone(&options.disk), &options.data).checkpoints().unwrap());
}

#[test]
fn a_thread_that_breaks_down_is_told_at_once() {
    let watch = Arc::<NotaryWatch>::default();
    for breaks in [false, true] {
        let told = ToldOfBreakdown(Arc::clone(&watch));
        let thread = std::thread::spawn(move || {
            let _told = told;
            assert!(!breaks, "as by a fault of the server");
        });
        assert_eq!(thread.join().is_err(), breaks);
        assert_eq!(watch.trouble().map(|(level, _)| level), breaks.then_some(HealthLevel::Red));
    }
}
