//! What the server would decide about logins that nobody tries, and about access that nobody asks for, for `bindery policy test`: the very
//! functions that decide about real ones, on a copy of the directory, at a made-up time, from a made-up address. Nothing is changed, and no
//! password is looked at.
//!
//! ```text
//! requestValue:  PolicyTest as JSON
//! responseValue: Outcomes as JSON, in the order of what was asked
//! ```
//!
//! For administrators.

mod attempt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::explain::{Explanation, Question};
use super::refusal::Refusal;
use super::write::not_permitted;
use super::{Context, standing};
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::protocol::{LdapResult, Reply, ResponseKind};

pub use attempt::run;

/// Most logins and questions about access that are asked for at once.
pub const MOST_LOGINS: usize = 100;
/// Most change records that are asked for at once.
pub const MOST_CHANGES: usize = 200;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PolicyTest {
    /// LDIF: entries and changes that are there for the test alone. `{suffix}` stands for the suffix.
    pub entries: String,
    /// When those are made, RFC 3339; none: now.
    pub at: Option<String>,
    /// The logins.
    pub logins: Vec<LoginTest>,
    /// Who may do what.
    #[serde(default)]
    pub access: Vec<AccessTest>,
}

/// Whether somebody has a right. `{suffix}` stands for the suffix in the names of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccessTest {
    /// Who, what, on what, from where, by which factors.
    pub question: Question,
    /// When, RFC 3339; none: as [`PolicyTest::at`].
    pub at: Option<String>,
}

/// What came of a test.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Outcomes {
    /// In the order of the logins.
    pub logins: Vec<LoginOutcome>,
    /// In the order of the questions.
    pub access: Vec<Explanation>,
}

/// A login that nobody tries.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LoginTest {
    /// A uid or a name. `{suffix}` stands for the suffix.
    pub who: String,
    /// When, RFC 3339; none: as [`PolicyTest::at`].
    pub at: Option<String>,
    /// The client's address; none: loopback.
    pub from: Option<String>,
    /// `ldap`, `ldaps`, `ldapi`; none: ldaps.
    pub listener: Option<String>,
    /// `1.2`, `1.3`, `none`; none: 1.3, but over the Unix socket.
    pub tls: Option<String>,
    /// The client's certificate, which chains to a configured authority.
    pub certificate: Option<CertificateTest>,
    /// What it proves.
    pub with: Vec<TestedFactor>,
    /// The bind rule that the password of an application is bound to: its cn or its name.
    #[serde(default)]
    pub app_rule: Option<String>,
}

/// A client's certificate.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CertificateTest {
    /// Subject as an RFC 4514 string.
    pub subject: String,
    /// Issuer as an RFC 4514 string.
    pub issuer: String,
    /// rfc822Name subject alternative names.
    #[serde(default)]
    pub emails: Vec<String>,
    /// Extended key usages, as bindCertificateUsage has them.
    #[serde(default)]
    pub usages: Vec<String>,
}

/// What a login proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestedFactor {
    /// The right password.
    Password,
    /// A wrong one.
    WrongPassword,
    /// One of an application of its own, made for the test and bound to the rule that the login names.
    AppPassword,
    /// The one-time code that the account's token makes at that time, behind the password.
    Otp,
    /// The certificate of the connection; without a password by SASL EXTERNAL.
    Certificate,
    /// The local user who stands for the account; without a password by SASL EXTERNAL.
    Ldapi,
}

/// What came of a login.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LoginOutcome {
    /// `allow`, `deny`, `require-factor`
    pub decision: Verdict,
    /// The result code that the client would get.
    pub code: i64,
    /// Why, as the journal would say; with `allow` where something is to be said.
    pub reason: Option<String>,
    /// Name of the bind rule that decided.
    pub rule: Option<String>,
    /// What the session would have proven.
    pub factors: Vec<String>,
}

/// See [`LoginOutcome`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Let in.
    Allow,
    /// Kept out.
    Deny,
    /// Kept out for want of a second factor.
    RequireFactor,
}

impl Verdict {
    /// As files write it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
            Verdict::RequireFactor => "require-factor",
        }
    }
}

/// A test that cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TestError(pub String);

/// Answers the extended operation.
pub fn answer(directory: &Directory, context: &Context, value: Option<&Secret>) -> Reply {
    let (result, extended_value) = match asked(directory, context, value) {
        Ok(outcomes) => (LdapResult::of(ResultCode::Success), Some(outcomes)),
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
    let malformed = || Refusal::new(ResultCode::ProtocolError, "a policy test is expected");
    let test: PolicyTest = serde_json::from_slice(value.ok_or_else(malformed)?.expose()).map_err(|_| malformed())?;
    let outcomes = run(directory, context, &test).map_err(|error| Refusal::new(ResultCode::UnwillingToPerform, error.0))?;
    let json = serde_json::to_vec(&outcomes).map_err(|_| Refusal::new(ResultCode::Other, "the outcomes cannot be written"))?;
    Ok(Bytes::from(json))
}
