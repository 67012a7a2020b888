//! A disk with a volatile write cache and a mains switch: a file served over FUSE, behind a loop device.
//!
//! What is written is seen at once, and is on the medium only after the next FSYNC (which is what a loop device makes of a flush). At the
//! cut some of what was written since stays, in any combination: whole writes, blocks or sectors. From then on nothing reaches the medium
//! any more, while the kernel, which knows nothing of it, is told what it wants to hear until it has unmounted.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use crate::common::random::Random;
use crate::load::Gate;

/// The one file in the folder it is served in.
pub(crate) const FILE: &str = "disk";

const BLOCK: usize = 4096;
const SECTOR: usize = 512;
const FOREVER: Duration = Duration::from_secs(1 << 30);

#[derive(Clone)]
pub(crate) struct Device(Arc<Mutex<State>>);

struct State {
    medium: Vec<u8>,
    /// Blocks that look different from what is on the medium.
    seen: BTreeMap<u64, Box<[u8]>>,
    /// Written since the last flush, in order.
    pending: Vec<Write>,
    is_cut: bool,
    plan: Option<Plan>,
    counts: Counts,
}

struct Write {
    offset: usize,
    octets: Vec<u8>,
}

/// What the device was asked for.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) writes: u64,
    pub(crate) flushes: u64,
    /// Octets that were pending at the last cut, and how many of them stayed.
    pub(crate) pending: u64,
    pub(crate) stayed: u64,
}

/// When the power goes, and what stays of what is pending then.
pub(crate) struct Plan {
    /// After so many more writes.
    pub(crate) writes: u64,
    pub(crate) stays: Stays,
    pub(crate) random: Random,
    /// Closed at the cut: what is acknowledged afterwards does not count.
    pub(crate) gate: Gate,
}

/// What stays of pending writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stays {
    Nothing,
    Everything,
    /// Each write as a whole, or not.
    SomeWrites,
    /// Each block of 4096 octets of its own, or not.
    SomeBlocks,
    /// Each sector of 512 octets of its own, or not.
    SomeSectors,
    /// All sectors but one.
    AllButOneSector,
}

impl Stays {
    pub(crate) const ALL: [Stays; 6] =
        [Stays::Nothing, Stays::Everything, Stays::SomeWrites, Stays::SomeBlocks, Stays::SomeSectors, Stays::AllButOneSector];
}

impl Device {
    pub(crate) fn new(octets: usize) -> Device {
        Device(Arc::new(Mutex::new(State {
            medium: vec![0; octets],
            seen: BTreeMap::new(),
            pending: Vec::new(),
            is_cut: false,
            plan: None,
            counts: Counts::default(),
        })))
    }

    /// Serves it as `FOLDER/disk`.
    pub(crate) fn serve(&self, folder: &Path) -> io::Result<BackgroundSession> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("bindery-power-cut".to_owned()), MountOption::RW];
        fuser::spawn_mount(Server(self.clone()), folder, &config)
    }

    /// The power will go.
    pub(crate) fn plan_cut(&self, plan: Plan) {
        self.lock().plan = Some(plan);
    }

    /// The power goes now, if it is not gone.
    pub(crate) fn cut_now(&self) {
        self.lock().cut();
    }

    /// The power is back: what is seen is what is on the medium.
    pub(crate) fn restore(&self) {
        let mut state = self.lock();
        state.seen.clear();
        state.pending.clear();
        state.plan = None;
        state.is_cut = false;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        let end = (offset + length).min(self.medium.len());
        let mut octets = self.medium.get(offset..end).unwrap_or_default().to_vec();
        let blocks = (offset / BLOCK) as u64..end.div_ceil(BLOCK) as u64;
        if blocks.is_empty() {
            return octets;
        }
        for (number, block) in self.seen.range(blocks) {
            let at = *number as usize * BLOCK;
            let (from, to) = (at.max(offset), (at + BLOCK).min(end));
            octets[from - offset..to - offset].copy_from_slice(&block[from - at..to - at]);
        }
        octets
    }

    fn write(&mut self, offset: usize, octets: &[u8]) {
        self.counts.writes += 1;
        if let Some(plan) = &mut self.plan {
            plan.writes = plan.writes.saturating_sub(1);
        }
        self.show(offset, octets);
        if !self.is_cut {
            self.pending.push(Write { offset, octets: octets.to_vec() });
        }
        if self.plan.as_ref().is_some_and(|plan| plan.writes == 0) {
            self.cut();
        }
    }

    fn show(&mut self, offset: usize, octets: &[u8]) {
        let end = (offset + octets.len()).min(self.medium.len());
        for number in offset / BLOCK..end.div_ceil(BLOCK) {
            let at = number * BLOCK;
            let (from, to) = (at.max(offset), (at + BLOCK).min(end));
            let medium = &self.medium;
            let block = self.seen.entry(number as u64).or_insert_with(|| medium[at..at + BLOCK].into());
            block[from - at..to - at].copy_from_slice(&octets[from - offset..to - offset]);
        }
    }

    fn flush(&mut self) {
        self.counts.flushes += 1;
        if self.is_cut {
            return;
        }
        for Write { offset, octets } in std::mem::take(&mut self.pending) {
            self.medium[offset..offset + octets.len()].copy_from_slice(&octets);
        }
        self.seen.clear();
    }

    fn cut(&mut self) {
        if self.is_cut {
            return;
        }
        self.is_cut = true;
        let pending = std::mem::take(&mut self.pending);
        let Some(Plan { stays, mut random, gate, .. }) = self.plan.take() else { return };
        gate.close();
        let part = match stays {
            Stays::SomeSectors | Stays::AllButOneSector => SECTOR,
            Stays::SomeWrites => usize::MAX,
            Stays::Nothing | Stays::Everything | Stays::SomeBlocks => BLOCK,
        };
        let parts: usize = pending.iter().map(|write| write.octets.len().div_ceil(part)).sum();
        let lost = random.below(parts as u64) as usize;
        // Of ten parts so many stay.
        let share = 1 + random.below(9);
        self.counts.pending = pending.iter().map(|write| write.octets.len() as u64).sum();
        self.counts.stayed = 0;
        let mut number = 0;
        for write in &pending {
            for (index, octets) in write.octets.chunks(part).enumerate() {
                let kept = match stays {
                    Stays::Nothing => false,
                    Stays::Everything => true,
                    Stays::AllButOneSector => number != lost,
                    Stays::SomeWrites | Stays::SomeBlocks | Stays::SomeSectors => random.below(10) < share,
                };
                number += 1;
                if kept {
                    let at = write.offset + index.saturating_mul(part);
                    self.medium[at..at + octets.len()].copy_from_slice(octets);
                    self.counts.stayed += octets.len() as u64;
                }
            }
        }
        // Until it has unmounted, the kernel goes on seeing what it wrote.
        for Write { offset, octets } in pending {
            self.show(offset, &octets);
        }
    }
}

struct Server(Device);

impl Server {
    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let size = self.0.lock().medium.len() as u64;
        let (kind, perm, size) = match u64::from(inode) {
            1 => (FileType::Directory, 0o700, 0),
            2 => (FileType::RegularFile, 0o600, size),
            _ => return None,
        };
        let blocks = size.div_ceil(SECTOR as u64);
        Some(FileAttr {
            ino: inode,
            size,
            blocks,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: BLOCK as u32,
            flags: 0,
        })
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(INodeNo(2)).filter(|_| u64::from(parent) == 1 && name == FILE) {
            Some(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// Past the page cache: after a cut nothing older or newer than the medium may be read.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let octets = self.0.lock().read(offset as usize, size as usize);
        reply.data(&octets);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.0.lock();
        if offset as usize + data.len() > state.medium.len() {
            return reply.error(Errno::ENOSPC);
        }
        state.write(offset as usize, data);
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // A close, which makes nothing durable.
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.0.lock().flush();
        reply.ok();
    }
}
