//! What ends: accounts, passwords, grants, memberships, rules and waivers.

use std::sync::Arc;

use super::super::policies::password_policy;
use super::grants::Grants;
use super::{Account, DAY, ReportKind, Reporting, Table, has_class, text, texts, time};
use crate::directory::{MEMBER_ENDS, Membership};
use crate::model::{EntryId, Timestamp};
use crate::policy::account::age;

/// Classes of rules that may have an end.
const RULES: [&str; 3] = ["bindRule", "accessRule", "auditRule"];

pub(super) fn expiring(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, soon_days, .. } = reporting;
    let limit = Timestamp(at.0.saturating_add(i64::from(*soon_days).saturating_mul(DAY)));
    let is_soon = |end: &Timestamp| (*at..=limit).contains(end);
    let mut rows = Vec::new();
    let mut row = |what: &str, of: String, ends: Timestamp, by: &str, answers: String| {
        rows.push(vec![what.to_owned(), of, ends.to_rfc3339(), by.to_owned(), answers]);
    };
    for account in Account::all(directory).filter(|account| !account.is_over(*at)) {
        let manager = texts(directory, account.node, "manager").into_iter().next();
        let answers = text(directory, account.node, "accountOwner").or(manager).unwrap_or_else(|| "-".to_owned());
        if let Some((end, attribute)) = account.end().filter(|(end, _)| is_soon(end)) {
            row("account", account.dn.clone(), end, attribute, answers.clone());
        }
        let policy = password_policy(directory, Some(account.node.id));
        if let Some(end) = age::expiry(&account.facts, &policy).filter(is_soon) {
            row("password", account.dn.clone(), end, "pwdChangedTime", answers);
        }
    }
    for grant in Grants::of(directory, *at).all() {
        if let Some(end) = grant.way.until.filter(is_soon) {
            let of = format!("{} in {}", directory.dn_text(grant.member), directory.dn_text(grant.group));
            row("grant", of, end, "grantNotAfter", super::access::dash(&grant.way.by));
        }
    }
    for (group, membership, end, by) in memberships(reporting).filter(|(_, _, end, _)| is_soon(end)) {
        let of = format!("{} in {}", String::from_utf8_lossy(&directory.member_value(&membership)), directory.dn_text(group));
        row("membership", of, end, MEMBER_ENDS, super::access::dash(&by));
    }
    for (dn, end, owner) in rules(reporting) {
        if is_soon(&end) {
            row("rule", dn, end, "ruleNotAfter", owner);
        }
    }
    for waiver in reporting.waivers.into_iter().flatten().filter(|waiver| is_soon(&waiver.until)) {
        row("waiver", waiver.name.clone(), waiver.until, "bindery.toml", waiver.owner.clone());
    }
    Table::new(ReportKind::Expiring, rows)
}

/// What the configuration waives and what rules say for a time alone. Found is what is over and still stands there.
pub(super) fn waivers(reporting: &Reporting<'_>) -> Table {
    let state = |end: Timestamp| if reporting.at < end { "in force" } else { "over" };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for waiver in reporting.waivers.into_iter().flatten() {
        let reason = format!("{} (from {})", waiver.reason, waiver.networks.join(" "));
        let what = format!("waiver {}", waiver.name);
        rows.push(vec![what, state(waiver.until).to_owned(), waiver.until.to_rfc3339(), waiver.owner.clone(), reason]);
    }
    for (dn, end, owner) in rules(reporting) {
        let node = super::find(reporting.directory, &dn).and_then(|id| reporting.directory.node(id));
        let reason = node.and_then(|node| text(reporting.directory, node, "description"));
        rows.push(vec![
            format!("rule {dn}"),
            state(end).to_owned(),
            end.to_rfc3339(),
            owner,
            reason.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let found = rows.iter().any(|row| row.get(1).is_some_and(|state| state == "over"));
    Table { found, ..Table::new(ReportKind::Waivers, rows) }
}

/// Memberships with an end, and who gave them.
fn memberships<'a>(reporting: &'a Reporting<'_>) -> impl Iterator<Item = (EntryId, Membership, Timestamp, Arc<str>)> + 'a {
    let directory = reporting.directory;
    directory.ended(Timestamp(i64::MAX), usize::MAX).into_iter().filter_map(|(group, membership, end)| {
        let by = directory.membership_grant(group, &membership)?.by;
        Some((group, membership, end, by))
    })
}

/// Rules with an end: name, end, owner.
fn rules(reporting: &Reporting<'_>) -> Vec<(String, Timestamp, String)> {
    let directory = reporting.directory;
    let rules = directory.nodes().filter(|node| has_class(directory, node, &RULES));
    let ending = rules.filter_map(|node| {
        let owner = text(directory, node, "ruleOwner").unwrap_or_else(|| "-".to_owned());
        Some((directory.dn_text(node.id), time(directory, node, "ruleNotAfter")?, owner))
    });
    ending.collect()
}
