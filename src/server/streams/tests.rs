//! Streams to a real collector over real TLS, beside a real committer and a real data folder.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustls::{ServerConnection, StreamOwned};

use super::*;
use crate::config::{Configuration, PeerSettings, TlsFiles};
use crate::model::schema::Schema;
use crate::model::{Secret, Timestamp};
use crate::operation::monitor::HealthLevel;
use crate::server::committer::Committer;
use crate::server::tls;
use crate::server::world::{SystemClock, SystemEntropy};
use crate::store;
use crate::store::disk::RealDisk;

/// Real time, unless it is turned on.
struct TurnedClock {
    real: SystemClock,
    ahead: AtomicU64,
}

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        self.real.now()
    }
    fn monotonic(&self) -> u64 {
        self.real.monotonic().saturating_add(self.ahead.load(Ordering::SeqCst))
    }
}

struct World {
    _folder: tempfile::TempDir,
    options: StoreOptions,
    clock: Arc<TurnedClock>,
    tls: TlsFiles,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TurnedClock { real: SystemClock::new(), ahead: AtomicU64::new(0) });
        let options = StoreOptions {
            data: folder.path().join("data"),
            seal_key: Secret::new(vec![42; 32]),
            key_file: None,
            schema: Arc::new(Schema::embedded().unwrap()),
            suffix: crate::model::Dn::parse(b"dc=example").unwrap(),
            indexes: Vec::new(),
            disk: Arc::new(RealDisk),
            entropy: Arc::new(SystemEntropy::new()),
            clock: Arc::<TurnedClock>::clone(&clock),
            reserve: 0,
        };
        store::create(&options).unwrap();
        let tls = identity(folder.path(), "collector");
        World { _folder: folder, options, clock, tls }
    }

    fn settings(&self, port: u16) -> StreamSettings {
        StreamSettings {
            name: "siem".to_owned(),
            peer: PeerSettings {
                host: "127.0.0.1".to_owned(),
                port,
                server_name: "localhost".to_owned(),
                authorities: self.tls.certificate.clone(),
                identity: None,
            },
            format: StreamFormat::Json,
            from_beginning: true,
            needs_close_notify: true,
            behind: Duration::from_secs(300),
            enterprise: 32_473,
            largest_message: 8192,
        }
    }

    fn committer(&self) -> Committer {
        let opened = store::open(&self.options, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        Committer::new(opened, Arc::clone(&self.options.clock), Arc::clone(&self.options.entropy))
    }

    fn stream(&self, committer: &Committer, settings: StreamSettings) -> Stream {
        Stream::start(settings, self.options.clone(), committer.durable(), "host".to_owned()).unwrap()
    }
}

fn identity(folder: &Path, name: &str) -> TlsFiles {
    use std::os::unix::fs::PermissionsExt as _;
    let made = tls::self_signed(&[], SystemClock::new().now()).unwrap();
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate, made.certificate).unwrap();
    std::fs::write(&key, made.key.expose()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    TlsFiles { certificate, key, client_authorities: None, revocation_lists: Vec::new() }
}

fn note(committer: &mut Committer, count: usize) {
    let configuration = Configuration::from_text(Path::new("/x/bindery.toml"), "suffix = \"dc=example\"", Timestamp(0)).unwrap();
    let context = notes::context(configuration.settings(&Secret::new(vec![1]), &Secret::new(vec![2])));
    for _ in 0..count {
        committer.note(context.clone(), notes::record(RecordKind::Configuration, Vec::new())).unwrap();
    }
}

/// What the collector does with a connection.
#[derive(Clone, Copy, PartialEq)]
enum Manners {
    /// Reads to the end and answers it.
    Good,
    /// Reads so many octets, then closes as if killed.
    DiesAfter(usize),
    /// Reads to the end and closes without a word.
    Mute,
    /// Closes as soon as it is sent this sequence.
    ChokesOn(u64),
}

#[derive(Default)]
struct Taken {
    /// Sequences in the order in which they came, of connections whose end was answered and of others.
    all: Mutex<Vec<u64>>,
    connections: AtomicUsize,
    /// Octets of the longest message.
    longest: AtomicUsize,
}

impl Taken {
    fn distinct(&self) -> BTreeSet<u64> {
        self.all.lock().unwrap().iter().copied().collect()
    }
}

/// A collector on a port of its own; `manners` of each connection in turn, the last of them from then on.
fn collector(files: &TlsFiles, manners: Vec<Manners>) -> (u16, Arc<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let configuration = tls::server_configuration(files).unwrap();
    let taken = Arc::<Taken>::default();
    let of_thread = Arc::clone(&taken);
    std::thread::spawn(move || {
        for (index, socket) in listener.incoming().enumerate() {
            let manners = manners.get(index).or(manners.last()).copied().unwrap_or(Manners::Good);
            let connection = ServerConnection::new(Arc::clone(&configuration)).unwrap();
            serve(StreamOwned::new(connection, socket.unwrap()), manners, &of_thread);
        }
    });
    (port, taken)
}

fn serve(mut peer: StreamOwned<ServerConnection, TcpStream>, manners: Manners, taken: &Taken) {
    taken.connections.fetch_add(1, Ordering::SeqCst);
    let (mut octets, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(read) = peer.read(&mut part) {
        octets.extend_from_slice(&part[..read]);
        if let Manners::DiesAfter(most) = manners
            && octets.len() >= most
        {
            break;
        }
        if let Manners::ChokesOn(sequence) = manners
            && sequences(&octets).contains(&sequence)
        {
            break;
        }
        if read == 0 {
            if matches!(manners, Manners::Good | Manners::ChokesOn(_)) {
                peer.conn.send_close_notify();
                let _ = peer.conn.write_tls(&mut peer.sock);
            }
            break;
        }
    }
    taken.all.lock().unwrap().extend(sequences(&octets));
    taken.longest.fetch_max(messages(&octets).iter().map(|message| message.len()).max().unwrap_or(0), Ordering::SeqCst);
}

/// Takes messages apart by their counts; a last one may be cut off.
fn messages(octets: &[u8]) -> Vec<&str> {
    let (mut rest, mut found) = (octets, Vec::new());
    while let Some(at) = rest.iter().position(|octet| *octet == b' ') {
        let length: usize = std::str::from_utf8(&rest[..at]).unwrap().parse().unwrap();
        let Some(message) = rest.get(at + 1..at + 1 + length) else { break };
        found.push(std::str::from_utf8(message).unwrap());
        rest = &rest[at + 1 + length..];
    }
    found
}

fn sequences(octets: &[u8]) -> Vec<u64> {
    let sequence = |message: &str| {
        assert!(message.starts_with("<109>1 20") && message.contains("Z host bindery "), "{message}");
        crate::journal::query::ReadRecord::parse(&message[message.find('{').unwrap()..]).unwrap().sequence
    };
    messages(octets).into_iter().map(sequence).collect()
}

/// Waits by tries, not by a time that something takes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never: {what}");
}

#[test]
fn every_record_is_taken_in_order_and_the_position_is_kept_over_lives() {
    let world = World::new();
    let (port, taken) = collector(&world.tls, vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 700);
    let stream = world.stream(&committer, world.settings(port));
    until("all are sent", || taken.connections.load(Ordering::SeqCst) > 0);
    note(&mut committer, 5);
    committer.stop();
    stream.stop();
    assert_eq!(*taken.all.lock().unwrap(), (1..=705).collect::<Vec<_>>());
    let committer = world.committer();
    let stream = world.stream(&committer, world.settings(port));
    until("the position is read", || stream.watch().taken() == 705);
    stream.stop();
    assert_eq!(taken.all.lock().unwrap().len(), 705, "nothing twice where nothing was in doubt");
}

#[test]
fn what_a_collector_that_dies_or_says_nothing_took_is_sent_again() {
    let world = World::new();
    let manners = vec![Manners::DiesAfter(1), Manners::DiesAfter(20_000), Manners::Mute, Manners::Good];
    let (port, taken) = collector(&world.tls, manners);
    let mut committer = world.committer();
    note(&mut committer, 300);
    let stream = world.stream(&committer, world.settings(port));
    let file = PositionFile::new(&world.options, "siem");
    until("the fourth connection is made and its end answered", || {
        // Neither the pauses between tries nor the ten seconds of a connection are waited for.
        world.clock.ahead.fetch_add(3_000_000, Ordering::SeqCst);
        let taken_then = stream.watch().taken();
        assert!(taken_then == 0 || taken.connections.load(Ordering::SeqCst) >= 4, "{taken_then}");
        taken_then == 300
    });
    assert_eq!(file.read().unwrap().unwrap().sequence, 300);
    assert_eq!(taken.distinct(), (1..=300).collect());
    committer.stop();
    stream.stop();
}

#[test]
fn a_stream_that_cannot_deliver_is_told_of_and_holds_nobody_up() {
    let world = World::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut committer = world.committer();
    let stream = world.stream(&committer, world.settings(closed));
    note(&mut committer, 3);
    let watch = Arc::clone(stream.watch());
    until("it is behind", || {
        world.clock.ahead.fetch_add(10_000_000, Ordering::SeqCst);
        watch.trouble().is_some_and(|(_, text)| text.contains("refused"))
    });
    let (level, text) = watch.trouble().unwrap();
    assert_eq!(level, HealthLevel::Yellow);
    assert!(text.starts_with("the stream siem of the journal is behind: 3 records wait for 127.0.0.1:"), "{text}");
    note(&mut committer, 100);
    committer.stop();
    stream.stop();
}

#[test]
fn a_collector_with_another_certificate_is_told_nothing() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let (port, taken) = collector(&identity(folder.path(), "other"), vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 3);
    let stream = world.stream(&committer, world.settings(port));
    let watch = Arc::clone(stream.watch());
    until("it is refused", || {
        world.clock.ahead.fetch_add(10_000_000, Ordering::SeqCst);
        watch.trouble().is_some_and(|(_, text)| text.contains("certificate"))
    });
    committer.stop();
    stream.stop();
    assert!(taken.distinct().is_empty());
}

#[test]
fn a_collector_may_ask_for_a_certificate_and_be_content_with_an_end() {
    let mut world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let own = identity(folder.path(), "own");
    // The stream's own certificate is one for servers; a collector that asks for one of clients refuses it.
    world.tls.client_authorities = Some(own.certificate.clone());
    let (port, taken) = collector(&world.tls, vec![Manners::Mute]);
    let mut committer = world.committer();
    note(&mut committer, 3);
    let stream = world.stream(&committer, StreamSettings { needs_close_notify: false, ..world.settings(port) });
    committer.stop();
    stream.stop();
    assert_eq!(taken.distinct(), (1..=3).collect());
    let file = PositionFile::new(&world.options, "siem");
    assert_eq!(file.read().unwrap().unwrap().sequence, 3);
}

#[test]
fn another_journal_under_the_same_position_is_streamed_from_its_beginning() {
    let world = World::new();
    let (port, taken) = collector(&world.tls, vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 4);
    let file = PositionFile::new(&world.options, "siem");
    file.write(&StreamPosition::of(3, crate::journal::Leaf([1; 32]))).unwrap();
    let stream = world.stream(&committer, world.settings(port));
    stream.stop();
    assert_eq!(taken.distinct(), (1..=4).collect());
    // A position behind the journal's end is of another one, too.
    file.write(&StreamPosition::of(9, crate::journal::Leaf([1; 32]))).unwrap();
    let stream = world.stream(&committer, world.settings(port));
    stream.stop();
    assert_eq!(taken.all.lock().unwrap().len(), 8);
    // One that begins now has nothing to send.
    std::fs::remove_file(file.path()).unwrap();
    let stream = world.stream(&committer, StreamSettings { from_beginning: false, ..world.settings(port) });
    stream.stop();
    assert_eq!(taken.all.lock().unwrap().len(), 8);
    assert_eq!(file.read().unwrap().unwrap().sequence, 4);
    committer.stop();
}

#[test]
fn a_torn_position_leaves_nothing_out_and_one_without_a_leaf_sends_nothing_twice() {
    let world = World::new();
    let (port, taken) = collector(&world.tls, vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 4);
    let file = PositionFile::new(&world.options, "siem");
    file.write(&StreamPosition::unreadable(3)).unwrap();
    let settings = StreamSettings { from_beginning: false, ..world.settings(port) };
    world.stream(&committer, settings.clone()).stop();
    assert_eq!(*taken.all.lock().unwrap(), vec![4]);
    std::fs::write(file.path(), "bindery.stream/pos").unwrap();
    world.stream(&committer, settings).stop();
    assert_eq!(*taken.all.lock().unwrap(), vec![4, 1, 2, 3, 4]);
    committer.stop();
}

#[test]
fn what_comes_before_a_record_that_is_not_taken_is_and_health_names_the_record() {
    let world = World::new();
    let (port, _) = collector(&world.tls, vec![Manners::ChokesOn(90)]);
    let mut committer = world.committer();
    note(&mut committer, 100);
    let stream = world.stream(&committer, world.settings(port));
    let watch = Arc::clone(stream.watch());
    until("the record is found", || {
        world.clock.ahead.fetch_add(10_000_000, Ordering::SeqCst);
        watch.trouble().is_some_and(|(_, text)| text.contains("record 90 alone is not taken"))
    });
    assert_eq!(watch.taken(), 89);
    assert_eq!(PositionFile::new(&world.options, "siem").read().unwrap().unwrap().sequence, 89);
    committer.stop();
    stream.stop();
}

#[test]
fn a_large_record_is_sent_as_much_of_it_as_the_collector_takes() {
    let world = World::new();
    let (port, taken) = collector(&world.tls, vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 2);
    let configuration = Configuration::from_text(Path::new("/x/bindery.toml"), "suffix = \"dc=example\"", Timestamp(0)).unwrap();
    let context = notes::context(configuration.settings(&Secret::new(vec![1]), &Secret::new(vec![2])));
    let large = notes::record(RecordKind::Configuration, vec![("text", "x".repeat(3_000_000))]);
    committer.note(context, large).unwrap();
    note(&mut committer, 2);
    let stream = world.stream(&committer, StreamSettings { largest_message: 2048, ..world.settings(port) });
    committer.stop();
    stream.stop();
    assert_eq!(taken.distinct(), (1..=5).collect());
    assert!(taken.longest.load(Ordering::SeqCst) <= 2048);
}

#[test]
fn records_that_cannot_be_read_are_told_of_and_those_that_are_not_kept_any_more_are_not() {
    let world = World::new();
    let (port, taken) = collector(&world.tls, vec![Manners::Good]);
    let mut committer = world.committer();
    note(&mut committer, 10);
    let segment = world.options.data.join("journal/00000000000000000001.segment");
    let mut octets = std::fs::read(&segment).unwrap();
    let groups: Vec<usize> = memchr::memmem::find_iter(&octets, &crate::journal::GROUP_MAGIC).collect();
    octets[groups[4] + 150] ^= 1;
    std::fs::write(&segment, &octets).unwrap();
    let stream = world.stream(&committer, world.settings(port));
    let watch = Arc::clone(stream.watch());
    until("what can be read is sent", || {
        world.clock.ahead.fetch_add(1_000_000, Ordering::SeqCst);
        watch.taken() == 10
    });
    let (level, text) = watch.trouble().unwrap();
    assert_eq!(level, HealthLevel::Red);
    let missing: Vec<u64> = (1..=10).filter(|sequence| !taken.distinct().contains(sequence)).collect();
    let (first, last) = (missing[0], missing[missing.len() - 1]);
    assert_eq!(missing.len() as u64, last - first + 1);
    assert!(
        text.starts_with(&format!(
            "the stream siem left out {} records of the journal between {first} and {last},",
            missing.len()
        )),
        "{text}"
    );
    committer.stop();
    stream.stop();
}
