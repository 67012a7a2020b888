//! A session that somebody is logged in on, as the session itself, the committer and `cn=sessions,cn=monitor` see it, and whether its account
//! may hold it.
//!
//! ```text
//! commit that bears on the account ─► published ─► suspend() ─► acknowledged
//!                                                     │
//! the session, before a request and at each entry:  is it suspended? ─► judge on the newest value ─► goes on, or is over
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};

use super::access::SessionRules;
use super::context::is_administrator;
use super::policies::password_policy;
use super::{Context, Decision, Peer, Proposal, TlsFacts, account, app_password, bind_rules, standing};
use crate::directory::{Change, Directory, Node};
use crate::journal::{Named, RecordKind};
use crate::model::{EntryId, Timestamp};
use crate::policy::account::{self as rules, Barrier, Ground};
use crate::policy::app_password::AppPassword;
use crate::protocol::Request;

/// What a client can ask for, as [`LiveSession::last_request`] names it.
const REQUESTS: [&str; 9] = ["bind", "search", "compare", "add", "modify", "delete", "modifyDn", "extended", "abandon"];

/// A session that somebody is logged in on, from the login to its end or to the next login on its connection.
#[derive(Debug)]
pub struct LiveSession {
    /// The session's number.
    pub number: u64,
    /// Whose it is.
    pub account: EntryId,
    /// The account as it was named at the login.
    pub named: Option<Named>,
    /// Where the client is.
    pub peer: Arc<Peer>,
    /// TLS, when there was any at the login.
    pub tls: Option<Arc<TlsFacts>>,
    /// What was proven.
    pub factors: Vec<&'static str>,
    /// When it logged in.
    pub since: Timestamp,
    /// The password of an application that it logged in with.
    pub app_password: Option<AppPassword>,
    /// The applications on whose connection it came.
    pub applications: Vec<EntryId>,
    /// When the client last asked for something, in microseconds, and for what.
    last_time: AtomicI64,
    last_request: AtomicU8,
    /// Moves with every commit that bears on the account.
    epoch: AtomicU64,
    /// Its connection was woken and has not looked yet.
    woken: AtomicBool,
    /// An administrator ended it.
    ended: AtomicBool,
    /// Whether it did something as an administrator may, or could have.
    administrator: AtomicBool,
    /// It is one of an emergency account; why that is used, once that was said.
    break_glass: bool,
    reason: OnceLock<String>,
    /// The version of the password that it logged in with or set itself, and of the one before, which is published a moment longer.
    password: AtomicU64,
    previous_password: AtomicU64,
    /// The version that was decided last and may never become durable.
    decided_password: AtomicU64,
    /// The access rules that were put together for it last.
    rules: ArcSwapOption<SessionRules>,
}

/// Why a session is over, for the client and the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionEnd {
    /// Nothing was asked for long enough.
    Idle,
    /// The client must log in anew.
    Age,
    /// The account may not be used any more.
    Barred(Ground),
    /// The account is gone.
    Deleted,
    /// The password is another one, set by somebody else or on another session.
    PasswordChanged,
    /// The password of an application that it is by was revoked, or is over.
    AppPasswordGone,
    /// The account lost the rights of an administrator, which it had.
    RightsLost,
    /// The bind rules or the account's networks, as they are now, would not have let it in.
    Refused(&'static str),
    /// The certificate of the connection is in a revocation list by now.
    CertificateRevoked,
    /// It is one of an emergency account, and nobody said why that is used.
    NoReason,
    /// An administrator ended it.
    Administrator,
    /// The client said that it ends.
    Unbind,
    /// The client closed the connection, or it broke.
    ClientClosed,
    /// The client took or sent nothing for too long.
    Stalled,
    /// The client sent what is no request.
    ProtocolError,
    /// The server stopped.
    Shutdown,
}

impl SessionEnd {
    /// Why, for the journal.
    pub fn reason(self) -> &'static str {
        match self {
            SessionEnd::Idle => "idle",
            SessionEnd::Age => "age",
            SessionEnd::Barred(ground) => standing::reason_of(ground),
            SessionEnd::Deleted => "account deleted",
            SessionEnd::PasswordChanged => "password changed",
            SessionEnd::AppPasswordGone => "password of an application revoked",
            SessionEnd::RightsLost => "no administrator any more",
            SessionEnd::Refused(reason) => reason,
            SessionEnd::CertificateRevoked => "certificate revoked",
            SessionEnd::NoReason => "no reason given for the emergency",
            SessionEnd::Administrator => "ended by an administrator",
            SessionEnd::Unbind => "unbind",
            SessionEnd::ClientClosed => "closed by the client",
            SessionEnd::Stalled => "client too slow",
            SessionEnd::ProtocolError => "protocol error",
            SessionEnd::Shutdown => "shutdown",
        }
    }

    /// What the client is told.
    pub fn diagnostic(self) -> &'static str {
        match self {
            SessionEnd::Idle => "session idle for too long",
            SessionEnd::Age => "session too old, log in again",
            SessionEnd::NoReason => "no breakGlassReason was given in time",
            _ => "session ended, log in again",
        }
    }

    /// Whether the session may go no further at once, whatever is under way.
    pub fn is_revocation(self) -> bool {
        use SessionEnd::{Administrator, AppPasswordGone, Barred, Deleted, NoReason, PasswordChanged, Refused, RightsLost};
        let is_gone = matches!(self, Deleted | PasswordChanged | AppPasswordGone | RightsLost | SessionEnd::CertificateRevoked);
        is_gone || matches!(self, Barred(_) | Refused(_) | NoReason | Administrator)
    }
}

impl LiveSession {
    /// Of a login that is being decided on this value.
    pub(crate) fn new(
        directory: &Directory,
        context: &Context,
        node: &Node,
        named: Option<Named>,
        factors: Vec<&'static str>,
    ) -> LiveSession {
        let password = password_version(directory, node);
        LiveSession {
            number: context.session,
            account: node.id,
            named,
            peer: Arc::clone(&context.peer),
            tls: context.tls.clone(),
            factors,
            since: context.now,
            app_password: None,
            applications: bind_rules::applications(directory, context),
            last_time: AtomicI64::new(context.now.0),
            last_request: AtomicU8::new(0),
            epoch: AtomicU64::new(0),
            woken: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            administrator: AtomicBool::new(is_administrator(directory, node.id)),
            break_glass: standing::facts(directory, node.id).break_glass,
            reason: OnceLock::new(),
            password: AtomicU64::new(password),
            previous_password: AtomicU64::new(password),
            decided_password: AtomicU64::new(password),
            rules: ArcSwapOption::empty(),
        }
    }

    /// One that was begun with the password of an application, where it is one.
    pub(crate) fn by_app_password(self, app_password: Option<AppPassword>) -> LiveSession {
        LiveSession { app_password, ..self }
    }

    /// The client asks for something.
    pub fn note_request(&self, request: &Request, now: Timestamp) {
        let place = match request {
            Request::Search(_) => 1,
            Request::Compare { .. } => 2,
            Request::Add { .. } => 3,
            Request::Modify { .. } => 4,
            Request::Delete { .. } => 5,
            Request::ModifyDn { .. } => 6,
            Request::Extended { .. } => 7,
            Request::Abandon(_) => 8,
            Request::Bind(_) | Request::Unbind | Request::Malformed { .. } => return,
        };
        self.last_time.store(now.0, Ordering::Relaxed);
        self.last_request.store(place, Ordering::Relaxed);
    }

    /// When the client last asked for something, and for what.
    pub fn last_request(&self) -> (Timestamp, &'static str) {
        let place = usize::from(self.last_request.load(Ordering::Relaxed));
        (Timestamp(self.last_time.load(Ordering::Relaxed)), REQUESTS.get(place).copied().unwrap_or_default())
    }

    /// Takes the session's standing: it does nothing more until it is judged on a newer value. Whether its connection is to be woken.
    pub fn suspend(&self) -> bool {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        !self.woken.swap(true, Ordering::AcqRel)
    }

    /// The access rules that were put together for it last.
    pub(crate) fn rules(&self) -> Guard<Option<Arc<SessionRules>>> {
        self.rules.load()
    }

    /// Keeps what was put together.
    pub(crate) fn put_rules(&self, rules: SessionRules) {
        self.rules.store(Some(Arc::new(rules)));
    }

    /// Its connection is awake and looks now.
    pub fn looks(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// How often its standing was taken: what is published is read after this.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// An administrator ends it.
    pub fn end(&self) -> bool {
        self.ended.store(true, Ordering::Release);
        self.suspend()
    }

    /// The password of the account as it is decided in `head` is one that this session may go on with: it set it itself, or it is the old
    /// one hashed anew. `before`: the password before that; a session that did not go on with it does not come back by it.
    pub fn expect_password(&self, before: PasswordVersion, head: &Directory) {
        if let Some(node) = head.node(self.account).filter(|_| self.knows_password(before.0)) {
            self.decided_password.store(password_version(head, node), Ordering::Release);
        }
    }

    /// The same for a session that came too late to be told: a password was only hashed anew, from one version to another.
    pub fn follow_rehash(&self, before: PasswordVersion, after: PasswordVersion) {
        if self.knows_password(before.0) {
            self.decided_password.store(after.0, Ordering::Release);
        }
    }

    /// What [`LiveSession::expect_password`] was told last is durable.
    pub fn adopt_password(&self) {
        let (decided, known) = (self.decided_password.load(Ordering::Acquire), self.password.load(Ordering::Acquire));
        if decided != known {
            self.previous_password.store(known, Ordering::Release);
            self.password.store(decided, Ordering::Release);
        }
    }

    fn knows_password(&self, version: u64) -> bool {
        [&self.password, &self.previous_password, &self.decided_password].iter().any(|it| it.load(Ordering::Acquire) == version)
    }

    /// Whether it is one of an emergency account.
    pub(crate) fn is_break_glass(&self) -> bool {
        self.break_glass
    }

    /// Why the emergency account is used.
    pub fn break_glass_reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Somebody said why, and the record of it is durable. The first one counts.
    pub fn give_break_glass_reason(&self, reason: String) {
        let _ = self.reason.set(reason);
    }

    /// When it ends unless somebody says why.
    fn reason_due(&self) -> Option<Timestamp> {
        let seconds = i64::from(rules::BREAK_GLASS_REASON);
        let due = || Timestamp(self.since.0.saturating_add(seconds.saturating_mul(1_000_000)));
        (self.break_glass && self.reason.get().is_none()).then(due)
    }

    /// [`LiveSession::judge`] on a value that was published: rights that the account has there it may have used.
    pub fn judge_published(&self, directory: &Directory, now: Timestamp) -> Result<Option<Timestamp>, SessionEnd> {
        let next = self.judge(directory, now)?;
        if is_administrator(directory, self.account) {
            self.administrator.store(true, Ordering::Release);
        }
        Ok(next)
    }

    /// Whether the account may hold the session on this value of the directory at this moment; the moment at which time alone may change that.
    pub fn judge(&self, directory: &Directory, now: Timestamp) -> Result<Option<Timestamp>, SessionEnd> {
        if self.ended.load(Ordering::Acquire) {
            return Err(SessionEnd::Administrator);
        }
        let node = directory.node(self.account).ok_or(SessionEnd::Deleted)?;
        let facts = standing::facts(directory, self.account);
        let policy = password_policy(directory, Some(self.account));
        // Who guesses passwords must not end the sessions of those who know them: locks that end by themselves keep from new logins alone.
        // Nor is anybody idle who is logged in.
        let mut barriers = rules::barriers(&facts, &policy, now);
        // Who works at the machine itself can put a wrong policy right.
        let is_local = || self.factors.contains(&"ldapi") && is_administrator(directory, self.account);
        let bars = |it: &Barrier| match it.ground {
            Ground::Idle => false,
            Ground::NotProofed => !is_local(),
            ground => !(ground.is_lock() && it.until.is_some()),
        };
        if let Some(barrier) = barriers.find(bars) {
            return Err(SessionEnd::Barred(barrier.ground));
        }
        if self.factors.contains(&"password") && !self.knows_password(password_version(directory, node)) {
            return Err(SessionEnd::PasswordChanged);
        }
        let app = self.app_password.as_ref();
        if app.is_some_and(|app| app_password::check(directory, self.account, app, now).is_err()) {
            return Err(SessionEnd::AppPasswordGone);
        }
        if self.administrator.load(Ordering::Acquire) && !is_administrator(directory, self.account) {
            return Err(SessionEnd::RightsLost);
        }
        if let Some(reason) = bind_rules::refuses_session(directory, self) {
            return Err(SessionEnd::Refused(reason));
        }
        let end = rules::next_end(&facts, &policy, now).map(|(_, end)| end);
        let end = end.into_iter().chain(app.and_then(|app| app.until));
        match self.reason_due() {
            Some(due) if now >= due => Err(SessionEnd::NoReason),
            due => Ok(end.chain(due).min()),
        }
    }
}

/// Sessions that go on with a password that was decided, once that is durable.
#[derive(Debug)]
pub struct Expecting {
    /// The one that set it, or the login that had it hashed anew.
    pub live: Arc<LiveSession>,
    /// All others of the account too: the password is the same, hashed anew.
    pub all: bool,
}

/// Which password an account has.
#[derive(Clone, Copy, Debug)]
pub struct PasswordVersion(u64);

impl PasswordVersion {
    /// None: there is no such account.
    pub fn of(directory: &Directory, account: EntryId) -> Option<PasswordVersion> {
        directory.node(account).map(|node| PasswordVersion(password_version(directory, node)))
    }
}

/// After a proposal was decided, before its changes are made in `head`: a session that changed the password of its own account stays, and so
/// do all of an account whose password a login had hashed anew.
pub fn expecting(proposal: &Proposal, decision: &Decision, head: &Directory) -> Option<(Expecting, PasswordVersion)> {
    let all = decision.record.kind == RecordKind::Bind;
    let identity = if all { decision.identity.as_ref() } else { Some(&proposal.context.identity) };
    let live = identity?.live.as_ref()?;
    if !decision.changes.iter().any(|change| matches!(change, Change::PutEntry { id, .. } if *id == live.account)) {
        return None;
    }
    let before = PasswordVersion::of(head, live.account)?;
    Some((Expecting { live: Arc::clone(live), all }, before))
}

impl PartialEq for LiveSession {
    fn eq(&self, other: &LiveSession) -> bool {
        (self.number, self.account, self.since) == (other.number, other.account, other.since)
    }
}

impl Eq for LiveSession {}

/// Changes when the password does, and when it is hashed anew. pwdChangedTime alone would not do: it counts seconds.
fn password_version(directory: &Directory, node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    let changed = directory.schema().attribute_type("pwdChangedTime").and_then(|it| node.entry.first(it.id));
    changed.hash(&mut hasher);
    if let Some(password) = account::password_attribute(directory) {
        node.entry.values(password).for_each(|value| value.hash(&mut hasher));
    }
    hasher.finish()
}
