//! The real disk: std's files, with preallocation and folder syncs. The simulated one for tests of damage is in `simulated`; `emergency` puts a
//! second one beside it for the journal.

mod emergency;
mod simulated;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

pub use emergency::{CALL_FILE, EmergencyDisk};
pub use simulated::SimulatedDisk;

use crate::world::{Disk, DiskFile};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

struct RealFile(File);

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_front(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut octets = Vec::with_capacity(length);
        File::open(path)?.take(length as u64).read_to_end(&mut octets)?;
        Ok(octets)
    }

    fn read_part(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(io::SeekFrom::Start(offset))?;
        let mut octets = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut octets)?;
        Ok(octets)
    }

    fn reader(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Ok(Box::new(File::open(path)?))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(folder)?.map(|item| item.map(|item| item.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Each new name stands in the folder above it; one that was there may not have been synced by who made it.
        missing.iter().try_for_each(|made| sync_parent(made))?;
        sync_parent(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        sync_parent(to)?;
        if from.parent() == to.parent() { Ok(()) } else { sync_parent(from) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        sync_parent(path)
    }

    fn available(&self, folder: &Path) -> io::Result<u64> {
        let found = statvfs(folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Whether reading failed because of what the file lies on, as opposed to rights, limits of the process, or a file that is gone.
pub(super) fn is_of_medium(error: &io::Error) -> bool {
    let medium = [Errno::IO, Errno::BADMSG, Errno::UCLEAN, Errno::ILSEQ, Errno::NODATA, Errno::REMOTEIO];
    Errno::from_io_error(error).is_some_and(|error| medium.contains(&error))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

impl DiskFile for RealFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            // A file system that cannot reserve: the file is made longer, and space may run out at a write instead.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) if self.length()? < length => self.set_length(length),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
