//! The server's life: open the data folder, listen, follow signals, end in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use super::anchors::{AnchorWork, Anchors};
use super::committer::Committer;
use super::committer_thread;
use super::gate::Gate;
use super::hash_pool::HashPool;
use super::health::Health;
use super::installation::{Installation, InstallationError};
use super::journal_key::{self, JournalKeyError};
use super::journal_reader::JournalReader;
use super::listener::{Door, LdapiUsers, SocketFile, bind_tcp, bind_unix, ldapi_url};
use super::notary::{Notary, NotaryWatch};
use super::notes;
use super::services::Services;
use super::snapshotter::{self, Snapshotter};
use super::streams::{self, Streams};
use super::tls::{self, TlsError};
use crate::config::Configuration;
use crate::journal::note::SigningKey;
use crate::journal::{Record, RecordKind};
use crate::model::Timestamp;
use crate::operation::monitor::{HealthLevel, Monitor, Monitored};
use crate::operation::{ListenerKind, Settings};
use crate::store::{self, StoreError};

/// How long running operations may take to end when the server stops.
const LAST_OPERATIONS: Duration = Duration::from_secs(30);
/// Files that are open beside connections, at most: journal, checkpoint, listeners.
const OTHER_FILES: usize = 200;

/// Why the server could not start or had to end: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Configuration, key or schema.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The data folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address.
    #[error("{address}: cannot listen there: {error}; is another server running, or the port below 1024 and the user not root?")]
    Listen {
        /// Which.
        address: String,
        /// The operating system's words.
        error: io::Error,
    },
    /// The operating system.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Its words.
        error: io::Error,
    },
    /// The journal refused the first record.
    #[error("the journal cannot be written: the start could not be recorded; make space or replace the disk")]
    Journal,
}

/// Runs a server until it is told to stop (SIGTERM, SIGINT). `ready` gets the addresses, as URLs, once it listens.
pub fn run(installation: &Installation, ready: impl FnOnce(&[String])) -> Result<(), ServeError> {
    let configuration = &installation.configuration;
    warn(configuration, installation.clock.now());
    raise_open_files(configuration.connections.crowd.overall);
    let tls = configuration.tls.as_ref().map(tls::server_configuration).transpose()?;
    let opened = store::open(&installation.store_options()?, &mut notes::log_progress())?;
    installation.check_indexes(opened.directory.schema())?;
    let start = notes::start(configuration, &opened.notes);
    notes::log(&opened.notes);
    let mut committer = Committer::new(opened, Arc::clone(&installation.clock), Arc::clone(&installation.entropy));
    committer.note(notes::context(installation.settings()), start).map_err(|_| ServeError::Journal)?;
    let upgraded = committer.upgrade(&notes::context(installation.settings())).map_err(|_| ServeError::Journal)?;
    notes::log_upgrade(upgraded);
    notes::log_missing_factors(configuration, committer.head(), installation.now());
    let notary = start_notary(installation, &mut committer)?;
    let streams = start_streams(installation, &mut committer)?;

    let system = |what| move |error| ServeError::System { what, error };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("connections")
        .build()
        .map_err(system("the runtime"))?;
    let published = committer.published();
    let health = committer.health();
    let sessions = committer.sessions();
    let hash_pool = HashPool::start(configuration.password, &installation.entropy).map_err(system("the hash pool"))?;
    let context = notes::context(installation.settings());
    let before = snapshotter::Source::of(&committer);
    let snapshots = committer.snapshots().clone();
    health.add_gauge("monitorSnapshotSequence", move || snapshots.newest());
    let rotation = committer.rotation().clone();
    health.add_gauge("monitorFilesToReseal", move || Some(rotation.left()));
    let (handle, thread) = committer_thread::start(committer).map_err(system("the committer's thread"))?;
    health.add_gauge("monitorWaitingProposals", handle.waiting());
    let monitored: Arc<dyn Monitored> = Arc::<Health>::clone(&health);
    let clock = Arc::clone(&installation.clock);
    let snapshotter = Snapshotter::start(before, handle.clone(), context, configuration.snapshots, clock);
    let snapshotter = Arc::new(snapshotter.map_err(system("the thread that takes snapshots"))?);
    let journal_reader =
        JournalReader::start(installation.store_options()?).map_err(system("the thread that reads the journal"))?;
    let journal_reader = Arc::new(journal_reader);
    health.add_trouble(journal_reader.trouble());
    let services = Arc::new(Services::new(
        published,
        handle,
        Arc::new(hash_pool),
        Arc::clone(&snapshotter),
        Arc::clone(&journal_reader),
        sessions,
        Settings { monitor: Monitor::new(monitored), ..installation.settings() },
        tls,
        Arc::clone(&installation.clock),
        Arc::clone(&installation.entropy),
    ));
    let outcome = runtime.block_on(serve(installation, &services, &health, ready));
    // Connections that would not end hold on to their services: with the runtime they go, and with them the last way to the committer.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(services);
    snapshotter.stop();
    journal_reader.stop();
    if let Ok(mut committer) = thread.join() {
        snapshotter::on_stop(&mut committer, notes::context(installation.settings()), configuration.snapshots);
        note_streams(installation, &mut committer, &streams.notes(streams::STOPPED));
        if committer.note(notes::context(installation.settings()), notes::stop()).is_err() {
            tracing::error!("the stop could not be recorded");
        }
        committer.stop();
    }
    if let Some(notary) = notary {
        notary.stop();
    }
    streams.stop();
    outcome
}

async fn serve(
    installation: &Installation,
    services: &Arc<Services>,
    health: &Health,
    ready: impl FnOnce(&[String]),
) -> Result<(), ServeError> {
    let configuration = &installation.configuration;
    let tasks = TaskTracker::new();
    let gate = Gate::new(configuration.connections.clone(), Arc::clone(&installation.clock));
    let users = ldapi_users(installation, configuration);
    let door = Door::new(Arc::clone(&gate), Arc::clone(services), tasks.clone(), users);
    let counted = Arc::downgrade(&gate);
    health.add_gauge("monitorConnections", move || counted.upgrade().map(|gate| gate.connections()));
    let mut addresses = Vec::new();
    let listeners = &configuration.listeners;
    for (kind, scheme, wanted) in
        [(ListenerKind::Ldap, "ldap", &listeners.ldap), (ListenerKind::Ldaps, "ldaps", &listeners.ldaps)]
    {
        for address in wanted {
            let (listener, actual) = listen(*address)?;
            addresses.push(format!("{scheme}://{actual}"));
            tasks.spawn(Arc::clone(&door).listen_tcp(listener, kind));
        }
    }
    let path = &listeners.ldapi;
    let local = bind_unix(path).map_err(|error| ServeError::Listen { address: path.display().to_string(), error })?;
    let socket = SocketFile(path.clone());
    addresses.push(ldapi_url(path));
    tasks.spawn(Arc::clone(&door).listen_unix(local));
    let mut signals = Signals::new().map_err(|error| ServeError::System { what: "signals", error })?;
    tracing::info!(addresses = addresses.join(" "), "listening");
    ready(&addresses);
    loop {
        match signals.next().await {
            Signal::Reload => reload(installation, services, &door, &gate),
            Signal::Report => tracing::info!("of limits, now and at most: {}", gate.report()),
            Signal::Stop => break,
        }
    }
    tracing::info!("stopping: no new requests are taken, running operations end");
    tracing::info!("of limits, now and at most: {}", gate.report());
    drop(socket);
    services.shutdown().cancel();
    tasks.close();
    if tokio::time::timeout(LAST_OPERATIONS, tasks.wait()).await.is_err() {
        tracing::warn!("some operations did not end in time and were dropped; nothing of them was acknowledged");
    }
    Ok(())
}

/// Has the journal's records sent to collectors.
fn start_streams(installation: &Installation, committer: &mut Committer) -> Result<Streams, ServeError> {
    let streams = Streams::start(
        &installation.configuration.streams,
        &installation.store_options_without_indexes(),
        &committer.durable(),
        &committer.health(),
    );
    let streams = streams.map_err(|error| ServeError::System { what: "the thread of a stream", error })?;
    note_streams(installation, committer, &streams.notes(streams::STARTED));
    Ok(streams)
}

fn note_streams(installation: &Installation, committer: &mut Committer, records: &[Record]) {
    for record in records {
        if committer.note(notes::context(installation.settings()), record.clone()).is_err() {
            tracing::error!("the start or stop of a stream could not be recorded");
        }
    }
}

/// Has the journal signed. Where that is not possible the service goes on, and health says it.
fn start_notary(installation: &Installation, committer: &mut Committer) -> Result<Option<Notary>, ServeError> {
    let configuration = &installation.configuration;
    let health = committer.health();
    let key = match journal_key(installation, committer)? {
        Ok(key) => key,
        Err(error) => {
            let problem = format!("no checkpoint of the journal is signed: {error}; then restart the server");
            tracing::error!("{problem}");
            health.add_trouble(move || Some((HealthLevel::Red, problem.clone())));
            return Ok(None);
        }
    };
    let options = installation.store_options_without_indexes();
    let watch = Arc::<NotaryWatch>::default();
    let system = |what| move |error| ServeError::System { what, error };
    let anchors = match &configuration.anchors {
        None => None,
        Some(settings) => {
            let work = AnchorWork {
                settings: settings.clone(),
                key: key.public().clone(),
                options: options.clone(),
                notary: Arc::clone(&watch),
            };
            Some(Anchors::start(&work, &health).map_err(system("[journal.anchors]"))?)
        }
    };
    let (of_trouble, of_gauge) = (Arc::clone(&watch), Arc::clone(&watch));
    health.add_trouble(move || of_trouble.trouble());
    health.add_gauge("monitorSignedSequence", move || of_gauge.signed());
    let started = Notary::start(options, key, committer.durable(), watch, anchors);
    let (notary, announcer) = started.map_err(system("the thread that signs checkpoints"))?;
    committer.announce_to(announcer);
    Ok(Some(notary))
}

/// The key there is, or a new one, which is journaled.
fn journal_key(
    installation: &Installation,
    committer: &mut Committer,
) -> Result<Result<SigningKey, JournalKeyError>, ServeError> {
    let file = &installation.configuration.journal_key;
    match journal_key::load(file, committer.node()) {
        Ok(Some(key)) => return Ok(Ok(key)),
        Ok(None) => {}
        Err(error) => return Ok(Err(error)),
    }
    let key = match journal_key::make(file, committer.node(), &*installation.entropy) {
        Ok(key) => key,
        Err(error) => return Ok(Err(error)),
    };
    let public = key.public().to_string();
    tracing::warn!(public, file = %file.display(), "a key was made that signs the journal's checkpoints");
    let record = notes::record(RecordKind::JournalKey, vec![("key", public)]);
    committer.note(notes::context(installation.settings()), record).map_err(|_| ServeError::Journal)?;
    Ok(Ok(key))
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let cannot = |error| ServeError::Listen { address: address.to_string(), error };
    let listener = bind_tcp(address).map_err(cannot)?;
    let actual = listener.local_addr().map_err(cannot)?;
    Ok((listener, actual))
}

/// Raises the number of files that may be open as far as the system lets, and says where that is too few.
fn raise_open_files(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the number of files that may be open could not be raised");
    }
    let wanted = u64::try_from(connections.saturating_add(OTHER_FILES)).unwrap_or(u64::MAX);
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|&allowed| allowed < wanted) {
        tracing::warn!(allowed, wanted, "fewer files may be open than limits.connections needs: raise LimitNOFILE (ulimit -n)");
    }
}

fn ldapi_users(installation: &Installation, configuration: &Configuration) -> LdapiUsers {
    LdapiUsers {
        administrator: installation.administrator(),
        own_uid: rustix::process::geteuid().as_raw(),
        others: configuration.ldapi_users.clone(),
    }
}

/// Puts a changed configuration in force, or says why not and leaves everything as it was.
fn reload(installation: &Installation, services: &Services, door: &Door, gate: &Gate) {
    let loaded = installation.reload().map_err(ServeError::from).and_then(|(configuration, settings)| {
        let tls = configuration.tls.as_ref().map(tls::server_configuration).transpose()?;
        let revoked = configuration.tls.as_ref().map(tls::revoked).transpose()?.unwrap_or_default();
        Ok((configuration, settings, tls, revoked))
    });
    match loaded {
        Ok((configuration, settings, tls, revoked)) => {
            warn(&configuration, installation.clock.now());
            let settings = Settings { monitor: services.settings().monitor.clone(), ..settings };
            services.reload(settings.clone(), tls, configuration.password, revoked);
            services.wake_sessions();
            door.reload(ldapi_users(installation, &configuration));
            gate.reload(configuration.connections.clone());
            services.note(notes::context(settings), notes::reloaded(&configuration));
            tracing::info!(
                "the new configuration is in force; addresses, paths, indexes, unique attributes, number ranges, streams and log change with a restart"
            );
        }
        Err(error) => tracing::error!(%error, "the changed configuration was refused, the old one stays in force"),
    }
}

fn warn(configuration: &Configuration, now: Timestamp) {
    // A list that cannot be read was told already.
    let overdue = configuration.tls.as_ref().map(|files| tls::overdue_lists(files, now)).transpose();
    for warning in overdue.ok().flatten().into_iter().flatten() {
        tracing::warn!("{warning}");
    }
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
}

#[derive(PartialEq, Eq)]
enum Signal {
    Reload,
    /// Says in the log what there is of what is limited.
    Report,
    Stop,
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    user: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hang_up.recv() => Signal::Reload,
            _ = self.user.recv() => Signal::Report,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
        }
    }
}
