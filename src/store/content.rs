//! The content of one instant: from the newest snapshot on the way to it that is whole, and the frames since; from the journal's beginning
//! where there is none.
//!
//! A restore is a way back: the content after it is that of an earlier sequence, and the frames between the two lead elsewhere.
//!
//! ```text
//!   1 ─── … ─── 40 ─── 41 ─── … ─── 90        91 restores 40
//!               └────────────────────────────── 91 ─── 92 ─── …        the way to 92: 1 to 40, 91, 92
//! ```

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use super::fill::guarded;
use super::mark::marked;
use super::open::Folder;
use super::reader::{JournalEnd, JournalReader, ReadGroup};
use super::rows::{Rows, wait_until_free};
use super::snapshot::{self, Position, SnapshotFile};
use super::{Progress, StartNote, StoreError};
use crate::directory::{Change, Digest, Directory};
use crate::journal::Frame;

/// Rows or frames between two reports of progress.
pub(super) const PROGRESS_STEP: u64 = 1000;

/// The frames that made the content after one sequence.
pub(super) struct Lineage {
    /// Apart from each other, the last one first.
    ranges: Vec<RangeInclusive<u64>>,
}

impl Lineage {
    /// `restores`: the sequences of restores and what they restored, ascending.
    pub(super) fn to(target: u64, restores: &[(u64, u64)]) -> Lineage {
        let mut ranges = Vec::new();
        let mut at = target;
        for (restore, restored) in restores.iter().rev().filter(|(restore, restored)| restored < restore) {
            if *restore <= at {
                ranges.push(*restore..=at);
                at = *restored;
            }
        }
        ranges.push(1..=at);
        Lineage { ranges }
    }

    /// The sequences of it from this one on, and this one.
    pub(super) fn behind(&self, from: u64) -> Vec<RangeInclusive<u64>> {
        let behind = self.ranges.iter().map(|range| from.max(*range.start())..=*range.end());
        std::iter::once(from..=from).chain(behind.filter(|range| !range.is_empty())).collect()
    }

    /// Whether this frame leads to it. Before the first one there is nothing, which leads anywhere.
    pub(super) fn holds(&self, sequence: u64) -> bool {
        sequence == 0 || self.ranges.iter().any(|range| range.contains(&sequence))
    }
}

/// Content made anew.
pub(super) struct Content {
    pub(super) directory: Directory,
    pub(super) end: JournalEnd,
    /// The snapshot it was made from; none: the journal alone.
    pub(super) snapshot: Option<String>,
    /// Frames that were applied.
    pub(super) frames: u64,
}

/// Where making content begins.
struct Base {
    directory: Directory,
    position: Position,
    name: Option<String>,
}

/// Makes the content after sequence `target`, which is the last one of a frame, or that at the journal's end, and reads the journal to its
/// end. `proven`: the last sequence something proves to have been durable. Snapshots that are damaged become notes.
pub(super) fn content_at(
    folder: &Folder<'_>,
    target: Option<u64>,
    proven: u64,
    notes: &mut Vec<StartNote>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Content, StoreError> {
    let reader = folder.reader()?;
    let target = target.unwrap_or(u64::MAX);
    let lineage = Lineage::to(target, &reader.restores());
    let snapshots = snapshot::list(&*folder.options.disk, &folder.snapshot_folder())?;
    for (_, path) in snapshots.into_iter().filter(|(sequence, _)| *sequence <= target && lineage.holds(*sequence)) {
        let made = load(folder, &path, progress)
            .and_then(|base| follow(&reader, base, target, &lineage, proven.max(base_sequence(&path)), progress));
        match made {
            Err(StoreError::Snapshot { name, problem }) => notes.push(StartNote::SnapshotDamaged { name, problem }),
            made => return made,
        }
    }
    let base = Base { directory: folder.empty_directory()?, position: Position::default(), name: None };
    follow(&reader, base, target, &lineage, proven, progress)
}

fn base_sequence(path: &Path) -> u64 {
    snapshot::sequence_of(path).unwrap_or(0)
}

/// Up to here the journal is known to have been durable: by its mark, and by the newest snapshot whose header is intact, for one is only
/// taken of what is durable.
pub(super) fn proven_beside_sled(folder: &Folder<'_>) -> Result<u64, StoreError> {
    let Folder { options, keys, .. } = folder;
    let snapshots = snapshot::list(&*options.disk, &folder.snapshot_folder())?;
    let of = |path: &Path| SnapshotFile::open(Arc::clone(&options.disk), path, keys).ok();
    let by_snapshots = snapshots.iter().find_map(|(_, path)| of(path)).map_or(0, |file| file.position().sequence);
    Ok(by_snapshots.max(marked(&*options.disk, &folder.journal_folder(), &keys.identity())))
}

/// The same by sled, of a folder that nobody serves from. It may have to be made whole on the way, as at a start.
pub(super) fn proven_by_sled(folder: &Folder<'_>) -> u64 {
    let sled = folder.sled_folder();
    if !sled.join("db").exists() || !wait_until_free(&sled) {
        return 0;
    }
    let opened = guarded(|| Rows::open(&sled, &folder.keys, &*folder.options.entropy, false));
    opened.ok().and_then(|rows| rows.meta()).map_or(0, |meta| meta.target)
}

/// Fills memory from a snapshot.
fn load(folder: &Folder<'_>, path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Base, StoreError> {
    let file = SnapshotFile::open(Arc::clone(&folder.options.disk), path, &folder.keys)?;
    let total = file.rows()?;
    let mut directory = folder.empty_directory()?;
    let damaged = |error: crate::directory::ChangeError| snapshot::damaged(path, error.to_string());
    file.read::<StoreError>(&mut |row, done| {
        if done.is_multiple_of(PROGRESS_STEP) {
            progress(Progress { done, total: Some(total) });
        }
        directory.load_row(row.clone()).map_err(|error| match directory.schema_mismatch_of_row(&row) {
            Some(problem) => StoreError::Schema(problem),
            None => damaged(error),
        })
    })?;
    directory.finish_loading().map_err(damaged)?;
    if directory.digest() != file.position().digest {
        return Err(snapshot::damaged(path, "its content's digest is not the one in its header"));
    }
    Ok(Base { directory, position: *file.position(), name: Some(snapshot::name_of(path)) })
}

/// Applies the frames behind the base that lead to the target.
fn follow(
    reader: &JournalReader,
    base: Base,
    target: u64,
    lineage: &Lineage,
    proven: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Content, StoreError> {
    let Base { mut directory, position, name } = base;
    let misfit = || StoreError::Snapshot {
        name: name.clone().unwrap_or_default(),
        problem: format!("the journal says something else of sequence {}", position.sequence),
    };
    let mut fits = position.sequence == 0;
    let mut frames = 0;
    let from = position.sequence.max(1);
    let end = reader.read_needed::<StoreError>(from, proven, &lineage.behind(from), &mut |group| {
        if group.last() <= position.sequence {
            let leaf = group.frames.last().map(Frame::leaf);
            fits |= group.last() == position.sequence
                && leaf == Some(position.leaf)
                && group.header.digest == position.digest.to_bytes();
            return Ok(());
        }
        if !fits {
            return Err(misfit());
        }
        let leads = |frame: &&Frame| frame.last_sequence() <= target && lineage.holds(frame.last_sequence());
        let within = group.frames.iter().take_while(leads).count();
        if within > 0 {
            apply_front(&group, within, &mut directory)?;
            frames += within as u64;
            report(progress, frames, within);
        }
        Ok(())
    })?;
    if !fits {
        return Err(misfit());
    }
    Ok(Content { directory, end, snapshot: name, frames })
}

/// Applies the first frames of a group; what follows in the group is applied to a copy, to compare the digest it promises.
fn apply_front(group: &ReadGroup, count: usize, directory: &mut Directory) -> Result<(), StoreError> {
    let (within, beyond) = group.frames.split_at(count.min(group.frames.len()));
    apply(group, within, directory)?;
    if beyond.is_empty() {
        return check_digest(group, directory.digest());
    }
    let mut whole = directory.clone();
    apply(group, beyond, &mut whole)?;
    check_digest(group, whole.digest())
}

/// Applies a group to memory and compares the digest it promises. Returns its changes.
pub(super) fn replay(group: &ReadGroup, directory: &mut Directory) -> Result<Vec<Change>, StoreError> {
    let changes = apply(group, &group.frames, directory)?;
    check_digest(group, directory.digest())?;
    Ok(changes)
}

fn apply(group: &ReadGroup, frames: &[Frame], directory: &mut Directory) -> Result<Vec<Change>, StoreError> {
    let changes = decode(group, frames)?;
    for change in &changes {
        directory.apply(change).map_err(|error| match directory.schema_mismatch_of_change(change) {
            Some(problem) => StoreError::Schema(problem),
            None => damaged(group, error.to_string()),
        })?;
    }
    Ok(changes)
}

fn check_digest(group: &ReadGroup, digest: Digest) -> Result<(), StoreError> {
    if digest.to_bytes() == group.header.digest {
        return Ok(());
    }
    Err(damaged(group, "the content after this group is not the one it promises".to_owned()))
}

fn damaged(group: &ReadGroup, problem: String) -> StoreError {
    StoreError::Damaged { segment: group.segment.clone(), sequence: group.header.first, problem }
}

/// The changes of frames, in order.
pub(super) fn decode(group: &ReadGroup, frames: &[Frame]) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    for frame in frames {
        let mut rest = frame.changes.as_slice();
        while !rest.is_empty() {
            let before = rest.len();
            let decoded = Change::decode(&mut rest).ok().filter(|_| rest.len() < before);
            changes.push(decoded.ok_or_else(|| StoreError::Damaged {
                segment: group.segment.clone(),
                sequence: frame.sequence,
                problem: "a change cannot be read".to_owned(),
            })?);
        }
    }
    Ok(changes)
}

/// Tells how far replaying is, now and then.
pub(super) fn report(progress: &mut dyn FnMut(Progress), frames: u64, added: usize) {
    if frames / PROGRESS_STEP != frames.saturating_sub(added as u64) / PROGRESS_STEP {
        progress(Progress { done: frames, total: None });
    }
}

#[cfg(test)]
mod tests {
    use super::Lineage;

    #[test]
    fn restores_are_ways_back() {
        let way = |target, restores: &[(u64, u64)]| {
            let lineage = Lineage::to(target, restores);
            (1..=12).filter(|sequence| lineage.holds(*sequence)).collect::<Vec<_>>()
        };
        assert_eq!(way(12, &[]), (1..=12).collect::<Vec<_>>());
        assert_eq!(way(12, &[(8, 3)]), [1, 2, 3, 8, 9, 10, 11, 12]);
        assert_eq!(way(7, &[(8, 3)]), [1, 2, 3, 4, 5, 6, 7], "what was left out can be gone back to");
        assert_eq!(way(12, &[(8, 3), (11, 6)]), [1, 2, 3, 4, 5, 6, 11, 12], "into what was left out before");
        assert_eq!(way(12, &[(8, 3), (11, 9)]), [1, 2, 3, 8, 9, 11, 12]);
        assert_eq!(way(12, &[(8, 0)]), [8, 9, 10, 11, 12], "to before the first record");
        assert!(Lineage::to(5, &[(4, 2)]).holds(0));
    }
}
