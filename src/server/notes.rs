//! What the server itself has to tell the journal and the log: start, stop, reload, and what opening the data folder found.

use std::sync::Arc;

use super::committer::Upgraded;
use crate::config::{Configuration, WaiverName};
use crate::directory::Directory;
use crate::journal::{Record, RecordKind};
use crate::model::Timestamp;
use crate::operation::{Attached, Authority, Context, Fresh, Identity, ListenerKind, Peer, Settings};
use crate::operation::{clock, default_rules};
use crate::protocol::MessageId;
use crate::store::{Progress, StartNote};
use crate::world::ClockTurn;

/// Administrators without a second factor that the log names.
const MOST_NAMED: usize = 20;
/// Entries or frames between two lines about progress.
const PROGRESS_STEP: u64 = 100_000;

/// The context of what no client asked for: whoever holds the data folder did it.
pub fn context(settings: Settings) -> Context {
    let uid = rustix::process::getuid().as_raw();
    let peer = Peer { text: format!("local uid={uid}"), address: None, listener: ListenerKind::Ldapi, ldapi_identity: None };
    Context {
        now: Timestamp::default(),
        session: 0,
        message: MessageId(0),
        peer: Arc::new(peer),
        tls: None,
        identity: Identity::default(),
        authority: Authority::Installation,
        settings: Arc::new(settings),
        fresh: Fresh::default(),
        attached: Attached::default(),
    }
}

/// A record about the installation rather than about a client.
pub fn record(kind: RecordKind, details: Vec<(&'static str, String)>) -> Record {
    Record { details, ..Record::new(kind) }
}

/// The server started, with what its start check found.
pub fn start(configuration: &Configuration, found: &[StartNote]) -> Record {
    let mut details = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("configuration", configuration.digest.clone()),
        ("process", std::process::id().to_string()),
    ];
    details.extend(found.iter().map(|note| ("found", note.to_string())));
    record(RecordKind::Start, details)
}

/// The server stopped in order.
pub fn stop() -> Record {
    record(RecordKind::Stop, vec![("process", std::process::id().to_string())])
}

/// A changed configuration came into force.
pub fn reloaded(configuration: &Configuration) -> Record {
    record(RecordKind::Configuration, vec![("configuration", configuration.digest.clone())])
}

/// Says in the log what opening the data folder found.
pub fn log(found: &[StartNote]) {
    for note in found {
        match note {
            StartNote::Replayed { .. } => tracing::info!("{note}"),
            StartNote::Damaged(_) => tracing::error!("{note}"),
            StartNote::TornTail { .. }
            | StartNote::Rebuilt { .. }
            | StartNote::SnapshotDamaged { .. }
            | StartNote::FormatRewritten => tracing::warn!("{note}"),
        }
    }
}

/// Somebody uses an emergency account, or says why.
pub fn log_emergency(record: &Record) {
    let detail = |sought: &str| record.details.iter().find(|(name, _)| *name == sought).map(|(_, value)| value.as_str());
    let account = record.actor.as_ref().and_then(|actor| actor.uuid.as_deref());
    tracing::warn!(
        account,
        peer = record.peer,
        session = record.session,
        end = detail("end"),
        has_reason = detail("breakGlassReason").is_some(),
        "an emergency account is used: its reason, and a new password by an administrator afterwards, are due"
    );
}

/// What the journal says of the clock.
pub fn clock_turn(turn: ClockTurn) -> Record {
    let (stage, ahead) = match turn {
        ClockTurn::Jumped(ahead) => ("jumped", Some(ahead)),
        ClockTurn::Returned => ("returned", None),
        ClockTurn::Believed(ahead) => ("believed", Some(ahead)),
    };
    let mut details = vec![(clock::STAGE, stage.to_owned())];
    details.extend(ahead.map(|ahead| ("ahead", ahead.to_string())));
    record(RecordKind::Clock, details)
}

/// And the log.
pub fn log_clock_turn(turn: ClockTurn) {
    let seconds = |micros: i64| micros / 1_000_000;
    match turn {
        ClockTurn::Jumped(ahead) => tracing::error!(
            seconds = seconds(ahead),
            "the clock jumped ahead; nothing that ends by time follows it for ten minutes: put it right, or say that it is: bindery clock confirm"
        ),
        ClockTurn::Returned => tracing::warn!("the clock is back where it was before it jumped"),
        ClockTurn::Believed(ahead) => tracing::warn!(
            seconds = seconds(ahead),
            "nobody put the clock right for ten minutes after it jumped ahead: it is followed from now on"
        ),
    }
}

/// What became of a data folder of an older program.
pub fn log_upgrade(upgraded: Upgraded) {
    if upgraded.entries > 0 {
        tracing::info!(entries = upgraded.entries, "references that stood in entries as text now follow renames and deletions");
    }
    upgraded.remarks().for_each(|text| tracing::warn!("{text}"));
}

/// Said when the default bind rules were written into a directory that had none.
pub const RULES_WRITTEN: &str = "the directory had no bind rules, so the default ones were written below ou=binds,ou=policies: people log in \
     from this machine and private networks only, administrators with a second factor; if people come from elsewhere, add their networks \
     to cn=people there, over the Unix socket";

/// Said when the default access rules were written into a directory that had none.
pub const ACCESS_RULES_WRITTEN: &str = "the directory had no access rules, so the default ones were written below ou=access,ou=policies: \
     before, everybody who was logged in could read everything but secrets; now they read the own entry, and of others names, mail, \
     telephone numbers, titles and groups; auditors read everything but secrets. A service or a person that read more needs a rule there";

impl Upgraded {
    /// What somebody must be told.
    pub fn remarks(self) -> impl Iterator<Item = &'static str> {
        let texts = [(self.rules, RULES_WRITTEN), (self.access_rules, ACCESS_RULES_WRITTEN)];
        texts.into_iter().filter(|(written, _)| *written > 0).map(|(_, text)| text)
    }
}

/// Says who cannot log in over the network until something is done.
pub fn log_missing_factors(configuration: &Configuration, directory: &Directory, now: Timestamp) {
    if configuration.waivers.iter().any(|waiver| waiver.name == WaiverName::SecondFactor && now < waiver.until) {
        return;
    }
    for dn in default_rules::administrators_without_factor(directory, now).into_iter().take(MOST_NAMED) {
        tracing::warn!(
            "{dn} is an administrator without one-time codes, and cannot log in with a password alone; enrol codes with: bindery otp \
             enrol {dn:?}. The Unix socket lets root and the server's own user in"
        );
    }
}

/// Logs how far opening is, now and then.
pub fn log_progress() -> impl FnMut(Progress) {
    let mut next = PROGRESS_STEP;
    move |progress| {
        if progress.done >= next {
            next = progress.done.saturating_add(PROGRESS_STEP);
            tracing::info!(done = progress.done, total = progress.total, "opening the data folder");
        }
    }
}
