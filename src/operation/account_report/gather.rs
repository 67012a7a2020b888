//! What the report is made of: the same judgements that a login meets.

use super::granted;
use super::{
    AccountReport, AccountState, BarrierReport, EndReport, FailureReport, PasswordReport, RuleReport, SessionReport,
    SourceReport, TokenReport,
};
use crate::directory::Directory;
use crate::model::{EntryId, FailedLogins, Timestamp};
use crate::operation::context::is_administrator;
use crate::operation::policies::{password_policy, password_policy_entry};
use crate::operation::{AccountKind, Context, LiveSession, account, app_password, bind_rules, exposed, otp, standing};
use crate::policy::account::age::{self, PasswordAge};
use crate::policy::account::{self as account_policy, Barrier, Facts, intruder};
use crate::policy::password::policy::PasswordPolicy;

/// The report about an entry at this moment; none where there is no such entry.
pub fn gather(directory: &Directory, context: &Context, id: EntryId) -> Option<AccountReport> {
    let (node, now) = (directory.node(id)?, context.now);
    let (facts, policy) = (standing::facts(directory, id), password_policy(directory, Some(id)));
    let state = directory.account_state(id);
    let barriers = barriers(&facts, &policy, now);
    let groups = directory.group_set_of(id);
    Some(AccountReport {
        dn: directory.dn_text(id),
        kind: kind(directory, id, AccountKind::of(directory, node)),
        at: now.to_rfc3339(),
        state: match barriers.iter().any(|barrier| !barrier.password_only) {
            true => AccountState::Barred,
            false if barriers.is_empty() => AccountState::Open,
            false => AccountState::PasswordBarred,
        },
        barriers,
        next_end: account_policy::next_end(&facts, &policy, now)
            .map(|(ground, time)| EndReport { attribute: ground.attribute().to_owned(), time: time.to_rfc3339() }),
        password: PasswordReport {
            exposed: exposed::of_account(directory, id).map(Timestamp::to_rfc3339),
            ..password(&facts, &policy, now, !account::stored_passwords(directory, Some(id)).is_empty())
        },
        password_policy: password_policy_entry(directory, id).map(|entry| directory.dn_text(entry)),
        networks: bind_rules::own_networks(directory, node),
        bind_rules: rules(directory, id, now),
        failures: failures(state.failed.as_deref(), &facts, &policy, now),
        last_login: state.last_login.map(Timestamp::to_rfc3339),
        last_login_source: state.last_login_source.clone(),
        // The same moment: one attribute of each family.
        last_success: state.last_login.map(Timestamp::to_rfc3339),
        tokens: tokens(directory, id, now),
        app_passwords: app_password::report(directory, id),
        further_groups: groups.len().saturating_sub(AccountReport::MOST_GROUPS),
        groups: groups.iter().take(AccountReport::MOST_GROUPS).map(|group| directory.dn_text(group)).collect(),
        grants: granted::gather(directory, id, &groups),
        sessions: sessions(context, id),
    })
}

fn kind(directory: &Directory, id: EntryId, kind: AccountKind) -> String {
    let kind = match kind {
        AccountKind::Person => "person",
        AccountKind::Service => "service",
        AccountKind::BreakGlass => "breakglass",
    };
    if is_administrator(directory, id) { format!("{kind}, administrator") } else { kind.to_owned() }
}

fn barriers(facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> Vec<BarrierReport> {
    let report = |barrier: Barrier, password_only| BarrierReport {
        reason: standing::reason_of(barrier.ground).to_owned(),
        attribute: barrier.ground.attribute().to_owned(),
        since: barrier.since.map(Timestamp::to_rfc3339),
        until: barrier.until.map(Timestamp::to_rfc3339),
        password_only,
    };
    let of_account = account_policy::barriers(facts, policy, now).map(|barrier| report(barrier, false));
    of_account.chain(account_policy::password_barrier(facts, policy, now).map(|barrier| report(barrier, true))).collect()
}

fn password(facts: &Facts, policy: &PasswordPolicy, now: Timestamp, stored: bool) -> PasswordReport {
    PasswordReport {
        stored,
        changed: facts.password_changed.map(Timestamp::to_rfc3339),
        expires: age::expiry(facts, policy).map(Timestamp::to_rfc3339),
        grace_logins_left: match age::age(facts, policy, now) {
            PasswordAge::Good | PasswordAge::Ending(_) => None,
            PasswordAge::Grace(more) => Some(more.saturating_add(1)),
            PasswordAge::Expired => Some(0),
        },
        must_change: facts.must_change(policy.must_change, now),
        exposed: None,
    }
}

fn rules(directory: &Directory, id: EntryId, now: Timestamp) -> Vec<RuleReport> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let named = |name: &str| directory.schema().attribute_type(name);
    let bearing = bind_rules::bearing_on(directory, id, now).into_iter().filter_map(|rule| directory.node(rule));
    bearing
        .map(|node| {
            let conditions = node.entry.attributes().filter(|it| {
                let is_effect = it.description.eq_ignore_ascii_case("bindEffect");
                it.description.eq_ignore_ascii_case("ruleNotAfter") || it.description.starts_with("bind") && !is_effect
            });
            let effect = named("bindEffect").and_then(|effect| node.entry.first(effect.id));
            let of_entry = conditions.flat_map(|it| it.values().map(move |value| format!("{}={}", it.description, text(value))));
            let of_members = directory.membership_attributes(node.id).into_iter().flat_map(|attribute| {
                let name = attribute.name(directory.schema()).to_owned();
                let values = directory.member_values(node.id, attribute);
                values.into_iter().map(move |value| format!("{name}={}", text(&value)))
            });
            RuleReport {
                dn: directory.dn_text(node.id),
                effect: effect.map(text).unwrap_or_default(),
                conditions: of_members.filter(|it| it.starts_with("bind")).chain(of_entry).collect(),
            }
        })
        .collect()
}

fn failures(failed: Option<&FailedLogins>, facts: &Facts, policy: &PasswordPolicy, now: Timestamp) -> FailureReport {
    let Some(failed) = failed else { return FailureReport::default() };
    // Nobody is made to wait who must be let in in an emergency.
    let waits = |source: &str| intruder::waits_until(failed, policy, source, now).filter(|_| !facts.break_glass);
    let sources = failed.sources.iter().map(|source| SourceReport {
        source: source.name.clone(),
        failures: source.times.len(),
        last: source.times.last().map(|time| time.to_rfc3339()),
        waits_until: waits(&source.name).map(Timestamp::to_rfc3339),
    });
    FailureReport {
        in_a_row: failed.in_a_row,
        last: failed.times.last().map(|time| time.to_rfc3339()),
        pause_end: waits("").filter(|_| policy.locks_account()).map(Timestamp::to_rfc3339),
        sources: sources.collect(),
    }
}

fn tokens(directory: &Directory, id: EntryId, now: Timestamp) -> Vec<TokenReport> {
    let found = otp::tokens(directory, id, now).into_iter();
    let report = |token: otp::NamedToken| TokenReport {
        dn: directory.dn_text(token.entry),
        kind: if token.by_counter { "HOTP".to_owned() } else { "TOTP".to_owned() },
        usable: token.usable,
        recovery_codes: token.recovery_codes,
    };
    found.map(report).collect()
}

fn sessions(context: &Context, id: EntryId) -> Vec<SessionReport> {
    let all = context.settings.monitor.monitored().map(|monitored| monitored.sessions()).unwrap_or_default();
    all.iter().filter(|live| live.account == id).map(|live| session(live)).collect()
}

fn session(live: &LiveSession) -> SessionReport {
    let (last_time, last_request) = live.last_request();
    SessionReport {
        number: live.number,
        source: live.peer.text.clone(),
        since: live.since.to_rfc3339(),
        tls: live.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.suite)),
        factors: live.factors.iter().map(|&factor| factor.to_owned()).collect(),
        last_time: last_time.to_rfc3339(),
        last_request: last_request.to_owned(),
    }
}
