//! `bindery key`: the seal key.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::journal::RecordKind;
use crate::operation::key_rotation::{KeysChanged, details};
use crate::operation::monitor::MONITOR;
use crate::protocol::ber::{BerError, Reader};
use crate::protocol::oid;
use crate::server::rotation::{Next, Rotator};
use crate::wire::client::LocalClient;

/// Between two looks at how far the server is.
const LOOK: Duration = Duration::from_millis(200);
/// Digits of a key's digest that make its name.
const NAME_DIGITS: usize = 16;

/// Arguments of `bindery key`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Put a new seal key in force and seal everything in the data folder anew, while the server runs or not; broken off, it goes on by itself
    Rotate(Rotate),
}

/// Arguments of `bindery key rotate`.
#[derive(Args, Debug)]
struct Rotate {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Does what is asked for.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Command::Rotate(rotate) = &arguments.command;
    let installation = rotate.installation.load()?;
    let Some(file) = installation.configuration.seal_key.file().map(Path::to_owned) else {
        return Err(CommandError::Cannot(
            "the seal key is in the environment, where no program can change it: put it into a file, name that as keys.seal in bindery.toml, \
             start again, and rotate it then"
                .to_owned(),
        ));
    };
    let damaged = match server_socket(&rotate.installation)? {
        Some((socket, _)) => online(&socket)?,
        None => offline(&rotate.installation)?,
    };
    output::remark(format_args!(
        "everything is sealed under the new key; keep a copy of {} where the backups are not",
        file.display()
    ));
    output::remark(format_args!(
        "backups made before, and folders that were set aside, need the old key: it is kept beside it, and opens them as long as it is there"
    ));
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// Has the running server do it, as the calling user, and follows it to its end.
fn online(socket: &Path) -> Result<u64, CommandError> {
    let mut client = LocalClient::connect(socket).map_err(|error| cannot(&error))?;
    let answer = client.extended(oid::KEY_ROTATION).map_err(|error| {
        CommandError::Cannot(format!(
            "{error}; keys are rotated by root, the server's own user, or an administrator of [ldapi.users]"
        ))
    })?;
    let keys = keys_of(&answer).map_err(|error| CommandError::Cannot(format!("the server's answer cannot be read: {error}")))?;
    tell_begun(&keys);
    let mut told = None;
    loop {
        let left = left(&mut client).map_err(|error| {
            let CommandError::Cannot(error) = error else { return error };
            CommandError::Cannot(format!(
                "{error}; the rotation is under way, and goes on when the server runs: ask bindery status"
            ))
        })?;
        if left == 0 {
            return Ok(0);
        }
        if told != Some(left) {
            output::remark(format_args!("{left} files are left"));
            told = Some(left);
        }
        std::thread::sleep(LOOK);
    }
}

fn keys_of(answer: &[u8]) -> Result<KeysChanged, BerError> {
    let mut outer = Reader::new(answer);
    let mut parts = outer.sequence()?;
    let mut text = || parts.octet_string().map(|octets| String::from_utf8_lossy(octets).into_owned());
    Ok(KeysChanged { old: text()?, new: text()? })
}

/// How many files are not under the new key.
fn left(client: &mut LocalClient) -> Result<u64, CommandError> {
    let mut left = None;
    let read = client.read_subtree(MONITOR, &["monitorFilesToReseal"], &mut |entry| {
        let values = entry.attributes.iter().flat_map(|attribute| &attribute.values);
        // The entries below it do not say.
        left = left.or(values.filter_map(|value| std::str::from_utf8(value).ok()?.parse().ok()).next());
        Ok(())
    });
    read.map_err(|error| cannot(&error))?;
    left.ok_or_else(|| CommandError::Cannot(format!("{MONITOR}: does not say how far the rotation is")))
}

/// Does it under the folder's lock. How many files stay under the old key, because they are damaged.
fn offline(arguments: &Installation) -> Result<u64, CommandError> {
    let mut opened = OfflineInstallation::open_without_indexes(arguments)?;
    let mut rotator = Rotator::new(opened.committer().rotation().clone());
    let keys =
        rotator.begin().ok_or_else(|| CommandError::Cannot("no new key could be put in force; nothing is changed".to_owned()))?;
    tell_begun(&keys);
    opened.note(OfflineInstallation::record(RecordKind::KeyRotation, details("begun", &keys)))?;
    let (mut damaged, mut unrecorded) = (0, Ok(()));
    loop {
        let mut records = Vec::new();
        let next = rotator.step(opened.now(), &|| true, &mut |record| records.push(record));
        for record in records {
            damaged += record.details.iter().filter(|(name, _)| *name == "damaged").count() as u64;
            unrecorded = opened.note(record);
        }
        unrecorded?;
        unrecorded = Ok(());
        opened.committer().tick();
        match next {
            Next::Now => {}
            Next::In(pause) => std::thread::sleep(pause),
            Next::Never => break,
        }
    }
    let is_under_way = opened.committer().rotation().is_under_way();
    opened.close();
    if is_under_way {
        let why = "the rotation cannot go on, for the reason said above; both keys are needed until it is done: put it right, and do the same again";
        return Err(CommandError::Cannot(why.to_owned()));
    }
    Ok(damaged)
}

fn tell_begun(keys: &KeysChanged) {
    let name = |digest: &str| digest.get(..NAME_DIGITS).unwrap_or(digest).to_owned();
    output::remark(format_args!(
        "new records are under the new key {}; what is under {} is sealed anew",
        name(&keys.new),
        name(&keys.old)
    ));
}

fn cannot(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Cannot(error.to_string())
}
