//! A file of expectations, in TOML:
//!
//! ```toml
//! at = 2027-01-04T08:00:00-06:00      # the moment, unless a login says otherwise; left out: now
//! from = "10.1.2.3"                   # these five hold for logins that do not say themselves
//! listener = "ldaps"
//! tls = "1.3"
//! with = ["password"]
//! who = "anna"
//! entries = '''…'''                   # LDIF: what is there for the test alone
//!
//! [[login]]
//! name = "what is expected, for people"
//! who = "anna"                        # a uid or a name; {suffix} stands for the suffix
//! from = "10.1.2.3"                   # left out: loopback
//! listener = "ldaps"                  # ldap, ldaps, ldapi
//! tls = "1.3"                         # 1.2, 1.3, none
//! certificate = { subject = "uid=anna,…", issuer = "cn=ca,…", emails = [], usages = ["clientAuth"] }
//! with = ["password", "otp"]          # password, wrong-password, otp, certificate, ldapi
//! at = 2027-01-04T08:00:00-06:00
//! expect = "allow"                    # allow, deny, require-factor
//! reason = "…"                        # as the journal spells it; left out: any
//! rule = "cn=people"                  # the bind rule that decides, or the beginning of its name; left out: any
//! ```
//!
//! Expectations of access (`[[access]]`) have their place beside `[[login]]` once there are access rules.

use serde::Deserialize;

use crate::operation::policy_test::{CertificateTest, LoginOutcome, LoginTest, TestedFactor, Verdict};

/// A file as read.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    #[serde(default, deserialize_with = "moment")]
    pub(super) at: Option<String>,
    #[serde(default)]
    pub(super) entries: String,
    who: Option<String>,
    from: Option<String>,
    listener: Option<String>,
    tls: Option<String>,
    with: Option<Vec<TestedFactor>>,
    #[serde(default)]
    login: Vec<Login>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Login {
    name: Option<String>,
    who: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<String>,
    from: Option<String>,
    listener: Option<String>,
    tls: Option<String>,
    certificate: Option<CertificateTest>,
    with: Option<Vec<TestedFactor>>,
    expect: Verdict,
    reason: Option<String>,
    rule: Option<String>,
}

/// A login and what is expected of it.
pub(super) struct Expectation {
    pub(super) name: String,
    pub(super) login: LoginTest,
    pub(super) expect: Verdict,
    reason: Option<String>,
    rule: Option<String>,
}

/// A time, or its text.
fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(Some(text)),
        toml::Value::Datetime(moment) => Ok(Some(moment.to_string())),
        _ => Err(serde::de::Error::custom("at: write a time like 2027-01-04T08:00:00-06:00")),
    }
}

impl PolicyFile {
    /// Reads a file; what is wrong with it names the line.
    pub(super) fn read(text: &str) -> Result<PolicyFile, String> {
        let file: PolicyFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let nobody = |login: &Login| login.who.is_none() && file.who.is_none();
        match file.login.iter().position(nobody) {
            Some(number) => Err(format!("login {}: who is it?", number.saturating_add(1))),
            None if file.login.is_empty() => Err("no login is expected in it; see: bindery policy sample".to_owned()),
            None => Ok(file),
        }
    }

    /// What it expects, in its order.
    pub(super) fn expectations(self) -> Vec<Expectation> {
        let PolicyFile { who, from, listener, tls, with, login, .. } = self;
        let with = with.unwrap_or_else(|| vec![TestedFactor::Password]);
        let expectation = |login: Login| {
            let tested = LoginTest {
                who: login.who.or_else(|| who.clone()).unwrap_or_default(),
                at: login.at,
                with: login.with.unwrap_or_else(|| with.clone()),
                certificate: login.certificate,
                ..of_connection(login.from, login.listener, login.tls, (&from, &listener, &tls))
            };
            Expectation {
                name: login.name.unwrap_or_else(|| described(&tested)),
                login: tested,
                expect: login.expect,
                reason: login.reason,
                rule: login.rule,
            }
        };
        login.into_iter().map(expectation).collect()
    }
}

type Defaults<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<String>);

/// The Unix socket has neither address nor TLS, whatever the file says of all logins.
fn of_connection(from: Option<String>, listener: Option<String>, tls: Option<String>, defaults: Defaults<'_>) -> LoginTest {
    let listener = listener.or_else(|| defaults.1.clone());
    let is_socket = listener.as_deref() == Some("ldapi");
    let otherwise = |value: Option<String>, default: &Option<String>| value.or_else(|| default.clone().filter(|_| !is_socket));
    LoginTest { from: otherwise(from, defaults.0), tls: otherwise(tls, defaults.2), listener, ..LoginTest::default() }
}

fn described(login: &LoginTest) -> String {
    let from = login.from.as_deref().or(login.listener.as_deref()).unwrap_or("loopback");
    let with: Vec<String> =
        login.with.iter().filter_map(|factor| serde_json::to_value(factor).ok()?.as_str().map(str::to_owned)).collect();
    let at = login.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    format!("{} from {from}{at} with {}", login.who, with.join(" and "))
}

impl Expectation {
    /// How the outcome differs from what is expected.
    pub(super) fn difference(&self, outcome: &LoginOutcome) -> Option<String> {
        if outcome.decision != self.expect {
            return Some(format!("expected {}, and it is {}", self.expect.name(), outcome.decision.name()));
        }
        let reason = outcome.reason.as_deref().unwrap_or("none");
        if let Some(expected) = self.reason.as_deref().filter(|expected| *expected != reason) {
            return Some(format!("expected the reason {expected:?}, and it is {reason:?}"));
        }
        let rule = outcome.rule.as_deref().unwrap_or("none");
        let expected = self.rule.as_deref().filter(|expected| !begins_with(rule, expected))?;
        Some(format!("expected the rule {expected}, and it is {rule}"))
    }
}

/// Whether a name is this one, or begins with it.
fn begins_with(name: &str, beginning: &str) -> bool {
    let head = name.get(..beginning.len()).filter(|head| head.eq_ignore_ascii_case(beginning));
    head.is_some() && name.get(beginning.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(decision: Verdict, rule: Option<&str>) -> LoginOutcome {
        LoginOutcome { decision, code: 0, reason: None, rule: rule.map(str::to_owned), factors: Vec::new() }
    }

    #[test]
    fn what_holds_for_all_logins_holds_unless_one_says_otherwise() {
        let text = "at = 2027-01-04T08:00:00-06:00\nfrom = \"10.1.2.3\"\nwho = \"anna\"\n[[login]]\nexpect = \"allow\"\n\
                    [[login]]\nlistener = \"ldapi\"\nwho = \"bert\"\nwith = [\"ldapi\"]\nexpect = \"deny\"\n";
        let file = PolicyFile::read(text).unwrap();
        assert_eq!(file.at.as_deref(), Some("2027-01-04T08:00:00-06:00"));
        let expected = file.expectations();
        assert_eq!(expected[0].name, "anna from 10.1.2.3 with password");
        assert_eq!((&*expected[1].login.who, &expected[1].login.from), ("bert", &None));
    }

    #[test]
    fn differences_say_what_was_expected_and_what_is() {
        let text = "[[login]]\nwho = \"anna\"\nexpect = \"allow\"\nrule = \"cn=people\"\n";
        let expected = PolicyFile::read(text).unwrap().expectations();
        let difference = |outcome: &LoginOutcome| expected[0].difference(outcome);
        assert_eq!(difference(&outcome(Verdict::Allow, Some("CN=people,ou=binds"))), None);
        let other = difference(&outcome(Verdict::Allow, Some("cn=peoples,ou=binds")));
        assert_eq!(other.as_deref(), Some("expected the rule cn=people, and it is cn=peoples,ou=binds"));
        assert_eq!(difference(&outcome(Verdict::Deny, None)).as_deref(), Some("expected allow, and it is deny"));
    }

    #[test]
    fn what_means_nothing_is_said_with_its_line() {
        let problem = |text: &str| PolicyFile::read(text).unwrap_err();
        assert!(problem("[[login]]\nwho = \"anna\"\nexpect = \"perhaps\"\n").contains("line 3"));
        assert!(problem("[[acces]]\n").contains("unknown field"));
        assert!(problem("[[login]]\nexpect = \"deny\"\n").contains("login 1: who"));
        assert!(problem("").contains("no login"));
    }
}
