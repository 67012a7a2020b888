//! Any harm to a snapshot's file is found, and any octets as rows of one can be loaded or are refused: nothing panics.
//!
//! Input: one octet that says which; then edits of the file, each: kind, place (4), octet, or rows, each: table, length of the key, length
//! of the value, key, value.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bindery::directory::{Change, Directory, Row, Table};
use bindery::journal::Leaf;
use bindery::model::schema::Schema;
use bindery::model::{Dn, Secret, Timestamp};
use bindery::store::disk::SimulatedDisk;
use bindery::store::{self, Position, Snapshots, StoreOptions};
use bindery::world::{Clock, Disk, Entropy};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match data {
    [0..128, edits @ ..] => edit(edits),
    [_, rows @ ..] => load(rows),
    [] => {}
});

fn edit(mut edits: &[u8]) {
    let site = site();
    let mut octets = site.whole.clone();
    while let [kind, a, b, c, d, octet, rest @ ..] = edits {
        edits = rest;
        let place = u32::from_le_bytes([*a, *b, *c, *d]) as usize % octets.len().max(1);
        match kind % 4 {
            0 => octets.get_mut(place).into_iter().for_each(|at| *at = *octet),
            1 => octets.truncate(place),
            2 => octets.insert(place, *octet),
            // What a checksum alone would not notice: the header is sealed anew after a change.
            _ => {
                if let Some((content, check)) = octets.get_mut(..HEADER).and_then(|head| head.split_at_mut_checked(HEADER - 32)) {
                    content.get_mut(place % (HEADER - 32)).into_iter().for_each(|at| *at = *octet);
                    check.copy_from_slice(blake3::hash(content).as_bytes());
                }
            }
        }
    }
    site.put(&octets);
    let checked = site.snapshots.check().expect("the folder can be listed");
    let is_whole = matches!(checked.as_slice(), [Ok(_)]);
    // What stands in the header behind its fields is nobody's, and sealed with the pieces: it may not change either.
    assert_eq!(is_whole, octets == site.whole, "{checked:?}");
}

fn load(mut rows: &[u8]) {
    let mut directory = empty();
    while let [table, key, value, rest @ ..] = rows {
        let (key, rest) = rest.split_at(usize::from(*key).min(rest.len()));
        let (value, rest) = rest.split_at(usize::from(*value).min(rest.len()));
        rows = rest;
        let table = Table::ALL[usize::from(*table) % Table::ALL.len()];
        if directory.load_row(Row { table, key: key.into(), value: Bytes::copy_from_slice(value) }).is_err() {
            return;
        }
    }
    if directory.finish_loading().is_ok() {
        // What was taken can be written again.
        let _ = directory.rows().count();
    }
}

const HEADER: usize = 4096;

struct Site {
    disk: SimulatedDisk,
    file: PathBuf,
    whole: Vec<u8>,
    snapshots: Snapshots,
}

impl Site {
    fn put(&self, octets: &[u8]) {
        let file = self.disk.open(&self.file).expect("the file opens");
        file.set_length(0).expect("it is cut");
        file.write_all_at(octets, 0).expect("it is written");
    }
}

/// A data folder with one small snapshot. What sled keeps of it goes with the process.
fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = SimulatedDisk::new(1);
        let options = StoreOptions {
            data: folder.path().join("data"),
            seal_key: Secret::new(vec![7; 32]),
            key_file: None,
            schema: schema(),
            suffix: suffix(),
            indexes: Vec::new(),
            reserve: 0,
            disk: Arc::new(disk.clone()),
            entropy: Arc::new(Constant),
            clock: Arc::new(Constant),
        };
        std::fs::create_dir_all(&options.data).expect("the folder is made");
        store::create(&options).expect("the data folder is made");
        let opened = store::open(&options, &mut |_| {}).expect("it opens");
        let mut directory = opened.directory;
        let block = Bytes::from_static(
            b"\x30\x0d\x04\x02dc\x31\x07\x04\x05mercy\x30\x1c\x04\x0bobjectClass\x31\x0d\x04\x03top\x04\x06domain",
        );
        let suffix =
            Change::PutEntry { id: directory.next_entry_id(), parent: None, name: "dc=mercy,dc=example".to_owned(), block };
        directory.apply(&suffix).expect("an entry is put");
        let position = Position { sequence: 1, leaf: Leaf([9; 32]), time: Timestamp(7), digest: directory.digest() };
        let taken = opened.snapshots.take(&directory, &position, &|| true).expect("a snapshot is taken");
        let file = options.data.join("snapshots").join(&taken.facts.name);
        let whole = disk.read(Path::new(&file)).expect("it can be read");
        Site { disk, file, whole, snapshots: opened.snapshots }
    })
}

fn empty() -> Directory {
    Directory::new(schema(), suffix(), &[], [0; 32])
}

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(Schema::embedded().expect("the embedded schema loads"))))
}

fn suffix() -> Dn {
    Dn::parse(b"dc=mercy,dc=example").expect("a DN")
}

/// Time stands still and every draw is the same.
struct Constant;

impl Clock for Constant {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_000_000_000_000)
    }

    fn monotonic(&self) -> u64 {
        1
    }
}

impl Entropy for Constant {
    fn fill(&self, target: &mut [u8]) {
        target.fill(5);
    }
}
