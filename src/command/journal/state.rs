//! `bindery journal state`: an entry, a group's members or one membership as they were at a past moment, each value with the record that made
//! it so and the checkpoint that covers that record.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;

use super::printer::{RowFormat, rows};
use super::proofs::Proofs;
use super::reading::Reading;
use super::time::moment;
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::command::installation::create_private;
use crate::directory::{Change, Membership, PastEntry, PastFact, PastNames};
use crate::journal::Frame;
use crate::journal::query::{ReadRecord, ReadValue};
use crate::model::schema::Schema;
use crate::model::{Dn, Entry, EntryId, Section, Timestamp};
use crate::store::{Past, PastPiece, PastTarget, StoreError};

/// Digits that are a sequence and not a time.
const SEQUENCE_DIGITS: usize = 12;

/// Arguments of `bindery journal state`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which entry
    #[arg(long, value_name = "DN", required_unless_present = "group")]
    entry: Option<String>,
    /// Which group's members; with --entry, the membership of that entry in it
    #[arg(long, value_name = "DN")]
    group: Option<String>,
    /// When: after this record (4711), or at this moment: 2026-11-22, 2026-11-22T10:15:00Z, or how long ago (30m, 12h, 7d, 2w)
    #[arg(long, value_name = "SEQUENCE|MOMENT", value_parser = target)]
    at: PastTarget,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
    /// Write the proofs that the records which made it so are in the journal to this file, one after the other (made with mode 0600)
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// A sequence, or a moment.
pub(in crate::command) fn target(text: &str) -> Result<PastTarget, String> {
    match text.parse() {
        Ok(sequence) if text.len() < SEQUENCE_DIGITS => Ok(PastTarget::Sequence(sequence)),
        _ => moment(text).map(PastTarget::Time),
    }
}

/// The record that made something so.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Maker {
    sequence: u64,
    time: Timestamp,
    kind: String,
    actor: String,
}

/// Which record that was, as far as its frame tells.
#[derive(Clone, Debug)]
enum Made {
    /// The frame's only one.
    By(Maker),
    /// One of several that were done at once.
    ByOneOf(Rc<[ReadRecord]>, Sought),
}

/// What one of several records is sought for.
#[derive(Clone, Copy, Debug)]
struct Sought {
    /// It changed this entry …
    entry: EntryId,
    /// … and, of a membership, named this member.
    member: Option<EntryId>,
}

/// What a past entry is read with.
struct Reader<'a> {
    past: &'a Past,
    names: PastNames,
    /// The schema of now: what it calls secret is not shown, whatever it was called then.
    schema: &'a Schema,
}

/// Answers the question.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let name = |option: &str, text: &Option<String>| {
        let parsed = text.as_ref().map(|text| Dn::parse(text.as_bytes()).map_err(|error| format!("{option} {text}: {error}")));
        parsed.transpose().map_err(CommandError::Usage)
    };
    let (entry, group) = (name("--entry", &arguments.entry)?, name("--group", &arguments.group)?);
    let installation = arguments.installation.load()?;
    if matches!(arguments.at, PastTarget::Time(time) if time > installation.now()) {
        return Err(CommandError::Usage("--at is in the future".to_owned()));
    }
    let reading = Reading::begin(&arguments.installation, &question(arguments))?;
    let options = installation.store_options_without_indexes();
    let past = Past::open(&options, arguments.at).map_err(cannot)?;
    let reader = Reader { names: names(&past).map_err(cannot)?, past: &past, schema: &options.schema };
    let signed = Proofs::if_signed(&installation);
    let facts = facts(&reader, entry.as_ref(), group.as_ref())?;
    let ended = reading.end();
    let (proofs, ended) = match signed {
        Ok(proofs) => (proofs, ended),
        Err(error) => {
            output::remark(format_args!("nothing can be said of checkpoints: {error}"));
            (None, ExitCode::from(FOUND_SOMETHING))
        }
    };
    let Some(facts) = facts else {
        output::remark(format_args!("there was no such {} at {}", missing(&entry, &group), at(&past)));
        return Ok(ExitCode::from(FOUND_SOMETHING));
    };
    print(arguments.format, &facts, proofs.as_ref())?;
    output::remark(format_args!("the content of {}", at(&past)));
    prove(arguments, &facts, proofs.as_ref())?;
    Ok(ended)
}

fn cannot(error: impl std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}

fn content(error: impl std::fmt::Display) -> StoreError {
    StoreError::Content(error.to_string())
}

fn at(past: &Past) -> String {
    format!("record {}, {}", past.sequence(), past.time().to_rfc3339())
}

fn missing(entry: &Option<Dn>, group: &Option<Dn>) -> &'static str {
    match (entry, group) {
        (Some(_), Some(_)) => "membership",
        (Some(_), None) => "entry",
        _ => "group",
    }
}

fn question(arguments: &Arguments) -> String {
    let of = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("{name} {text:?}"));
    let when = match arguments.at {
        PastTarget::Sequence(sequence) => format!("at record {sequence}"),
        PastTarget::Time(time) => format!("at {}", time.to_rfc3339()),
        PastTarget::Newest => "now".to_owned(),
    };
    let parts = [of("entry", &arguments.entry), of("group", &arguments.group), Some(when)];
    format!("state: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The first way through: who was called what.
fn names(past: &Past) -> Result<PastNames, StoreError> {
    let mut names = PastNames::new(past.empty_directory());
    past.read(&mut |piece| match piece {
        PastPiece::Begin(_) => {
            names = PastNames::new(past.empty_directory());
            Ok(())
        }
        PastPiece::Row(row) => names.row(row).map_err(content),
        PastPiece::Frame(_, changes) => changes.iter().try_for_each(|change| names.change(change)).map_err(content),
    })?;
    names.settle().map_err(content)?;
    Ok(names)
}

/// None: what is asked for was not there.
fn facts(reader: &Reader<'_>, entry: Option<&Dn>, group: Option<&Dn>) -> Result<Option<Vec<PastFact<Maker>>>, CommandError> {
    unexplained(reader, entry, group)?.map(|facts| reader.explained(facts).map_err(cannot)).transpose()
}

fn unexplained(reader: &Reader<'_>, entry: Option<&Dn>, group: Option<&Dn>) -> Result<Option<Vec<PastFact<Made>>>, CommandError> {
    let Some(id) = group.or(entry).and_then(|dn| reader.names.find(dn)) else { return Ok(None) };
    let past_entry = reader.entry(id).map_err(cannot)?;
    if !past_entry.is_there() {
        return Ok(None);
    }
    if group.is_some() {
        let mut members = past_entry.members(&reader.names);
        members.retain(|fact| ["member", "uniqueMember", "memberUid"].contains(&fact.attribute.as_str()));
        if let Some(entry) = entry {
            let schema = reader.names.schema();
            let key = schema.dn_key(entry);
            members.retain(|fact| Dn::parse(&fact.value).is_ok_and(|dn| schema.dn_key(&dn) == key));
            return Ok(if members.is_empty() { None } else { Some(members) });
        }
        return Ok(Some(members));
    }
    let is_secret = |name: &str| reader.schema.section_of(name).is_some_and(|(_, section)| section == Section::Secret);
    let mut facts = past_entry.attributes(&reader.names, &is_secret).map_err(cannot)?;
    facts.extend(past_entry.members(&reader.names));
    facts.extend(past_entry.groups(&reader.names));
    Ok(Some(facts))
}

impl Reader<'_> {
    /// The second way through: what concerns one entry. Where the snapshot does not say which record made something so, a third one through
    /// the frames before it.
    fn entry(&self, id: EntryId) -> Result<PastEntry<Made>, StoreError> {
        let (mut found, mut snapshot) = (PastEntry::new(id), None);
        self.past.read(&mut |piece| match piece {
            PastPiece::Begin(began) => {
                (found, snapshot) = (PastEntry::new(id), began);
                Ok(())
            }
            PastPiece::Row(row) => {
                if let Some(change) = Change::of_row(&row).map_err(content)? {
                    found.change(&change, None);
                }
                Ok(())
            }
            PastPiece::Frame(frame, changes) => take(&mut found, frame, changes),
        })?;
        if let (Some(snapshot), true) = (snapshot, found.is_unexplained()) {
            let mut earlier = PastEntry::new(id);
            self.past.read_before(snapshot, &mut |piece| match piece {
                PastPiece::Frame(frame, changes) => take(&mut earlier, frame, changes),
                PastPiece::Begin(_) | PastPiece::Row(_) => Ok(()),
            })?;
            found.learn(&earlier);
        }
        Ok(found)
    }

    /// The same facts with the one record each that made them so. Where several were done at once the entries' identifiers are read for it.
    fn explained(&self, facts: Vec<PastFact<Made>>) -> Result<Vec<PastFact<Maker>>, StoreError> {
        let sought = facts.iter().filter_map(|fact| match &fact.made {
            Some(Made::ByOneOf(_, sought)) => Some(sought.entry),
            _ => None,
        });
        let uuids = self.uuids(&sought.collect())?;
        let facts = facts.into_iter().map(|PastFact { attribute, value, grant, made }| {
            let made = made.and_then(|made| match made {
                Made::By(maker) => Some(maker),
                Made::ByOneOf(records, sought) => self.chosen(&records, sought, &uuids).map(Maker::of),
            });
            PastFact { attribute, value, grant, made }
        });
        Ok(facts.collect())
    }

    /// entryUUIDs, by another way through the content.
    fn uuids(&self, of: &BTreeSet<EntryId>) -> Result<BTreeMap<EntryId, String>, StoreError> {
        let mut found = BTreeMap::new();
        let schema = self.names.schema();
        let mut look = |change: &Change| -> Result<(), StoreError> {
            let Change::PutEntry { id, block, .. } = change else { return Ok(()) };
            if of.contains(id) && !found.contains_key(id) {
                let entry = Entry::from_block(block.clone(), |name| schema.section_of(name)).map_err(content)?;
                let uuid = entry.attributes().find(|attribute| attribute.description.eq_ignore_ascii_case("entryUUID"));
                let uuid = uuid.and_then(|uuid| uuid.values().next().map(|uuid| String::from_utf8_lossy(uuid).into_owned()));
                found.extend(uuid.map(|uuid| (*id, uuid)));
            }
            Ok(())
        };
        if !of.is_empty() {
            self.past.read(&mut |piece| match piece {
                PastPiece::Begin(_) => Ok(()),
                PastPiece::Row(row) => Change::of_row(&row).map_err(content)?.iter().try_for_each(&mut look),
                PastPiece::Frame(_, changes) => changes.iter().try_for_each(&mut look),
            })?;
        }
        Ok(found)
    }

    /// Of records that were done at once the last one that changed the entry; of a membership rather the last one that names the member.
    fn chosen<'r>(&self, records: &'r [ReadRecord], sought: Sought, uuids: &BTreeMap<EntryId, String>) -> Option<&'r ReadRecord> {
        let uuid = uuids.get(&sought.entry);
        let member = sought.member.and_then(|member| self.names.dn_text(member));
        let key = |text: &str| Dn::parse(text.as_bytes()).ok().map(|dn| self.names.schema().dn_key(&dn));
        let member = member.as_deref().and_then(key);
        chosen(records, &|found| uuid.is_some_and(|uuid| found.eq_ignore_ascii_case(uuid)), &|value| {
            member.is_some() && key(value) == member
        })
    }
}

impl Maker {
    fn of(record: &ReadRecord) -> Maker {
        let actor = record.assumed.as_ref().or(record.actor.as_ref()).map(|actor| actor.dn.clone());
        Maker {
            sequence: record.sequence,
            time: Timestamp(record.time),
            kind: record.kind.clone(),
            actor: actor.unwrap_or_else(|| "-".to_owned()),
        }
    }
}

fn chosen<'r>(
    records: &'r [ReadRecord],
    is_entry: &dyn Fn(&str) -> bool,
    is_member: &dyn Fn(&str) -> bool,
) -> Option<&'r ReadRecord> {
    let is_it = |uuid: &Option<String>| uuid.as_deref().is_some_and(is_entry);
    let changed = |record: &&ReadRecord| {
        let target = record.target.as_ref().is_some_and(|target| is_it(&target.uuid));
        target || record.effects.iter().any(|effect| is_it(&effect.uuid))
    };
    let names_the_member = |record: &&ReadRecord| {
        let target = record.target.as_ref().filter(|target| is_it(&target.uuid)).map(|_| record.changes.iter());
        let effects = record.effects.iter().filter(|effect| is_it(&effect.uuid));
        let values = target.into_iter().flatten().chain(effects).filter_map(|change| change.values.as_ref()).flatten();
        values.into_iter().any(|value| matches!(value, ReadValue::Text(text) if is_member(text)))
    };
    let mut backwards = records.iter().rev().filter(changed).peekable();
    let last = backwards.peek().copied().or(records.last());
    backwards.find(names_the_member).or(last)
}

fn take(entry: &mut PastEntry<Made>, frame: &Frame, changes: &[Change]) -> Result<(), StoreError> {
    if !changes.iter().any(|change| entry.is_concerned(change)) {
        return Ok(());
    }
    let read = |line| ReadRecord::parse(line).ok_or_else(|| content("a record cannot be read"));
    let records: Rc<[ReadRecord]> = frame.lines().map(read).collect::<Result<_, _>>()?;
    for change in changes {
        let made = match (&*records, change) {
            ([only], _) => Made::By(Maker::of(only)),
            (_, Change::PutMembership { group, membership, .. }) => {
                let member = if let Membership::Entry(_, member) = membership { Some(*member) } else { None };
                Made::ByOneOf(Rc::clone(&records), Sought { entry: *group, member })
            }
            _ => Made::ByOneOf(Rc::clone(&records), Sought { entry: entry.id(), member: None }),
        };
        entry.change(change, Some(made));
    }
    Ok(())
}

fn print(format: RowFormat, facts: &[PastFact<Maker>], proofs: Option<&Proofs>) -> Result<(), CommandError> {
    let heading = ["attribute", "value", "since", "by", "record", "time", "type", "checkpoint"];
    let signed = proofs.map_or(0, |proofs| proofs.head.head.size);
    let row = |fact: &PastFact<Maker>| {
        let none = || "-".to_owned();
        let made = fact.made.as_ref();
        let since = fact.grant.as_ref().map(|(since, _)| since.to_rfc3339());
        let by = fact.grant.as_ref().map(|(_, by)| by.clone()).or_else(|| made.map(|maker| maker.actor.clone()));
        vec![
            fact.attribute.clone(),
            printable(&fact.value),
            since.or_else(|| made.map(|maker| maker.time.to_rfc3339())).unwrap_or_else(none),
            by.unwrap_or_else(none),
            made.map_or_else(none, |maker| maker.sequence.to_string()),
            made.map_or_else(none, |maker| maker.time.to_rfc3339()),
            made.map_or_else(none, |maker| maker.kind.clone()),
            made.filter(|maker| maker.sequence <= signed).map_or_else(none, |_| signed.to_string()),
        ]
    };
    rows(format, &heading, &facts.iter().map(row).collect::<Vec<_>>())
}

/// Text as it is, but for what a terminal would obey; octets that are none as base64.
fn printable(value: &[u8]) -> String {
    use base64::Engine as _;
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(value)),
    }
}

/// Says what nobody signed for yet, and writes the proofs if they are wanted.
fn prove(arguments: &Arguments, facts: &[PastFact<Maker>], proofs: Option<&Proofs>) -> Result<(), CommandError> {
    let makers: BTreeMap<u64, &Maker> =
        facts.iter().filter_map(|fact| Some((fact.made.as_ref()?.sequence, fact.made.as_ref()?))).collect();
    if facts.iter().any(|fact| fact.made.is_none()) {
        output::remark("what has no record was made so by one that is not in the journal any more, or cannot be read");
    }
    let signed = proofs.map_or(0, |proofs| proofs.head.head.size);
    let unsigned = makers.keys().filter(|sequence| **sequence > signed).count();
    if unsigned > 0 {
        output::remark(format_args!("nobody signed for {unsigned} of the {} records yet; one does so each minute", makers.len()));
    }
    let Some(path) = &arguments.proof else { return Ok(()) };
    let proofs =
        proofs.ok_or_else(|| cannot("there is no checkpoint of the journal that can be used, so there are no proofs"))?;
    let in_file = |error: std::io::Error| cannot(format!("{}: {error}", path.display()));
    let mut file = create_private(path).map_err(in_file)?;
    for sequence in makers.keys().filter(|sequence| **sequence <= signed) {
        file.write_all(proofs.record(*sequence)?.to_text().as_bytes()).map_err(in_file)?;
    }
    file.sync_all().map_err(in_file)?;
    output::remark(format_args!("{}: {} proofs", path.display(), makers.len().saturating_sub(unsigned)));
    Ok(())
}
