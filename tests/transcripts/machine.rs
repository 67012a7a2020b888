//! The real parts behind all connections of a transcript: data folder, committer, hash pool; a clock that moves when it is told.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bindery::directory::{Directory, IndexDeclaration, IndexKinds, Lookup};
use bindery::model::ldif::{LdifBody, LdifReader};
use bindery::model::schema::Schema;
use bindery::model::{Dn, ResultCode, Secret, Timestamp};
use bindery::operation::add::AddRequest;
use bindery::operation::backup::BackupSnapshot;
use bindery::operation::key_rotation::KeysChanged;
use bindery::operation::monitor::Monitor;
use bindery::operation::{
    Attached, Authority, CertificateRule, Context, Decision, Fresh, Identity, Limits, ListenerKind, Peer, Proposal,
    ProposedOperation, Settings, WaivedNetwork, prepare,
};
use bindery::policy::password::{Argon2Parameters, HashAnswer, HashJob, Hasher};
use bindery::protocol::{LdapResult, MessageId, Reply};
use bindery::server::committer::Committer;
use bindery::server::registry::Registry;
use bindery::server::rotation::Rotator;
use bindery::server::snapshotter;
use bindery::store::disk::RealDisk;
use bindery::store::{self, StoreOptions};
use bindery::world::{Clock, Disk, DiskFile, Entropy};
use bytes::Bytes;

pub const SUFFIX: &str = "dc=mercy,dc=example";
/// Every transcript starts here: 2026-11-01 12:00 UTC.
const START: Timestamp = Timestamp(1_793_534_400_000_000);
/// From these networks, binds and writes in clear are waived.
const WAIVED_NETWORK: &str = "198.51.100.0/24";
const WAIVED_FOR: i64 = 90 * 86_400_000_000;

/// A clock that moves when the transcript says so.
struct StoppedClock(AtomicI64);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> u64 {
        self.now().0.unsigned_abs()
    }
}

/// Octets that are never the same, and the same in every run.
struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, target: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        blake3::Hasher::new().update(&count.to_be_bytes()).finalize_xof().fill(target);
    }
}

/// The machine's disk, which says that it is full when the transcript wants it.
#[derive(Default)]
struct ScarceDisk {
    disk: RealDisk,
    is_full: AtomicBool,
}

impl Disk for ScarceDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn read_front(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        self.disk.read_front(path, length)
    }
    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.disk.read_part(path, offset, length)
    }
    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        self.disk.reader(path)
    }
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.disk.length(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(folder)
    }
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn available(&self, _: &Path) -> io::Result<u64> {
        Ok(if self.is_full.load(Ordering::Relaxed) { 0 } else { 1 << 40 })
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
}

pub struct Machine {
    pub settings: Arc<Settings>,
    committer: Option<Committer>,
    disk: Arc<ScarceDisk>,
    options: StoreOptions,
    hasher: Hasher,
    clock: Arc<StoppedClock>,
    entropy: Arc<CountingEntropy>,
    /// Removed with everything in it when the transcript ends.
    _folder: tempfile::TempDir,
}

impl Machine {
    /// A new data folder holding the entries of `base.ldif`.
    pub fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::embedded().unwrap());
        let clock = Arc::new(StoppedClock(AtomicI64::new(START.0)));
        let entropy = Arc::new(CountingEntropy(AtomicU64::new(0)));
        let disk = Arc::new(ScarceDisk::default());
        let options = StoreOptions {
            data: folder.path().join("data"),
            seal_key: Secret::new(vec![7; 32]),
            key_file: None,
            indexes: indexes(),
            schema,
            suffix: Dn::parse(SUFFIX.as_bytes()).unwrap(),
            disk: disk.clone(),
            entropy: entropy.clone(),
            clock: clock.clone(),
            reserve: 1 << 20,
        };
        store::create(&options).unwrap();
        let mut machine = Machine {
            settings: Arc::new(settings()),
            committer: None,
            disk,
            options,
            hasher: Hasher::new(Argon2Parameters { memory: 8, passes: 1, lanes: 1 }),
            clock,
            entropy,
            _folder: folder,
        };
        machine.open();
        machine.import(&std::fs::read(crate::folder().join("base.ldif")).unwrap());
        machine
    }

    fn open(&mut self) {
        let opened = store::open(&self.options, &mut |_| {}).unwrap();
        let committer = Committer::new(opened, self.clock.clone(), self.entropy.clone());
        let monitor = Monitor::new(committer.health());
        self.settings = Arc::new(Settings { monitor, ..(*self.settings).clone() });
        self.committer = Some(committer);
    }

    /// Closes the data folder and opens it again: what is not durable is gone.
    pub fn restart(&mut self) {
        self.committer.take().unwrap().stop();
        self.open();
    }

    fn import(&mut self, ldif: &[u8]) {
        let peer = Peer { text: "local".to_owned(), address: None, listener: ListenerKind::Ldapi, ldapi_identity: None };
        for record in LdifReader::new(ldif) {
            let record = record.unwrap();
            let LdifBody::Add(attributes) = record.body else { panic!("base.ldif: content records only") };
            let context = Context {
                now: self.now(),
                session: 0,
                message: MessageId(0),
                peer: Arc::new(peer.clone()),
                tls: None,
                identity: Identity::default(),
                authority: Authority::Installation,
                settings: Arc::clone(&self.settings),
                fresh: self.fresh(),
                attached: Attached::default(),
            };
            let mut operation = ProposedOperation::Add(AddRequest::new(Bytes::from(record.dn), attributes, Vec::new()));
            let answers = self.hash(&prepare::jobs(&self.directory(), &context, &mut operation));
            let operation = prepare::with_answers(operation, answers);
            let decision = self.commit(Proposal { context, operation }).unwrap();
            let Reply::Result { result, .. } = decision.reply else { panic!("an add is answered with a result") };
            assert_eq!(result, LdapResult::of(ResultCode::Success), "base.ldif:{}", record.line);
        }
    }

    pub fn sessions(&self) -> Arc<Registry> {
        self.committer.as_ref().unwrap().sessions()
    }

    pub fn directory(&self) -> Arc<Directory> {
        self.committer.as_ref().unwrap().published().load_full()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&mut self, micros: i64) {
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn fresh(&self) -> Fresh {
        let mut fresh = Fresh::default();
        [&mut fresh.uuid, &mut fresh.salt, &mut fresh.password].into_iter().for_each(|octets| self.entropy.fill(octets));
        fresh
    }

    pub fn hash(&mut self, jobs: &[HashJob]) -> Vec<HashAnswer> {
        jobs.iter().map(|job| self.hasher.perform(job, self.fresh().salt)).collect()
    }

    /// Argon2 runs since the machine was made.
    pub fn runs(&self) -> u64 {
        self.hasher.runs()
    }

    pub fn commit(&mut self, proposal: Proposal) -> Result<Decision, ResultCode> {
        self.committer.as_mut().unwrap().commit(&mut [proposal]).pop().unwrap()
    }

    /// Takes a snapshot, as the server's thread does.
    pub fn snapshot(&self) -> Result<BackupSnapshot, ResultCode> {
        let committer = self.committer.as_ref().unwrap();
        let taken = committer.snapshots().take(committer.head(), &committer.position(), &|| true);
        Ok(snapshotter::for_backup(taken.unwrap().facts))
    }

    /// Begins a rotation of the seal key, as the server's thread does. This machine's key is in no file.
    pub fn rotate_key(&self) -> Result<KeysChanged, ResultCode> {
        Rotator::new(self.committer.as_ref().unwrap().rotation().clone()).begin().ok_or(ResultCode::Other)
    }

    /// Fills the disk, or makes room on it.
    pub fn fill_disk(&self, is_full: bool) {
        self.disk.is_full.store(is_full, Ordering::Relaxed);
    }

    /// What the committer does when it has nothing else to do.
    pub fn tick(&mut self) {
        self.committer.as_mut().unwrap().tick();
    }

    /// The schemes of an entry's stored passwords.
    pub fn password_schemes(&self, dn: &str) -> Vec<String> {
        let directory = self.directory();
        let Lookup::Found(id) = directory.find(&Dn::parse(dn.as_bytes()).unwrap()) else { panic!("{dn}: no such entry") };
        let password = directory.schema().attribute_type("userPassword").unwrap().id;
        let stored = directory.node(id).unwrap().entry.values(password).map(|value| String::from_utf8_lossy(value).into_owned());
        let scheme = |value: String| match value.split_once('}') {
            Some((scheme, rest)) => {
                let variant = rest.strip_prefix('$').and_then(|rest| rest.split_once('$'));
                format!("{scheme}}}{}", variant.map(|(variant, _)| format!("${variant}$")).unwrap_or_default())
            }
            None => "clear text".to_owned(),
        };
        stored.map(scheme).collect()
    }

    /// The newest record of the journal, read from its files.
    fn newest(&self) -> serde_json::Value {
        let mut last = String::new();
        store::read_frames(&self.options, 1, &mut |frame| {
            last = frame.lines().next_back().unwrap().to_owned();
            Ok(())
        })
        .unwrap();
        serde_json::from_str(&last).unwrap()
    }

    /// Type and result of each record in the newest frame.
    pub fn last_frame(&self) -> String {
        let mut last = String::new();
        store::read_frames(&self.options, 1, &mut |frame| {
            let of = |line: &str| {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                format!("{} {}", record["type"].as_str().unwrap(), record["result"])
            };
            last = frame.lines().map(of).collect::<Vec<_>>().join(", ");
            Ok(())
        })
        .unwrap();
        last
    }

    /// What the newest record says happened to other entries: name, attribute and values.
    pub fn last_effects(&self) -> String {
        let record = self.newest();
        let mut lines = Vec::new();
        for effect in record["effects"].as_array().into_iter().flatten() {
            let mut values: Vec<&str> =
                effect["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
            values.sort_unstable();
            lines.push(format!("{} {}: {}", effect["dn"].as_str().unwrap(), effect["attr"].as_str().unwrap(), values.join(" ")));
        }
        lines.sort();
        lines.join("; ")
    }

    /// A member of the newest record (`actor.dn`), as text where it is text, as JSON otherwise; `none` where it is absent.
    pub fn last_fact(&self, path: &str) -> String {
        let record = self.newest();
        match path.split('.').fold(&record, |value, name| &value[name]) {
            serde_json::Value::Null => "none".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The newest record: type, result, reason.
    pub fn last_record(&self) -> String {
        let record = self.newest();
        let mut text = format!("{} {}", record["type"].as_str().unwrap(), record["result"]);
        if let Some(reason) = record["reason"].as_str() {
            text.push_str(&format!(" {reason}"));
        }
        text
    }
}

fn indexes() -> Vec<IndexDeclaration> {
    let kinds = |ordering, substring| IndexKinds { equality: true, presence: true, ordering, substring };
    let declared = [
        ("objectClass", kinds(false, false)),
        ("uid", kinds(false, false)),
        ("cn", kinds(false, true)),
        ("sn", kinds(false, true)),
        ("uidNumber", kinds(true, false)),
    ];
    let declaration = |(name, kinds): (&str, IndexKinds)| IndexDeclaration { attribute: name.to_owned(), kinds };
    declared.into_iter().map(declaration).collect()
}

fn settings() -> Settings {
    let waived = WaivedNetwork { network: WAIVED_NETWORK.parse().unwrap(), until: Timestamp(START.0 + WAIVED_FOR) };
    Settings {
        clear_text: vec![waived],
        second_factor: Vec::new(),
        certificate_rules: vec![CertificateRule::SubjectDn],
        limits: Limits::default(),
        identifiers: Default::default(),
        hash_key: Secret::new(vec![9; 32]),
        remembered_logins: None,
        blocklist: None,
        version: "0.1.0",
        monitor: Default::default(),
        start_tls: true,
        discloses: bindery::operation::Disclosure::default(),
        audits_all_reads: false,
    }
}
