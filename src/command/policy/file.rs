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
//! with = ["password", "otp"]          # password, wrong-password, app-password, otp, certificate, ldapi
//! app-rule = "mail"                   # the bind rule that the application's password is bound to
//! at = 2027-01-04T08:00:00-06:00
//! expect = "allow"                    # allow, deny, require-factor
//! reason = "…"                        # as the journal spells it; left out: any
//! rule = "cn=people"                  # the bind rule that decides, or the beginning of its name; left out: any
//!
//! [[access]]
//! name = "…"
//! who = "anna"                        # a uid, a name or anonymous
//! right = "read"                      # as accessRight spells it
//! target = "cn=ward-7,ou=wards,{suffix}"
//! attribute = "telephoneNumber"       # left out: the entry itself
//! from = "10.1.2.3"
//! with = ["password", "otp"]          # password, otp, certificate, ldapi
//! at = 2027-01-04T08:00:00-06:00
//! expect = "allow"                    # allow, deny
//! rule = "cn=white pages"             # one of the access rules that decide; left out: any
//! ```

use serde::{Deserialize, Serialize};

use crate::operation::explain::{Explanation, Question};
use crate::operation::policy_test::{AccessTest, CertificateTest, LoginOutcome, LoginTest, TestedFactor, Verdict};

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
    #[serde(default)]
    access: Vec<Access>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Access {
    name: Option<String>,
    who: Option<String>,
    right: String,
    target: String,
    attribute: Option<String>,
    from: Option<String>,
    with: Option<Vec<TestedFactor>>,
    #[serde(default, deserialize_with = "moment")]
    at: Option<String>,
    expect: Expected,
    rule: Option<String>,
}

/// Whether a right is given.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    Allow,
    Deny,
}

impl Expected {
    fn name(self) -> &'static str {
        match self {
            Expected::Allow => "allow",
            Expected::Deny => "deny",
        }
    }

    fn of(explanation: &Explanation) -> Expected {
        if explanation.allowed { Expected::Allow } else { Expected::Deny }
    }
}

/// Access and what is expected of it.
pub(super) struct AccessExpectation {
    pub(super) name: String,
    pub(super) test: AccessTest,
    expect: Expected,
    rule: Option<String>,
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
    #[serde(rename = "app-rule")]
    app_rule: Option<String>,
    expect: Verdict,
    reason: Option<String>,
    rule: Option<String>,
}

/// A login and what is expected of it.
pub(super) struct Expectation {
    pub(super) name: String,
    pub(super) login: LoginTest,
    expect: Verdict,
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
        if let Some(number) = file.login.iter().position(nobody) {
            return Err(format!("login {}: who is it?", number.saturating_add(1)));
        }
        for (number, access) in (1_usize..).zip(&file.access) {
            if access.who.is_none() && file.who.is_none() {
                return Err(format!("access {number}: who is it?"));
            }
            if access.with.as_ref().is_some_and(|with| with.contains(&TestedFactor::WrongPassword)) {
                return Err(format!("access {number}: who gives a wrong password is nobody; write who = \"anonymous\""));
            }
        }
        if file.login.is_empty() && file.access.is_empty() {
            return Err("nothing is expected in it; see: bindery policy sample".to_owned());
        }
        Ok(file)
    }

    /// What it expects of logins and of access, in its order.
    pub(super) fn expectations(self) -> (Vec<Expectation>, Vec<AccessExpectation>) {
        let PolicyFile { who, from, listener, tls, with, login, access, .. } = self;
        let with = with.unwrap_or_else(|| vec![TestedFactor::Password]);
        let of_access = |access: Access| AccessExpectation::new(access, who.as_ref(), from.as_ref(), &with);
        let access = access.into_iter().map(of_access).collect();
        let expectation = |login: Login| {
            let tested = LoginTest {
                who: login.who.or_else(|| who.clone()).unwrap_or_default(),
                at: login.at,
                with: login.with.unwrap_or_else(|| with.clone()),
                certificate: login.certificate,
                app_rule: login.app_rule,
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
        (login.into_iter().map(expectation).collect(), access)
    }
}

impl AccessExpectation {
    fn new(access: Access, who: Option<&String>, from: Option<&String>, with: &[TestedFactor]) -> AccessExpectation {
        let with = access.with.unwrap_or_else(|| with.iter().copied().filter(|it| *it != TestedFactor::WrongPassword).collect());
        let question = Question {
            who: access.who.or_else(|| who.cloned()).unwrap_or_default(),
            right: access.right,
            target: access.target,
            attribute: access.attribute,
            from: access.from.or_else(|| from.cloned()),
            factors: with.iter().map(|factor| spelled(*factor)).collect(),
        };
        let what = question.attribute.as_ref().map(|attribute| format!(" {attribute} of")).unwrap_or_default();
        let described = format!("{}: {}{what} {}", question.who, question.right, question.target);
        AccessExpectation {
            name: access.name.unwrap_or(described),
            test: AccessTest { question, at: access.at },
            expect: access.expect,
            rule: access.rule,
        }
    }

    /// Held against what came of it.
    pub(super) fn judge(&self, explanation: &Explanation) -> Judged {
        let decision = Expected::of(explanation);
        let names = |expected: &&String| explanation.rules.iter().any(|rule| begins_with(rule, expected));
        let difference = if decision != self.expect {
            Some(format!("expected {}, and it is {}", self.expect.name(), decision.name()))
        } else {
            let missed = self.rule.as_ref().filter(|expected| !names(expected));
            let rules = if explanation.rules.is_empty() { "none".to_owned() } else { explanation.rules.join("; ") };
            missed.map(|expected| format!("expected the rule {expected}, and it is {rules}"))
        };
        Judged {
            name: self.name.clone(),
            expected: self.expect.name(),
            decision: decision.name(),
            code: String::new(),
            reason: explanation.because.clone(),
            rule: Some(explanation.rules.join("; ")).filter(|rules| !rules.is_empty()),
            factors: self.test.question.factors.join("+"),
            difference,
        }
    }
}

/// An expectation and what came of it.
#[derive(Serialize)]
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) expected: &'static str,
    pub(super) decision: &'static str,
    /// Result code of a login.
    pub(super) code: String,
    pub(super) reason: Option<String>,
    /// Which rule decided, or which.
    pub(super) rule: Option<String>,
    pub(super) factors: String,
    /// How it differs from what is expected.
    pub(super) difference: Option<String>,
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
    let with: Vec<String> = login.with.iter().map(|factor| spelled(*factor)).collect();
    let at = login.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    format!("{} from {from}{at} with {}", login.who, with.join(" and "))
}

/// As the file spells it.
fn spelled(factor: TestedFactor) -> String {
    match factor {
        TestedFactor::Password => "password",
        TestedFactor::WrongPassword => "wrong-password",
        TestedFactor::AppPassword => "app-password",
        TestedFactor::Otp => "otp",
        TestedFactor::Certificate => "certificate",
        TestedFactor::Ldapi => "ldapi",
    }
    .to_owned()
}

impl Expectation {
    /// Held against what came of it.
    pub(super) fn judge(&self, outcome: &LoginOutcome) -> Judged {
        Judged {
            name: self.name.clone(),
            expected: self.expect.name(),
            decision: outcome.decision.name(),
            code: outcome.code.to_string(),
            reason: outcome.reason.clone(),
            rule: outcome.rule.clone(),
            factors: outcome.factors.join("+"),
            difference: self.difference(outcome),
        }
    }

    fn difference(&self, outcome: &LoginOutcome) -> Option<String> {
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
        let expected = file.expectations().0;
        assert_eq!(expected[0].name, "anna from 10.1.2.3 with password");
        assert_eq!((&*expected[1].login.who, &expected[1].login.from), ("bert", &None));
    }

    #[test]
    fn differences_say_what_was_expected_and_what_is() {
        let text = "[[login]]\nwho = \"anna\"\nexpect = \"allow\"\nrule = \"cn=people\"\n";
        let expected = PolicyFile::read(text).unwrap().expectations().0;
        let difference = |outcome: &LoginOutcome| expected[0].difference(outcome);
        assert_eq!(difference(&outcome(Verdict::Allow, Some("CN=people,ou=binds"))), None);
        let other = difference(&outcome(Verdict::Allow, Some("cn=peoples,ou=binds")));
        assert_eq!(other.as_deref(), Some("expected the rule cn=people, and it is cn=peoples,ou=binds"));
        assert_eq!(difference(&outcome(Verdict::Deny, None)).as_deref(), Some("expected allow, and it is deny"));
    }

    #[test]
    fn access_is_held_against_what_decides() {
        let text = "who = \"anna\"\nwith = [\"wrong-password\", \"password\"]\n[[access]]\nright = \"read\"\nattribute = \"mail\"\n\
                    target = \"uid=bert\"\nexpect = \"allow\"\nrule = \"cn=white pages\"\n";
        let expected = PolicyFile::read(text).unwrap().expectations().1;
        assert_eq!(expected[0].name, "anna: read mail of uid=bert");
        assert_eq!(expected[0].test.question.factors, ["password"]);
        let difference = |allowed, rules: &[&str]| {
            let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
            expected[0]
                .judge(&Explanation { allowed, rules, because: None, who: String::new(), target: String::new() })
                .difference
        };
        assert_eq!(difference(true, &["cn=folders,ou=access", "cn=white pages,ou=access"]), None);
        assert_eq!(difference(true, &["cn=other"]).as_deref(), Some("expected the rule cn=white pages, and it is cn=other"));
        assert_eq!(difference(false, &[]).as_deref(), Some("expected allow, and it is deny"));
    }

    #[test]
    fn what_means_nothing_is_said_with_its_line() {
        let problem = |text: &str| PolicyFile::read(text).unwrap_err();
        assert!(problem("[[login]]\nwho = \"anna\"\nexpect = \"perhaps\"\n").contains("line 3"));
        assert!(problem("[[acces]]\n").contains("unknown field"));
        assert!(problem("[[login]]\nexpect = \"deny\"\n").contains("login 1: who"));
        let access = "[[access]]\nright = \"read\"\ntarget = \"{suffix}\"\nexpect = \"deny\"\n";
        assert!(problem(access).contains("access 1: who"));
        assert!(problem(&format!("{access}who = \"anna\"\nwith = [\"wrong-password\"]\n")).contains("anonymous"));
        assert!(problem("").contains("nothing is expected"));
    }
}
