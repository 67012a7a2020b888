//! A disk in memory that fails as real ones do: power cuts that keep any part of what was not synced, failing syncs, no space left,
//! flipped octets. Everything it does follows from a seed.

use std::collections::BTreeMap;
use std::io;
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
    files: Vec<Content>,
    operations: u64,
    cut_at: Option<u64>,
    syncs_fail: bool,
    capacity: Option<u64>,
    random: u64,
}

#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    current: Vec<u8>,
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

    /// Power comes back: of what was not synced each sector and each change of a name or length is there or not, by chance.
    pub fn restart(&self) {
        let mut state = self.lock();
        let state = &mut *state;
        state.cut_at = None;
        for file in &mut state.files {
            file.survive(&mut state.random);
        }
        let before = std::mem::take(&mut state.durable_names);
        let mut after = before.clone();
        for (path, number) in &state.names {
            if before.get(path) != Some(number) && chance(&mut state.random) {
                after.insert(path.clone(), *number);
            }
        }
        for path in before.keys() {
            if !state.names.contains_key(path) && chance(&mut state.random) {
                after.remove(path);
            }
        }
        state.names = after.clone();
        state.durable_names = after;
    }

    /// Whether syncs fail from now on.
    pub fn fail_syncs(&self, fail: bool) {
        self.lock().syncs_fail = fail;
    }

    /// Octets all files may have together; none: no limit.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.lock().capacity = capacity;
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
        let copy =
            State { names: state.names.clone(), durable_names: state.names.clone(), files, random: seed, ..State::default() };
        SimulatedDisk { state: Arc::new(Mutex::new(copy)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn survive(&mut self, random: &mut u64) {
        let mut octets = std::mem::take(&mut self.durable);
        for pending in self.pending.drain(..) {
            match pending {
                Pending::Length(length) if chance(random) => octets.resize(length, 0),
                Pending::Length(_) => {}
                Pending::Write { offset, bytes } => write_some_sectors(&mut octets, offset, &bytes, random),
            }
        }
        self.current = octets.clone();
        self.durable = octets;
    }
}

fn write_some_sectors(octets: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut u64) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (sector, behind) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
        if chance(random) {
            write(octets, at, sector);
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
        self.names.get(path).and_then(|number| self.files.get(*number)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check_space(&self, number: usize, length: usize) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let used: u64 = self
            .names
            .values()
            .filter(|other| **other != number)
            .filter_map(|other| self.files.get(*other))
            .map(|file| file.current.len() as u64)
            .sum();
        if used + length as u64 > capacity { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
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
        state.durable_names.remove(from);
        state.durable_names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        state.names.remove(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.durable_names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        let state = &mut *state;
        state.durable_names.retain(|path, _| path.parent() != Some(folder));
        let present = state.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        state.durable_names.extend(present.map(|(path, number)| (path.clone(), *number)));
        Ok(())
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl SimulatedFile {
    /// Runs one writing operation on the content; one that power is cut in may still reach the disk in part.
    fn change(&self, length: Option<usize>, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.powered()?;
        let outcome = state.operate();
        if let Some(length) = length {
            state.check_space(self.number, length)?;
        }
        if let Some(file) = state.files.get_mut(self.number) {
            change(file);
        }
        outcome
    }
}

impl DiskFile for SimulatedFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.change(Some(offset + bytes.len()), |file| {
            write(&mut file.current, offset, bytes);
            file.pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
        })
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
        if state.syncs_fail {
            return Err(io::Error::other("simulated failure of a sync"));
        }
        if let Some(file) = state.files.get_mut(self.number) {
            file.durable = file.current.clone();
            file.pending.clear();
        }
        Ok(())
    }
}
