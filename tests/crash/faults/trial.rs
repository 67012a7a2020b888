//! An installation under trial: load, a crash, and the examination afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::random::Random;
use crate::load::{Book, Load, Note, WRITERS};
use crate::site::{Running, Site, copy_folder};
use crate::verify;

pub(crate) struct Trial {
    pub(crate) site: Site,
    pub(crate) books: Vec<Book>,
    /// Operations acknowledged so far.
    pub(crate) acknowledged: usize,
    /// Checkpoints that a crash left in a state they had to be made anew from.
    pub(crate) rebuilt: usize,
    /// The first sequence that was not looked at.
    next: u64,
    /// What the journal must have from there on.
    notes: Vec<Note>,
    pristine: PathBuf,
}

impl Trial {
    pub(crate) fn new(folder: &Path, data: &Path) -> Result<Trial, String> {
        let site = Site::new(folder, data)?;
        let pristine = folder.join("pristine");
        copy_folder(data, &pristine)?;
        let books = vec![Book::new(); WRITERS];
        Ok(Trial { site, books, acknowledged: 0, rebuilt: 0, next: 1, notes: Vec::new(), pristine })
    }

    /// Begins anew with the data folder of a new installation.
    pub(crate) fn reset(&mut self) -> Result<(), String> {
        empty(&self.site.data)?;
        copy_folder(&self.pristine, &self.site.data)?;
        self.books = vec![Book::new(); WRITERS];
        (self.next, self.notes) = (1, Vec::new());
        Ok(())
    }

    pub(crate) fn start_load(&mut self, server: &Running, random: &mut Random, padding: usize) -> Load {
        Load::start(server, &mut self.books, random, padding)
    }

    /// Ends the load and keeps what its connections know.
    pub(crate) fn finish_load(&mut self, load: Load) -> Result<(), String> {
        let counts = load.counts.clone();
        let (books, notes) = load.finish()?;
        self.books = books;
        self.notes.extend(notes);
        self.acknowledged += counts.acknowledged.load(std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Looks at what a server that runs has.
    pub(crate) fn compare(&mut self, server: &Running) -> Result<(), String> {
        let notes = verify::content(server, &mut self.books)?;
        self.notes.extend(notes);
        Ok(())
    }

    /// After a crash: the server starts, everything acknowledged is there, `check` finds nothing, each operation has its record. Which of
    /// server and check is the first to see what the crash left, and how this server ends, is left to chance.
    pub(crate) fn examine(&mut self, random: &mut Random) -> Result<(), String> {
        let check_first = random.one_in(2);
        if check_first {
            self.check()?;
        }
        let server = self.site.start()?;
        self.rebuilt += usize::from(self.site.log().contains("was rebuilt from"));
        self.compare(&server)?;
        if random.one_in(2) {
            server.stop()?;
        } else {
            server.kill();
        }
        if !check_first {
            self.check()?;
        }
        self.read_journal()
    }

    /// `check` finds nothing; or nothing but a checkpoint that had to be made anew, and the second time nothing at all.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let first = self.site.run(&["check"]);
        if first.status.code() != Some(1) || !first.output.contains("was rebuilt from") || !first.output.contains(" 1 problems") {
            return if first.status.success() { Ok(()) } else { Err(format!("check: {first}")) };
        }
        self.rebuilt += 1;
        self.site.succeed(&["check"]).map(drop)
    }

    /// Compares the records since the last time.
    pub(crate) fn read_journal(&mut self) -> Result<(), String> {
        let lines = self.site.succeed(&["journal", "export", "--from", &self.next.to_string()])?;
        verify::journal(&lines, &mut self.next, &std::mem::take(&mut self.notes))
    }
}

/// Removes what is in a folder; the folder may be a mount point.
pub(crate) fn empty(folder: &Path) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    for item in fs::read_dir(folder).map_err(problem)? {
        let path = item.map_err(problem)?.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(problem)?;
    }
    Ok(())
}
