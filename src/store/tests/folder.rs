//! A whole data folder with a small directory in it, as a server would leave it, and ways to harm it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::{CountingEntropy, SteppingClock, record};
use crate::directory::{
    AccountState, Change, Directory, Membership, MembershipAttribute, SchemaRevision, StoredDefinition, Table,
};
use crate::journal::{Chain, RecordKind};
use crate::model::schema::{Schema, SchemaElement};
use crate::model::{Dn, EntryBuilder, EntryId, FailedLogins, FailingSource, Secret, Timestamp};
use crate::store::disk::RealDisk;
use crate::store::open::open_with;
use crate::store::{
    AppendError, Checkpoint, Journal, Opened, Position, Rotation, Snapshots, StartNote, StoreError, StoreOptions, Taken, create,
};
use crate::world::Disk;

pub(super) const CANARY: &str = "Zephyrine";
const SEGMENT: u64 = 64 * 1024;

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::embedded().unwrap()));

pub(super) type Rows = BTreeMap<(Table, Box<[u8]>), Bytes>;

pub(super) fn options(data: &Path, disk: Arc<dyn Disk>) -> StoreOptions {
    StoreOptions {
        data: data.to_owned(),
        seal_key: Secret::new(vec![42; 32]),
        key_file: None,
        schema: Arc::clone(&SCHEMA),
        suffix: Dn::parse(b"dc=example").unwrap(),
        indexes: Vec::new(),
        disk,
        entropy: Arc::new(CountingEntropy::default()),
        clock: Arc::new(SteppingClock::default()),
        reserve: 0,
    }
}

pub(super) fn rows(directory: &Directory) -> Rows {
    directory.rows().map(|row| ((row.table, row.key), row.value)).collect()
}

/// What a committer keeps, without its threads.
pub(super) struct Server {
    pub(super) directory: Directory,
    pub(super) journal: Journal,
    pub(super) chain: Chain,
    pub(super) checkpoint: Checkpoint,
    pub(super) snapshots: Snapshots,
    pub(super) rotation: Rotation,
    pub(super) notes: Vec<StartNote>,
    pub(super) random: u64,
}

impl Server {
    /// Opens with small segments.
    pub(super) fn start(options: &StoreOptions) -> Result<Server, StoreError> {
        Server::start_with(options, SEGMENT)
    }

    /// Opens with segments of this size.
    pub(super) fn start_with(options: &StoreOptions, segment_octets: u64) -> Result<Server, StoreError> {
        let opened = open_with(options, segment_octets, &mut |_| {})?;
        let Opened { directory, journal, chain, checkpoint, snapshots, rotation, notes, .. } = opened;
        let random = chain.next_sequence;
        Ok(Server { directory, journal, chain, checkpoint, snapshots, rotation, notes, random })
    }

    /// Where the journal is.
    pub(super) fn position(&self) -> Position {
        Position {
            sequence: self.chain.next_sequence - 1,
            leaf: self.chain.last_leaf,
            time: self.chain.last_time,
            digest: self.directory.digest(),
        }
    }

    /// Takes a snapshot, as the server does beside the committer.
    pub(super) fn snapshot(&self) -> Result<Taken, StoreError> {
        self.snapshots.take(&self.directory, &self.position(), &|| true)
    }

    pub(super) fn stop(self) {
        self.checkpoint.stop();
    }

    /// Decides, appends, publishes one group.
    pub(super) fn commit(&mut self, groups: Vec<Vec<Change>>) -> Result<(), AppendError> {
        let (mut head, mut chain) = (self.directory.clone(), self.chain.clone());
        let mut frames = Vec::new();
        let record_of = |changes: &[Change]| record(RecordKind::Modify, &format!("{CANARY} {}", changes.len()));
        // Three at once are a transaction: one frame with three records.
        let whole = [groups.concat()];
        let (parts, is_transaction) = if groups.len() == 3 { (&whole[..], true) } else { (&groups[..], false) };
        for changes in parts {
            let mut encoded = Vec::new();
            for change in changes {
                head.apply(change).unwrap();
                change.encode(&mut encoded);
            }
            let time = Timestamp(chain.last_time.0 + 1);
            let records: Vec<_> = match is_transaction {
                true => groups.iter().map(|changes| record_of(changes)).collect(),
                false => vec![record_of(changes)],
            };
            frames.push(chain.frame_of(&records, encoded, [1; 16], time, 0));
        }
        self.journal.append(&frames, head.digest())?;
        let digest = head.digest();
        (self.directory, self.chain) = (head, chain);
        self.checkpoint.submit(
            self.chain.next_sequence - 1,
            groups.into_iter().flatten().collect(),
            digest,
            Checkpoint::SHORT_WAIT,
        );
        Ok(())
    }

    /// One group of a few random operations.
    pub(super) fn step(&mut self) -> Result<(), AppendError> {
        let mut head = self.directory.clone();
        let mut groups = Vec::new();
        for _ in 0..self.draw(3) + 1 {
            let changes = self.changes(&head);
            changes.iter().for_each(|change| head.apply(change).unwrap());
            groups.push(changes);
        }
        self.commit(groups)
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn changes(&mut self, head: &Directory) -> Vec<Change> {
        let Some(root) = head.suffix_entry() else {
            let block = block(&[("objectClass", "domain"), ("dc", "example")]);
            return vec![Change::PutEntry { id: EntryId(1), parent: None, name: "dc=example".into(), block }];
        };
        let known: Vec<EntryId> = head.nodes().map(|node| node.id).filter(|id| *id != root).collect();
        let pick = |number: u64| known.get(usize::try_from(number).unwrap() % known.len().max(1)).copied();
        let drawn = self.draw(10_000);
        match (self.draw(12), pick(drawn)) {
            (0..=3, _) | (_, None) => vec![self.put_entry(head, head.next_entry_id(), root)],
            (4, Some(id)) => vec![self.put_entry(head, id, root)],
            (5, Some(id)) => remove(head, id),
            (6, Some(id)) => {
                let state = AccountState {
                    last_login: Some(Timestamp(i64::try_from(drawn).unwrap())),
                    last_login_source: Some(format!("{CANARY}-{drawn}")),
                    one_time_step: drawn.is_multiple_of(2).then_some(drawn),
                    time_step_drift: drawn.is_multiple_of(5).then_some(-1),
                    failed: drawn.is_multiple_of(3).then(|| {
                        let source = FailingSource { name: format!("{CANARY}-{drawn}"), times: vec![Timestamp(1)] };
                        Arc::new(FailedLogins { in_a_row: 1, sources: vec![source], ..FailedLogins::default() })
                    }),
                    grace_logins: Vec::new(),
                };
                vec![Change::PutAccountState { id, state }]
            }
            (7, Some(group)) => {
                let value = Bytes::from(format!("uid={CANARY}{},dc=elsewhere", drawn % 20));
                let membership = head.resolve_member(MembershipAttribute::Member, &value).unwrap();
                vec![Change::PutMembership {
                    group,
                    membership,
                    since: Timestamp(5),
                    by: format!("cn={CANARY}"),
                    until: Some(Timestamp(9)),
                }]
            }
            (8, Some(group)) => {
                let membership = Membership::Entry(MembershipAttribute::Member, root);
                vec![Change::PutMembership {
                    group,
                    membership,
                    since: Timestamp(6),
                    by: format!("cn={CANARY}"),
                    until: Some(Timestamp(9)),
                }]
            }
            (10 | 11, Some(_)) => self.revision(head).into_iter().map(Change::ReviseSchema).collect(),
            // Recorded, but nothing changed.
            _ => Vec::new(),
        }
    }

    /// A definition comes, becomes another one, or goes, where it may.
    fn revision(&mut self, head: &Directory) -> Option<SchemaRevision> {
        let number = self.draw(5);
        let (element, identifier) = (SchemaElement::AttributeType, format!("1.3.6.1.4.1.99999.9.{number}"));
        let single = if self.draw(2) == 0 { "" } else { " SINGLE-VALUE" };
        let mut revision = SchemaRevision { put: Vec::new(), remove: Vec::new(), at: Timestamp(7), by: format!("cn={CANARY}") };
        if self.draw(2) == 0 {
            revision.remove.push((element, identifier));
        } else {
            let text = format!("( {identifier} NAME 'word{number}' DESC '{CANARY}' SUP name{single} )");
            revision.put.push(StoredDefinition { element, identifier, position: number, text });
        }
        head.check_revision(&revision).is_ok().then_some(revision)
    }

    fn put_entry(&mut self, head: &Directory, id: EntryId, parent: EntryId) -> Change {
        let length = match self.draw(8) {
            0 => 20_000,
            1 => 4_000,
            _ => 30,
        };
        let uid = format!("{CANARY}{}", id.0);
        let text = format!("{CANARY} {}", self.draw(1_000_000)).repeat(length / 10);
        let word = format!("word{}", self.draw(5));
        let description = if head.schema().attribute_type(&word).is_some() { word.as_str() } else { "description" };
        let block = block_by(head.schema(), &[("objectClass", "account"), ("uid", &uid), (description, &text)]);
        Change::PutEntry { id, parent: Some(parent), name: format!("uid={uid}"), block }
    }
}

fn block(attributes: &[(&str, &str)]) -> Bytes {
    block_by(&SCHEMA, attributes)
}

fn block_by(schema: &Schema, attributes: &[(&str, &str)]) -> Bytes {
    let mut builder = EntryBuilder::default();
    for (name, value) in attributes {
        let (attribute_type, section) = schema.section_of(name).unwrap();
        builder.set(attribute_type, name, section, vec![Bytes::copy_from_slice(value.as_bytes())]);
    }
    builder.build().block().clone()
}

fn remove(head: &Directory, id: EntryId) -> Vec<Change> {
    let mut changes: Vec<Change> = head
        .memberships(id, MembershipAttribute::Member)
        .map(|membership| Change::RemoveMembership { group: id, membership })
        .collect();
    for group in head.groups_of(id) {
        changes.push(Change::RemoveMembership { group, membership: Membership::Entry(MembershipAttribute::Member, id) });
    }
    changes.push(Change::RemoveEntry { id, next_id: head.next_entry_id() });
    changes
}

/// A new data folder with some steps behind it, stopped well; and its content.
pub(super) fn made(steps: usize) -> (tempfile::TempDir, StoreOptions, Rows) {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("data"), Arc::new(RealDisk));
    create(&options).unwrap();
    let mut server = Server::start(&options).unwrap();
    assert_eq!(server.notes, []);
    (0..steps).for_each(|_| server.step().unwrap());
    let content = rows(&server.directory);
    server.stop();
    (folder, options, content)
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

/// All files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).unwrap() {
        let item = item.unwrap();
        if item.file_type().unwrap().is_dir() {
            found.extend(files(&item.path()));
        } else {
            found.push(item.path());
        }
    }
    found.sort();
    found
}
