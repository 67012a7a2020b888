//! Restore: a data folder whose content is that of an earlier instant, made of a backup's files.
//!
//! The journal stays as long as it is, with the records of everything that happened, and goes on behind its end: a segment that begins with
//! the record `restore` says of which sequence the content is from there on. No sequence is given twice, no record is lost.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backup::{Extents, Wanted, extents, time_of};
use super::content::{Content, Lineage, content_at, proven_beside_sled, proven_by_sled};
use super::open::{Folder, chain, lock, opened_keys, place};
use super::reader::JournalReader;
use super::segment::SEGMENT_OCTETS;
use super::snapshot::{self, Position};
use super::{Journal, Progress, StartNote, StoreError, StoreOptions};
use crate::journal::{Frame, Record};
use crate::model::Timestamp;

/// What to go back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreTarget {
    /// Whatever was last.
    End,
    /// The content after this record.
    Sequence(u64),
    /// The content at this moment.
    Time(Timestamp),
}

/// What was restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreFacts {
    /// The content is that after this sequence.
    pub sequence: u64,
    /// Its policy time.
    pub time: Timestamp,
    /// First and last sequence whose changes are left out; their records stay.
    pub left_out: Option<(u64, u64)>,
    /// Sequence of the restore's own record.
    pub record: u64,
    /// Snapshots that were damaged and not used.
    pub notes: Vec<StartNote>,
}

/// Where in the journal an instant lies.
#[derive(Clone, Copy, Default)]
struct Instant {
    sequence: u64,
    time: Timestamp,
}

/// The data folder there is, locked: no server has it open, and none opens it while this is held.
pub struct PresentFolder {
    data: PathBuf,
    lock: Arc<File>,
}

impl PresentFolder {
    /// None: there is no folder. An error where a server has it open.
    pub fn lock(data: &Path) -> Result<Option<PresentFolder>, StoreError> {
        if !data.exists() {
            return Ok(None);
        }
        Ok(Some(PresentFolder { data: data.to_owned(), lock: Arc::new(lock(data)?) }))
    }

    /// Its path.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }
}

/// A journal that goes on behind a backup's end.
pub struct NewerJournal {
    files: Vec<(PathBuf, u64)>,
    last: u64,
    damage: Option<StoreError>,
}

/// The journal of the data folder there is, where it is that of the backup's files at `options.data` and goes on behind them: what happened
/// since then is to stay recorded. None: it does not, or belongs to another installation. Where it is damaged, what stands before the damage.
pub fn newer_journal(
    options: &StoreOptions,
    present: &PresentFolder,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<NewerJournal>, StoreError> {
    let (ours, _) = opened_keys(options)?;
    let options_there = StoreOptions { data: present.data.clone(), ..options.clone() };
    let (theirs, _) = opened_keys(&options_there)?;
    if !theirs.identity().is_of(&ours.identity()) {
        return Ok(None);
    }
    let folder =
        Folder { options: &options_there, keys: theirs.clone(), lock: Arc::clone(&present.lock), segment_octets: SEGMENT_OCTETS };
    let proven = proven_beside_sled(&folder)?.max(proven_by_sled(&folder));
    let mut read = |folder: &Path, asked, proven, found: &mut Extents| -> Result<(), StoreError> {
        let reader = JournalReader::new(Arc::clone(&options.disk), folder, &theirs)?;
        extents(&reader, folder, Wanted { until: u64::MAX, asked, proven }, &mut *progress, found)
    };
    let (mut here, mut there) = (Extents::default(), Extents::default());
    read(&options.data.join("journal"), None, 0, &mut here)?;
    let damage = match read(&present.data.join("journal"), Some(here.sequence), proven, &mut there) {
        Err(error @ StoreError::Damaged { .. }) => Some(error),
        other => {
            other?;
            None
        }
    };
    let goes_on = there.leaf_asked == Some(here.leaf) && there.sequence > here.sequence;
    match (goes_on, damage) {
        (true, damage) => Ok(Some(NewerJournal { files: there.files, last: there.sequence, damage })),
        (false, Some(damage)) => Err(damage),
        (false, None) => Ok(None),
    }
}

impl NewerJournal {
    /// Why records behind [`Self::last`] cannot be taken over.
    pub fn damage(&self) -> Option<&StoreError> {
        self.damage.as_ref()
    }

    /// The last sequence of it.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Puts it in place of the backup's; returns its last sequence.
    pub fn adopt(self, options: &StoreOptions) -> Result<u64, StoreError> {
        let journal = options.data.join("journal");
        let old = options.disk.list(&journal).map_err(|error| StoreError::Io { path: journal.clone(), error })?;
        for path in old {
            std::fs::remove_file(&path).map_err(|error| StoreError::Io { path, error })?;
        }
        for (path, length) in &self.files {
            let target = journal.join(snapshot::name_of(path));
            copy_front(path, &target, *length).map_err(|error| StoreError::Io { path: target, error })?;
        }
        options.disk.sync_folder(&journal).map_err(|error| StoreError::Io { path: journal, error })?;
        Ok(self.last)
    }
}

fn copy_front(from: &Path, to: &Path, length: u64) -> std::io::Result<()> {
    use std::io::Read as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut target = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    std::io::copy(&mut File::open(from)?.take(length), &mut target)?;
    target.sync_all()
}

/// Makes the data folder at `options.data`, which holds the files of a backup and nothing else, one whose content is that of `target`.
/// `record` is written to the journal with what was done; its kind is `Restore`. The folder opens afterwards like any other, its checkpoint
/// made from the snapshot that this takes.
pub fn restore(
    options: &StoreOptions,
    target: RestoreTarget,
    mut record: Record,
    progress: &mut dyn FnMut(Progress),
) -> Result<RestoreFacts, StoreError> {
    let lock = Arc::new(lock(&options.data)?);
    let (keys, _) = opened_keys(options)?;
    keys.go_on_with_configured(options)?;
    let folder = Folder { options, keys, lock, segment_octets: SEGMENT_OCTETS };
    let proven = proven_beside_sled(&folder)?;
    let mut notes = Vec::new();
    let (instant, last) = find(&folder, target, proven, &mut notes)?;
    let Content { directory, end, .. } = content_at(&folder, Some(instant.sequence), proven, &mut notes, progress)?;
    end.clean(&*options.disk)?;
    remove_snapshots_elsewhere(&folder, instant.sequence)?;

    let left_out = (instant.sequence < last).then_some((instant.sequence.saturating_add(1), last));
    record.details.push(("to", instant.sequence.to_string()));
    record.details.push(("time", instant.time.to_rfc3339()));
    record.details.push(("leftOut", left_out.map_or("nothing".to_owned(), |(first, last)| format!("{first}-{last}"))));
    let mut chain = chain(&folder, &end);
    let mut salt = [0; 16];
    options.entropy.fill(&mut salt);
    let now = options.clock.now().max(Timestamp(chain.last_time.0.saturating_add(1)));
    let frame = chain.frame(&record, Vec::new(), salt, now, options.clock.monotonic());
    let mut journal = Journal::new(place(&folder), end.end, Arc::clone(&folder.lock)).restoring(instant.sequence);
    journal.append(&[frame], directory.digest()).map_err(|error| StoreError::Content(error.to_string()))?;
    drop(journal);

    let sequence = chain.next_sequence.saturating_sub(1);
    let position = Position { sequence, leaf: chain.last_leaf, time: chain.last_time, digest: directory.digest() };
    folder.snapshots()?.take(&directory, &position, &|| true)?;
    Ok(RestoreFacts { sequence: instant.sequence, time: instant.time, left_out, record: sequence, notes })
}

/// What the journal says of a target.
#[derive(Default)]
struct Search {
    found: Option<Instant>,
    first: Option<Instant>,
    end: Instant,
    /// The transaction that it lies within.
    inside: Option<(u64, u64)>,
}

impl Search {
    fn look_at(&mut self, frame: &Frame, target: RestoreTarget) {
        let here = Instant { sequence: frame.last_sequence(), time: time_of(frame) };
        let fits = match target {
            RestoreTarget::End => true,
            RestoreTarget::Sequence(wanted) => here.sequence == wanted,
            RestoreTarget::Time(wanted) => here.time <= wanted,
        };
        if fits {
            self.found = Some(here);
        }
        self.first.get_or_insert(here);
        self.inside = self.inside.or_else(|| inside_of(frame, target));
        self.end = here;
    }
}

/// Reads and verifies the whole journal; where the target lies in it, and its last sequence. Damage is told and stepped over here: what is
/// needed to make the content is read once more, and there it is an error.
fn find(
    folder: &Folder<'_>,
    target: RestoreTarget,
    proven: u64,
    notes: &mut Vec<StartNote>,
) -> Result<(Instant, u64), StoreError> {
    let mut search = Search::default();
    let strict = folder.reader()?.read::<StoreError>(1, proven, &mut |group| {
        group.frames.iter().for_each(|frame| search.look_at(frame, target));
        Ok(())
    });
    if let Err(StoreError::Damaged { .. }) = strict {
        search = Search::default();
        let end = folder.reader()?.read_around::<StoreError>(1, &mut |group| {
            group.frames.iter().for_each(|frame| search.look_at(frame, target));
            Ok(())
        })?;
        if search.end.sequence < proven {
            strict?;
        }
        notes.extend(end.damages.into_iter().map(StartNote::Damaged));
    } else {
        strict?;
    }
    let Search { found, first, end, inside } = search;
    let refused = |problem: String| StoreError::Backup(problem);
    match (target, inside) {
        (RestoreTarget::Sequence(wanted), Some((from, to))) => Err(refused(format!(
            "sequence {wanted} lies within the transaction of records {from} to {to}, which happened at once: restore to {} or to {to}",
            from.saturating_sub(1)
        ))),
        (RestoreTarget::Sequence(wanted), None) if wanted > end.sequence => {
            Err(refused(format!("sequence {wanted} is beyond the end, which is {} of {}", end.sequence, end.time.to_rfc3339())))
        }
        (RestoreTarget::Time(wanted), _) if wanted > end.time => Err(refused(format!(
            "{} is beyond the end, which is {} (sequence {}); without --to that is what is restored",
            wanted.to_rfc3339(),
            end.time.to_rfc3339(),
            end.sequence
        ))),
        _ => found.map(|found| (found, end.sequence)).ok_or_else(|| {
            let first = first.map_or_else(String::new, |first| format!(" of {}", first.time.to_rfc3339()));
            refused(format!("nothing is recorded before that: the first record is 1{first}"))
        }),
    }
}

fn inside_of(frame: &Frame, target: RestoreTarget) -> Option<(u64, u64)> {
    match target {
        RestoreTarget::Sequence(wanted) if (frame.sequence..frame.last_sequence()).contains(&wanted) => {
            Some((frame.sequence, frame.last_sequence()))
        }
        _ => None,
    }
}

/// A snapshot of what is left out now is on no way to what is restored.
fn remove_snapshots_elsewhere(folder: &Folder<'_>, target: u64) -> Result<(), StoreError> {
    let disk = &*folder.options.disk;
    let lineage = Lineage::to(target, &folder.reader()?.restores());
    for (sequence, path) in snapshot::list(disk, &folder.snapshot_folder())? {
        if sequence > target || !lineage.holds(sequence) {
            disk.remove(&path).map_err(|error| StoreError::Io { path, error })?;
        }
    }
    Ok(())
}

/// Whoever restores as root leaves a folder that the server's user can use: with all in it, it belongs to whom its like belongs to.
fn take_the_owner(restored: &Path, of: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::Io { path, error }
    };
    let owner = std::fs::metadata(of).map_err(io(of))?;
    let mut waiting = vec![restored.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = std::fs::symlink_metadata(&path).map_err(io(&path))?;
        if (found.uid(), found.gid()) != (owner.uid(), owner.gid()) {
            match chown(&path, Some(owner.uid()), Some(owner.gid())) {
                // Another than root gives nothing away. What is there can be read by whoever restored it.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(()),
                other => other.map_err(io(&path))?,
            }
        }
        // A journal on a disk of its own is a link.
        if found.is_dir() || (found.is_symlink() && path.is_dir()) {
            for item in std::fs::read_dir(&path).map_err(io(&path))? {
                waiting.push(item.map_err(io(&path))?.path());
            }
        }
    }
    Ok(())
}

/// The restored folder takes the place of the one there is, which is kept beside it as `data.aside-N`; at no moment is there none.
pub fn put_in_place(restored: &Path, data: &Path, present: Option<PresentFolder>) -> Result<Option<PathBuf>, StoreError> {
    let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    take_the_owner(restored, if present.is_some() { data } else { parent })?;
    let rename =
        |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|error| StoreError::Io { path: from.to_owned(), error });
    let Some(_locked) = present else {
        rename(restored, data)?;
        super::open::sync_real_folder(parent)?;
        return Ok(None);
    };
    let name = snapshot::name_of(data);
    let free = (1..u64::MAX).map(|number| parent.join(format!("{name}.aside-{number}"))).find(|path| !path.exists());
    let aside = free.ok_or_else(|| StoreError::Content("no name is left".to_owned()))?;
    // Under that name nothing is removed, whatever happens next.
    rename(restored, &aside)?;
    let (at, flags) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
    rustix::fs::renameat_with(at, &aside, at, data, flags).map_err(|error| {
        let (data, aside) = (data.display(), aside.display());
        StoreError::Backup(format!(
            "{data}: cannot be exchanged with the restored folder, which is {aside}: {error}; where it is a mount point, name a folder below it \
             as data in bindery.toml, or mount it elsewhere; where its file system cannot exchange, move it away and {aside} into its place"
        ))
    })?;
    super::open::sync_real_folder(parent)?;
    Ok(Some(aside))
}
