//! Damage to the journal that must be found, not survived: on a copy of the disk one octet is flipped, a file is cut or lost, and a start
//! without checkpoint, or one with it, must name the file and the sequence.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bindery::store::disk::SimulatedDisk;
use bindery::store::{StartNote, StoreError, StoreOptions, open_with, read_frames};
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
    /// Nothing behind it shows that it had been durable.
    is_last: bool,
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
    let Some(harm) = harm(&copy, random, &memory.groups) else { return Ok(()) };
    let options = StoreOptions { disk: Arc::new(copy.clone()), ..options.clone() };
    memory.tally.count(harm.what);
    let by_reading = read_frames(&options, 1, &mut |_| Ok(())).err();
    match by_reading {
        Some(error) => check(&harm, &error)?,
        None if harm.is_last => {}
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
    let may_cover = |sequence| memory.snapshots.iter().rev().take(3).any(|(taken, _)| *taken >= sequence);
    let proves = |sequence| memory.snapshots.last().is_some_and(|(taken, is_whole)| *is_whole && *taken >= sequence);
    let (first, last) = (*harm.sequences.start(), *harm.sequences.end());
    let outcome = match opened {
        Err(error) => check(&harm, &error).map(|()| "damage to the journal that a start named"),
        Ok(opened) if harm.is_last && !with_checkpoint && !proves(first) => {
            let is_told = opened.notes.iter().any(|note| matches!(note, StartNote::TornTail { .. }));
            let what = "damage to the last group that a start without checkpoint told as a torn tail";
            if is_told { Ok(what) } else { Err(format!("{}: cut off without a word", harm.what)) }
        }
        Ok(opened) if !harm.is_last && may_cover(last) => {
            let mut models = std::iter::once(&memory.model).chain(memory.candidates.iter().map(|it| &it.after));
            let is_whole = models.any(|model| verify::content(&opened.directory, model).is_ok());
            let what = "damage to the journal that a start did not need, for a snapshot covers it";
            if is_whole { Ok(what) } else { Err(format!("{}: a start from a snapshot has another content", harm.what)) }
        }
        Ok(_) => Err(format!("{}: went unnoticed", harm.what)),
    };
    if sled.exists() {
        std::fs::remove_dir_all(&sled).map_err(|error| error.to_string())?;
    }
    if kept.exists() {
        rename(&kept, &sled)?;
    }
    outcome.map(|what| memory.tally.count(what))
}

fn rename(from: &Path, to: &Path) -> Checked {
    std::fs::rename(from, to).map_err(|error| error.to_string())
}

fn harm(disk: &SimulatedDisk, random: &mut Random, groups: &[Group]) -> Option<Harm> {
    let group = random.pick(groups);
    let segments = segments(groups);
    let is_last_segment = segments.last() == Some(&group.segment);
    let of_segment = |what, octets: u64| {
        let first = groups.iter().find(|it| it.segment == group.segment).map_or(1, |it| it.first);
        let harm = Harm { what, segments: vec![group.segment.clone()], sequences: first..=u64::MAX, is_last: false };
        (harm, octets)
    };
    let bits = 1 << random.below(8);
    let (harm, at) = match random.below(6) {
        0 => of_segment("flipped octets in a segment's header", random.below(HEADER)),
        1 if !is_last_segment => {
            let next = segments.iter().skip_while(|it| **it != group.segment).nth(1)?.clone();
            disk.remove(&group.segment).ok()?;
            return Some(Harm { what: "lost segments", segments: vec![next], sequences: 0..=u64::MAX, is_last: false });
        }
        2 if !is_last_segment => {
            let at = group.octets.start + random.below(group.octets.end - group.octets.start);
            let (mut harm, at) = of_segment("cut segments", at);
            harm.sequences = *harm.sequences.start()..=group.last;
            return disk.shorten(&group.segment, at as usize).then_some(harm);
        }
        _ => {
            let at = group.octets.start + random.below(group.octets.end - group.octets.start);
            let is_last = groups.last().is_some_and(|last| last.first == group.first);
            let sequences = group.first..=group.last;
            (Harm { what: "flipped octets in the journal", segments: vec![group.segment.clone()], sequences, is_last }, at)
        }
    };
    disk.flip(&group.segment, at as usize, bits).then_some(harm)
}

/// The files that hold groups, in order.
fn segments(groups: &[Group]) -> Vec<PathBuf> {
    let mut segments: Vec<PathBuf> = groups.iter().map(|group| group.segment.clone()).collect();
    segments.dedup();
    segments
}

fn check(harm: &Harm, error: &StoreError) -> Checked {
    match error {
        StoreError::Damaged { segment, sequence, .. }
            if harm
                .segments
                .iter()
                .any(|path| path.file_name().is_some_and(|name| name.to_string_lossy() == segment.as_str()))
                && harm.sequences.contains(sequence) =>
        {
            Ok(())
        }
        error => Err(format!("{} {:?} {:?} was told as: {error}", harm.what, harm.segments, harm.sequences)),
    }
}
