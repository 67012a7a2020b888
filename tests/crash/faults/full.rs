//! Full disks: while there is no space binds and changes are answered with 52 and searches go on; when there is space again the server goes
//! on by itself; nothing acknowledged is lost, also when the server is killed and started while the disk is full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ldap3_proto::proto::{LdapFilter, LdapResultCode, LdapSearchScope};

use crate::common::client::Client;
use crate::common::random::Random;
use crate::common::{ADMIN, PASSWORD, SUFFIX};
use crate::kill::keep;
use crate::load::Load;
use crate::machine::SmallDisk;
use crate::site::Running;
use crate::table::{Table, Verdict};
use crate::trial::Trial;

/// Octets of the file system.
const MEBIOCTETS: u64 = 768;
/// What some modifications carry, so that the space reserved ahead is used up soon.
const PADDING: usize = 1 << 20;
/// How long a server may take to notice that the disk is full, or that it is not any more.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn disks(folder: &Path, rounds: usize, random: &mut Random, table: &mut Table) -> Result<(), String> {
    for (name, make) in [("tmpfs", SmallDisk::tmpfs as fn(&Path, u64) -> _), ("ext4", SmallDisk::ext4)] {
        let folder = folder.with_file_name(format!("full-{name}"));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let disk: SmallDisk = make(&folder, MEBIOCTETS)?;
        let data = disk.mount.join("data");
        let mut trial = Trial::new(&folder, &data)?;
        let ballast = Ballast(disk.mount.join("ballast"));
        // Half of the rounds on each.
        for round in 0..rounds.div_ceil(2) {
            let (place, is_killed) =
                if round % 3 == 2 { ("killed and started while full", true) } else { ("space comes back while serving", false) };
            let verdict = match fill(&mut trial, &ballast, is_killed, random) {
                Ok(()) => Verdict::Survived,
                Err(problem) => Verdict::Lost(format!("{name}, round {round}: {problem}; {}", keep(&folder, &data, round))),
            };
            ballast.remove();
            trial.reset()?;
            table.add("full disk", place, verdict);
        }
        table.count(&trial);
        drop(disk);
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

fn fill(trial: &mut Trial, ballast: &Ballast, is_killed: bool, random: &mut Random) -> Result<(), String> {
    let server = trial.site.start()?;
    let mut reader = reader(&server)?;
    let load = trial.start_load(&server, random, PADDING);
    load.wait_for(random.below(100));
    let refused = wait("the disk is full and nothing is answered with 52", || {
        ballast.grow()?;
        search(&mut reader)?;
        Ok(load.counts.refused.load(Ordering::Relaxed) > 20)
    });
    refused.map_err(|problem| format!("{problem}; the log says: {}", trial.site.log().trim()))?;
    refuses(&server)?;
    if is_killed {
        server.kill();
        trial.finish_load(load)?;
        start_while_full(trial)?;
        ballast.remove();
    } else {
        ballast.remove();
        goes_on(&load, &mut reader).map_err(|problem| format!("{problem}; the log says: {}", trial.site.log().trim()))?;
        trial.finish_load(load)?;
        trial.compare(&server)?;
        if random.one_in(2) {
            server.stop()?;
        } else {
            server.kill();
        }
    }
    trial.examine(random)
}

/// It may serve or refuse to; refusing, it says why.
fn start_while_full(trial: &mut Trial) -> Result<(), String> {
    match trial.site.try_start() {
        Ok(server) => {
            // It may be that not even the start can be recorded any more, or a login; that it serves is enough.
            Client::connect(&server.address).map_err(|error| error.to_string())?;
            server.kill();
            Ok(())
        }
        Err(ended) if ended.broke_down() => Err(format!("a start while the disk is full: {ended}")),
        Err(ended) if ended.text().contains("space") => Ok(()),
        Err(ended) => Err(format!("a start while the disk is full does not say that space is missing: {ended}")),
    }
}

fn reader(server: &Running) -> Result<Client, String> {
    let mut client = Client::connect(&server.address).map_err(|error| error.to_string())?;
    match client.bind(ADMIN, PASSWORD).map_err(|error| error.to_string())? {
        LdapResultCode::Success => Ok(client),
        code => Err(format!("a login before the disk is full is answered with {code:?}")),
    }
}

/// A new login is refused with 52, like every change.
fn refuses(server: &Running) -> Result<(), String> {
    let mut client = Client::connect(&server.address).map_err(|error| error.to_string())?;
    match client.bind(ADMIN, PASSWORD).map_err(|error| error.to_string())? {
        LdapResultCode::Unavailable => Ok(()),
        code => Err(format!("the disk is full, and a login is answered with {code:?}")),
    }
}

/// Both changes and searches.
fn goes_on(load: &Load, reader: &mut Client) -> Result<(), String> {
    let before = load.counts.acknowledged.load(Ordering::Relaxed);
    wait("there is space again, and nothing is acknowledged", || {
        search(reader)?;
        Ok(load.counts.acknowledged.load(Ordering::Relaxed) > before + 10)
    })
}

fn search(client: &mut Client) -> Result<(), String> {
    let filter = LdapFilter::Present("objectClass".to_owned());
    match client.search(SUFFIX, LdapSearchScope::Base, filter, &["1.1"]) {
        Ok((entries, LdapResultCode::Success)) if entries.len() == 1 => Ok(()),
        other => Err(format!("a search while the disk is full: {other:?}")),
    }
}

fn wait(what: &str, mut is_so: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > PATIENCE {
            return Err(what.to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The file that takes all space there is.
struct Ballast(PathBuf);

impl Ballast {
    /// Takes what is free now, down to the last block.
    fn grow(&self) -> Result<(), String> {
        let file = match File::options().create(true).append(true).open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(format!("{}: {error}", self.0.display())),
        };
        let mut length = file.metadata().map_err(|error| format!("{}: {error}", self.0.display()))?.len();
        for octets in [64 << 20, 1 << 20, 1 << 16, 1 << 12] {
            while rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), length, octets).is_ok() {
                length += octets;
            }
        }
        Ok(())
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
