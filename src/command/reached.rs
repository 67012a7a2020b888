//! The directory of an installation as commands change it: by way of its server, as the calling user, or, where none runs, its data folder.

use std::collections::HashMap;

use bytes::Bytes;

use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, Installation};
use crate::directory::Lookup;
use crate::model::{Attribute, Dn, EntryId, Modification, Section, Timestamp};
use crate::operation::add::AddRequest;
use crate::operation::control::SessionTracking;
use crate::operation::modify::ModifyRequest;
use crate::operation::{Proposal, ProposedOperation};
use crate::server::world::SystemClock;
use crate::wire::client::{ClientError, LocalClient};
use crate::world::Clock as _;

/// A directory that can be read and changed.
pub(super) enum Reached {
    Running(LocalClient),
    Stopped(Box<OfflineInstallation>),
}

/// What was asked for was refused; the directory goes on.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// Of this entry, with the server's words.
    Refused(String),
    /// Nothing more can be done.
    Broken(CommandError),
}

/// An entry as text; names of attributes in lower case, options kept.
pub(super) struct TextEntry {
    pub(super) dn: String,
    pub(super) attributes: HashMap<String, Vec<String>>,
}

impl Reached {
    pub(super) fn open(installation: &Installation) -> Result<Reached, CommandError> {
        match server_socket(installation)? {
            Some((socket, _)) => Ok(Reached::Running(LocalClient::connect(&socket).map_err(cannot)?)),
            None => Ok(Reached::Stopped(Box::new(OfflineInstallation::open_without_indexes(installation)?))),
        }
    }

    /// The time that accounts are judged by.
    pub(super) fn now(&mut self) -> Timestamp {
        match self {
            Reached::Running(_) => SystemClock::new().now(),
            Reached::Stopped(offline) => offline.context_now().now,
        }
    }

    /// Every entry at and below a name, with these attributes but secrets.
    pub(super) fn subtree(&mut self, base: &str, attributes: &[&str]) -> Result<Vec<TextEntry>, CommandError> {
        let mut entries = Vec::new();
        match self {
            Reached::Running(client) => {
                let read = client.read_subtree(base, attributes, &mut |entry| {
                    let text =
                        |attribute: Attribute| (attribute.description.to_ascii_lowercase(), texts(attribute.values.iter()));
                    entries.push(TextEntry { dn: entry.dn, attributes: entry.attributes.into_iter().map(text).collect() });
                    Ok(())
                });
                read.map_err(|error| cannot(format!("{base}: {error}")))?;
            }
            Reached::Stopped(offline) => {
                let directory = offline.committer().head();
                let dn = Dn::parse(base.as_bytes()).map_err(|error| cannot(format!("{base}: {error}")))?;
                let Lookup::Found(start) = directory.find(&dn) else {
                    return Err(cannot(format!("{base}: there is no such entry")));
                };
                let mut waiting = vec![start];
                while let Some(id) = waiting.pop() {
                    entries.extend(text_entry(directory, id, attributes));
                    waiting.extend(directory.children(id));
                }
            }
        }
        Ok(entries)
    }

    /// Adds an entry; `origin` goes into the record.
    pub(super) fn add(&mut self, dn: &str, attributes: Vec<Attribute>, origin: &SessionTracking) -> Result<(), ChangeError> {
        match self {
            Reached::Running(client) => client.add(dn, attributes, Some(origin.control())).map_err(refused),
            Reached::Stopped(offline) => {
                let request = AddRequest::new(Bytes::copy_from_slice(dn.as_bytes()), attributes, Vec::new());
                commit(offline, ProposedOperation::Add(request), origin)
            }
        }
    }

    /// Changes an entry; `origin` goes into the record.
    pub(super) fn modify(&mut self, dn: &str, changes: Vec<Modification>, origin: &SessionTracking) -> Result<(), ChangeError> {
        match self {
            Reached::Running(client) => client.modify_with(dn, changes, Some(origin.control())).map_err(refused),
            Reached::Stopped(offline) => {
                let request = ModifyRequest::new(Bytes::copy_from_slice(dn.as_bytes()), changes, Vec::new());
                commit(offline, ProposedOperation::Modify(request), origin)
            }
        }
    }

    pub(super) fn close(self) {
        if let Reached::Stopped(offline) = self {
            offline.close();
        }
    }
}

fn commit(offline: &mut OfflineInstallation, operation: ProposedOperation, origin: &SessionTracking) -> Result<(), ChangeError> {
    let mut context = offline.context_now();
    context.attached.tracking.push(origin.clone());
    let answer = offline.committer().commit(&mut [Proposal { context, operation }]).pop();
    let broken = || ChangeError::Broken(cannot("the journal cannot be written"));
    let decision = answer.and_then(Result::ok).ok_or_else(broken)?;
    match OfflineInstallation::refusal(&decision.reply) {
        None => Ok(()),
        Some(result) => Err(ChangeError::Refused(format!("{} (code {})", result.diagnostic, result.code.number()))),
    }
}

fn text_entry(directory: &crate::directory::Directory, id: EntryId, wanted: &[&str]) -> Option<TextEntry> {
    let node = directory.node(id)?;
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    let mut attributes: HashMap<String, Vec<String>> = HashMap::new();
    let shown = node.entry.attributes().filter(|it| it.section != Section::Secret && is_wanted(it.description));
    for attribute in shown {
        attributes.insert(attribute.description.to_ascii_lowercase(), texts(attribute.values()));
    }
    for attribute in directory.membership_attributes(id) {
        let name = attribute.name(directory.schema());
        if is_wanted(name) {
            attributes.insert(name.to_ascii_lowercase(), texts(directory.member_values(id, attribute).iter()));
        }
    }
    Some(TextEntry { dn: directory.dn_text(id), attributes })
}

fn texts(values: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<String> {
    values.map(|value| String::from_utf8_lossy(value.as_ref()).into_owned()).collect()
}

fn refused(error: ClientError) -> ChangeError {
    match error {
        ClientError::Refused { code, text } => {
            ChangeError::Refused(format!("{code}{}{text}", if text.is_empty() { "" } else { ": " }))
        }
        error => ChangeError::Broken(cannot(error)),
    }
}

fn cannot(error: impl std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}
