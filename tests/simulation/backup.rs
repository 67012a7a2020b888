//! Backups, and going back: to any group's end there ever was on the way to a backup, in a new data folder, from which life goes on.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bindery::journal::{Record, RecordKind};
use bindery::store::{BackupFacts, BackupSink, MANIFEST, Opened, Position, RestoreTarget, StoreOptions, restore, write_backup};
use bindery::world::{Clock as _, Disk as _};

use crate::crash::Machine;
use crate::life::{self, Checked};
use crate::model::Model;

/// A backup, and what was known when it was taken.
pub(crate) struct Backup {
    files: Vec<(String, Vec<u8>)>,
    model: Model,
    history: Vec<(u64, Model)>,
}

#[derive(Default)]
struct Files(Vec<(String, Vec<u8>)>);

impl BackupSink for Files {
    fn file(&mut self, name: &str, _octets: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut octets = Vec::new();
        content.read_to_end(&mut octets)?;
        self.0.push((name.to_owned(), octets));
        Ok(())
    }
}

impl Machine {
    /// Backs up what there is, or goes back to an instant of an earlier backup. The server is stopped.
    pub(crate) fn back_up_or_restore(&mut self) -> Checked {
        match self.backup.take_if(|_| self.random.percent(60)) {
            Some(backup) => self.restore(&backup),
            None => self.back_up(),
        }
    }

    fn back_up(&mut self) -> Checked {
        let opened = self.open()?;
        // A cut that was to come is not of this.
        self.disk.resume();
        let sequence = opened.chain.next_sequence - 1;
        if sequence == 0 {
            return Ok(());
        }
        let position =
            Position { sequence, leaf: opened.chain.last_leaf, time: opened.chain.last_time, digest: opened.directory.digest() };
        let Opened { snapshots, directory, .. } = &opened;
        snapshots.take(directory, &position, &|| true).map_err(|error| format!("no snapshot for a backup: {error}"))?;
        self.memory.snapshots.retain(|(taken, _)| *taken != sequence);
        self.memory.snapshots.push((sequence, true));
        let (mut files, mut damages) = (Files::default(), Vec::new());
        let mut damaged = |what: &dyn std::fmt::Display| damages.push(what.to_string());
        let facts = write_backup(&self.options, sequence, &mut files, &mut |_| {}, &mut damaged)
            .map_err(|error| format!("no backup: {error}"))?;
        let is_damaged = self.memory.snapshots.iter().any(|(_, is_whole)| !is_whole);
        if !damages.is_empty() && !is_damaged {
            return Err(format!("a backup of what is whole tells of {damages:?}"));
        }
        let manifest = files.0.last().filter(|(name, _)| name == MANIFEST).ok_or("a backup without a manifest")?;
        let read = BackupFacts::parse(&manifest.1, Path::new(MANIFEST)).map_err(|error| error.to_string())?;
        if read != facts || facts.sequence != sequence {
            return Err(format!("the manifest says {read:?} of a backup of sequence {sequence}"));
        }
        if files.0.iter().any(|(name, _)| name.contains("mark")) {
            return Err("a backup has a mark".to_owned());
        }
        files.0.pop();
        self.memory.tally.count("backups");
        let (model, history) = (self.memory.model.clone(), self.memory.history_of_content.clone());
        self.backup = Some(Backup { files: files.0, model, history });
        Ok(())
    }

    fn restore(&mut self, backup: &Backup) -> Checked {
        self.restored += 1;
        let data = self.folder.join(format!("data-{}", self.restored));
        std::fs::create_dir(&data).map_err(|error| error.to_string())?;
        let put = |name: &str, octets: &[u8]| -> io::Result<()> {
            let path = data.join(name);
            let file = self.disk.open(&path)?;
            file.write_all_at(octets, 0)?;
            file.sync_data()?;
            path.parent().map_or(Ok(()), |folder| self.disk.sync_folder(folder))
        };
        backup.files.iter().try_for_each(|(name, octets)| put(name, octets)).map_err(|error| error.to_string())?;
        let options = StoreOptions { data: data.clone(), ..self.options.clone() };
        let end = backup.model.records.len() as u64;
        let (target, wanted) = match self.random.percent(20) {
            true => (RestoreTarget::End, end),
            false => {
                let (sequence, _) = self.random.pick(&backup.history.iter().collect::<Vec<_>>());
                (RestoreTarget::Sequence(*sequence), *sequence)
            }
        };
        let wall = self.clock.now().0;
        let record = Record::new(RecordKind::Restore);
        let done = restore(&options, target, record, &mut |_| {}).map_err(|error| format!("no way back to {wanted}: {error}"))?;
        if (done.sequence, done.record) != (wanted, end + 1) || !done.notes.is_empty() {
            return Err(format!("{done:?}, where {wanted} was to be restored behind {end}"));
        }
        let instant = backup.history.iter().rfind(|(sequence, _)| *sequence == wanted).map(|(_, model)| model);
        let mut model = backup.model.going_back_to(instant.unwrap_or(&backup.model));
        model.note("restore", wall);
        life::note(&mut self.memory, &format!("restored {wanted} behind {end}"));
        self.memory.tally.count(if wanted < end { "restores of an instant before the end" } else { "restores of the end" });

        self.options = options;
        for copy in self.copies.drain(..) {
            std::fs::remove_dir_all(&copy).map_err(|error| error.to_string())?;
        }
        let memory = &mut self.memory;
        memory.journal = data.join("journal");
        // There is no checkpoint.
        (memory.checkpoint_harmed, memory.power_was_cut) = (true, false);
        memory.candidates.clear();
        memory.groups.clear();
        memory.snapshots = vec![(end + 1, true)];
        memory.marked = end + 1;
        memory.history_of_content = backup.history.clone();
        memory.history_of_content.push((end + 1, model.clone()));
        memory.model = model;
        self.options.disk = Arc::new(self.disk.clone());
        Ok(())
    }
}
