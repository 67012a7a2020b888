//! `bindery journal`: reads the journal. One file per action.

mod emergency;
mod evidence;
mod export;
mod outsiders;
mod people;
mod printer;
mod proofs;
mod query;
pub(super) mod reading;
pub(super) mod state;
mod stats;
pub(super) mod time;
mod verify;
mod verify_file;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{CommandError, FOUND_SOMETHING, Installation, output};

/// Arguments of `bindery journal`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the journal.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Write records as JSON lines, verified on the way
    Export(export::Arguments),
    /// Find records
    Query(query::Arguments),
    /// Logins of somebody, good or not
    Logins(query::AboutArguments),
    /// Logins that were refused, of whom and from where
    Failed(query::AllArguments),
    /// What changed in a person, a group or another entry, and by whom
    Changes(query::AboutArguments),
    /// What changed in policies, rules and roles, and by whom
    Policies(query::AllArguments),
    /// Who was logged in at a moment
    Sessions(people::SessionsArguments),
    /// The first and the last login of somebody
    FirstLast(people::FirstLastArguments),
    /// Where people and applications log in from, with which TLS, how often
    Clients(people::ClientsArguments),
    /// An entry, the members of a group or one membership as they were at a past moment, with the records that made them so
    ///
    /// Exit code 1: there was no such entry, or no such membership, at that moment.
    State(state::Arguments),
    /// How large the journal is, and how long the disk lasts
    Stats(stats::Arguments),
    /// Find out whether the journal, an export, a proof or a bundle of evidence is what was written
    ///
    /// Exit code 0: it is; 1: something was altered; 2: something is missing; 3: the last anchor is too old, or it could not be verified.
    #[command(after_help = verify::EXIT_CODES)]
    Verify(verify::Arguments),
    /// Print one record with the proof that it is in the journal (c2sp.org/tlog-proof)
    Prove(proofs::ProveArguments),
    /// Print the newest signed checkpoint, or the proof that belongs to an export
    Checkpoint(proofs::CheckpointArguments),
    /// Write a signed bundle of records with their proof, and the policies and rules in force
    Evidence(evidence::Arguments),
    /// Have the journal go on in the emergency folder while it cannot be written in its place, and end that
    Emergency(emergency::Arguments),
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.action {
        Action::Export(arguments) => export::run(arguments),
        Action::Query(arguments) => query::run(arguments),
        Action::Logins(arguments) => query::logins(arguments),
        Action::Failed(arguments) => query::failed(arguments),
        Action::Changes(arguments) => query::changes(arguments),
        Action::Policies(arguments) => query::policies(arguments),
        Action::Sessions(arguments) => people::sessions(arguments),
        Action::FirstLast(arguments) => people::first_last(arguments),
        Action::Clients(arguments) => people::clients(arguments),
        Action::State(arguments) => state::run(arguments),
        Action::Stats(arguments) => stats::run(arguments),
        Action::Verify(arguments) => verify::run(arguments),
        Action::Prove(arguments) => proofs::prove(arguments),
        Action::Checkpoint(arguments) => proofs::checkpoint(arguments),
        Action::Evidence(arguments) => evidence::run(arguments),
        Action::Emergency(arguments) => emergency::run(arguments),
    }
}
