//! What commands do with an installation: find out whether its server runs, open its data folder when it does not.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{CommandError, Installation};
use crate::config::{LogFormat, LogLevel};
use crate::journal::{Record, RecordKind};
use crate::model::ResultCode;
use crate::operation::Context;
use crate::policy::password::{HashAnswer, HashJob};
use crate::protocol::{LdapResult, Reply};
use crate::server::bulk::Bulk;
use crate::server::committer::Committer;
use crate::server::hash_pool::HashPool;
use crate::server::{installation, notes, snapshotter};
use crate::store::{self, SnapshotFacts};

/// Hash jobs handed to the pool together: fewer than its queue holds.
const HASHED_AT_ONCE: usize = 256;

impl Installation {
    /// Reads the configuration and what it names.
    pub fn load(&self) -> Result<installation::Installation, CommandError> {
        installation::Installation::load(&self.path()?).map_err(|error| CommandError::Cannot(error.to_string()))
    }
}

/// Where the running server of an installation can be asked, and the suffix it holds; none when no server runs.
pub(super) fn server_socket(arguments: &Installation) -> Result<Option<(PathBuf, String)>, CommandError> {
    let installation = arguments.load()?;
    let socket = installation.configuration.listeners.ldapi.clone();
    let runs = UnixStream::connect(&socket).is_ok();
    Ok(runs.then(|| (socket, installation.configuration.suffix.to_string())))
}

/// Makes a file that only its owner can read; one that is there is emptied.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // The mode above is that of a new file alone; a device stays as it is.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// An installation whose server is stopped, its data folder open under its lock.
pub(super) struct OfflineInstallation {
    committer: Committer,
    /// What is needed beside the committer.
    pub(super) aside: Aside,
}

/// What makes proposals for an installation: contexts and hashed passwords.
pub(super) struct Aside {
    installation: installation::Installation,
    context: Context,
    hash_pool: Option<HashPool>,
}

impl Aside {
    /// A context with the authority of who holds the data folder, and randomness of its own.
    pub(super) fn context(&self) -> Context {
        let mut context = self.context.clone();
        let entropy = &self.installation.entropy;
        entropy.fill(&mut context.fresh.uuid);
        entropy.fill(&mut context.fresh.salt);
        entropy.fill(&mut context.fresh.password);
        context
    }

    /// Does hash jobs on all cores; answers come in the order of the jobs.
    pub(super) fn hash(&mut self, jobs: Vec<HashJob>) -> Result<Vec<HashAnswer>, CommandError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let cannot = |error: &dyn std::fmt::Display| CommandError::Cannot(format!("passwords cannot be hashed: {error}"));
        let parameters = self.installation.configuration.password;
        if self.hash_pool.is_none() {
            let pool = HashPool::start(parameters, &self.installation.entropy).map_err(|error| cannot(&error))?;
            self.hash_pool = Some(pool);
        }
        let Some(pool) = &self.hash_pool else { return Err(cannot(&"no pool")) };
        let mut answers = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter().peekable();
        // The pool takes only so many at once.
        while jobs.peek().is_some() {
            let waiting: Vec<_> = jobs.by_ref().take(HASHED_AT_ONCE).map(|job| pool.submit(job, None)).collect();
            for answer in waiting {
                let answer = answer.map_err(|error| cannot(&error))?;
                answers.push(answer.blocking_recv().map_err(|error| cannot(&error))?);
            }
        }
        Ok(answers)
    }
}

impl OfflineInstallation {
    /// Opens the data folder for who will not search.
    pub(super) fn open_without_indexes(arguments: &Installation) -> Result<OfflineInstallation, CommandError> {
        OfflineInstallation::without_indexes(arguments.load()?)
    }

    /// The same for an installation that is loaded already.
    pub(super) fn without_indexes(installation: installation::Installation) -> Result<OfflineInstallation, CommandError> {
        // What the checkpoint's thread has to complain about would go unheard.
        super::logging::start(LogFormat::Text, LogLevel::Warn);
        let options = installation.store_options_without_indexes();
        let opened =
            store::open(&options, &mut notes::log_progress()).map_err(|error| CommandError::Cannot(error.to_string()))?;
        for note in &opened.notes {
            super::output::remark(note);
        }
        let mut committer = Committer::new(opened, installation.clock.clone(), installation.entropy.clone());
        let context = notes::context(installation.settings());
        let upgraded = committer
            .upgrade(&context)
            .map_err(|code| CommandError::Cannot(format!("the journal cannot be written (code {})", code.number())))?;
        upgraded.remarks().for_each(super::output::remark);
        Ok(OfflineInstallation { committer, aside: Aside { installation, context, hash_pool: None } })
    }

    /// The one writer of this installation.
    pub(super) fn committer(&mut self) -> &mut Committer {
        &mut self.committer
    }

    /// Microseconds of the monotonic clock.
    pub(super) fn now(&self) -> u64 {
        self.aside.installation.clock.monotonic()
    }

    /// See [`Aside::context`].
    pub(super) fn context(&self) -> Context {
        self.aside.context()
    }

    /// The same, of this moment.
    pub(super) fn context_now(&self) -> Context {
        Context { now: self.committer.now(), ..self.aside.context() }
    }

    /// See [`Aside::hash`].
    pub(super) fn hash(&mut self, jobs: Vec<HashJob>) -> Result<Vec<HashAnswer>, CommandError> {
        self.aside.hash(jobs)
    }

    /// Loads much: see [`Committer::bulk`].
    pub(super) fn bulk<R>(&mut self, work: impl FnOnce(&mut Bulk<'_>, &mut Aside) -> R) -> (R, Result<(), CommandError>) {
        let OfflineInstallation { committer, aside } = self;
        let (result, written) = committer.bulk(|bulk| work(bulk, aside));
        (result, written.map_err(|error| CommandError::Cannot(error.to_string())))
    }

    /// The same without writing anything: see [`Committer::rehearse`].
    pub(super) fn rehearse<R>(&mut self, work: impl FnOnce(&mut Bulk<'_>, &mut Aside) -> R) -> R {
        let OfflineInstallation { committer, aside } = self;
        committer.rehearse(|bulk| work(bulk, aside))
    }

    /// A record about the installation.
    pub(super) fn record(kind: RecordKind, details: Vec<(&'static str, String)>) -> Record {
        notes::record(kind, details)
    }

    /// Has something recorded.
    pub(super) fn note(&mut self, record: Record) -> Result<(), CommandError> {
        let context = self.context();
        self.committer
            .note(context, record)
            .map_err(|code| CommandError::Cannot(format!("the journal cannot be written (code {})", code.number())))
    }

    /// What a reply says, unless it is success.
    pub(super) fn refusal(reply: &Reply) -> Option<&LdapResult> {
        match reply {
            Reply::Result { result, .. } if result.code != ResultCode::Success => Some(result),
            Reply::Result { .. } | Reply::Entry { .. } | Reply::Reference { .. } | Reply::Intermediate { .. } => None,
        }
    }

    /// Takes a snapshot of what there is now. None: it could not be taken; the log says why, and the journal.
    pub(super) fn snapshot(&mut self) -> Option<SnapshotFacts> {
        let context = self.context();
        snapshotter::now(&mut self.committer, context)
    }

    /// Brings the checkpoint up to date and closes the data folder.
    pub(super) fn close(self) {
        self.committer.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_could_read_is_theirs_no_longer() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "old").unwrap();
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o644)).unwrap();
        let made = create_private(file.path()).unwrap();
        let metadata = made.metadata().unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o600, 0));
    }
}
