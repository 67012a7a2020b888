//! How an account stands, in one report, for `bindery account show`: asked for by an extended operation, or of a stopped directory.
//!
//! ```text
//! requestValue:  a uid or a name, UTF-8
//! responseValue: the report as JSON
//! ```
//!
//! For administrators. No secret is in it.

mod gather;
mod granted;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use gather::gather;

use super::app_password::AppPasswordReport;
use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, account, standing};
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Whether an account can log in with its password now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountState {
    /// It can, where a bind rule lets it in.
    Open,
    /// Its password is not taken; a certificate or the Unix socket is.
    PasswordBarred,
    /// It cannot, whatever it proves.
    Barred,
}

/// The report. Times are RFC 3339, in UTC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountReport {
    /// The entry's name.
    pub dn: String,
    /// accountKind, and whether it is an administrator.
    pub kind: String,
    /// The moment that it is of.
    pub at: String,
    /// Whether it can log in.
    pub state: AccountState,
    /// All that bars it, and its password.
    pub barriers: Vec<BarrierReport>,
    /// What will bar it next by time alone.
    pub next_end: Option<EndReport>,
    /// Its password.
    pub password: PasswordReport,
    /// Name of the password policy in force; none: the built-in one.
    pub password_policy: Option<String>,
    /// accountNetwork
    pub networks: Vec<String>,
    /// Bind rules that can decide about it, from wherever it comes.
    pub bind_rules: Vec<RuleReport>,
    /// Failed logins that still count.
    pub failures: FailureReport,
    /// lastLoginTime
    pub last_login: Option<String>,
    /// lastLoginSource
    pub last_login_source: Option<String>,
    /// pwdLastSuccess
    pub last_success: Option<String>,
    /// One-time codes.
    pub tokens: Vec<TokenReport>,
    /// Passwords of applications.
    #[serde(default)]
    pub app_passwords: Vec<AppPasswordReport>,
    /// Groups it is a direct member of, at most [`AccountReport::MOST_GROUPS`].
    pub groups: Vec<String>,
    /// Groups that are not named.
    pub further_groups: usize,
    /// What it was given for a time, whatever became of it.
    #[serde(default)]
    pub grants: Vec<GrantReport>,
    /// Who is logged in on it now; of a stopped server nobody.
    pub sessions: Vec<SessionReport>,
}

impl AccountReport {
    /// Most groups that a report names.
    pub const MOST_GROUPS: usize = 1000;
}

/// Something that bars an account now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BarrierReport {
    /// As the journal spells it.
    pub reason: String,
    /// The attribute it is read from.
    pub attribute: String,
    /// From which moment on, where that is known.
    pub since: Option<String>,
    /// The moment from which on it no longer does; none: until somebody changes something.
    pub until: Option<String>,
    /// Whether it bars the password alone.
    pub password_only: bool,
}

/// The end of an account by time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndReport {
    /// The attribute it is read from.
    pub attribute: String,
    /// When.
    pub time: String,
}

/// How the password stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasswordReport {
    /// Whether there is one.
    pub stored: bool,
    /// pwdChangedTime
    pub changed: Option<String>,
    /// By pwdMaxAge or passwordExpirationTime.
    pub expires: Option<String>,
    /// Logins with the expired password, this moment's included; none where it is not expired.
    pub grace_logins_left: Option<u32>,
    /// It must be changed before anything else is done.
    pub must_change: bool,
    /// When it was sent, and right, over a connection that can be listened to.
    #[serde(default)]
    pub exposed: Option<String>,
}

/// A bind rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its name.
    pub dn: String,
    /// bindEffect
    pub effect: String,
    /// What else it asks for: `bindNetwork=10.0.0.0/8`.
    pub conditions: Vec<String>,
}

/// Failed logins.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FailureReport {
    /// In a row, wherever they came from.
    pub in_a_row: u32,
    /// When the last was.
    pub last: Option<String>,
    /// No login is looked at until then, wherever it comes from.
    pub pause_end: Option<String>,
    /// By source.
    pub sources: Vec<SourceReport>,
}

/// Failed logins from one source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceReport {
    /// An address as limits count it, or a local user.
    pub source: String,
    /// The newest of them, at most ten.
    pub failures: usize,
    /// When the last was.
    pub last: Option<String>,
    /// No login from there is looked at until then.
    pub waits_until: Option<String>,
}

/// What makes an account's one-time codes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenReport {
    /// The entry that holds the secret.
    pub dn: String,
    /// `TOTP`, `HOTP`
    pub kind: String,
    /// Whether it makes codes: it has a secret that is not too old, and parameters that mean something.
    pub usable: bool,
    /// Recovery codes that were not used.
    pub recovery_codes: usize,
}

/// A grant, or a membership that ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GrantReport {
    /// Of which group.
    pub group: String,
    /// grantState; `member` of a plain membership.
    pub state: String,
    /// From when on.
    pub begins: Option<String>,
    /// Until when.
    pub ends: Option<String>,
    /// Who approved it; who asked, where nobody did.
    pub by: Vec<String>,
}

/// A live session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionReport {
    /// Its number, as in `cn=sessions,cn=monitor` and the journal.
    pub number: u64,
    /// From where.
    pub source: String,
    /// Since when.
    pub since: String,
    /// TLS, where there is any.
    pub tls: Option<String>,
    /// What was proven.
    pub factors: Vec<String>,
    /// When it last asked for something.
    pub last_time: String,
    /// For what.
    pub last_request: String,
}

/// Answers the extended operation.
pub fn answer(directory: &Directory, context: &Context, value: Option<&Secret>) -> Reply {
    let (result, extended_value) = match asked(directory, context, value) {
        Ok(report) => (LdapResult::of(ResultCode::Success), Some(report)),
        Err(refusal) => (refusal.result, None),
    };
    Reply::Result {
        kind: ResponseKind::Extended,
        result,
        sasl_credentials: None,
        extended_name: None,
        extended_value,
        controls: Vec::new(),
    }
}

fn asked(directory: &Directory, context: &Context, value: Option<&Secret>) -> Result<Bytes, Refusal> {
    standing::check_restricted(directory, context)?;
    if !context.subject(directory).administrator {
        return Err(not_permitted());
    }
    let name = value.and_then(|value| std::str::from_utf8(value.expose()).ok());
    let name = name.ok_or_else(|| Refusal::new(ResultCode::ProtocolError, "a uid or a name is expected"))?;
    let account = account::by_name(directory, name).ok_or_else(|| Refusal::no_such_object(directory, None))?;
    let report = gather(directory, context, account).ok_or_else(|| Refusal::no_such_object(directory, None))?;
    let json = serde_json::to_vec(&report).map_err(|_| Refusal::new(ResultCode::Other, "the report cannot be written"))?;
    Ok(Bytes::from(json))
}

/// The report about the account with this uid or whole name.
pub fn of_name(directory: &Directory, context: &Context, name: &str) -> Option<AccountReport> {
    gather(directory, context, account::by_name(directory, name)?)
}
