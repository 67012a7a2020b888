//! A report about an account as people and spreadsheets read it.

use super::super::format::{csv_line, printable};
use crate::operation::account_report::{AccountReport, AccountState, BarrierReport, FailureReport, SessionReport};
use crate::operation::app_password::AppPasswordReport;

/// Groups that one screen names.
const GROUPS_SHOWN: usize = 12;
/// Sessions that one screen names.
const SESSIONS_SHOWN: usize = 12;
const LABEL_WIDTH: usize = 16;

/// Rows of a label and a text; a label that is repeated is written once.
#[derive(Default)]
struct Rows(Vec<(&'static str, String)>);

impl Rows {
    fn put(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    fn write(self) -> String {
        let (mut text, mut last) = (String::new(), "");
        for (label, value) in self.0 {
            let shown = if label == last { "" } else { label };
            text.push_str(&format!("{shown:LABEL_WIDTH$}{}\n", printable(&value)));
            last = label;
        }
        text
    }
}

/// One screen.
pub(super) fn table(report: &AccountReport) -> String {
    let mut rows = Rows::default();
    rows.put("account", format!("{} ({})", report.dn, report.kind));
    rows.put("at", &*report.at);
    rows.put("state", state(report.state));
    report.barriers.iter().for_each(|barrier| rows.put("why", why(barrier)));
    if let Some(end) = &report.next_end {
        rows.put("ends next", format!("{} by {}", end.time, end.attribute));
    }
    put_password(&mut rows, report);
    put_rules(&mut rows, report);
    put_failures(&mut rows, &report.failures);
    match (&report.last_login, &report.last_login_source) {
        (Some(time), source) => {
            rows.put("last login", format!("{time} from {}", source.as_deref().unwrap_or("an unknown place")));
        }
        (None, _) => rows.put("last login", "none that is known"),
    }
    for token in &report.tokens {
        let (usable, codes) = (if token.usable { "" } else { ", makes no codes now" }, token.recovery_codes);
        rows.put("one-time codes", format!("{} of {}, {codes} recovery codes left{usable}", token.kind, token.dn));
    }
    if report.tokens.is_empty() {
        rows.put("one-time codes", "none enrolled");
    }
    for one in &report.app_passwords {
        rows.put("app passwords", app_password(one));
    }
    put_groups_and_sessions(&mut rows, report);
    rows.write()
}

fn app_password(one: &AppPasswordReport) -> String {
    let until = one.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    let rule = one.rule.as_deref().unwrap_or("a rule that is gone: nobody logs in with it");
    format!("{}, made {}{until}, by {rule}", one.name, one.made)
}

fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::Open => "open: can log in where a bind rule lets it in",
        AccountState::PasswordBarred => "password barred: its password is not taken, other proofs are",
        AccountState::Barred => "barred: cannot log in",
    }
}

fn why(barrier: &BarrierReport) -> String {
    let since = barrier.since.as_ref().map(|since| format!(", since {since}")).unwrap_or_default();
    let until = barrier.until.as_ref().map_or_else(|| "until somebody changes it".to_owned(), |until| format!("until {until}"));
    format!("{} [{}]{since}, {until}", barrier.reason, barrier.attribute)
}

fn put_password(rows: &mut Rows, report: &AccountReport) {
    let password = &report.password;
    let mut parts = vec![if password.stored { "stored".to_owned() } else { "none stored".to_owned() }];
    parts.extend(password.changed.as_ref().map(|time| format!("changed {time}")));
    parts.extend(password.expires.as_ref().map(|time| format!("expires {time}")));
    parts.extend(password.grace_logins_left.map(|left| format!("expired, {left} logins left with it")));
    parts.extend(password.exposed.as_ref().map(|time| format!("sent in clear {time}: it should be changed")));
    parts.extend(password.must_change.then(|| "must be changed at the next login".to_owned()));
    rows.put("password", parts.join(", "));
    rows.put("password policy", report.password_policy.as_deref().unwrap_or("the built-in one (NIST SP 800-63B-4)"));
}

fn put_rules(rows: &mut Rows, report: &AccountReport) {
    if !report.networks.is_empty() {
        rows.put("networks", format!("only from {} (accountNetwork)", report.networks.join(", ")));
    }
    for rule in &report.bind_rules {
        let conditions = if rule.conditions.is_empty() { "always".to_owned() } else { rule.conditions.join(", ") };
        rows.put("bind rules", format!("{} by {} ({conditions})", rule.effect, rule.dn));
    }
    if report.bind_rules.is_empty() {
        rows.put("bind rules", "none is about this account");
    }
}

fn put_failures(rows: &mut Rows, failures: &FailureReport) {
    let last = failures.last.as_ref().map(|last| format!(", last {last}")).unwrap_or_default();
    rows.put("failed logins", format!("{} in a row{last}", failures.in_a_row));
    if let Some(end) = &failures.pause_end {
        rows.put("failed logins", format!("none is looked at until {end}"));
    }
    for source in &failures.sources {
        let last = source.last.as_deref().unwrap_or("unknown");
        let waits = source.waits_until.as_ref().map(|until| format!(", waits until {until}")).unwrap_or_default();
        rows.put("failed logins", format!("{} from {}, last {last}{waits}", source.failures, source.source));
    }
}

fn put_groups_and_sessions(rows: &mut Rows, report: &AccountReport) {
    report.groups.iter().take(GROUPS_SHOWN).for_each(|group| rows.put("groups", &**group));
    let further = report.groups.len().saturating_sub(GROUPS_SHOWN).saturating_add(report.further_groups);
    if further > 0 {
        rows.put("groups", format!("and {further} more"));
    }
    if report.groups.is_empty() {
        rows.put("groups", "none");
    }
    for grant in report.grants.iter().take(GROUPS_SHOWN) {
        let when = |word: &str, time: &Option<String>| time.as_ref().map(|time| format!(", {word} {time}")).unwrap_or_default();
        let by = if grant.by.is_empty() { String::new() } else { format!(", by {}", grant.by.join(" and ")) };
        let (begins, ends) = (when("from", &grant.begins), when("until", &grant.ends));
        rows.put("grants", format!("{} of {}{begins}{ends}{by}", grant.state, grant.group));
    }
    match report.grants.len().saturating_sub(GROUPS_SHOWN) {
        0 if report.grants.is_empty() => rows.put("grants", "none"),
        0 => {}
        further => rows.put("grants", format!("and {further} more")),
    }
    report.sessions.iter().take(SESSIONS_SHOWN).for_each(|live| rows.put("sessions", session(live)));
    match report.sessions.len().saturating_sub(SESSIONS_SHOWN) {
        0 if report.sessions.is_empty() => rows.put("sessions", "nobody is logged in"),
        0 => {}
        further => rows.put("sessions", format!("and {further} more")),
    }
}

fn session(live: &SessionReport) -> String {
    let (tls, factors) = (live.tls.as_deref().unwrap_or("no TLS"), live.factors.join(" and "));
    format!(
        "{} from {} since {} by {factors}, {tls}, last {} {}",
        live.number, live.source, live.since, live.last_time, live.last_request
    )
}

/// A line of names, and one of what can stand in a cell.
pub(super) fn csv(report: &AccountReport) -> String {
    let reasons: Vec<&str> = report.barriers.iter().map(|barrier| barrier.reason.as_str()).collect();
    let first = report.barriers.first();
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let fields = [
        ("dn", report.dn.clone()),
        ("kind", report.kind.clone()),
        ("at", report.at.clone()),
        ("state", state(report.state).split(':').next().unwrap_or_default().to_owned()),
        ("reasons", reasons.join("; ")),
        ("since", text(first.and_then(|barrier| barrier.since.as_ref()))),
        ("until", text(first.and_then(|barrier| barrier.until.as_ref()))),
        ("nextEnd", text(report.next_end.as_ref().map(|end| &end.time))),
        ("passwordChanged", text(report.password.changed.as_ref())),
        ("passwordExpires", text(report.password.expires.as_ref())),
        ("passwordExposed", text(report.password.exposed.as_ref())),
        ("mustChange", report.password.must_change.to_string()),
        ("passwordPolicy", text(report.password_policy.as_ref())),
        ("failures", report.failures.in_a_row.to_string()),
        ("lastLogin", text(report.last_login.as_ref())),
        ("lastLoginSource", text(report.last_login_source.as_ref())),
        ("oneTimeCodes", report.tokens.iter().filter(|token| token.usable).count().to_string()),
        ("appPasswords", report.app_passwords.len().to_string()),
        ("groups", report.groups.len().saturating_add(report.further_groups).to_string()),
        ("sessions", report.sessions.len().to_string()),
    ];
    let names = csv_line(fields.iter().map(|(name, _)| *name));
    names + &csv_line(fields.iter().map(|(_, value)| value.as_str()))
}
