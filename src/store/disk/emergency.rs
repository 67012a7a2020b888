//! A second disk for the journal's segments: in an emergency new ones are made there, and whoever reads the journal finds those of both.
//!
//! ```text
//! data/journal/NAME ─► is it in the emergency folder? ─► that one
//!                      otherwise                      ─► the one in its place; a new one is made there only while that is asked for
//! ```
//!
//! A name that is in both is that of the emergency folder: what stands in its place is a file that was given up, or a copy that is being
//! made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::world::{Disk, DiskFile, EmergencyCall, EmergencyFolder};

/// The file in the emergency folder by which somebody asks: who on the first line, why on the second.
pub const CALL_FILE: &str = "call";
/// What a segment's name ends with.
const SEGMENT: &str = ".segment";
/// Of a copy that is being made: what a crash leaves of it goes with what else was not finished.
const COPY: &str = "back.segment.new";
/// Octets copied at once.
const PART: usize = 1024 * 1024;
/// Most octets of a call that are read.
const LONGEST_CALL: usize = 4096;

/// Two disks that look like one.
pub struct EmergencyDisk {
    first: Arc<dyn Disk>,
    second: Arc<Second>,
}

struct Second {
    first: Arc<dyn Disk>,
    disk: Arc<dyn Disk>,
    /// Where segments are, by all names.
    journal: PathBuf,
    /// Where those of an emergency are.
    folder: PathBuf,
    is_on: AtomicBool,
    /// Names in the ordinary place that cannot be removed there, because that disk takes no writes.
    gone: Mutex<BTreeSet<OsString>>,
    /// Held while a file takes the place of another.
    replacing: Mutex<()>,
}

impl EmergencyDisk {
    /// `journal`: the folder of the segments on the first disk; `folder`: where they are in an emergency, on the second.
    pub fn new(first: Arc<dyn Disk>, disk: Arc<dyn Disk>, journal: PathBuf, folder: PathBuf) -> EmergencyDisk {
        let second = Second {
            first: Arc::clone(&first),
            disk,
            journal,
            folder,
            is_on: AtomicBool::new(false),
            gone: Mutex::default(),
            replacing: Mutex::default(),
        };
        EmergencyDisk { first, second: Arc::new(second) }
    }

    /// The disk a path is on, and the path there.
    fn place(&self, path: &Path) -> io::Result<(&dyn Disk, PathBuf)> {
        let Some(name) = self.second.name(path) else { return Ok((&*self.first, path.to_owned())) };
        if self.second.has(name) {
            return Ok((&*self.second.disk, self.second.folder.join(name)));
        }
        if self.second.is_gone(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((&*self.first, path.to_owned()))
    }

    fn is_journal(&self, folder: &Path) -> bool {
        folder == self.second.journal
    }
}

impl Second {
    /// What a file directly in the folder of segments is called.
    fn name<'p>(&self, path: &'p Path) -> Option<&'p OsStr> {
        path.file_name().filter(|_| path.parent() == Some(&self.journal))
    }

    fn has(&self, name: &OsStr) -> bool {
        self.disk.length(&self.folder.join(name)).is_ok()
    }

    fn is_gone(&self, name: &OsStr) -> bool {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Names of what belongs to the journal.
    fn names(&self) -> io::Result<Vec<OsString>> {
        let paths = match self.disk.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        let names = paths.iter().filter_map(|path| path.file_name()).filter(|name| *name != OsStr::new(CALL_FILE));
        Ok(names.map(OsStr::to_owned).collect())
    }

    fn take_one_back(&self, name: &OsStr) -> io::Result<()> {
        let _replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has(name) {
            return Ok(());
        }
        let (from, to) = (self.folder.join(name), self.journal.join(name));
        let copy = to.with_extension(COPY);
        let mut source = self.disk.reader(&from)?;
        let target = self.first.open(&copy)?;
        target.set_length(0)?;
        let (mut part, mut at) = (vec![0; PART], 0_u64);
        loop {
            let read = source.read(&mut part)?;
            if read == 0 {
                break;
            }
            target.write_all_at(part.get(..read).unwrap_or_default(), at)?;
            at = at.saturating_add(read as u64);
        }
        target.sync_data()?;
        drop(target);
        self.first.rename(&copy, &to)?;
        self.disk.remove(&from)?;
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}

impl Disk for EmergencyDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(name) = self.second.name(path).filter(|_| self.second.is_on()) {
            let stands = !self.second.is_gone(name) && self.first.length(path).is_ok();
            if !stands || self.second.has(name) {
                return self.second.disk.open(&self.second.folder.join(name));
            }
        }
        match self.place(path) {
            Ok((disk, path)) => disk.open(&path),
            // It takes writes again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.first.open(path),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.place(path).and_then(|(disk, path)| disk.read(&path))
    }

    fn read_front(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        self.place(path).and_then(|(disk, path)| disk.read_front(&path, length))
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.place(path).and_then(|(disk, path)| disk.read_part(&path, offset, length))
    }

    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        self.place(path).and_then(|(disk, path)| disk.reader(&path))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.place(path).and_then(|(disk, path)| disk.length(&path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut all: BTreeSet<PathBuf> = self.first.list(folder)?.into_iter().collect();
        if self.is_journal(folder) {
            all.retain(|path| path.file_name().is_none_or(|name| !self.second.is_gone(name)));
            all.extend(self.second.names()?.iter().map(|name| folder.join(name)));
        }
        Ok(all.into_iter().collect())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.first.create_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (Some(source), Some(target)) = (self.second.name(from), self.second.name(to)) else {
            return self.first.rename(from, to);
        };
        let _replacing = self.second.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.second.has(source) {
            return self.second.disk.rename(&self.second.folder.join(source), &self.second.folder.join(target));
        }
        self.first.rename(from, to)?;
        if self.second.has(target) { self.second.disk.remove(&self.second.folder.join(target)) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let Some(name) = self.second.name(path) else { return self.first.remove(path) };
        let in_second = self.second.has(name);
        if in_second {
            self.second.disk.remove(&self.second.folder.join(name))?;
        }
        match self.first.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && in_second => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound && self.second.is_on() => {
                self.second.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
                Ok(())
            }
            done => done,
        }
    }

    fn available(&self, folder: &Path) -> io::Result<u64> {
        self.first.available(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.is_journal(folder) && self.second.is_on() {
            return self.second.disk.sync_folder(&self.second.folder);
        }
        self.first.sync_folder(folder)
    }

    fn emergency(&self) -> Option<Arc<dyn EmergencyFolder>> {
        Some(Arc::clone(&self.second) as Arc<dyn EmergencyFolder>)
    }
}

impl EmergencyFolder for Second {
    fn call(&self) -> Option<EmergencyCall> {
        let octets = self.disk.read_front(&self.folder.join(CALL_FILE), LONGEST_CALL).ok()?;
        let text = String::from_utf8_lossy(&octets);
        let (by, reason) = text.split_once('\n')?;
        Some(EmergencyCall { by: by.trim().to_owned(), reason: reason.trim().to_owned() }).filter(|call| !call.reason.is_empty())
    }

    fn forget_call(&self) {
        // Where it stays, the next emergency begins by itself; the record says who asked for it.
        let _ = self.disk.remove(&self.folder.join(CALL_FILE));
    }

    fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    fn turn(&self, on: bool) {
        self.is_on.store(on, Ordering::Release);
    }

    fn available(&self) -> io::Result<u64> {
        self.disk.available(&self.folder)
    }

    fn holds_segments(&self) -> bool {
        self.names().is_ok_and(|names| !names.is_empty())
    }

    fn take_back(&self) -> io::Result<()> {
        for name in self.names()? {
            if self.is_on() {
                return Ok(());
            }
            if name.as_encoded_bytes().ends_with(SEGMENT.as_bytes()) {
                self.take_one_back(&name)?;
            } else {
                self.disk.remove(&self.folder.join(name))?;
            }
        }
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.folder
    }
}
