//! File systems of their own: ext4 on the device whose power can be cut, and small ones that fill up. Unmounted when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fuser::BackgroundSession;

use crate::device::{Device, FILE};

/// Octets of the disk whose power is cut. Memory is taken for what was written alone.
const DISK_OCTETS: usize = 1 << 30;

/// Why this machine cannot do what a fault needs.
pub(crate) fn lacks() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("power cuts and full disks are made with file systems of their own: run this as root".to_owned());
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(device).exists() {
            return Some(format!("{device} is not there: power cuts need FUSE and loop devices in the kernel"));
        }
    }
    let tools = ["mkfs.ext4", "e2fsck", "losetup", "mount", "umount"];
    let missing: Vec<&str> = tools.into_iter().filter(|tool| run(tool, &["--help"]).is_err()).collect();
    (!missing.is_empty()).then(|| format!("{missing:?} cannot be run: install e2fsprogs and util-linux"))
}

/// ext4 on a loop device on a FUSE file, mounted.
pub(crate) struct PowerDisk {
    pub(crate) device: Device,
    pub(crate) mount: PathBuf,
    fuse: PathBuf,
    loop_device: Option<String>,
    /// How often ext4 did not mount without e2fsck.
    pub(crate) repairs: usize,
    session: Option<BackgroundSession>,
}

impl PowerDisk {
    pub(crate) fn new(folder: &Path) -> Result<PowerDisk, String> {
        let (fuse, mount) = (folder.join("fuse"), folder.join("mount"));
        for folder in [&fuse, &mount] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let device = Device::new(DISK_OCTETS);
        let session = device.serve(&fuse).map_err(|error| format!("FUSE: {error}"))?;
        let mut disk = PowerDisk { device, mount, fuse, loop_device: None, repairs: 0, session: Some(session) };
        disk.attach()?;
        let target = disk.loop_device.clone().unwrap();
        let options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        run("mkfs.ext4", &["-q", "-F", "-b", "4096", "-m", "0", "-N", "4096", "-E", options, "-J", "size=8", &target])?;
        disk.mount()?;
        Ok(disk)
    }

    /// Whatever runs on it is gone already: forgets what the kernel knows of the disk, brings the power back, and mounts what is left.
    pub(crate) fn come_back(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.detach()?;
        self.device.restore();
        self.attach()?;
        self.mount()
    }

    fn attach(&mut self) -> Result<(), String> {
        let file = self.fuse.join(FILE);
        let name = run("losetup", &["--find", "--show", file.to_str().unwrap()])?;
        self.loop_device = Some(name.trim().to_owned());
        Ok(())
    }

    fn mount(&mut self) -> Result<(), String> {
        let (target, mount) = (self.loop_device.clone().unwrap(), self.mount.to_str().unwrap().to_owned());
        if run("mount", &["-t", "ext4", &target, &mount]).is_ok() {
            return Ok(());
        }
        self.repairs += 1;
        // 1: repaired.
        let _ = run("e2fsck", &["-fy", &target]);
        run("mount", &["-t", "ext4", &target, &mount]).map(drop)
    }

    fn unmount(&self) -> Result<(), String> {
        run("umount", &[self.mount.to_str().unwrap()]).map(drop)
    }

    fn detach(&mut self) -> Result<(), String> {
        let Some(name) = self.loop_device.take() else { return Ok(()) };
        run("losetup", &["--detach", &name]).map(drop)
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        let _ = self.unmount();
        let _ = self.detach();
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

/// A file system of a fixed size.
pub(crate) struct SmallDisk {
    pub(crate) mount: PathBuf,
    image: Option<PathBuf>,
}

impl SmallDisk {
    pub(crate) fn tmpfs(folder: &Path, mebioctets: u64) -> Result<SmallDisk, String> {
        let mount = folder.join("tmpfs");
        fs::create_dir_all(&mount).unwrap();
        let options = format!("size={mebioctets}m,mode=700");
        run("mount", &["-t", "tmpfs", "-o", &options, "bindery-full-disk", mount.to_str().unwrap()])?;
        Ok(SmallDisk { mount, image: None })
    }

    pub(crate) fn ext4(folder: &Path, mebioctets: u64) -> Result<SmallDisk, String> {
        let (mount, image) = (folder.join("ext4"), folder.join("ext4.image"));
        fs::create_dir_all(&mount).unwrap();
        let file = fs::File::create(&image).and_then(|file| file.set_len(mebioctets << 20));
        file.map_err(|error| format!("{}: {error}", image.display()))?;
        run("mkfs.ext4", &["-q", "-F", "-b", "4096", "-m", "0", "-N", "4096", "-J", "size=4", image.to_str().unwrap()])?;
        run("mount", &["-t", "ext4", "-o", "loop", image.to_str().unwrap(), mount.to_str().unwrap()])?;
        Ok(SmallDisk { mount, image: Some(image) })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run("umount", &[self.mount.to_str().unwrap()]);
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).env("PATH", PATH).output().map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    // These tell how they are used, and say that this was wrong.
    if arguments == ["--help"] { Ok(text) } else { Err(format!("{program} {}: {}", arguments.join(" "), problem.trim())) }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
