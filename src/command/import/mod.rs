//! `bindery import`: loads LDIF into a stopped installation.
//!
//! Three things go on side by side: reading and parsing, deciding and journaling, and the checkpoint's own thread behind them.

mod keep;
mod rejects;
mod report;
mod translate;
mod vendor;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use clap::{Args, ValueEnum as _};
use indicatif::{ProgressBar, ProgressStyle};

use super::installation::{Aside, OfflineInstallation};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::directory::{Directory, Lookup};
use crate::journal::{Record, RecordKind};
use crate::model::ldif::{LdifBody, LdifError, LdifReader, LdifRecord};
use crate::model::{Dn, EntryId, ResultCode};
use crate::operation::add::AddRequest;
use crate::operation::delete::DeleteRequest;
use crate::operation::modify::ModifyRequest;
use crate::operation::modify_dn::ModifyDnRequest;
use crate::operation::{Proposal, ProposedOperation, prepare};
use crate::protocol::{Control, LdapResult, Reply};
use crate::server::bulk::Bulk;
use rejects::Rejects;
use translate::Translator;
use vendor::Vendor;

/// Records decided and made durable together.
pub(super) const GROUP: usize = 400;
/// Octets from which on a group takes no more records.
const GROUP_OCTETS: usize = 4 * 1024 * 1024;
/// Groups that are parsed ahead.
const AHEAD: usize = 8;
/// Records that may wait for the entry above theirs, which comes later in the file.
const WAITING: usize = 100_000;

/// Arguments of `bindery import`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
    /// LDIF files: content or change records
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Go on after a record that cannot be loaded, and write it to the reject file
    #[arg(long = "continue")]
    pub keep_going: bool,
    /// Where rejected records go, each with its reason [default: FILE.rejected beside the first file]
    #[arg(long, value_name = "FILE", requires = "keep_going")]
    pub reject_file: Option<PathBuf>,
    /// The files are the export of another server: leave out what means nothing here, and report every difference
    #[arg(long, value_name = "SERVER")]
    pub from: Option<Vendor>,
    /// Keep this attribute of the other server, which has no definition here: it becomes an operational attribute of octets, which
    /// everybody can read who reads the directory
    #[arg(long, value_name = "ATTRIBUTE", requires = "from")]
    pub keep: Vec<String>,
    /// Decide everything and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Loads LDIF into a stopped installation.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let readable = arguments.files.iter().map(|file| open(file)).collect::<Result<Vec<_>, _>>()?;
    // Nothing is searched while loading, and the process ends after it: indexes would be built for nobody.
    let mut installation = OfflineInstallation::open_without_indexes(&arguments.installation)?;
    let rejects = arguments.keep_going.then(|| Rejects::new(arguments));
    let bar = progress_bar(&readable);
    let work = |bulk: &mut Bulk<'_>, aside: &mut Aside| {
        let kept = keep::define(&arguments.keep, bulk, aside);
        let mut load = Load::new(arguments.from, bulk, aside, rejects, bar.clone());
        let outcome = kept
            .and_then(|()| arguments.files.iter().zip(readable).try_for_each(|(path, (file, _))| load.file(path, file)))
            .and_then(|()| load.waiting_records());
        load.end(outcome)
    };
    let (loaded, written) = match arguments.dry_run {
        false => installation.bulk(work),
        true => (installation.rehearse(work), Ok(())),
    };
    bar.finish_and_clear();
    // Why the writer ended says more than that it ended.
    written?;
    if !arguments.dry_run {
        installation.note(summary(arguments, &loaded))?;
        // What was loaded is safe in the journal; a start that has to rebuild is faster with it.
        installation.snapshot();
    }
    installation.close();
    let Loaded { outcome, loaded, refused, rejects, report } = loaded;
    outcome?;
    output::octets(report.as_bytes())?;
    let would = if arguments.dry_run { "dry run, nothing was written: " } else { "" };
    output::remark(format_args!("{would}{loaded} records loaded, {refused} refused"));
    match rejects.filter(|_| refused > 0) {
        Some(rejects) => {
            rejects.finish()?;
            Ok(ExitCode::from(FOUND_SOMETHING))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn open(path: &Path) -> Result<(File, u64), CommandError> {
    let cannot = |error| CommandError::Cannot(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len();
    Ok((file, length))
}

fn progress_bar(files: &[(File, u64)]) -> ProgressBar {
    let bar = ProgressBar::new(files.iter().map(|(_, length)| length).sum());
    // A template that does not parse would be a typing error here, seen at once: the default style serves as well.
    let style = ProgressStyle::with_template("{bar:30} {percent}%  {msg}  {elapsed} gone, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style)
}

fn summary(arguments: &Arguments, loaded: &Loaded) -> Record {
    let names: Vec<String> = arguments.files.iter().map(|file| file.display().to_string()).collect();
    let mut details =
        vec![("files", names.join(" ")), ("loaded", loaded.loaded.to_string()), ("refused", loaded.refused.to_string())];
    if let Some(vendor) = arguments.from.and_then(|vendor| vendor.to_possible_value()) {
        details.push(("from", vendor.get_name().to_owned()));
    }
    OfflineInstallation::record(RecordKind::Import, details)
}

/// A parsed record, or why a piece of the file is none.
type Parsed = Result<LdifRecord, LdifError>;

/// One import under way.
struct Load<'a, 'b> {
    bulk: &'a mut Bulk<'b>,
    aside: &'a mut Aside,
    rejects: Option<Rejects>,
    /// For exports of other servers.
    translator: Option<Translator>,
    /// Records whose entry above has not come yet, and the file they are from.
    waiting: Vec<(PathBuf, LdifRecord)>,
    /// Entries below this number were here before.
    first_new: EntryId,
    bar: ProgressBar,
    loaded: u64,
    refused: u64,
}

/// What came of it.
struct Loaded {
    outcome: Result<(), CommandError>,
    loaded: u64,
    refused: u64,
    rejects: Option<Rejects>,
    report: String,
}

impl<'a, 'b> Load<'a, 'b> {
    fn new(
        from: Option<Vendor>,
        bulk: &'a mut Bulk<'b>,
        aside: &'a mut Aside,
        rejects: Option<Rejects>,
        bar: ProgressBar,
    ) -> Load<'a, 'b> {
        let translator = from.map(|vendor| Translator::new(vendor, Arc::clone(bulk.head().schema())));
        let first_new = bulk.head().next_entry_id();
        Load { bulk, aside, rejects, translator, waiting: Vec::new(), first_new, bar, loaded: 0, refused: 0 }
    }

    fn end(mut self, outcome: Result<(), CommandError>) -> Loaded {
        if let Some(translator) = &mut self.translator {
            translator.report.find_dangling(self.bulk.head());
        }
        let report = self.translator.map(|it| it.report.to_string()).unwrap_or_default();
        Loaded { outcome, loaded: self.loaded, refused: self.refused, rejects: self.rejects, report }
    }

    fn file(&mut self, path: &Path, file: File) -> Result<(), CommandError> {
        let position = Arc::new(AtomicU64::new(0));
        let before = self.bar.position();
        let (groups, parsed) = sync_channel(AHEAD);
        let reader = Counted { inner: file, position: Arc::clone(&position) };
        let parser = std::thread::Builder::new()
            .name("ldif".to_owned())
            .spawn(move || parse(reader, &groups))
            .map_err(|error| CommandError::Cannot(format!("a thread cannot be started: {error}")))?;
        let outcome = self.groups(path, parsed, &position, before);
        // It ends by itself once nobody takes its groups; a panic in it would have been reported by the runtime already.
        let _ = parser.join();
        outcome
    }

    fn groups(
        &mut self,
        path: &Path,
        parsed: Receiver<Vec<Parsed>>,
        position: &AtomicU64,
        before: u64,
    ) -> Result<(), CommandError> {
        for group in parsed {
            let mut records = Vec::with_capacity(group.len());
            for record in group {
                match record {
                    Ok(record) => {
                        let Some(record) = self.translate(record) else { continue };
                        if self.gives_a_newcomer_a_password(&record) {
                            self.load(path, std::mem::take(&mut records))?;
                        }
                        records.push(record);
                    }
                    Err(error) => {
                        self.load(path, std::mem::take(&mut records))?;
                        self.reject(path, error.line, &error.problem, None)?;
                    }
                }
            }
            self.load(path, records)?;
            self.bar.set_position(before + position.load(Ordering::Relaxed));
            let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
            self.bar.set_message(format!("{} records, {:.0}/s", self.loaded, self.loaded as f64 / seconds));
        }
        Ok(())
    }

    fn translate(&mut self, record: LdifRecord) -> Option<LdifRecord> {
        match &mut self.translator {
            Some(translator) => translator.translate(record),
            None => Some(record),
        }
    }

    /// Whether a password is changed of an entry that is not here before the records in front are loaded: hashing looks for it.
    fn gives_a_newcomer_a_password(&self, record: &LdifRecord) -> bool {
        let LdifBody::Modify(changes) = &record.body else { return false };
        let head = self.bulk.head();
        changes.iter().any(|change| prepare::is_password_description(head.schema(), &change.attribute.description))
            && !Dn::parse(&record.dn).is_ok_and(|dn| matches!(head.find(&dn), Lookup::Found(_)))
    }

    /// Loads records in order. One that is refused is rejected, and ends the load unless it is to go on.
    fn load(&mut self, path: &Path, records: Vec<LdifRecord>) -> Result<(), CommandError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut proposals = proposals(self.aside, self.bulk.head(), &records)?;
        if self.translator.is_some() {
            self.take_suffix_along(&mut proposals);
        }
        let keep_going = self.rejects.is_some();
        let moving = self.translator.is_some();
        let is_expected =
            |result: &LdapResult| moving && matches!(result.code, ResultCode::NoSuchObject | ResultCode::EntryAlreadyExists);
        let go_on = |reply: &Reply| keep_going || OfflineInstallation::refusal(reply).is_none_or(is_expected);
        let replies = self.bulk.load(&mut proposals, go_on).map_err(|error| CommandError::Cannot(error.to_string()))?;
        for (record, reply) in records.into_iter().zip(&replies) {
            match OfflineInstallation::refusal(reply) {
                None => self.loaded += 1,
                Some(result) if self.is_set_aside(path, &record, result) => {}
                Some(result) => self.reject(path, record.line, &describe(result), Some(&record))?,
            }
        }
        Ok(())
    }

    /// The suffix entry of an export takes the place of the one that `init` made.
    fn take_suffix_along(&self, proposals: &mut [Proposal]) {
        let suffix = self.bulk.head().suffix();
        for proposal in proposals {
            let ProposedOperation::Add(request) = &mut proposal.operation else { continue };
            if Dn::parse(&request.name).is_ok_and(|dn| dn.rdns.len() == suffix.rdns.len()) {
                request.replaces_suffix();
            }
        }
    }

    /// Whether a refused record of an export is no loss: it waits for the entry above it, or is about an entry that was here before.
    fn is_set_aside(&mut self, path: &Path, record: &LdifRecord, result: &LdapResult) -> bool {
        let Some(translator) = &mut self.translator else { return false };
        if !matches!(record.body, LdifBody::Add(_)) {
            return false;
        }
        match result.code {
            ResultCode::NoSuchObject if self.waiting.len() < WAITING => {
                self.waiting.push((path.to_owned(), record.clone()));
                true
            }
            ResultCode::EntryAlreadyExists => {
                let found = Dn::parse(&record.dn).map(|dn| self.bulk.head().find(&dn));
                let was_here = matches!(found, Ok(Lookup::Found(id)) if id < self.first_new);
                if was_here {
                    translator.report.kept.add(&String::from_utf8_lossy(&record.dn));
                }
                was_here
            }
            _ => false,
        }
    }

    /// Loads the records that waited for entries above theirs, as long as that gets on; those for which none came are rejected.
    fn waiting_records(&mut self) -> Result<(), CommandError> {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            if before == 0 {
                return Ok(());
            }
            for (path, record) in waiting {
                self.load(&path, vec![record])?;
            }
            if let Some(translator) = &mut self.translator {
                translator.report.reordered += before.saturating_sub(self.waiting.len()) as u64;
            }
            if self.waiting.len() == before {
                break;
            }
        }
        for (path, record) in std::mem::take(&mut self.waiting) {
            let problem = format!("{} (NoSuchObject) the entry above it is not in the file", ResultCode::NoSuchObject.number());
            self.reject(&path, record.line, &problem, Some(&record))?;
        }
        Ok(())
    }

    fn reject(&mut self, path: &Path, line: u64, problem: &str, record: Option<&LdifRecord>) -> Result<(), CommandError> {
        let message = format!("{}: line {line}: {problem}", path.display());
        self.refused += 1;
        match &mut self.rejects {
            Some(rejects) => {
                self.bar.suspend(|| output::remark(&message));
                rejects.write(&message, record)
            }
            None => Err(CommandError::Cannot(format!(
                "{message}; {} records before it were loaded; mend the file and import it from this line on, or use --continue",
                self.loaded
            ))),
        }
    }
}

/// Makes proposals of records. All clear-text passwords among them are hashed side by side.
pub(super) fn proposals(aside: &mut Aside, head: &Directory, records: &[LdifRecord]) -> Result<Vec<Proposal>, CommandError> {
    let mut prepared = Vec::with_capacity(records.len());
    let mut jobs = Vec::new();
    for record in records {
        let context = aside.context();
        let mut operation = proposed(record.clone());
        let needed = prepare::jobs(head, &context, &mut operation);
        prepared.push((Proposal { context, operation }, needed.len()));
        jobs.extend(needed);
    }
    let mut answers = aside.hash(jobs)?.into_iter();
    let with_answers = prepared.into_iter().map(|(proposal, count)| match count {
        0 => proposal,
        count => {
            Proposal { operation: prepare::with_answers(proposal.operation, answers.by_ref().take(count).collect()), ..proposal }
        }
    });
    Ok(with_answers.collect())
}

/// What the record asks for.
fn proposed(record: LdifRecord) -> ProposedOperation {
    let name = Bytes::from(record.dn);
    let controls: Vec<Control> = record
        .controls
        .into_iter()
        .map(|(oid, critical, value)| Control { oid, critical, value: value.map(Bytes::from) })
        .collect();
    match record.body {
        LdifBody::Add(attributes) => ProposedOperation::Add(AddRequest::new(name, attributes, controls)),
        LdifBody::Modify(changes) => ProposedOperation::Modify(ModifyRequest::new(name, changes, controls)),
        LdifBody::Delete => ProposedOperation::Delete(DeleteRequest { name, controls }),
        LdifBody::Rename { new_rdn, delete_old_rdn, new_superior } => ProposedOperation::ModifyDn(ModifyDnRequest {
            name,
            new_rdn: Bytes::from(new_rdn),
            delete_old_rdn,
            new_superior: new_superior.map(Bytes::from),
            controls,
        }),
    }
}

/// A refusal in one line.
pub(super) fn describe(result: &LdapResult) -> String {
    format!("{} ({:?}) {}", result.code.number(), result.code, result.diagnostic).trim_end().to_owned()
}

/// Parses groups until the file ends or nobody wants them any more.
fn parse(reader: impl Read, groups: &SyncSender<Vec<Parsed>>) {
    let mut records = LdifReader::new(BufReader::with_capacity(1 << 20, reader));
    loop {
        let mut group: Vec<Parsed> = Vec::with_capacity(GROUP);
        let mut octets = 0usize;
        while group.len() < GROUP && octets < GROUP_OCTETS {
            let Some(parsed) = records.next() else { break };
            octets = octets.saturating_add(parsed.as_ref().map_or(0, LdifRecord::octets));
            group.push(parsed);
        }
        if group.is_empty() || groups.send(group).is_err() {
            return;
        }
    }
}

/// Counts what was read, for the progress bar.
struct Counted {
    inner: File,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
