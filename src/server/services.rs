//! What every connection shares: the published directory, the committer, the hash pool, settings, TLS, time.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::committer_thread::{Address, CommitterHandle, Completion, CompletionSender};
use super::hash_pool::HashPool;
use super::journal_reader::JournalReader;
use super::registry::{Registry, WAKING_INTERVAL, Woken};
use super::snapshotter::Snapshotter;
use super::tls::{RevocationKey, revocation_key};
use crate::directory::Directory;
use crate::journal::Record;
use crate::journal::query::LookupRequest;
use crate::model::{ResultCode, Secret, Timestamp};
use crate::operation::exposed::Exposure;
use crate::operation::{CertificateFacts, Context, Proposal, ProposedOperation, Settings};
use crate::policy::password::{Argon2Parameters, HashAnswer, HashJob, LoginTag, REMEMBERED_LOGINS, RememberedLogins};
use crate::policy::share::{Origin, Owner};
use crate::session::Ticket;
use crate::world::{Clock, Entropy};

/// How often, and how long apart, the end of a session is offered to the committer.
const END_TRIES: u32 = 100;
const END_WAIT: Duration = Duration::from_millis(100);

/// Passwords sent in clear that are looked at, at once.
const EXPOSURES: usize = 2;

/// Shared by all connections.
pub struct Services {
    published: Arc<ArcSwap<Directory>>,
    committer: CommitterHandle,
    hash_pool: Arc<HashPool>,
    snapshotter: Arc<Snapshotter>,
    journal_reader: Arc<JournalReader>,
    sessions: Arc<Registry>,
    remembered_logins: Mutex<RememberedLogins>,
    settings: ArcSwap<Settings>,
    tls: ArcSwapOption<ServerConfig>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    exposures: Arc<Semaphore>,
    revoked: ArcSwap<HashSet<RevocationKey>>,
    shutdown: CancellationToken,
}

impl Services {
    /// Puts them together. `tls`: none where the server has no certificate.
    #[allow(clippy::too_many_arguments, reason = "each is a part of its own, named once, here")]
    pub fn new(
        published: Arc<ArcSwap<Directory>>,
        committer: CommitterHandle,
        hash_pool: Arc<HashPool>,
        snapshotter: Arc<Snapshotter>,
        journal_reader: Arc<JournalReader>,
        sessions: Arc<Registry>,
        settings: Settings,
        tls: Option<Arc<ServerConfig>>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Services {
        Services {
            published,
            committer,
            hash_pool,
            snapshotter,
            journal_reader,
            sessions,
            remembered_logins: Mutex::new(RememberedLogins::new(REMEMBERED_LOGINS)),
            settings: ArcSwap::from_pointee(settings),
            tls: ArcSwapOption::new(tls),
            clock,
            entropy,
            exposures: Arc::new(Semaphore::new(EXPOSURES)),
            revoked: ArcSwap::default(),
            shutdown: CancellationToken::new(),
        }
    }

    /// The newest durable directory.
    pub fn directory(&self) -> Arc<Directory> {
        self.published.load_full()
    }

    /// The sessions that somebody is logged in on.
    pub fn sessions(&self) -> &Arc<Registry> {
        &self.sessions
    }

    /// Settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Whether `known` is no longer what is in force.
    pub fn settings_changed(&self, known: &Arc<Settings>) -> bool {
        !Arc::ptr_eq(&self.settings.load(), known)
    }

    /// Whether a certificate that was good at the handshake is in a revocation list that was read since.
    pub fn is_revoked(&self, certificate: &CertificateFacts) -> bool {
        let revoked = self.revoked.load();
        !revoked.is_empty() && revoked.contains(&revocation_key(&certificate.issuer, &certificate.serial))
    }

    /// Wakes all connections that somebody is logged in on, some at a time: each follows what was reloaded.
    pub fn wake_sessions(&self) {
        let mut woken = Woken::default();
        self.sessions.suspend_all(&mut woken);
        tokio::spawn(async move {
            while !woken.is_empty() {
                woken.wake();
                tokio::time::sleep(WAKING_INTERVAL).await;
            }
        });
    }

    /// Puts a checked new configuration in force: for requests, handshakes and new password hashes from now on. `revoked`: connections with
    /// one of these certificates end, with their next request at the latest.
    pub fn reload(
        &self,
        settings: Settings,
        tls: Option<Arc<ServerConfig>>,
        password: Argon2Parameters,
        revoked: HashSet<RevocationKey>,
    ) {
        self.revoked.store(Arc::new(revoked));
        self.tls.store(tls);
        self.hash_pool.set_parameters(password);
        if settings.remembered_logins.is_none() {
            self.logins().clear();
        }
        self.settings.store(Arc::new(settings));
    }

    fn logins(&self) -> MutexGuard<'_, RememberedLogins> {
        self.remembered_logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a job without doing it, where the login is remembered.
    pub fn recall(&self, tag: &LoginTag, job: &HashJob) -> Option<HashAnswer> {
        let HashJob::Verify { stored, .. } = job else { return None };
        self.logins().recall(tag, stored, self.now()).map(HashAnswer::Recalled)
    }

    /// Remembers a login for the time the settings say.
    pub fn remember(&self, tag: LoginTag, stored: Secret) {
        let Some(seconds) = self.settings.load().remembered_logins.as_ref().map(|settings| settings.seconds) else { return };
        let now = self.now();
        let until = Timestamp(now.0.saturating_add(i64::from(seconds).saturating_mul(1_000_000)));
        self.logins().remember(tag, stored, until, now);
    }

    /// Policy time: the wall clock, never below the last durable record, so that turning the clock back revives no waiver.
    pub fn now(&self) -> Timestamp {
        self.clock.now().max(self.committer.durable_time())
    }

    /// Randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Cancelled when the server is to stop.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Microseconds of a clock that never goes back.
    pub fn monotonic(&self) -> u64 {
        self.clock.monotonic()
    }

    /// The same for a look.
    pub(super) fn published(&self) -> Guard<Arc<Directory>> {
        self.published.load()
    }

    /// Says when a directory with changed entries was published, from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.committer.changes()
    }

    /// Hands a proposal to the committer, on somebody's account.
    pub fn commit(
        &self,
        proposal: Proposal,
        address: Address,
        owner: Owner,
        completion: Option<CompletionSender>,
    ) -> Result<(), ResultCode> {
        self.committer.submit(proposal, address, owner, completion)
    }

    /// Has the committer record something that no client waits for.
    pub fn note(&self, context: Context, record: Record) {
        let operation = ProposedOperation::Note(Box::new(record));
        if let Err(code) = self.committer.submit(Proposal { context, operation }, Address::NOBODY, Owner::Local, None) {
            tracing::error!(code = code.number(), "an event could not be recorded");
        }
    }

    /// Has the committer record the end of a session. Where its queue is full this waits: nobody else does, the connection is closed already.
    pub async fn record_end(&self, note: Proposal, owner: Owner) {
        let Proposal { context, operation: ProposedOperation::Note(record) } = note else { return };
        for _ in 0..END_TRIES {
            let note = Proposal { context: context.clone(), operation: ProposedOperation::Note(record.clone()) };
            match self.committer.submit(note, Address::NOBODY, owner, None) {
                Err(ResultCode::Busy) => tokio::time::sleep(END_WAIT).await,
                Err(_) => break,
                Ok(()) => return,
            }
        }
        tracing::error!(session = context.session, "the end of a session could not be recorded");
    }

    /// Asks for a snapshot; the connection is told.
    pub fn snapshot(&self, ticket: Ticket, completion: CompletionSender) -> Result<(), ResultCode> {
        self.snapshotter.ask(ticket, completion)
    }

    /// Has records of the journal looked up for a search; the connection is told.
    pub fn look_up(&self, number: u64, request: LookupRequest, completion: CompletionSender) -> Result<(), ResultCode> {
        self.journal_reader.ask(number, request, completion)
    }

    /// Asks for a rotation of the seal key; the connection is told when it is begun.
    pub fn rotate_key(&self, ticket: Ticket, completion: CompletionSender) -> Result<(), ResultCode> {
        self.snapshotter.ask_rotation(ticket, completion)
    }

    /// Has the hash pool do jobs and tells the connection; jobs of one operation run one after the other. `origin`: among whose jobs they
    /// wait; none: those of the Unix socket.
    pub fn hash(&self, ticket: Ticket, jobs: Vec<HashJob>, origin: Option<Origin>, completion: CompletionSender) {
        let pool = Arc::clone(&self.hash_pool);
        tokio::spawn(async move {
            let mut answers = Vec::with_capacity(jobs.len());
            for job in jobs {
                let answer = match pool.submit(job, origin) {
                    Ok(answer) => answer.await.unwrap_or(HashAnswer::Busy),
                    Err(_) => HashAnswer::Busy,
                };
                answers.push(answer);
            }
            // Fails only when the connection is gone.
            let _ = completion.send(Completion::Hashed(ticket, answers)).await;
        });
    }

    /// Finds out whether a password that came in clear is right. Where as many are being looked at as may be, this one is not.
    pub fn look_at_exposure(self: &Arc<Services>, exposure: Exposure, origin: Option<Origin>, owner: Owner) {
        let Ok(place) = Arc::clone(&self.exposures).try_acquire_owned() else { return };
        let services = Arc::clone(self);
        tokio::spawn(async move {
            let _place = place;
            let answer = match exposure.job().map(|job| services.hash_pool.submit(job, origin)) {
                None => None,
                Some(Ok(answer)) => answer.await.ok(),
                Some(Err(_)) => return,
            };
            if let Some(proposal) = exposure.proposal(answer)
                && let Err(code) = services.commit(*proposal, Address::NOBODY, owner, None)
            {
                tracing::warn!(code = code.number(), "a password that was sent in clear could not be marked");
            }
        });
    }

    /// Does the server's side of a TLS handshake.
    pub async fn accept_tls(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let configuration = self.tls.load_full().ok_or_else(|| io::Error::other("the server has no certificate"))?;
        TlsAcceptor::from(configuration).accept(socket).await
    }
}
