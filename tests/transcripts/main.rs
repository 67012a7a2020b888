//! Transcripts: files that read like a session with ldapmodify, played against the real parts (data folder, journal, committer,
//! sessions, wire) in this process. Only the network, the clock and the randomness are replaced. What comes back is decoded by
//! ldap3_proto, which shares no code with the server's encoder.
//!
//! ```text
//! transcript ─► requests as octets ─► wire::decode ─► Session ─► Committer ─► journal and store in a temporary folder
//!     ▲                                                  │
//!     └── expected lines = lines of what came  ◄── ldap3_proto ◄── wire::encode
//! ```
//! README.md beside this file explains the language and says which lines of BEHAVIOUR are shown where.
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod access_table;
mod connection;
mod expectation;
mod follow;
mod machine;
mod one_time_codes;
mod player;
mod reply;
mod request;
mod search_control;
mod usage;

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The folder of the transcripts.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        const PLAYED: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            player::play(stringify!($name));
        })*
    };
}

transcripts! {
    access
    access_forms
    access_rules
    access_sync
    account
    account_report
    accounts
    add
    alerts
    aliases
    app_passwords
    applications
    audits
    authorization
    backup
    bind
    bind_rules
    break_glass
    cancel
    certificates
    clock
    compare
    complete
    controls
    delete
    dit_rules
    dynamic
    enrolment
    expiry
    exposed
    extended
    extensible
    grant_approvers
    grant_duties
    grant_overlap
    grant_requesters
    grants
    groups
    identifiers
    key_rotation
    lifetime
    lockout
    matching_rules
    member_ends
    modify
    monitor
    names_and_options
    operational
    own_password
    paging
    password_age
    password_length
    password_policy
    passwords
    persistent_search
    policy_test
    previous_passwords
    proofing
    references
    referrals
    rename
    rename_rules
    reviews
    review_grants
    root_dse
    schema
    search
    search_controls
    second_factor
    sessions
    sorting
    sync
    transactions
    unicode_passwords
    wire
    write_controls
}

#[test]
fn every_transcript_is_played() {
    let found: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|file| file.unwrap().file_name().into_string().unwrap().strip_suffix(".txt").map(str::to_owned))
        .collect();
    assert_eq!(found, PLAYED.iter().map(|name| (*name).to_owned()).collect());
}

/// What the root DSE advertises works: some transcript uses it.
#[test]
fn everything_advertised_is_used() {
    let advertised = usage::advertised();
    assert!(advertised.len() > 20, "{advertised:?}");
    for name in PLAYED {
        if usage::unused(&advertised).is_empty() {
            return;
        }
        player::play(name);
    }
    let unused = usage::unused(&advertised);
    assert!(unused.is_empty(), "advertised, and in no transcript: {unused:?}");
}
