//! Bind (RFC 4511 section 4.2, RFC 4513): `begin` looks at the request, the hash pool at the password, `finish` decides on the newest
//! value, so that parallel guesses all count.
//!
//! ```text
//! version ─► name ─► simple: empty password? ─► confidential? ─► account ─► verify (a decoy where there is none) ─┐
//!                 └► SASL:   mechanism ─► EXTERNAL: peer's entry ─────────────────────────────────────────────────┼─► finish
//!                                     └─► PLAIN: confidential? ─► message ─► account ─► verify ───────────────────┘
//!
//! verify: a password of an application? ─► finish
//!         does a bind rule ask for a second factor here? ─► the one-time code is split off ─► hash pool
//! finish: password ─► code ─► account's standing ─► bind rules
//! ```

pub(crate) mod bookkeeping;
mod disclosure;
mod factor;
mod finish;
mod recall;
mod sasl;

pub(crate) use factor::judge_given;
pub use finish::finish;
pub use recall::Proof;
pub(crate) use sasl::by_certificate;

use super::exposed::Exposure;
use super::{Context, account, app_password, control, password_change};
use crate::directory::Directory;
use crate::model::{EntryId, ResultCode, Secret, Value};
use crate::policy::app_password::{AppPassword, FACTOR};
use crate::policy::password::{HashAnswer, HashJob, LoginTag};
use crate::protocol::{Authentication, BindRequest, Control, LdapResult, ResponseKind};

/// Why a bind went the way it did, for the journal; never sent to the client.
pub mod reason {
    /// The password is not the one stored.
    pub const WRONG_PASSWORD: &str = "wrong password";
    /// One of the two passwords before the present one: phones remember them. It counts as no failure.
    pub const PREVIOUS_PASSWORD: &str = "previous password";
    /// No entry has this name.
    pub const UNKNOWN_NAME: &str = "unknown name";
    /// The entry has no password.
    pub const NO_PASSWORD: &str = "no password";
    /// A password came without a name.
    pub const EMPTY_NAME: &str = "password without a name";
    /// A name came without a password.
    pub const EMPTY_PASSWORD: &str = "name without a password";
    /// The password came over a connection that can be read on the way.
    pub const CLEAR_CHANNEL: &str = "clear channel";
    /// Neither LDAPv3 nor anything this server speaks.
    pub const BAD_VERSION: &str = "bad version";
    /// The name is no DN.
    pub const BAD_NAME: &str = "invalid name";
    /// A control could not be honoured.
    pub const BAD_CONTROL: &str = "control refused";
    /// The request could not be read.
    pub const MALFORMED: &str = "malformed request";
    /// SASL credentials that are not of their mechanism's form.
    pub const BAD_CREDENTIALS: &str = "malformed credentials";
    /// Neither simple nor SASL, or a mechanism that is not offered.
    pub const BAD_METHOD: &str = "method not offered";
    /// EXTERNAL without a certificate or a known local user.
    pub const NO_EXTERNAL_IDENTITY: &str = "no certificate or local user";
    /// EXTERNAL with a certificate or a local user that is no entry.
    pub const UNMAPPED_EXTERNAL_IDENTITY: &str = "certificate or local user without an entry";
    /// The identity to act as is not the one proven.
    pub const OTHER_IDENTITY: &str = "not authorized to assume identity";
    /// PLAIN without an initial response: the client was asked for one.
    pub const CHALLENGED: &str = "credentials asked for";
    /// The entry or its password changed while the password was being verified.
    pub const CHANGED_MEANWHILE: &str = "account changed meanwhile";
    /// The account is locked, for good or for a time (pwdAccountLockedTime).
    pub const LOCKED: &str = "account locked";
    /// Too many logins of the account failed (pwdAccountLockedTime).
    pub const LOCKED_BY_FAILURES: &str = "account locked by failed logins";
    /// Logins failed a moment ago, from this source or, where the policy says so, of the account: it is too early for another one.
    pub const MUST_WAIT: &str = "too soon after failed logins";
    /// The account is locked (lockoutTime).
    pub const LOCKED_BY_TIME: &str = "account locked (lockoutTime)";
    /// accountDisabled is TRUE.
    pub const DISABLED: &str = "account disabled";
    /// userAccountControl says so.
    pub const DISABLED_BY_CONTROL: &str = "account disabled (userAccountControl)";
    /// nsAccountLock says so.
    pub const DISABLED_BY_LOCK: &str = "account disabled (nsAccountLock)";
    /// It is before pwdStartTime.
    pub const NOT_YET_VALID: &str = "account not yet valid";
    /// pwdEndTime is over.
    pub const EXPIRED: &str = "account expired";
    /// accountExpires is over.
    pub const ACCOUNT_EXPIRES: &str = "account expired (accountExpires)";
    /// krbPrincipalExpiration is over.
    pub const PRINCIPAL_EXPIRED: &str = "account expired (krbPrincipalExpiration)";
    /// shadowExpire is over.
    pub const SHADOW_EXPIRED: &str = "account expired (shadowExpire)";
    /// The emergency account was used: an administrator must set its password anew.
    pub const USED: &str = "emergency account used, password not set anew";
    /// Nobody logged in for longer than pwdMaxIdle.
    pub const IDLE: &str = "account idle too long";
    /// The policy asks for a proofing (accountProofingRequired), and none is recorded.
    pub const NOT_PROOFED: &str = "account not proofed";
    /// pwdMaxAge or passwordExpirationTime is over.
    pub const PASSWORD_EXPIRED: &str = "password expired";
    /// shadowMax and shadowInactive are over.
    pub const PASSWORD_OUTLIVED: &str = "password expired (shadowInactive)";
    /// The code at the end of the password is not one that the token makes now.
    pub const WRONG_CODE: &str = "wrong one-time code";
    /// A login with the code, or with a later one, succeeded already.
    pub const USED_CODE: &str = "one-time code used before";
    /// A rule asks for a second factor, and there is no code at the end of the password.
    pub const NO_CODE: &str = "one-time code missing";
    /// A rule asks for a second factor, and the account has none.
    pub const NO_FACTOR: &str = "second factor required and none enrolled";
    /// A bind rule says no.
    pub const DENIED_BY_RULE: &str = "denied by a bind rule";
    /// No bind rule says yes.
    pub const NO_RULE: &str = "no bind rule allows it";
    /// The password of an application is over.
    pub const APP_PASSWORD_OVER: &str = "password of an application over";
    /// The account is one that has no passwords of applications.
    pub const NO_APP_PASSWORD: &str = "no account for passwords of applications";
    /// The rule that the password of an application is bound to does not let it in here.
    pub const OUTSIDE_APP_RULE: &str = "outside the rule of the application's password";
    /// The account may not be used from there (accountNetwork).
    pub const OUTSIDE_NETWORKS: &str = "outside the account's networks";
    /// As many sessions of the account are open as may be.
    pub const TOO_MANY_SESSIONS: &str = "too many sessions of the account";
    /// Of an alert: so many logins of the account failed in a row that somebody should look at it.
    pub const MANY_FAILURES: &str = "many failed logins in a row";
    /// The hash pool could not take more work.
    pub const BUSY: &str = "password verification is overloaded";
}

/// What `begin` came to.
#[derive(Debug)]
pub enum Step {
    /// The password must be verified first; then [`PendingBind::with_answers`] and the committer.
    Verify(Box<HashJob>, PendingBind),
    /// Nothing to verify (anonymous, EXTERNAL, refused): straight to the committer, to be recorded.
    Commit(PendingBind),
}

/// A bind on its way to the committer.
#[derive(Debug)]
pub struct PendingBind {
    /// Resolved account, if the name is one.
    pub account: Option<EntryId>,
    /// A refusal that stands already.
    pub refusal: Option<LdapResult>,
    /// What the hash pool said.
    pub answer: Option<HashAnswer>,
    method: Method,
    /// Why it is refused, or would be if the password is not the stored one.
    reason: Option<&'static str>,
    /// The name, where it is no entry.
    unknown_name: Option<(String, usize)>,
    /// entryCSN of the account when its stored passwords were read.
    version: Option<Value>,
    /// As many sessions of the account are open as may be.
    too_many: bool,
    /// Under which the login may be remembered.
    tag: Option<LoginTag>,
    /// The one-time code that came with the password.
    code: factor::OneTimeCode,
    /// The password is one of an application, and right.
    app: Option<Box<AppPassword>>,
    /// What is to be looked at beside it: it was refused because it came in clear.
    exposure: Option<Box<Exposure>>,
}

/// How the client wants to prove who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    Anonymous,
    Simple,
    Plain,
    /// By certificate or by local user.
    External(&'static str),
    /// None that is offered.
    Unknown,
}

impl Method {
    /// As the journal and `Identity` spell it.
    fn name(self) -> Option<&'static str> {
        match self {
            Method::Anonymous | Method::Simple => Some("SIMPLE"),
            Method::Plain => Some("SASL(PLAIN)"),
            Method::External(_) => Some("SASL(EXTERNAL)"),
            Method::Unknown => None,
        }
    }

    /// Whether what is proven is a password.
    fn is_password(self) -> bool {
        matches!(self, Method::Simple | Method::Plain)
    }

    /// The factor it proves.
    fn factor(self) -> Option<&'static str> {
        match self {
            Method::Simple | Method::Plain => Some("password"),
            Method::External(factor) => Some(factor),
            Method::Anonymous | Method::Unknown => None,
        }
    }
}

/// Looks at a bind request. `context.identity` is anonymous by now (RFC 4513 section 4).
pub fn begin(directory: &Directory, context: &Context, request: BindRequest, controls: &[Control]) -> Step {
    let method = match &request.authentication {
        Authentication::Simple(_) => Method::Simple,
        _ => Method::Unknown,
    };
    let mut pending = PendingBind::new(method);
    if let Err(refusal) = control::decode(ResponseKind::Bind, controls, &context.settings.limits) {
        pending.note_name(directory, context, &request.name);
        return pending.refuse(refusal, reason::BAD_CONTROL);
    }
    if request.version != 3 {
        let text = match request.version {
            2 => "historical protocol version requested, use LDAPv3 instead",
            _ => "requested protocol version not supported",
        };
        pending.note_name(directory, context, &request.name);
        return pending.refuse(LdapResult::with(ResultCode::ProtocolError, text), reason::BAD_VERSION);
    }
    if !pending.note_name(directory, context, &request.name) {
        return pending.refuse(LdapResult::with(ResultCode::InvalidDnSyntax, "invalid DN"), reason::BAD_NAME);
    }
    match request.authentication {
        Authentication::Simple(password) => simple(directory, context, pending, request.name.is_empty(), password),
        Authentication::Sasl { mechanism, credentials } => sasl::begin(directory, context, &mechanism, credentials),
        Authentication::Unknown => {
            let refusal = LdapResult::with(ResultCode::AuthMethodNotSupported, "unknown authentication method");
            pending.refuse(refusal, reason::BAD_METHOD)
        }
    }
}

/// A bind request whose inside could not be read: refused like any other, and recorded.
pub fn malformed(refusal: LdapResult) -> PendingBind {
    PendingBind { refusal: Some(refusal), reason: Some(reason::MALFORMED), ..PendingBind::new(Method::Unknown) }
}

/// The simple method (RFC 4513 section 5.1).
fn simple(directory: &Directory, context: &Context, mut pending: PendingBind, nameless: bool, password: Secret) -> Step {
    match (nameless, password.is_empty()) {
        (true, true) => {
            pending.method = Method::Anonymous;
            Step::Commit(pending)
        }
        (false, true) => {
            let text = "unauthenticated bind (DN with no password) disallowed";
            pending.refuse(LdapResult::with(ResultCode::UnwillingToPerform, text), reason::EMPTY_PASSWORD)
        }
        (_, false) if !context.may_send_credentials() => pending.refuse_clear_channel(directory, context, password),
        (true, false) => {
            pending.reason = Some(reason::EMPTY_NAME);
            pending.verify(directory, context, password)
        }
        (false, false) => pending.verify(directory, context, password),
    }
}

impl PendingBind {
    fn new(method: Method) -> PendingBind {
        PendingBind {
            account: None,
            refusal: None,
            answer: None,
            method,
            reason: None,
            unknown_name: None,
            version: None,
            too_many: false,
            tag: None,
            code: factor::OneTimeCode::NotAsked,
            app: None,
            exposure: None,
        }
    }

    /// What the hash pool said to [`Step::Verify`].
    pub fn with_answers(mut self, answers: Vec<HashAnswer>) -> PendingBind {
        self.answer = answers.into_iter().next();
        self
    }

    /// Whom the session will be if the committer finds nothing against it.
    pub fn expected(&self) -> Option<EntryId> {
        let proven = match (&self.answer, self.method) {
            (Some(HashAnswer::Verified { matched, .. }), _) => matched.is_some(),
            (Some(HashAnswer::Recalled(_)), _) => true,
            (_, method) => matches!(method, Method::External(_)) || self.app.is_some(),
        };
        self.account.filter(|_| proven && self.refusal.is_none())
    }

    /// As many sessions of the account are open as may be: refused, unless something else is wrong with it.
    pub fn refuse_session(&mut self) {
        self.too_many = true;
    }

    /// The factor that it proves itself.
    fn factor(&self) -> Option<&'static str> {
        if self.app.is_some() { Some(FACTOR) } else { self.method.factor() }
    }

    /// Resolves the name, or keeps its hash. `false`: it is no DN.
    fn note_name(&mut self, directory: &Directory, context: &Context, name: &[u8]) -> bool {
        let found = account::by_dn(directory, name);
        let is_name = found.is_ok();
        self.account = found.ok().flatten();
        if self.account.is_none() && !name.is_empty() {
            self.unknown_name = Some(account::unknown_name(context, name));
        }
        is_name
    }

    fn refuse(mut self, refusal: LdapResult, reason: &'static str) -> Step {
        self.refusal = Some(refusal);
        self.reason = Some(reason);
        Step::Commit(self)
    }

    /// What came in clear and is to be looked at, off the way of the answer.
    pub fn take_exposure(&mut self) -> Option<Box<Exposure>> {
        self.exposure.take()
    }

    /// Answered at once: nobody learns from how long it takes whether the password was right.
    fn refuse_clear_channel(mut self, directory: &Directory, context: &Context, given: Secret) -> Step {
        self.exposure = self.account.and_then(|account| {
            let (_, given, _) = factor::split(directory, context, Some(account), given);
            Exposure::of(directory, context, account, given).map(Box::new)
        });
        let refusal = LdapResult::with(ResultCode::ConfidentialityRequired, "confidentiality required");
        self.refuse(refusal, reason::CLEAR_CHANNEL)
    }

    /// Has the password looked at. No account, or one without a password, costs the same as any other: a decoy is verified.
    fn verify(mut self, directory: &Directory, context: &Context, given: Secret) -> Step {
        // One of an application was drawn at random: a digest tells it. Where it is refused all the same a run is due.
        if self.refusal.is_none() {
            self.app = self.account.and_then(|account| app_password::find(directory, account, &given)).map(Box::new);
        }
        if self.app.is_some() {
            return Step::Commit(self);
        }
        let stored = account::stored_passwords(directory, self.account);
        self.version = account::version(directory, self.account);
        self.reason = self.reason.or(Some(match (self.account, stored.is_empty()) {
            (None, _) => reason::UNKNOWN_NAME,
            (Some(_), true) => reason::NO_PASSWORD,
            (Some(_), false) => reason::WRONG_PASSWORD,
        }));
        let before = self.account.map(|id| password_change::two_before(directory, id)).unwrap_or_default();
        let (code, given, prospect) = factor::split(directory, context, self.account, given);
        self.code = code;
        self.tag = recall::tag(directory, context, &self, &given).filter(|_| prospect == factor::Prospect::Open);
        Step::Verify(Box::new(HashJob::Verify { stored, before, given }), self)
    }
}
