//! One seed: lives of a server that end in order, by a kill or by a power cut, and what the disk and sled's folder look like to the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bindery::directory::{IndexDeclaration, IndexKinds};
use bindery::model::Secret;
use bindery::model::schema::Schema;
use bindery::store::disk::SimulatedDisk;
use bindery::store::{Opened, StartNote, StoreOptions, create, open_with};
use bindery::world::{Disk as _, Entropy};

use crate::backup::Backup;
use crate::life::{self, Checked, Life, Memory};
use crate::model::Model;
use crate::random::Random;
use crate::tally::Tally;
use crate::world::{SimulatedClock, SimulatedEntropy};
use crate::{damage, verify};

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| Arc::new(Schema::embedded().unwrap()));

/// Copies of sled's folder that are kept for later.
const COPIES: usize = 2;

/// What became of a seed.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// A digest of everything that happened.
    pub(crate) history: String,
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Kill,
    PowerCut,
}

pub(crate) struct Machine {
    pub(crate) random: Random,
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Arc<SimulatedClock>,
    entropy: Arc<SimulatedEntropy>,
    pub(crate) options: StoreOptions,
    segment_octets: u64,
    pub(crate) folder: PathBuf,
    pub(crate) memory: Memory,
    /// Copies of sled's folder, oldest first.
    pub(crate) copies: Vec<PathBuf>,
    copied: u64,
    pub(crate) backup: Option<Backup>,
    /// How often something was restored.
    pub(crate) restored: u64,
}

/// Runs a seed in a folder of its own below `base`.
pub(crate) fn run(seed: u64, base: &Path) -> Result<Outcome, String> {
    let folder = tempfile::tempdir_in(base).map_err(|error| error.to_string())?;
    let mut machine = Machine::new(seed, folder.path())?;
    machine.run()?;
    let Memory { tally, history, .. } = machine.memory;
    Ok(Outcome { tally, history: history.finalize().to_hex().to_string() })
}

impl Machine {
    fn new(seed: u64, folder: &Path) -> Result<Machine, String> {
        let mut random = Random::new(seed);
        let data = folder.join("data");
        std::fs::create_dir(&data).map_err(|error| error.to_string())?;
        let disk = SimulatedDisk::new(random.next());
        let clock = Arc::new(SimulatedClock::new());
        let entropy = Arc::new(SimulatedEntropy::new(random.next()));
        let equality = IndexKinds { equality: true, ..IndexKinds::default() };
        let options = StoreOptions {
            data,
            seal_key: Secret::new(vec![42; 32]),
            key_file: None,
            schema: Arc::clone(&SCHEMA),
            suffix: life::suffix(),
            indexes: vec![IndexDeclaration { attribute: "uid".to_owned(), kinds: equality }],
            disk: Arc::new(disk.clone()),
            entropy: Arc::clone(&entropy) as _,
            clock: Arc::clone(&clock) as _,
            reserve: 0,
        };
        let memory = Memory {
            model: Model::default(),
            candidates: Vec::new(),
            power_was_cut: false,
            journal: options.data.join("journal"),
            marked: 0,
            history_of_content: Vec::new(),
            checkpoint_harmed: false,
            groups: Vec::new(),
            snapshots: Vec::new(),
            clients: 0,
            faulty: false,
            tally: Tally { seeds: 1, ..Tally::default() },
            history: blake3::Hasher::new(),
        };
        let segment_octets = random.pick(&[12_288, 24_576, 65_536]);
        let folder = folder.to_owned();
        Ok(Machine {
            random,
            disk,
            clock,
            entropy,
            options,
            segment_octets,
            folder,
            memory,
            copies: Vec::new(),
            copied: 0,
            backup: None,
            restored: 0,
        })
    }

    fn run(&mut self) -> Checked {
        create(&self.options).map_err(|error| format!("create: {error}"))?;
        let lives = 2 + self.random.below(4);
        for _ in 0..lives {
            let opened = self.open()?;
            self.live(opened)?;
            if self.random.percent(30) {
                self.back_up_or_restore()?;
            }
        }
        let opened = self.open()?;
        drop(opened);
        Ok(())
    }

    /// Starts, through power cuts while starting, and compares everything with the model.
    pub(crate) fn open(&mut self) -> Result<Opened, String> {
        for attempt in 0.. {
            let stream = self.random.next();
            if attempt < 3 && self.random.percent(15) {
                self.disk.cut_power_at(self.disk.operations() + self.random.below(5));
            }
            let opened = open_with(&self.options, self.segment_octets, &mut |_| {});
            self.entropy.go_on_with(stream);
            match opened {
                // Opening ends well without its mark: whoever goes on hears from the disk.
                Ok(_) | Err(_) if self.disk.is_off() => {
                    self.memory.tally.count("crashes while starting");
                    if self.random.percent(50) { self.cut_power() } else { self.disk.resume() }
                }
                Ok(opened) => {
                    self.look_at(&opened)?;
                    return Ok(opened);
                }
                Err(error) => return Err(format!("does not start: {error}")),
            }
        }
        unreachable!("attempts without a cut end it");
    }

    fn cut_power(&mut self) {
        self.disk.restart();
        self.memory.power_was_cut = true;
        self.memory.marked = 0;
    }

    fn look_at(&mut self, opened: &Opened) -> Checked {
        for note in &opened.notes {
            self.memory.tally.count(match note {
                StartNote::TornTail { .. } => "starts that cut off a torn tail",
                StartNote::Replayed { .. } => "starts that replayed frames",
                StartNote::Rebuilt { .. } => "starts that rebuilt the checkpoint",
                StartNote::Damaged(_) => "starts that stepped over damage they did not need",
                StartNote::FormatRewritten => "starts that wrote the format file anew",
                StartNote::SnapshotDamaged { .. } => "starts that passed over a damaged snapshot",
                #[allow(unreachable_patterns, reason = "notes that say more come without faults that are injected here")]
                _ => "starts with another note",
            });
        }
        for note in &opened.notes {
            match note {
                StartNote::Rebuilt { .. } if !self.memory.checkpoint_harmed => return Err(format!("for nothing: {note}")),
                StartNote::SnapshotDamaged { .. } if self.memory.snapshots.iter().all(|(_, is_whole)| *is_whole) => {
                    return Err(format!("nobody damaged it: {note}"));
                }
                _ => {}
            }
        }
        self.memory.checkpoint_harmed = false;
        verify::journal(&self.options, &mut self.memory)?;
        verify::content(&opened.directory, &self.memory.model)
    }

    fn live(&mut self, opened: Opened) -> Checked {
        let entropy = Arc::clone(&self.entropy) as Arc<dyn Entropy>;
        let mut life = Life::new(opened, (self.disk.clone(), Arc::clone(&self.clock), entropy), &mut self.memory);
        let steps = 6 + self.random.below(110);
        if self.random.percent(40) {
            self.disk.cut_power_at(self.disk.operations() + self.random.below(60));
        }
        let mut started = false;
        for _ in 0..steps {
            if !started {
                life.start(&mut self.memory)?;
                started = !self.memory.model.entries.is_empty();
            } else {
                life.step(&mut self.random, &mut self.memory)?;
            }
            if self.disk.is_off() {
                break;
            }
            change_faults(&mut self.random, &self.disk, &mut self.memory);
        }
        let end = match () {
            () if self.disk.is_off() => self.random.pick(&[End::Kill, End::PowerCut, End::PowerCut]),
            () if self.random.percent(30) && started => End::InOrder,
            () => self.random.pick(&[End::Kill, End::Kill, End::PowerCut]),
        };
        life::note(&mut self.memory, &format!("end {}", end as u8));
        if end == End::InOrder {
            end_faults(&self.disk, &mut self.memory);
            life.settle(&mut self.random, &mut self.memory)?;
        }
        self.end(life, if end == End::InOrder && self.disk.is_off() { End::PowerCut } else { end })
    }

    fn end(&mut self, life: Life, end: End) -> Checked {
        if end == End::InOrder {
            life.stop();
            self.memory.tally.count("ends in order");
        } else {
            // From here on the process reaches nothing any more.
            self.disk.cut_power_at(self.disk.operations().saturating_sub(1));
            drop(life);
        }
        match end {
            End::InOrder => self.disk.resume(),
            End::Kill => {
                self.memory.tally.count("crashes by kill");
                self.disk.resume();
            }
            End::PowerCut => {
                self.memory.tally.count("crashes by power cut");
                self.cut_power();
            }
        }
        end_faults(&self.disk, &mut self.memory);
        if self.random.percent(20) {
            self.damage_snapshot();
        }
        if self.random.percent(25) {
            let with_checkpoint = self.random.percent(70);
            damage::probe(&self.options, self.segment_octets, &self.disk, with_checkpoint, &mut self.random, &mut self.memory)?;
        }
        self.change_checkpoint()
    }
}

impl Machine {
    /// Chooses what became of sled's folder: nothing says that what it wrote got to the disk.
    fn change_checkpoint(&mut self) -> Checked {
        let sled = self.options.data.join("sled");
        if !sled.exists() {
            return Ok(());
        }
        let fate = self.random.below(100);
        if self.random.percent(40) {
            self.keep_copy(&sled)?;
        }
        let earlier = (!self.copies.is_empty()).then(|| self.random.pick(&self.copies));
        let database = sled.join("db");
        self.memory.checkpoint_harmed = fate <= 43;
        match (fate, earlier) {
            (0..=14, Some(copy)) => {
                self.memory.tally.count("checkpoints replaced by an earlier one");
                remove(&sled)?;
                copy_folder(&copy, &sled)
            }
            (15..=19, _) => {
                self.memory.tally.count("checkpoints lost");
                remove(&sled)
            }
            (20..=23, _) => {
                self.memory.tally.count("checkpoints without their file");
                std::fs::remove_file(&database).map_err(|error| error.to_string())
            }
            (24..=31, _) => {
                self.memory.tally.count("checkpoints cut");
                let length = std::fs::metadata(&database).map_err(|error| error.to_string())?.len();
                let file = std::fs::OpenOptions::new().write(true).open(&database).map_err(|error| error.to_string())?;
                file.set_len(self.random.below(length)).map_err(|error| error.to_string())
            }
            (32..=43, _) => {
                self.memory.tally.count("checkpoints with flipped octets");
                let mut octets = std::fs::read(&database).map_err(|error| error.to_string())?;
                let written: Vec<usize> = (0..octets.len()).filter(|at| octets[*at] != 0).collect();
                for _ in 0..1 + self.random.below(3) {
                    let at = self.random.pick(&written);
                    octets[at] ^= 1 << self.random.below(8);
                }
                std::fs::write(&database, octets).map_err(|error| error.to_string())
            }
            _ => Ok(()),
        }
    }

    /// Flips an octet of the newest snapshot, unless another one is damaged already: the content stands in the older one too.
    fn damage_snapshot(&mut self) {
        let whole = |snapshots: &[(u64, bool)]| snapshots.iter().rev().take(2).all(|(_, is_whole)| *is_whole);
        let Some((sequence, _)) = self.memory.snapshots.last().copied().filter(|_| whole(&self.memory.snapshots)) else { return };
        let path = self.options.data.join("snapshots").join(format!("snapshot-{sequence:020}"));
        let Ok(octets) = self.disk.read(&path) else { return };
        let at = self.random.below(octets.len() as u64) as usize;
        if self.disk.flip(&path, at, 1 << self.random.below(8)) {
            self.memory.tally.count("snapshots with flipped octets");
            self.memory.snapshots.pop();
            self.memory.snapshots.push((sequence, false));
        }
    }

    fn keep_copy(&mut self, sled: &Path) -> Checked {
        self.copied += 1;
        let copy = self.folder.join(format!("copy-{}", self.copied));
        copy_folder(sled, &copy)?;
        self.copies.push(copy);
        if self.copies.len() > COPIES { remove(&self.copies.remove(0)) } else { Ok(()) }
    }
}

/// A fault of the disk comes, or the one that is there goes.
fn change_faults(random: &mut Random, disk: &SimulatedDisk, memory: &mut Memory) {
    if memory.faulty {
        if random.percent(20) {
            end_faults(disk, memory);
        }
        return;
    }
    let (what, begin): (_, &dyn Fn(u64)) = match random.below(100) {
        0 => ("spells of failing syncs", &|_| disk.fail_syncs(true)),
        1 => ("spells of failing writes", &|_| disk.fail_writes(true)),
        2..=3 => ("spells of a full disk", &|left| disk.set_capacity(Some(disk.used() + left))),
        _ => return,
    };
    memory.tally.count(what);
    memory.faulty = true;
    begin(random.below(4096));
}

fn end_faults(disk: &SimulatedDisk, memory: &mut Memory) {
    disk.fail_syncs(false);
    disk.fail_writes(false);
    disk.set_capacity(None);
    memory.faulty = false;
}

fn remove(folder: &Path) -> Checked {
    std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Copies a folder with all below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Checked {
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for item in std::fs::read_dir(from)? {
            let item = item?;
            let target = to.join(item.file_name());
            if item.file_type()?.is_dir() {
                copy_folder(&item.path(), &target).map_err(std::io::Error::other)?;
            } else {
                std::fs::copy(item.path(), target)?;
            }
        }
        Ok(())
    };
    copy().map_err(|error| format!("{}: {error}", from.display()))
}
