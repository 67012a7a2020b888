//! A disk in memory that fails as real ones do: power cuts that keep any part of what was not synced, in any order, and tear sectors;
//! syncs that fail and drop what they were to write; writes that fail; no space left; flipped octets. Everything it does follows from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::world::{Disk, DiskFile};

/// What a device writes whole or not at all.
const SECTOR: usize = 512;

/// The disk. Clones share it.
#[derive(Clone, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// What took the durable names to the present ones.
    pending_names: Vec<Naming>,
    files: Vec<Content>,
    operations: u64,
    cut_at: Option<u64>,
    syncs_fail: bool,
    writes_fail: bool,
    capacity: Option<u64>,
    available: Option<u64>,
    random: u64,
    unreadable: BTreeSet<PathBuf>,
    /// Of each file: which of all operations it was, and where it went.
    last_writes: BTreeMap<usize, (u64, Range<u64>)>,
}

/// A change of names, there whole or not at all.
enum Naming {
    Made(PathBuf, usize),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    /// What a reader sees: the page cache.
    current: Vec<u8>,
    /// What the next sync writes.
    pending: Vec<Pending>,
}

enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl SimulatedDisk {
    /// An empty disk whose accidents follow from `seed`.
    pub fn new(seed: u64) -> SimulatedDisk {
        let disk = SimulatedDisk::default();
        disk.lock().random = seed;
        disk
    }

    /// Writing operations (writes, syncs, changes of names and lengths) so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// From the operation with this number on (counted from 0) everything fails, until [`SimulatedDisk::restart`].
    pub fn cut_power_at(&self, operation: u64) {
        self.lock().cut_at = Some(operation);
    }

    /// Whether everything fails because power was cut.
    pub fn is_off(&self) -> bool {
        self.lock().powered().is_err()
    }

    /// Power comes back: of what was not synced each sector and each change of a name or length is there or not, by chance, and some
    /// sectors are there in part.
    pub fn restart(&self) {
        let mut state = self.lock();
        let state = &mut *state;
        state.cut_at = None;
        for file in &mut state.files {
            file.settle(&mut state.random);
            file.current.clone_from(&file.durable);
        }
        for naming in std::mem::take(&mut state.pending_names) {
            if chance(&mut state.random) {
                naming.apply(&mut state.durable_names);
            }
        }
        state.names.clone_from(&state.durable_names);
    }

    /// Everything works again, and nothing that was written is lost: not power went, but the process that wrote.
    pub fn resume(&self) {
        self.lock().cut_at = None;
    }

    /// Whether syncs fail from now on. What a failing sync was to write is there or not by chance, and no later sync writes it: the page
    /// cache holds it as clean.
    pub fn fail_syncs(&self, fail: bool) {
        self.lock().syncs_fail = fail;
    }

    /// Whether writes fail from now on, each somewhere in the middle.
    pub fn fail_writes(&self, fail: bool) {
        self.lock().writes_fail = fail;
    }

    /// From now on reading this file fails, as from a medium that is worn out.
    pub fn wear_out(&self, path: &Path) {
        self.lock().unreadable.insert(path.to_owned());
    }

    /// Octets all files may have together; none: no limit.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.lock().capacity = capacity;
    }

    /// Octets all files have together.
    pub fn used(&self) -> u64 {
        self.lock().used(None)
    }

    /// Where the last write to a file that lies directly in a folder went: the file and the octets of it.
    pub fn last_write(&self, folder: &Path) -> Option<(PathBuf, Range<u64>)> {
        let state = self.lock();
        let files = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let writes = files.filter_map(|(path, number)| Some((path, state.last_writes.get(number)?)));
        let (path, (_, octets)) = writes.max_by_key(|(_, (operation, _))| *operation)?;
        Some((path.clone(), octets.clone()))
    }

    /// Cuts a file for good. False where it is not longer.
    pub fn shorten(&self, path: &Path, length: usize) -> bool {
        let mut state = self.lock();
        let Some(file) = state.names.get(path).copied().and_then(|number| state.files.get_mut(number)) else { return false };
        let is_longer = file.current.len() > length;
        file.durable.truncate(length);
        file.current.truncate(length);
        is_longer
    }

    /// What the disk says is free, whatever it takes; none: what `set_capacity` leaves.
    pub fn set_available(&self, available: Option<u64>) {
        self.lock().available = available;
    }

    /// Inverts bits of one octet for good. False where the file has no such octet.
    pub fn flip(&self, path: &Path, at: usize, bits: u8) -> bool {
        let mut state = self.lock();
        let Some(file) = state.names.get(path).copied().and_then(|number| state.files.get_mut(number)) else { return false };
        for octets in [&mut file.durable, &mut file.current] {
            match octets.get_mut(at) {
                Some(octet) => *octet ^= bits,
                None => return false,
            }
        }
        true
    }

    /// A copy with the same content and other accidents ahead.
    pub fn copy(&self, seed: u64) -> SimulatedDisk {
        let state = self.lock();
        let files = state
            .files
            .iter()
            .map(|file| Content { durable: file.current.clone(), current: file.current.clone(), pending: Vec::new() })
            .collect();
        let names = || state.names.clone();
        let copy = State { names: names(), durable_names: names(), files, random: seed, ..State::default() };
        SimulatedDisk { state: Arc::new(Mutex::new(copy)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Naming::Made(path, number) => _ = names.insert(path, number),
            Naming::Removed(path) => _ = names.remove(&path),
            Naming::Renamed(from, to) => {
                if let Some(number) = names.remove(&from) {
                    names.insert(to, number);
                }
            }
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Naming::Made(path, _) | Naming::Removed(path) | Naming::Renamed(_, path) => path.parent(),
        }
    }
}

impl Content {
    /// Everything that waits gets to the device.
    fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            match pending {
                Pending::Length(length) => self.durable.resize(length, 0),
                Pending::Write { offset, bytes } => write(&mut self.durable, offset, &bytes),
            }
        }
    }

    /// Some of what waits gets to the device, the rest is dropped.
    fn settle(&mut self, random: &mut u64) {
        for pending in self.pending.drain(..) {
            match pending {
                Pending::Length(length) if chance(random) => self.durable.resize(length, 0),
                Pending::Length(_) => {}
                Pending::Write { offset, bytes } => write_some_sectors(&mut self.durable, offset, &bytes, random),
            }
        }
    }
}

fn write_some_sectors(octets: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut u64) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (sector, behind) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
        if chance(random) {
            write(octets, at, sector);
        } else if (0..4).all(|_| chance(random)) {
            // Torn: the device promised more than it kept.
            write(octets, at, sector.split_at(sector.len() / 2).0);
        }
        at += sector.len();
        rest = behind;
    }
}

fn write(octets: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if octets.len() < end {
        octets.resize(end, 0);
    }
    if let Some(place) = octets.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// A fair coin (xorshift).
fn chance(random: &mut u64) -> bool {
    *random ^= 0x9e37_79b9_7f4a_7c15;
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random & 16 == 0
}

impl State {
    /// Counts one writing operation. `Err` once power is off.
    fn operate(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.cut_at {
            Some(cut) if number >= cut => Err(io::Error::other("power is off")),
            _ => Ok(()),
        }
    }

    fn powered(&self) -> io::Result<()> {
        match self.cut_at {
            Some(cut) if self.operations > cut => Err(io::Error::other("power is off")),
            _ => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<&Content> {
        self.powered()?;
        if self.unreadable.contains(path) {
            return Err(rustix::io::Errno::IO.into());
        }
        self.names.get(path).and_then(|number| self.files.get(*number)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&mut self, folder: &Path) -> io::Result<()> {
        self.operate()?;
        if self.syncs_fail {
            return Err(failed("sync"));
        }
        let (here, elsewhere) = std::mem::take(&mut self.pending_names).into_iter().partition(|it| it.folder() == Some(folder));
        self.pending_names = elsewhere;
        let here: Vec<Naming> = here;
        here.into_iter().for_each(|naming| naming.apply(&mut self.durable_names));
        Ok(())
    }

    fn check_space(&self, number: usize, length: usize) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        // What is reserved already takes nothing more.
        if self.files.get(number).is_some_and(|file| length <= file.current.len()) {
            return Ok(());
        }
        if self.used(Some(number)) + length as u64 > capacity { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Octets of all files but this one.
    fn used(&self, but: Option<usize>) -> u64 {
        let others = self.names.values().filter(|number| Some(**number) != but);
        others.filter_map(|number| self.files.get(*number)).map(|file| file.current.len() as u64).sum()
    }
}

fn failed(what: &str) -> io::Error {
    io::Error::other(format!("simulated failure of a {what}"))
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        state.powered()?;
        let number = match state.names.get(path) {
            Some(number) => *number,
            None => {
                state.operate()?;
                state.files.push(Content::default());
                let number = state.files.len() - 1;
                state.names.insert(path.to_owned(), number);
                state.pending_names.push(Naming::Made(path.to_owned(), number));
                number
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.lock().file(path)?.current.clone())
    }

    fn read_front(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        Ok(self.lock().file(path)?.current.iter().take(length).copied().collect())
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        Ok(self.lock().file(path)?.current.iter().skip(offset).take(length).copied().collect())
    }

    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Ok(Box::new(io::Cursor::new(self.read(path)?)))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(self.lock().file(path)?.current.len() as u64)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.lock();
        state.powered()?;
        Ok(state.names.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        self.lock().operate()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        let number = state.names.remove(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.names.insert(to.to_owned(), number);
        // A rename replaces what waits for the old name: the file is never without a name.
        let state = &mut *state;
        state.pending_names.retain(|naming| match naming {
            Naming::Made(path, made) if path == from && *made == number => {
                state.durable_names.insert(path.clone(), number);
                false
            }
            _ => true,
        });
        state.pending_names.push(Naming::Renamed(from.to_owned(), to.to_owned()));
        for folder in [to.parent(), from.parent()].into_iter().flatten() {
            state.sync_names(folder)?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        state.names.remove(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.pending_names.push(Naming::Removed(path.to_owned()));
        path.parent().map_or(Ok(()), |folder| state.sync_names(folder))
    }

    fn available(&self, _folder: &Path) -> io::Result<u64> {
        let state = self.lock();
        state.powered()?;
        if let Some(available) = state.available {
            return Ok(available);
        }
        Ok(state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used(None))))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.lock().sync_names(folder)
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl SimulatedFile {
    /// Runs one writing operation on the content; one that power is cut in, or the process is killed in, happens or not.
    fn change(&self, length: Option<usize>, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.powered()?;
        let outcome = state.operate();
        if let Some(length) = length {
            state.check_space(self.number, length)?;
        }
        let state = &mut *state;
        if let Some(file) = state.files.get_mut(self.number).filter(|_| outcome.is_ok() || chance(&mut state.random)) {
            change(file);
        }
        outcome
    }
}

impl DiskFile for SimulatedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let fails = self.disk.lock().writes_fail;
        let bytes = if fails { bytes.split_at(bytes.len() / 2).0 } else { bytes };
        self.change(Some(offset + bytes.len()), |file| {
            write(&mut file.current, offset, bytes);
            file.pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
        })?;
        let mut state = self.disk.lock();
        let write = (state.operations, offset as u64..(offset + bytes.len()) as u64);
        state.last_writes.insert(self.number, write);
        drop(state);
        if fails { Err(failed("write")) } else { Ok(()) }
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let present = self.length()?;
        if length > present { self.set_length(length) } else { Ok(()) }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.change(Some(length), |file| {
            file.current.resize(length, 0);
            file.pending.push(Pending::Length(length));
        })
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        state.powered()?;
        Ok(state.files.get(self.number).map_or(0, |file| file.current.len() as u64))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.powered()?;
        state.operate()?;
        let state = &mut *state;
        let Some(file) = state.files.get_mut(self.number) else { return Ok(()) };
        if state.syncs_fail {
            file.settle(&mut state.random);
            return Err(failed("sync"));
        }
        file.sync();
        Ok(())
    }
}
