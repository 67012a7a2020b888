//! What every action that reads the journal begins with: the reading is recorded, then the files are read.

use std::process::ExitCode;
use std::time::Duration;

use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::command::installation::{OfflineInstallation, server_socket};
use crate::journal::RecordKind;
use crate::journal::query::{FoundRecord, LookupRequest};
use crate::operation::journal_read::{LONGEST_QUESTION, QUESTION};
use crate::protocol::oid;
use crate::store::{Found, JournalLookup, StoreOptions, folder_of_journal};
use crate::wire::client::LocalClient;

/// Records looked for at once.
const FOUND_AT_ONCE: usize = 4096;
/// Records read at once.
const READ_AT_ONCE: u64 = 65_536;
/// nice(2) value of a command that reads beside a running server.
const NICENESS: i32 = 10;
/// How long `--follow` waits before it looks again.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

/// A journal that may be read now.
pub(in crate::command) struct Reading {
    lookup: JournalLookup,
    options: StoreOptions,
    /// Open while it is read, so that no server starts meanwhile.
    offline: Option<OfflineInstallation>,
    damages: u64,
}

impl Reading {
    /// Has the reading recorded: by the running server as the calling user, else in the data folder itself.
    pub(in crate::command) fn begin(arguments: &Installation, question: &str) -> Result<Reading, CommandError> {
        let installation = arguments.load()?;
        let options = installation.store_options_without_indexes();
        let offline = match record(arguments, question)? {
            Recorded::ByServer => None,
            Recorded::Here(opened) => Some(*opened),
            Recorded::Not(problem) => return Err(CommandError::Cannot(problem)),
        };
        if offline.is_none() {
            // The server comes first. Where that cannot be said, the question is asked all the same.
            if rustix::process::getpriority_process(None).is_ok_and(|present| present < NICENESS) {
                let _ = rustix::process::setpriority_process(None, NICENESS);
            }
        }
        let lookup = JournalLookup::new(options.clone(), offline.is_some());
        Ok(Reading { lookup, options, offline, damages: 0 })
    }

    /// Whether a server writes the journal meanwhile.
    pub(in crate::command) fn is_beside_a_server(&self) -> bool {
        self.offline.is_none()
    }

    /// Octets that may still be written where the journal is.
    pub(in crate::command) fn available(&self) -> Option<u64> {
        self.options.disk.available(&folder_of_journal(&self.options.data)).ok()
    }

    /// Where to look.
    pub(in crate::command) fn lookup(&mut self) -> &mut JournalLookup {
        &mut self.lookup
    }

    /// Hands over each record found until `each` has enough. Answers with the sequence behind which nothing was read yet.
    pub(in crate::command) fn each(
        &mut self,
        mut request: LookupRequest,
        each: &mut dyn FnMut(FoundRecord) -> Result<Go, CommandError>,
    ) -> Result<Option<u64>, CommandError> {
        request.most_found = request.most_found.min(FOUND_AT_ONCE);
        request.most_read = READ_AT_ONCE;
        let mut reached = request.from;
        loop {
            let Found { records, next, damages, .. } =
                self.lookup.find(&request).map_err(|error| CommandError::Cannot(error.to_string()))?;
            for damage in damages {
                self.damages += 1;
                output::remark(format_args!(
                    "{}: records {} to {} cannot be read: {}",
                    damage.segment, damage.sequences.0, damage.sequences.1, damage.problem
                ));
            }
            for found in records {
                reached = Some(found.record.sequence);
                if let Go::Enough = each(found)? {
                    return Ok(reached);
                }
            }
            match next {
                Some(next) => {
                    reached = Some(next);
                    request.from = Some(next);
                }
                None => return Ok(reached),
            }
        }
    }

    /// Goes on with what is written from now on, until `each` has enough.
    pub(in crate::command) fn follow(
        &mut self,
        mut request: LookupRequest,
        each: &mut dyn FnMut(FoundRecord) -> Result<Go, CommandError>,
    ) -> Result<(), CommandError> {
        let mut stops = false;
        while !stops {
            std::thread::sleep(FOLLOW_INTERVAL);
            let reached = self.each(request.clone(), &mut |found| {
                let go = each(found)?;
                stops |= matches!(go, Go::Enough);
                Ok(go)
            })?;
            request.from = reached;
        }
        Ok(())
    }

    /// Closes the folder. Exit code 1 where something could not be read.
    pub(in crate::command) fn end(self) -> ExitCode {
        if let Some(offline) = self.offline {
            offline.close();
        }
        if self.damages > 0 { ExitCode::from(FOUND_SOMETHING) } else { ExitCode::SUCCESS }
    }
}

/// Whether more is wanted.
pub(in crate::command) enum Go {
    /// More.
    On,
    /// No more.
    Enough,
}

/// Where a reading was recorded.
pub(in crate::command) enum Recorded {
    /// By the running server.
    ByServer,
    /// In the data folder, which stays open while it is read.
    Here(Box<OfflineInstallation>),
    /// Nowhere: no server runs and the data folder cannot be opened.
    Not(String),
}

/// Records that the journal is read. An error where the server does not let this user.
pub(in crate::command) fn record(arguments: &Installation, question: &str) -> Result<Recorded, CommandError> {
    let question = shortened(question);
    if let Some((socket, _)) = server_socket(arguments)? {
        let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
        client.extended_with(oid::JOURNAL_READ, Some(question.into_bytes())).map_err(|error| {
            CommandError::Cannot(format!("{error}; the journal is read by administrators and members of cn=auditors,ou=roles"))
        })?;
        return Ok(Recorded::ByServer);
    }
    let mut opened = match OfflineInstallation::open_without_indexes(arguments) {
        Ok(opened) => opened,
        Err(CommandError::Cannot(problem)) => return Ok(Recorded::Not(problem)),
        Err(error) => return Err(error),
    };
    opened.note(OfflineInstallation::record(RecordKind::JournalRead, vec![(QUESTION, question)]))?;
    Ok(Recorded::Here(Box::new(opened)))
}

fn shortened(question: &str) -> String {
    let mut end = question.len().min(LONGEST_QUESTION);
    while !question.is_char_boundary(end) {
        end -= 1;
    }
    question.get(..end).unwrap_or_default().to_owned()
}

/// All there is, for who wants it.
pub(in crate::command) fn everything() -> LookupRequest {
    LookupRequest {
        query: crate::journal::query::Query::default(),
        backwards: false,
        from: None,
        most_found: usize::MAX,
        most_read: u64::MAX,
    }
}
