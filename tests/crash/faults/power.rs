//! Power cuts: the server runs on ext4, on a disk that forgets what was not flushed.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::random::Random;
use crate::device::{Plan, Stays};
use crate::kill::keep;
use crate::load::Gate;
use crate::machine::PowerDisk;
use crate::table::{Table, Verdict};
use crate::trial::Trial;

/// Rounds on one disk.
const ROUNDS_ON_A_DISK: usize = 25;
/// The power goes after at most so many writes of the device, …
const WRITES: u64 = 300;
/// … and after this time at the latest.
const LONGEST: Duration = Duration::from_secs(3);

pub(crate) fn cuts(folder: &Path, rounds: usize, random: &mut Random, table: &mut Table) -> Result<(), String> {
    let mut left = rounds;
    let (mut pending, mut stayed, mut flushes, mut repairs) = (0, 0, 0, 0);
    while left > 0 {
        let mut disk = PowerDisk::new(folder)?;
        test_the_tester(&mut disk)?;
        let data = disk.mount.join("data");
        let mut trial = Trial::new(folder, &data)?;
        for round in 0..left.min(ROUNDS_ON_A_DISK) {
            // What was unpacked before the first round is no matter of this test.
            rustix::fs::sync();
            let stays = *random.choose(&Stays::ALL);
            let cut = cut(&mut trial, &mut disk, stays, random);
            let counts = disk.device.counts();
            (pending, stayed, flushes) = (pending + counts.pending, stayed + counts.stayed, counts.flushes + flushes);
            let (place, verdict) = match cut {
                Ok(place) => (place, Verdict::Survived),
                Err(problem) => {
                    let kept = keep(folder, &data, round);
                    trial.reset()?;
                    ("server under load", Verdict::Lost(format!("round {round}, stays: {stays:?}: {problem}; {kept}")))
                }
            };
            table.add("power cut", place, verdict);
        }
        left = left.saturating_sub(ROUNDS_ON_A_DISK);
        table.count(&trial);
        repairs += disk.repairs;
        std::fs::remove_dir_all(folder.join("installation")).map_err(|error| error.to_string())?;
        std::fs::remove_dir_all(folder.join("pristine")).map_err(|error| error.to_string())?;
    }
    table.remarks.push(format!(
        "At the power cuts {} KiB were written and not flushed, of which {} KiB reached the medium; the disk was asked to flush {flushes} \
         times. ext4 needed e2fsck after {repairs} of them.",
        pending >> 10,
        stayed >> 10,
    ));
    Ok(())
}

/// One power cut: under load, or while the server starts and puts right what the last one left.
fn cut(trial: &mut Trial, disk: &mut PowerDisk, stays: Stays, random: &mut Random) -> Result<&'static str, String> {
    let while_starting = random.one_in(4);
    let mut plan = Plan { writes: 0, stays, random: Random::new(random.next()), gate: Gate::default() };
    let place = if while_starting {
        plan.writes = 1 + random.below(40);
        disk.device.plan_cut(plan);
        let server = trial.site.try_start();
        disk.device.cut_now();
        match server {
            Ok(server) => server.kill(),
            Err(ended) => return Err(format!("the server did not start while the power was there: {ended}")),
        }
        "server that starts"
    } else {
        let server = trial.site.start()?;
        let load = trial.start_load(&server, random, 0);
        plan.gate = load.gate.clone();
        plan.writes = 1 + random.below(WRITES);
        disk.device.plan_cut(plan);
        let began = Instant::now();
        while !load.gate.is_closed() && began.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(1));
        }
        disk.device.cut_now();
        server.kill();
        trial.finish_load(load)?;
        "server under load"
    };
    disk.come_back()?;
    trial.examine(random)?;
    Ok(place)
}

/// A disk that cannot lose anything would prove nothing: what was written past the page cache and not synced is lost when nothing stays and
/// is there when everything does; what was synced is there.
fn test_the_tester(disk: &mut PowerDisk) -> Result<(), String> {
    let path = disk.mount.join("probe");
    let file = direct(&path)?;
    write(&file, b'a')?;
    file.sync_all().map_err(|error| format!("{}: {error}", path.display()))?;
    drop(file);
    for (written, is_synced, stays, expected) in
        [(b'b', false, Stays::Nothing, b'a'), (b'c', true, Stays::Nothing, b'c'), (b'd', false, Stays::Everything, b'd')]
    {
        let file = direct(&path)?;
        let flushes = disk.device.counts().flushes;
        write(&file, written)?;
        if is_synced {
            file.sync_data().map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let flushed = disk.device.counts().flushes - flushes;
        let plan = Plan { writes: u64::MAX, stays, random: Random::new(1), gate: Gate::default() };
        disk.device.plan_cut(plan);
        disk.device.cut_now();
        drop(file);
        disk.come_back()?;
        let found = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if found != [expected; PROBE] || (flushed > 0) != is_synced {
            return Err(format!(
                "the disk whose power is cut is none: written {:?}, synced: {is_synced}, flushes: {flushed}, stays: {stays:?}; \
                 found {:?} where {:?} is due",
                char::from(written),
                found.first().copied().map(char::from),
                char::from(expected),
            ));
        }
    }
    std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
}

const PROBE: usize = 8192;

fn direct(path: &Path) -> Result<File, String> {
    let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap();
    let opened = std::fs::OpenOptions::new().create(true).truncate(false).write(true).custom_flags(flags).open(path);
    opened.map_err(|error| format!("{}: {error}", path.display()))
}

/// Octets at an address that the kernel takes for direct writes.
fn write(file: &File, octet: u8) -> Result<(), String> {
    let buffer = vec![octet; PROBE + 4096];
    let at = buffer.as_ptr().align_offset(4096);
    file.write_all_at(&buffer[at..at + PROBE], 0).map_err(|error| format!("a direct write: {error}"))
}
