//! Damage to the journal that must be found, not survived: on a copy of the disk one octet is flipped, a file is cut or lost, and a start
//! without checkpoint, or one with it, must name the file and the sequence.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery::store::disk::SimulatedDisk;
use bindery::store::{Opened, StartNote, StoreError, StoreOptions, open_with, read_frames};
use bindery::world::Disk as _;

use crate::life::{Checked, Group, Memory};
use crate::random::Random;
use crate::verify;

/// Octets of a segment's header.
const HEADER: u64 = 4096;

/// What was done to the copy, and what must be said of it.
struct Harm {
    what: &'static str,
    segments: Vec<PathBuf>,
    sequences: std::ops::RangeInclusive<u64>,
    /// The last sequence that cannot be read any more.
    lost: u64,
    /// Nothing behind it in the journal shows that it had been durable.
    is_last: bool,
    /// The mark does.
    is_marked: bool,
    /// Only a proof from elsewhere tells it from a journal that never went on.
    takes_the_end: bool,
}

/// Damages a copy and looks whether a start notices. `may_have_checkpoint`: whether a start may look at sled, which holds everything acknowledged.
pub(crate) fn probe(
    options: &StoreOptions,
    segment_octets: u64,
    disk: &SimulatedDisk,
    may_have_checkpoint: bool,
    random: &mut Random,
    memory: &mut Memory,
) -> Checked {
    if memory.groups.is_empty() {
        return Ok(());
    }
    let copy = disk.copy(random.next());
    let Some(harm) = harm(&copy, random, memory) else { return Ok(()) };
    let options = StoreOptions { disk: Arc::new(copy.clone()), ..options.clone() };
    memory.tally.count(harm.what);
    let by_reading = read_frames(&options, 1, &mut |_| Ok(())).err();
    match &by_reading {
        Some(error) => check(&harm, error)?,
        None if harm.is_last && !harm.is_marked => {}
        None => return Err(format!("{}: went unnoticed when the journal was read", harm.what)),
    }
    let with_checkpoint = harm.is_last && may_have_checkpoint;
    let kept = options.data.join("sled.kept");
    let sled = options.data.join("sled");
    if !with_checkpoint && sled.exists() {
        rename(&sled, &kept)?;
    } else if sled.exists() {
        crate::crash::copy_folder(&sled, &kept)?;
    }
    let opened = open_with(&options, segment_octets, &mut |_| {});
    let outcome = match opened {
        Err(error) => check(&harm, &error).map(|()| "damage to the journal that a start named and refused"),
        Ok(opened) => survived(&harm, &opened, with_checkpoint, by_reading.is_some(), memory),
    };
    if sled.exists() {
        std::fs::remove_dir_all(&sled).map_err(|error| error.to_string())?;
    }
    if kept.exists() {
        rename(&kept, &sled)?;
    }
    outcome.map(|what| memory.tally.count(what))
}

/// What a start that went on must have said: that it cut off a torn tail, where nothing proves that the group had been durable; that it
/// stepped over damage; or nothing, where a snapshot spared it looking there, or the checkpoint did and who reads the journal is told. And
/// the content must be the one that was acknowledged.
fn survived(
    harm: &Harm,
    opened: &Opened,
    with_checkpoint: bool,
    told_by_reading: bool,
    memory: &Memory,
) -> Result<&'static str, String> {
    let proves =
        |sequence| harm.is_marked || memory.snapshots.last().is_some_and(|(taken, is_whole)| *is_whole && *taken >= sequence);
    if harm.takes_the_end {
        return Err(format!("{}: a start went on without what was acknowledged", harm.what));
    }
    let cut = opened.notes.iter().any(|note| matches!(note, StartNote::TornTail { .. }));
    if harm.is_last && cut && !with_checkpoint && !proves(*harm.sequences.start()) {
        return Ok("damage to the last group that a start without checkpoint told as a torn tail");
    }
    let mut models = std::iter::once(&memory.model).chain(memory.candidates.iter().map(|it| &it.after));
    if !models.any(|model| verify::content(&opened.directory, model).is_ok()) {
        return Err(format!("{}: a start went on with another content", harm.what));
    }
    let named = opened.notes.iter().any(|note| match note {
        StartNote::Damaged(damage) => {
            harm.is_named(&damage.segment, damage.sequences.0) || harm.is_named(&damage.segment, damage.sequences.1)
        }
        _ => false,
    });
    let covered = memory.snapshots.iter().rev().take(3).any(|(taken, _)| *taken >= harm.lost);
    match (named, covered) {
        (true, _) => Ok("damage to the journal that a start told and stepped over"),
        (false, true) => Ok("damage to the journal that a start did not look at, for a snapshot covers it"),
        // The group was the last one of a segment behind which an empty one had been begun: the start went on there.
        (false, false) if with_checkpoint && told_by_reading => {
            Ok("damage to the journal that a start did not look at, for the checkpoint covers it")
        }
        (false, false) => Err(format!("{}: went unnoticed", harm.what)),
    }
}

fn rename(from: &Path, to: &Path) -> Checked {
    std::fs::rename(from, to).map_err(|error| error.to_string())
}

fn harm(disk: &SimulatedDisk, random: &mut Random, memory: &Memory) -> Option<Harm> {
    let groups = &memory.groups;
    if random.percent(30) && groups.last().is_some_and(|last| last.last <= memory.marked) {
        return take_the_end(disk, random, memory);
    }
    let group = random.pick(groups);
    let is_marked = memory.marked >= group.last;
    let segments = segments(groups);
    let is_last_segment = segments.last() == Some(&group.segment);
    let of_segment = |what, octets: u64| {
        let first = groups.iter().find(|it| it.segment == group.segment).map_or(1, |it| it.first);
        let lost = groups.iter().rfind(|it| it.segment == group.segment).map_or(u64::MAX, |it| it.last);
        let harm = Harm {
            what,
            segments: vec![group.segment.clone()],
            sequences: first..=lost,
            lost,
            is_last: false,
            is_marked,
            takes_the_end: false,
        };
        (harm, octets)
    };
    let bits = 1 << random.below(8);
    let (harm, at) = match random.below(6) {
        0 => of_segment("flipped octets in a segment's header", random.below(HEADER)),
        1 if !is_last_segment => {
            let files = disk.list(group.segment.parent()?).ok()?;
            // Where what counts of the file before would be read in the lost one, that file may be the one that is named.
            let mut around: Vec<PathBuf> = files.iter().rfind(|path| **path < group.segment).cloned().into_iter().collect();
            around.extend(files.into_iter().filter(|path| *path >= group.segment).take(2));
            disk.remove(&group.segment).ok()?;
            let (harm, _) = of_segment("lost segments", 0);
            return Some(Harm { segments: around, sequences: 0..=u64::MAX, ..harm });
        }
        2 if !is_last_segment => {
            let at = group.octets.start + random.below(group.octets.end - group.octets.start);
            let (harm, at) = of_segment("cut segments", at);
            return disk.shorten(&group.segment, at as usize).then_some(harm);
        }
        _ => {
            let at = group.octets.start + random.below(group.octets.end - group.octets.start);
            let is_last = groups.last().is_some_and(|last| last.first == group.first);
            let sequences = group.first..=group.last;
            (
                Harm {
                    what: "flipped octets in the journal",
                    segments: vec![group.segment.clone()],
                    sequences,
                    lost: group.last,
                    is_last,
                    is_marked,
                    takes_the_end: false,
                },
                at,
            )
        }
    };
    disk.flip(&group.segment, at as usize, bits).then_some(harm)
}

/// Removes the last segment, or cuts it where a group ends.
fn take_the_end(disk: &SimulatedDisk, random: &mut Random, memory: &Memory) -> Option<Harm> {
    let last = memory.groups.last()?;
    let group = random.pick(&memory.groups.iter().filter(|group| group.segment == last.segment).collect::<Vec<_>>());
    let mut segments = disk.list(&memory.journal).ok()?;
    segments.push(PathBuf::from("journal"));
    let what = if random.percent(50) {
        disk.remove(&group.segment).ok()?;
        "lost last segments"
    } else {
        disk.shorten(&group.segment, group.octets.start as usize);
        "last segments cut where a group ends"
    };
    Some(Harm { what, segments, sequences: 0..=u64::MAX, lost: last.last, is_last: true, is_marked: true, takes_the_end: true })
}

/// The files that hold groups, in order.
fn segments(groups: &[Group]) -> Vec<PathBuf> {
    let mut segments: Vec<PathBuf> = groups.iter().map(|group| group.segment.clone()).collect();
    segments.dedup();
    segments
}

impl Harm {
    fn is_named(&self, segment: &str, sequence: u64) -> bool {
        let mut names = self.segments.iter().filter_map(|path| path.file_name());
        names.any(|name| name.to_string_lossy() == segment) && self.sequences.contains(&sequence)
    }
}

fn check(harm: &Harm, error: &StoreError) -> Checked {
    match error {
        StoreError::Damaged { segment, sequence, .. } if harm.is_named(segment, *sequence) => Ok(()),
        error => Err(format!("{} {:?} {:?} was told as: {error}", harm.what, harm.segments, harm.sequences)),
    }
}
